/* Optimizers against their formulas in double precision and against PyTorch's numbers, on every instruction set; which
 * tensors decay; the average of the weights; what is kept beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "simd/kernels.h"
#include "train/optimizer.h"

enum { MAX_ISAS = 8, N = 5, STEPS = 5 };
static const char *isas[MAX_ISAS];
static int isa_count;

static int start(void **state)
{
    (void)state;
    isa_count = at_kernels_names(isas, MAX_ISAS);
    return isa_count > 0 ? 0 : -1;
}

static const float first_weights[N] = {0.5f, -0.25f, 1, -2, 0};

static double gradient(int step, int i)
{
    return ((i * 7 + step * 3) % 11 - 5) / 10.0;
}

/* Weights after five steps with these gradients: torch.optim of PyTorch 2.15 in double precision, from
 *   w = torch.tensor([0.5, -0.25, 1.0, -2.0, 0.0]);  grad[i] = ((i * 7 + t * 3) % 11 - 5) / 10 in step t = 1 .. 5 */
static const struct published {
    const char *name;
    at_optimize_args args;
    double weights[N];
} published[] = {
    {"Adam(lr=0.01, betas=(0.9, 0.98), eps=1e-9)",
     {.optimizer = ATT_OPTIMIZER_ADAM, .rate = 0.01f, .beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-9f, .gradient_scale = 1},
     {0.510835164, -0.266374603, 0.980097042, -1.975378736, -0.012648076}},
    {"Adam(..., weight_decay=0.1)",
     {.optimizer = ATT_OPTIMIZER_ADAM,
      .rate = 0.01f,
      .beta1 = 0.9f,
      .beta2 = 0.98f,
      .eps = 1e-9f,
      .gradient_scale = 1,
      .decay = 0.1f},
     {0.502751525, -0.263593601, 0.970451052, -1.959999847, -0.012572518}},
    {"AdamW(..., weight_decay=0.1)",
     {.optimizer = ATT_OPTIMIZER_ADAMW,
      .rate = 0.01f,
      .beta1 = 0.9f,
      .beta2 = 0.98f,
      .eps = 1e-9f,
      .gradient_scale = 1,
      .decay = 0.1f},
     {0.508300311, -0.265074665, 0.975173643, -1.965461071, -0.012612004}},
    {"RMSprop(lr=0.01, alpha=0.98, eps=1e-8)",
     {.optimizer = ATT_OPTIMIZER_RMSPROP, .rate = 0.01f, .beta2 = 0.98f, .eps = 1e-8f, .gradient_scale = 1},
     {0.535399864, -0.273384129, 0.899004464, -1.904446781, -0.077494222}},
    {"RMSprop(..., momentum=0.9, weight_decay=0.1)",
     {.optimizer = ATT_OPTIMIZER_RMSPROP,
      .rate = 0.01f,
      .beta2 = 0.98f,
      .eps = 1e-8f,
      .gradient_scale = 1,
      .momentum = 0.9f,
      .decay = 0.1f},
     {0.521336269, -0.398053020, 0.562118348, -1.529943819, -0.167110035}},
    {"SGD(lr=0.01)",
     {.optimizer = ATT_OPTIMIZER_SGD, .rate = 0.01f, .gradient_scale = 1},
     {0.502000000, -0.250000000, 0.998000000, -1.993000000, -0.006000000}},
    {"SGD(lr=0.01, momentum=0.9, weight_decay=0.1)",
     {.optimizer = ATT_OPTIMIZER_SGD, .rate = 0.01f, .gradient_scale = 1, .momentum = 0.9f, .decay = 0.1f},
     {0.495940546, -0.257518508, 0.979812839, -1.958163535, -0.008683668}},
};

static bool has_moment1(const at_optimize_args *a)
{
    return a->optimizer == ATT_OPTIMIZER_ADAM || a->optimizer == ATT_OPTIMIZER_ADAMW || a->momentum > 0;
}

static bool has_moment2(const at_optimize_args *a)
{
    return a->optimizer != ATT_OPTIMIZER_SGD;
}

