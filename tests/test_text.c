/* UTF-8, lower-casing, and training tokenizers on small texts. */
#include "text_help.h"

#include <zlib.h>

#include "base/utf8.h"
#include "text/lowercase.h"

/* UTF-8 */

static void test_utf8_invalid(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len, valid;
    } rows[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"a\0b", 3, 3},
        {"\xC2\x80\xDF\xBF", 4, 4},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 12, 12},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8, 8},
        {"\x80", 1, 0},
        {"\xC0\x80", 2, 0},         /* over-long NUL */
        {"\xC1\xBF", 2, 0},         /* over-long ASCII */
        {"\xE0\x9F\xBF", 3, 0},     /* over-long, three bytes */
        {"\xF0\x8F\xBF\xBF", 4, 0}, /* over-long, four bytes */
        {"\xED\xA0\x80", 3, 0},     /* surrogate */
        {"\xF4\x90\x80\x80", 4, 0}, /* beyond U+10FFFF */
        {"\xF5\x80\x80\x80", 4, 0},
        {"ab\xE4\xB8", 4, 2}, /* cut short */
        {"ab\xE4\xB8\x63", 5, 2},
        {"1234567\xFF\x39", 9, 7}, /* about the step of eight */
        {"12345678\xFF", 9, 8},
        {"123456\xC3\xA4\xFF", 9, 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(at_utf8_valid(rows[i].text, rows[i].len), rows[i].valid);
    }
}

static void test_utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF) continue;
        char text[4];
        uint32_t back;
        const size_t len = at_utf8_put(text, code);
        assert_true(at_utf8_valid(text, len) == len && at_utf8_next(text, len, &back) == len && back == code);
    }
    uint32_t code;
    assert_int_equal(at_utf8_next("\xE4\xB8", 2, &code), 1);
    assert_int_equal(code, 0xFFFD);
}

static void test_spaces(void **state)
{
    (void)state;
    int count = 0;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) count += at_utf8_is_space(code);
    assert_int_equal(count, 29); /* as many as Python knows */
    assert_true(at_utf8_is_space(0x3000) && at_utf8_is_space(0x1C) && !at_utf8_is_space(0x200B));
}

static void test_lowercase(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"Straße ÄÖÜ ÇĞ Ж Ω", "straße äöü çğ ж ω"},
        {"İI", "i\xCC\x87i"},
        {"ΟΔΟΣ ΟΔΟΣ. Σ ΑΣΑ Α'Σ", "οδος οδος. σ ασα α'ς"},
        {"a\xFF\x42", "a\xEF\xBF\xBD\x62"},
        {"中文 123 🙂", "中文 123 🙂"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        at_buf out = {0};
        assert_int_equal(at_lowercase(rows[i][0], strlen(rows[i][0]), &out, NULL), ATT_OK);
        assert_string_equal(out.data, rows[i][1]);
        at_buf_free(&out);
    }
}

/* Training */

static void test_train_unigram(void **state)
{
    (void)state;
    at_tokenizer *tokenizer = train_tokenizer();
    assert_int_equal(at_tokenizer_size(tokenizer), 120);
    assert_int_equal(at_tokenizer_pad(tokenizer), 0);
    assert_int_equal(at_tokenizer_unk(tokenizer), 1);
    assert_int_equal(at_tokenizer_bos(tokenizer), 2);
    assert_int_equal(at_tokenizer_eos(tokenizer), 3);
    static const char *const pieces[] = {"<pad>", "<unk>", "<s>", "</s>"};
    for (int id = 0; id < 4; id++) {
        assert_string_equal(at_tokenizer_piece(tokenizer, id), pieces[id]);
        assert_int_equal(at_tokenizer_id(tokenizer, pieces[id]), id);
    }
    assert_null(at_tokenizer_piece(tokenizer, -1));
    assert_null(at_tokenizer_piece(tokenizer, 120));
    assert_int_equal(at_tokenizer_id(tokenizer, "no such piece"), 1);
    assert_int_equal(at_tokenizer_id(tokenizer, ""), 1);

    assert_round_trip(tokenizer, "kalo mitu ren.");
    assert_round_trip(tokenizer, "");
    at_ids ids = encode(tokenizer, "  kalo \t ren  ");
    assert_decodes_to(tokenizer, &ids, "kalo ren");
    at_ids_free(&ids);
    ids = encode(tokenizer, "ka\xE4\xB8\xAD");
    assert_int_equal(ids.data[ids.len - 1], 1);
    at_ids_free(&ids);
    at_tokenizer_free(tokenizer);
}

