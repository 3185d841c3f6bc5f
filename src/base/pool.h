/* Thread pool: one a context, never global. Work is a number of chunks; which thread runs a chunk
 * never changes what it computes, so results are the same for any thread count. */
#ifndef ATT_BASE_POOL_H
#define ATT_BASE_POOL_H

#include <stdint.h>

#include "base/fail.h"

/* Driven by one thread at a time. Idle workers spin for some 20 microseconds, then sleep. */
typedef struct at_pool at_pool;

/* Runs chunk number `chunk`; `thread` in [0, threads) picks per-thread scratch. */
typedef void (*at_chunk_fn)(void *arg, int64_t chunk, int thread);

/* threads 0: one a usable processor (affinity mask and cgroup quota), at most the physical cores.
 * The calling thread is thread 0, so threads - 1 are started. ATT_OPTION below 0 and
 * above 1024, ATT_MEMORY when the system refuses a thread. */
at_status at_pool_new(at_pool **pool, int threads, at_error *err);
void at_pool_free(at_pool *pool); /* NULL is fine */
int at_pool_threads(const at_pool *pool);
/* Runs chunks 0 .. chunks - 1 and returns when all are done; 0 chunks is fine. They start in ascending order. A single
 * chunk runs in the caller. A call from within a chunk runs its chunks inline, under that chunk's thread number. */
void at_pool_run(at_pool *pool, int64_t chunks, at_chunk_fn fn, void *arg);
/* The default thread count that 0 stands for. */
int at_cpu_count(void);

#endif