static void agrees_with_torch(void **state)
{
    (void)state;
    for (int isa = 0; isa < isa_count; isa++)
        for (size_t k = 0; k < sizeof published / sizeof *published; k++) {
            at_backend *be;
            assert_int_equal(at_cpu_backend_new(&be, 1, isas[isa], NULL), ATT_OK);
            float w[N], m[N] = {0}, v[N] = {0}, g[N];
            at_optimize_args args = published[k].args;
            memcpy(w, first_weights, sizeof w);
            for (int step = 1; step <= STEPS; step++) {
                for (int i = 0; i < N; i++) g[i] = (float)gradient(step, i);
                args.step = step;
                be->optimize(be, w, has_moment1(&args) ? m : NULL, has_moment2(&args) ? v : NULL, g, N, &args);
            }
            for (int i = 0; i < N; i++)
                if (fabs((double)w[i] - published[k].weights[i]) > 3e-7)
                    fail_msg("%s on %s: weight %d is %.9f, PyTorch's %.9f", published[k].name, isas[isa], i,
                             (double)w[i], published[k].weights[i]);
            be->free(be);
        }
}

/* One weight's update as the papers write it. */
static void reference(const at_optimize_args *a, double *w, double *m, double *v, double g)
{
    const double b1 = a->beta1, b2 = a->beta2, decay = a->decay;
    double d = g * a->gradient_scale, step;
    if (a->optimizer == ATT_OPTIMIZER_ADAMW)
        *w -= a->rate * decay * *w;
    else
        d += decay * *w;
    if (a->optimizer == ATT_OPTIMIZER_ADAM || a->optimizer == ATT_OPTIMIZER_ADAMW) {
        *m = b1 * *m + (1 - b1) * d;
        *v = b2 * *v + (1 - b2) * d * d;
        step = *m / (1 - pow(b1, (double)a->step)) / (sqrt(*v / (1 - pow(b2, (double)a->step))) + a->eps);
    } else {
        if (a->optimizer == ATT_OPTIMIZER_RMSPROP) {
            *v = b2 * *v + (1 - b2) * d * d;
            d /= sqrt(*v) + a->eps;
        }
        *m = a->momentum * *m + d;
        step = *m;
    }
    *w -= a->rate * step;
}

/* More weights than a chunk has, clipped gradients, several threads: the formula, and the same bits on all instruction
 * sets. */
static void follows_the_formulas(void **state)
{
    (void)state;
    enum { MANY = 20011 };
    float *first = malloc(MANY * sizeof *first), *w = malloc(MANY * sizeof *w), *g = malloc(MANY * sizeof *g);
    float *m = malloc(MANY * sizeof *m), *v = malloc(MANY * sizeof *v);
    double *rw = malloc(MANY * sizeof *rw), *rm = malloc(MANY * sizeof *rm), *rv = malloc(MANY * sizeof *rv);
    for (size_t k = 0; k < sizeof published / sizeof *published; k++)
        for (int isa = 0; isa < isa_count; isa++) {
            at_backend *be;
            assert_int_equal(at_cpu_backend_new(&be, 1 + 2 * isa, isas[isa], NULL), ATT_OK);
            at_optimize_args args = published[k].args;
            args.gradient_scale = 0.5f;
            for (int i = 0; i < MANY; i++)
                rw[i] = w[i] = (float)at_rng_normal(1, (uint64_t)i), rm[i] = rv[i] = m[i] = v[i] = 0;
            for (int step = 1; step <= STEPS; step++) {
                for (int i = 0; i < MANY; i++) g[i] = (float)at_rng_normal((uint64_t)step + 1, (uint64_t)i);
                args.step = step;
                be->optimize(be, w, has_moment1(&args) ? m : NULL, has_moment2(&args) ? v : NULL, g, MANY, &args);
                for (int i = 0; i < MANY; i++) reference(&args, &rw[i], &rm[i], &rv[i], g[i]);
            }
            for (int i = 0; i < MANY; i++) assert_true(fabs((double)w[i] - rw[i]) < 1e-6 * fmax(1, fabs(rw[i])));
            if (isa == 0)
                memcpy(first, w, MANY * sizeof *w);
            else
                assert_memory_equal(first, w, MANY * sizeof *w);
            be->free(be);
        }
    free(first), free(w), free(g), free(m), free(v), free(rw), free(rm), free(rv);
}

/* A matrix and a bias, with gradients of 1. */
static void make_params(at_params *p, at_backend *be, const at_train_options *o)
{
    at_params_init(p, be);
    at_params_add(p, (at_init){ATT_INIT_NORMAL, 1}, 3, 4, "weight");
    at_params_add(p, (at_init){ATT_INIT_NORMAL, 1}, 4, 0, "bias");
    assert_int_equal(at_params_allocate(p, true, NULL), ATT_OK);
    assert_int_equal(at_params_keep(p, at_optimizer_state(o), NULL), ATT_OK);
    assert_int_equal(at_params_draw(p, 1, NULL), ATT_OK);
    at_optimizer_start(p);
    for (int64_t i = 0; i < p->floats; i++) p->grad[i] = 1; /* the CPU's device memory is host memory */
}

