/* The number of threads worth starting, on a system that a test can make up. Users call at_cpu_count (pool.h). */
#ifndef ATT_BASE_CPU_COUNT_H
#define ATT_BASE_CPU_COUNT_H

#include <stdbool.h>

/* What at_cpu_count would say where /proc and /sys lie under root ("" for this system) and the affinity mask holds
 * those of `processors` processors that are usable. At least 1. */
int at_cpu_count_under(const char *root, const bool *usable, int processors);

#endif
