/* The linear layer: packing of weights, y = act(x W + b), and its backward. Bias and activation are applied to a chunk of rows
 * right after its product, while they are in the cache. */
#include "cpu/cpu.h"

typedef struct pack_job {
    at_cpu *cpu;
    float *packed;
    const at_weight *w;
    int64_t depth, n, ld;
    bool transposed; /* the panels' columns are rows of plain */
} pack_job;

enum { PANELS_A_CHUNK = 8 };

static void pack_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const pack_job *job = arg;
    const int64_t panels = at_ceil_div(job->n, ATT_PANEL), first = chunk * PANELS_A_CHUNK;
    at_pack_panels(job->cpu->product, job->packed, job->w->plain, job->depth, job->n, job->ld, job->transposed, first,
                   at_min(first + PANELS_A_CHUNK, panels));
}

/* x W multiplies (.., K) by (K,N); y W^T multiplies (.., N) by (N,K). plain is (K,N), or (N,K) for a transposed weight. */
static pack_job pack_job_of(at_backend *be, float *packed, const at_weight *w, bool for_transposed)
{
    const int64_t depth = for_transposed ? w->n : w->k, n = for_transposed ? w->k : w->n;
    const pack_job job = {
        at_cpu_of(be), packed, w, depth, n, w->transposed ? w->k : w->n, for_transposed != w->transposed};
    return job;
}

int64_t at_cpu_pack_floats(const at_weight *w, bool transposed, int64_t per_word)
{
    const int64_t depth = transposed ? w->n : w->k, n = transposed ? w->k : w->n;
    return at_round_up(n, ATT_PANEL) * at_ceil_div(depth, per_word);
}

static int64_t pack_size(at_backend *be, const at_weight *w, bool transposed)
{
    return at_cpu_pack_floats(w, transposed, at_cpu_of(be)->product->per_word);
}

static void pack(at_backend *be, float *packed, const at_weight *w, bool transposed)
{
    pack_job job = pack_job_of(be, packed, w, transposed);
    at_pool_run(job.cpu->pool, at_ceil_div(at_ceil_div(job.n, ATT_PANEL), PANELS_A_CHUNK), pack_chunk, &job);
}

/* A product over rows of x with an epilogue. */
typedef struct rows_job {
    at_cpu *cpu;
    int64_t m, n, depth, grain;
    const float *x, *packed, *bias;
    float *y, *keep;
    at_act act;
    bool accumulate;
} rows_job;

static void rows_chunk(void *arg, int64_t chunk, int thread)
{
    const rows_job *job = arg;
    const int64_t i = chunk * job->grain, rows = at_min(job->grain, job->m - i);
    float *scratch = at_cpu_scratch(job->cpu, thread, ATT_GEMM_SCRATCH), *y = job->y + i * job->n;
    if (scratch == NULL) return;
    at_gemm_nn(job->cpu->product, rows, job->n, job->depth, job->x + i * job->depth, job->depth, job->packed, y, job->n,
               job->accumulate, scratch);
    if (job->bias || job->keep || job->act != ATT_ACT_NONE)
        job->cpu->k.bias_act(y, job->n, job->bias, job->keep ? job->keep + i * job->n : NULL, rows, job->n, job->act);
}

static void run_rows(rows_job *job)
{
    job->grain = at_cpu_grain(job->cpu, job->m, ATT_TILE_ROWS);
    at_pool_run(job->cpu->pool, at_ceil_div(job->m, job->grain), rows_chunk, job);
}

static void linear_fwd(at_backend *be, float *y, float *keep, const float *x, const at_weight *w, const float *b,
                       int64_t m, at_act act)
{
    rows_job job = {at_cpu_of(be), m, w->n, w->k, 0, x, w->packed, b, y, keep, act, false};
    run_rows(&job);
}

typedef struct act_job {
    at_cpu *cpu;
    float *dy;
    const float *kept;
    int64_t floats, grain;
    at_act act;
} act_job;

static void act_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const act_job *job = arg;
    const int64_t i = chunk * job->grain;
    job->cpu->k.act_bwd(job->dy + i, job->kept + i, at_min(job->grain, job->floats - i), job->act);
}

typedef struct sum_job {
    at_cpu *cpu;
    float *sum;
    const float *x;
    int64_t rows, n;
    bool accumulate;
} sum_job;

enum { SUM_COLUMNS = 64 };

static void sum_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const sum_job *job = arg;
    const int64_t j = chunk * SUM_COLUMNS;
    job->cpu->k.column_sum(job->sum + j, job->x + j, job->n, job->rows, at_min(SUM_COLUMNS, job->n - j),
                           job->accumulate);
}

static void linear_bwd(at_backend *be, float *dx, float beta_x, float *dw, float beta_w, float *db, float beta_b,
                       float *dy, const float *kept, const float *x, const at_weight *w, int64_t m, at_act act)
{
    at_cpu *cpu = at_cpu_of(be);
    if (act != ATT_ACT_NONE) {
        act_job job = {cpu, dy, kept, m * w->n, at_cpu_grain(cpu, m * w->n, ATT_PANEL), act};
        at_pool_run(cpu->pool, at_ceil_div(job.floats, job.grain), act_chunk, &job);
    }
    if (dx) {
        rows_job job = {cpu, m, w->k, w->n, 0, dy, w->packed_t, NULL, dx, NULL, ATT_ACT_NONE, beta_x != 0};
        run_rows(&job);
    }
    if (dw && w->transposed)
        at_gemm_tn(cpu, w->n, w->k, m, dy, w->n, x, w->k, dw, w->k, beta_w != 0);
    else if (dw)
        at_gemm_tn(cpu, w->k, w->n, m, x, w->k, dy, w->n, dw, w->n, beta_w != 0);
    if (db) {
        sum_job job = {cpu, db, dy, m, w->n, beta_b != 0};
        at_pool_run(cpu->pool, at_ceil_div(w->n, SUM_COLUMNS), sum_chunk, &job);
    }
}

void at_cpu_linear_init(at_backend *be)
{
    be->pack_size = pack_size;
    be->pack = pack;
    be->linear_fwd = linear_fwd;
    be->linear_bwd = linear_bwd;
}
