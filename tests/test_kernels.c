/* The kernel tables: row kernels give the same bits on every instruction set and write nothing beyond their rows;
 * product kernels are exactly one chain of multiply-adds an element; the functions of vec.h are as accurate as they
 * say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cpu/cpu.h"
#include "reference.h"
#include "simd/vec.h"

enum { MAX_ISAS = 8 };
static at_kernels tables[MAX_ISAS];
static int table_count;

static int start(void **state)
{
    (void)state;
    const char *names[MAX_ISAS];
    table_count = at_kernels_names(names, MAX_ISAS);
    for (int i = 0; i < table_count; i++)
        if (!at_kernels_fill(&tables[i], names[i])) return -1;
    return 0;
}

static void every_table_is_complete(void **state)
{
    (void)state;
    assert_true(table_count >= 1);
    for (int i = 0; i < table_count; i++) {
        void (*slot[sizeof(at_kernels) / sizeof(void (*)(void))])(void);
        memcpy(slot, &tables[i], sizeof slot);
        for (size_t k = 0; k < sizeof slot / sizeof *slot; k++) assert_true(slot[k] != NULL);
    }
    at_kernels best;
    assert_true(at_kernels_fill(&best, NULL));
    assert_string_equal(best.isa, tables[table_count - 1].isa);
    assert_false(at_kernels_fill(&best, "abacus"));
}

static float *normals(uint64_t key, int64_t n, float deviation)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = deviation * (float)at_rng_normal(key, (uint64_t)i);
    return x;
}

/* Row kernels, each as a function of inputs x and outputs y of n floats. Inputs are random; outputs hold random numbers
 * too, so that kernels which add have something to add to. */
enum { INPUTS = 4, OUTPUTS = 3, ROWS = 3, LARGEST = 4999, GUARD = 32, ROW = LARGEST + GUARD, BLOCK = ROWS * ROW };

typedef void row_fn(const at_kernels *k, int64_t n, float *const *x, float *const *y);
static const at_dropout_arg no_drop = {{1, 2}, 0, 1}, some_drop = {{0x12345678, 0x9abcdef0}, 0x40000000, 4.0f / 3};

#define BIAS_ACT(name, act)                                                                       \
    static void bias_act_##name(const at_kernels *k, int64_t n, float *const *x, float *const *y) \
    {                                                                                             \
        k->bias_act(y[0], ROW, x[0], y[1], 1, n, act);                                            \
        k->bias_act(y[2], ROW, NULL, NULL, ROWS, n, act);                                         \
    }                                                                                             \
    static void act_bwd_##name(const at_kernels *k, int64_t n, float *const *x, float *const *y)  \
    {                                                                                             \
        k->act_bwd(y[0], x[0], n, act);                                                           \
    }
BIAS_ACT(none, ATT_ACT_NONE)
BIAS_ACT(relu, ATT_ACT_RELU)
BIAS_ACT(gelu, ATT_ACT_GELU)
BIAS_ACT(gelu_tanh, ATT_ACT_GELU_TANH)
BIAS_ACT(swish, ATT_ACT_SWISH)

static void swiglu_fwd(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->swiglu_fwd(y[0], x[0], x[1], n);
}

static void swiglu_bwd(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->swiglu_bwd(y[0], y[1], x[0], x[1], x[2], n, false);
    k->swiglu_bwd(y[1], y[2], x[1], x[2], x[3], n, true);
}

static void column_sum(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->column_sum(y[0], x[0], ROW, ROWS, n, false);
    k->column_sum(y[1], x[1], ROW, ROWS, n, true);
    k->column_sum(y[2], x[1], ROW, 0, n, false);
}

static void layer_norm_fwd(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->layer_norm_fwd(y[0], y[1], x[0], x[1], x[2], n, 1e-5f);
}

static void layer_norm_bwd(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    const float stat[] = {0.1f, 0.9f};
    k->layer_norm_bwd(y[0], y[1], y[2], x[0], x[1], stat, x[2], n, false);
    k->layer_norm_bwd(y[0], y[1], y[2], x[1], x[2], stat, x[3], n, true);
    k->layer_norm_bwd(NULL, y[1], y[2], x[1], x[2], stat, x[3], n, false);
}

static void dropout(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->dropout_fwd(y[0], NULL, x[0], n, &some_drop, 77);
    k->dropout_fwd(y[1], x[1], x[0], n, &some_drop, 0xfffffff0u);
    k->dropout_fwd(y[2], x[1], x[0], n, &no_drop, 77);
}

static void dropout_bwd(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->dropout_bwd(y[0], x[0], n, &some_drop, 77, false);
    k->dropout_bwd(y[1], x[0], n, &some_drop, 77, true);
    k->dropout_bwd(y[2], x[0], n, &no_drop, 77, true);
}

static void embed(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->embed(y[0], x[0], x[1], 1.7f, n);
    k->embed(y[1], x[0], NULL, 1.7f, n);
}

static void axpy_and_scale(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    k->axpy(y[0], x[0], 0.7f, n, true);
    k->axpy(y[1], x[0], 0.7f, n, false);
    k->scale(y[2], 1.3f, n);
}

