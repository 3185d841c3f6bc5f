/* The seed of random output. */
#ifndef ATT_CLI_SEED_H
#define ATT_CLI_SEED_H

#include <stdint.h>

#include "cli/output.h"

/* The seed to use: the one asked for, or for one below 0, which nobody gave, a new one, which is told, so that the output can be had
 * again; 0 where none was given and nothing is drawn. */
uint64_t at_seed_choose(at_output *output, int64_t asked, bool drawn);

#endif
