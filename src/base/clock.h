/* The clock for measuring durations: it never jumps, and its zero means nothing. */
#ifndef ATT_BASE_CLOCK_H
#define ATT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t at_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline double at_clock(void) /* seconds */
{
    return 1e-9 * (double)at_clock_ns();
}

#endif
