/* Tokenizers that others made: foreign numberings, and the ids that the sentencepiece library gives for real models. */
#include "text_help.h"

#include <jansson.h>

#define SPACE "\xE2\x96\x81" /* U+2581, a space in pieces */

static void test_renumber(void **state)
{
    (void)state;
    at_tokenizer *own = train_tokenizer(), *foreign = train_tokenizer();
    const int size = at_tokenizer_size(own);
    const char *pieces[130];
    int count = 0;
    pieces[count++] = "</s>";
    pieces[count++] = "<unk>";
    pieces[count++] = ">>tlh<<";
    for (int id = size - 1; id >= 4; id--) pieces[count++] = at_tokenizer_piece(own, id);
    pieces[count++] = "extra";
    pieces[count++] = "<pad>";
    const uint64_t hash = at_tokenizer_hash(foreign);
    assert_int_equal(at_tokenizer_renumber(foreign, pieces, count, NULL), ATT_OK);
    assert_int_not_equal(at_tokenizer_hash(foreign), hash);
    assert_int_equal(at_tokenizer_size(foreign), count);
    assert_int_equal(at_tokenizer_eos(foreign), 0);
    assert_int_equal(at_tokenizer_unk(foreign), 1);
    assert_int_equal(at_tokenizer_pad(foreign), count - 1);
    assert_int_equal(at_tokenizer_bos(foreign), -1);
    assert_int_equal(at_tokenizer_id(foreign, "extra"), count - 2);
    assert_int_equal(at_tokenizer_id(foreign, "absent"), 1);

    at_ids a = encode(own, "kalo mitu ren."), b = encode(foreign, "kalo mitu ren.");
    assert_int_equal(a.len, b.len);
    for (size_t i = 0; i < a.len; i++) {
        assert_int_not_equal(a.data[i], b.data[i]);
        assert_string_equal(at_tokenizer_piece(own, a.data[i]), at_tokenizer_piece(foreign, b.data[i]));
    }
    assert_int_equal(at_ids_push(&b, 0, NULL), ATT_OK);
    assert_int_equal(at_ids_push(&b, count - 1, NULL), ATT_OK);
    assert_decodes_to(foreign, &b, "kalo mitu ren.");
    at_ids_free(&a);
    at_ids_free(&b);

    b = encode(foreign, ">>tlh<< kalo mitu"); /* a language code of the vocabulary is one token */
    assert_int_equal(b.data[0], 2);
    assert_decodes_to(foreign, &b, "kalo mitu");
    at_ids_free(&b);
    b = encode(foreign, ">>deu<<"); /* another isn't */
    assert_int_not_equal(b.data[0], 2);
    at_ids_free(&b);
    b = encode(foreign, ">>tlh");
    assert_int_not_equal(b.data[0], 2);
    at_ids_free(&b);
    at_tokenizer_free(own);
    at_tokenizer_free(foreign);
}

static void test_renumber_errors(void **state)
{
    (void)state;
    at_tokenizer *tokenizer = train_tokenizer();
    at_error err = {0};
    const char *const twice[] = {"<unk>", "a", "b", "a"}, *const without[] = {"a", "</s>"}, *const gap[] = {"a", NULL};
    assert_int_equal(at_tokenizer_renumber(tokenizer, twice, 4, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "1 and 3"));
    assert_int_equal(at_tokenizer_renumber(tokenizer, without, 2, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "<unk>"));
    assert_int_equal(at_tokenizer_renumber(tokenizer, gap, 2, &err), ATT_INPUT);
    assert_int_equal(at_tokenizer_renumber(tokenizer, gap, 0, &err), ATT_INPUT);
    assert_int_equal(at_tokenizer_size(tokenizer), 120); /* as it was */
    assert_round_trip(tokenizer, "kalo mitu");

    const char *const few[] = {"<unk>", "<pad>"}; /* what the vocabulary lacks is unknown */
    assert_int_equal(at_tokenizer_renumber(tokenizer, few, 2, &err), ATT_OK);
    at_ids ids = encode(tokenizer, "kalo");
    for (size_t i = 0; i < ids.len; i++) assert_int_equal(ids.data[i], 0);
    at_ids_free(&ids);
    at_tokenizer_free(tokenizer);
    at_tokenizer_free(NULL);
}

/* Other people's models */

/* A path in a folder that a variable of the environment names, or NULL with a message when it is absent. */
static const char *shared_path(const char *variable, const char *otherwise, const char *name)
{
    static char path[512];
    const char *root = getenv(variable);
    snprintf(path, sizeof path, "%s/%s", root != NULL ? root : otherwise, name);
    if (at_path_exists(path)) return path;
    print_message("%s is absent: skipped\n", path);
    return NULL;
}

static const char *data_path(const char *name)
{
    return shared_path("ATTEND_DATA", "../shared/data", name);
}

static const char *reference_path(const char *name)
{
    return shared_path("ATTEND_REFERENCE", "../shared/reference", name);
}

static at_tokenizer *open_file(const char *path)
{
    at_buf model = {0};
    if (path == NULL) skip();
    assert_int_equal(at_file_read(path, &model, NULL), ATT_OK);
    at_tokenizer *tokenizer = open_model(&model);
    at_buf_free(&model);
    return tokenizer;
}

