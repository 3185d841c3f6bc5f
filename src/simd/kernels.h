/* Kernel table: every slot is a plain function on raw pointers, compiled once per instruction set from the same
 * source (*_kernels.c, see cmake/simd.cmake) and chosen once at start. Every table is complete.
 *
 * Row kernels work on 16 lanes on every instruction set, multiply and add rounded separately, so all tables give the
 * same bits. The product kernels use fused multiply-add where the processor has it; there an output element is
 * the same sum over k, so its bits depend on the instruction set but never on tile, batch or threads.
 *
 * Read next: vec.h (the 16-lane vector), gemm_kernels.c, pack_kernels.c, row_kernels.c. */
#ifndef ATT_SIMD_KERNELS_H
#define ATT_SIMD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/act.h"

/* Products: columns of a panel, rows of a tile at most, depth of one call (so that A stays in L1), odd row stride of a copied A. */
enum { ATT_PANEL = 16, ATT_TILE_ROWS = 14, ATT_TILE_DEPTH = 256, ATT_TILE_STRIDE = 272 };

enum { ATT_PEAK_SINK = 3 };

/* A dropout mask is a pure function of (key, index); see vec.h. rate 0 means no dropout. */
typedef struct at_dropout_arg {
    uint32_t key[2];
    uint32_t threshold; /* drop where hash < threshold */
    float scale;        /* 1 / (1 - rate) */
} at_dropout_arg;

static inline at_dropout_arg at_dropout_make(float rate, uint64_t key)
{
    const at_dropout_arg arg = {{(uint32_t)key, (uint32_t)(key >> 32)},
                                (uint32_t)((double)rate * 4294967296.0),
                                rate > 0 ? 1.0f / (1.0f - rate) : 1.0f};
    return arg;
}

typedef struct at_softmax_state { /* running softmax of one row (Milakov and Gimelshein 2018) */
    float max, sum;
} at_softmax_state;

/* A tile of attention scores, queries by keys, row i at i * ld. Row i sees its first visible + i * step keys (at least 0, at most
 * `keys`); the others have weight zero. A kernel writes rows up to the next multiple of 16 keys, with zeros behind the last; ld is at
 * least that. */
typedef struct at_score_tile {
    int64_t rows, keys, ld;
    int64_t visible, step;
    float scale;
    at_dropout_arg drop;
    uint32_t index, index_step; /* of the first key in the dropout mask: index + i * index_step */
} at_score_tile;

typedef struct at_optimize_arg {
    float rate, beta1, beta2, eps; /* Adam: rate with the bias correction of the first moment folded in */
    float correction2;             /* Adam: 1 / sqrt(1 - beta2^t) */
    float gradient_scale;          /* clipping */
    float momentum;
    float l2;     /* times the weight, added to the gradient */
    float shrink; /* the weight is multiplied by it first: 1 - rate * decay where decay is decoupled, else 1 */
} at_optimize_arg;

/* w -= an optimizer's step, for n weights; m and v as in at_backend's optimize. */
typedef void at_optimize_fn(float *w, float *m, float *v, const float *g, int64_t n, const at_optimize_arg *arg);

/* A product of at most ATT_TILE_ROWS rows and 2 panels of 16 columns: word (p, j) of B stands at
 * b[p * ldb + j / 16 * panel_stride + j % 16], so B is packed panels [k][16] (ldb 16) or the rows of a matrix (panel_stride 16).
 * A word is what 32 bits hold of A or B along K, see at_product. */
typedef struct at_tile {
    int64_t rows, panels, k; /* C has `rows` rows and 16 * panels columns; k words */
    const float *a;
    int64_t lda;
    const float *b;
    int64_t ldb, panel_stride;
    float *c;
    int64_t ldc;
    bool accumulate;
} at_tile;

/* Products of one precision. Operands are cut into words of 32 bits along K: a word is one float32, or two neighbours in
 * bfloat16, the first in the low half (pack_kernels.c); an odd end is filled up with zero. Whatever the precision, words are
 * passed as float, matrices that are not packed are float32, and so are sums and results. */
typedef struct at_product {
    int64_t per_word; /* elements of K in a word: 1 or 2 */

    /* C (+)= A B, word (i, p) of A at a[i * lda + p]. */
    void (*tile)(const at_tile *t);
    /* C (+)= A B, word (i, p) of A at a[p * lda + i]. */
    void (*tile_t)(const at_tile *t);
    /* The words of `rows` rows of n floats, ld apart, to rows `stride` words apart. */
    void (*pack_rows)(float *to, int64_t stride, const float *a, int64_t ld, int64_t rows, int64_t n);
    /* Transposes 16 rows (each of n floats, ld apart; `rows` of them real, the rest zero) into a panel [words][16]. */
    void (*pack_transposed)(float *panel, const float *rows_at, int64_t ld, int64_t rows, int64_t n);
    /* Columns of a block [depth][columns] (rows ld apart) as strips [words][width], `stride` words apart, the last one filled
     * up with zeros. width <= 16; of narrower strips the 16 - width words behind each are written, too. */
    void (*pack_strips)(float *strips, int64_t stride, int64_t width, const float *a, int64_t ld, int64_t depth,
                        int64_t columns);
} at_product;