static void reductions(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    const double squares = k->sum_squares(x[0], n);
    memcpy(y[0], &squares, sizeof squares);
    y[1][0] = k->dot(x[0], x[1], n);
    y[2][0] = k->max(x[0], n);
}

/* One row that sees n keys. */
static at_score_tile one_row(int64_t n, float scale, at_dropout_arg drop, uint32_t index)
{
    return (at_score_tile){1, n, n, n, 0, scale, drop, index, 0};
}

static void softmax_tile(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    (void)x;
    at_softmax_state state[2] = {{-INFINITY, 0}, {1, 2}};
    const at_score_tile plain = one_row(n, 0.3f, no_drop, 0), dropped = one_row(n, 0.3f, some_drop, 5);
    k->softmax_tile(y[0], &plain, &state[0], &y[2][0]);
    k->softmax_tile(y[1], &dropped, &state[1], &y[2][1]);
    memcpy(y[2] + 2, state, sizeof state);
}

static void softmax_again(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    (void)x;
    const at_score_tile tile = one_row(n, 0.3f, no_drop, 0);
    const float lse = 1.1f;
    k->softmax_again(y[0], &tile, &lse, 1);
}

static void softmax_bwd(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    (void)x;
    const float lse = 1.1f, delta = 0.2f;
    const at_score_tile plain = one_row(n, 0.3f, no_drop, 0), dropped = one_row(n, 0.3f, some_drop, 3);
    k->softmax_bwd(y[0], y[1], &plain, &lse, 1, &delta);
    k->softmax_bwd(y[0], y[1], &dropped, &lse, 1, &delta);
}

static void softmax_end(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    (void)x;
    const at_softmax_state state[2] = {{1, 2}, {-INFINITY, 0}};
    k->softmax_end(y[0], n, n, &state[0], 1, y[2], 1);
    k->softmax_end(y[1], n, n, &state[1], 1, NULL, 1);
}

static void cross_entropy(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    (void)x;
    double loss[3];
    loss[0] = k->cross_entropy(y[0], n, (int32_t)(n / 2), 0.1f, 0.3f, &loss[1]);
    loss[2] = k->cross_entropy(y[1], n, (int32_t)(n - 1), 0, 0, NULL);
    memcpy(y[2], loss, sizeof loss);
}

static void log_softmax(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    (void)x;
    k->log_softmax(y[0], n);
}

static void adam(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    const at_optimize_arg arg = {1e-3f, 0.9f, 0.98f, 1e-9f, 3, 0.7f, 0, 0.01f, 0.99f};
    for (int64_t i = 0; i < n; i++) y[2][i] *= y[2][i];
    k->adam(y[0], y[1], y[2], x[0], n, &arg);
}

static void rmsprop(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    const at_optimize_arg arg = {1e-3f, 0, 0.98f, 1e-9f, 0, 0.7f, 0.9f, 0.01f, 1};
    for (int64_t i = 0; i < n; i++) y[2][i] *= y[2][i];
    k->rmsprop(y[0], y[1], y[2], x[0], n, &arg);
    k->rmsprop(y[0], NULL, y[2], x[1], n, &arg);
}

static void sgd(const at_kernels *k, int64_t n, float *const *x, float *const *y)
{
    const at_optimize_arg arg = {1e-3f, 0, 0, 0, 0, 0.7f, 0.9f, 0.01f, 1};
    k->sgd(y[0], y[1], NULL, x[0], n, &arg);
    k->sgd(y[0], NULL, NULL, x[1], n, &arg);
}

static const struct row_kernel {
    const char *name;
    row_fn *run;
    bool fills; /* writes zeros up to the next multiple of 16 */
} row_kernels[] = {
#define PLAIN(name)        \
    {                      \
#name, name, false \
    }
#define FILLS(name)       \
    {                     \
#name, name, true \
    }
    PLAIN(bias_act_none),
    PLAIN(bias_act_relu),
    PLAIN(bias_act_gelu),
    PLAIN(bias_act_gelu_tanh),
    PLAIN(bias_act_swish),
    PLAIN(act_bwd_none),
    PLAIN(act_bwd_relu),
    PLAIN(act_bwd_gelu),
    PLAIN(act_bwd_gelu_tanh),
    PLAIN(act_bwd_swish),
    PLAIN(swiglu_fwd),
    PLAIN(swiglu_bwd),
    PLAIN(column_sum),
    PLAIN(layer_norm_fwd),
    PLAIN(layer_norm_bwd),
    PLAIN(dropout),
    PLAIN(dropout_bwd),
    PLAIN(embed),
    PLAIN(axpy_and_scale),
    PLAIN(reductions),
    FILLS(softmax_tile),
    FILLS(softmax_again),
    FILLS(softmax_bwd),
    PLAIN(softmax_end),
    FILLS(cross_entropy),
    PLAIN(log_softmax),
    PLAIN(adam),
    PLAIN(rmsprop),
    PLAIN(sgd),
};

