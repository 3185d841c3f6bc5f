/* Scaled dot-product attention in tiles with a running softmax, so that memory grows linearly with length (Rabe and Staats 2021;
 * Dao et al. 2022, algorithms 1 and 4). One unit of work is one head of one sequence:
 *
 *                 keys, 256 at a time
 *              +------+------+---+
 *   queries    |  S   |      |   |     S = Q K^T, P = exp(scale S - running max), O = O shrunk + P V;
 *   56 at      +------+------+---+     at the end O / sum, and lse = max + log sum is kept for the backward,
 *   a time     |      |      |   |     which computes P again instead of reading it.
 *              +------+------+---+
 *
 * With the look-ahead mask row i sees the first `visible` keys only: the rest of its row of S is set to weight zero, and tiles
 * that no row sees are skipped; a row that sees nothing is zero. Key tiles begin at multiples of 256 whatever the queries are, so a row's result depends neither
 * on the other rows nor on the batch. */
#include "cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { QUERY_TILE = 4 * ATT_TILE_ROWS, KEY_TILE = ATT_TILE_DEPTH, LD = ATT_TILE_STRIDE };

typedef struct attention_job {
    at_cpu *cpu;
    const at_attention_args *args;
    const float *q, *k, *v, *d_o, *o_in, *lse_in;
    float *o, *lse, *dq, *dk, *dv;
    bool accumulate_q, accumulate_kv;
    int64_t group; /* units of a chunk */
} attention_job;

static int64_t units_of(const attention_job *job)
{
    return job->args->count * job->args->heads;
}

/* The heads of a sequence follow each other on one thread, because their columns are neighbours in memory, unless there are too
 * few sequences to share. */
static void run_units(attention_job *job, at_chunk_fn fn)
{
    const int64_t units = units_of(job), share = units / (16 * job->cpu->threads);
    job->group = share < 1 ? 1 : at_min(share, job->args->heads);
    at_pool_run(job->cpu->pool, at_ceil_div(units, job->group), fn, job);
}

/* One head of one sequence, with pointers at its first row and column. */
typedef struct unit {
    const at_kernels *kernels;
    const at_attention_args *args;
    const float *q, *k, *v;
    int64_t nq, nk, width, padded; /* padded: head width rounded up to whole panels */
    int64_t head, first_query;
    at_dropout_arg drop;
    float *gemm; /* scratch of at_gemm_nn */
} unit;

static unit unit_of(const attention_job *job, int64_t chunk)
{
    const at_attention_args *a = job->args;
    const int64_t b = chunk / a->heads, h = chunk % a->heads, column = h * a->head_width;
    const int64_t q0 = a->query.begin[b], k0 = a->key.begin[b];
    const unit u = {&job->cpu->k,
                    a,
                    job->q + q0 * a->ldq + column,
                    job->k + k0 * a->ldk + column,
                    job->v + k0 * a->ldv + column,
                    a->query.end[b] - q0,
                    a->key.end[b] - k0,
                    a->head_width,
                    at_round_up(a->head_width, ATT_PANEL),
                    h,
                    q0,
                    at_dropout_make(a->dropout, at_rng_key(a->key_rng, (uint64_t)chunk)),
                    NULL};
    return u;
}

/* How many keys query i sees. */
static int64_t visible(const unit *u, int64_t i)
{
    return u->args->causal ? at_min(u->nk, i + 1 + u->nk - u->nq) : u->nk;
}

/* The same within the key tile that begins at `from`. */
static int64_t visible_in(const unit *u, int64_t i, int64_t from)
{
    const int64_t n = at_min(visible(u, i) - from, KEY_TILE);
    return n > 0 ? n : 0;
}

static uint32_t mask_index(const unit *u, int64_t i, int64_t from)
{
    return (uint32_t)(i * u->nk + from);
}

static void pack_all(const unit *u, float *panels, const float *x, int64_t ld, int64_t rows, bool transposed)
{
    if (transposed) /* (width, rows) from (rows, width) */
        at_pack_panels(&u->kernels->float32, panels, x, u->width, rows, ld, true, 0, at_ceil_div(rows, ATT_PANEL));
    else
        at_pack_panels(&u->kernels->float32, panels, x, rows, u->width, ld, false, 0, at_ceil_div(u->width, ATT_PANEL));
}

/* s (rows, LD) = x (rows, width) times columns from .. from + keys of the packed transpose. Whole panels are written: their
 * extra columns are products with zero. */