static void test_control_tokens_are_skipped(void **state)
{
    (void)state;
    at_tokenizer *tokenizer = train_tokenizer();
    at_ids ids = {0};
    const int32_t around[] = {2, 3, 0, 0};
    assert_int_equal(at_ids_add(&ids, around, 1, NULL), ATT_OK);
    assert_int_equal(at_tokenizer_encode(tokenizer, "kalo mitu", 9, &ids, NULL), ATT_OK);
    assert_int_equal(at_ids_add(&ids, around + 1, 3, NULL), ATT_OK);
    assert_decodes_to(tokenizer, &ids, "kalo mitu");
    at_error err = {0};
    at_buf out = {0};
    assert_int_equal(at_tokenizer_decode(tokenizer, &(int32_t){120}, 1, &out, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "120"));
    assert_int_equal(at_tokenizer_decode(tokenizer, NULL, 0, &out, NULL), ATT_OK);
    assert_int_equal(out.len, 0);
    at_buf_free(&out);
    at_ids_free(&ids);
    at_tokenizer_free(tokenizer);
}

static void test_train_is_deterministic(void **state)
{
    (void)state;
    at_buf a = train_model(), b = train_model();
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    at_buf_free(&a);
    at_buf_free(&b);
}

/* Several files, plain and gzipped, with lines that must be passed over. */
static void test_train_files(void **state)
{
    (void)state;
    at_buf text = {0}, first = {0}, second = {0};
    make_text(&text, 9, 300);
    char plain[128], packed[128];
    strcpy(plain, write_file("plain.txt", text.data, text.len));
    snprintf(packed, sizeof packed, "%s/packed.gz", folder);
    gzFile out = gzopen(packed, "wb");
    assert_int_equal(gzwrite(out, text.data, (unsigned)text.len), text.len);
    gzclose(out);
    static const char odd[] = "\n   \n\xFF\xFE broken\nwith \0 nul\n\xE2\x96\x85 sign\n\xE2\x80\x8B\n\xE2\x96\x81\n";
    char strange[128];
    strcpy(strange, write_file("odd.txt", odd, sizeof odd - 1));

    at_tokenizer_spec spec = default_spec((const char *const[]){plain, plain});
    spec.path_count = 2;
    assert_int_equal(at_tokenizer_train(&spec, &first, NULL), ATT_OK);
    spec.paths = (const char *const[]){strange, packed, plain};
    spec.path_count = 3;
    assert_int_equal(at_tokenizer_train(&spec, &second, NULL), ATT_OK);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    at_buf_free(&text);
    at_buf_free(&first);
    at_buf_free(&second);
}

static int trained_size(at_subword model, const char *text, size_t len, int vocab_size)
{
    const char *path = write_file("small.txt", text, len);
    at_tokenizer_spec spec = default_spec(&path);
    spec.model = model;
    spec.vocab_size = vocab_size;
    at_buf bytes = {0};
    at_error err = {0};
    if (at_tokenizer_train(&spec, &bytes, &err) != ATT_OK) fail_msg("%s", err.text);
    at_tokenizer *tokenizer = open_model(&bytes);
    const int size = at_tokenizer_size(tokenizer);
    at_tokenizer_free(tokenizer);
    at_buf_free(&bytes);
    return size;
}

/* Too little text for the size: the size goes down. Texts of one character, one line, one endless word. */
static void test_train_lowers_size(void **state)
{
    (void)state;
    static const char *const texts[] = {"a", "a\na\n", "hello hello world", "the same line\nthe same line\n"};
    for (int model = ATT_SUBWORD_UNIGRAM; model <= ATT_SUBWORD_BPE; model++) {
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            const int size = trained_size((at_subword)model, texts[i], strlen(texts[i]), 5000);
            assert_in_range(size, 5, 60);
        }
        at_buf word = {0};
        for (int i = 0; i < 40000; i++) {
            const char letter = (char)('a' + at_rng_below(3, (uint64_t)i, 20));
            assert_int_equal(at_buf_add(&word, &letter, 1, NULL), ATT_OK);
        }
        assert_in_range(trained_size((at_subword)model, word.data, word.len, 200), 100, 200);
        at_buf_free(&word);
    }
}

static void test_train_bpe(void **state)
{
    (void)state;
    at_buf text = {0}, model = {0};
    make_text(&text, 7, 400);
    const char *path = write_file("train.txt", text.data, text.len);
    at_tokenizer_spec spec = default_spec(&path);
    spec.model = ATT_SUBWORD_BPE;
    assert_int_equal(at_tokenizer_train(&spec, &model, NULL), ATT_OK);
    at_tokenizer *tokenizer = open_model(&model);
    assert_int_equal(at_tokenizer_size(tokenizer), 120);
    assert_int_equal(at_tokenizer_eos(tokenizer), 3);
    assert_round_trip(tokenizer, "kalo mitu ren.");
    at_tokenizer_free(tokenizer);
    at_buf_free(&text);
    at_buf_free(&model);
}

