/* MarianMT: importing, and the proof by another implementation's answers: forward pass, search, and twenty training
 * steps. The answers stand in ${ATTEND_REFERENCE:-../shared/reference}/marian; without them those tests are skipped. */
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
#include "model/transformer.h"
#include "must.h"
#include "reference_model.h"

/* ---- the reference's answers ---- */

static void assert_verified(const at_bundle *bundle, const char *folder)
{
    at_error err;
    at_verify_report report;
    must(at_verify(bundle, folder, &report, &err), &err);
    assert_int_equal(report.count, 9);
    int wrong = 0;
    for (int i = 0; i < report.count; i++) {
        const at_verify_row *row = &report.row[i];
        print_message("  %s: %.3g (limit %g) %s\n", row->what, row->measured, row->limit, row->ok ? "ok" : "FAILED");
        wrong += !row->ok;
    }
    assert_int_equal(wrong, 0);
}

static void answers_agree(void **state)
{
    reference_model *s = *state;
    reference_model_need(s);
    at_bundle bundle = reference_model_import(s, s->reference, false);
    assert_int_equal(bundle.tokens.target_start, 999);
    assert_int_equal(bundle.tokens.pad, 999);
    assert_int_equal(bundle.tokens.eos, 0);
    assert_true(bundle.tokens.final_eos);
    assert_ptr_equal(bundle.source, bundle.target);
    assert_false(((at_transformer_config *)bundle.model->config)->output_bias);
    assert_verified(&bundle, s->reference);

    at_error err;
    at_bundle back;
    const char *path = path_in(s->folder, "model.safetensors");
    must(at_bundle_save(&bundle, path, NULL, NULL, 0, NULL, 0, &err), &err);
    at_bundle_free(&bundle);
    must(at_bundle_open(&back, path, s->be, false, &err), &err);
    assert_verified(&back, s->reference);
    at_bundle_free(&back);
}

/* A wrong weight must show, or the comparison proves nothing. */
static void a_wrong_weight_shows(void **state)
{
    reference_model *s = *state;
    reference_model_need(s);
    at_error err;
    at_verify_report report;
    at_bundle bundle = reference_model_import(s, s->reference, false);
    at_params *p = &bundle.model->params;
    at_params_find(p, "decoder.0.cross.q.weight")->data[5] += 1;
    at_params_changed(p);
    must(at_verify(&bundle, s->reference, &report, &err), &err);
    assert_true(report.row[0].ok); /* the encoder has no part in it */
    assert_false(report.row[1].ok);
    assert_false(report.row[2].ok);
    must(at_verify(&bundle, s->folder, &report, &err), &err);
    assert_int_equal(report.count, 0);
    at_bundle_free(&bundle);
}

/* ---- twenty steps of training ---- */

enum { STEPS = 20, ROWS = 3, SOURCE = 9, TARGET = 8, TOKENS = ROWS * (SOURCE + TARGET) };

typedef struct packed_rows {
    int64_t source_offset[ROWS + 1], target_offset[ROWS + 1];
    int32_t source[TOKENS], in[TOKENS], out[TOKENS];
    at_pair_batch batch;
} packed_rows;

/* The first `rows` rows: the target predicts its next token, the last one the end token; masked source tokens are left
 * out. */
static void pack(packed_rows *p, const at_safetensors *answers, int rows, int32_t eos)
{
    int64_t n = 0;
    for (int b = 0; b < rows; b++) {
        p->source_offset[b] = n;
        for (int i = 0; i < SOURCE; i++)
            if (answer_integer(answers, "source_mask", b * SOURCE + i))
                p->source[n++] = (int32_t)answer_integer(answers, "source", b * SOURCE + i);
        p->target_offset[b] = b * TARGET;
        for (int i = 0; i < TARGET; i++) {
            p->in[b * TARGET + i] = (int32_t)answer_integer(answers, "target", b * TARGET + i);
            p->out[b * TARGET + i] =
                i + 1 < TARGET ? (int32_t)answer_integer(answers, "target", b * TARGET + i + 1) : eos;
        }
    }
    p->source_offset[rows] = n;
    p->target_offset[rows] = rows * TARGET;
    p->batch = (at_pair_batch){
        {rows, p->source_offset, p->source}, {rows, p->target_offset, p->in}, {rows, p->target_offset, p->out}, NULL};
}