static void scores(const unit *u, float *s, const float *x, int64_t ldx, int64_t rows, const float *panels,
                   int64_t from, int64_t keys)
{
    at_gemm_nn(&u->kernels->float32, rows, at_round_up(keys, ATT_PANEL), u->width, x, ldx, panels + from * u->width, s,
               LD, false, u->gemm);
}

/* c (rows, padded) (+)= s (rows, LD) times rows from .. from + keys of panels of depth `depth`. */
static void weigh(const unit *u, float *c, const float *s, int64_t rows, const float *panels, int64_t depth,
                  int64_t from, int64_t keys, bool accumulate)
{
    const int64_t stride = depth * ATT_PANEL;
    for (int64_t i = 0; i < rows; i += ATT_TILE_ROWS)
        for (int64_t j = 0; j < u->padded; j += 2 * ATT_PANEL)
            u->kernels->float32.tile(&(at_tile){at_min(ATT_TILE_ROWS, rows - i), at_min(2, (u->padded - j) / ATT_PANEL),
                                                keys, s + i * LD, LD, panels + j * depth + from * ATT_PANEL, ATT_PANEL,
                                                stride, c + i * u->padded + j, u->padded, accumulate});
}

/* c (keys, padded) += s^T (keys, rows) times panels of depth `rows`. */
static void weigh_transposed(const unit *u, float *c, const float *s, int64_t rows, int64_t keys, const float *panels)
{
    for (int64_t i = 0; i < keys; i += ATT_TILE_ROWS)
        for (int64_t j = 0; j < u->padded; j += 2 * ATT_PANEL)
            u->kernels->float32.tile_t(
                &(at_tile){at_min(ATT_TILE_ROWS, keys - i), at_min(2, (u->padded - j) / ATT_PANEL), rows, s + i, LD,
                           panels + j * rows, ATT_PANEL, rows * ATT_PANEL, c + i * u->padded + j, u->padded, true});
}

/* Weight zero for the keys of a row that are not visible. */
static void hide_rest(float *row, int64_t n, int64_t keys)
{
    const int64_t from = at_round_up(n, ATT_PANEL), to = at_round_up(keys, ATT_PANEL);
    if (to > from) memset(row + from, 0, (size_t)(to - from) * sizeof(float));
}

static void softmax_rows(const unit *u, float *s, float *o, at_softmax_state *state, int64_t q0, int64_t rows,
                         int64_t from, int64_t keys)
{
    for (int64_t i = 0; i < rows; i++) {
        const int64_t n = visible_in(u, q0 + i, from);
        if (n > 0) {
            const float shrink = u->kernels->softmax_tile(s + i * LD, n, u->args->scale, &state[i], &u->drop,
                                                          mask_index(u, q0 + i, from));
            if (from > 0) u->kernels->scale(o + i * u->padded, shrink, u->padded);
        }
        hide_rest(s + i * LD, n, keys);
    }
}

static void forward_rows(const unit *u, float *o, float *lse, int64_t q0, int64_t rows, const float *kt, const float *v,
                         float *s, float *acc)
{
    at_softmax_state state[QUERY_TILE];
    for (int64_t i = 0; i < rows; i++) state[i] = (at_softmax_state){-INFINITY, 0};
    const int64_t last = visible(u, q0 + rows - 1);
    if (last <= 0) memset(acc, 0, (size_t)(rows * u->padded) * sizeof(float));
    for (int64_t from = 0; from < last; from += KEY_TILE) {
        const int64_t keys = at_min(KEY_TILE, last - from);
        scores(u, s, u->q + q0 * u->args->ldq, u->args->ldq, rows, kt, from, keys);
        softmax_rows(u, s, acc, state, q0, rows, from, keys);
        weigh(u, acc, s, rows, v, u->nk, from, keys, from > 0);
    }
    for (int64_t i = 0; i < rows; i++) {
        const float inverse = state[i].sum == 0 ? 0 : 1.0f / state[i].sum; /* a row that sees nothing is zero */
        u->kernels->axpy(o + (q0 + i) * u->args->ldo, acc + i * u->padded, inverse, u->width, false);
        if (lse) lse[(q0 + i) * u->args->heads] = state[i].max + logf(state[i].sum);
    }
}

