/* Products in bfloat16 on every instruction set, emulated where the processor lacks them: operands are rounded to nearest
 * even, and everything else is as exact as float32 sums are, held against the same products of rounded operands in double precision.
 * Bits depend on neither threads nor batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cpu/cpu.h"
#include "reference.h"

enum { MAX_ISAS = 8, MAX_THREADS = 5 };
static const int thread_counts[MAX_THREADS] = {1, 2, 3, 8, 16};
static at_backend *backends[MAX_ISAS][MAX_THREADS];
static const char *isas[MAX_ISAS];
static int isa_count;

static int start(void **state)
{
    (void)state;
    isa_count = at_kernels_names(isas, MAX_ISAS);
    for (int i = 0; i < isa_count; i++)
        for (int t = 0; t < MAX_THREADS; t++) {
            if (at_cpu_backend_new(&backends[i][t], thread_counts[t], isas[i], NULL) != ATT_OK) return -1;
            if (at_cpu_backend_set_precision(backends[i][t], ATT_PRECISION_BF16_EMULATED, NULL) != ATT_OK) return -1;
        }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (int i = 0; i < isa_count; i++)
        for (int t = 0; t < MAX_THREADS; t++) backends[i][t]->free(backends[i][t]);
    return 0;
}

static void *array(int64_t n, size_t size)
{
    void *data = calloc((size_t)n + 1, size);
    assert_non_null(data);
    return data;
}

static float *normals(uint64_t key, int64_t n)
{
    float *x = array(n, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)at_rng_normal(key, (uint64_t)i);
    return x;
}

/* To nearest, ties to even, by arithmetic: 8 significant bits. */
static double rounded(float x)
{
    int exponent;
    const double fraction = frexp((double)x, &exponent);
    return ldexp(nearbyint(ldexp(fraction, 8)), exponent - 8);
}

