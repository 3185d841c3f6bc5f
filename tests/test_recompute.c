/* Recomputation of activations: losses and gradients to the bit those without it, for every kind of layer and any number
 * of threads; memory that doesn't grow with the layers' insides; lack of memory at every place leaves a context that goes
 * on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/model.h"
#include "must.h"

enum { VOCAB = 23, SENTENCES = 5, MICRO_BATCHES = 2 };

typedef struct kind {
    const char *arch, *options;
} kind;

static const kind kinds[] = {
    {"transformer", "norm=post activation=relu dropout-ffn=0.3"},
    {"transformer", "norm=pre activation=relu dropout-ffn=0.3 dropout-attention=0.1"},
    {"transformer", "norm=post activation=gelu dropout-ffn=0.2 residual=no"},
    {"transformer", "norm=pre activation=swish positions=learned output-bias=yes"},
    {"transformer", "norm=pre activation=swiglu dropout-ffn=0.2 positions-every-layer=yes"},
    {"transformer",
     "norm=post activation=relu positions=learned positions-every-layer=yes dropout=0 dropout-embedding=0"},
    {"transformer", "norm=pre activation=none dropout=0 dropout-embedding=0 tie-output=no"},
    {"gpt", "layers=3 dropout-ffn=0.2"},
    {"gpt", "layers=1 dropout=0 dropout-embedding=0 dropout-attention=0 activation=relu"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct fixture {
    at_backend *be;
    at_model *model;
    at_ctx ctx;
    int64_t source[SENTENCES + 1], target[SENTENCES + 1];
    int32_t ids[1000];
    at_pair_batch batch;
} fixture;

static void set_options(at_model *model, const char *options)
{
    at_error err;
    char text[300];
    snprintf(text, sizeof text, "%s%s", "width=24 heads=3 ffn=40 ", options);
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        must(at_option_set(at_option_find(model->arch->options, word), model->config, value, word, &err), &err);
    }
    model->arch->set_vocab(model, VOCAB, VOCAB, true);
}

static void make_batch(fixture *f)
{
    static const int64_t lengths[2][SENTENCES] = {{4, 1, 17, 9, 30}, {5, 2, 16, 33, 1}};
    for (int i = 0; i < SENTENCES; i++) {
        f->source[i + 1] = f->source[i] + lengths[0][i];
        f->target[i + 1] = f->target[i] + lengths[1][i];
    }
    for (size_t i = 0; i < sizeof f->ids / sizeof *f->ids; i++) f->ids[i] = (int32_t)at_rng_below(3, i, VOCAB);
    f->batch = (at_pair_batch){{SENTENCES, f->source, f->ids},
                               {SENTENCES, f->target, f->ids + 100},
                               {SENTENCES, f->target, f->ids + 101},
                               NULL};
}

static void open_fixture(fixture *f, const kind *k, int threads, bool recompute)
{
    at_error err;
    memset(f, 0, sizeof *f);
    must(at_cpu_backend_new(&f->be, threads, NULL, &err), &err);
    must(at_model_new(&f->model, at_arch_find(k->arch), f->be, &err), &err);
    set_options(f->model, k->options);
    must(at_model_build(f->model, true, &err), &err);
    must(at_params_draw(&f->model->params, 1, &err), &err);
    at_ctx_init(&f->ctx, f->be);
    f->ctx.recompute = recompute;
    make_batch(f);
}

static void close_fixture(fixture *f)
{
    at_ctx_free(&f->ctx);
    at_model_free(f->model);
    f->be->free(f->be);
}

/* Two micro-batches with keys of their own; stops where memory is out. */
static at_status step(fixture *f, double *loss)
{
    at_params *p = &f->model->params;
    at_params_clear_grad(p);
    *loss = 0;
    for (uint64_t i = 0; i < MICRO_BATCHES; i++) {
        at_ctx_begin(&f->ctx, true, true, at_rng_key(9, i));
        *loss += f->model->arch->loss(&f->ctx, f->model, &f->batch, 0.1f, 0.01f).loss;
        at_backward(&f->ctx);
        ATT_TRY(at_ctx_check(&f->ctx, NULL));
    }
    at_params_settle_grad(p);
    return ATT_OK;
}