/* Every element that the kernel has no business with keeps its value: before the row, after it, and between rows. */
static void check_guards(const struct row_kernel *kernel, int64_t n, const float *before, const float *after)
{
    const int64_t small = 48, own = kernel->fills ? (n + 15) / 16 * 16
                                                  : n; /* single results are stored at the front of an output */
    for (int64_t i = 0; i < BLOCK + GUARD; i++) {
        const int64_t at = (i - GUARD) % ROW;
        const bool inside = i >= GUARD && (at < own || i - GUARD < (n < small ? small : 0));
        if (!inside && memcmp(&before[i], &after[i], sizeof(float)) != 0)
            fail_msg("%s of %d writes element %d", kernel->name, (int)n, (int)at);
    }
}

static void check_row_kernel(const struct row_kernel *kernel, int64_t n, float *const *x, float *const *given)
{
    float *y[OUTPUTS], *first[OUTPUTS], *rows[OUTPUTS];
    const size_t bytes = (BLOCK + GUARD) * sizeof(float);
    for (int t = 0; t < table_count; t++) {
        for (int i = 0; i < OUTPUTS; i++) {
            y[i] = malloc(bytes);
            memcpy(y[i], given[i], bytes);
            rows[i] = y[i] + GUARD;
        }
        kernel->run(&tables[t], n, x, rows);
        for (int i = 0; i < OUTPUTS; i++) {
            if (t == 0)
                first[i] = y[i];
            else if (memcmp(y[i], first[i], bytes) != 0)
                fail_msg("%s of %d: %s and %s differ in output %d", kernel->name, (int)n, tables[0].isa, tables[t].isa,
                         i);
            check_guards(kernel, n, given[i], y[i]);
            if (t > 0) free(y[i]);
        }
    }
    for (int i = 0; i < OUTPUTS; i++) free(first[i]);
}

static void row_kernels_give_equal_bits(void **state)
{
    (void)state;
    float *x[INPUTS], *rows[INPUTS], *given[OUTPUTS];
    for (int i = 0; i < INPUTS; i++) {
        x[i] = normals((uint64_t)i, BLOCK + GUARD, 3);
        rows[i] = x[i] + 1; /* not aligned */
    }
    for (int i = 0; i < OUTPUTS; i++) given[i] = normals((uint64_t)(100 + i), BLOCK + GUARD, 3);
    static const int large[] = {127, 128, 129, 255, 256, 257, 1000, 4095, 4096, 4097, LARGEST};
    for (size_t k = 0; k < sizeof row_kernels / sizeof *row_kernels; k++) {
        for (int64_t n = 1; n <= 70; n++) check_row_kernel(&row_kernels[k], n, rows, given);
        for (size_t i = 0; i < sizeof large / sizeof *large; i++)
            check_row_kernel(&row_kernels[k], large[i], rows, given);
    }
    for (int i = 0; i < INPUTS; i++) free(x[i]);
    for (int i = 0; i < OUTPUTS; i++) free(given[i]);
}

/* Values of the kernels that no op of the tape shows by itself. */
static void reductions_are_right(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= LARGEST; n += n < 70 ? 1 : 1237) {
        float *x = normals(5, n, 1), *y = normals(6, n, 1), *z = normals(7, n, 1);
        double squares = 0, dot = 0, size = 0, exps = 0, max = -INFINITY;
        for (int64_t i = 0; i < n; i++) {
            squares += (double)x[i] * x[i];
            dot += (double)x[i] * y[i];
            size += fabs((double)x[i] * y[i]);
            max = fmax(max, x[i]);
            exps += exp(x[i]);
        }
        for (int t = 0; t < table_count; t++) {
            assert_true(fabs(tables[t].sum_squares(x, n) / squares - 1) < 1e-6);
            assert_true(fabs((double)tables[t].dot(x, y, n) - dot) < 2e-7 * size);
            assert_true((double)tables[t].max(x, n) == max);
            float *log_p = malloc((size_t)n * sizeof *log_p), *tripled = malloc((size_t)n * sizeof *tripled);
            memcpy(log_p, x, (size_t)n * sizeof *log_p);
            tables[t].log_softmax(log_p, n);
            memcpy(tripled, z, (size_t)n * sizeof *tripled);
            tables[t].scale(tripled, 3, n);
            for (int64_t i = 0; i < n; i++) {
                assert_true(fabs((double)log_p[i] - (x[i] - log(exps))) < 1.5e-6);
                assert_true(tripled[i] == 3 * z[i]);
            }
            free(log_p);
            free(tripled);
        }
        free(x), free(y), free(z);
    }
}

