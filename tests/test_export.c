/* Export and import again: the same model; and what the folder of the other program holds. */
#include <attend/attend.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "format/export_marian.h"
#include "format/marian_layout.h"
#include "model_help.h"

static const char *const all_files[] = {
    "config.json", "generation_config.json", "tokenizer_config.json", "vocab.json", "source.spm",
    "target.spm",  "model.safetensors"};
enum { FILES = sizeof all_files / sizeof *all_files };

static void export_to(const char *model, const char *dir, bool force)
{
    at_error err;
    must(at_export_model(path_of(model), ATT_EXPORT_HF, path_of(dir), force, NULL, &err), &err);
}

static json_t *json_of(const char *name)
{
    json_error_t why;
    json_t *json = json_load_file(path_of(name), 0, &why);
    if (json == NULL) fail_msg("%s: %s", name, why.text);
    return json;
}

/* ---- the same model ---- */

/* Logits (target rows, V) of made-up ids: a piece keeps its place in the text, not its number. */
static float *logits_of(const at_bundle *bundle, int64_t *rows, int64_t *vocab)
{
    static const char *const words[] = {"ka", "lo", "mi", "tu", "ren", "sal", "o", "ping", "de", "."};
    int32_t source[12], target[12];
    for (int i = 0; i < 10; i++) {
        source[i] = at_tokenizer_id(bundle->source, words[i]);
        target[i + 1] = at_tokenizer_id(bundle->target, words[9 - i]);
    }
    source[10] = bundle->tokens.eos;
    target[0] = target[6] = bundle->tokens.target_start;
    const int64_t source_offset[] = {0, 4, 11}, target_offset[] = {0, 6, 11};
    const at_packed read = {2, source_offset, source}, written = {2, target_offset, target};
    at_ctx ctx;
    at_error err;
    at_ctx_init(&ctx, bundle->model->params.be);
    at_ctx_begin(&ctx, false, false, 0);
    at_tensor *states = bundle->model->arch->encode(&ctx, bundle->model, &read, NULL);
    at_tensor *logits = bundle->model->arch->decode(&ctx, bundle->model, states, &read, &written, NULL);
    must(at_ctx_check(&ctx, &err), &err);
    *rows = logits->dim[0];
    *vocab = logits->dim[1];
    const size_t bytes = (size_t)(*rows * *vocab) * sizeof(float);
    float *copy = malloc(bytes);
    memcpy(copy, logits->data, bytes);
    at_ctx_free(&ctx);
    return copy;
}

/* Equal bits for every piece; only padding's own logit, which nothing reads, may differ. */
static void assert_same_logits(const at_bundle *a, const at_bundle *b)
{
    int64_t rows, vocab, other_rows, other_vocab;
    float *x = logits_of(a, &rows, &vocab), *y = logits_of(b, &other_rows, &other_vocab);
    assert_int_equal(rows, other_rows);
    assert_int_equal(vocab, other_vocab);
    for (int32_t id = 0; id < (int32_t)vocab; id++) {
        const char *piece = at_tokenizer_piece(a->target, id);
        const int32_t other = at_tokenizer_id(b->target, piece);
        assert_string_equal(at_tokenizer_piece(b->target, other), piece);
        for (int64_t row = 0; row < rows && id != a->tokens.pad; row++)
            if (x[row * vocab + id] != y[row * vocab + other])
                fail_msg("piece %s in row %d: %.9g, again %.9g", piece, (int)row, (double)x[row * vocab + id],
                         (double)y[row * vocab + other]);
    }
    free(x);
    free(y);
}

static void assert_same_file(const char *a, const char *b)
{
    at_buf x = {0}, y = {0};
    at_error err;
    must(at_file_read(path_of(a), &x, &err), &err);
    must(at_file_read(path_of(b), &y, &err), &err);
    if (x.len != y.len || memcmp(x.data, y.data, x.len) != 0) fail_msg("%s and %s differ", a, b);
    at_buf_free(&x);
    at_buf_free(&y);
}

