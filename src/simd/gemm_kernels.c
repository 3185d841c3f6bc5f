/* Product kernels: one tile of C in registers, A broadcast, B streamed from panels, packed or where they lie.
 *
 *            panel 0          panel 1
 *         b: [k][16] ------   [k][16] ------
 *                |                |
 *   a: row 0  -> c00 (16 lanes)   c01
 *      row 1  -> c10              c11        each c is one accumulator, one chain over k
 *      ...
 *      row 13 -> ...                         AVX-512: 14 x 2 accumulators of 16 lanes, 28 of 32 registers
 *
 * In bfloat16 a word of A and a lane of B are pairs of neighbours in k, and a step adds two products. C is fetched while the
 * products are summed and added to once at the end. Rows beyond what the register file holds are done in steps (ATT_STEP).
 * Each output element is the same chain of multiply-adds whatever the tile, so the choice of tile never changes bits.
 * Contraction is on here, and in peak_kernels.c, which measures the bound of this rate; nowhere else. */
#include <string.h>

#include "simd/kernels.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif

#if defined(__AVX512F__)
enum { ATT_VL = 16, ATT_STEP = 14 };
typedef float at_v __attribute__((vector_size(64)));
typedef uint32_t at_u __attribute__((vector_size(64)));
typedef float at_vm __attribute__((vector_size(64), aligned(4), may_alias));
#elif defined(__AVX2__)
enum { ATT_VL = 8, ATT_STEP = 6 };
typedef float at_v __attribute__((vector_size(32)));
typedef uint32_t at_u __attribute__((vector_size(32)));
typedef float at_vm __attribute__((vector_size(32), aligned(4), may_alias));
#else
enum { ATT_VL = 4, ATT_STEP = 3 };
typedef float at_v __attribute__((vector_size(16)));
typedef uint32_t at_u __attribute__((vector_size(16)));
typedef float at_vm __attribute__((vector_size(16), aligned(4), may_alias));
#endif

enum { ATT_PARTS = ATT_PANEL / ATT_VL }; /* registers a panel row */

#define ATT_UNROLL _Pragma("GCC unroll 16")

/* sum + x y, each lane of y a pair in bfloat16 and so is x: the upper halves first, as the instruction does. Elsewhere halves are
 * widened, which is exact: the other 16 bits of a float32 are zero. */
static inline __attribute__((always_inline)) at_v add_pairs(at_v sum, float x, at_v y)
{
#if defined(__AVX512BF16__)
    return (at_v)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_ps(x), (__m512bh)y);
#else
    at_u bits = {0};
    uint32_t pair;
    memcpy(&pair, &x, sizeof pair);
    bits += pair;
    sum += (at_v)(bits & 0xffff0000u) * (at_v)((at_u)y & 0xffff0000u);
    return sum + (at_v)(bits << 16) * (at_v)((at_u)y << 16);
#endif
}

/* rows, panels, pairs and transposed are constants at each call, so the accumulators stay in registers. Rows of A are reached three
 * from one pointer (base, + lda, + 2 lda are addresses of one instruction), so that five pointers serve fourteen rows. */
static inline __attribute__((always_inline)) void tile(int rows, int panels, bool pairs, bool transposed,
                                                       const at_tile *t, const float *a, const float *b, float *c)
{
    enum { ROWS_A_POINTER = 3, POINTERS = (ATT_TILE_ROWS + ROWS_A_POINTER - 1) / ROWS_A_POINTER };
    const int64_t lda = t->lda, ldb = t->ldb, ldc = t->ldc, panel_stride = t->panel_stride;
    at_v acc[ATT_TILE_ROWS][2 * ATT_PARTS];
    const float *at[POINTERS];
    ATT_UNROLL for (int i = 0; i < rows; i += ROWS_A_POINTER) at[i / ROWS_A_POINTER] = transposed ? a + i : a + i * lda;
    ATT_UNROLL for (int i = 0; i < rows; i++) ATT_UNROLL for (int v = 0; v < panels; v++) /* C is written at the end */
        __builtin_prefetch(c + i * ldc + v * ATT_PANEL, 1);
    ATT_UNROLL for (int i = 0; i < rows; i++) ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++) acc[i][v] =
        (at_v){0};
    for (int64_t p = t->k; p > 0; p--) {
        at_v row[2 * ATT_PARTS];
        ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++) row[v] =
            *(const at_vm *)(b + (v / ATT_PARTS) * panel_stride + (v % ATT_PARTS) * ATT_VL);
        ATT_UNROLL for (int i = 0; i < rows; i++)
        {
            const float x = transposed ? a[i] : at[i / ROWS_A_POINTER][i % ROWS_A_POINTER * lda];
            ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++) acc[i][v] =
                pairs ? add_pairs(acc[i][v], x, row[v]) : acc[i][v] + x * row[v];
        }
        b += ldb;
        if (transposed) { /* rows of A may lie far apart: the next tile's columns are in this line or in the one fetched */
            __builtin_prefetch(a + 2 * ATT_TILE_ROWS);
            a += lda;
        } else
            ATT_UNROLL for (int i = 0; i < rows; i += ROWS_A_POINTER) at[i / ROWS_A_POINTER]++;
    }
    if (t->accumulate)
        ATT_UNROLL for (int i = 0; i < rows; i++) ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++) acc[i][v] +=
            (at_v)(*(const at_vm *)(c + i * ldc + v * ATT_VL));
    ATT_UNROLL for (int i = 0; i < rows; i++) ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++) *
        (at_vm *)(c + i * ldc + v * ATT_VL) = acc[i][v];
}

