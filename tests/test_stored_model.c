/* attend's own model file: what is saved comes back, the same model gives the same bytes, and every fault is one line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "infer/bundle.h"
#include "model/transformer.h"
#include "must.h"

typedef struct scratch { /* a folder of the test's own, a backend and a tokenizer's bytes */
    char folder[64];
    char path[128], again[128], text[128];
    at_backend *be;
    at_buf spm;
} scratch;

/* A failure is one line that holds all the words. */
static void assert_refused(at_status status, at_status wanted, const at_error *err, const char *const *words)
{
    if (status == ATT_OK) fail_msg("not refused: %s", words[0]);
    if (status != wanted) fail_msg("status %s: %s", at_status_name(status), err->text);
    assert_null(strchr(err->text, '\n'));
    for (; *words; words++)
        if (strstr(err->text, *words) == NULL) fail_msg("\"%s\" lacks \"%s\"", err->text, *words);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void train_tokenizer(scratch *s)
{
    static const char *const words[] = {"one", "two", "three", "four", "house", "tree", "red", "blue"};
    at_error err;
    at_buf text = {0};
    for (int i = 0; i < 200; i++) {
        must(at_buf_printf(&text, &err, "%s %s %s.\n", words[i % 8], words[i / 3 % 8], words[i / 7 % 8]), &err);
    }
    must(at_file_write(s->text, text.data, text.len, &err), &err);
    at_buf_free(&text);
    const char *const paths[] = {s->text};
    const at_tokenizer_spec spec = {
        .paths = paths, .path_count = 1, .vocab_size = 40, .character_coverage = 1, .seed = 1};
    must(at_tokenizer_train(&spec, &s->spm, &err), &err);
}

static int make_scratch(void **state)
{
    scratch *s = calloc(1, sizeof *s);
    strcpy(s->folder, "/tmp/attend-stored-XXXXXX");
    if (!mkdtemp(s->folder)) return -1;
    snprintf(s->path, sizeof s->path, "%s/model.safetensors", s->folder);
    snprintf(s->again, sizeof s->again, "%s/again.safetensors", s->folder);
    snprintf(s->text, sizeof s->text, "%s/text", s->folder);
    at_error err;
    must(at_cpu_backend_new(&s->be, 1, NULL, &err), &err);
    train_tokenizer(s);
    *state = s;
    return 0;
}

static int drop_scratch(void **state)
{
    scratch *s = *state;
    unlink(s->path);
    unlink(s->again);
    unlink(s->text);
    const int left = rmdir(s->folder); /* fails when a temporary file was left behind */
    s->be->free(s->be);
    at_buf_free(&s->spm);
    free(s);
    return left;
}

/* A small transformer without text. */
static at_bundle make_bundle(scratch *s, bool training)
{
    at_error err;
    at_bundle bundle = {.tokens = {.target_start = 2, .eos = 3, .pad = 0}, .info = strdup("{\"steps\":3}")};
    must(at_model_new(&bundle.model, &at_arch_transformer, s->be, &err), &err);
    at_transformer_config *c = bundle.model->config;
    c->source_vocab = c->target_vocab = 40;
    c->encoder_layers = c->decoder_layers = 1;
    c->width = 5;
    c->heads = 1;
    c->ffn = 7;
    c->dropout = 0.3;
    c->norm = ATT_NORM_PRE;
    c->output_bias = true;
    must(at_model_build(bundle.model, training, &err), &err);
    must(at_params_draw(&bundle.model->params, 7, &err), &err);
    return bundle;
}

static at_tokenizer *open_tokenizer(const scratch *s)
{
    at_error err;
    at_tokenizer *tokenizer;
    must(at_tokenizer_open(&tokenizer, s->spm.data, s->spm.len, "test", &err), &err);
    return tokenizer;
}

/* The same pieces backwards, without the last `fewer` of them. */
static void renumber(at_tokenizer *tokenizer, int fewer)
{
    const char *pieces[64];
    at_error err;
    const int count = at_tokenizer_size(tokenizer) - fewer;
    for (int i = 0; i < count; i++) pieces[i] = at_tokenizer_piece(tokenizer, count - 1 - i);
    must(at_tokenizer_renumber(tokenizer, pieces, count, &err), &err);
}

static void save(const at_bundle *bundle, const char *path)
{
    at_error err;
    must(at_bundle_save(bundle, path, NULL, NULL, 0, NULL, 0, &err), &err);
}

static void assert_same_files(const char *a, const char *b)
{
    at_buf x = {0}, y = {0};
    assert_int_equal(at_file_read(a, &x, NULL), ATT_OK);
    assert_int_equal(at_file_read(b, &y, NULL), ATT_OK);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    at_buf_free(&x);
    at_buf_free(&y);
}

static void assert_same_params(const at_params *a, const at_params *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->floats, b->floats);
    float *x = malloc((size_t)a->floats * sizeof *x), *y = malloc((size_t)a->floats * sizeof *y);
    a->be->download(a->be, x, a->data, (size_t)a->floats * sizeof *x);
    b->be->download(b->be, y, b->data, (size_t)a->floats * sizeof *y);
    assert_memory_equal(x, y, (size_t)a->floats * sizeof *x);
    free(x);
    free(y);
}

