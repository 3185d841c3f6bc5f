/* See pcg64.h. The seeding is NumPy's SeedSequence, after O'Neill 2015, "Developing a seed_seq alternative". */
#include "text/pcg64.h"

enum { POOL = 4, WORDS = 8 };

static at_uint128 join(uint64_t high, uint64_t low)
{
    return (at_uint128)high << 64 | low;
}

/* Hashes a word; the multiplier changes from call to call. */
static uint32_t hash(uint32_t value, uint32_t *constant, uint32_t factor)
{
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ value >> 16;
}

static uint32_t mix(uint32_t x, uint32_t y)
{
    const uint32_t value = x * 0xCA01F9DDu - y * 0x4973F715u;
    return value ^ value >> 16;
}

/* The seed's words, spread so that each bit of it changes each word of the pool. */
static void fill_pool(uint64_t seed, uint32_t pool[POOL])
{
    const uint32_t words[POOL] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t constant = 0x43B0D7E5u;
    for (int i = 0; i < POOL; i++) pool[i] = hash(words[i], &constant, 0x931E8875u);
    for (int from = 0; from < POOL; from++) {
        for (int to = 0; to < POOL; to++) {
            if (from != to) pool[to] = mix(pool[to], hash(pool[from], &constant, 0x931E8875u));
        }
    }
}

static void step(at_pcg64 *rng)
{
    rng->state = rng->state * join(0x2360ED051FC65DA4u, 0x4385DF649FCCF645u) + rng->increment;
}

void at_pcg64_init(at_pcg64 *rng, uint64_t seed)
{
    uint32_t pool[POOL], constant = 0x8B51F9DDu;
    uint64_t words[WORDS / 2] = {0}; /* state and stream, each the high half first */
    fill_pool(seed, pool);
    for (int i = 0; i < WORDS; i++) {
        words[i / 2] |= (uint64_t)hash(pool[i % POOL], &constant, 0x58F38DEDu) << (i % 2 * 32);
    }
    *rng = (at_pcg64){.increment = join(words[2], words[3]) << 1 | 1};
    step(rng);
    rng->state += join(words[0], words[1]);
    step(rng);
}

static uint64_t next_64(at_pcg64 *rng)
{
    step(rng);
    const uint64_t bits = (uint64_t)(rng->state >> 64) ^ (uint64_t)rng->state;
    const unsigned turn = (unsigned)(rng->state >> 122);
    return bits >> turn | bits << (-turn & 63);
}

static uint32_t next_32(at_pcg64 *rng)
{
    rng->has_spare = !rng->has_spare;
    if (!rng->has_spare) return rng->spare;
    const uint64_t bits = next_64(rng);
    rng->spare = (uint32_t)(bits >> 32);
    return (uint32_t)bits;
}

/* Lemire 2019, "Fast random integer generation in an interval": no bias. */
uint32_t at_pcg64_below(at_pcg64 *rng, uint32_t n)
{
    if (n <= 1) return 0;
    const uint32_t threshold = -n % n;
    uint64_t product;
    do {
        product = (uint64_t)next_32(rng) * n;
    } while ((uint32_t)product < threshold);
    return (uint32_t)(product >> 32);
}
