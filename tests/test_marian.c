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

#include "base/file.h"
#include "base/rng.h"
#include "infer/verify.h"
#include "model/transformer.h"

typedef struct scratch {
    char folder[64];
    char reference[512]; /* empty: absent */
    at_backend *be;
} scratch;

static void must(at_status status, const at_error *err)
{
    if (status != ATT_OK) fail_msg("%s", err->text);
}

static int make_scratch(void **state)
{
    scratch *s = calloc(1, sizeof *s);
    strcpy(s->folder, "/tmp/attend-marian-XXXXXX");
    if (!mkdtemp(s->folder)) return -1;
    const char *root = getenv("ATTEND_REFERENCE");
    snprintf(s->reference, sizeof s->reference, "%s/marian", root && *root ? root : "../shared/reference");
    if (!at_path_is_dir(s->reference)) s->reference[0] = '\0';
    at_error err;
    must(at_cpu_backend_new(&s->be, 2, NULL, &err), &err);
    *state = s;
    return 0;
}

static int drop_scratch(void **state)
{
    scratch *s = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", s->folder);
    s->be->free(s->be);
    free(s);
    return system(command);
}

static void need_reference(const scratch *s)
{
    if (s->reference[0]) return;
    print_message("skipped: no folder ../shared/reference/marian; set ATTEND_REFERENCE\n");
    skip();
}

