/* Row kernels: activations, norms, dropout, optimizer, each forward beside its backward. Sums run over 16 fixed lanes and
 * are joined by a fixed tree (vec.h), so every instruction set gives the same bits. */
#include <math.h>

#include "simd/vec.h"

/* Runs `body` for each vector of n floats; `at` is the offset, `count` 16 or what is left. */
#define ATT_FOR_VECTORS(n) for (int64_t at = 0; at < (n); at += ATT_LANES)

ATT_INLINE void store(float *p, int64_t at, int64_t n, at_vf v)
{
    if (n - at >= ATT_LANES)
        at_vstore(p + at, v);
    else
        at_vstore_part(p + at, v, n - at);
}

/* tanh(x) = (1 - e) / (1 + e) with the sign of x, e = e^(-2|x|); slope receives 1 - tanh(x)^2 = 4 e / (1 + e)^2, which does not
 * cancel where it is small. */
ATT_INLINE at_vf vtanh(at_vf x, at_vf *slope)
{
    const at_vi sign = (at_vi)x & (int32_t)0x80000000;
    const at_vf one = at_vset(1.0f), a = (at_vf)((at_vi)x ^ sign), e = at_vexp(at_vset(-2.0f) * a),
                inverse = one / (one + e);
    *slope = at_vset(4.0f) * e * inverse * inverse;
    return (at_vf)((at_vi)((one - e) * inverse) | sign);
}

/* sqrt(2/pi) (x + 0.044715 x^3) */
ATT_INLINE at_vf gelu_inner(at_vf x)
{
    return at_vset(0.7978845608028654f) * (x + at_vset(0.044715f) * x * x * x);
}

ATT_INLINE at_vf act_value(at_vf x, at_act act)
{
    const at_vf one = at_vset(1.0f), half = at_vset(0.5f);
    switch (act) {
    case ATT_ACT_NONE:
        return x;
    case ATT_ACT_RELU:
        return at_vselect(x > at_vset(0.0f), x, at_vset(0.0f));
    case ATT_ACT_GELU:
        return half * x * (one + at_verf(x * at_vset(0.7071067811865476f)));
    case ATT_ACT_GELU_TANH: {
        at_vf unused;
        return half * x * (one + vtanh(gelu_inner(x), &unused));
    }
    case ATT_ACT_SWISH:
        return x * at_vsigmoid(x);
    }
    return x;
}

/* act'(z); for ReLU z may be the output as well. */
ATT_INLINE at_vf act_slope(at_vf z, at_act act)
{
    const at_vf zero = at_vset(0.0f), one = at_vset(1.0f), half = at_vset(0.5f);
    switch (act) {
    case ATT_ACT_NONE:
        return one;
    case ATT_ACT_RELU:
        return at_vselect(z > zero, one, zero);
    case ATT_ACT_GELU: {
        const at_vf density = at_vset(0.3989422804014327f) * at_vexp(-half * z * z);
        return half * (one + at_verf(z * at_vset(0.7071067811865476f))) + z * density;
    }
    case ATT_ACT_GELU_TANH: {
        at_vf t_slope;
        const at_vf t = vtanh(gelu_inner(z), &t_slope);
        const at_vf inner = at_vset(0.7978845608028654f) * (one + at_vset(3 * 0.044715f) * z * z);
        return half * (one + t) + half * z * t_slope * inner;
    }
    case ATT_ACT_SWISH: {
        const at_vf s = at_vsigmoid(z);
        return s * (one + z * (one - s));
    }
    }
    return one;
}

ATT_INLINE void bias_act_as(float *y, int64_t ldy, const float *bias, float *keep, int64_t rows, int64_t n, at_act act)
{
    for (int64_t i = 0; i < rows; i++, y += ldy) ATT_FOR_VECTORS(n)
        {
            at_vf z = load(y, at, n);
            if (bias) z = z + load(bias, at, n);
            if (keep) store(keep + i * n, at, n, z);
            store(y, at, n, act_value(z, act));
        }
}

