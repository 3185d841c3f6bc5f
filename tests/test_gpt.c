/* The language model: GPT-2 imported, and the proof by another implementation's answers (logits, loss, greedy
 * continuation, twenty training steps); its invariants; a text it learns. The answers stand in
 * ${ATTEND_REFERENCE:-../shared/reference}/gpt2; without them those tests are skipped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "infer/verify.h"
#include "model/gpt.h"
#include "must.h"
#include "reference_model.h"

static int open_gpt2(void **state)
{
    return reference_model_open(state, "gpt2");
}

static void answers_agree(void **state)
{
    reference_model *r = *state;
    reference_model_need(r);
    at_error err;
    at_verify_report report;
    at_bundle bundle = reference_model_import(r, r->reference, false);
    must(at_verify(&bundle, r->reference, &report, &err), &err);
    assert_int_equal(report.count, 3);
    for (int i = 0; i < report.count; i++) {
        const at_verify_row *row = &report.row[i];
        print_message("  %s: %.3g (limit %g) %s\n", row->what, row->measured, row->limit, row->ok ? "ok" : "FAILED");
        assert_true(row->ok);
    }
    at_params_find(&bundle.model->params, "layer.1.ffn.in.bias")->data[3] += 1; /* a wrong weight must show */
    at_params_changed(&bundle.model->params);
    must(at_verify(&bundle, r->reference, &report, &err), &err);
    assert_false(report.row[0].ok);
    at_bundle_free(&bundle);
}

/* Rows 0 and 1 of the tokens in turn, each token but the last predicting the next. */
static void twenty_steps_agree(void **state)
{
    enum { STEPS = 20, TOKENS = 12 };
    reference_model *r = *state;
    reference_model_need(r);
    at_error err;
    at_safetensors *answers;
    must(at_safetensors_open(&answers, path_in(r->reference, "expected.safetensors"), &err), &err);
    at_bundle bundle = reference_model_import(r, r->reference, true);
    at_params *p = &bundle.model->params;
    at_ctx ctx;
    at_ctx_init(&ctx, r->be);
    double worst = 0;
    for (int step = 1; step <= STEPS; step++) {
        const int64_t offset[] = {0, TOKENS - 1};
        int32_t ids[TOKENS];
        for (int i = 0; i < TOKENS; i++)
            ids[i] = (int32_t)answer_integer(answers, "tokens", (step - 1) % 2 * TOKENS + i);
        const at_pair_batch batch = {{0, offset, NULL}, {1, offset, ids}, {1, offset, ids + 1}, NULL};
        at_ctx_begin(&ctx, true, false, 0);
        at_params_clear_grad(p);
        const at_loss loss = bundle.model->arch->loss(&ctx, bundle.model, &batch, 0.1f, 1.0f / (TOKENS - 1));
        at_backward(&ctx);
        at_params_settle_grad(p);
        must(at_ctx_check(&ctx, &err), &err);
        p->be->optimize(p->be, p->data, p->moment1, p->moment2, p->grad, p->floats,
                        &(at_optimize_args){.optimizer = ATT_OPTIMIZER_ADAM,
                                            .rate = 1e-3f,
                                            .beta1 = 0.9f,
                                            .beta2 = 0.98f,
                                            .eps = 1e-9f,
                                            .step = step,
                                            .gradient_scale = 1});
        at_params_changed(p);
        worst = fmax(worst, fabs(loss.loss / (TOKENS - 1) - answer_real(answers, "train_loss", step - 1)));
    }
    print_message("  losses of %d steps, largest difference: %.3g (limit 0.001)\n", STEPS, worst);
    assert_true(worst <= 1e-3);
    static const char *const others[] = {"config.json"};
    assert_true(reference_model_after(r, answers, others, 1, p) <= 1e-3);
    at_ctx_free(&ctx);
    at_bundle_free(&bundle);
    at_safetensors_close(answers);
}

/* ---- a small model ---- */

enum { VOCAB = 13, CONTEXT = 24 };

static at_model *small_model(at_backend *be, bool training)
{
    at_error err;
    at_model *m;
    must(at_model_new(&m, &at_arch_gpt, be, &err), &err);
    at_gpt_config *c = m->config;
    c->layers = 2;
    c->width = 32;
    c->heads = 2;
    c->context = CONTEXT;
    c->dropout = c->dropout_attention = c->dropout_embedding = 0.05;
    m->arch->set_vocab(m, 0, VOCAB, true);
    must(at_model_build(m, training, &err), &err);
    if (training) must(at_params_keep(&m->params, ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2, &err), &err);
    must(at_params_draw(&m->params, 3, &err), &err);
    return m;
}

static int open_backend(void **state)
{
    at_error err;
    at_backend *be;
    must(at_cpu_backend_new(&be, 2, NULL, &err), &err);
    *state = be;
    return 0;
}

static int close_backend(void **state)
{
    at_backend *be = *state;
    be->free(be);
    return 0;
}

