/* Subword sampling: the same text in other pieces, by key alone; its limits are the plain segmentation. */
#include "text_help.h"

#include <math.h>

#include "data/resample.h"

static at_tokenizer *make_tokenizer(at_subword kind)
{
    at_buf text = {0}, model = {0};
    make_text(&text, 7, 400);
    const char *path = write_file("train.txt", text.data, text.len);
    at_tokenizer_spec spec = default_spec(&path);
    spec.model = kind;
    assert_int_equal(at_tokenizer_train(&spec, &model, NULL), ATT_OK);
    at_tokenizer *tokenizer = open_model(&model);
    at_buf_free(&text);
    at_buf_free(&model);
    return tokenizer;
}

static at_ids resample(const at_tokenizer *tokenizer, const at_ids *ids, double alpha, int best, uint64_t key)
{
    const at_subword_sampling how = {alpha, best};
    at_ids out = {0};
    assert_int_equal(at_tokenizer_resample(tokenizer, ids->data, ids->len, &how, key, &out, NULL), ATT_OK);
    return out;
}

static bool same(const at_ids *a, const at_ids *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len * sizeof *a->data) == 0;
}

/* Calls check for the tokens of many sentences. */
static void each_sentence(at_subword kind, void (*check)(const at_tokenizer *, const at_ids *, const char *))
{
    at_tokenizer *tokenizer = make_tokenizer(kind);
    at_buf text = {0};
    make_text(&text, 99, 60);
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        at_ids ids = encode(tokenizer, line);
        check(tokenizer, &ids, line);
        at_ids_free(&ids);
    }
    at_buf_free(&text);
    at_tokenizer_free(tokenizer);
}

static int other_segmentations;

static void check_text_stays(const at_tokenizer *tokenizer, const at_ids *ids, const char *line)
{
    for (uint64_t key = 0; key < 5; key++) {
        at_ids drawn = resample(tokenizer, ids, 0.2, 8, key), again = resample(tokenizer, ids, 0.2, 8, key);
        assert_decodes_to(tokenizer, &drawn, line);
        assert_true(same(&drawn, &again));
        other_segmentations += !same(&drawn, ids);
        at_ids_free(&drawn);
        at_ids_free(&again);
    }
}

static void text_stays_and_pieces_change(void **state)
{
    (void)state;
    for (int kind = ATT_SUBWORD_UNIGRAM; kind <= ATT_SUBWORD_BPE; kind++) {
        other_segmentations = 0;
        each_sentence((at_subword)kind, check_text_stays);
        assert_true(other_segmentations > 200); /* of 300 */
    }
}

static void check_plain_unigram(const at_tokenizer *tokenizer, const at_ids *ids, const char *line)
{
    (void)line;
    at_ids drawn = resample(tokenizer, ids, 1e5, 8, 3); /* all weight on the most probable one */
    assert_true(same(&drawn, ids));
    at_ids_free(&drawn);
}

static void check_plain_bpe(const at_tokenizer *tokenizer, const at_ids *ids, const char *line)
{
    (void)line;
    at_ids drawn = resample(tokenizer, ids, 0, 0, 3); /* no merge left out: SentencePiece's own result */
    assert_true(same(&drawn, ids));
    at_ids_free(&drawn);
    drawn = resample(tokenizer, ids, 1, 0, 3); /* all left out: characters */
    size_t characters = 0;
    for (size_t i = 0; i < ids->len; i++)
        for (const char *c = at_tokenizer_piece(tokenizer, ids->data[i]); *c; c++) characters += (*c & 0xC0) != 0x80;
    assert_int_equal(drawn.len, characters);
    at_ids_free(&drawn);
}

static void limits_are_plain(void **state)
{
    (void)state;
    each_sentence(ATT_SUBWORD_UNIGRAM, check_plain_unigram);
    each_sentence(ATT_SUBWORD_BPE, check_plain_bpe);
}

/* With alpha 0 all of the n best are equally likely; of alpha a, odds are the scores' to the power a. */
static void unigram_follows_the_probabilities(void **state)
{
    (void)state;
    enum { DRAWS = 4000 };
    at_tokenizer *tokenizer = make_tokenizer(ATT_SUBWORD_UNIGRAM);
    at_ids ids = encode(tokenizer, "kalomitu");
    double odds[3];
    const double alphas[3] = {0, 0.5, 1};
    for (int a = 0; a < 3; a++) {
        int first = 0;
        for (uint64_t key = 0; key < DRAWS; key++) {
            at_ids drawn = resample(tokenizer, &ids, alphas[a], 2, key);
            first += same(&drawn, &ids);
            at_ids_free(&drawn);
        }
        odds[a] = (double)first / (DRAWS - first);
    }
    assert_true(odds[0] > 0.9 && odds[0] < 1.11);
    assert_true(fabs(log(odds[2]) - 2 * log(odds[1])) < 0.25);
    at_ids_free(&ids);
    at_tokenizer_free(tokenizer);
}

static void unknown_tokens_stay(void **state)
{
    (void)state;
    for (int kind = ATT_SUBWORD_UNIGRAM; kind <= ATT_SUBWORD_BPE; kind++) {
        at_tokenizer *tokenizer = make_tokenizer((at_subword)kind);
        at_ids ids = encode(tokenizer, "kalo \xE6\xBC\xA2 mitu"), drawn = resample(tokenizer, &ids, 0.5, 8, 1);
        assert_true(same(&ids, &drawn));
        at_ids_free(&drawn);
        ids.len = 0; /* no tokens, no draw */
        drawn = resample(tokenizer, &ids, 0.5, 8, 1);
        assert_int_equal(drawn.len, 0);
        at_ids_free(&drawn);
        at_ids_free(&ids);
        at_tokenizer_free(tokenizer);
    }
}

/* Epoch, line, side and seed each give another draw; a draw that is too long isn't used. */
static void keys_are_apart(void **state)
{
    (void)state;
    at_tokenizer *tokenizer = make_tokenizer(ATT_SUBWORD_BPE);
    at_ids ids = encode(tokenizer, "kalo mituren salping dekami tulosal renping."), drawn[5] = {{0}};
    at_resampling r = {tokenizer, tokenizer, {0.5, 0}, 1, 0};
    const int64_t epoch[] = {0, 1, 0, 0, 0}, line[] = {1, 1, 2, 1, 1};
    for (int i = 0; i < 5; i++) {
        r.seed = i == 4 ? 2 : 1;
        assert_int_equal(at_resample(&r, i == 3, epoch[i], line[i], ids.data, ids.len, &drawn[i], NULL), ATT_OK);
        for (int j = 0; j < i; j++) assert_false(same(&drawn[i], &drawn[j]));
    }
    r.max_tokens = (int64_t)ids.len;
    drawn[0].len = 0;
    assert_int_equal(at_resample(&r, 0, 0, 1, ids.data, ids.len, &drawn[0], NULL), ATT_OK);
    assert_true(same(&drawn[0], &ids));
    for (int i = 0; i < 5; i++) at_ids_free(&drawn[i]);
    at_ids_free(&ids);
    at_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays_and_pieces_change),
        cmocka_unit_test(limits_are_plain),
        cmocka_unit_test(unigram_follows_the_probabilities),
        cmocka_unit_test(unknown_tokens_stay),
        cmocka_unit_test(keys_are_apart),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
