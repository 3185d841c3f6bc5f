/* See seed.h. */
#include "cli/seed.h"

#include <time.h>
#include <unistd.h>

#include "base/rng.h"

void at_seed_choose(at_output *output, int64_t *seed)
{
    struct timespec now;
    if (*seed >= 0) return;
    clock_gettime(CLOCK_REALTIME, &now);
    const uint64_t key = at_rng_key((uint64_t)now.tv_sec, (uint64_t)now.tv_nsec);
    *seed = (int64_t)(at_rng_key(key, (uint64_t)getpid()) >> 33);
    at_note(output, "seed %lld; --seed %lld gives the same output again", (long long)*seed, (long long)*seed);
}