static const struct variant {
    const char *options, *program;
    bool two_vocabularies;
} variants[] = {
    {"positions=sinusoidal-tensor2tensor", "MarianMT", false},
    {"positions=sinusoidal activation=swish scale-embedding=false output-bias=true", "MarianMT", false},
    {"positions=sinusoidal-halves tie-output=false activation=gelu dropout=0.25 dropout-embedding=0.25", "MarianMT",
     false},
    {"tie-embeddings=false encoder-layers=3", "MarianMT", false},
    {"tie-embeddings=false tie-output=false output-bias=true", "MarianMT", true},
    {"tie-embeddings=false", "MarianMT", true},
    {"norm=pre positions=sinusoidal-tensor2tensor activation=gelu-tanh", "Pegasus", false},
    {"norm=pre tie-output=false output-bias=true decoder-layers=1", "Pegasus", false},
};

static void round_trip(at_backend *be, const struct variant *v)
{
    at_error err;
    at_bundle before, after;
    char name[2][80];
    const char *program = NULL;
    write_model(be, path_of("model"), v->options, 3, v->two_vocabularies);
    must(at_export_model(path_of("model"), ATT_EXPORT_HF, path_of("a"), true, &program, &err), &err);
    assert_string_equal(program, v->program);
    must(at_import_model(path_of("a"), path_of("again"), NULL, NULL, &err), &err);
    must(at_bundle_open(&before, path_of("model"), be, false, &err), &err);
    must(at_bundle_open(&after, path_of("again"), be, false, &err), &err);
    assert_string_equal(at_tokenizer_piece(after.target, after.tokens.target_start), "<s>");
    assert_string_equal(at_tokenizer_piece(after.target, after.tokens.pad), "<pad>");
    assert_same_logits(&before, &after);
    at_bundle_free(&before);
    at_bundle_free(&after);
    export_to("again", "b", true);
    for (int i = 0; i < FILES; i++) {
        for (int k = 0; k < 2; k++) snprintf(name[k], sizeof name[k], "%c/%s", "ab"[k], all_files[i]);
        assert_same_file(name[0], name[1]);
    }
    assert_int_equal(at_path_exists(path_of("b/target_vocab.json")), v->two_vocabularies);
}

static void comes_back_the_same(void **state)
{
    (void)state;
    at_backend *be = new_backend();
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) round_trip(be, &variants[i]);
    be->free(be);
}

/* ---- the folder ---- */

/* Padding is last and zero, and the start token's row stands in the decoder's first position. */
static void decoder_starts_from_zero(void **state)
{
    (void)state;
    at_backend *be = new_backend();
    at_error err;
    at_stored_model model;
    at_safetensors *theirs;
    write_model(be, path_of("model"), "positions=sinusoidal", 4, false);
    export_to("model", "dir", true);
    json_t *vocab = json_of("dir/vocab.json"), *config = json_of("dir/config.json");
    const json_int_t last = (json_int_t)json_object_size(vocab) - 1;
    assert_int_equal(json_integer_value(json_object_get(vocab, "<pad>")), last);
    assert_int_equal(json_integer_value(json_object_get(vocab, "</s>")), 2);
    assert_int_equal(json_integer_value(json_object_get(config, "decoder_start_token_id")), last);
    assert_int_equal(json_integer_value(json_object_get(config, "eos_token_id")), 2);
    assert_true(json_is_null(json_object_get(config, "forced_eos_token_id")));
    json_decref(vocab);
    json_decref(config);
    must(at_stored_model_open(&model, path_of("model"), &err), &err);
    must(at_safetensors_open(&theirs, path_of("dir/model.safetensors"), &err), &err);
    const float *ours = at_safetensors_find(model.file, "embedding")->data;
    const float *table = at_safetensors_find(theirs, "model.shared.weight")->data;
    const float *row = at_safetensors_find(theirs, "model.decoder.embed_positions.weight")->data;
    const float *encoder = at_safetensors_find(theirs, "model.encoder.embed_positions.weight")->data;
    for (int j = 0; j < 12; j++) {
        assert_true(table[last * 12 + j] == 0);
        assert_true(table[3 * 12 + j] == ours[4 * 12 + j]);
        assert_true(fabsf(row[j] - (float)(j % 2) - sqrtf(12) * ours[2 * 12 + j]) < 1e-6f);
        assert_true(row[12 + j] == encoder[12 + j]);
        assert_true(fabsf(encoder[5 * 12 + 2] - (float)sin(5 * pow(10000, -2.0 / 12))) < 1e-6f);
    }
    assert_string_equal(at_safetensors_metadata(theirs, "format"), "pt");
    at_safetensors_close(theirs);
    at_stored_model_close(&model);
    be->free(be);
}