static void assert_same_tokenizers(const at_tokenizer *a, const at_tokenizer *b)
{
    assert_int_equal(at_tokenizer_hash(a), at_tokenizer_hash(b));
    assert_int_equal(at_tokenizer_size(a), at_tokenizer_size(b));
    for (int i = 0; i < at_tokenizer_size(a); i++)
        assert_string_equal(at_tokenizer_piece(a, i), at_tokenizer_piece(b, i));
    assert_int_equal(at_tokenizer_eos(a), at_tokenizer_eos(b));
}

/* Save, open, save: everything is back and the bytes are the same. Frees the bundle. */
static at_bundle round_trip(scratch *s, at_bundle *bundle)
{
    at_error err;
    at_bundle back;
    save(bundle, s->path);
    save(bundle, s->again);
    assert_same_files(s->path, s->again);
    must(at_bundle_open(&back, s->path, s->be, false, &err), &err);
    assert_string_equal(back.info, bundle->info);
    assert_memory_equal(&back.tokens.target_start, &bundle->tokens.target_start, 3 * sizeof(int32_t));
    assert_int_equal(back.tokens.final_eos, bundle->tokens.final_eos);
    assert_same_params(&back.model->params, &bundle->model->params);
    save(&back, s->again);
    assert_same_files(s->path, s->again);
    at_bundle_free(bundle);
    return back;
}

static void without_text(void **state)
{
    scratch *s = *state;
    at_bundle bundle = make_bundle(s, true);
    bundle.tokens.final_eos = true;
    bundle.tokens.pad = -1;
    at_bundle back = round_trip(s, &bundle);
    const at_transformer_config *c = back.model->config;
    assert_int_equal(c->width, 5);
    assert_int_equal(c->norm, ATT_NORM_PRE);
    assert_true(c->dropout == 0.3);
    assert_null(back.source);
    assert_null(back.target);
    assert_true(back.tokens.final_eos);
    at_bundle_free(&back);
    at_bundle_free(&back); /* freeing twice is fine */
}

static void shared_tokenizer(void **state)
{
    scratch *s = *state;
    at_bundle bundle = make_bundle(s, false);
    bundle.source = bundle.target = open_tokenizer(s);
    at_bundle back = round_trip(s, &bundle);
    at_tokenizer *original = open_tokenizer(s);
    assert_ptr_equal(back.source, back.target);
    assert_same_tokenizers(back.source, original);
    at_tokenizer_free(original);
    at_stored_model stored;
    assert_int_equal(at_stored_model_open(&stored, s->path, NULL), ATT_OK);
    assert_null(stored.tokenizer[0].pieces);
    assert_null(stored.tokenizer[1].bytes);
    at_stored_model_close(&stored);
    at_bundle_free(&back);
}

static void two_tokenizers_with_pieces(void **state)
{
    scratch *s = *state;
    at_bundle bundle = make_bundle(s, false);
    bundle.source = open_tokenizer(s);
    bundle.target = open_tokenizer(s);
    renumber(bundle.target, 0);
    at_bundle back = round_trip(s, &bundle);
    at_tokenizer *source = open_tokenizer(s), *target = open_tokenizer(s);
    renumber(target, 0);
    assert_same_tokenizers(back.source, source);
    assert_same_tokenizers(back.target, target);
    assert_ptr_not_equal(back.source, back.target);
    at_tokenizer_free(source);
    at_tokenizer_free(target);
    at_bundle_free(&back);
}