typedef struct at_kernels {
    const char *isa;
    at_product float32, bf16; /* bf16 is there on every instruction set, and fast on some: at_kernels_bf16_native */

    /* y = act(y + bias) for each of `rows` rows; bias may be NULL; keep (may be NULL, rows of stride n) receives y + bias. */
    void (*bias_act)(float *y, int64_t ldy, const float *bias, float *keep, int64_t rows, int64_t n, at_act act);
    /* dz = dy * act'(z), in place; kept is z, or y for ReLU. */
    void (*act_bwd)(float *dy, const float *kept, int64_t n, at_act act);
    void (*swiglu_fwd)(float *y, const float *gate, const float *value, int64_t n);
    void (*swiglu_bwd)(float *dgate, float *dvalue, const float *dy, const float *gate, const float *value, int64_t n,
                       bool accumulate);
    /* sum[j] (+)= over rows of x[i][j], rows in ascending order. */
    void (*column_sum)(float *sum, const float *x, int64_t ld, int64_t rows, int64_t n, bool accumulate);

    /* y = (x - mean) / sqrt(var + eps) * gamma + beta; stat receives mean, 1/deviation. */
    void (*layer_norm_fwd)(float *y, float *stat, const float *x, const float *gamma, const float *beta, int64_t n,
                           float eps);
    /* dx (+)=, may be NULL; dgamma, dbeta accumulate always (partial sums). */
    void (*layer_norm_bwd)(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x, const float *stat,
                           const float *gamma, int64_t n, bool accumulate);

    /* y = residual + dropout(x); residual may be NULL. index: of the first element in the mask. */
    void (*dropout_fwd)(float *y, const float *residual, const float *x, int64_t n, const at_dropout_arg *drop,
                        uint32_t index);
    /* dx (+)= dropout'(dy) */
    void (*dropout_bwd)(float *dx, const float *dy, int64_t n, const at_dropout_arg *drop, uint32_t index,
                        bool accumulate);
    /* y = scale * row + position; position may be NULL. */
    void (*embed)(float *y, const float *row, const float *position, float scale, int64_t n);

    /* y = a * x + (accumulate ? y : 0) */
    void (*axpy)(float *y, const float *x, float a, int64_t n, bool accumulate);
    void (*scale)(float *y, float a, int64_t n);
    double (*sum_squares)(const float *x, int64_t n); /* +inf or NaN when x has one */
    float (*dot)(const float *x, const float *y, int64_t n);

    /* The scores s become exp(scale s - max) with dropout applied; each row's state is updated, and shrink[i] is the factor by which
     * its earlier results shrink. */
    void (*softmax_tile)(float *s, const at_score_tile *t, at_softmax_state *state, float *shrink);
    /* The scores p become the softmax, before dropout: exp(scale p - lse[i * ld_lse]). */
    void (*softmax_again)(float *p, const at_score_tile *t, const float *lse, int64_t ld_lse);
    /* Backward, from the scores p and the gradients dp of the weights after dropout: p = dropout(softmax), and
     * dp = softmax * (dropout'(dp) - delta[i]) * scale. */
    void (*softmax_bwd)(float *p, float *dp, const at_score_tile *t, const float *lse, int64_t ld_lse,
                        const float *delta);
    /* The end of a running softmax: o[i] (n floats, ld apart) is divided by the sum, and lse[i * ld_lse] = max + log sum (NULL: not
     * wanted). A row that saw no key is zero. */
    void (*softmax_end)(float *o, int64_t ld, int64_t n, const at_softmax_state *state, int64_t rows, float *lse,
                        int64_t ld_lse);

    /* Label-smoothed cross-entropy of one row of n logits; returns the loss. The logits are overwritten: where grad_scale != 0
     * by their gradient times grad_scale. nll (may be NULL) receives -log p(target). Rows are zero-filled up to the next multiple of 16. */
    double (*cross_entropy)(float *logits, int64_t n, int32_t target, float smoothing, float grad_scale, double *nll);
    /* In place: log softmax. */
    void (*log_softmax)(float *x, int64_t n);
    float (*max)(const float *x, int64_t n);

    at_optimize_fn *adam, *rmsprop, *sgd;

    /* For measuring the peak: c = c * sink[0] + sink[1] in all registers, `rounds` times; returns the FLOP. sink has ATT_PEAK_SINK
     * floats, |sink[0]| < 1; something of the result goes to sink[2]. */
    double (*fma_chains)(float *sink, int64_t rounds);
} at_kernels;

/* Fills the table for an instruction set by name ("portable", "avx2", "avx512", "avx512_bf16"), or for the best one that this processor
 * runs when name is NULL. False when the name is unknown or the processor lacks it. */
bool at_kernels_fill(at_kernels *table, const char *name);
/* Names of the sets this processor runs, best last; returns how many (at most max). */
int at_kernels_names(const char **names, int max);
/* Whether the instruction set multiplies bfloat16; others unpack it into float32 for each product. */
bool at_kernels_bf16_native(const at_kernels *table);

/* Joins a name and the instruction set that a kernel file is compiled for. */
#define ATT_GLUE2(a, b) a##_##b
#define ATT_GLUE(a, b) ATT_GLUE2(a, b)

/* One per kernel file and instruction set: fills the slots of that file. */
#define ATT_KERNEL_FILLS(isa)                         \
    void at_gemm_kernels_##isa(at_kernels *table);    \
    void at_pack_kernels_##isa(at_kernels *table);    \
    void at_row_kernels_##isa(at_kernels *table);     \
    void at_softmax_kernels_##isa(at_kernels *table); \
    void at_peak_kernels_##isa(at_kernels *table);
ATT_KERNEL_FILLS(portable)
#if defined(__x86_64__)
ATT_KERNEL_FILLS(avx2)
ATT_KERNEL_FILLS(avx512)
ATT_KERNEL_FILLS(avx512_bf16)
#endif

#endif
