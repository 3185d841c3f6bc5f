/* Operations that treat rows or elements alone: norms, dropout, embedding, optimizer. Each is a loop of row kernels cut into
 * chunks. */
#include "cpu/cpu.h"

#include <math.h>
#include <string.h>

/* Elements a chunk of element-wise work; small enough to share, large enough to pay the hand-over. */
enum { ELEMENTS = 16384, NORM_ROWS = 64 };

typedef struct norm_job {
    at_cpu *cpu;
    float *y, *stat;
    const float *x, *gamma, *beta;
    int64_t n, d;
    float eps;
} norm_job;

static void norm_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const norm_job *job = arg;
    const int64_t last = at_min((chunk + 1) * NORM_ROWS, job->n);
    for (int64_t i = chunk * NORM_ROWS; i < last; i++)
        job->cpu->k.layer_norm_fwd(job->y + i * job->d, job->stat + 2 * i, job->x + i * job->d, job->gamma, job->beta,
                                   job->d, job->eps);
}

static void layer_norm_fwd(at_backend *be, float *y, float *stat, const float *x, const float *gamma, const float *beta,
                           int64_t n, int64_t d, float eps)
{
    norm_job job = {at_cpu_of(be), y, stat, x, gamma, beta, n, d, eps};
    at_pool_run(job.cpu->pool, at_ceil_div(n, NORM_ROWS), norm_chunk, &job);
}

typedef struct norm_bwd_job {
    at_cpu *cpu;
    float *dx, *partial; /* partial: [chunk][2][D], dgamma and dbeta of each chunk */
    const float *dy, *x, *stat, *gamma;
    int64_t n, d;
    bool accumulate;
} norm_bwd_job;

static void norm_bwd_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const norm_bwd_job *job = arg;
    const int64_t d = job->d, last = at_min((chunk + 1) * NORM_ROWS, job->n);
    float *dgamma = job->partial + chunk * 2 * d, *dbeta = dgamma + d;
    for (int64_t j = 0; j < 2 * d; j++) dgamma[j] = 0;
    for (int64_t i = chunk * NORM_ROWS; i < last; i++)
        job->cpu->k.layer_norm_bwd(job->dx ? job->dx + i * d : NULL, dgamma, dbeta, job->dy + i * d, job->x + i * d,
                                   job->stat + 2 * i, job->gamma, d, job->accumulate);
}

int64_t at_cpu_norm_floats(int64_t rows, int64_t width)
{
    return at_ceil_div(rows, NORM_ROWS) * 2 * width;
}

/* The partial sums of fixed chunks are added in chunk order, so the result doesn't depend on threads. */
static void layer_norm_bwd(at_backend *be, float *dx, float beta_x, float *dgamma, float beta_gamma, float *dbeta,
                           float beta_beta, const float *dy, const float *x, const float *stat, const float *gamma,
                           int64_t n, int64_t d)
{
    at_cpu *cpu = at_cpu_of(be);
    const int64_t chunks = at_ceil_div(n, NORM_ROWS);
    float *partial = at_cpu_shared(cpu, at_cpu_norm_floats(n, d));
    if (partial == NULL) return;
    norm_bwd_job job = {cpu, dx, partial, dy, x, stat, gamma, n, d, beta_x != 0};
    at_pool_run(cpu->pool, chunks, norm_bwd_chunk, &job);
    if (dgamma) cpu->k.column_sum(dgamma, partial, 2 * d, chunks, d, beta_gamma != 0);
    if (dbeta) cpu->k.column_sum(dbeta, partial + d, 2 * d, chunks, d, beta_beta != 0);
}

/* Element-wise work over n floats: one struct for all, each chunk function reads its part. */
typedef struct elements_job {
    at_cpu *cpu;
    float *y;
    const float *a, *x;
    int64_t n;
    bool accumulate;
    at_dropout_arg drop;
} elements_job;

static void run_elements(elements_job *job, at_chunk_fn fn)
{
    at_pool_run(job->cpu->pool, at_ceil_div(job->n, ELEMENTS), fn, job);
}