/* Weights other than the model's, moments and progress: a model again when opened, and the extras are in the file. */
static void extras_follow(void **state)
{
    scratch *s = *state;
    at_error err;
    at_bundle bundle = make_bundle(s, true), back;
    bundle.source = bundle.target = open_tokenizer(s);
    const at_params *p = &bundle.model->params;
    float *block = malloc((size_t)p->floats * sizeof *block);
    for (int64_t i = 0; i < p->floats; i++) block[i] = (float)i;
    const at_stored_tensor extra[] = {
        {"adam.moment1", ATT_F32, 1, {p->floats}, block, (size_t)p->floats * sizeof *block, NULL}};
    const at_metadata progress[] = {{"attend.progress", "{\"step\":9}"}};
    must(at_bundle_save(&bundle, s->path, block, extra, 1, progress, 1, &err), &err);
    at_stored_model stored;
    must(at_stored_model_open(&stored, s->path, &err), &err);
    assert_string_equal(at_safetensors_metadata(stored.file, "attend.progress"), "{\"step\":9}");
    assert_non_null(at_safetensors_find(stored.file, "adam.moment1"));
    assert_int_equal(stored.tensor_count, p->count);
    at_stored_model_close(&stored);
    must(at_bundle_open(&back, s->path, s->be, false, &err), &err);
    for (int i = 0; i < p->count; i++) {
        assert_string_equal(back.model->params.tensor[i]->name, p->tensor[i]->name);
        assert_true(back.model->params.tensor[i]->data[0] == (float)p->offset[i]);
    }
    free(block);
    at_bundle_free(&back);
    at_bundle_free(&bundle);
}

/* Without sync to the disk, which at_file_write does, and some file systems when a file is overwritten: so many files
 * would take long. */
static void write_quickly(const char *path, const char *bytes, size_t len)
{
    unlink(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* At every step-th byte: the file cut there, and one bit of that byte flipped. */
static void damage_is_refused(scratch *s, size_t step)
{
    at_error err;
    at_buf whole = {0};
    must(at_file_read(s->path, &whole, &err), &err);
    for (size_t i = 0; i < whole.len; i += step) {
        at_stored_model stored;
        write_quickly(s->again, whole.data, i);
        assert_refused(at_stored_model_open(&stored, s->again, &err), ATT_INPUT, &err, WORDS(s->again));
        whole.data[i] ^= (char)(1 << i % 8);
        write_quickly(s->again, whole.data, whole.len);
        whole.data[i] ^= (char)(1 << i % 8);
        const at_status status = at_stored_model_open(&stored, s->again, &err);
        if (status == ATT_OK) fail_msg("flipped bit in byte %zu went unseen", i);
        assert_null(strchr(err.text, '\n'));
        assert_non_null(strstr(err.text, s->again));
    }
    at_buf_free(&whole);
}

static void damaged_files(void **state)
{
    scratch *s = *state;
    at_bundle bundle = make_bundle(s, false);
    save(&bundle, s->path);
    damage_is_refused(s, 7);
    bundle.source = bundle.target = open_tokenizer(s);
    save(&bundle, s->path);
    damage_is_refused(s, 499);
    at_bundle_free(&bundle);
}

/* The sample's file, opened; its arrays may be changed before at_bundle_make. */
static void open_sample(scratch *s, at_stored_model *stored)
{
    at_error err;
    at_bundle bundle = make_bundle(s, false);
    bundle.source = bundle.target = open_tokenizer(s);
    save(&bundle, s->path);
    at_bundle_free(&bundle);
    must(at_stored_model_open(stored, s->path, &err), &err);
}

static void assert_unmakeable(scratch *s, const at_stored_model *stored, at_status wanted, const char *const *words)
{
    at_error err;
    at_bundle bundle;
    assert_refused(at_bundle_make(&bundle, stored, "m.safetensors", s->be, false, &err), wanted, &err, words);
    assert_null(bundle.model);
    assert_null(bundle.source);
}

static void wrong_tensors(void **state)
{
    scratch *s = *state;
    at_stored_model stored;
    open_sample(s, &stored);
    at_stored_tensor *tensors = malloc((stored.tensor_count + 1) * sizeof *tensors);
    memcpy(tensors, stored.tensors, stored.tensor_count * sizeof *tensors);
    stored.tensors = tensors;
    const at_stored_tensor first = tensors[0];
    assert_string_equal(first.name, "embedding");

    tensors[0].name = "embeddings";
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "\"embedding\" is missing"));
    tensors[0] = first;
    tensors[0].dim[0]++;
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "\"embedding\"", "41 x 5", "40 x 5"));
    tensors[0] = first;
    tensors[0].rank = 1;
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "\"embedding\""));
    tensors[0] = first;
    tensors[stored.tensor_count] = first;
    tensors[stored.tensor_count++].name = "stray.weight";
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "\"stray.weight\""));
    free(tensors);
    at_stored_model_close(&stored);
}

