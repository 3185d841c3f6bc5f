/* Packing of operands for the tile kernels, in float32 and in bfloat16 (rounded to nearest, ties to even).
 *
 *   panel of B, float32: [k][16]               panel of B, bfloat16: [k / 2][16][2]
 *     k = 0   b0,0  b0,1  ..  b0,15              word row 0   b0,0|b1,0   b0,1|b1,1  ..  b0,15|b1,15
 *     k = 1   b1,0  b1,1  ..  b1,15              word row 1   b2,0|b3,0   b2,1|b3,1  ..
 *
 * Rows of A become words of the same kind, a[i,0]|a[i,1], a[i,2]|a[i,3] ..: a tile kernel broadcasts one word of A and
 * multiplies it by a word row of B, which is two steps of K in bfloat16 (gemm_kernels.c). The left half of a word is its low
 * 16 bits; behind an odd end of K stands zero. */
#include "simd/vec.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

typedef uint16_t at_vh __attribute__((vector_size(64))); /* 32 lanes of bfloat16 */

#if defined(__AVX512BF16__)
/* x, then y. */
ATT_INLINE at_vh rounded(at_vf x, at_vf y)
{
    return (at_vh)_mm512_cvtne2ps_pbh((__m512)y, (__m512)x);
}
#else
typedef uint16_t at_vh_half __attribute__((vector_size(32)));

/* bfloat16 is the upper half of a float32: half of the last place kept is added, a little less where that place is even. */
ATT_INLINE at_vh_half rounded_half(at_vf x)
{
    const at_vu bits = (at_vu)x, up = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
    return __builtin_convertvector((at_vu)at_vselect(x != x, (at_vf)quiet, (at_vf)up) >> 16, at_vh_half);
}

ATT_INLINE at_vh rounded(at_vf x, at_vf y)
{
    return __builtin_shufflevector(rounded_half(x), rounded_half(y), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                   15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
}
#endif

/* 16 x 16 floats transposed in registers: four rounds of interleaving row i with row i + 8. */
ATT_INLINE void transpose(at_vf row[ATT_LANES])
{
    for (int round = 0; round < 4; round++) {
        at_vf next[ATT_LANES];
        _Pragma("GCC unroll 8") for (int i = 0; i < ATT_LANES / 2; i++)
        {
            const at_vf a = row[i], b = row[i + ATT_LANES / 2];
            next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            next[2 * i + 1] =
                __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        _Pragma("GCC unroll 16") for (int i = 0; i < ATT_LANES; i++) row[i] = next[i];
    }
}

/* 16 words from word `at` on of a row of n floats. */
ATT_INLINE at_vf row_words(const float *row, int64_t at, int64_t n, bool pairs)
{
    if (!pairs) return load(row, at, n);
    const bool rest = 2 * at + ATT_LANES < n;
    return (at_vf)rounded(load(row, 2 * at, n), rest ? load(row, 2 * at + ATT_LANES, n) : at_vset(0.0f));
}

/* 16 words from column `at` on of a row of n floats and, where there is one, the row below it. */
ATT_INLINE at_vf column_words(const float *row, const float *below, int64_t at, int64_t n, bool pairs)
{
    const at_vf upper = load(row, at, n);
    if (!pairs) return upper;
    const at_vh v = rounded(upper, below ? load(below, at, n) : at_vset(0.0f));
    return (at_vf)__builtin_shufflevector(v, v, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25,
                                          10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

ATT_INLINE int64_t words(int64_t n, bool pairs)
{
    return pairs ? (n + 1) / 2 : n;
}

/* What is written behind a row, less than a vector, is undefined. */
ATT_INLINE void rows_as(bool pairs, float *to, int64_t stride, const float *a, int64_t ld, int64_t rows, int64_t n)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t at = 0; at < words(n, pairs); at += ATT_LANES)
            at_vstore(to + i * stride + at, row_words(a + i * ld, at, n, pairs));
}

ATT_INLINE void transposed_as(bool pairs, float *panel, const float *rows_at, int64_t ld, int64_t rows, int64_t n)
{
    const int64_t height = words(n, pairs);
    for (int64_t from = 0; from < height; from += ATT_LANES) {
        at_vf block[ATT_LANES];
        _Pragma("GCC unroll 16") for (int r = 0; r < ATT_LANES; r++) block[r] =
            r < rows ? row_words(rows_at + r * ld, from, n, pairs) : at_vset(0.0f);
        transpose(block);
        const int64_t count = height - from < ATT_LANES ? height - from : ATT_LANES;
        for (int64_t k = 0; k < count; k++) at_vstore(panel + (from + k) * ATT_PANEL, block[k]);
    }
}

/* Row by row, because rows are what the processor fetches ahead. A whole vector is stored at a time; what it writes past its
 * strip's row is overwritten by the next row, or falls behind the strip. */
ATT_INLINE void strips_as(bool pairs, float *strips, int64_t stride, int64_t width, const float *a, int64_t ld,
                          int64_t depth, int64_t columns)
{
    for (int64_t p = 0; p < words(depth, pairs); p++) {
        const float *row = a + (pairs ? 2 * p : p) * ld, *below = 2 * p + 1 < depth ? row + ld : NULL;
        float *to = strips + p * width;
        for (int64_t i = 0; i < columns; i += width, to += stride)
            at_vstore(to, column_words(row, below, i, columns, pairs));
    }
}

#define ATT_DEFINE_PACK(name, pairs)                                                                             \
    static void pack_rows_##name(float *to, int64_t stride, const float *a, int64_t ld, int64_t rows, int64_t n) \
    {                                                                                                            \
        rows_as(pairs, to, stride, a, ld, rows, n);                                                              \
    }                                                                                                            \
    static void pack_transposed_##name(float *panel, const float *rows_at, int64_t ld, int64_t rows, int64_t n)  \
    {                                                                                                            \
        transposed_as(pairs, panel, rows_at, ld, rows, n);                                                       \
    }                                                                                                            \
    static void pack_strips_##name(float *strips, int64_t stride, int64_t width, const float *a, int64_t ld,     \
                                   int64_t depth, int64_t columns)                                               \
    {                                                                                                            \
        strips_as(pairs, strips, stride, width, a, ld, depth, columns);                                          \
    }                                                                                                            \
    static void fill_##name(at_product *product)                                                                 \
    {                                                                                                            \
        product->per_word = pairs ? 2 : 1;                                                                       \
        product->pack_rows = pack_rows_##name;                                                                   \
        product->pack_transposed = pack_transposed_##name;                                                       \
        product->pack_strips = pack_strips_##name;                                                               \
    }
ATT_DEFINE_PACK(float32, false)
ATT_DEFINE_PACK(bf16, true)

void ATT_GLUE(at_pack_kernels, ATT_ISA)(at_kernels *table)
{
    fill_float32(&table->float32);
    fill_bf16(&table->bf16);
}