static void dropout_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const elements_job *job = arg;
    const int64_t i = chunk * ELEMENTS;
    job->cpu->k.dropout_fwd(job->y + i, job->a ? job->a + i : NULL, job->x + i, at_min(ELEMENTS, job->n - i),
                            &job->drop, (uint32_t)i);
}

static void dropout_fwd(at_backend *be, float *y, const float *residual, const float *x, int64_t n, float rate,
                        uint64_t key)
{
    elements_job job = {at_cpu_of(be), y, residual, x, n, false, at_dropout_make(rate, key)};
    run_elements(&job, dropout_chunk);
}

static void dropout_bwd_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const elements_job *job = arg;
    const int64_t i = chunk * ELEMENTS;
    job->cpu->k.dropout_bwd(job->y + i, job->x + i, at_min(ELEMENTS, job->n - i), &job->drop, (uint32_t)i,
                            job->accumulate);
}

static void dropout_bwd(at_backend *be, float *dx, float beta, const float *dy, int64_t n, float rate, uint64_t key)
{
    elements_job job = {at_cpu_of(be), dx, NULL, dy, n, beta != 0, at_dropout_make(rate, key)};
    run_elements(&job, dropout_bwd_chunk);
}

typedef struct axpy_job {
    at_cpu *cpu;
    float *y;
    const float *x;
    float a, beta;
    int64_t n;
} axpy_job;

static void axpy_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const axpy_job *job = arg;
    const int64_t i = chunk * ELEMENTS, n = at_min(ELEMENTS, job->n - i);
    if (job->beta != 0 && job->beta != 1) job->cpu->k.scale(job->y + i, job->beta, n);
    job->cpu->k.axpy(job->y + i, job->x + i, job->a, n, job->beta != 0);
}

static void axpy(at_backend *be, float *y, float beta, const float *x, float a, int64_t n)
{
    axpy_job job = {at_cpu_of(be), y, x, a, beta, n};
    at_pool_run(job.cpu->pool, at_ceil_div(n, ELEMENTS), axpy_chunk, &job);
}

typedef struct swiglu_job {
    at_cpu *cpu;
    float *out;
    const float *dy, *x; /* dy NULL: forward */
    int64_t n, f;
    bool accumulate;
} swiglu_job;

static void swiglu_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const swiglu_job *job = arg;
    const int64_t f = job->f, last = at_min((chunk + 1) * NORM_ROWS, job->n);
    for (int64_t i = chunk * NORM_ROWS; i < last; i++) {
        const float *gate = job->x + i * 2 * f;
        if (job->dy)
            job->cpu->k.swiglu_bwd(job->out + i * 2 * f, job->out + i * 2 * f + f, job->dy + i * f, gate, gate + f, f,
                                   job->accumulate);
        else
            job->cpu->k.swiglu_fwd(job->out + i * f, gate, gate + f, f);
    }
}

static void swiglu_fwd(at_backend *be, float *y, const float *x, int64_t n, int64_t f)
{
    swiglu_job job = {at_cpu_of(be), y, NULL, x, n, f, false};
    at_pool_run(job.cpu->pool, at_ceil_div(n, NORM_ROWS), swiglu_chunk, &job);
}

static void swiglu_bwd(at_backend *be, float *dx, float beta, const float *dy, const float *x, int64_t n, int64_t f)
{
    swiglu_job job = {at_cpu_of(be), dx, dy, x, n, f, beta != 0};
    at_pool_run(job.cpu->pool, at_ceil_div(n, NORM_ROWS), swiglu_chunk, &job);
}

typedef struct embed_job {
    at_cpu *cpu;
    float *y;
    const float *table, *positions;
    const int32_t *ids, *position_of;
    float scale;
    int64_t n, d;
} embed_job;

static void embed_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const embed_job *job = arg;
    const int64_t last = at_min((chunk + 1) * NORM_ROWS, job->n);
    for (int64_t i = chunk * NORM_ROWS; i < last; i++)
        job->cpu->k.embed(job->y + i * job->d, job->table + (int64_t)job->ids[i] * job->d,
                          job->positions ? job->positions + (int64_t)job->position_of[i] * job->d : NULL, job->scale,
                          job->d);
}