static void wrong_configuration(void **state)
{
    scratch *s = *state;
    at_stored_model stored;
    open_sample(s, &stored);
    stored.arch = "perceptron";
    assert_unmakeable(s, &stored, ATT_UNSUPPORTED, WORDS("m.safetensors", "perceptron", "transformer"));
    stored.arch = "transformer";
    at_setting settings[] = {{"source-vocab", "40"}, {"target-vocab", "40"}, {"widht", "5"}};
    stored.settings = settings;
    stored.setting_count = 3;
    assert_unmakeable(s, &stored, ATT_UNSUPPORTED, WORDS("m.safetensors", "widht"));
    settings[2] = (at_setting){"width", "five"};
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "width", "five"));
    settings[2] = (at_setting){"target-vocab", "41"}; /* the later one counts */
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "tie-embeddings"));
    /* Terabytes are not asked for before the tensors are looked at. */
    settings[0].value = settings[1].value = "10000000";
    settings[2] = (at_setting){"width", "65536"};
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "\"embedding\"", "10000000 x 65536"));
    at_stored_model_close(&stored);
}

static void tokens_outside_the_vocabulary(void **state)
{
    scratch *s = *state;
    at_stored_model stored;
    open_sample(s, &stored);
    stored.tokens.eos = 40;
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "40", "vocabulary"));
    stored.tokens.eos = 3;
    stored.tokens.target_start = 99;
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "99"));
    stored.tokens.target_start = 2;
    const char *pieces[41];
    char names[41][8];
    for (int i = 0; i < 41; i++) {
        snprintf(names[i], sizeof names[i], i ? "p%d" : "<unk>", i);
        pieces[i] = names[i];
    }
    stored.tokenizer[0].pieces = pieces;
    stored.tokenizer[0].piece_count = 41;
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "41 and 41 pieces", "40"));
    names[3][0] = 'q';
    strcpy(names[3], names[2]);
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors", "p2"));
    stored.tokenizer[0].pieces = NULL;
    stored.tokenizer[0].size = 50;
    assert_unmakeable(s, &stored, ATT_INPUT, WORDS("m.safetensors"));
    at_stored_model_close(&stored);
}

