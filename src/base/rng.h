/* Counter-based random numbers: a draw is a pure function of (key, index), so
 * results depend neither on thread count nor on what was drawn before, and a
 * resumed run needs no generator state. A key is mixed from (seed, step,
 * micro-batch, op).
 *
 * The mixer is splitmix64's finaliser (Steele, Lea, Flood 2014, "Fast
 * splittable pseudorandom number generators"); the 32-bit one that the dropout
 * kernel evaluates per element is murmur3's. */
#ifndef ATT_BASE_RNG_H
#define ATT_BASE_RNG_H

#include <math.h>
#include <stdint.h>

static inline uint64_t at_rng_mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* A child key: draws under different numbers are independent. */
static inline uint64_t at_rng_key(uint64_t key, uint64_t number)
{
    return at_rng_mix(key ^ at_rng_mix(number));
}

static inline uint64_t at_rng_u64(uint64_t key, uint64_t index)
{
    return at_rng_mix(key + index * 0x9E3779B97F4A7C15u);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double at_rng_uniform(uint64_t key, uint64_t index)
{
    return (double)(at_rng_u64(key, index) >> 11) * 0x1p-53;
}

/* Uniform integer in [0, n), n > 0, by multiply-shift (bias below n / 2^32). */
static inline uint32_t at_rng_below(uint64_t key, uint64_t index, uint32_t n)
{
    return (uint32_t)(((at_rng_u64(key, index) >> 32) * n) >> 32);
}

/* Standard normal by Box-Muller, one draw an index. */
static inline double at_rng_normal(uint64_t key, uint64_t index)
{
    const double u = 1.0 - at_rng_uniform(key, 2 * index);
    const double v = at_rng_uniform(key, 2 * index + 1);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

#endif
