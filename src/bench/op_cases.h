/* The one list of cases of the ops: a row {op, shapes, attributes, tolerance} is run forward against the
 * double-precision reference and backward against its differences (test_ops.c), and timed by the benchmark. Nothing
 * here depends on either.
 *
 * Odd sizes on purpose: 1, 3, the vector width 16 and its neighbours, the tile of 14 rows and its neighbours, more than
 * 256 keys and more than 256 of depth (the tiles' limits), sequences of length 1 and 0. Read next: op_run.h. */
#ifndef ATT_BENCH_OP_CASES_H
#define ATT_BENCH_OP_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/act.h"
#include "op/op_list.h"

#define ATT_OP_KIND(name) OP_##name,
typedef enum op_kind { ATT_OPS(ATT_OP_KIND) OP_KINDS } op_kind;

typedef struct op_case {
    op_kind op;
    int64_t n, d, f;            /* rows, width of the input, width of the output (embed, loss: V) */
    const char *queries, *keys; /* attention: lengths of the sequences, "5 1 17"; keys NULL: self-attention */
    int64_t heads, head_width;
    at_act act;
    bool bias, tied, causal, residual, positions;
    bool swapped;     /* attention: columns in the order v, q, k instead of q, k, v */
    float rate;       /* dropout */
    float smoothing;  /* loss */
    float spread;     /* standard deviation of the inputs; 0: 1 */
    float offset;     /* their mean */
    double tolerance; /* largest error over the largest value of the tensor */
    double slack;     /* factor on it; 0: 1 */
    int64_t repeat;   /* the benchmark's factor on rows and sequences; 0: not timed */
} op_case;

#define LINEAR(rows, in, out, ...)                                                      \
    {                                                                                   \
        .op = OP_linear, .n = rows, .d = in, .f = out, .tolerance = 1.5e-6, __VA_ARGS__ \
    }
#define ATTENTION(number, width, lengths, ...)                                                                       \
    {                                                                                                                \
        .op = OP_attention, .heads = number, .head_width = width, .queries = lengths, .tolerance = 2e-6, __VA_ARGS__ \
    }
#define NORM(rows, width, ...)                                                     \
    {                                                                              \
        .op = OP_layer_norm, .n = rows, .d = width, .tolerance = 2e-6, __VA_ARGS__ \
    }
#define DROPOUT(rows, width, ...)                                               \
    {                                                                           \
        .op = OP_dropout, .n = rows, .d = width, .tolerance = 1e-6, __VA_ARGS__ \
    }
#define SWIGLU(rows, width, ...)                                                     \
    {                                                                                \
        .op = OP_swiglu, .n = rows, .d = 2 * (width), .tolerance = 1e-6, __VA_ARGS__ \
    }
#define EMBED(rows, width, vocabulary, ...)                                                    \
    {                                                                                          \
        .op = OP_embed, .n = rows, .d = width, .f = vocabulary, .tolerance = 1e-6, __VA_ARGS__ \
    }
#define LOSS(rows, width, vocabulary, ...)                                                                    \
    {                                                                                                         \
        .op = OP_linear_cross_entropy, .n = rows, .d = width, .f = vocabulary, .tolerance = 3e-6, __VA_ARGS__ \
    }