static void sum_squares_shows_what_is_not_finite(void **state)
{
    (void)state;
    enum { N = 5000 };
    float *x = normals(8, N, 1);
    for (int t = 0; t < table_count; t++)
        for (int64_t n = 1; n < N; n += 99)
            for (int64_t at = 0; at < n; at += 1 + n / 7) {
                const float kept = x[at];
                x[at] = NAN;
                assert_true(isnan(tables[t].sum_squares(x, n)));
                x[at] = -INFINITY;
                assert_true(isinf(tables[t].sum_squares(x, n)));
                x[at] = 0;
                assert_true(isfinite(tables[t].sum_squares(x, n)));
                x[at] = kept;
            }
    free(x);
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Error in units of the last place of the exact value, rounded to float. */
static double ulps(float got, double want)
{
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

typedef struct float_range { /* floats of one sign by their bits */
    float from, to;
} float_range;

/* Runs fn over every `stride`-th float of the range, 16 at a time; returns the largest error in ulps. */
static double worst_ulps(void (*fn)(float *x), double (*want)(double), float_range range, uint32_t stride)
{
    uint32_t first, last;
    memcpy(&first, &range.from, sizeof first);
    memcpy(&last, &range.to, sizeof last);
    double worst = 0;
    for (uint64_t bits = first; bits <= last; bits += (uint64_t)stride * ATT_LANES) {
        float x[ATT_LANES], y[ATT_LANES];
        for (uint32_t i = 0; i < ATT_LANES; i++)
            x[i] = bits + i * stride <= last ? from_bits((uint32_t)bits + i * stride) : range.to;
        memcpy(y, x, sizeof y);
        fn(y);
        for (int i = 0; i < ATT_LANES; i++) worst = fmax(worst, ulps(y[i], want((double)x[i])));
    }
    return worst;
}

static const at_kernels *table_of_exp;

/* exp as the tables have it: softmax_again computes exp(1 s - 0). */
static void exp16(float *x)
{
    const at_score_tile tile = one_row(ATT_LANES, 1, no_drop, 0);
    const float lse = 0;
    table_of_exp->softmax_again(x, &tile, &lse, 1);
}

static void erf16(float *x)
{
    at_vstore(x, at_verf(at_vload(x)));
}

static void sigmoid16(float *x)
{
    at_vstore(x, at_vsigmoid(at_vload(x)));
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void exp_is_right_to_1_ulp(void **state)
{
    (void)state;
    for (int t = 0; t < table_count; t++) {
        table_of_exp = &tables[t];
        const double up = worst_ulps(exp16, exp, (float_range){0.0f, 88.72283f}, 499);
        const double down = worst_ulps(exp16, exp, (float_range){-0.0f, -87.33654f}, 499);
        if (t == 0) print_message("exp: at most %.2f ulp above 0, %.2f below\n", up, down);
        assert_true(up < 1 && down < 1);
        /* Where the exponent reaches its ends, every float. */
        assert_true(worst_ulps(exp16, exp, (float_range){88.7f, 88.72283f}, 1) < 1);
        assert_true(worst_ulps(exp16, exp, (float_range){-87.3f, -87.33654f}, 1) < 1);
        float x[ATT_LANES] = {INFINITY, -INFINITY, NAN,    0.0f, -0.0f, FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MAX,
                              -FLT_MAX, 88.8f,     -87.4f, -104, 1};
        exp16(x);
        assert_true(isinf(x[0]) && x[0] > 0 && x[1] == 0 && isnan(x[2]));
        assert_true(x[3] == 1 && x[4] == 1 && x[5] == 1 && x[6] == 1);
        assert_true(isinf(x[7]) && x[8] == 0 && isinf(x[9]) && x[10] == 0 && x[11] == 0);
        assert_false(signbit(x[1]) || signbit(x[8]) || signbit(x[10]));
    }
}

static void erf_and_sigmoid_are_accurate(void **state)
{
    (void)state;
    const float_range positive = {0.0f, 20}, negative = {-0.0f, -20};
    const double erf_error = fmax(worst_ulps(erf16, erf, positive, 997), worst_ulps(erf16, erf, negative, 997));
    const double up = worst_ulps(sigmoid16, sigmoid, positive, 997),
                 down = worst_ulps(sigmoid16, sigmoid, (float_range){-0.0f, -87}, 997);
    print_message("erf: at most %.2f ulp; sigmoid: %.2f ulp above 0, %.2f below\n", erf_error, up, down);
    assert_true(erf_error <= 4);
    assert_true(up <= 2 && down <= 4);
    float x[ATT_LANES] = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, FLT_TRUE_MIN, FLT_MAX, -FLT_MAX, 1e-30f};
    float y[ATT_LANES];
    memcpy(y, x, sizeof y);
    erf16(y);
    assert_true(y[0] == 1 && y[1] == -1 && isnan(y[2]) && y[3] == 0 && y[4] == 0 && y[6] == 1 && y[7] == -1);
    assert_true(signbit(y[4]) && !signbit(y[3]));
    sigmoid16(x);
    assert_true(x[0] == 1 && x[1] == 0 && isnan(x[2]) && x[3] == 0.5f && x[4] == 0.5f && x[6] == 1 && x[7] == 0);
}

/* Slope by a central difference of the reference. */
static double slope(double x, at_act act)
{
    return (ref_act(x + 1e-6, act) - ref_act(x - 1e-6, act)) / 2e-6;
}

/* Activations and slopes to a few units of the last place of max(1, |x|): what is left of cancellation below 0 is
 * absolute. */
static void activations_are_accurate(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double value, slope;
    } bounds[] = {{"none", 0, 0.1}, {"relu", 0, 0.1}, {"gelu", 1.2, 1.2}, {"gelu-tanh", 1.2, 2}, {"swish", 1.4, 9}};
    for (int act = ATT_ACT_NONE; act <= ATT_ACT_SWISH; act++) {
        double worst = 0, worst_slope = 0;
        for (double x = -30; x < 30; x += 0.00137) {
            const float z = (float)x;
            float y = z, dy = 1;
            tables[0].bias_act(&y, 1, NULL, NULL, 1, 1, (at_act)act);
            tables[0].act_bwd(&dy, act == ATT_ACT_RELU ? &y : &z, 1, (at_act)act);
            const double unit = FLT_EPSILON * fmax(1, fabs((double)z));
            worst = fmax(worst, fabs((double)y - ref_act((double)z, (at_act)act)) / unit);
            if (act == ATT_ACT_RELU && fabs((double)z) < 1e-5) continue;
            worst_slope = fmax(worst_slope, fabs((double)dy - slope((double)z, (at_act)act)) / FLT_EPSILON);
        }
        print_message("%s: error at most %.2f, slope %.2f, in units of 2^-23\n", bounds[act].name, worst, worst_slope);
        assert_true(worst <= bounds[act].value && worst_slope <= bounds[act].slope);
    }
    float huge[] = {100, -100, 1e6f, -1e6f}, z[] = {100, -100, 1e6f, -1e6f};
    for (int act = ATT_ACT_RELU; act <= ATT_ACT_SWISH; act++) {
        memcpy(huge, z, sizeof z);
        tables[0].bias_act(huge, 4, NULL, NULL, 1, 4, (at_act)act);
        assert_true(huge[0] == 100 && huge[1] == 0 && huge[2] == 1e6f && huge[3] == 0);
        for (int i = 0; i < 4; i++) huge[i] = 1;
        tables[0].act_bwd(huge, z, 4, (at_act)act);
        assert_true(huge[0] == 1 && huge[1] == 0 && huge[2] == 1 && huge[3] == 0);
    }
}

/* Two tiles of a row: the factor that softmax_tile gives joins them to one softmax. */
static void softmax_tiles_join(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 70; n++) {
        float *s = normals(9, 2 * 80, 4);
        double want[2 * 80], max = -INFINITY, sum = 0;
        for (int64_t i = 0; i < 2 * n; i++) max = fmax(max, want[i] = 0.37f * (double)s[i < n ? i : 80 + i - n]);
        for (int64_t i = 0; i < 2 * n; i++) sum += exp(want[i] - max);
        for (int t = 0; t < table_count; t++) {
            float tile[2 * 80];
            memcpy(tile, s, sizeof tile);
            at_softmax_state row = {-INFINITY, 0};
            const at_score_tile scores = one_row(n, 0.37f, no_drop, 0);
            float shrink;
            tables[t].softmax_tile(tile, &scores, &row, &shrink);
            assert_true(shrink == 0);
            tables[t].softmax_tile(tile + 80, &scores, &row, &shrink);
            for (int64_t i = 0; i < 2 * n; i++) {
                const double got = i < n ? (double)tile[i] * shrink : (double)tile[80 + i - n];
                assert_true(fabs(got / row.sum - exp(want[i] - max) / sum) < 1e-6);
            }
            assert_true(fabs((double)row.max + log((double)row.sum) - max - log(sum)) < 1e-6);
            for (int64_t i = n; i < (n + 15) / 16 * 16; i++) assert_true(tile[i] == 0 && tile[80 + i] == 0);
        }
        free(s);
    }
}

