/* The machine's peak, see at_cpu_peak in backend/backend.h. Work is cut into more chunks than threads, as everywhere, so
 * that a thread which is held up costs as much here as in a training step. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/median.h"
#include "cpu/cpu.h"

enum {
    SLICES = 7, /* of each kind, and for each number of threads */
    CHUNKS_A_THREAD = 8,
    FMA_ROUNDS = 20000, /* of a chunk: a fraction of a millisecond */
    FLOATS = 9 << 20,   /* of an array: two don't fit into a cache */
    FLOATS_A_CHUNK = 1 << 16
};

typedef struct peak_job {
    at_kernels k;
    float *array[2];
    double flop; /* of one chunk */
} peak_job;

typedef struct slices {
    double rate[SLICES];
} slices;

static void fma_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    peak_job *job = arg;
    float sink[ATT_PEAK_SINK] = {0.5f, 1, 0};
    const double flop = job->k.fma_chains(sink, FMA_ROUNDS);
    if (chunk == 0) job->flop = flop;
}

static void add_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const peak_job *job = arg;
    const int64_t i = chunk * FLOATS_A_CHUNK;
    job->k.axpy(job->array[1] + i, job->array[0] + i, 1, FLOATS_A_CHUNK, true);
}

static void fill_chunk(void *arg, int64_t chunk, int thread)
{
    (void)thread;
    const peak_job *job = arg;
    for (int a = 0; a < 2; a++)
        for (int64_t i = chunk * FLOATS_A_CHUNK; i < (chunk + 1) * FLOATS_A_CHUNK; i++) job->array[a][i] = (float)i;
}

/* Seconds of a run. An empty one before it wakes the workers. */
static double time_run(at_pool *pool, int64_t chunks, at_chunk_fn fn, peak_job *job)
{
    at_pool_run(pool, at_pool_threads(pool), fn, job);
    const double start = at_clock();
    at_pool_run(pool, chunks, fn, job);
    return at_clock() - start;
}

static double fma_rate(at_pool *pool, peak_job *job)
{
    const int64_t chunks = CHUNKS_A_THREAD * (int64_t)at_pool_threads(pool);
    const double seconds = time_run(pool, chunks, fma_chunk, job);
    return (double)chunks * job->flop / seconds;
}

static double memory_rate(at_pool *pool, peak_job *job)
{
    /* two arrays are read, one is written */
    return 3.0 * FLOATS * sizeof(float) / time_run(pool, FLOATS / FLOATS_A_CHUNK, add_chunk, job);
}

static void best_and_median(slices *s, double *best, double *median)
{
    *median = at_median(s->rate, SLICES);
    *best = s->rate[SLICES - 1]; /* sorted now */
}

/* fma, memory: (count) slices; pool: (count) */
static void measure(at_peak *peak, at_pool *const *pool, int count, peak_job *job, slices *fma, slices *memory)
{
    at_pool_run(pool[count - 1], FLOATS / FLOATS_A_CHUNK, fill_chunk, job);
    for (int slice = 0; slice < SLICES; slice++) {
        for (int i = 0; i < count; i++) fma[i].rate[slice] = fma_rate(pool[i], job);
        for (int i = 0; i < count; i++) memory[i].rate[slice] = memory_rate(pool[i], job);
    }
    for (int i = 0; i < count; i++) {
        peak[i] = (at_peak){.isa = job->k.isa, .threads = at_pool_threads(pool[i])};
        best_and_median(&fma[i], &peak[i].flop_s, &peak[i].flop_s_median);
        best_and_median(&memory[i], &peak[i].bytes_s, &peak[i].bytes_s_median);
    }
}

static at_status open_pools(at_pool **pool, const int *threads, int count, at_error *err)
{
    for (int i = 0; i < count; i++) ATT_TRY(at_pool_new(&pool[i], threads[i], err));
    return ATT_OK;
}

at_status at_cpu_peak(at_peak *peak, const int *threads, int count, const char *isa, at_error *err)
{
    peak_job job = {.flop = 0};
    ATT_TRY(at_cpu_kernels(&job.k, isa, err));
    at_pool **pool = calloc((size_t)count, sizeof(at_pool *));
    slices *rates = calloc(2 * (size_t)count, sizeof *rates);
    const size_t bytes = 2 * FLOATS * sizeof(float);
    float *arrays = aligned_alloc(64, bytes);
    for (int a = 0; a < 2 && arrays; a++) job.array[a] = arrays + a * FLOATS;
    at_status status = pool && rates && arrays ? open_pools(pool, threads, count, err) : at_fail_memory(err, bytes);
    if (status == ATT_OK) measure(peak, pool, count, &job, rates, rates + count);
    for (int i = 0; i < count && pool; i++) at_pool_free(pool[i]);
    free(pool);
    free(rates);
    free(arrays);
    return status;
}