/* Logits at t don't depend on later tokens, a sequence stands alone in its batch, and steps with a cache give the bits
 * of the whole. */
static void steps_equal_the_whole(void **state)
{
    at_backend *be = *state;
    at_error err;
    at_model *m = small_model(be, false);
    int32_t ids[2 * CONTEXT];
    for (int i = 0; i < 2 * CONTEXT; i++) ids[i] = (int32_t)at_rng_below(5, (uint64_t)i, VOCAB);
    const int64_t offset[] = {0, 7, 7 + CONTEXT};
    at_ctx ctx, one;
    at_ctx_init(&ctx, be);
    at_ctx_init(&one, be);
    at_ctx_begin(&ctx, false, false, 0);
    const at_tensor *whole = m->arch->decode(&ctx, m, NULL, NULL, &(at_packed){2, offset, ids}, NULL);
    at_cache *cache;
    must(m->arch->cache_new(&cache, m, 2, 1000, &err), &err);
    assert_int_equal(cache->capacity, CONTEXT);
    for (int64_t t = 0; t < CONTEXT; t++) {
        const int64_t slot[] = {1, 0}, length[] = {t, t};
        const int32_t fed[] = {ids[7 + t], t < 7 ? ids[t] : 0};
        at_ctx_begin(&one, false, false, 0);
        const at_cache_step step = {t < 7 ? 2 : 1, cache->capacity, slot, length};
        const at_tensor *logits = m->arch->step(&one, m, NULL, cache, &step, fed, NULL);
        must(at_ctx_check(&one, &err), &err);
        assert_memory_equal(logits->data, whole->data + (7 + t) * VOCAB, VOCAB * sizeof(float));
        if (t < 7) assert_memory_equal(logits->data + VOCAB, whole->data + t * VOCAB, VOCAB * sizeof(float));
    }
    at_cache_free(cache);
    at_ctx_free(&one);
    at_ctx_free(&ctx);
    at_model_free(m);
}

/* Four random tokens over and over: after them the rest is certain. */
static void repeating_is_learned(void **state)
{
    enum { SEQUENCES = 16, STEPS = 400, PERIOD = 4 };
    at_backend *be = *state;
    at_error err;
    at_model *m = small_model(be, true);
    at_params *p = &m->params;
    at_ctx ctx;
    at_ctx_init(&ctx, be);
    double last = 0;
    for (int step = 1; step <= STEPS; step++) {
        int64_t offset[SEQUENCES + 1] = {0};
        int32_t in[SEQUENCES * CONTEXT], out[SEQUENCES * CONTEXT];
        for (int b = 0; b < SEQUENCES; b++) {
            const uint64_t key = at_rng_key(9, (uint64_t)(step * SEQUENCES + b));
            offset[b + 1] = offset[b] + CONTEXT;
            for (int i = 0; i < CONTEXT; i++) {
                in[offset[b] + i] = (int32_t)at_rng_below(key, (uint64_t)(i % PERIOD), VOCAB);
                out[offset[b] + i] = (int32_t)at_rng_below(key, (uint64_t)((i + 1) % PERIOD), VOCAB);
            }
        }
        const at_pair_batch batch = {{0, offset, NULL}, {SEQUENCES, offset, in}, {SEQUENCES, offset, out}, NULL};
        at_ctx_begin(&ctx, true, true, (uint64_t)step);
        at_params_clear_grad(p);
        const at_loss loss = m->arch->loss(&ctx, m, &batch, 0, 1.0f / (SEQUENCES * CONTEXT));
        at_backward(&ctx);
        at_params_settle_grad(p);
        must(at_ctx_check(&ctx, &err), &err);
        const float rate = 1e-2f * (step < 30 ? (float)step / 30 : (float)(STEPS - step) / STEPS);
        p->be->optimize(p->be, p->data, p->moment1, p->moment2, p->grad, p->floats,
                        &(at_optimize_args){.optimizer = ATT_OPTIMIZER_ADAM,
                                            .rate = rate,
                                            .beta1 = 0.9f,
                                            .beta2 = 0.98f,
                                            .eps = 1e-9f,
                                            .step = step,
                                            .gradient_scale = 1});
        at_params_changed(p);
        last = loss.nll / (SEQUENCES * CONTEXT);
    }
    const double unknown = (PERIOD - 1) * log(VOCAB) / CONTEXT; /* of the first tokens */
    print_message("  %.3f nats a token at the end, %.3f cannot be known\n", last, unknown);
    assert_true(last < unknown + 0.2);
    at_ctx_free(&ctx);
    at_model_free(m);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_gpt2, reference_model_close)
#define OWN(name) cmocka_unit_test_setup_teardown(name, open_backend, close_backend)
    const struct CMUnitTest tests[] = {
        CASE(answers_agree),
        CASE(twenty_steps_agree),
        OWN(steps_equal_the_whole),
        OWN(repeating_is_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