/* A row among others has the bits that it has alone, sees the keys that it should, and leaves what is behind them. */
enum { SOFTMAX_ROWS = 5, SOFTMAX_LD = 83 };

static void check_softmax_tile(const at_kernels *k, const at_score_tile *t, const float *scores, const float *gradients)
{
    enum { SIZE = SOFTMAX_ROWS * SOFTMAX_LD };
    float s[SIZE], again[SIZE], p[SIZE], dp[SIZE], shrink[SOFTMAX_ROWS], lse[3 * SOFTMAX_ROWS] = {0},
                                                                                 delta[SOFTMAX_ROWS];
    at_softmax_state state[SOFTMAX_ROWS];
    memcpy(s, scores, sizeof s), memcpy(again, scores, sizeof s), memcpy(p, scores, sizeof s);
    memcpy(dp, gradients, sizeof dp);
    for (int i = 0; i < SOFTMAX_ROWS; i++) {
        state[i] = i % 2 ? (at_softmax_state){0.2f, 1.5f} : (at_softmax_state){-INFINITY, 0};
        lse[3 * i] = 0.1f * (float)(i + 1), delta[i] = 0.3f * (float)i;
    }
    k->softmax_tile(s, t, state, shrink);
    k->softmax_again(again, t, lse, 3);
    k->softmax_bwd(p, dp, t, lse, 3, delta);
    const int64_t end = (t->keys + 15) / 16 * 16;
    for (int64_t i = 0; i < SOFTMAX_ROWS; i++) {
        const int64_t at = i * SOFTMAX_LD, sees = t->visible + i * t->step,
                      n = sees < 0         ? 0
                          : sees < t->keys ? sees
                                           : t->keys;
        const at_score_tile one = one_row(n, t->scale, t->drop, t->index + (uint32_t)i * t->index_step);
        float row[4][SOFTMAX_LD] = {{0}}, factor = -1;
        const float *const got[] = {s + at, again + at, p + at, dp + at};
        at_softmax_state alone = i % 2 ? (at_softmax_state){0.2f, 1.5f} : (at_softmax_state){-INFINITY, 0};
        for (int r = 0; r < 4; r++) memcpy(row[r], (r < 3 ? scores : gradients) + at, (size_t)n * sizeof(float));
        k->softmax_tile(row[0], &one, &alone, &factor);
        k->softmax_again(row[1], &one, &lse[3 * i], 1);
        k->softmax_bwd(row[2], row[3], &one, &lse[3 * i], 1, &delta[i]);
        assert_memory_equal(&state[i], &alone, sizeof alone);
        if (n > 0) assert_true(shrink[i] == factor);
        for (int r = 0; r < 4; r++) {
            assert_memory_equal(got[r], row[r], (size_t)end * sizeof(float)); /* with zeros from n on */
            assert_memory_equal(got[r] + end, (r < 3 ? scores : gradients) + at + end,
                                (size_t)(SOFTMAX_LD - end) * sizeof(float));
        }
    }
}

