/* Medians, of timings and rates. */
#ifndef ATT_BASE_MEDIAN_H
#define ATT_BASE_MEDIAN_H

#include <stdint.h>

/* n > 0. Sorts the values, the least one first. */
double at_median(double *values, int64_t n);

#endif