static void bias_act(float *y, int64_t ldy, const float *bias, float *keep, int64_t rows, int64_t n, at_act act)
{
    switch (act) { /* one loop an activation, so that none branches inside */
    case ATT_ACT_NONE:
        bias_act_as(y, ldy, bias, keep, rows, n, ATT_ACT_NONE);
        break;
    case ATT_ACT_RELU:
        bias_act_as(y, ldy, bias, keep, rows, n, ATT_ACT_RELU);
        break;
    case ATT_ACT_GELU:
        bias_act_as(y, ldy, bias, keep, rows, n, ATT_ACT_GELU);
        break;
    case ATT_ACT_GELU_TANH:
        bias_act_as(y, ldy, bias, keep, rows, n, ATT_ACT_GELU_TANH);
        break;
    case ATT_ACT_SWISH:
        bias_act_as(y, ldy, bias, keep, rows, n, ATT_ACT_SWISH);
        break;
    }
}

ATT_INLINE void act_bwd_as(float *dy, const float *kept, int64_t n, at_act act)
{
    ATT_FOR_VECTORS(n) store(dy, at, n, load(dy, at, n) * act_slope(load(kept, at, n), act));
}

static void act_bwd(float *dy, const float *kept, int64_t n, at_act act)
{
    switch (act) {
    case ATT_ACT_NONE:
        break;
    case ATT_ACT_RELU:
        act_bwd_as(dy, kept, n, ATT_ACT_RELU);
        break;
    case ATT_ACT_GELU:
        act_bwd_as(dy, kept, n, ATT_ACT_GELU);
        break;
    case ATT_ACT_GELU_TANH:
        act_bwd_as(dy, kept, n, ATT_ACT_GELU_TANH);
        break;
    case ATT_ACT_SWISH:
        act_bwd_as(dy, kept, n, ATT_ACT_SWISH);
        break;
    }
}

/* y = swish(gate) * value (Shazeer 2020, "GLU variants improve Transformer") */
static void swiglu_fwd(float *y, const float *gate, const float *value, int64_t n)
{
    ATT_FOR_VECTORS(n) store(y, at, n, act_value(load(gate, at, n), ATT_ACT_SWISH) * load(value, at, n));
}

static void swiglu_bwd(float *dgate, float *dvalue, const float *dy, const float *gate, const float *value, int64_t n,
                       bool accumulate)
{
    ATT_FOR_VECTORS(n)
    {
        const at_vf g = load(gate, at, n), d = load(dy, at, n);
        at_vf dg = d * load(value, at, n) * act_slope(g, ATT_ACT_SWISH), dv = d * act_value(g, ATT_ACT_SWISH);
        if (accumulate) dg = load(dgate, at, n) + dg, dv = load(dvalue, at, n) + dv;
        store(dgate, at, n, dg);
        store(dvalue, at, n, dv);
    }
}

static void column_sum(float *sum, const float *x, int64_t ld, int64_t rows, int64_t n, bool accumulate)
{
    ATT_FOR_VECTORS(n)
    {
        at_vf s = accumulate ? load(sum, at, n) : at_vset(0.0f);
        for (int64_t i = 0; i < rows; i++) s += load(x + i * ld, at, n);
        store(sum, at, n, s);
    }
}

static void layer_norm_fwd(float *y, float *stat, const float *x, const float *gamma, const float *beta, int64_t n,
                           float eps)
{
    at_vf sum = at_vset(0.0f), square = at_vset(0.0f);
    ATT_FOR_VECTORS(n) sum += load(x, at, n);
    const float mean = at_vsum(sum) / (float)n;
    ATT_FOR_VECTORS(n)
    {
        at_vf d = load(x, at, n) - at_vset(mean);
        if (n - at < ATT_LANES) d = at_vload_part((const float *)&d, n - at, 0); /* lanes past the end count nothing */
        square += d * d;
    }
    const float inverse = 1.0f / sqrtf(at_vsum(square) / (float)n + eps);
    ATT_FOR_VECTORS(n)
    {
        const at_vf normal = (load(x, at, n) - at_vset(mean)) * at_vset(inverse);
        store(y, at, n, normal * load(gamma, at, n) + load(beta, at, n));
    }
    stat[0] = mean;
    stat[1] = inverse;
}

