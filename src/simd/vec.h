/* The 16-lane vector on which row kernels are written. The compiler maps it to one AVX-512 register, two of AVX2 or four
 * of SSE; the arithmetic of each lane is the same, so the bits are too (contraction is off in these files). Intrinsics stand only
 * where one instruction does what the vector type takes several for (max, min, parts of rows), with the same bits.
 *
 * exp and erf are own polynomials for the same reason, and sigmoid and tanh are made of exp: a libm differs between systems. Only the
 * logarithm, one per row, is libm's (softmax_kernels.c): the same for all tables on one machine, but what is computed from it (losses,
 * log-probabilities, attention's backward) may differ in its last bits between systems. */
#ifndef ATT_SIMD_VEC_H
#define ATT_SIMD_VEC_H

#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "simd/kernels.h"

typedef float at_vf __attribute__((vector_size(64)));
typedef int32_t at_vi __attribute__((vector_size(64)));
typedef uint32_t at_vu __attribute__((vector_size(64)));

enum { ATT_LANES = 16 };

#define ATT_INLINE static inline __attribute__((always_inline))

ATT_INLINE at_vf at_vset(float x)
{
    return (at_vf){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

ATT_INLINE at_vf at_vload(const float *p)
{
    at_vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

ATT_INLINE void at_vstore(float *p, at_vf v)
{
    memcpy(p, &v, sizeof v);
}

/* The first n (1 .. 15) lanes from memory, the others `fill`. Masked instructions where there are any: going through memory,
 * float by float, takes longer than most kernels have to do for a short row. */
ATT_INLINE at_vf at_vload_part(const float *p, int64_t n, float fill)
{
#if defined(__AVX512F__)
    return (at_vf)_mm512_mask_loadu_ps((__m512)at_vset(fill), (__mmask16)((1u << n) - 1), p);
#else
    float t[ATT_LANES];
    for (int i = 0; i < ATT_LANES; i++) t[i] = i < n ? p[i] : fill;
    return at_vload(t);
#endif
}

/* The 16 floats at p + at of n, zeros behind the end. */
ATT_INLINE at_vf load(const float *p, int64_t at, int64_t n)
{
    return n - at >= ATT_LANES ? at_vload(p + at) : at_vload_part(p + at, n - at, 0);
}

ATT_INLINE void at_vstore_part(float *p, at_vf v, int64_t n)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    float t[ATT_LANES];
    at_vstore(t, v);
    for (int64_t i = 0; i < n; i++) p[i] = t[i];
#endif
}

ATT_INLINE at_vf at_vselect(at_vi mask, at_vf yes, at_vf no)
{
    return (at_vf)((mask & (at_vi)yes) | (~mask & (at_vi)no));
}

/* All ones in the first n lanes. */
ATT_INLINE at_vi at_vfirst(int64_t n)
{
    return (at_vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} < (int32_t)n;
}

/* a > b ? a : b, so b where one of them is NaN. */
ATT_INLINE at_vf at_vmax(at_vf a, at_vf b)
{
#if defined(__AVX512F__)
    return (at_vf)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return at_vselect(a > b, a, b);
#endif
}

/* a < b ? a : b, so b where one of them is NaN. */
ATT_INLINE at_vf at_vmin(at_vf a, at_vf b)
{
#if defined(__AVX512F__)
    return (at_vf)_mm512_min_ps((__m512)a, (__m512)b);
#else
    return at_vselect(a < b, a, b);
#endif
}

/* Lane i of the upper half, quarter, .. beside lane i of the lower one. */
#define ATT_UPPER(v, half)                                                                                        \
    __builtin_shufflevector(v, v, (half), (half) + 1, (half) + 2, (half) + 3, (half) + 4, (half) + 5, (half) + 6, \
                            (half) + 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* Sum of the lanes as a fixed tree: halves are added until one lane is left. */
ATT_INLINE float at_vsum(at_vf v)
{
    v += ATT_UPPER(v, 8);
    v += ATT_UPPER(v, 4);
    v += ATT_UPPER(v, 2);
    v += ATT_UPPER(v, 1);
    return v[0];
}

ATT_INLINE float at_vhmax(at_vf v)
{
    v = at_vmax(v, ATT_UPPER(v, 8));
    v = at_vmax(v, ATT_UPPER(v, 4));
    v = at_vmax(v, ATT_UPPER(v, 2));
    v = at_vmax(v, ATT_UPPER(v, 1));
    return v[0];
}

/* exp(x) with less than 1 ulp of error: x = n ln2 + r, |r| <= ln2 / 2, 2^n by exponent bits, e^r by Cephes' polynomial (Moshier,
 * expf). Below -87.3 the result is 0, above 88.7 it is +inf; NaN stays NaN. */
ATT_INLINE at_vf at_vexp(at_vf x)
{
    const at_vf lowest = at_vset(-87.33654f), highest = at_vset(88.72283f);
    const at_vf shift = at_vset(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    const at_vf clamped = at_vmax(lowest, at_vmin(x, highest));
    const at_vf biased = clamped * at_vset(1.44269504088896341f) + shift;
    const at_vf n = biased - shift;
    at_vf r = clamped - n * at_vset(0.693359375f);
    r = r - n * at_vset(-2.12194440e-4f);
    at_vf p = at_vset(1.9875691500e-4f);
    p = p * r + at_vset(1.3981999507e-3f);
    p = p * r + at_vset(8.3334519073e-3f);
    p = p * r + at_vset(4.1665795894e-2f);
    p = p * r + at_vset(1.6666665459e-1f);
    p = p * r + at_vset(5.0000001201e-1f);
    p = p * (r * r) + r + at_vset(1.0f);
    /* n stands in the low bits of biased, and is added to p's exponent: 2^n p is a normal number at both ends. */
    const at_vf y = (at_vf)((at_vu)p + ((at_vu)biased << 23));
    const at_vf or_zero = (at_vf)(~(x < lowest) & (at_vi)y);
    return at_vselect(x <= highest, or_zero, x * at_vset(__builtin_inff())); /* +inf, or NaN */
}

ATT_INLINE at_vf at_vsigmoid(at_vf x)
{
    return at_vset(1.0f) / (at_vset(1.0f) + at_vexp(-x));
}

/* erf(x) to 1e-7: below 1 an odd polynomial, above it 1 - e^(-x^2) P(1/x^2) / x (Cephes, erff and erfcf). */
ATT_INLINE at_vf at_verf(at_vf x)
{
    const at_vf one = at_vset(1.0f);
    const at_vf a = (at_vf)((at_vi)x & 0x7fffffff);
    const at_vf z = x * x;
    at_vf t = at_vset(7.853861353153693E-5f);
    t = t * z + at_vset(-8.010193625184903E-4f);
    t = t * z + at_vset(5.188327685732524E-3f);
    t = t * z + at_vset(-2.685381193529856E-2f);
    t = t * z + at_vset(1.128358514861418E-1f);
    t = t * z + at_vset(-3.761262582423300E-1f);
    t = t * z + at_vset(1.128379165726710E+0f);
    const at_vf small = x * t;

    const at_vf b = at_vmax(a, one); /* keeps the unused branch finite */
    const at_vf q = one / b, y = q * q;
    at_vf p = at_vset(2.326819970068386E-2f); /* 1 <= |x| < 2 */
    p = p * y + at_vset(-1.387039388740657E-1f);
    p = p * y + at_vset(3.687424674597105E-1f);
    p = p * y + at_vset(-5.824733027278666E-1f);
    p = p * y + at_vset(6.210004621745983E-1f);
    p = p * y + at_vset(-4.944515323274145E-1f);
    p = p * y + at_vset(3.404879937665872E-1f);
    p = p * y + at_vset(-2.741127028184656E-1f);
    p = p * y + at_vset(5.638259427386472E-1f);
    at_vf r = at_vset(-1.047766399936249E+1f); /* 2 <= |x| */
    r = r * y + at_vset(1.297719955372516E+1f);
    r = r * y + at_vset(-7.495518717768503E+0f);
    r = r * y + at_vset(2.921019019210786E+0f);
    r = r * y + at_vset(-1.015265279202700E+0f);
    r = r * y + at_vset(4.218463358204948E-1f);
    r = r * y + at_vset(-2.820767439740514E-1f);
    r = r * y + at_vset(5.641895067754075E-1f);
    const at_vf tail = one - at_vexp(-z) * q * at_vselect(b < at_vset(2.0f), p, r);
    const at_vf large = (at_vf)((at_vi)tail | ((at_vi)x & (int32_t)0x80000000));
    return at_vselect(a < one, small, large);
}

/* murmur3's 32-bit finaliser over the element's index, keyed twice: a draw per element, equal on every instruction set. */
ATT_INLINE at_vu at_vhash(uint32_t index, const at_dropout_arg *drop)
{
    const at_vu lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    at_vu h = (lane + index) * 0x9E3779B9u ^ drop->key[0];
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h += drop->key[1];
    h *= 0xC2B2AE35u;
    return h ^ (h >> 16);
}

/* scale where the element stays, 0 where it is dropped. */
ATT_INLINE at_vf at_vdropout(uint32_t index, const at_dropout_arg *drop)
{
    const at_vi keep = (at_vi)(at_vhash(index, drop) >= drop->threshold);
    return (at_vf)(keep & (at_vi)at_vset(drop->scale));
}

#endif
