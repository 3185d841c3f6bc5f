/* The thread pool. A run is posted by one store and its chunks are taken by one atomic subtraction each:
 *
 *   caller   fn, arg, chunks, unfinished = n; remaining = n ----> takes chunks too ----> waits: unfinished == 0
 *   worker   spin: remaining > 0? -> r = remaining--; r > 0: runs chunk n - r; unfinished--
 *                 | 20 us without work
 *            sleep on `wake`
 *
 * Invariants:
 * - fn, arg and chunks are read only by who holds a chunk (r > 0), and written only while nobody does (unfinished is
 *   0). So a worker that comes late from one run takes a chunk of the next run, or nothing; no run counter is needed.
 * - Who goes to sleep first says so (sleepers, caller_sleeps), then looks once more; who brings news first writes it,
 *   then looks for sleepers. All four are sequentially consistent, so one of the two sees the other. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { MOST_THREADS = 1024, LINE = 64, SPIN_NS = 20000, PAUSES_A_ROUND = 64 };

struct at_pool {
    alignas(LINE) _Atomic int64_t remaining;  /* chunks nobody has taken; 0 or less: no work */
    alignas(LINE) _Atomic int64_t unfinished; /* chunks not done yet */
    alignas(LINE) _Atomic int sleepers;       /* workers that sleep or are about to */
    _Atomic bool caller_sleeps;
    at_chunk_fn fn;
    void *arg;
    int64_t chunks;
    bool running; /* a run is on; written as fn is */
    bool stop;    /* under mutex */
    int threads;
    int started;     /* workers whose thread exists */
    pthread_t *self; /* by thread number; [0] is unused */
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* for workers: there is work, or stop */
    pthread_cond_t done; /* for the caller: unfinished is 0 */
};

/* What a worker gets; lives in the block of `self`, behind the ids. */
typedef struct worker {
    at_pool *pool;
    int thread;
} worker;

static void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Spins until the counter is positive (or, with `positive` false, until it isn't), at most SPIN_NS. It yields between
 * the rounds, so that with more threads than processors the one that is waited for gets to run. */
static bool spin(const _Atomic int64_t *counter, bool positive)
{
    const int64_t end = at_clock_ns() + SPIN_NS;
    do {
        for (int i = 0; i < PAUSES_A_ROUND; i++) {
            if ((atomic_load(counter) > 0) == positive) return true;
            cpu_pause();
        }
        sched_yield();
    } while (at_clock_ns() < end);
    return false;
}

/* The last chunk of a run is done: wakes the caller if it went to sleep over it. */
static void announce_done(at_pool *pool)
{
    if (!atomic_load(&pool->caller_sleeps)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->mutex);
}

/* Runs chunks until none is left to take. */
static void take_chunks(at_pool *pool, int thread)
{
    /* The look before the subtraction keeps idle workers from driving the counter down without end. */
    while (atomic_load(&pool->remaining) > 0) {
        const int64_t left = atomic_fetch_sub(&pool->remaining, 1);
        if (left <= 0) return;
        pool->fn(pool->arg, pool->chunks - left, thread);
        if (atomic_fetch_sub(&pool->unfinished, 1) == 1) announce_done(pool);
    }
}

/* Sleeps until there may be work; false when the pool is to end. May return early, which costs one more spin. */
static bool sleep_for_work(at_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    if (!pool->stop && atomic_load(&pool->remaining) <= 0) pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    const bool go_on = !pool->stop;
    pthread_mutex_unlock(&pool->mutex);
    return go_on;
}

static void *worker_main(void *arg)
{
    const worker *me = arg;
    do {
        while (spin(&me->pool->remaining, true)) take_chunks(me->pool, me->thread);
    } while (sleep_for_work(me->pool));
    return NULL;
}

/* Ends the workers that exist, after their present chunk. */
static void stop_workers(at_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 1; i <= pool->started; i++) pthread_join(pool->self[i], NULL);
}

void at_pool_free(at_pool *pool)
{
    if (pool == NULL) return;
    stop_workers(pool);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->self);
    free(pool);
}