typedef void tile_fn(const at_tile *t, const float *a, const float *b, float *c);

#define ATT_DEFINE_TILE(n, panels, name, pairs, transposed)                                           \
    static void tile_##name##n##_##panels(const at_tile *t, const float *a, const float *b, float *c) \
    {                                                                                                 \
        tile(n, panels, pairs, transposed, t, a, b, c);                                               \
    }
#define ATT_DEFINE_TILES(n, panels)              \
    ATT_DEFINE_TILE(n, panels, , false, false)   \
    ATT_DEFINE_TILE(n, panels, t_, false, true)  \
    ATT_DEFINE_TILE(n, panels, bf_, true, false) \
    ATT_DEFINE_TILE(n, panels, bf_t_, true, true)
#if defined(__AVX512F__)
#define ATT_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
enum { ATT_PANELS_AT_ONCE = 2 };
#define ATT_DEFINE_ROWS(n) ATT_DEFINE_TILES(n, 1) ATT_DEFINE_TILES(n, 2)
#define ATT_NAMES(n)                                                   \
    {{{tile_##n##_1, tile_##n##_2}, {tile_t_##n##_1, tile_t_##n##_2}}, \
     {{tile_bf_##n##_1, tile_bf_##n##_2}, {tile_bf_t_##n##_1, tile_bf_t_##n##_2}}},
#else
#if defined(__AVX2__)
#define ATT_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define ATT_ROWS(X) X(1) X(2) X(3)
#endif
enum { ATT_PANELS_AT_ONCE = 1 };
#define ATT_DEFINE_ROWS(n) ATT_DEFINE_TILES(n, 1)
#define ATT_NAMES(n) {{{tile_##n##_1}, {tile_t_##n##_1}}, {{tile_bf_##n##_1}, {tile_bf_t_##n##_1}}},
#endif
ATT_ROWS(ATT_DEFINE_ROWS)
static tile_fn *const tiles[][2][2][ATT_PANELS_AT_ONCE] = {ATT_ROWS(ATT_NAMES)}; /* rows, pairs, transposed, panels */

static void run(const at_tile *t, bool pairs, bool transposed)
{
    const int64_t a_step = transposed ? 1 : t->lda;
    for (int64_t i = 0; i < t->rows; i += ATT_STEP) {
        const int64_t n = t->rows - i < ATT_STEP ? t->rows - i : ATT_STEP;
        for (int64_t j = 0; j < t->panels; j += ATT_PANELS_AT_ONCE) {
            const int64_t panels = t->panels - j < ATT_PANELS_AT_ONCE ? t->panels - j : ATT_PANELS_AT_ONCE;
            tiles[n - 1][pairs][transposed][panels - 1](t, t->a + i * a_step, t->b + j * t->panel_stride,
                                                        t->c + i * t->ldc + j * ATT_PANEL);
        }
    }
}

static void tile_float32(const at_tile *t)
{
    run(t, false, false);
}

static void tile_t_float32(const at_tile *t)
{
    run(t, false, true);
}

static void tile_bf16(const at_tile *t)
{
    run(t, true, false);
}

static void tile_t_bf16(const at_tile *t)
{
    run(t, true, true);
}

void ATT_GLUE(at_gemm_kernels, ATT_ISA)(at_kernels *table)
{
    table->float32.tile = tile_float32;
    table->float32.tile_t = tile_t_float32;
    table->bf16.tile = tile_bf16;
    table->bf16.tile_t = tile_t_bf16;
}