static void softmax_rows_stand_alone(void **state)
{
    (void)state;
    float *scores = normals(20, SOFTMAX_ROWS * SOFTMAX_LD, 2), *gradients = normals(21, SOFTMAX_ROWS * SOFTMAX_LD, 2);
    for (int t = 0; t < table_count; t++)
        for (int64_t keys = 1; keys <= 64; keys++) {
            const int64_t first[] = {-3, 0, 1, keys - 2, keys};
            for (int f = 0; f < 5; f++)
                for (int step = 0; step < 2; step++)
                    for (int drop = 0; drop < 2; drop++) {
                        const at_score_tile tile = {
                            SOFTMAX_ROWS, keys,          SOFTMAX_LD, first[f], step, 0.3f, drop ? some_drop : no_drop,
                            0xfffffff0u,  (uint32_t)keys};
                        check_softmax_tile(&tables[t], &tile, scores, gradients);
                    }
        }
    free(scores), free(gradients);
}

static void softmax_ends_divide(void **state)
{
    (void)state;
    const at_softmax_state states[] = {{1, 2}, {-INFINITY, 0}, {-3, 0.5f}};
    for (int t = 0; t < table_count; t++)
        for (int64_t n = 1; n <= 40; n++) {
            float *o = normals(22, 3 * (n + 3), 1), *given = normals(22, 3 * (n + 3), 1), lse[6] = {7, 7, 7, 7, 7, 7};
            tables[t].softmax_end(o, n + 3, n, states, 3, lse, 2);
            for (int64_t i = 0; i < 3; i++)
                for (int64_t j = 0; j < n + 3; j++) {
                    const float x = given[i * (n + 3) + j], inverse = i == 1 ? 0 : 1 / states[i].sum;
                    assert_true(o[i * (n + 3) + j] == (j < n ? x * inverse : x));
                }
            assert_true(lse[0] == 1 + logf(2) && lse[2] == -INFINITY && lse[4] == -3 + logf(0.5f));
            assert_true(lse[1] == 7 && lse[3] == 7 && lse[5] == 7);
            free(o), free(given);
        }
}

static void cross_entropy_gradient_sums_to_zero(void **state)
{
    (void)state;
    for (int64_t n = 2; n <= 4097; n += n < 70 ? 1 : 1007)
        for (int t = 0; t < table_count; t++)
            for (int smooth = 0; smooth < 2; smooth++)
                for (int hit = 0; hit < 2; hit++) {
                    const float smoothing = smooth ? 0.1f : 0, scale = 0.37f;
                    const int32_t target = hit ? (int32_t)(n - 1) : 0;
                    float *x = normals(10, n + 16, 3);
                    double *exact = calloc((size_t)n, sizeof *exact), nll, want_nll, lse = 0, sum = 0;
                    for (int64_t i = 0; i < n; i++) lse += exp(exact[i] = x[i]);
                    lse = log(lse);
                    const double want = ref_cross_entropy(&want_nll, exact, n, target, smoothing);
                    const double loss = tables[t].cross_entropy(x, n, target, smoothing, scale, &nll);
                    assert_true(fabs(loss - want) < 1e-6 * fmax(1, want) &&
                                fabs(nll - want_nll) < 1e-6 * fmax(1, want_nll));
                    for (int64_t i = 0; i < n; i++) {
                        const double q = (double)smoothing / (double)n + (i == target ? 1 - (double)smoothing : 0);
                        assert_true(fabs((double)x[i] - (double)scale * (exp(exact[i] - lse) - q)) < 4e-7);
                        sum += x[i];
                    }
                    assert_true(fabs(sum) < 1e-6);
                    for (int64_t i = n; i < (n + 15) / 16 * 16; i++) assert_true(x[i] == 0);
                    free(x);
                    free(exact);
                }
}