/* Mean loss of the batch; its gradient is left in the parameters. elsewhere >= 0: the gradient of each target's first
 * token through its embedding goes to the row of that token instead. */
static double gradient(const at_bundle *bundle, at_ctx *ctx, packed_rows *rows, int32_t elsewhere)
{
    at_error err;
    at_params *p = &bundle->model->params;
    const int64_t tokens = at_packed_tokens(&rows->batch.target_out);
    at_ctx_begin(ctx, true, false, 0);
    at_params_clear_grad(p);
    const at_loss loss = bundle->model->arch->loss(ctx, bundle->model, &rows->batch, 0.1f, 1.0f / (float)tokens);
    const int32_t start = rows->in[0];
    for (int64_t b = 0; b < rows->batch.target_in.count && elsewhere >= 0; b++)
        rows->in[rows->target_offset[b]] = elsewhere;
    at_backward(ctx);
    for (int64_t b = 0; b < rows->batch.target_in.count; b++) rows->in[rows->target_offset[b]] = start;
    at_params_settle_grad(p);
    must(at_ctx_check(ctx, &err), &err);
    assert_int_equal(loss.tokens, tokens);
    return loss.loss / (double)tokens;
}

/* One step as PyTorch does it: the padding token, which starts the target, learns as an output alone, because its
 * embedding has padding_idx and gives the row no gradient. So that row's gradient is taken from a pass in which the
 * lookups' part went to another row. */
static double train_step(const at_bundle *bundle, at_ctx *ctx, packed_rows *rows, int step)
{
    at_params *p = &bundle->model->params;
    at_backend *be = p->be;
    const at_tensor *table = at_params_find(p, "embedding");
    const int64_t width = table->dim[1], start = bundle->tokens.target_start;
    float row[64];
    assert_int_equal(width, 64);
    gradient(bundle, ctx, rows, 1);
    be->download(be, row, table->grad + start * width, sizeof row);
    const double loss = gradient(bundle, ctx, rows, -1);
    be->upload(be, table->grad + start * width, row, sizeof row);
    const at_optimize_args args = {.optimizer = ATT_OPTIMIZER_ADAM,
                                   .rate = 1e-3f,
                                   .beta1 = 0.9f,
                                   .beta2 = 0.98f,
                                   .eps = 1e-9f,
                                   .step = step,
                                   .gradient_scale = 1};
    be->optimize(be, p->data, p->moment1, p->moment2, p->grad, p->floats, &args);
    at_params_changed(p);
    return loss;
}

static void twenty_steps_agree(void **state)
{
    reference_model *s = *state;
    reference_model_need(s);
    at_error err;
    at_safetensors *answers;
    must(at_safetensors_open(&answers, path_in(s->reference, "expected.safetensors"), &err), &err);
    at_bundle bundle = reference_model_import(s, s->reference, true);
    packed_rows *rows = calloc(2, sizeof *rows);
    pack(&rows[0], answers, 3, bundle.tokens.eos);
    pack(&rows[1], answers, 2, bundle.tokens.eos); /* rolled by one, first row left out: rows 0 and 1 */
    at_ctx ctx;
    at_ctx_init(&ctx, s->be);
    double worst_loss = 0;
    for (int step = 1; step <= STEPS; step++) {
        const double loss = train_step(&bundle, &ctx, &rows[(step - 1) % 2], step);
        const double want = answer_real(answers, "train_loss", step - 1);
        worst_loss = fmax(worst_loss, fabs(loss - want));
        if (fabs(loss - want) > 1e-3) fail_msg("step %d: loss %.6f, not %.6f", step, loss, want);
    }
    print_message("  losses of %d steps, largest difference: %.3g (limit 0.001)\n", STEPS, worst_loss);

    static const char *const others[] = {"config.json", "source.spm", "target.spm", "vocab.json"};
    assert_true(reference_model_after(s, answers, others, 4, &bundle.model->params) <= 1e-3);
    at_ctx_free(&ctx);
    free(rows);
    at_bundle_free(&bundle);
    at_safetensors_close(answers);
}

static int open_marian(void **state)
{
    return reference_model_open(state, "marian");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_marian, reference_model_close)
    const struct CMUnitTest tests[] = {
        CASE(answers_agree),
        CASE(a_wrong_weight_shows),
        CASE(twenty_steps_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
