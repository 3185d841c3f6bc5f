/* See cost.h. */
#include "backend/cost.h"

/* How often an output of a gradient is moved: not at all, written, or read and written. */
static double passes(const float *gradient, float beta)
{
    return gradient == NULL ? 0 : beta == 0 ? 1 : 2;
}

static double product(int64_t m, int64_t n, int64_t k)
{
    return 2.0 * (double)m * (double)n * (double)k;
}

static at_cost cost(double flop, double floats)
{
    return (at_cost){flop, (double)sizeof(float) * floats};
}

at_cost at_cost_floats(int64_t floats)
{
    return cost(0, (double)floats);
}

at_cost at_cost_pack(const at_weight *w)
{
    return at_cost_floats(2 * w->k * w->n);
}

at_cost at_cost_linear_fwd(const float *keep, const at_weight *w, const float *b, int64_t m)
{
    const double out = (double)(m * w->n);
    return cost(product(m, w->n, w->k),
                (double)(m * w->k + w->k * w->n) + (b ? (double)w->n : 0) + (keep ? 2 : 1) * out);
}

/* With an activation dy is written too, and what it was kept for is read. */
at_cost at_cost_linear_bwd(const float *dx, float beta_x, const float *dw, float beta_w, const float *db,
                           const at_weight *w, int64_t m, at_act act)
{
    const double in = (double)(m * w->k), out = (double)(m * w->n), weight = (double)(w->k * w->n);
    const double floats = (act != ATT_ACT_NONE ? 3 : 1) * out + (dx ? weight : 0) + passes(dx, beta_x) * in +
                          (dw ? in : 0) + passes(dw, beta_w) * weight + (db ? (double)w->n : 0);
    return cost(((dx != NULL) + (dw != NULL)) * product(m, w->n, w->k), floats);
}

typedef struct attention_sizes {
    double queries, keys; /* rows */
    double pairs;         /* of a query and a key that it sees */
    double heads, width;  /* of all heads together */
} attention_sizes;

static attention_sizes sizes_of(const at_attention_args *a)
{
    attention_sizes s = {.heads = (double)a->heads, .width = (double)(a->heads * a->head_width)};
    for (int64_t b = 0; b < a->count; b++) {
        const double q = (double)(a->query.end[b] - a->query.begin[b]), k = (double)(a->key.end[b] - a->key.begin[b]);
        s.queries += q;
        s.keys += k;
        s.pairs += a->causal ? q * k - q * (q - 1) / 2 : q * k;
    }
    return s;
}

/* Two products of all pairs; q, k, v, o and lse are moved. */
at_cost at_cost_attention_fwd(const float *lse, const at_attention_args *args)
{
    const attention_sizes s = sizes_of(args);
    const double weights = args->weights ? s.heads * s.pairs : 0;
    return cost(2 * 2 * s.pairs * s.width,
                2 * s.width * (s.queries + s.keys) + (lse ? s.heads * s.queries : 0) + weights);
}

/* The scores and dP, and one product a gradient. q, o, d_o, lse and k, v are read, the gradients written. */
at_cost at_cost_attention_bwd(const float *dq, float beta_q, const float *dk, const float *dv, float beta_kv,
                              const at_attention_args *args)
{
    const attention_sizes s = sizes_of(args);
    const double on_queries = 3 + passes(dq, beta_q), on_keys = 2 + passes(dk, beta_kv) + passes(dv, beta_kv);
    const int products = 2 + (dq != NULL) + (dk != NULL) + (dv != NULL);
    return cost(products * 2 * s.pairs * s.width,
                s.width * (on_queries * s.queries + on_keys * s.keys) + s.heads * s.queries);
}

at_cost at_cost_layer_norm_fwd(const float *stat, int64_t n, int64_t d)
{
    return at_cost_floats(2 * n * d + 2 * d + (stat ? 2 * n : 0));
}

at_cost at_cost_layer_norm_bwd(const float *dx, float beta_x, int64_t n, int64_t d)
{
    return cost(0, (2 + passes(dx, beta_x)) * (double)(n * d) + (double)(2 * n + 3 * d));
}

at_cost at_cost_dropout_fwd(const float *residual, int64_t n)
{
    return at_cost_floats((residual ? 3 : 2) * n);
}

at_cost at_cost_dropout_bwd(float beta, int64_t n)
{
    return at_cost_floats((beta == 0 ? 2 : 3) * n);
}

at_cost at_cost_swiglu_fwd(int64_t n, int64_t f)
{
    return at_cost_floats(3 * n * f);
}

at_cost at_cost_swiglu_bwd(float beta, int64_t n, int64_t f)
{
    return at_cost_floats((beta == 0 ? 5 : 7) * n * f);
}

at_cost at_cost_embed_fwd(const float *positions, int64_t n, int64_t d)
{
    return at_cost_floats((positions ? 3 : 2) * n * d);
}

/* Assigned, the whole table is written; added to, the rows in use. */
at_cost at_cost_embed_bwd(float beta, int64_t n, int64_t d, int64_t v)
{
    return at_cost_floats(n * d + (beta == 0 ? v : 2 * n) * d);
}

at_cost at_cost_linear_cross_entropy(const float *dx, const float *dw, const float *db, const at_weight *w,
                                     const float *b, int64_t n)
{
    const double in = (double)(n * w->k), weight = (double)(w->k * w->n);
    const double floats =
        in + weight + passes(dx, 0) * in + passes(dw, 0) * weight + ((b != NULL) + (db != NULL)) * (double)w->n;
    return cost((1 + (dx != NULL) + (dw != NULL)) * product(n, w->n, w->k), floats);
}

at_cost at_cost_axpy(float beta, int64_t n)
{
    return at_cost_floats((beta == 0 ? 2 : 3) * n);
}

at_cost at_cost_optimize(const float *m, const float *v, int64_t n)
{
    return at_cost_floats((3 + (m ? 2 : 0) + (v ? 2 : 0)) * n);
}
