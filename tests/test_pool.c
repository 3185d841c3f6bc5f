/* The thread pool: each chunk once, nested and tiny runs, workers awake and asleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/pool.h"

enum { MOST = 1000 };

typedef struct work {
    at_pool *pool;
    int threads;
    int hits[MOST]; /* plain on purpose: a chunk run twice at a time is a race that the thread sanitizer sees */
    _Atomic int64_t sum;
    _Atomic int strays;
} work;

static void wait_ns(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void count_chunk(void *arg, int64_t chunk, int thread)
{
    work *w = arg;
    w->hits[chunk]++;
    atomic_fetch_add(&w->sum, chunk);
    if (thread < 0 || thread >= w->threads) atomic_fetch_add(&w->strays, 1);
}

static void check_run(at_pool *pool, int64_t chunks)
{
    work w = {.threads = at_pool_threads(pool)};
    at_pool_run(pool, chunks, count_chunk, &w);
    assert_int_equal(w.sum, chunks * (chunks - 1) / 2);
    assert_int_equal(w.strays, 0);
    for (int64_t i = 0; i < MOST; i++) assert_int_equal(w.hits[i], i < chunks);
}

static void runs_each_chunk_once(void **state)
{
    (void)state;
    const int threads[] = {1, 2, 3, 8, 16};
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        at_pool *pool;
        assert_int_equal(at_pool_new(&pool, threads[t], NULL), ATT_OK);
        assert_int_equal(at_pool_threads(pool), threads[t]);
        const int64_t chunks[] = {0, 1, 2, 3, 7, 17, MOST};
        for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) check_run(pool, chunks[c]);
        at_pool_free(pool);
    }
}

static void many_small_runs(void **state)
{
    (void)state;
    at_pool *pool;
    assert_int_equal(at_pool_new(&pool, 4, NULL), ATT_OK);
    static work w;
    w.threads = 4;
    for (int run = 0; run < 5000; run++) at_pool_run(pool, 1 + run % 9, count_chunk, &w);
    assert_int_equal(w.strays, 0);
    assert_int_equal(w.hits[0], 5000);
    assert_int_equal(w.hits[8], 5000 / 9);
    at_pool_free(pool);
}

static void wakes_sleeping_workers(void **state)
{
    (void)state;
    at_pool *pool;
    assert_int_equal(at_pool_new(&pool, 3, NULL), ATT_OK);
    for (int i = 0; i < 50; i++) {
        wait_ns(i % 5 * 30000); /* about as long as workers spin, so that some runs meet them falling asleep */
        check_run(pool, 2 + i % 3);
    }
    at_pool_free(pool);
}

static void wait_for_partner(void *arg, int64_t chunk, int thread)
{
    work *w = arg;
    (void)chunk;
    (void)thread;
    atomic_fetch_add(&w->sum, 1);
    for (int i = 0; i < 5000 && atomic_load(&w->sum) < 2; i++) wait_ns(1000000);
}

/* Two chunks that need each other end only when two threads run them; a worker that sleeps must be woken for it. */
static void runs_chunks_at_the_same_time(void **state)
{
    (void)state;
    at_pool *pool;
    assert_int_equal(at_pool_new(&pool, 2, NULL), ATT_OK);
    for (int i = 0; i < 5; i++) {
        work w = {0};
        at_pool_run(pool, 2, wait_for_partner, &w);
        assert_int_equal(w.sum, 2);
        wait_ns(2000000);
    }
    at_pool_free(pool);
}

static void slow_chunk(void *arg, int64_t chunk, int thread)
{
    if (thread != 0) wait_ns(3000000);
    count_chunk(arg, chunk, thread);
}

static void caller_sleeps_for_slow_workers(void **state)
{
    (void)state;
    at_pool *pool;
    assert_int_equal(at_pool_new(&pool, 3, NULL), ATT_OK);
    work w = {.threads = 3};
    for (int i = 0; i < 10; i++) at_pool_run(pool, 60, slow_chunk, &w);
    for (int i = 0; i < 60; i++) assert_int_equal(w.hits[i], 10);
    at_pool_free(pool);
}

typedef struct inner_work {
    int outer_thread;
    int64_t next;
    int faults;
} inner_work;

static void inner_chunk(void *arg, int64_t chunk, int thread)
{
    inner_work *inner = arg;
    inner->faults += thread != inner->outer_thread || chunk != inner->next;
    inner->next++;
}

static void outer_chunk(void *arg, int64_t chunk, int thread)
{
    work *w = arg;
    inner_work inner = {.outer_thread = thread};
    at_pool_run(w->pool, 5, inner_chunk, &inner);
    if (inner.faults != 0 || inner.next != 5) atomic_fetch_add(&w->strays, 1);
    count_chunk(arg, chunk, thread);
}

static void nested_runs_are_inline(void **state)
{
    (void)state;
    at_pool *pool;
    assert_int_equal(at_pool_new(&pool, 4, NULL), ATT_OK);
    work w = {.pool = pool, .threads = 4};
    for (int i = 0; i < 50; i++) at_pool_run(pool, 1 + i, outer_chunk, &w);
    assert_int_equal(w.strays, 0);
    assert_int_equal(w.hits[0], 50);
    at_pool_free(pool);
}

static void counts_threads(void **state)
{
    (void)state;
    at_pool *pool;
    at_error err;
    assert_true(at_cpu_count() >= 1);
    assert_int_equal(at_pool_new(&pool, 0, &err), ATT_OK);
    assert_int_equal(at_pool_threads(pool), at_cpu_count());
    at_pool_free(pool);
    assert_int_equal(at_pool_new(&pool, -1, &err), ATT_OPTION);
    assert_null(pool);
    assert_int_equal(at_pool_new(&pool, 5000, &err), ATT_OPTION);
    assert_string_equal(err.text, "5000 threads can't be started; give a number from 1 to 1024, or 0 for one a core");
    at_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_each_chunk_once),
        cmocka_unit_test(many_small_runs),
        cmocka_unit_test(wakes_sleeping_workers),
        cmocka_unit_test(runs_chunks_at_the_same_time),
        cmocka_unit_test(caller_sleeps_for_slow_workers),
        cmocka_unit_test(nested_runs_are_inline),
        cmocka_unit_test(counts_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
