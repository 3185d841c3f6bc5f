/* BLEU with its parts, and chrF, on single segments whose numbers sacreBLEU 2.6 gave. */
#include "metric_help.h"

typedef struct expectation {
    at_bleu_tokenize tokenize;
    bool lowercase;
    const char *hypothesis, *reference;
    at_bleu bleu;
    double chrf;
} expectation;

/* clang-format off */
static const expectation expectations[] = {
    {ATT_TOKENIZE_13A, false, "the cat sat on the mat", "the cat sat on the mat", {100.0000, {100.0000, 100.0000, 100.0000, 100.0000}, 1.000000, 6, 6}, 100.0000},
    {ATT_TOKENIZE_13A, false, "The cat is on the mat.", "There is a cat on the mat.", {39.4424, {85.7143, 50.0000, 40.0000, 25.0000}, 0.866878, 7, 8}, 51.1420},
    {ATT_TOKENIZE_13A, false, "", "a reference", {0.0000, {0.0000, 0.0000, 0.0000, 0.0000}, 0.000000, 0, 2}, 0.0000},
    {ATT_TOKENIZE_13A, false, "a hypothesis", "", {0.0000, {0.0000, 0.0000, 0.0000, 0.0000}, 1.000000, 2, 0}, 0.0000},
    {ATT_TOKENIZE_13A, false, "", "", {0.0000, {0.0000, 0.0000, 0.0000, 0.0000}, 1.000000, 0, 0}, 0.0000},
    {ATT_TOKENIZE_13A, false, "short one", "short one", {0.0000, {100.0000, 100.0000, 0.0000, 0.0000}, 1.000000, 2, 2}, 100.0000},
    {ATT_TOKENIZE_13A, false, "one two three", "one two three four", {0.0000, {100.0000, 100.0000, 100.0000, 0.0000}, 0.716531, 3, 4}, 72.0851},
    {ATT_TOKENIZE_13A, false, "completely different words here", "nothing of that kind matches", {0.0000, {0.0000, 0.0000, 0.0000, 0.0000}, 0.778801, 4, 5}, 9.4368},
    {ATT_TOKENIZE_13A, false, "a b c d e f", "a x b y c z d w e f", {10.9688, {100.0000, 20.0000, 12.5000, 8.3333}, 0.513417, 6, 10}, 12.9032},
    {ATT_TOKENIZE_13A, false, "a b x c d y e", "a b z c d w e", {19.6407, {71.4286, 33.3333, 10.0000, 6.2500}, 1.000000, 7, 7}, 17.4603},
    {ATT_TOKENIZE_13A, false, "the the the the the the", "the cat sat on the mat", {9.6524, {33.3333, 10.0000, 6.2500, 4.1667}, 1.000000, 6, 6}, 15.0292},
    {ATT_TOKENIZE_13A, false, "It costs $1,000.50, e.g. 3-4 times (or \"more\")...", "It costs $1,000.50, e.g. 3-4 times (or 'more').", {68.9938, {77.2727, 71.4286, 65.0000, 63.1579}, 1.000000, 22, 18}, 83.2723},
    {ATT_TOKENIZE_13A, false, "&quot;A&amp;B&quot; &lt;tag&gt; &amp;lt; <skipped>x", "\"A&B\" <tag> < x", {100.0000, {100.0000, 100.0000, 100.0000, 100.0000}, 1.000000, 10, 10}, 11.5343},
    {ATT_TOKENIZE_13A, false, "naïve café — “quoted” it's", "naive café — “quoted” it's", {66.8740, {80.0000, 75.0000, 66.6667, 50.0000}, 1.000000, 5, 5}, 86.8046},
    {ATT_TOKENIZE_13A, false, "no\xC2\xA0" "break\xE3\x80\x80" "space\xE2\x80\x89" "here  \t", "no break space here", {100.0000, {100.0000, 100.0000, 100.0000, 100.0000}, 1.000000, 4, 4}, 100.0000},
    {ATT_TOKENIZE_13A, true, "THE CAT SAT ON THE MAT", "the cat sat on the mat", {100.0000, {100.0000, 100.0000, 100.0000, 100.0000}, 1.000000, 6, 6}, 100.0000},
    {ATT_TOKENIZE_13A, true, "ΟΔΟΣ ÄÖÜ İstanbul ΣΑΣ. Σ", "οδος äöü i\xCC\x87" "stanbul σας. σ", {100.0000, {100.0000, 100.0000, 100.0000, 100.0000}, 1.000000, 6, 6}, 100.0000},
    {ATT_TOKENIZE_13A, false, "THE CAT sat on the mat", "the cat sat on the mat", {50.8133, {66.6667, 60.0000, 50.0000, 33.3333}, 1.000000, 6, 6}, 58.0325},
    {ATT_TOKENIZE_ZH, false, "今天天气很好，我们去公园玩。", "今天的天气很好，我们去公园。", {74.1945, {92.8571, 76.9231, 66.6667, 63.6364}, 1.000000, 14, 14}, 69.2731},
    {ATT_TOKENIZE_ZH, false, "我有3.5个苹果和iPhone 12手机。", "我有3.5个苹果和一部iPhone 12。", {58.5906, {83.3333, 63.6364, 50.0000, 44.4444}, 1.000000, 12, 12}, 68.1320},
    {ATT_TOKENIZE_ZH, false, "“他说”——好…… 5-6 ℃", "“他说”—好… 5-6℃", {65.0891, {84.6154, 83.3333, 63.6364, 40.0000}, 1.000000, 13, 11}, 56.9663},
    {ATT_TOKENIZE_ZH, false, "．，。 ｆｕｌｌ 𠀀𠀁 カタカナ", "。，． full 𠀀𠀁 カタカナ", {11.9901, {55.5556, 12.5000, 7.1429, 4.1667}, 1.000000, 9, 6}, 35.3305},
    {ATT_TOKENIZE_ZH, false, " .5 a.", "。5 a .", {0.0000, {66.6667, 50.0000, 50.0000, 0.0000}, 0.716531, 3, 4}, 47.9167},
    {ATT_TOKENIZE_NONE, false, "it's  tokenised , already .", "it's tokenised , already . ", {100.0000, {100.0000, 100.0000, 100.0000, 100.0000}, 1.000000, 5, 5}, 100.0000},
    {ATT_TOKENIZE_NONE, false, "a.b,c d-e", "a.b,c d - e", {0.0000, {50.0000, 50.0000, 0.0000, 0.0000}, 0.367879, 2, 4}, 100.0000},
};
/* clang-format on */