/* One line: {"text": ..., "ids": [...], "decoded": ...}; without "decoded" the text itself must come back. */
static void check_line(const at_tokenizer *tokenizer, const char *line, size_t len)
{
    json_t *row = json_loadb(line, len, 0, NULL);
    assert_non_null(row);
    const char *text = json_string_value(json_object_get(row, "text"));
    const char *decoded = json_string_value(json_object_get(row, "decoded"));
    const json_t *wanted = json_object_get(row, "ids");
    at_ids ids = encode(tokenizer, text);
    assert_int_equal(ids.len, json_array_size(wanted));
    for (size_t i = 0; i < ids.len; i++) assert_int_equal(ids.data[i], json_integer_value(json_array_get(wanted, i)));
    assert_decodes_to(tokenizer, &ids, decoded != NULL ? decoded : text);
    at_ids_free(&ids);
    json_decref(row);
}

static void check_lines(const char *model, const char *expected)
{
    at_tokenizer *tokenizer = open_file(data_path(model));
    const char *path = data_path(expected), *text;
    size_t len, count = 0;
    at_lines *lines;
    bool got;
    assert_non_null(path);
    assert_int_equal(at_lines_open(&lines, path, NULL), ATT_OK);
    while (at_lines_next(lines, &text, &len, &got, NULL) == ATT_OK && got) {
        check_line(tokenizer, text, len);
        count++;
    }
    assert_true(count >= 100);
    at_lines_close(lines);
    at_tokenizer_free(tokenizer);
}

static void test_llama2(void **state)
{
    (void)state;
    check_lines("models/llama2-tokenizer/tokenizer.model", "models/llama2-tokenizer/spm-expected.jsonl");
}

static void test_bergamot(void **state)
{
    (void)state;
    check_lines("models/bergamot-enpt-tiny/vocab.enpt.spm", "models/bergamot-enpt-tiny/spm-expected.jsonl");
}

static void test_joeynmt(void **state)
{
    (void)state;
    at_tokenizer *tokenizer = open_file(data_path("models/joeynmt-toy-spm/sp200.model"));
    const char *path = data_path("models/joeynmt-toy-spm/sp200.vocab"), *text;
    size_t len;
    at_lines *lines;
    bool got;
    assert_int_equal(at_tokenizer_size(tokenizer), 200);
    assert_int_equal(at_tokenizer_pad(tokenizer), 1);
    assert_int_equal(at_tokenizer_unk(tokenizer), 0);
    assert_int_equal(at_lines_open(&lines, path, NULL), ATT_OK);
    for (int id = 0; at_lines_next(lines, &text, &len, &got, NULL) == ATT_OK && got; id++) {
        const char *piece = at_tokenizer_piece(tokenizer, id);
        assert_true(strlen(piece) == len && memcmp(piece, text, len) == 0);
        assert_int_equal(at_tokenizer_id(tokenizer, piece), id);
    }
    at_lines_close(lines);
    at_ids ids = encode(tokenizer, "eine kleine Katze");
    static const int32_t wanted[] = {65, 8, 119, 51, 36, 8, 112, 47, 53, 8};
    assert_int_equal(ids.len, sizeof wanted / sizeof wanted[0]);
    assert_memory_equal(ids.data, wanted, sizeof wanted);
    at_ids_free(&ids);
    assert_round_trip(tokenizer, "eine kleine Katze");
    at_tokenizer_free(tokenizer);
}

/* Hugging Face's Marian: vocab.json maps pieces to ids and adds a padding piece. */
static void test_marian(void **state)
{
    (void)state;
    at_tokenizer *tokenizer = open_file(reference_path("marian/source.spm"));
    json_t *vocab = json_load_file(reference_path("marian/vocab.json"), 0, NULL);
    assert_non_null(vocab);
    const size_t count = json_object_size(vocab);
    const char **pieces = calloc(count, sizeof *pieces), *piece;
    json_t *id;
    json_object_foreach(vocab, piece, id) pieces[json_integer_value(id)] = piece;
    at_ids own = encode(tokenizer, "A man is wearing a blue shirt.");
    assert_int_equal(at_tokenizer_renumber(tokenizer, pieces, (int)count, NULL), ATT_OK);
    assert_int_equal(at_tokenizer_pad(tokenizer), 999);
    assert_int_equal(at_tokenizer_eos(tokenizer), 0);
    assert_int_equal(at_tokenizer_unk(tokenizer), 1);
    at_ids ids = encode(tokenizer, "A man is wearing a blue shirt.");
    assert_int_equal(ids.len, own.len);
    assert_string_equal(at_tokenizer_piece(tokenizer, ids.data[0]), SPACE "A");
    assert_decodes_to(tokenizer, &ids, "A man is wearing a blue shirt.");
    at_ids_free(&own);
    at_ids_free(&ids);
    free(pieces);
    json_decref(vocab);
    at_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renumber), cmocka_unit_test(test_renumber_errors), cmocka_unit_test(test_llama2),
        cmocka_unit_test(test_bergamot), cmocka_unit_test(test_joeynmt),         cmocka_unit_test(test_marian),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
