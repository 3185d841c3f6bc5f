/* Product kernels: one tile of C in registers, A broadcast, B streamed from packed panels.
 *
 *            panel 0          panel 1
 *         b: [k][16] ------   [k][16] ------
 *                |                |
 *   a: row 0  -> c00 (16 lanes)   c01
 *      row 1  -> c10              c11        each c is one accumulator, one chain over k
 *      ...
 *      row 13 -> ...                         AVX-512: 14 x 2 accumulators of 16 lanes, 28 of 32 registers
 *
 * Rows beyond what the register file holds are done in steps (ATT_STEP). Each output element is the same chain of multiply-adds
 * whatever the tile, so the choice of tile never changes bits. Contraction is on in this file alone. */
#include "simd/kernels.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif

#if defined(__AVX512F__)
enum { ATT_VL = 16, ATT_STEP = 14 };
typedef float at_v __attribute__((vector_size(64)));
typedef float at_vm __attribute__((vector_size(64), aligned(4), may_alias));
#elif defined(__AVX2__)
enum { ATT_VL = 8, ATT_STEP = 6 };
typedef float at_v __attribute__((vector_size(32)));
typedef float at_vm __attribute__((vector_size(32), aligned(4), may_alias));
#else
enum { ATT_VL = 4, ATT_STEP = 3 };
typedef float at_v __attribute__((vector_size(16)));
typedef float at_vm __attribute__((vector_size(16), aligned(4), may_alias));
#endif

enum { ATT_PARTS = ATT_PANEL / ATT_VL }; /* registers a panel row */

#define ATT_UNROLL _Pragma("GCC unroll 16")

/* rows, panels, row_stride and k_stride are constants at each call, so the accumulators stay in registers. */
static inline __attribute__((always_inline)) void tile(int rows, int panels, int64_t k, const float *restrict a, int64_t row_stride,
                                                       int64_t k_stride, const float *restrict b, int64_t panel_stride,
                                                       float *restrict c, int64_t ldc, bool accumulate)
{
    at_v acc[ATT_TILE_ROWS][2 * ATT_PARTS];
    ATT_UNROLL for (int i = 0; i < rows; i++)
    ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++)
        acc[i][v] = accumulate ? (at_v)(*(const at_vm *)(c + i * ldc + v * ATT_VL)) : (at_v){0};
    for (int64_t p = 0; p < k; p++) {
        at_v row[2 * ATT_PARTS];
        ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++)
            row[v] = *(const at_vm *)(b + (v / ATT_PARTS) * panel_stride + p * ATT_PANEL + (v % ATT_PARTS) * ATT_VL);
        ATT_UNROLL for (int i = 0; i < rows; i++) {
            const float x = a[i * row_stride + p * k_stride];
            ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++) acc[i][v] += x * row[v];
        }
    }
    ATT_UNROLL for (int i = 0; i < rows; i++)
    ATT_UNROLL for (int v = 0; v < panels * ATT_PARTS; v++) *(at_vm *)(c + i * ldc + v * ATT_VL) = acc[i][v];
}

#define ATT_DEFINE_ROWS(n)                                                                                             \
    static void tile_##n(int64_t panels, int64_t k, const float *a, const float *b, int64_t pb, float *c, int64_t ldc, \
                         bool accumulate)                                                                              \
    {                                                                                                                  \
        if (panels == 2)                                                                                               \
            tile(n, 2, k, a, ATT_TILE_STRIDE, 1, b, pb, c, ldc, accumulate);                                           \
        else                                                                                                           \
            tile(n, 1, k, a, ATT_TILE_STRIDE, 1, b, pb, c, ldc, accumulate);                                           \
    }                                                                                                                  \
    static void tile_t_##n(int64_t panels, int64_t k, const float *a, int64_t lda, const float *b, int64_t pb, float *c, \
                           int64_t ldc, bool accumulate)                                                               \
    {                                                                                                                  \
        if (panels == 2)                                                                                               \
            tile(n, 2, k, a, 1, lda, b, pb, c, ldc, accumulate);                                                       \
        else                                                                                                           \
            tile(n, 1, k, a, 1, lda, b, pb, c, ldc, accumulate);                                                       \
    }

typedef void tile_fn(int64_t, int64_t, const float *, const float *, int64_t, float *, int64_t, bool);
typedef void tile_t_fn(int64_t, int64_t, const float *, int64_t, const float *, int64_t, float *, int64_t, bool);

#if defined(__AVX512F__)
#define ATT_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
enum { ATT_PANELS_AT_ONCE = 2 };
#elif defined(__AVX2__)
#define ATT_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
enum { ATT_PANELS_AT_ONCE = 1 };
#else
#define ATT_ROWS(X) X(1) X(2) X(3)
enum { ATT_PANELS_AT_ONCE = 1 };
#endif
ATT_ROWS(ATT_DEFINE_ROWS)

#define ATT_NAME(n) tile_##n,
#define ATT_NAME_T(n) tile_t_##n,
static tile_fn *const tiles[] = {ATT_ROWS(ATT_NAME)};
static tile_t_fn *const tiles_t[] = {ATT_ROWS(ATT_NAME_T)};

static void gemm_tile(int64_t rows, int64_t panels, int64_t k, const float *a, const float *b, int64_t panel_stride,
                                     float *c, int64_t ldc, bool accumulate)
{
    for (int64_t i = 0; i < rows; i += ATT_STEP) {
        const int64_t n = rows - i < ATT_STEP ? rows - i : ATT_STEP;
        for (int64_t j = 0; j < panels; j += ATT_PANELS_AT_ONCE)
            tiles[n - 1](panels - j < ATT_PANELS_AT_ONCE ? panels - j : ATT_PANELS_AT_ONCE, k, a + i * ATT_TILE_STRIDE,
                         b + j * panel_stride, panel_stride, c + i * ldc + j * ATT_PANEL, ldc, accumulate);
    }
}

static void gemm_tile_t(int64_t rows, int64_t panels, int64_t k, const float *a, int64_t lda, const float *b,
                                       int64_t panel_stride, float *c, int64_t ldc, bool accumulate)
{
    for (int64_t i = 0; i < rows; i += ATT_STEP) {
        const int64_t n = rows - i < ATT_STEP ? rows - i : ATT_STEP;
        for (int64_t j = 0; j < panels; j += ATT_PANELS_AT_ONCE)
            tiles_t[n - 1](panels - j < ATT_PANELS_AT_ONCE ? panels - j : ATT_PANELS_AT_ONCE, k, a + i, lda,
                           b + j * panel_stride, panel_stride, c + i * ldc + j * ATT_PANEL, ldc, accumulate);
    }
}

void ATT_GLUE(at_gemm_kernels, ATT_ISA)(at_kernels *table)
{
    table->gemm_tile = gemm_tile;
    table->gemm_tile_t = gemm_tile_t;
}