/* The weights themselves, for pictures: a second pass over the scores, with the normalisation known. */
static void write_weights(const unit *u, float *weights, const float *lse, const float *kt, float *s)
{
    memset(weights, 0, (size_t)(u->nq * u->nk) * sizeof(float));
    for (int64_t i = 0; i < u->nq; i++)
        for (int64_t from = 0; from < visible(u, i); from += KEY_TILE) {
            const int64_t n = visible_in(u, i, from);
            scores(u, s, u->q + i * u->args->ldq, u->args->ldq, 1, kt, from, n);
            u->kernels->softmax_again(s, n, u->args->scale, lse[i * u->args->heads]);
            memcpy(weights + i * u->nk + from, s, (size_t)n * sizeof(float));
        }
}

static void forward_unit(const attention_job *job, int64_t index, int thread)
{
    const at_attention_args *a = job->args;
    unit u = unit_of(job, index);
    const int64_t padded_keys = at_round_up(u.nk, ATT_PANEL);
    float *kt = at_cpu_scratch(
        job->cpu, thread, padded_keys * u.width + u.padded * u.nk + QUERY_TILE * (LD + u.padded) + ATT_GEMM_SCRATCH);
    if (kt == NULL) return;
    float *v = kt + padded_keys * u.width, *s = v + u.padded * u.nk, *acc = s + QUERY_TILE * LD;
    u.gemm = acc + QUERY_TILE * u.padded;
    pack_all(&u, kt, u.k, a->ldk, u.nk, true);
    pack_all(&u, v, u.v, a->ldv, u.nk, false);
    float *o = job->o + u.first_query * a->ldo + u.head * u.width;
    float *lse = job->lse ? job->lse + u.first_query * a->heads + u.head : NULL;
    for (int64_t q0 = 0; q0 < u.nq; q0 += QUERY_TILE)
        forward_rows(&u, o, lse, q0, at_min(QUERY_TILE, u.nq - q0), kt, v, s, acc);
    if (a->weights)
        write_weights(&u, a->weights + a->weight_offset[index / a->heads] + u.head * u.nq * u.nk, lse, kt, s);
}

static void forward_chunk(void *arg, int64_t chunk, int thread)
{
    const attention_job *job = arg;
    for (int64_t i = chunk * job->group; i < at_min((chunk + 1) * job->group, units_of(job)); i++)
        forward_unit(job, i, thread);
}

static void attention_fwd(at_backend *be, float *o, float *lse, const float *q, const float *k, const float *v,
                          const at_attention_args *args)
{
    attention_job job = {.cpu = at_cpu_of(be), .args = args, .q = q, .k = k, .v = v, .o = o, .lse = lse};
    run_units(&job, forward_chunk);
}

/* Scratch of the backward of one unit. */
typedef struct backward {
    float *kt, *vt, *k;  /* packed K^T, V^T and K */
    float *q, *d_o;      /* packed rows of the query tile */
    float *p, *dp;       /* QUERY_TILE x LD each */
    float *dq, *dk, *dv; /* sums, width padded */
} backward;

int64_t at_cpu_attention_floats(int64_t keys, int64_t head_width)
{
    const int64_t padded_keys = at_round_up(keys, ATT_PANEL), padded = at_round_up(head_width, ATT_PANEL);
    return 2 * padded_keys * head_width + 3 * padded * keys + 3 * padded * QUERY_TILE + 2 * QUERY_TILE * LD +
           ATT_GEMM_SCRATCH;
}

static backward lay_out(unit *u, float *scratch)
{
    const int64_t transposed = at_round_up(u->nk, ATT_PANEL) * u->width, keys = u->padded * u->nk,
                  queries = u->padded * QUERY_TILE;
    backward w;
    w.p = scratch;
    w.dp = w.p + QUERY_TILE * LD;
    w.kt = w.dp + QUERY_TILE * LD;
    w.vt = w.kt + transposed;
    w.k = w.vt + transposed;
    w.dk = w.k + keys;
    w.dv = w.dk + keys;
    w.q = w.dv + keys;
    w.d_o = w.q + queries;
    w.dq = w.d_o + queries;
    u->gemm = w.dq + queries;
    memset(w.dk, 0, (size_t)(2 * keys) * sizeof(float));
    return w;
}

typedef struct tile_rows { /* the queries of a tile */
    int64_t first, count;
    const float *d_o, *o, *lse; /* at the tile's first row */
} tile_rows;

