/* The seed of random output. */
#ifndef ATT_CLI_SEED_H
#define ATT_CLI_SEED_H

#include <stdint.h>

#include "cli/output.h"

/* Replaces a seed below 0, which nobody gave, by a new one, and tells it, so that the output can be had again. */
void at_seed_choose(at_output *output, int64_t *seed);

#endif