static const char *path_in(const char *folder, const char *name)
{
    static char path[4][640];
    static int next;
    char *text = path[next++ % 4];
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

static at_bundle import_bundle(const scratch *s, const char *folder, bool training)
{
    at_error err;
    at_stored_model stored;
    at_bundle bundle;
    must(at_import(&stored, folder, &err), &err);
    must(at_bundle_make(&bundle, &stored, folder, s->be, training, &err), &err);
    at_stored_model_close(&stored);
    return bundle;
}

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
    scratch *s = *state;
    need_reference(s);
    at_bundle bundle = import_bundle(s, s->reference, false);
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
    scratch *s = *state;
    need_reference(s);
    at_error err;
    at_verify_report report;
    at_bundle bundle = import_bundle(s, s->reference, false);
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

static int64_t integer(const at_safetensors *file, const char *name, int64_t i)
{
    int64_t value;
    memcpy(&value, (const char *)at_safetensors_find(file, name)->data + i * 8, 8);
    return value;
}

static float real(const at_safetensors *file, const char *name, int64_t i)
{
    float value;
    memcpy(&value, (const char *)at_safetensors_find(file, name)->data + i * 4, 4);
    return value;
}

/* The first `rows` rows: the target predicts its next token, the last one the end token; masked source tokens are left
 * out. */
static void pack(packed_rows *p, const at_safetensors *answers, int rows, int32_t eos)
{
    int64_t n = 0;
    for (int b = 0; b < rows; b++) {
        p->source_offset[b] = n;
        for (int i = 0; i < SOURCE; i++)
            if (integer(answers, "source_mask", b * SOURCE + i))
                p->source[n++] = (int32_t)integer(answers, "source", b * SOURCE + i);
        p->target_offset[b] = b * TARGET;
        for (int i = 0; i < TARGET; i++) {
            p->in[b * TARGET + i] = (int32_t)integer(answers, "target", b * TARGET + i);
            p->out[b * TARGET + i] = i + 1 < TARGET ? (int32_t)integer(answers, "target", b * TARGET + i + 1) : eos;
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
    const at_adam_args args = {1e-3f, 0.9f, 0.98f, 1e-9f, step, 1};
    be->adam(be, p->data, p->moment1, p->moment2, p->grad, p->floats, &args);
    at_params_changed(p);
    return loss;
}

static void copy_file(const char *from, const char *to, const char *name)
{
    at_error err;
    at_buf bytes = {0};
    must(at_file_read(path_in(from, name), &bytes, &err), &err);
    must(at_file_write(path_in(to, name), bytes.data, bytes.len, &err), &err);
    at_buf_free(&bytes);
}

/* The reference's weights after training ("after.NAME") as a folder of their own, so that the importer lays them out.
 */
static void import_after(const scratch *s, const at_safetensors *answers, at_stored_model *after)
{
    static const char *const others[] = {"config.json", "source.spm", "target.spm", "vocab.json"};
    at_error err;
    at_stored_tensor tensors[128];
    size_t count = 0;
    for (size_t i = 0; i < at_safetensors_count(answers); i++) {
        const at_stored_tensor *tensor = at_safetensors_at(answers, i);
        if (strncmp(tensor->name, "after.", 6) != 0) continue;
        tensors[count] = *tensor;
        tensors[count++].name += 6;
    }
    for (int i = 0; i < 4; i++) copy_file(s->reference, s->folder, others[i]);
    must(at_safetensors_write(path_in(s->folder, "model.safetensors"), tensors, count, NULL, 0, &err), &err);
    must(at_import_marian(after, s->folder, &err), &err);
}

/* Whether element i of a tensor is a bias of the key projection. Its gradient is zero but for rounding, which Adam
 * turns into steps of full size. */
static bool is_key_bias(const at_stored_tensor *t, int64_t i)
{
    const size_t len = strlen(t->name);
    if (len >= 8 && strcmp(t->name + len - 8, "qkv.bias") == 0) return i / (t->dim[0] / 3) == 1;
    if (len >= 7 && strcmp(t->name + len - 7, "kv.bias") == 0) return i < t->dim[0] / 2;
    return false;
}

/* Largest difference over largest magnitude. */
static double weight_difference(const at_tensor *ours, const at_stored_tensor *theirs)
{
    const float *want = theirs->data;
    double largest = 0, magnitude = 0;
    for (int64_t i = 0; i < at_tensor_floats(ours); i++) {
        magnitude = fmax(magnitude, fabs(want[i]));
        if (!is_key_bias(theirs, i)) largest = fmax(largest, fabs((double)ours->data[i] - want[i]));
        assert_true(isfinite(ours->data[i]));
    }
    return largest / magnitude;
}

static void twenty_steps_agree(void **state)
{
    scratch *s = *state;
    need_reference(s);
    at_error err;
    at_safetensors *answers;
    must(at_safetensors_open(&answers, path_in(s->reference, "expected.safetensors"), &err), &err);
    at_bundle bundle = import_bundle(s, s->reference, true);
    packed_rows *rows = calloc(2, sizeof *rows);
    pack(&rows[0], answers, 3, bundle.tokens.eos);
    pack(&rows[1], answers, 2, bundle.tokens.eos); /* rolled by one, first row left out: rows 0 and 1 */
    at_ctx ctx;
    at_ctx_init(&ctx, s->be);
    double worst_loss = 0, worst_weight = 0;
    for (int step = 1; step <= STEPS; step++) {
        const double loss = train_step(&bundle, &ctx, &rows[(step - 1) % 2], step);
        const double want = real(answers, "train_loss", step - 1);
        worst_loss = fmax(worst_loss, fabs(loss - want));
        if (fabs(loss - want) > 1e-3) fail_msg("step %d: loss %.6f, not %.6f", step, loss, want);
    }
    print_message("  losses of %d steps, largest difference: %.3g (limit 0.001)\n", STEPS, worst_loss);

    at_stored_model after;
    import_after(s, answers, &after);
    const at_params *p = &bundle.model->params;
    assert_int_equal(after.tensor_count, p->count);
    const char *worst = "";
    for (size_t i = 0; i < after.tensor_count; i++) {
        const double d = weight_difference(at_params_find(p, after.tensors[i].name), &after.tensors[i]);
        if (d > worst_weight) worst = after.tensors[i].name;
        worst_weight = fmax(worst_weight, d);
    }
    print_message("  weights after them, largest difference / largest magnitude: %.3g in %s (limit 0.001)\n",
                  worst_weight, worst);
    assert_true(worst_weight <= 1e-3);
    at_stored_model_close(&after);
    at_ctx_free(&ctx);
    free(rows);
    at_bundle_free(&bundle);
    at_safetensors_close(answers);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)
    const struct CMUnitTest tests[] = {
        CASE(answers_agree),
        CASE(a_wrong_weight_shows),
        CASE(twenty_steps_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