/* Files with a good hash whose content isn't a model of attend. */
static void foreign_metadata(void **state)
{
    scratch *s = *state;
    static const struct {
        at_metadata metadata[4];
        const char *word;
    } cases[] = {
        {{{"attend.config", "{}"}, {"attend.tokens", "{\"target_start\":0,\"eos\":1}"}, {"a", ""}}, "attend import"},
        {{{"attend.architecture", "x"}, {"attend.tokens", "{\"target_start\":0,\"eos\":1}"}}, "attend.config"},
        {{{"attend.architecture", "x"}, {"attend.config", "{}"}}, "attend.tokens"},
        {{{"attend.architecture", "x"}, {"attend.config", "[]"}}, "attend.config"},
        {{{"attend.architecture", "x"}, {"attend.config", "{"}}, "attend.config"},
        {{{"attend.architecture", "x"}, {"attend.config", "{\"a\":1}"}}, "attend.config"},
        {{{"attend.architecture", "x"}, {"attend.config", "{\"a\":\"1\",\"a\":\"2\"}"}}, "attend.config"},
        {{{"attend.architecture", "x"}, {"attend.config", "{}"}, {"attend.tokens", "{\"eos\":1}"}}, "attend.tokens"},
        {{{"attend.architecture", "x"}, {"attend.config", "{}"}, {"attend.tokens", "{\"target_start\":-1,\"eos\":1}"}},
         "attend.tokens"},
        {{{"attend.architecture", "x"},
          {"attend.config", "{}"},
          {"attend.tokens", "{\"target_start\":0,\"eos\":4294967296}"}},
         "attend.tokens"},
        {{{"attend.architecture", "x"},
          {"attend.config", "{}"},
          {"attend.tokens", "{\"target_start\":0,\"eos\":1,\"final_eos\":1}"}},
         "attend.tokens"},
        {{{"attend.architecture", "x"},
          {"attend.config", "{}"},
          {"attend.tokens", "{\"target_start\":0,\"eos\":1}"},
          {"attend.info", "{"}},
         "attend.info"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        at_error err;
        at_stored_model stored;
        size_t count = 0;
        while (count < 4 && cases[i].metadata[count].key) count++;
        must(at_safetensors_write(s->path, NULL, 0, cases[i].metadata, count, &err), &err);
        assert_refused(at_stored_model_open(&stored, s->path, &err), ATT_INPUT, &err, WORDS(s->path, cases[i].word));
    }
    at_error err;
    at_stored_model stored;
    must(at_file_write(s->path, "no safetensors", 14, &err), &err);
    assert_refused(at_stored_model_open(&stored, s->path, &err), ATT_INPUT, &err, WORDS(s->path));
    unlink(s->path);
    assert_refused(at_stored_model_open(&stored, s->path, &err), ATT_IO, &err, WORDS(s->path));
}

static void foreign_tensors(void **state)
{
    scratch *s = *state;
    static const at_metadata good[] = {{"attend.architecture", "transformer"},
                                       {"attend.config", "{}"},
                                       {"attend.tokens", "{\"target_start\":0,\"eos\":1}"}};
    static const uint8_t bytes[8] = "a\0b";
    static const struct {
        at_stored_tensor tensor;
        const char *word;
    } cases[] = {
        {{"w", ATT_F16, 1, {4}, bytes, 8, NULL}, "\"w\" is F16"},
        {{"tokenizer.source", ATT_F32, 1, {2}, bytes, 8, NULL}, "tokenizer.source"},
        {{"tokenizer.source", ATT_U8, 2, {2, 4}, bytes, 8, NULL}, "tokenizer.source"},
        {{"tokenizer.target", ATT_U8, 1, {8}, bytes, 8, NULL}, "tokenizer.source"},
        {{"tokenizer.source.pieces", ATT_U8, 1, {8}, bytes, 8, NULL}, "tokenizer.source"},
    };
    at_error err;
    at_stored_model stored;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        must(at_safetensors_write(s->path, &cases[i].tensor, 1, good, 3, &err), &err);
        assert_refused(at_stored_model_open(&stored, s->path, &err), ATT_INPUT, &err, WORDS(s->path, cases[i].word));
    }
    const at_stored_tensor both[] = {{"tokenizer.source", ATT_U8, 1, {8}, bytes, 8, NULL},
                                     {"tokenizer.source.pieces", ATT_U8, 1, {8}, bytes, 8, NULL}};
    must(at_safetensors_write(s->path, both, 2, good, 3, &err), &err);
    assert_refused(at_stored_model_open(&stored, s->path, &err), ATT_INPUT, &err, WORDS("list of pieces"));
    must(at_safetensors_write(s->path, both, 1, good, 3, &err), &err);
    must(at_stored_model_open(&stored, s->path, &err), &err);
    assert_string_equal(stored.info, "{}");
    assert_int_equal(stored.tokens.pad, -1);
    assert_int_equal(stored.tensor_count, 0);
    at_stored_model_close(&stored);
}

/* A line feed can't be told from the end of a piece. */
static void pieces_with_line_feeds(void **state)
{
    scratch *s = *state;
    at_error err;
    at_stored_model stored;
    open_sample(s, &stored);
    static const char *const pieces[] = {"<unk>", "", "b\nc"};
    stored.tokenizer[0].pieces = pieces;
    stored.tokenizer[0].piece_count = 3;
    assert_refused(at_stored_model_write(&stored, s->again, NULL, 0, NULL, 0, &err), ATT_INPUT, &err,
                   WORDS(s->again, "line feed"));
    stored.tokenizer[0].piece_count = 2;
    at_stored_model back;
    must(at_stored_model_write(&stored, s->again, NULL, 0, NULL, 0, &err), &err);
    must(at_stored_model_open(&back, s->again, &err), &err);
    assert_int_equal(back.tokenizer[0].piece_count, 2);
    assert_string_equal(back.tokenizer[0].pieces[0], "<unk>");
    assert_string_equal(back.tokenizer[0].pieces[1], "");
    at_stored_model_close(&back);
    at_stored_model_close(&stored);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)
    const struct CMUnitTest tests[] = {
        CASE(without_text),     CASE(shared_tokenizer),       CASE(two_tokenizers_with_pieces),
        CASE(extras_follow),    CASE(damaged_files),          CASE(wrong_tensors),
        CASE(foreign_tensors),  CASE(wrong_configuration),    CASE(tokens_outside_the_vocabulary),
        CASE(foreign_metadata), CASE(pieces_with_line_feeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