static const op_case op_cases[] = {
    /* Every number of rows that a tile, two tiles and a bit can have. */
    LINEAR(0, 5, 7, .bias = true), LINEAR(1, 17, 33, .bias = true), LINEAR(2, 17, 33),
    LINEAR(3, 17, 33, .bias = true, .tied = true), LINEAR(4, 17, 33), LINEAR(5, 17, 33, .bias = true),
    LINEAR(6, 17, 33), LINEAR(7, 17, 33, .tied = true), LINEAR(8, 17, 33, .bias = true), LINEAR(9, 17, 33),
    LINEAR(10, 17, 33, .bias = true, .tied = true), LINEAR(11, 17, 33), LINEAR(12, 17, 33, .bias = true),
    LINEAR(13, 17, 33), LINEAR(14, 17, 33, .tied = true), LINEAR(15, 17, 33, .bias = true), LINEAR(16, 17, 33),
    LINEAR(17, 17, 33, .bias = true), LINEAR(18, 17, 33, .tied = true), LINEAR(19, 17, 33),
    LINEAR(20, 17, 33, .bias = true), LINEAR(21, 17, 33), LINEAR(22, 17, 33, .tied = true, .bias = true),
    LINEAR(23, 17, 33), LINEAR(24, 17, 33, .bias = true), LINEAR(25, 17, 33), LINEAR(26, 17, 33, .tied = true),
    LINEAR(27, 17, 33, .bias = true), LINEAR(28, 17, 33), LINEAR(29, 17, 33, .bias = true, .tied = true),
    LINEAR(30, 17, 33),
    /* Every width around panels of 16 and 32, as input and as output. */
    LINEAR(1, 1, 1, .bias = true), LINEAR(3, 1, 31, .tied = true), LINEAR(13, 3, 15, .bias = true), LINEAR(5, 31, 3),
    LINEAR(14, 15, 13, .bias = true, .tied = true), LINEAR(15, 13, 14), LINEAR(16, 14, 16, .bias = true),
    LINEAR(17, 16, 17), LINEAR(4, 33, 32, .bias = true), LINEAR(7, 32, 47),
    LINEAR(9, 47, 48, .tied = true, .bias = true), LINEAR(6, 65, 63, .bias = true), LINEAR(33, 63, 65, .tied = true),
    /* Beyond one tile of depth, in the product (K), in the gradients of the input (N) and of the weight (M). */
    LINEAR(3, 256, 17), LINEAR(3, 257, 17, .bias = true), LINEAR(15, 300, 31, .tied = true),
    LINEAR(17, 31, 300, .bias = true), LINEAR(300, 17, 19, .bias = true),
    LINEAR(257, 33, 15, .tied = true, .bias = true), LINEAR(19, 513, 3),
    LINEAR(2, 5, 1041, .bias = true), /* beyond one block of columns */
    LINEAR(5, 470, 270),              /* several rectangles of the weight's gradient */
    /* Activations. */
    LINEAR(13, 17, 33, .bias = true, .act = ATT_ACT_RELU), LINEAR(17, 33, 31, .act = ATT_ACT_RELU),
    LINEAR(13, 17, 33, .bias = true, .act = ATT_ACT_GELU, .spread = 1.5f), LINEAR(15, 31, 15, .act = ATT_ACT_GELU),
    LINEAR(13, 17, 33, .bias = true, .act = ATT_ACT_GELU_TANH, .spread = 1.5f),
    LINEAR(3, 31, 15, .act = ATT_ACT_GELU_TANH), LINEAR(13, 17, 33, .bias = true, .act = ATT_ACT_SWISH, .spread = 2),
    LINEAR(31, 3, 17, .act = ATT_ACT_SWISH), LINEAR(0, 3, 17, .act = ATT_ACT_SWISH),

    /* Self-attention. */
    ATTENTION(1, 1, "1"), ATTENTION(1, 8, "1 3 1"), ATTENTION(2, 24, "13 14 15", .causal = true),
    ATTENTION(3, 8, "17 1 5", .causal = true, .swapped = true), ATTENTION(2, 32, "16 31 2"),
    ATTENTION(1, 40, "33 15", .causal = true), ATTENTION(2, 64, "7 29", .swapped = true),
    ATTENTION(4, 5, "3 0 18", .causal = true),
    ATTENTION(1, 17, "57 1 56", .causal = true), /* around a tile of queries */
    ATTENTION(1, 8, "300 3", .causal = true),    /* around a tile of keys */
    ATTENTION(2, 8, "257 15"), ATTENTION(1, 3, "256 255", .causal = true),
    ATTENTION(1, 8, "530", .causal = true, .slack = 1.5),
    ATTENTION(1, 300, "5 3"),                                        /* a head wider than a tile of depth */
    ATTENTION(2, 16, "37", .causal = true, .spread = 6, .slack = 5), /* weights near 0 and 1 */
    ATTENTION(1, 8, "290", .spread = 6, .slack = 5),
    ATTENTION(1, 8, "270", .causal = true, .spread = 30, .slack = 250), /* scores of thousands, right to 1e-4 */
    ATTENTION(2, 24, "13 14 15", .causal = true, .rate = 0.1f), ATTENTION(1, 8, "300 3", .rate = 0.5f),
    ATTENTION(3, 7, "15 16 17 1", .rate = 0.3f, .swapped = true),
    /* Cross-attention: queries and keys differ in number. */
    ATTENTION(2, 8, "5 1 17", .keys = "3 20 1"), ATTENTION(1, 24, "1 14", .keys = "31 13", .swapped = true),
    ATTENTION(2, 32, "3 58", .keys = "15 2"), ATTENTION(1, 40, "16", .keys = "17"),
    ATTENTION(1, 64, "13 2", .keys = "1 33"), ATTENTION(2, 8, "60 3", .keys = "270 513"),
    ATTENTION(2, 8, "5 4 3", .keys = "20 4 300", .causal = true), /* the last queries of longer sequences */
    ATTENTION(2, 8, "5 3 1", .keys = "2 0 1", .causal = true),    /* some rows see nothing: zero */
    ATTENTION(2, 8, "5 3 0 1", .keys = "2 0 3 1"), ATTENTION(2, 8, "9 1", .keys = "5 300", .rate = 0.2f),

    NORM(0, 16), NORM(1, 1), NORM(3, 2, .slack = 50), /* always +-1: the gradient is what cancellation leaves */
    NORM(1, 3), NORM(5, 13), NORM(17, 15), NORM(3, 16), NORM(64, 17), NORM(65, 31), NORM(130, 33), NORM(3, 300),
    NORM(2, 512), NORM(3, 40, .spread = 0.01f), NORM(3, 40, .spread = 100), NORM(5, 37, .offset = 30, .slack = 5),

    DROPOUT(0, 5, .rate = 0.5f), DROPOUT(1, 1, .rate = 0.5f), DROPOUT(3, 5, .rate = 0.1f),
    DROPOUT(1, 15, .rate = 0.3f, .residual = true), DROPOUT(1, 16, .rate = 0.3f),
    DROPOUT(17, 1, .rate = 0.3f, .residual = true), DROPOUT(13, 31, .residual = true),
    DROPOUT(129, 255, .rate = 0.1f, .residual = true), /* several chunks of work */
    DROPOUT(33, 999, .rate = 0.9f),

    SWIGLU(0, 3), SWIGLU(1, 1), SWIGLU(3, 13), SWIGLU(5, 15), SWIGLU(1, 16), SWIGLU(130, 17),
    SWIGLU(3, 65, .spread = 4),

    EMBED(0, 3, 5), EMBED(1, 1, 1), EMBED(3, 13, 3, .positions = true), EMBED(17, 15, 5),
    EMBED(31, 16, 40, .positions = true), EMBED(65, 17, 7),
    EMBED(9, 129, 30, .positions = true), /* several chunks of columns */

    LOSS(0, 5, 7), LOSS(1, 1, 1), LOSS(1, 3, 2, .bias = true), LOSS(3, 13, 15, .smoothing = 0.1f),
    LOSS(5, 16, 16, .bias = true), LOSS(13, 17, 17, .tied = true),
    LOSS(14, 15, 33, .tied = true, .bias = true, .smoothing = 0.1f), LOSS(15, 31, 31, .smoothing = 0.1f, .bias = true),
    LOSS(17, 33, 101), LOSS(3, 8, 1031, .smoothing = 0.1f, .bias = true),              /* several chunks of columns */
    LOSS(6, 300, 77, .tied = true), LOSS(255, 9, 35, .smoothing = 0.1f, .bias = true), /* beyond one block of rows */
    LOSS(505, 5, 13, .tied = true, .bias = true),
    /* The shapes of models, timed with many rows. */
    LINEAR(2, 128, 256, .bias = true, .act = ATT_ACT_RELU, .repeat = 1024),
    LINEAR(2, 256, 1024, .bias = true, .act = ATT_ACT_RELU, .repeat = 1024),
    LINEAR(2, 512, 512, .bias = true, .repeat = 1024), LINEAR(2, 512, 1536, .bias = true, .repeat = 1024),
    LINEAR(2, 512, 2048, .bias = true, .act = ATT_ACT_RELU, .repeat = 1024),
    LINEAR(2, 2048, 512, .bias = true, .repeat = 1024, .slack = 2),
    LINEAR(1, 512, 2048, .bias = true, .act = ATT_ACT_RELU, .repeat = 1), /* a step of decoding */
    LINEAR(2, 768, 3072, .bias = true, .act = ATT_ACT_GELU_TANH, .repeat = 128, .slack = 2),
    ATTENTION(8, 64, "13 17 15 11", .repeat = 32), ATTENTION(8, 64, "13 17 15 11", .causal = true, .repeat = 32),
    ATTENTION(4, 32, "13 17 15 11", .causal = true, .rate = 0.1f, .repeat = 32),
    ATTENTION(12, 64, "128", .causal = true, .repeat = 4), NORM(2, 512, .repeat = 1024),
    DROPOUT(2, 512, .rate = 0.1f, .residual = true, .repeat = 1024), SWIGLU(2, 1024, .repeat = 1024),
    EMBED(2, 512, 8000, .repeat = 1024), LOSS(2, 512, 8000, .smoothing = 0.1f, .repeat = 1024),

    LOSS(7, 16, 50, .spread = 20, .smoothing = 0.1f, .slack = 7), /* logits of some 50 */
    /* Heads of whole panels, which short sequences read in place: within its limits, at them and beyond. */
    ATTENTION(2, 16, "5 3 0 1", .keys = "2 0 3 1", .causal = true), ATTENTION(2, 32, "56 57", .keys = "256 257"),
    ATTENTION(2, 48, "300 57", .causal = true, .rate = 0.1f), ATTENTION(2, 32, "120 3", .keys = "530 260"),
    ATTENTION(1, 16, "70 130", .keys = "3 60", .causal = true), /* a first tile of queries that sees nothing */
};

enum { OP_CASES = sizeof op_cases / sizeof *op_cases };

#endif