/* With xh = (x - mean) / dev and g = dy gamma: dx = (g - mean(g) - xh mean(g xh)) / dev (Ba et al. 2016). */
static void layer_norm_bwd(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x, const float *stat,
                           const float *gamma, int64_t n, bool accumulate)
{
    const at_vf mean = at_vset(stat[0]), inverse = at_vset(stat[1]);
    at_vf sum = at_vset(0.0f), product = at_vset(0.0f);
    ATT_FOR_VECTORS(n)
    {
        const at_vf d = load(dy, at, n), normal = (load(x, at, n) - mean) * inverse, g = d * load(gamma, at, n);
        store(dgamma, at, n, load(dgamma, at, n) + d * normal);
        store(dbeta, at, n, load(dbeta, at, n) + d);
        sum += g;
        product += g * normal;
    }
    if (dx == NULL) return;
    const at_vf mean_g = at_vset(at_vsum(sum) / (float)n), mean_p = at_vset(at_vsum(product) / (float)n);
    ATT_FOR_VECTORS(n)
    {
        const at_vf normal = (load(x, at, n) - mean) * inverse, g = load(dy, at, n) * load(gamma, at, n);
        const at_vf d = (g - mean_g - normal * mean_p) * inverse;
        store(dx, at, n, accumulate ? load(dx, at, n) + d : d);
    }
}

static void dropout_fwd(float *y, const float *residual, const float *x, int64_t n, const at_dropout_arg *drop,
                        uint32_t index)
{
    ATT_FOR_VECTORS(n)
    {
        at_vf v = load(x, at, n);
        if (drop->threshold) v = v * at_vdropout(index + (uint32_t)at, drop);
        if (residual) v = load(residual, at, n) + v;
        store(y, at, n, v);
    }
}

static void dropout_bwd(float *dx, const float *dy, int64_t n, const at_dropout_arg *drop, uint32_t index,
                        bool accumulate)
{
    ATT_FOR_VECTORS(n)
    {
        at_vf v = load(dy, at, n);
        if (drop->threshold) v = v * at_vdropout(index + (uint32_t)at, drop);
        store(dx, at, n, accumulate ? load(dx, at, n) + v : v);
    }
}

static void embed(float *y, const float *row, const float *position, float scale, int64_t n)
{
    ATT_FOR_VECTORS(n)
    {
        at_vf v = load(row, at, n) * at_vset(scale);
        if (position) v = v + load(position, at, n);
        store(y, at, n, v);
    }
}

static void axpy(float *y, const float *x, float a, int64_t n, bool accumulate)
{
    ATT_FOR_VECTORS(n)
    {
        const at_vf v = load(x, at, n) * at_vset(a);
        store(y, at, n, accumulate ? load(y, at, n) + v : v);
    }
}

static void scale_by(float *y, float a, int64_t n)
{
    ATT_FOR_VECTORS(n) store(y, at, n, load(y, at, n) * at_vset(a));
}

/* Blocks of 4096 in float lanes, their sums in double: exact enough for norms of millions. */
static double sum_squares(const float *x, int64_t n)
{
    double total = 0;
    for (int64_t from = 0; from < n; from += 4096) {
        const int64_t count = n - from < 4096 ? n - from : 4096;
        at_vf sum = at_vset(0.0f);
        ATT_FOR_VECTORS(count)
        {
            const at_vf v = load(x + from, at, count);
            sum += v * v;
        }
        total += (double)at_vsum(sum);
    }
    return total;
}

static float dot(const float *x, const float *y, int64_t n)
{
    at_vf sum = at_vset(0.0f);
    ATT_FOR_VECTORS(n) sum += load(x, at, n) * load(y, at, n);
    return at_vsum(sum);
}

ATT_INLINE at_vf vsqrt(at_vf x)
{
    float root[ATT_LANES];
    at_vstore(root, x);
    for (int i = 0; i < ATT_LANES; i++) root[i] = sqrtf(root[i]);
    return at_vload(root);
}

/* The gradient after clipping and coupled weight decay (L2): gradient_scale g + l2 w. Without decay nothing is added,
 * not even 0, which would change the sign of -0. */