static void embed_fwd(at_backend *be, float *y, const float *table, const int32_t *ids, float scale,
                      const float *positions, const int32_t *position_of, int64_t n, int64_t d)
{
    embed_job job = {at_cpu_of(be), y, table, positions, ids, position_of, scale, n, d};
    at_pool_run(job.cpu->pool, at_ceil_div(n, NORM_ROWS), embed_chunk, &job);
}

/* Rows may repeat, so the work is cut by columns: each chunk adds its columns of every row in order. */
enum { EMBED_COLUMNS = 64 };

typedef struct embed_bwd_job {
    at_cpu *cpu;
    float *dtable;
    const float *dy;
    const int32_t *rows;
    float scale;
    int64_t n, d;
} embed_bwd_job;

static void embed_bwd_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const embed_bwd_job *job = arg;
    const int64_t j = chunk * EMBED_COLUMNS, width = at_min(EMBED_COLUMNS, job->d - j);
    for (int64_t i = 0; i < job->n; i++)
        job->cpu->k.axpy(job->dtable + (int64_t)job->rows[i] * job->d + j, job->dy + i * job->d + j, job->scale, width,
                         true);
}

static void embed_bwd(at_backend *be, float *dtable, float beta, const float *dy, const int32_t *rows, float scale,
                      int64_t n, int64_t d, int64_t v)
{
    if (beta == 0) be->zero(be, dtable, v * d);
    embed_bwd_job job = {at_cpu_of(be), dtable, dy, rows, scale, n, d};
    at_pool_run(job.cpu->pool, at_ceil_div(d, EMBED_COLUMNS), embed_bwd_chunk, &job);
}

typedef struct optimize_job {
    at_optimize_fn *run;
    float *w, *m, *v;
    const float *g;
    int64_t n;
    at_optimize_arg arg;
} optimize_job;

static void optimize_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const optimize_job *job = arg;
    const int64_t i = chunk * ELEMENTS;
    job->run(job->w + i, job->m ? job->m + i : NULL, job->v ? job->v + i : NULL, job->g + i,
             at_min(ELEMENTS, job->n - i), &job->arg);
}

static at_optimize_arg optimize_arg(const at_optimize_args *a)
{
    const bool decoupled = a->optimizer == ATT_OPTIMIZER_ADAMW;
    at_optimize_arg arg = {.rate = a->rate,
                           .beta1 = a->beta1,
                           .beta2 = a->beta2,
                           .eps = a->eps,
                           .gradient_scale = a->gradient_scale,
                           .momentum = a->momentum,
                           .l2 = decoupled ? 0 : a->decay,
                           .shrink = decoupled ? (float)(1.0 - (double)a->rate * (double)a->decay) : 1.0f};
    if (a->optimizer == ATT_OPTIMIZER_ADAM || decoupled) {
        const double t = (double)a->step;
        arg.rate = (float)((double)a->rate / (1.0 - pow((double)a->beta1, t)));
        arg.correction2 = (float)(1.0 / sqrt(1.0 - pow((double)a->beta2, t)));
    }
    return arg;
}

static void optimize(at_backend *be, float *w, float *m, float *v, const float *g, int64_t n,
                     const at_optimize_args *args)
{
    at_cpu *cpu = at_cpu_of(be);
    at_optimize_fn *const run[] = {[ATT_OPTIMIZER_ADAM] = cpu->k.adam,
                                   [ATT_OPTIMIZER_ADAMW] = cpu->k.adam,
                                   [ATT_OPTIMIZER_RMSPROP] = cpu->k.rmsprop,
                                   [ATT_OPTIMIZER_SGD] = cpu->k.sgd};
    optimize_job job = {run[args->optimizer], w, m, v, g, n, optimize_arg(args)};
    at_pool_run(cpu->pool, at_ceil_div(n, ELEMENTS), optimize_chunk, &job);
}

typedef struct squares_job {
    at_cpu *cpu;
    const float *x;
    double *part;
    int64_t n;
} squares_job;

static void squares_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const squares_job *job = arg;
    const int64_t i = chunk * ELEMENTS;
    job->part[chunk] = job->cpu->k.sum_squares(job->x + i, at_min(ELEMENTS, job->n - i));
}