static float of_half(uint32_t half)
{
    const uint32_t bits = half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Element k of a packed row of words. */
static float element(const float *words, int64_t k)
{
    uint32_t word;
    memcpy(&word, words + k / 2, sizeof word);
    return of_half(k % 2 ? word >> 16 : word & 0xffff);
}

static const at_product *product_of(int isa)
{
    return at_cpu_of(backends[isa][0])->product;
}

static void rounds_to_nearest_even(void **state)
{
    (void)state;
    enum { N = 4096 };
    float *x = normals(1, N), *words = array(N, sizeof *words);
    x[0] = 0, x[1] = -0.0f, x[2] = INFINITY, x[3] = -INFINITY, x[4] = 3.4e38f, x[5] = 1e30f, x[6] = -1e-30f;
    for (int i = 0; i < 16; i++) x[16 + i] = 1 + (float)i / 256; /* every second one a tie */
    for (int isa = 0; isa < isa_count; isa++) {
        product_of(isa)->pack_rows(words, 0, x, 0, 1, N);
        for (int64_t k = 0; k < N; k++)
            if (isfinite(x[k]) && fabsf(x[k]) < 3.39e38f)
                assert_true((double)element(words, k) == rounded(x[k]));
            else
                assert_true(element(words, k) ==
                            (x[k] < 0 ? -INFINITY : INFINITY)); /* the largest floats round up to it */
        const float nan[] = {NAN, -NAN, of_half(0x7fff), 1};
        product_of(isa)->pack_rows(words, 0, nan, 0, 1, 4);
        for (int64_t k = 0; k < 3; k++) assert_true(isnan(element(words, k)));
    }
    free(x), free(words);
}

static void packing_pairs_neighbours(void **state)
{
    (void)state;
    for (int isa = 0; isa < isa_count; isa++)
        for (int64_t n = 1; n <= 50; n += 7)
            for (int64_t k = 1; k <= 70; k += 3) {
                const int64_t words = (k + 1) / 2;
                float *b = normals(2, n * k), *packed = array(64 * words, sizeof *packed);
                for (int transposed = 0; transposed < 2; transposed++) { /* B (K,N), or stored as (N,K) */
                    at_pack_panels(product_of(isa), packed, b, k, n, transposed ? k : n, transposed, 0, (n + 15) / 16);
                    for (int64_t p = 0; p < 2 * words; p++)
                        for (int64_t j = 0; j < (n + 15) / 16 * 16; j++) {
                            const float *word = packed + j / 16 * 16 * words + p / 2 * 16 + j % 16;
                            const double want = j >= n || p >= k ? 0 : rounded(b[transposed ? j * k + p : p * n + j]);
                            assert_true((double)element(word, p % 2) == want);
                        }
                }
                free(b), free(packed);
            }
}

/* got against start + sum of x[p] y[p], operands rounded: float32 sums of K terms err by a random walk. */
static void assert_sum(float got, double start, const float *x, int64_t x_stride, const float *y, int64_t y_stride,
                       int64_t k)
{
    double sum = start, size = fabs(start);
    for (int64_t p = 0; p < k; p++) {
        const double term = rounded(x[p * x_stride]) * rounded(y[p * y_stride]);
        sum += term;
        size += fabs(term);
    }
    assert_true(fabs((double)got - sum) <= ldexp(4 + 4 * sqrt((double)k), -24) * size);
}

typedef struct layer { /* x (M,K)  w (K,N), or (N,K) when transposed  y (M,N) */
    int64_t m, k, n;
    bool transposed;
    float *x, *w, *y, *bias, *dx, *dw, *db, *dy, *packed, *packed_t;
} layer;

static layer layer_new(int64_t m, int64_t k, int64_t n, bool transposed)
{
    return (layer){m,
                   k,
                   n,
                   transposed,
                   normals(10, m * k),
                   normals(11, k * n),
                   array(m * n, sizeof(float)),
                   normals(12, n),
                   array(m * k, sizeof(float)),
                   array(k * n, sizeof(float)),
                   array(n, sizeof(float)),
                   normals(13, m * n),
                   NULL,
                   NULL};
}

static void layer_free(layer *l)
{
    float *all[] = {l->x, l->w, l->y, l->bias, l->dx, l->dw, l->db, l->dy};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static at_weight pack(at_backend *be, layer *l)
{
    at_weight w = {l->w, NULL, NULL, l->k, l->n, l->transposed};
    l->packed = be->alloc(be, (size_t)be->pack_size(be, &w, false) * sizeof(float));
    l->packed_t = be->alloc(be, (size_t)be->pack_size(be, &w, true) * sizeof(float));
    be->pack(be, l->packed, &w, false);
    be->pack(be, l->packed_t, &w, true);
    w.packed = l->packed;
    w.packed_t = l->packed_t;
    return w;
}

static void release(at_backend *be, layer *l)
{
    be->release(be, l->packed, 0);
    be->release(be, l->packed_t, 0);
}

static const int64_t shapes[][3] = {{1, 1, 1}, {3, 17, 13}, {29, 33, 30}, {15, 515, 31}, {40, 30, 1041}, {801, 19, 33}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Forward and backward of a layer; the sums of the second backward are added to those of the first. */
static void run_layer(at_backend *be, layer *l)
{
    const at_weight w = pack(be, l);
    be->linear_fwd(be, l->y, NULL, l->x, &w, l->bias, l->m, ATT_ACT_NONE);
    for (int beta = 0; beta < 2; beta++)
        be->linear_bwd(be, l->dx, (float)beta, l->dw, (float)beta, l->db, (float)beta, l->dy, NULL, l->x, &w, l->m,
                       ATT_ACT_NONE);
    release(be, l);
}

static void check_layer(const layer *l)
{
    const int64_t k = l->k, n = l->n, w_k = l->transposed ? 1 : n, w_n = l->transposed ? k : 1;
    for (int64_t i = 0; i < l->m; i++) {
        for (int64_t j = 0; j < n; j++)
            assert_sum(l->y[i * n + j], (double)l->bias[j], l->x + i * k, 1, l->w + j * w_n, w_k, k);
        for (int64_t p = 0; p < k; p++) assert_sum(l->dx[i * k + p] / 2, 0, l->dy + i * n, 1, l->w + p * w_k, w_n, n);
    }
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++) assert_sum(l->dw[p * w_k + j * w_n] / 2, 0, l->x + p, k, l->dy + j, n, l->m);
}

static void linear_multiplies_rounded_operands(void **state)
{
    (void)state;
    for (int isa = 0; isa < isa_count; isa++)
        for (int s = 0; s < 2 * SHAPES; s++) {
            const int64_t *shape = shapes[s / 2];
            layer l = layer_new(shape[0], shape[1], shape[2], s % 2),
                  again = layer_new(shape[0], shape[1], shape[2], s % 2);
            run_layer(backends[isa][0], &l);
            check_layer(&l);
            for (int t = 1; t < MAX_THREADS; t++) {
                run_layer(backends[isa][t], &again);
                assert_memory_equal(again.y, l.y, (size_t)(l.m * l.n) * sizeof(float));
                assert_memory_equal(again.dx, l.dx, (size_t)(l.m * l.k) * sizeof(float));
                assert_memory_equal(again.dw, l.dw, (size_t)(l.k * l.n) * sizeof(float));
            }
            layer_free(&l), layer_free(&again);
        }
}

static void rows_stand_alone(void **state)
{
    (void)state;
    enum { M = 60, K = 1027, N = 45 };
    for (int isa = 0; isa < isa_count; isa++) {
        at_backend *be = backends[isa][0];
        layer l = layer_new(M, K, N, false);
        float *some = array(M * N, sizeof *some);
        const at_weight w = pack(be, &l);
        be->linear_fwd(be, l.y, NULL, l.x, &w, l.bias, M, ATT_ACT_GELU);
        for (int64_t m = 1; m <= 30; m++)
            for (int64_t from = 0; from + m <= M; from += m + 7) {
                be->linear_fwd(be, some, NULL, l.x + from * K, &w, l.bias, m, ATT_ACT_GELU);
                assert_memory_equal(some, l.y + from * N, (size_t)(m * N) * sizeof(float));
            }
        release(be, &l);
        layer_free(&l), free(some);
    }
}

/* Losses and, into g (M,N), gradients of the logits in double precision, of rounded x and w. */
static void reference_loss(const layer *l, const int32_t *targets, double smoothing, double *loss, double *g)
{
    const int64_t k = l->k, n = l->n;
    for (int64_t i = 0; i < l->m; i++) {
        double *z = g + i * n, nll, sum = 0;
        for (int64_t j = 0; j < n; j++) {
            z[j] = (double)l->bias[j];
            for (int64_t p = 0; p < k; p++)
                z[j] += rounded(l->x[i * k + p]) * rounded(l->w[l->transposed ? j * k + p : p * n + j]);
        }
        loss[i] = ref_cross_entropy(&nll, z, n, targets[i], smoothing);
        for (int64_t j = 0; j < n; j++) sum += exp(z[j]);
        for (int64_t j = 0; j < n; j++)
            z[j] = exp(z[j]) / sum - smoothing / (double)n - (j == targets[i] ? 1 - smoothing : 0);
    }
}

/* got against the sum of g[p] y[p], y rounded, g not: its float32 values may round either way near a tie. */
static void assert_near_sum(float got, const double *g, int64_t g_stride, const float *y, int64_t y_stride, int64_t k)
{
    double sum = 0, size = 0;
    for (int64_t p = 0; p < k; p++) {
        const double term = g[p * g_stride] * rounded(y[p * y_stride]);
        sum += term;
        size += fabs(term);
    }
    assert_true(fabs((double)got - sum) <= ldexp(1.01, -8) * size + 2e-6);
}

static void check_loss(const layer *l, const int32_t *targets, const double *loss)
{
    const int64_t k = l->k, n = l->n, w_k = l->transposed ? 1 : n, w_n = l->transposed ? k : 1;
    double *want = array(l->m, sizeof *want), *g = array(l->m * n, sizeof *g);
    reference_loss(l, targets, 0.1f, want, g);
    for (int64_t i = 0; i < l->m; i++) {
        assert_true(fabs(loss[i] - want[i]) <= 2e-6 * fmax(1, want[i]));
        for (int64_t p = 0; p < k; p++) assert_near_sum(l->dx[i * k + p], g + i * n, 1, l->w + p * w_k, w_n, n);
    }
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < n; j++) assert_near_sum(l->dw[p * w_k + j * w_n], g + j, n, l->x + p, k, l->m);
    free(want), free(g);
}

static void loss_multiplies_rounded_operands(void **state)
{
    (void)state;
    for (int isa = 0; isa < isa_count; isa++)
        for (int s = 0; s < 2 * SHAPES; s++) {
            layer first = {0};
            double *first_loss = NULL;
            for (int t = 0; t < MAX_THREADS; t++) {
                layer l = layer_new(shapes[s / 2][0], shapes[s / 2][1], shapes[s / 2][2], s % 2);
                int32_t *targets = array(l.m, sizeof *targets);
                for (int64_t j = 0; j < l.k * l.n; j++) l.w[j] /= sqrtf((float)l.k); /* logits near 1 */
                double *loss = array(l.m, sizeof *loss);
                for (int64_t i = 0; i < l.m; i++) targets[i] = (int32_t)(i * 7 % l.n);
                at_backend *be = backends[isa][t];
                const at_weight w = pack(be, &l);
                be->linear_cross_entropy(be, loss, NULL, l.dx, l.dw, l.db, l.x, &w, l.bias, targets, l.m, 0.1f, 1);
                release(be, &l);
                if (t == 0) {
                    check_loss(&l, targets, loss);
                    first = l, first_loss = loss;
                } else {
                    assert_memory_equal(loss, first_loss, (size_t)l.m * sizeof(double));
                    assert_memory_equal(l.dx, first.dx, (size_t)(l.m * l.k) * sizeof(float));
                    assert_memory_equal(l.dw, first.dw, (size_t)(l.k * l.n) * sizeof(float));
                    layer_free(&l), free(loss);
                }
                free(targets);
            }
            layer_free(&first), free(first_loss);
        }
}

static void packed_weights_take_half_the_memory(void **state)
{
    (void)state;
    at_backend *be;
    const at_weight w = {NULL, NULL, NULL, 64, 40, false}, odd = {NULL, NULL, NULL, 33, 40, false};
    assert_int_equal(at_cpu_backend_new(&be, 1, "portable", NULL), ATT_OK);
    assert_int_equal(be->pack_size(be, &w, false), 48 * 64);
    assert_int_equal(at_cpu_backend_set_precision(be, ATT_PRECISION_BF16_EMULATED, NULL), ATT_OK);
    assert_int_equal(be->pack_size(be, &w, false), 48 * 32);
    assert_int_equal(be->pack_size(be, &odd, false), 48 * 17);
    be->free(be);
}

static void is_refused_where_it_would_be_slow(void **state)
{
    (void)state;
    for (int isa = 0; isa < isa_count; isa++) {
        at_backend *be;
        at_error err = {0};
        assert_int_equal(at_cpu_backend_new(&be, 1, isas[isa], NULL), ATT_OK);
        const bool native = strcmp(isas[isa], "avx512_bf16") == 0;
        assert_int_equal(at_cpu_backend_set_precision(be, ATT_PRECISION_BF16, &err), native ? ATT_OK : ATT_UNSUPPORTED);
        assert_true(native || strstr(err.text, isas[isa]) != NULL);
        be->free(be);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_to_nearest_even),
        cmocka_unit_test(packing_pairs_neighbours),
        cmocka_unit_test(linear_multiplies_rounded_operands),
        cmocka_unit_test(rows_stand_alone),
        cmocka_unit_test(loss_multiplies_rounded_operands),
        cmocka_unit_test(packed_weights_take_half_the_memory),
        cmocka_unit_test(is_refused_where_it_would_be_slow),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