static void test_segments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const expectation *e = &expectations[i];
        const at_text hypothesis = as_text(e->hypothesis), reference = as_text(e->reference);
        at_bleu bleu;
        double chrf;
        assert_int_equal(at_bleu_corpus(&hypothesis, &reference, 1, e->tokenize, e->lowercase, &bleu, NULL), ATT_OK);
        assert_int_equal(at_chrf_corpus(&hypothesis, &reference, 1, e->lowercase, &chrf, NULL), ATT_OK);
        assert_bleu(&bleu, &e->bleu, 1e-4);
        assert_near(chrf, e->chrf, 1e-4);
    }
}

/* Sums over segments, not a mean of their scores. */
static void test_corpus_of_segments(void **state)
{
    (void)state;
    at_text hypotheses[32], references[32];
    size_t count = 0;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        if (expectations[i].tokenize != ATT_TOKENIZE_13A || expectations[i].lowercase) continue;
        hypotheses[count] = as_text(expectations[i].hypothesis);
        references[count++] = as_text(expectations[i].reference);
    }
    at_bleu bleu;
    double chrf;
    assert_int_equal(at_bleu_corpus(hypotheses, references, count, ATT_TOKENIZE_13A, false, &bleu, NULL), ATT_OK);
    assert_int_equal(at_chrf_corpus(hypotheses, references, count, false, &chrf, NULL), ATT_OK);
    assert_near(bleu.score, 58.650116, 1e-5);
    assert_near(chrf, 56.392827, 1e-5);
}

static void test_empty_corpus(void **state)
{
    (void)state;
    at_bleu bleu;
    double chrf = -1;
    assert_int_equal(at_bleu_corpus(NULL, NULL, 0, ATT_TOKENIZE_13A, false, &bleu, NULL), ATT_OK);
    assert_int_equal(at_chrf_corpus(NULL, NULL, 0, false, &chrf, NULL), ATT_OK);
    assert_bleu(&bleu, &(at_bleu){.brevity_penalty = 1.0}, 0.0);
    assert_near(chrf, 0.0, 0.0);
}

static void test_invalid_utf8_is_scored(void **state)
{
    (void)state;
    const at_text hypothesis = {"a \xFF b \xE4\xB8 c \0 d", 14}, same = hypothesis;
    for (int tokenize = ATT_TOKENIZE_13A; tokenize <= ATT_TOKENIZE_NONE; tokenize++) {
        at_bleu bleu;
        double chrf;
        assert_int_equal(at_bleu_corpus(&hypothesis, &same, 1, (at_bleu_tokenize)tokenize, true, &bleu, NULL), ATT_OK);
        assert_int_equal(at_chrf_corpus(&hypothesis, &same, 1, true, &chrf, NULL), ATT_OK);
        assert_near(bleu.score, 100.0, 1e-9);
        assert_near(chrf, 100.0, 1e-9);
    }
}

/* A line of a hundred thousand tokens, all different: the tables grow, and time stays linear. */
static void test_long_segment(void **state)
{
    (void)state;
    enum { TOKENS = 100000 };
    at_buf line = {0};
    for (int i = 0; i < TOKENS; i++) assert_int_equal(at_buf_printf(&line, NULL, "%d ", i), ATT_OK);
    const at_text segments[2] = {{line.data, line.len}, {"1 2 3 4 5", 9}}; /* the short one follows in large tables */
    at_bleu bleu;
    double chrf;
    assert_int_equal(at_bleu_corpus(segments, segments, 2, ATT_TOKENIZE_13A, false, &bleu, NULL), ATT_OK);
    assert_int_equal(at_chrf_corpus(segments, segments, 2, false, &chrf, NULL), ATT_OK);
    assert_near(bleu.score, 100.0, 1e-9);
    assert_near(chrf, 100.0, 1e-9);
    assert_int_equal(bleu.hypothesis_length, TOKENS + 5);
    at_buf_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments),     cmocka_unit_test(test_corpus_of_segments),
        cmocka_unit_test(test_empty_corpus), cmocka_unit_test(test_invalid_utf8_is_scored),
        cmocka_unit_test(test_long_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