static double sum_squares(at_backend *be, const float *x, int64_t n)
{
    at_cpu *cpu = at_cpu_of(be);
    const int64_t chunks = at_ceil_div(n, ELEMENTS);
    double *part = (double *)(void *)at_cpu_shared(cpu, 2 * chunks), total = 0;
    if (part == NULL) return NAN;
    squares_job job = {cpu, x, part, n};
    at_pool_run(cpu->pool, chunks, squares_chunk, &job);
    for (int64_t i = 0; i < chunks; i++) total += part[i];
    return total;
}

typedef struct log_softmax_job {
    at_cpu *cpu;
    float *x;
    int64_t v;
} log_softmax_job;

static void log_softmax_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const log_softmax_job *job = arg;
    job->cpu->k.log_softmax(job->x + chunk * job->v, job->v);
}

static void log_softmax(at_backend *be, float *x, int64_t n, int64_t v)
{
    log_softmax_job job = {at_cpu_of(be), x, v};
    at_pool_run(job.cpu->pool, n, log_softmax_chunk, &job);
}

typedef struct top_k_job {
    at_cpu *cpu;
    int32_t *ids;
    float *best, *x;
    int64_t v, k;
} top_k_job;

/* Puts x behind the equal ones of the k best, whose last one falls off. */
static void insert_best(int32_t *ids, float *best, int64_t k, int32_t id, float x)
{
    int64_t at = k - 1;
    for (; at > 0 && best[at - 1] < x; at--) {
        best[at] = best[at - 1];
        ids[at] = ids[at - 1];
    }
    best[at] = x;
    ids[at] = id;
}

/* Most blocks of the row hold nothing above the k-th best so far: their maximum alone is looked at. */
enum { SELECT_BLOCK = 64 };

static void top_k_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const top_k_job *job = arg;
    const int64_t k = job->k;
    const at_kernels *kernels = &job->cpu->k;
    float *x = job->x + chunk * job->v, *best = job->best + chunk * k;
    int32_t *ids = job->ids + chunk * k;
    kernels->log_softmax(x, job->v);
    for (int64_t i = 0; i < k; i++) {
        best[i] = -INFINITY;
        ids[i] = -1;
    }
    for (int64_t from = 0; from < job->v; from += SELECT_BLOCK) {
        const int64_t to = at_min(from + SELECT_BLOCK, job->v);
        if (!(kernels->max(x + from, to - from) > best[k - 1])) continue;
        for (int64_t i = from; i < to; i++)
            if (x[i] > best[k - 1]) insert_best(ids, best, k, (int32_t)i, x[i]);
    }
}

static void top_k(at_backend *be, int32_t *ids, float *log_probs, float *logits, int64_t n, int64_t v, int64_t k)
{
    top_k_job job = {at_cpu_of(be), ids, log_probs, logits, v, k};
    at_pool_run(job.cpu->pool, n, top_k_chunk, &job);
}

static void copy_rows(at_backend *be, float *to, int64_t ld_to, const int32_t *to_row, const float *from,
                      int64_t ld_from, const int32_t *from_row, int64_t n, int64_t d)
{
    (void)be;
    for (int64_t i = 0; i < n; i++)
        memcpy(to + (to_row ? to_row[i] : i) * ld_to, from + (from_row ? from_row[i] : i) * ld_from,
               (size_t)d * sizeof(float));
}

void at_cpu_row_ops_init(at_backend *be)
{
    be->layer_norm_fwd = layer_norm_fwd;
    be->layer_norm_bwd = layer_norm_bwd;
    be->dropout_fwd = dropout_fwd;
    be->dropout_bwd = dropout_bwd;
    be->axpy = axpy;
    be->swiglu_fwd = swiglu_fwd;
    be->swiglu_bwd = swiglu_bwd;
    be->embed_fwd = embed_fwd;
    be->embed_bwd = embed_bwd;
    be->optimize = optimize;
    be->sum_squares = sum_squares;
    be->log_softmax = log_softmax;
    be->top_k = top_k;
    be->copy_rows = copy_rows;
}
