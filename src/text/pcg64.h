/* The generator PCG64 (O'Neill 2014, "PCG: a family of simple fast space-efficient statistically good algorithms for
 * random number generation", XSL-RR with 128 bits of state), seeded as numpy.random.default_rng(seed) seeds it. It
 * draws what NumPy draws, so that a seed in a signature gives sacreBLEU's samples. Everything else draws from
 * base/rng.h. */
#ifndef ATT_TEXT_PCG64_H
#define ATT_TEXT_PCG64_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 at_uint128;

typedef struct at_pcg64 {
    at_uint128 state, increment;
    uint32_t spare; /* the other half of the last 64 bits */
    bool has_spare;
} at_pcg64;

void at_pcg64_init(at_pcg64 *rng, uint64_t seed);
/* Uniform in [0, n), n from 1 to 2^32 - 1; as default_rng's integers(n). n 1 draws nothing. */
uint32_t at_pcg64_below(at_pcg64 *rng, uint32_t n);

#endif
