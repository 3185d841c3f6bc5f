/* Clock and medians of the benchmarks. */
#ifndef ATT_BENCH_BENCH_TIME_H
#define ATT_BENCH_BENCH_TIME_H

#include <stdint.h>

double at_bench_now(void);                         /* seconds, monotonic */
double at_bench_median(double *values, int64_t n); /* sorts them; n > 0 */

#endif