static void assert_same_step(const fixture *a, double loss_a, const fixture *b, double loss_b)
{
    assert_true(loss_a == loss_b);
    assert_int_equal(a->model->params.floats, b->model->params.floats);
    assert_memory_equal(a->model->params.grad, b->model->params.grad, (size_t)a->model->params.floats * sizeof(float));
}

static void recomputation_changes_no_bit(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        fixture plain;
        double loss;
        open_fixture(&plain, &kinds[i], 1, false);
        must(step(&plain, &loss), NULL);
        assert_true(at_params_count(&plain.model->params) > 0 && plain.ctx.inner.peak == 0);
        for (int threads = 1; threads <= 5; threads += 2) {
            fixture again;
            double other;
            open_fixture(&again, &kinds[i], threads, true);
            for (int repeat = 0; repeat < 2; repeat++) { /* the second one in merged chunks */
                must(step(&again, &other), NULL);
                assert_same_step(&plain, loss, &again, other);
            }
            assert_true(again.ctx.inner.peak > 0);
            close_fixture(&again);
        }
        close_fixture(&plain);
    }
}

static size_t step_bytes(int layers, bool recompute)
{
    fixture f;
    char options[100];
    double loss;
    snprintf(options, sizeof options, "encoder-layers=%d decoder-layers=%d norm=pre", layers, layers);
    open_fixture(&f, &(kind){"transformer", options}, 1, recompute);
    must(step(&f, &loss), NULL);
    const size_t bytes = f.ctx.outer.peak + f.ctx.inner.peak;
    close_fixture(&f);
    return bytes;
}

/* A layer more costs its input alone: two sides of at most 60 tokens, width 24. */
static void a_layer_keeps_its_input_only(void **state)
{
    (void)state;
    const size_t more = (step_bytes(8, true) - step_bytes(4, true)) / 4, kept = 2 * 64 * 24 * sizeof(float);
    assert_true(more <= kept);
    assert_true((step_bytes(8, false) - step_bytes(4, false)) / 4 > 8 * kept);
}

/* Without recording one layer's memory serves all, and the loss is the same. */
static void inference_keeps_one_layer(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f, &(kind){"transformer", "dropout=0 dropout-embedding=0 encoder-layers=8 decoder-layers=8"}, 1,
                 false);
    at_ctx_begin(&f.ctx, true, true, 1);
    const at_loss recorded = f.model->arch->loss(&f.ctx, f.model, &f.batch, 0, 1);
    const size_t bytes = f.ctx.outer.peak;
    at_ctx_free(&f.ctx);
    at_ctx_init(&f.ctx, f.be);
    at_ctx_begin(&f.ctx, false, false, 1);
    assert_true(f.model->arch->loss(&f.ctx, f.model, &f.batch, 0, 1).loss == recorded.loss);
    assert_true(f.ctx.outer.peak + f.ctx.inner.peak < bytes / 3);
    close_fixture(&f);
}

static void *(*real_alloc)(at_backend *be, size_t bytes);
static int allocations_left;

static void *counted_alloc(at_backend *be, size_t bytes)
{
    if (allocations_left-- > 0) return real_alloc(be, bytes);
    be->failed = true;
    return NULL;
}

/* Every allocation of a step fails once; the step after it is as if nothing had been. */
static void lack_of_memory_leaves_a_context_that_goes_on(void **state)
{
    (void)state;
    const kind large = {"transformer", "encoder-layers=2 decoder-layers=2 norm=pre ffn=40000 dropout-ffn=0.1"};
    fixture plain, f;
    double loss, other;
    int failures = 0;
    open_fixture(&plain, &large, 1, false);
    must(step(&plain, &loss), NULL);
    for (at_status status = ATT_MEMORY; status != ATT_OK; failures++) {
        open_fixture(&f, &large, 1, true);
        real_alloc = f.be->alloc;
        f.be->alloc = counted_alloc;
        allocations_left = failures;
        status = step(&f, &other);
        f.be->alloc = real_alloc;
        assert_int_equal(f.be->failed, status != ATT_OK);
        f.be->failed = false;
        must(step(&f, &other), NULL);
        assert_same_step(&plain, loss, &f, other);
        close_fixture(&f);
    }
    assert_true(failures > 4); /* chunks of both areas */
    close_fixture(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recomputation_changes_no_bit),
        cmocka_unit_test(a_layer_keeps_its_input_only),
        cmocka_unit_test(inference_keeps_one_layer),
        cmocka_unit_test(lack_of_memory_leaves_a_context_that_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
