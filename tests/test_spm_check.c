/* Damaged and hostile SentencePiece models: they are refused with a message, and never end the process. */
#include "text_help.h"

static at_status open_status(const void *bytes, size_t len)
{
    at_tokenizer *tokenizer;
    at_error err = {0};
    const at_status status = at_tokenizer_open(&tokenizer, bytes, len, "file.model", &err);
    if (status == ATT_OK) {
        /* What opens must also work. */
        at_ids ids = {0};
        at_buf text = {0};
        static const char sample[] =
            "kalo \xEF\xB7\xBA \xC2\xBD mitu \xFF aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        if (at_tokenizer_encode(tokenizer, sample, sizeof sample, &ids, NULL) == ATT_OK) {
            at_tokenizer_decode(tokenizer, ids.data, ids.len, &text, NULL);
        }
        at_ids_free(&ids);
        at_buf_free(&text);
        at_tokenizer_free(tokenizer);
    } else {
        assert_null(tokenizer);
        assert_non_null(strstr(err.text, "file.model"));
    }
    return status;
}

static void test_truncated_models(void **state)
{
    (void)state;
    at_buf model = train_model();
    assert_int_equal(open_status(model.data, model.len), ATT_OK);
    assert_int_equal(open_status(NULL, 0), ATT_INPUT);
    for (size_t len = 1; len < model.len; len += len < 3000 ? 7 : 1009) {
        char *cut = malloc(len); /* no byte behind the end may be read */
        assert_non_null(cut);
        memcpy(cut, model.data, len);
        open_status(cut, len); /* a cut between two fields can leave a model */
        free(cut);
    }
    at_buf_free(&model);
}

static void test_random_models(void **state)
{
    (void)state;
    at_buf model = train_model();
    char noise[300];
    for (uint64_t trial = 0; trial < 300; trial++) {
        for (uint64_t i = 0; i < sizeof noise; i++) noise[i] = (char)at_rng_below(trial, i, 256);
        assert_int_equal(open_status(noise, 1 + trial), ATT_INPUT);
    }
    for (uint64_t trial = 0; trial < 300; trial++) {
        char *copy = malloc(model.len);
        assert_non_null(copy);
        memcpy(copy, model.data, model.len);
        const uint32_t changes = 1 + at_rng_below(trial, 0, 6);
        for (uint64_t i = 1; i <= changes; i++) {
            copy[at_rng_below(trial, 2 * i, (uint32_t)model.len)] = (char)at_rng_below(trial, 2 * i + 1, 256);
        }
        open_status(copy, model.len);
        free(copy);
    }
    at_buf_free(&model);
}

/* Writes protobuf by hand: a field of bytes. */
static void add_field(at_buf *out, int number, const void *bytes, size_t len)
{
    char head[8] = {(char)(number << 3 | 2)};
    size_t used = 1, rest = len;
    for (; rest >= 128; rest >>= 7) head[used++] = (char)(rest | 128);
    head[used++] = (char)rest;
    assert_int_equal(at_buf_add(out, head, used, NULL), ATT_OK);
    assert_int_equal(at_buf_add(out, bytes, len, NULL), ATT_OK);
}

/* type: 1 normal, 2 unknown, 4 user-defined */
static void add_piece(at_buf *model, const char *text, size_t len, int type)
{
    at_buf piece = {0};
    add_field(&piece, 1, text, len);
    const char tail[] = {2 << 3 | 5, 0, 0, 0, 0, 3 << 3, (char)type};
    assert_int_equal(at_buf_add(&piece, tail, sizeof tail, NULL), ATT_OK);
    add_field(model, 1, piece.data, piece.len);
    at_buf_free(&piece);
}

static at_buf small_model(void)
{
    at_buf model = {0};
    add_piece(&model, "<unk>", 5, 2);
    add_piece(&model, "a", 1, 1);
    return model;
}