/* A first position that is neither a sinusoid nor what the start token adds belongs to no model of attend. */
static void other_starts_are_refused(void **state)
{
    (void)state;
    at_backend *be = new_backend();
    at_error err;
    at_buf bytes = {0};
    at_safetensors *theirs;
    write_model(be, path_of("model"), "", 4, false);
    export_to("model", "dir", true);
    const char *path = path_of("dir/model.safetensors");
    must(at_safetensors_open(&theirs, path, &err), &err);
    must(at_file_read(path, &bytes, &err), &err);
    const char *row = at_safetensors_find(theirs, "model.decoder.embed_positions.weight")->data;
    for (char *at = bytes.data; at + 48 <= bytes.data + bytes.len; at++)
        if (memcmp(at, row, 48) == 0) at[3] ^= 0x40; /* the first number's exponent */
    at_safetensors_close(theirs);
    must(at_file_write(path, bytes.data, bytes.len, &err), &err);
    assert_int_equal(at_import_model(path_of("dir"), NULL, NULL, NULL, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "embed_positions"));
    at_buf_free(&bytes);
    be->free(be);
}

static int entries_of(const char *dir)
{
    int count = 0;
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    while (readdir(entries) != NULL) count++;
    closedir(entries);
    return count - 2;
}

static void folder_is_whole_or_unchanged(void **state)
{
    (void)state;
    at_backend *be = new_backend();
    at_error err;
    write_model(be, path_of("model"), "", 4, false);
    must(at_path_make_dirs(path_of("mine"), &err), &err);
    assert_int_equal(at_export_model(path_of("model"), ATT_EXPORT_HF, path_of("model"), true, NULL, &err), ATT_OPTION);
    export_to("model", "mine", false);
    assert_int_equal(entries_of(path_of("mine")), FILES);
    assert_int_equal(at_export_model(path_of("model"), ATT_EXPORT_HF, path_of("mine"), false, NULL, &err), ATT_OPTION);
    assert_non_null(strstr(err.text, "--force"));
    must(at_file_write(path_of("mine/README"), "x", 1, &err), &err);
    must(at_file_write(path_of("mine/config.json"), "x", 1, &err), &err);
    must(at_file_write(path_of("mine/target_vocab.json"), "x", 1, &err), &err);
    const int beside = entries_of(folder);
    export_to("model", "mine/", true);
    assert_int_equal(entries_of(path_of("mine")), FILES + 1);
    json_decref(json_of("mine/config.json"));
    export_to("model", "new/deep", false);
    assert_int_equal(entries_of(path_of("new")), 1);
    assert_int_equal(entries_of(folder), beside + 1);
    be->free(be);
}

/* ---- what can't be expressed ---- */

static void assert_refused(at_backend *be, const char *options, bool two_vocabularies, const char *word)
{
    at_error err;
    write_model(be, path_of("model"), options, 5, two_vocabularies);
    const at_status status = at_export_model(path_of("model"), ATT_EXPORT_HF, path_of("none"), false, NULL, &err);
    if (status != ATT_UNSUPPORTED || strstr(err.text, word) == NULL)
        fail_msg("%s: %s: \"%s\" lacks \"%s\"", options, at_status_name(status), err.text, word);
    assert_null(strchr(err.text, '\n'));
    assert_false(at_path_exists(path_of("none")));
}

static void refusals(void **state)
{
    (void)state;
    at_backend *be = new_backend();
    assert_refused(be, "activation=swiglu", false, "activation swiglu");
    assert_refused(be, "activation=none", false, "activation none");
    assert_refused(be, "positions=learned max-positions=30", false, "positions learned");
    assert_refused(be, "positions=none", false, "positions none");
    assert_refused(be, "head-width=5", false, "head-width 5");
    assert_refused(be, "residual=false", false, "residual false; train with true");
    assert_refused(be, "positions-every-layer=true", false, "positions-every-layer true; train with false");
    assert_refused(be, "norm=pre tie-embeddings=false", false, "tie-embeddings");
    assert_refused(be, "norm=pre tie-embeddings=false", true, "two vocabularies");
    be->free(be);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(comes_back_the_same),
        CASE(decoder_starts_from_zero),
        CASE(other_starts_are_refused),
        CASE(folder_is_whole_or_unchanged),
        CASE(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