/* A pool without workers yet, or NULL. */
static at_pool *pool_alloc(int threads)
{
    at_pool *pool = aligned_alloc(LINE, sizeof *pool);
    void *self = calloc((size_t)threads, sizeof(pthread_t) + sizeof(worker));
    if (pool == NULL || self == NULL) {
        free(pool);
        free(self);
        return NULL;
    }
    memset(pool, 0, sizeof *pool);
    pool->threads = threads;
    pool->self = self;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    return pool;
}

/* Starts the workers with all signals blocked: the embedding program's handlers run on its own threads. Returns 0 or
 * the system's error number. */
static int start_workers(at_pool *pool)
{
    worker *workers = (worker *)(pool->self + pool->threads);
    sigset_t all, before;
    int error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 1; i < pool->threads && error == 0; i++) {
        workers[i] = (worker){.pool = pool, .thread = i};
        error = pthread_create(&pool->self[i], NULL, worker_main, &workers[i]);
        if (error == 0) pool->started = i;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

at_status at_pool_new(at_pool **pool, int threads, at_error *err)
{
    *pool = NULL;
    if (threads < 0 || threads > MOST_THREADS) {
        return at_fail(err, ATT_OPTION, "%d threads can't be started; give a number from 1 to %d, or 0 for one a core",
                       threads, MOST_THREADS);
    }
    at_pool *made = pool_alloc(threads > 0 ? threads : at_cpu_count());
    if (made == NULL) return at_fail_memory(err, sizeof *made);
    const int error = start_workers(made);
    if (error != 0) {
        char reason[128] = "unknown reason";
        (void)strerror_r(error, reason, sizeof reason);
        const int running = made->started + 1, wanted = made->threads;
        at_pool_free(made);
        return at_fail(err, ATT_MEMORY, "only %d of %d threads could be started: %s; ask for fewer threads", running,
                       wanted, reason);
    }
    *pool = made;
    return ATT_OK;
}

int at_pool_threads(const at_pool *pool)
{
    return pool->threads;
}

/* The number of the thread that calls: a worker's, or 0 for whoever drives the pool. */
static int own_number(const at_pool *pool)
{
    const pthread_t self = pthread_self();
    for (int i = 1; i <= pool->started; i++) {
        if (pthread_equal(pool->self[i], self)) return i;
    }
    return 0;
}

/* Wakes as many sleepers as the run has chunks that neither the caller nor a waking worker can take. */
static void wake_sleepers(at_pool *pool, int64_t chunks)
{
    const int sleepers = atomic_load(&pool->sleepers);
    const int64_t missing = chunks - (pool->threads - sleepers);
    if (sleepers == 0 || missing <= 0) return;
    pthread_mutex_lock(&pool->mutex);
    if (missing >= sleepers) {
        pthread_cond_broadcast(&pool->wake);
    } else {
        for (int64_t i = 0; i < missing; i++) pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->mutex);
}

/* Returns once every chunk is done; sleeps when a chunk takes long. */
static void wait_done(at_pool *pool)
{
    if (spin(&pool->unfinished, false)) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, true);
    while (atomic_load(&pool->unfinished) > 0) pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->mutex);
}

/* All chunks in order in the calling thread. */
static void run_inline(int64_t chunks, at_chunk_fn fn, void *arg, int thread)
{
    for (int64_t chunk = 0; chunk < chunks; chunk++) fn(arg, chunk, thread);
}

void at_pool_run(at_pool *pool, int64_t chunks, at_chunk_fn fn, void *arg)
{
    if (pool->running) {
        run_inline(chunks, fn, arg, own_number(pool));
        return;
    }
    pool->running = true;
    if (chunks <= 1 || pool->threads == 1) {
        run_inline(chunks, fn, arg, 0);
    } else {
        pool->fn = fn;
        pool->arg = arg;
        pool->chunks = chunks;
        atomic_store(&pool->unfinished, chunks);
        atomic_store(&pool->remaining, chunks);
        wake_sleepers(pool, chunks);
        take_chunks(pool, 0);
        wait_done(pool);
    }
    pool->running = false;
}
