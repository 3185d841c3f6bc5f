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
 * that no row sees are skipped; a row that sees nothing is zero. Key tiles begin at multiples of 256 whatever the queries are, so
 * a row's result depends neither on the other rows nor on the batch.
 *
 * A sequence of one query tile and one key tile whose head width is whole panels is multiplied by where it lies: a packed copy
 * would be read too few times to pay. K^T and V^T are always packed. */
#include "cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { QUERY_TILE = 4 * ATT_TILE_ROWS, KEY_TILE = ATT_TILE_DEPTH, LD = ATT_TILE_STRIDE };

typedef struct attention_job {
    void (*run)(const struct attention_job *job, int64_t unit, int thread); /* a unit's forward or backward */
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

static void run_chunk(void *arg, int64_t chunk, int thread)
{
    const attention_job *job = arg;
    for (int64_t i = chunk * job->group; i < at_min((chunk + 1) * job->group, units_of(job)); i++)
        job->run(job, i, thread);
}

/* The heads of a sequence follow each other on one thread, because their columns are neighbours in memory, unless there are too
 * few sequences to share. */
static void run_units(attention_job *job)
{
    const int64_t units = units_of(job), share = units / (16 * job->cpu->threads);
    job->group = share < 1 ? 1 : at_min(share, job->args->heads);
    at_pool_run(job->cpu->pool, at_ceil_div(units, job->group), run_chunk, job);
}

/* One head of one sequence, with pointers at its first row and column. */
typedef struct unit {
    const at_kernels *kernels;
    const at_attention_args *args;
    const float *q, *k, *v;
    int64_t nq, nk, width;
    int64_t head, first_query;
    at_dropout_arg drop;
    bool in_place; /* see above */
    float *gemm;   /* scratch of products */
} unit;

static unit unit_of(const attention_job *job, int64_t chunk)
{
    const at_attention_args *a = job->args;
    const int64_t b = chunk / a->heads, h = chunk % a->heads, column = h * a->head_width;
    const int64_t q0 = a->query.begin[b], k0 = a->key.begin[b];
    const int64_t nq = a->query.end[b] - q0, nk = a->key.end[b] - k0;
    return (unit){.kernels = &job->cpu->k,
                  .args = a,
                  .q = job->q + q0 * a->ldq + column,
                  .k = job->k + k0 * a->ldk + column,
                  .v = job->v + k0 * a->ldv + column,
                  .nq = nq,
                  .nk = nk,
                  .width = a->head_width,
                  .head = h,
                  .first_query = q0,
                  .drop = at_dropout_make(a->dropout, at_rng_key(a->key_rng, (uint64_t)chunk)),
                  .in_place = nq <= QUERY_TILE && nk <= KEY_TILE && a->head_width % ATT_PANEL == 0};
}

/* How many keys query i sees. */
static int64_t visible(const unit *u, int64_t i)
{
    return u->args->causal ? at_min(u->nk, i + 1 + u->nk - u->nq) : u->nk;
}

static at_score_tile score_tile(const unit *u, int64_t q0, int64_t rows, int64_t from, int64_t keys)
{
    const bool causal = u->args->causal;
    return (at_score_tile){.rows = rows,
                           .keys = keys,
                           .ld = LD,
                           .visible = causal ? q0 + 1 + u->nk - u->nq - from : keys,
                           .step = causal,
                           .scale = u->args->scale,
                           .drop = u->drop,
                           .index = (uint32_t)(q0 * u->nk + from),
                           .index_step = (uint32_t)u->nk};
}

/* Panels of the transpose (width, rows) of x (rows, width). */
static void pack_transpose(const unit *u, float *panels, const float *x, int64_t ld, int64_t rows)
{
    at_pack_panels(&u->kernels->float32, panels, x, u->width, rows, ld, true, 0, at_ceil_div(rows, ATT_PANEL));
}

/* Panels of x (rows, width), in `room` or where x lies. */
static at_strips panels_of(const unit *u, float *room, const float *x, int64_t ld, int64_t rows)
{
    return at_strips_of(&u->kernels->float32, u->in_place ? NULL : room, rows * ATT_PANEL, ATT_PANEL, x, ld, rows,
                        u->width);
}

/* s (rows, LD) = x (rows, width) times columns from .. from + keys of the packed transpose. Whole panels are written: their
 * extra columns are products with zero. */
static void scores(const unit *u, float *s, const float *x, int64_t ldx, int64_t rows, const float *panels,
                   int64_t from, int64_t keys)
{
    at_gemm_nn(&u->kernels->float32, rows, at_round_up(keys, ATT_PANEL), u->width, x, ldx, panels + from * u->width, s,
               LD, false, u->gemm);
}

/* at NULL: not wanted. */
static at_output output_from(float *x, int64_t ld, int64_t row, int64_t column, bool accumulate)
{
    return (at_output){x ? x + row * ld + column : NULL, ld, accumulate};
}

/* c (rows, width) = s (rows, LD) times rows from .. from + keys of b. */
static void weigh(const unit *u, at_output c, const float *s, int64_t rows, at_strips b, int64_t from, int64_t keys)
{
    b.at += from * b.ld;
    at_tile_rows(u->kernels->float32.tile, (at_strips){s, ATT_TILE_ROWS * LD, LD}, b, rows, u->width, keys, c, u->gemm);
}

/* Rows from .. from + keys of c (.., width) = s^T (keys, rows) times b (rows, width). */
static void weigh_transposed(const unit *u, at_output c, int64_t from, const float *s, int64_t rows, int64_t keys,
                             at_strips b)
{
    c.at += from * c.ld;
    at_tile_rows(u->kernels->float32.tile_t, (at_strips){s, ATT_TILE_ROWS, LD}, b, keys, u->width, rows, c, u->gemm);
}

/* Rows that no product writes. */
static void zero_rows(const unit *u, at_output c, int64_t first, int64_t last)
{
    if (c.at == NULL || c.accumulate) return;
    for (int64_t i = first; i < last; i++) memset(c.at + i * c.ld, 0, (size_t)u->width * sizeof(float));
}

static void forward_rows(const unit *u, at_output o, float *lse, int64_t q0, int64_t rows, const float *kt, at_strips v,
                         float *s)
{
    at_softmax_state state[QUERY_TILE];
    float shrink[QUERY_TILE];
    for (int64_t i = 0; i < rows; i++) state[i] = (at_softmax_state){-INFINITY, 0};
    const int64_t last = visible(u, q0 + rows - 1);
    if (last <= 0) zero_rows(u, o, 0, rows);
    for (int64_t from = 0; from < last; from += KEY_TILE) {
        const at_score_tile t = score_tile(u, q0, rows, from, at_min(KEY_TILE, last - from));
        scores(u, s, u->q + q0 * u->args->ldq, u->args->ldq, rows, kt, from, t.keys);
        u->kernels->softmax_tile(s, &t, state, shrink);
        for (int64_t i = 0; i < rows && from > 0; i++) u->kernels->scale(o.at + i * o.ld, shrink[i], u->width);
        weigh(u, o, s, rows, v, from, t.keys);
        o.accumulate = true;
    }
    u->kernels->softmax_end(o.at, o.ld, u->width, state, rows, lse, u->args->heads);
}

/* The weights themselves, for pictures: a second pass over the scores, with the normalisation known. */
static void write_weights(const unit *u, float *weights, const float *lse, const float *kt, float *s)
{
    memset(weights, 0, (size_t)(u->nq * u->nk) * sizeof(float));
    for (int64_t i = 0; i < u->nq; i++)
        for (int64_t from = 0; from < visible(u, i); from += KEY_TILE) {
            const at_score_tile t = score_tile(u, i, 1, from, at_min(KEY_TILE, visible(u, i) - from));
            scores(u, s, u->q + i * u->args->ldq, u->args->ldq, 1, kt, from, t.keys);
            u->kernels->softmax_again(s, &t, lse + i * u->args->heads, 1);
            memcpy(weights + i * u->nk + from, s, (size_t)t.keys * sizeof(float));
        }
}

/* Scratch of a unit's forward: K^T, V, a tile of scores. */
static int64_t forward_floats(int64_t keys, int64_t head_width)
{
    return at_round_up(keys, ATT_PANEL) * head_width + at_round_up(head_width, ATT_PANEL) * keys + QUERY_TILE * LD +
           ATT_GEMM_SCRATCH;
}

/* Of its backward, which is what planning counts: K in V's place, and besides V^T, rows of Q and dO, a second tile. */
int64_t at_cpu_attention_floats(int64_t keys, int64_t head_width)
{
    return forward_floats(keys, head_width) + at_round_up(keys, ATT_PANEL) * head_width +
           2 * at_round_up(head_width, ATT_PANEL) * QUERY_TILE + QUERY_TILE * LD;
}

static void forward_unit(const attention_job *job, int64_t index, int thread)
{
    const at_attention_args *a = job->args;
    unit u = unit_of(job, index);
    const int64_t keys = at_round_up(u.nk, ATT_PANEL) * u.width, values = at_round_up(u.width, ATT_PANEL) * u.nk;
    float *kt = at_cpu_scratch(job->cpu, thread, forward_floats(u.nk, u.width));
    if (kt == NULL) return;
    float *s = kt + keys + values;
    u.gemm = s + QUERY_TILE * LD;
    pack_transpose(&u, kt, u.k, a->ldk, u.nk);
    const at_strips v = panels_of(&u, kt + keys, u.v, a->ldv, u.nk);
    float *o = job->o + u.first_query * a->ldo + u.head * u.width;
    float *lse = job->lse ? job->lse + u.first_query * a->heads + u.head : NULL;
    for (int64_t q0 = 0; q0 < u.nq; q0 += QUERY_TILE)
        forward_rows(&u, (at_output){o + q0 * a->ldo, a->ldo, false}, lse ? lse + q0 * a->heads : NULL, q0,
                     at_min(QUERY_TILE, u.nq - q0), kt, v, s);
    if (a->weights)
        write_weights(&u, a->weights + a->weight_offset[index / a->heads] + u.head * u.nq * u.nk, lse, kt, s);
}

static void attention_fwd(at_backend *be, float *o, float *lse, const float *q, const float *k, const float *v,
                          const at_attention_args *args)
{
    attention_job job = {
        .run = forward_unit, .cpu = at_cpu_of(be), .args = args, .q = q, .k = k, .v = v, .o = o, .lse = lse};
    run_units(&job);
}

/* Of the backward of one unit. */
typedef struct backward {
    float *kt, *vt; /* packed K^T and V^T */
    at_strips k;
    float *q_room, *do_room; /* for the rows of a query tile, where they are packed */
    float *p, *dp;           /* QUERY_TILE x LD each */
    at_output dk, dv;
} backward;

static backward lay_out(unit *u, float *scratch)
{
    const int64_t transposed = at_round_up(u->nk, ATT_PANEL) * u->width, padded = at_round_up(u->width, ATT_PANEL);
    backward w = {0};
    w.p = scratch;
    w.dp = w.p + QUERY_TILE * LD;
    w.kt = w.dp + QUERY_TILE * LD;
    w.vt = w.kt + transposed;
    w.q_room = w.vt + transposed;
    w.do_room = w.q_room + padded * QUERY_TILE;
    float *k_room = w.do_room + padded * QUERY_TILE;
    u->gemm = k_room + padded * u->nk;
    pack_transpose(u, w.kt, u->k, u->args->ldk, u->nk);
    pack_transpose(u, w.vt, u->v, u->args->ldv, u->nk);
    w.k = panels_of(u, k_room, u->k, u->args->ldk, u->nk);
    return w;
}

typedef struct query_tile { /* the queries of a tile */
    int64_t first, count;
    const float *d_o, *o, *lse; /* at the tile's first row */
    at_output dq;
} query_tile;

static void backward_rows(const unit *u, const backward *w, const query_tile *t)
{
    const at_attention_args *a = u->args;
    const float *q_rows = u->q + t->first * a->ldq;
    const at_strips q = panels_of(u, w->q_room, q_rows, a->ldq, t->count),
                    d_o = panels_of(u, w->do_room, t->d_o, a->ldo, t->count);
    const int64_t last = visible(u, t->first + t->count - 1);
    at_output dq = t->dq;
    float delta[QUERY_TILE];
    for (int64_t i = 0; i < t->count; i++) delta[i] = u->kernels->dot(t->d_o + i * a->ldo, t->o + i * a->ldo, u->width);
    if (last <= 0) zero_rows(u, dq, 0, t->count);
    for (int64_t from = 0; from < last; from += KEY_TILE) {
        const at_score_tile s = score_tile(u, t->first, t->count, from, at_min(KEY_TILE, last - from));
        scores(u, w->p, q_rows, a->ldq, t->count, w->kt, from, s.keys);
        scores(u, w->dp, t->d_o, a->ldo, t->count, w->vt, from, s.keys);
        u->kernels->softmax_bwd(w->p, w->dp, &s, t->lse, a->heads, delta);
        if (dq.at) weigh(u, dq, w->dp, t->count, w->k, from, s.keys);
        dq.accumulate = true;
        if (w->dk.at) weigh_transposed(u, w->dk, from, w->dp, t->count, s.keys, q);
        if (w->dv.at) weigh_transposed(u, w->dv, from, w->p, t->count, s.keys, d_o);
    }
}

static void backward_unit(const attention_job *job, int64_t index, int thread)
{
    const at_attention_args *a = job->args;
    unit u = unit_of(job, index);
    float *scratch = at_cpu_scratch(job->cpu, thread, at_cpu_attention_floats(u.nk, u.width));
    if (scratch == NULL) return;
    backward w = lay_out(&u, scratch);
    const int64_t column = u.head * u.width, first_key = a->key.begin[index / a->heads];
    w.dk = output_from(job->dk, a->ldk, first_key, column, job->accumulate_kv);
    w.dv = output_from(job->dv, a->ldv, first_key, column, job->accumulate_kv);
    /* The first tile of queries assigns the gradients of the keys that it sees, later ones add. */
    const int64_t seen = u.nq > 0 ? visible(&u, at_min(QUERY_TILE, u.nq) - 1) : 0;
    zero_rows(&u, w.dk, seen < 0 ? 0 : seen, u.nk);
    zero_rows(&u, w.dv, seen < 0 ? 0 : seen, u.nk);
    for (int64_t q0 = 0; q0 < u.nq; q0 += QUERY_TILE) {
        const int64_t row = u.first_query + q0;
        const query_tile t = {q0,
                              at_min(QUERY_TILE, u.nq - q0),
                              job->d_o + row * a->ldo + column,
                              job->o_in + row * a->ldo + column,
                              job->lse_in + row * a->heads + u.head,
                              output_from(job->dq, a->ldq, row, column, job->accumulate_q)};
        backward_rows(&u, &w, &t);
        w.dk.accumulate = w.dv.accumulate = true;
    }
}

static void attention_bwd(at_backend *be, float *dq, float beta_q, float *dk, float *dv, float beta_kv,
                          const float *d_o, const float *o, const float *lse, const float *q, const float *k,
                          const float *v, const at_attention_args *args)
{
    attention_job job = {.run = backward_unit,
                         .cpu = at_cpu_of(be),
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
    run_units(&job);
}

void at_cpu_attention_init(at_backend *be)
{
    be->attention_fwd = attention_fwd;
    be->attention_bwd = attention_bwd;
}
