/* Bootstrap resampling of a test set (Efron 1979): how far would a score, or the difference of two systems, move with
 * other lines? */
#ifndef ATT_TEXT_BOOTSTRAP_H
#define ATT_TEXT_BOOTSTRAP_H

#include "text/metrics.h"

typedef struct at_bootstrap_result {
    double mean;     /* of the samples' scores */
    double interval; /* half the width of their central 95 % */
    double p_value;  /* of the difference to system 0; 1 for that one */
} at_bootstrap_result;

/* Draws `samples` test sets of `count` lines with replacement, the same for all systems, and scores them. systems
 * (system_count) of (count, sum_count): the sums of each line (at_metric_totals), system 0 the baseline; results
 * (system_count). The p-value is that of the paired test (Koehn 2004, "Statistical significance tests for machine
 * translation evaluation") as sacreBLEU has it: with D the difference of the scores and d_s that of sample s, the share
 * of samples, one more on either side, whose |d_s| exceeds the mean of |d_s| by more than |D|. The seed gives
 * sacreBLEU's samples. count: 1 to 2^32 - 1. ATT_CANCELLED: cancel (may be NULL) was raised. */
at_status at_bootstrap(const at_metric *metric, const double *const *systems, size_t system_count, size_t count,
                       int64_t samples, uint64_t seed, const volatile int *cancel, at_bootstrap_result *results,
                       at_error *err);

#endif