static void assert_piece_status(const char *text, size_t len, int type, at_status status)
{
    at_buf model = small_model();
    add_piece(&model, text, len, type);
    assert_int_equal(open_status(model.data, model.len), status);
    at_buf_free(&model);
}

static void test_pieces_are_checked(void **state)
{
    (void)state;
    static char large[5000];
    memset(large, 'b', sizeof large);
    assert_piece_status("b", 1, 1, ATT_OK);
    assert_piece_status("", 0, 1, ATT_INPUT);
    assert_piece_status("b\0c", 3, 4, ATT_INPUT);
    assert_piece_status("\xE4\xB8", 2, 1, ATT_INPUT);
    assert_piece_status(large, sizeof large, 1, ATT_INPUT);
    assert_piece_status("a", 1, 1, ATT_INPUT);      /* twice */
    assert_piece_status("<unk2>", 6, 2, ATT_INPUT); /* a second unknown piece */
    at_buf model = {0};
    add_piece(&model, "a", 1, 1);
    assert_int_equal(open_status(model.data, model.len), ATT_INPUT); /* no unknown piece */
    at_buf_free(&model);
}

static void test_nested_pieces_are_counted(void **state)
{
    (void)state;
    for (int count = 64; count <= 65; count++) {
        at_buf model = small_model();
        char piece[65];
        memset(piece, 'b', sizeof piece);
        for (int i = 1; i <= count; i++) add_piece(&model, piece, (size_t)i, 4);
        assert_int_equal(open_status(model.data, model.len), count == 64 ? ATT_OK : ATT_INPUT);
        at_buf_free(&model);
    }
}

/* A normalisation table of one block of units and two replacement bytes, "x" and NUL. */
typedef struct table {
    uint32_t trie_bytes;
    uint32_t units[256];
    char replacements[2];
} table;

static at_status table_status(const table *t)
{
    at_buf model = small_model(), normalizer = {0};
    add_field(&normalizer, 2, t, 4 + sizeof t->units + sizeof t->replacements);
    add_field(&model, 3, normalizer.data, normalizer.len);
    const at_status status = open_status(model.data, model.len);
    at_buf_free(&normalizer);
    at_buf_free(&model);
    return status;
}

/* units['a'] leads back to the block that it lies in, so that "aaa..." goes round. */
static table ring_table(void)
{
    table t = {.trie_bytes = sizeof t.units, .replacements = "x"};
    for (uint32_t i = 1; i < 256; i++) t.units[i] = 1u << 31; /* leaves: nothing leads there */
    t.units['a'] = 'a' | 'a' << 10;
    return t;
}

static void test_tables_are_checked(void **state)
{
    (void)state;
    table t = ring_table();
    assert_int_equal(table_status(&t), ATT_OK);
    t.units['a'] |= 1u << 8; /* each round meets a value: more than the library has room for */
    assert_int_equal(table_status(&t), ATT_INPUT);
    t = ring_table();
    t.units['a'] |= 1u << 20; /* leads beyond the array */
    assert_int_equal(table_status(&t), ATT_INPUT);
    t = ring_table();
    t.replacements[1] = 'y'; /* no NUL at the end */
    assert_int_equal(table_status(&t), ATT_INPUT);
    t = ring_table();
    t.trie_bytes += 4; /* longer than the table */
    assert_int_equal(table_status(&t), ATT_INPUT);
    t = ring_table();
    t.units[0] = 1u << 31; /* a root that is a leaf */
    assert_int_equal(table_status(&t), ATT_INPUT);
    t = ring_table();
    t.units['b'] = 'b' | 1u << 8 | ('b' ^ 'c') << 10; /* block 'c', whose head holds the value 2 */
    t.units['c'] = 1u << 31 | 2;
    assert_int_equal(table_status(&t), ATT_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncated_models),   cmocka_unit_test(test_random_models),
        cmocka_unit_test(test_pieces_are_checked), cmocka_unit_test(test_nested_pieces_are_counted),
        cmocka_unit_test(test_tables_are_checked),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