ATT_INLINE at_vf settled_gradient(const float *w, const float *g, int64_t at, int64_t n, const at_optimize_arg *arg)
{
    const at_vf d = load(g, at, n) * at_vset(arg->gradient_scale);
    return arg->l2 != 0 ? d + at_vset(arg->l2) * load(w, at, n) : d;
}

ATT_INLINE void apply_step(float *w, int64_t at, int64_t n, at_vf step, const at_optimize_arg *arg)
{
    store(w, at, n, load(w, at, n) * at_vset(arg->shrink) - at_vset(arg->rate) * step);
}

/* Kingma and Ba 2015, with both bias corrections folded into rate and correction2 (their section 2, last paragraph, but
 * eps kept outside as in algorithm 1); d = gradient_scale g + l2 w: m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 -
 * beta2) d^2;  w = shrink w - rate m / (sqrt(v) correction2 + eps) AdamW (Loshchilov and Hutter 2019, algorithm 2) is
 * the same with l2 0 and shrink 1 - rate decay, the rate being the schedule's. */
static void adam(float *w, float *m, float *v, const float *g, int64_t n, const at_optimize_arg *arg)
{
    const at_vf b1 = at_vset(arg->beta1), b2 = at_vset(arg->beta2), one = at_vset(1.0f);
    ATT_FOR_VECTORS(n)
    {
        const at_vf d = settled_gradient(w, g, at, n, arg);
        const at_vf m1 = load(m, at, n) * b1 + d * (one - b1);
        const at_vf v1 = load(v, at, n) * b2 + d * d * (one - b2);
        store(m, at, n, m1);
        store(v, at, n, v1);
        apply_step(w, at, n, m1 / (vsqrt(v1) * at_vset(arg->correction2) + at_vset(arg->eps)), arg);
    }
}

/* m = momentum m + u, which is the step; without m the step is u. */
ATT_INLINE at_vf with_momentum(float *m, int64_t at, int64_t n, at_vf u, const at_optimize_arg *arg)
{
    if (m == NULL) return u;
    const at_vf m1 = load(m, at, n) * at_vset(arg->momentum) + u;
    store(m, at, n, m1);
    return m1;
}

/* Tieleman and Hinton 2012 (Neural Networks for Machine Learning, lecture 6.5): v = beta2 v + (1 - beta2) d^2;
 * u = d / (sqrt(v) + eps);  m = momentum m + u;  w -= rate m */
static void rmsprop(float *w, float *m, float *v, const float *g, int64_t n, const at_optimize_arg *arg)
{
    const at_vf b2 = at_vset(arg->beta2), one = at_vset(1.0f);
    ATT_FOR_VECTORS(n)
    {
        const at_vf d = settled_gradient(w, g, at, n, arg);
        const at_vf v1 = load(v, at, n) * b2 + d * d * (one - b2);
        store(v, at, n, v1);
        apply_step(w, at, n, with_momentum(m, at, n, d / (vsqrt(v1) + at_vset(arg->eps)), arg), arg);
    }
}

/* Robbins and Monro 1951; momentum: Polyak 1964, in the form of Sutskever et al. 2013 without dampening:
 * m = momentum m + d;  w -= rate m */
static void sgd(float *w, float *m, float *v, const float *g, int64_t n, const at_optimize_arg *arg)
{
    (void)v;
    ATT_FOR_VECTORS(n)
    {
        const at_vf d = settled_gradient(w, g, at, n, arg);
        apply_step(w, at, n, with_momentum(m, at, n, d, arg), arg);
    }
}

void ATT_GLUE(at_row_kernels, ATT_ISA)(at_kernels *table)
{
    table->bias_act = bias_act;
    table->act_bwd = act_bwd;
    table->swiglu_fwd = swiglu_fwd;
    table->swiglu_bwd = swiglu_bwd;
    table->column_sum = column_sum;
    table->layer_norm_fwd = layer_norm_fwd;
    table->layer_norm_bwd = layer_norm_bwd;
    table->dropout_fwd = dropout_fwd;
    table->dropout_bwd = dropout_bwd;
    table->embed = embed;
    table->adam = adam;
    table->rmsprop = rmsprop;
    table->sgd = sgd;
    table->axpy = axpy;
    table->scale = scale_by;
    table->sum_squares = sum_squares;
    table->dot = dot;
}
