/* See seed.h. */
#include "cli/seed.h"

#include <time.h>
#include <unistd.h>

#include "base/rng.h"

uint64_t at_seed_choose(at_output *output, int64_t asked, bool drawn)
{
    struct timespec now;
    if (asked >= 0) return (uint64_t)asked;
    if (!drawn) return 0;
    clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t key = at_rng_key((uint64_t)now.tv_sec, (uint64_t)now.tv_nsec);
    const long long seed = (long long)(at_rng_key(key, (uint64_t)getpid()) >> 33);
    at_note(output, "seed %lld; --seed %lld gives the same output again", seed, seed);
    return (uint64_t)seed;
}