static void adam_follows_the_paper(void **state)
{
    (void)state;
    enum { N = 37, STEPS = 20 };
    const at_optimize_args args = {.optimizer = ATT_OPTIMIZER_ADAM,
                                   .rate = 1e-2f,
                                   .beta1 = 0.9f,
                                   .beta2 = 0.98f,
                                   .eps = 1e-9f,
                                   .gradient_scale = 0.5f};
    for (int t = 0; t < table_count; t++) {
        at_backend *be;
        assert_int_equal(at_cpu_backend_new(&be, 1, tables[t].isa, NULL), ATT_OK);
        float *w = normals(1, N, 1), m[N] = {0}, v[N] = {0};
        double rw[N], rm[N] = {0}, rv[N] = {0};
        for (int i = 0; i < N; i++) rw[i] = w[i];
        for (int step = 1; step <= STEPS; step++) {
            float *g = normals((uint64_t)(100 + step), N, 1);
            g[0] = 0; /* never a gradient: the weight stays */
            at_optimize_args now = args;
            now.step = step;
            be->optimize(be, w, m, v, g, N, &now);
            for (int i = 0; i < N; i++) {
                const double d = (double)g[i] * args.gradient_scale, b1 = args.beta1, b2 = args.beta2;
                rm[i] = b1 * rm[i] + (1 - b1) * d;
                rv[i] = b2 * rv[i] + (1 - b2) * d * d;
                rw[i] -= args.rate * (rm[i] / (1 - pow(b1, step))) / (sqrt(rv[i] / (1 - pow(b2, step))) + args.eps);
                assert_true(fabs((double)w[i] - rw[i]) < 6e-7 * fmax(1, fabs(rw[i])));
                assert_true(fabs((double)m[i] - rm[i]) < 3e-7 && fabs((double)v[i] - rv[i]) < 3e-7);
            }
            free(g);
        }
        free(w);
        be->free(be);
    }
}

/* One chain of multiply-adds over p = 0 .. k - 1, fused where the processor fuses them. */
static float chain(bool fused, const float *a, int64_t a_stride, const float *b, int64_t b_stride, int64_t k)
{
    float sum = 0;
    for (int64_t p = 0; p < k; p++) {
        const float product = a[p * a_stride] * b[p * b_stride];
        sum = fused ? fmaf(a[p * a_stride], b[p * b_stride], sum) : sum + product;
    }
    return sum;
}

/* A chain for each `depth` of k, added in order to c, if any. */
static float chains(bool fused, const float *c, const float *a, int64_t a_stride, const float *b, int64_t b_stride,
                    int64_t k, int64_t depth)
{
    float sum = c ? *c : 0;
    for (int64_t p = 0; p == 0 || p < k; p += depth) {
        const float part = chain(fused, a + p * a_stride, a_stride, b + p * b_stride, b_stride, at_min(depth, k - p));
        sum = c || p > 0 ? sum + part : part;
    }
    return sum;
}

static bool is_fused(const at_kernels *k)
{
#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)
    (void)k;
    return true;
#else
    return strcmp(k->isa, "portable") != 0;
#endif
}

static void tiles_are_exact_chains(void **state)
{
    (void)state;
    static const int depths[] = {0, 1, 2, 3, 15, 17, 256};
    enum { LDC = 45 };
    float *a = normals(20, 300 * ATT_TILE_STRIDE, 1), *b = normals(21, 300 * 33 + 32, 1),
          *given = normals(22, 16 * LDC, 1), c[16 * LDC];
    for (int t = 0; t < table_count; t++)
        for (int64_t rows = 1; rows <= ATT_TILE_ROWS; rows++)
            for (int run = 0; run < 8 * 7; run++) {
                const int64_t k = depths[run / 8], panels = 1 + run % 2, stride = k * ATT_PANEL + 32;
                const bool accumulate = run / 2 % 2, transposed = run / 4 % 2, fused = is_fused(&tables[t]);
                const int64_t lda = transposed ? 19
                                    : run % 3  ? ATT_TILE_STRIDE
                                               : 257,
                              ldb = run % 5 ? ATT_PANEL : 33, panel_stride = run % 5 ? stride : ATT_PANEL;
                const at_tile tile = {rows, panels, k, a, lda, b, ldb, panel_stride, c, LDC, accumulate};
                memcpy(c, given, sizeof c);
                if (transposed)
                    tables[t].float32.tile_t(&tile);
                else
                    tables[t].float32.tile(&tile);
                for (int64_t i = 0; i < 16; i++)
                    for (int64_t j = 0; j < LDC; j++) {
                        float want = given[i * LDC + j];
                        if (i < rows && j < panels * ATT_PANEL)
                            want = chains(fused, accumulate ? &want : NULL, transposed ? a + i : a + i * lda,
                                          transposed ? lda : 1, b + j / ATT_PANEL * panel_stride + j % ATT_PANEL, ldb,
                                          k, ATT_TILE_DEPTH);
                        assert_true(c[i * LDC + j] == want);
                    }
            }
    free(a), free(b), free(given);
}