static void test_byte_fallback(void **state)
{
    (void)state;
    at_buf text = {0}, model = {0};
    make_text(&text, 7, 400);
    const char *path = write_file("train.txt", text.data, text.len);
    at_tokenizer_spec spec = default_spec(&path);
    spec.byte_fallback = true;
    spec.vocab_size = 350;
    assert_int_equal(at_tokenizer_train(&spec, &model, NULL), ATT_OK);
    at_tokenizer *tokenizer = open_model(&model);
    assert_int_equal(at_tokenizer_size(tokenizer), 350);
    assert_int_equal(at_tokenizer_pad(tokenizer), 0);
    assert_round_trip(tokenizer, "kalo \xE4\xB8\xAD\xE6\x96\x87 \xF0\x9F\x99\x82!");
    at_ids ids = encode(tokenizer, "\xE4\xB8\xAD");
    for (size_t i = 0; i < ids.len; i++) assert_int_not_equal(ids.data[i], 1);
    at_ids_free(&ids);
    at_tokenizer_free(tokenizer);
    at_buf_free(&text);
    at_buf_free(&model);
}

/* A sample is picked by the seed; one that holds all lines is the text itself. */
static void test_train_sample(void **state)
{
    (void)state;
    at_buf text = {0}, models[4] = {0};
    make_text(&text, 11, 1000);
    const char *path = write_file("train.txt", text.data, text.len);
    at_tokenizer_spec spec = default_spec(&path);
    const struct {
        uint64_t seed;
        int64_t max;
    } rows[] = {{1, 100}, {1, 100}, {2, 100}, {2, 1000}};
    for (int i = 0; i < 4; i++) {
        spec.seed = rows[i].seed;
        spec.max_sentences = rows[i].max;
        assert_int_equal(at_tokenizer_train(&spec, &models[i], NULL), ATT_OK);
    }
    assert_int_equal(models[0].len, models[1].len);
    assert_memory_equal(models[0].data, models[1].data, models[0].len);
    assert_true(models[0].len != models[2].len || memcmp(models[0].data, models[2].data, models[0].len) != 0);
    at_buf all = {0};
    spec.max_sentences = 0;
    assert_int_equal(at_tokenizer_train(&spec, &all, NULL), ATT_OK);
    assert_memory_equal(models[3].data, all.data, all.len);
    for (int i = 0; i < 4; i++) at_buf_free(&models[i]);
    at_buf_free(&all);
    at_buf_free(&text);
}

static void assert_train_fails(const at_tokenizer_spec *spec, at_status status, const char *part)
{
    at_buf model = {0};
    at_error err = {0};
    assert_int_equal(at_tokenizer_train(spec, &model, &err), status);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    at_buf_free(&model);
}

static void test_train_errors(void **state)
{
    (void)state;
    char path[128], blank[128];
    strcpy(path, write_file("letters.txt", "abcdefghijklmnopqrstuvwxyz\n", 27));
    strcpy(blank, write_file("blank.txt", "  \n\t\n\xFF\n", 7));
    const char *const paths[] = {path}, *const blanks[] = {blank}, *const absent[] = {"/nowhere/text"};
    const at_tokenizer_spec good = default_spec(paths);
    at_tokenizer_spec spec = good;
    spec.vocab_size = 10;
    assert_train_fails(&spec, ATT_OPTION, "are 31"); /* letters, the space, four special tokens */
    spec.vocab_size = 4;
    assert_train_fails(&spec, ATT_OPTION, "5 or more");
    spec.vocab_size = 100;
    spec.byte_fallback = true;
    assert_train_fails(&spec, ATT_OPTION, "261 or more");
    spec = good;
    spec.character_coverage = 0.5;
    assert_train_fails(&spec, ATT_OPTION, "coverage");
    spec = good;
    spec.path_count = 0;
    assert_train_fails(&spec, ATT_OPTION, "no text");
    spec = good;
    spec.max_sentences = -1;
    assert_train_fails(&spec, ATT_OPTION, "negative");
    spec = good;
    spec.paths = blanks;
    assert_train_fails(&spec, ATT_INPUT, "blank.txt");
    spec.paths = absent;
    assert_train_fails(&spec, ATT_IO, "/nowhere/text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_invalid),
        cmocka_unit_test(test_utf8_every_code_point),
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_lowercase),
        cmocka_unit_test(test_train_unigram),
        cmocka_unit_test(test_control_tokens_are_skipped),
        cmocka_unit_test(test_train_is_deterministic),
        cmocka_unit_test(test_train_files),
        cmocka_unit_test(test_train_lowers_size),
        cmocka_unit_test(test_train_bpe),
        cmocka_unit_test(test_byte_fallback),
        cmocka_unit_test(test_train_sample),
        cmocka_unit_test(test_train_errors),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