/* P and dS of one tile of scores, in w->p (after dropout) and w->dp. */
static void score_gradients(const unit *u, const backward *w, const tile_rows *t, int64_t from, int64_t keys)
{
    const at_attention_args *a = u->args;
    scores(u, w->p, u->q + t->first * a->ldq, a->ldq, t->count, w->kt, from, keys);
    scores(u, w->dp, t->d_o, a->ldo, t->count, w->vt, from, keys);
    for (int64_t i = 0; i < t->count; i++) {
        const int64_t n = visible_in(u, t->first + i, from);
        float *p = w->p + i * LD, *dp = w->dp + i * LD;
        if (n > 0) {
            const float delta = u->kernels->dot(t->d_o + i * a->ldo, t->o + i * a->ldo, u->width);
            u->kernels->softmax_again(p, n, a->scale, t->lse[i * a->heads]);
            u->kernels->softmax_bwd(p, dp, n, a->scale, delta, &u->drop, mask_index(u, t->first + i, from));
        }
        hide_rest(p, n, keys);
        hide_rest(dp, n, keys);
    }
}

static void backward_rows(const unit *u, const backward *w, const tile_rows *t)
{
    const at_attention_args *a = u->args;
    pack_all(u, w->q, u->q + t->first * a->ldq, a->ldq, t->count, false);
    pack_all(u, w->d_o, t->d_o, a->ldo, t->count, false);
    const int64_t last = visible(u, t->first + t->count - 1);
    if (last <= 0) memset(w->dq, 0, (size_t)(t->count * u->padded) * sizeof(float));
    for (int64_t from = 0; from < last; from += KEY_TILE) {
        const int64_t keys = at_min(KEY_TILE, last - from);
        score_gradients(u, w, t, from, keys);
        weigh(u, w->dq, w->dp, t->count, w->k, u->nk, from, keys, from > 0);
        weigh_transposed(u, w->dk + from * u->padded, w->dp, t->count, keys, w->q);
        weigh_transposed(u, w->dv + from * u->padded, w->p, t->count, keys, w->d_o);
    }
}

static void write_rows(const unit *u, float *to, int64_t ld, const float *from, int64_t rows, bool accumulate)
{
    for (int64_t i = 0; i < rows; i++) u->kernels->axpy(to + i * ld, from + i * u->padded, 1, u->width, accumulate);
}

static void backward_unit(const attention_job *job, int64_t index, int thread)
{
    const at_attention_args *a = job->args;
    unit u = unit_of(job, index);
    float *scratch = at_cpu_scratch(job->cpu, thread, at_cpu_attention_floats(u.nk, u.width));
    if (scratch == NULL) return;
    const backward w = lay_out(&u, scratch);
    pack_all(&u, w.kt, u.k, a->ldk, u.nk, true);
    pack_all(&u, w.vt, u.v, a->ldv, u.nk, true);
    pack_all(&u, w.k, u.k, a->ldk, u.nk, false);
    const int64_t column = u.head * u.width, first_key = a->key.begin[index / a->heads];
    for (int64_t q0 = 0; q0 < u.nq; q0 += QUERY_TILE) {
        const int64_t row = u.first_query + q0;
        const tile_rows t = {q0, at_min(QUERY_TILE, u.nq - q0), job->d_o + row * a->ldo + column,
                             job->o_in + row * a->ldo + column, job->lse_in + row * a->heads + u.head};
        backward_rows(&u, &w, &t);
        if (job->dq) write_rows(&u, job->dq + row * a->ldq + column, a->ldq, w.dq, t.count, job->accumulate_q);
    }
    if (job->dk) write_rows(&u, job->dk + first_key * a->ldk + column, a->ldk, w.dk, u.nk, job->accumulate_kv);
    if (job->dv) write_rows(&u, job->dv + first_key * a->ldv + column, a->ldv, w.dv, u.nk, job->accumulate_kv);
}

static void backward_chunk(void *arg, int64_t chunk, int thread)
{
    const attention_job *job = arg;
    for (int64_t i = chunk * job->group; i < at_min((chunk + 1) * job->group, units_of(job)); i++)
        backward_unit(job, i, thread);
}

static void attention_bwd(at_backend *be, float *dq, float beta_q, float *dk, float *dv, float beta_kv,
                          const float *d_o, const float *o, const float *lse, const float *q, const float *k,
                          const float *v, const at_attention_args *args)
{
    attention_job job = {.cpu = at_cpu_of(be),
                         .args = args,
                         .q = q,
                         .k = k,
                         .v = v,
                         .d_o = d_o,
                         .o_in = o,
                         .lse_in = lse,
                         .dq = dq,
                         .dk = dk,
                         .dv = dv,
                         .accumulate_q = beta_q != 0,
                         .accumulate_kv = beta_kv != 0};
    run_units(&job, backward_chunk);
}

void at_cpu_attention_init(at_backend *be)
{
    be->attention_fwd = attention_fwd;
    be->attention_bwd = attention_bwd;
}
