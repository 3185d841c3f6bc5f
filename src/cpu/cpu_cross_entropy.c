/* Output layer and loss in one: logits exist for one block of rows at a time, never for the batch.
 *
 *   for each block of R rows:            logits block, R x V floats, stays in the last-level cache
 *     1. logits = x W + b                threads share the columns
 *     2. loss, logits := gradient        threads share the rows
 *     3. dx     = logits W^T             threads share the rows
 *     4. dW    += (x, logits)            threads share the weight's columns
 *
 * The block's rows lie an odd number of cache lines apart, so that walking down a column does not hit one set of the cache
 * only (row_stride). */
#include "cpu/cpu.h"

/* Every block reads all panels of the weight, so a block has many rows; but no more than stay in the last-level cache: 266 rows of
 * 8000 logits are 8.5 MB. Not a tile less, so that 256 and 1024 rows don't leave a few for a block of their own. */
enum { BLOCK_TILES = 19, BLOCK_ROWS = BLOCK_TILES * ATT_TILE_ROWS, COLUMN_CHUNK = 512, ROW_CHUNK = ATT_TILE_ROWS };

typedef struct loss_job {
    at_cpu *cpu;
    const at_weight *w;
    const float *bias, *x;
    float *dx, *dw, *db, *logits;
    double *loss, *nll;
    const int32_t *targets;
    int64_t rows, ld;
    float smoothing, grad_scale;
    bool first; /* dW is assigned by the first block, added to by the others */
} loss_job;

static void logits_chunk(void *arg, int64_t chunk, int thread)
{
    const loss_job *job = arg;
    const int64_t j = chunk * COLUMN_CHUNK, columns = at_min(COLUMN_CHUNK, job->w->n - j), depth = job->w->k;
    float *scratch = at_cpu_scratch(job->cpu, thread, ATT_GEMM_SCRATCH);
    if (scratch == NULL) return;
    const at_product *product = job->cpu->product;
    at_gemm_nn(product, job->rows, columns, depth, job->x, depth, job->w->packed + j * at_words(product, depth),
               job->logits + j, job->ld, false, scratch);
    if (job->bias)
        job->cpu->k.bias_act(job->logits + j, job->ld, job->bias + j, NULL, job->rows, columns, ATT_ACT_NONE);
}

static void row_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const loss_job *job = arg;
    const int64_t last = at_min((chunk + 1) * ROW_CHUNK, job->rows);
    for (int64_t i = chunk * ROW_CHUNK; i < last; i++)
        job->loss[i] = job->cpu->k.cross_entropy(job->logits + i * job->ld, job->w->n, job->targets[i], job->smoothing,
                                                 job->dx ? job->grad_scale : 0, job->nll ? job->nll + i : NULL);
}

static void dx_chunk(void *arg, int64_t chunk, int thread)
{
    const loss_job *job = arg;
    const int64_t grain = at_cpu_grain(job->cpu, job->rows, ATT_TILE_ROWS), i = chunk * grain, d = job->w->k;
    float *scratch = at_cpu_scratch(job->cpu, thread, ATT_GEMM_SCRATCH);
    if (scratch == NULL) return;
    at_gemm_nn(job->cpu->product, at_min(grain, job->rows - i), d, job->w->n, job->logits + i * job->ld, job->ld,
               job->w->packed_t, job->dx + i * d, d, false, scratch);
}

static void db_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const loss_job *job = arg;
    const int64_t j = chunk * COLUMN_CHUNK;
    job->cpu->k.column_sum(job->db + j, job->logits + j, job->ld, job->rows, at_min(COLUMN_CHUNK, job->w->n - j),
                           !job->first);
}

static void block_gradients(loss_job *job)
{
    at_cpu *cpu = job->cpu;
    const int64_t v = job->w->n, d = job->w->k;
    at_pool_run(cpu->pool, at_ceil_div(job->rows, at_cpu_grain(cpu, job->rows, ATT_TILE_ROWS)), dx_chunk, job);
    if (job->w->transposed)
        at_gemm_tn(cpu, v, d, job->rows, job->logits, job->ld, job->x, d, job->dw, d, !job->first);
    else
        at_gemm_tn(cpu, d, v, job->rows, job->x, d, job->logits, job->ld, job->dw, v, !job->first);
    if (job->db) at_pool_run(cpu->pool, at_ceil_div(v, COLUMN_CHUNK), db_chunk, job);
}

/* Of the logits block, in floats. */
static int64_t row_stride(int64_t vocabulary)
{
    return at_round_up(vocabulary, 2 * ATT_PANEL) + ATT_PANEL;
}

int64_t at_cpu_loss_floats(int64_t rows, int64_t vocabulary)
{
    return row_stride(vocabulary) * at_min(rows, BLOCK_ROWS);
}

static void linear_cross_entropy(at_backend *be, double *loss, double *nll, float *dx, float *dw, float *db,
                                 const float *x, const at_weight *w, const float *b, const int32_t *targets, int64_t n,
                                 float smoothing, float grad_scale)
{
    at_cpu *cpu = at_cpu_of(be);
    float *logits = at_cpu_shared(cpu, at_cpu_loss_floats(n, w->n));
    if (logits == NULL) return;
    for (int64_t i = 0; i == 0 || i < n; i += BLOCK_ROWS) { /* once for no rows: dW and db are zero */
        loss_job job = {.cpu = cpu,
                        .w = w,
                        .bias = b,
                        .x = x + i * w->k,
                        .dx = dx ? dx + i * w->k : NULL,
                        .dw = dw,
                        .db = db,
                        .logits = logits,
                        .loss = loss + i,
                        .nll = nll ? nll + i : NULL,
                        .targets = targets + i,
                        .rows = at_min(BLOCK_ROWS, n - i),
                        .ld = row_stride(w->n),
                        .smoothing = smoothing,
                        .grad_scale = grad_scale,
                        .first = i == 0};
        at_pool_run(cpu->pool, at_ceil_div(w->n, COLUMN_CHUNK), logits_chunk, &job);
        at_pool_run(cpu->pool, at_ceil_div(job.rows, ROW_CHUNK), row_chunk, &job);
        if (dx) block_gradients(&job);
    }
}

void at_cpu_cross_entropy_init(at_backend *be)
{
    be->linear_cross_entropy = linear_cross_entropy;
}