/* C = A B of whole matrices: any number of rows and columns, blocked or not, gives the same chains. */
static void products_are_exact_chains(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 1, 1},    {3, 17, 13},   {14, 16, 256}, {15, 31, 257},
                                    {29, 33, 30}, {30, 47, 600}, {2, 1041, 5},  {57, 16, 1}};
    for (int t = 0; t < table_count; t++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            for (int accumulate = 0; accumulate < 2; accumulate++) {
                const int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], lda = k + 3, ldc = n + 5;
                float *a = normals(30, m * lda, 1), *b = normals(31, k * n, 1), *c = normals(32, m * ldc, 1),
                      *given = normals(32, m * ldc, 1);
                float *packed = malloc((size_t)((n + 15) / 16 * 16 * k) * sizeof *packed),
                      *scratch = malloc(ATT_GEMM_SCRATCH * sizeof *scratch);
                at_pack_panels(&tables[t].float32, packed, b, k, n, n, false, 0, (n + 15) / 16);
                at_gemm_nn(&tables[t].float32, m, n, k, a, lda, packed, c, ldc, accumulate, scratch);
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < ldc; j++) {
                        float want = given[i * ldc + j];
                        if (j < n)
                            want = chains(is_fused(&tables[t]), accumulate ? &want : NULL, a + i * lda, 1, b + j, n, k,
                                          ATT_TILE_DEPTH);
                        assert_true(c[i * ldc + j] == want);
                    }
                free(a), free(b), free(c), free(given), free(packed), free(scratch);
            }
}

/* C = A^T B by threads: the same chains, whatever rectangles C is cut into. */
static void transposed_products_are_exact_chains(void **state)
{
    (void)state;
    /* rows, columns, depth, and how much longer B's rows are: B is read in place where its columns are whole panels and its rows
     * don't collide. */
    static const int shapes[][4] = {{1, 1, 1, 2},      {17, 33, 13, 2},   {15, 31, 257, 2}, {470, 40, 20, 2},
                                    {30, 300, 19, 2},  {13, 17, 800, 2},  {5, 7, 0, 2},     {30, 48, 800, 2},
                                    {29, 1040, 13, 0}, {470, 32, 400, 1}, {15, 512, 5, 0},  {15, 512, 390, 2}};
    for (int t = 0; t < table_count; t++)
        for (int threads = 1; threads <= 5; threads += 2) {
            at_backend *be;
            assert_int_equal(at_cpu_backend_new(&be, threads, tables[t].isa, NULL), ATT_OK);
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                for (int accumulate = 0; accumulate < 2; accumulate++) {
                    const int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2], lda = m + 3,
                                  ldb = n + shapes[s][3], ldc = n + 5;
                    float *a = normals(40, k * lda, 1), *b = normals(41, k * ldb, 1), *c = normals(42, m * ldc, 1),
                          *given = normals(42, m * ldc, 1);
                    at_gemm_tn(at_cpu_of(be), m, n, k, a, lda, b, ldb, c, ldc, accumulate);
                    for (int64_t i = 0; i < m; i++)
                        for (int64_t j = 0; j < ldc; j++) {
                            float want = given[i * ldc + j];
                            if (j < n)
                                want = chains(is_fused(&tables[t]), accumulate ? &want : NULL, a + i, lda, b + j, ldb,
                                              k, ATT_GEMM_TN_DEPTH);
                            assert_true(c[i * ldc + j] == want);
                        }
                    free(a), free(b), free(c), free(given);
                }
            be->free(be);
        }
}

static void packing_moves_every_element(void **state)
{
    (void)state;
    for (int t = 0; t < table_count; t++)
        for (int64_t n = 1; n <= 50; n += 7)
            for (int64_t k = 1; k <= 40; k += 3) {
                float *b = normals(50, n * k, 1), *packed = malloc((size_t)(64 * k) * sizeof *packed);
                for (int transposed = 0; transposed < 2; transposed++) { /* B (K,N), or stored as (N,K) */
                    at_pack_panels(&tables[t].float32, packed, b, k, n, transposed ? k : n, transposed, 0,
                                   (n + 15) / 16);
                    for (int64_t p = 0; p < k; p++)
                        for (int64_t j = 0; j < (n + 15) / 16 * 16; j++)
                            assert_true(packed[j / 16 * 16 * k + p * 16 + j % 16] == (j >= n       ? 0
                                                                                      : transposed ? b[j * k + p]
                                                                                                   : b[p * n + j]));
                }
                free(b), free(packed);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_complete),
        cmocka_unit_test(row_kernels_give_equal_bits),
        cmocka_unit_test(reductions_are_right),
        cmocka_unit_test(sum_squares_shows_what_is_not_finite),
        cmocka_unit_test(exp_is_right_to_1_ulp),
        cmocka_unit_test(erf_and_sigmoid_are_accurate),
        cmocka_unit_test(activations_are_accurate),
        cmocka_unit_test(softmax_tiles_join),
        cmocka_unit_test(softmax_rows_stand_alone),
        cmocka_unit_test(softmax_ends_divide),
        cmocka_unit_test(cross_entropy_gradient_sums_to_zero),
        cmocka_unit_test(adam_follows_the_paper),
        cmocka_unit_test(tiles_are_exact_chains),
        cmocka_unit_test(products_are_exact_chains),
        cmocka_unit_test(transposed_products_are_exact_chains),
        cmocka_unit_test(packing_moves_every_element),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