static at_train_options plain_options(void)
{
    at_train_options o;
    assert_int_equal(at_options_defaults(at_train_option_table, &o, NULL), ATT_OK);
    o.schedule = ATT_SCHEDULE_CONSTANT;
    o.warmup = 0;
    o.learning_rate = 0.1;
    return o;
}

static void only_matrices_decay(void **state)
{
    (void)state;
    at_backend *be;
    at_params decayed, plain;
    at_train_options o = plain_options();
    assert_int_equal(at_cpu_backend_new(&be, 1, NULL, NULL), ATT_OK);
    for (int optimizer = ATT_OPTIMIZER_ADAM; optimizer <= ATT_OPTIMIZER_SGD; optimizer++) {
        o.optimizer = optimizer;
        make_params(&decayed, be, &o);
        make_params(&plain, be, &o);
        o.weight_decay = 0.5;
        at_optimizer_apply(&o, &decayed, 1, 1, 1);
        at_optimizer_apply(&o, &decayed, 2, 2, 1);
        o.weight_decay = 0;
        at_optimizer_apply(&o, &plain, 1, 1, 1);
        at_optimizer_apply(&o, &plain, 2, 2, 1);
        for (int i = 0; i < 12; i++) assert_true(decayed.tensor[0]->data[i] != plain.tensor[0]->data[i]);
        assert_memory_equal(decayed.tensor[1]->data, plain.tensor[1]->data, 4 * sizeof(float));
        at_params_free(&decayed);
        at_params_free(&plain);
    }
    at_options_free(at_train_option_table, &o);
    be->free(be);
}

/* average = d average + (1 - d) weights with d = min(ema, (t + 1) / (t + 10)); swapping shows it to the model and comes
 * back. */
static void average_follows(void **state)
{
    (void)state;
    at_backend *be;
    at_params p;
    at_train_options o = plain_options();
    o.optimizer = ATT_OPTIMIZER_SGD;
    o.ema = 0.4;
    assert_int_equal(at_cpu_backend_new(&be, 1, NULL, NULL), ATT_OK);
    make_params(&p, be, &o);
    double average[12], weight[12];
    for (int i = 0; i < 12; i++) average[i] = weight[i] = p.tensor[0]->data[i];
    for (int t = 1; t <= 20; t++) {
        at_optimizer_apply(&o, &p, t, t, 1);
        const double d = fmin(0.4, (t + 1.0) / (t + 10.0));
        for (int i = 0; i < 12; i++) {
            weight[i] -= 0.1;
            average[i] = d * average[i] + (1 - d) * weight[i];
            assert_true(fabs((double)p.average[i] - average[i]) < 2e-6);
        }
    }
    at_params_swap_average(&p);
    for (int i = 0; i < 12; i++) assert_true(fabs((double)p.tensor[0]->data[i] - average[i]) < 2e-6);
    at_params_swap_average(&p);
    for (int i = 0; i < 12; i++) assert_true(fabs((double)p.tensor[0]->data[i] - weight[i]) < 2e-6);
    at_params_free(&p);
    at_options_free(at_train_option_table, &o);
    be->free(be);
}

static void keeps_no_more_than_it_has(void **state)
{
    (void)state;
    at_train_options o = plain_options();
    assert_int_equal(at_optimizer_state(&o), ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2);
    o.optimizer = ATT_OPTIMIZER_SGD;
    assert_int_equal(at_optimizer_state(&o), 0);
    o.momentum = 0.9;
    assert_int_equal(at_optimizer_state(&o), ATT_STATE_MOMENT1);
    o.optimizer = ATT_OPTIMIZER_RMSPROP;
    assert_int_equal(at_optimizer_state(&o), ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2);
    o.momentum = 0;
    o.ema = 0.99;
    assert_int_equal(at_optimizer_state(&o), ATT_STATE_MOMENT2 | ATT_STATE_AVERAGE);
    at_options_free(at_train_option_table, &o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_torch),         cmocka_unit_test(follows_the_formulas),
        cmocka_unit_test(only_matrices_decay),       cmocka_unit_test(average_follows),
        cmocka_unit_test(keeps_no_more_than_it_has),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
