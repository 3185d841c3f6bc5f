/* Softmax in its three places: attention (running, tile by tile), the loss over the vocabulary, log-probabilities of
 * decoding. */
#include <math.h>

#include "simd/vec.h"

/* s[n ..] up to the next multiple of 16 becomes `fill`, so that the loops below run over whole vectors. The last vector is
 * written whole, because it is read whole right after. */
ATT_INLINE void fill_tail(float *s, int64_t n, float fill)
{
    const int64_t at = n / ATT_LANES * ATT_LANES;
    if (at < n) at_vstore(s + at, at_vselect(at_vfirst(n - at), at_vload(s + at), at_vset(fill)));
}

static float row_max(const float *x, int64_t n)
{
    at_vf best = at_vset(-__builtin_inff());
    int64_t at = 0;
    for (; at + ATT_LANES <= n; at += ATT_LANES) best = at_vmax(best, at_vload(x + at));
    if (at < n) best = at_vmax(best, at_vload_part(x + at, n - at, -__builtin_inff()));
    return at_vhmax(best);
}

/* After the tile: sum = sum of exp(scale s - max) over all tiles so far, before dropout, which thins the weights but not their
 * normalisation. */
static float softmax_tile(float *s, int64_t n, float scale, at_softmax_state *state, const at_dropout_arg *drop,
                          uint32_t index)
{
    fill_tail(s, n, -__builtin_inff());
    const float tile_max = scale * row_max(s, n);
    const float old = state->max, now = tile_max > old ? tile_max : old;
    const float shrink = old == now ? 1.0f : at_vexp(at_vset(old - now))[0];
    at_vf sum = at_vset(0.0f);
    for (int64_t at = 0; at < n; at += ATT_LANES) {
        const at_vf e = at_vexp(at_vload(s + at) * at_vset(scale) - at_vset(now));
        sum += e;
        at_vstore(s + at, drop->threshold ? e * at_vdropout(index + (uint32_t)at, drop) : e);
    }
    state->max = now;
    state->sum = state->sum * shrink + at_vsum(sum);
    return shrink;
}

static void softmax_again(float *s, int64_t n, float scale, float lse)
{
    fill_tail(s, n, -__builtin_inff());
    for (int64_t at = 0; at < n; at += ATT_LANES)
        at_vstore(s + at, at_vexp(at_vload(s + at) * at_vset(scale) - at_vset(lse)));
}

static void softmax_bwd(float *p, float *dp, int64_t n, float scale, float delta, const at_dropout_arg *drop,
                        uint32_t index)
{
    for (int64_t at = 0; at < n; at += ATT_LANES) {
        const at_vf keep = drop->threshold ? at_vdropout(index + (uint32_t)at, drop) : at_vset(1.0f);
        const at_vf weight = at_vload(p + at), d = at_vload(dp + at) * keep;
        at_vstore(dp + at, weight * (d - at_vset(delta)) * at_vset(scale));
        at_vstore(p + at, weight * keep);
    }
    fill_tail(dp, n, 0);
}

/* With q = (1 - eps) onehot(target) + eps / V (Szegedy et al. 2016, section 7): loss = lse - q . logits, gradient = p - q. The exponentials
 * take the logits' place, so each is computed once. */
static double cross_entropy(float *logits, int64_t n, int32_t target, float smoothing, float grad_scale, double *nll)
{
    const float max = row_max(logits, n), at_target = logits[target];
    at_vf exps = at_vset(0.0f), plain = at_vset(0.0f);
    fill_tail(logits, n, -__builtin_inff());
    for (int64_t at = 0; at < n; at += ATT_LANES) {
        const at_vf v = at_vload(logits + at), e = at_vexp(v - at_vset(max));
        exps += e;
        plain += n - at < ATT_LANES ? at_vload_part(logits + at, n - at, 0) : v;
        at_vstore(logits + at, e);
    }
    const float sum = at_vsum(exps);
    const double lse = (double)max + log((double)sum);
    if (nll) *nll = lse - (double)at_target;
    if (grad_scale != 0.0f) {
        const at_vf by = at_vset(grad_scale / sum), even = at_vset(grad_scale * (smoothing / (float)n));
        for (int64_t at = 0; at < n; at += ATT_LANES) at_vstore(logits + at, at_vload(logits + at) * by - even);
        logits[target] -= (1.0f - smoothing) * grad_scale;
        fill_tail(logits, n, 0);
    }
    return lse - (1.0 - (double)smoothing) * (double)at_target -
           (double)smoothing * ((double)at_vsum(plain) / (double)n);
}

static void log_softmax(float *x, int64_t n)
{
    const float max = row_max(x, n);
    at_vf exps = at_vset(0.0f);
    int64_t at = 0;
    for (; at + ATT_LANES <= n; at += ATT_LANES) exps += at_vexp(at_vload(x + at) - at_vset(max));
    if (at < n) exps += at_vexp(at_vload_part(x + at, n - at, -__builtin_inff()) - at_vset(max));
    const float shift = max + logf(at_vsum(exps));
    for (int64_t i = 0; i < n; i++) x[i] -= shift;
}

void ATT_GLUE(at_softmax_kernels, ATT_ISA)(at_kernels *table)
{
    table->max = row_max;
    table->softmax_tile = softmax_tile;
    table->softmax_again = softmax_again;
    table->softmax_bwd = softmax_bwd;
    table->cross_entropy = cross_entropy;
    table->log_softmax = log_softmax;
}
