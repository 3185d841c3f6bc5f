/* Every metric on small texts that are hard: nothing, white space, scripts, marks, emoji, prices, entities, moved
 * words.
 *
 * The numbers are those of other programs: sacreBLEU 2.6.0 (corpus_score; BLEU, CHRF and TER with their defaults,
 * chrF++ with word_order=2), rouge-score 0.1.2 (score_multi, no stemmer, "\\n" as line end, mean of fmeasure),
 * RapidFuzz and jiwer 4.0 for word error rate, and the functions of SQuAD's evaluate-v2.0 for F1. */
#include "metric_help.h"

typedef enum column {
    BLEU_13A,
    BLEU_INTL,
    BLEU_ZH,
    BLEU_CHAR,
    BLEU_NONE,
    CHRF,
    CHRF_WORDS,
    TER,
    ROUGE_1,
    ROUGE_2,
    ROUGE_L,
    ROUGE_LSUM,
    WER,
    EXACT,
    F1,
    COLUMNS
} column;

static const struct {
    const at_metric *metric;
    at_bleu_tokenize tokenize;
} columns[COLUMNS] = {
    [BLEU_13A] = {&at_metric_bleu, ATT_TOKENIZE_13A},
    [BLEU_INTL] = {&at_metric_bleu, ATT_TOKENIZE_INTL},
    [BLEU_ZH] = {&at_metric_bleu, ATT_TOKENIZE_ZH},
    [BLEU_CHAR] = {&at_metric_bleu, ATT_TOKENIZE_CHAR},
    [BLEU_NONE] = {&at_metric_bleu, ATT_TOKENIZE_NONE},
    [CHRF] = {&at_metric_chrf, 0},
    [CHRF_WORDS] = {&at_metric_chrf_words, 0},
    [TER] = {&at_metric_ter, 0},
    [ROUGE_1] = {&at_metric_rouge_1, 0},
    [ROUGE_2] = {&at_metric_rouge_2, 0},
    [ROUGE_L] = {&at_metric_rouge_l, 0},
    [ROUGE_LSUM] = {&at_metric_rouge_lsum, 0},
    [WER] = {&at_metric_wer, 0},
    [EXACT] = {&at_metric_exact, 0},
    [F1] = {&at_metric_f1, 0},
};

typedef struct pair {
    const char *hypothesis, *reference;
    double scores[COLUMNS];
} pair;

static const pair pairs[] = {
    {"", "", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 100}},
    {"", "a reference", {0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 100, 0, 0}},
    {"a hypothesis", "", {0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 100, 0, 0}},
    {"   ", " \t ", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100}},
    {"  ", "two words", {0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 100, 0, 0}},
    {"the cat sat on the mat",
     "the cat sat on the mat",
     {100, 100, 100, 100, 100, 100, 100, 0, 100, 100, 100, 100, 0, 100, 100}},
    {"The Cat sat.",
     "the cat sat.",
     {31.9471552, 31.9471552, 31.9471552, 58.1430737, 0, 48.8095238, 47.0238095, 0, 100, 100, 100, 100, 66.6666667, 0,
      100}},
    {"on the mat the cat sat",
     "the cat sat on the mat",
     {50.8132748, 50.8132748, 50.8132748, 89.3865149, 50.8132748, 81.092033, 83.3190247, 16.6666667, 100, 80, 50, 50,
      100, 0, 100}},
    {"a b c d e f g h",
     "e f g h a b c d",
     {69.1441569, 69.1441569, 69.1441569, 69.1441569, 69.1441569, 48.7301587, 59.7619048, 12.5, 100, 85.7142857, 50, 50,
      100, 0, 100}},
    {"b a d c f e",
     "a b c d e f",
     {12.7033187, 12.7033187, 12.7033187, 12.7033187, 12.7033187, 16.6666667, 25, 50, 100, 0, 50, 50, 66.6666667, 0,
      100}},
    {"the the the the",
     "the cat the dog",
     {18.9958921, 18.9958921, 18.9958921, 22.0335968, 18.9958921, 19.1161616, 20.5871212, 50, 50, 0, 50, 50, 50, 0, 0}},
    {"x y z", "a b c d e f g", {0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 100, 0, 0}},
    {"It costs $1,000.50 (or more)...",
     "It cost 1,000.50 $ (and more).",
     {17.2422213, 17.2422213, 17.2422213, 60.8101382, 8.74582531, 54.5195458, 48.7097435, 83.3333333, 71.4285714,
      33.3333333, 71.4285714, 71.4285714, 83.3333333, 0, 60}},
    {"&amp; x &lt;y&gt;",
     "& x <y>",
     {100, 4.93235157, 4.93235157, 3.45859211, 0, 8.57142857, 9.91253644, 66.6666667, 57.1428571, 0, 57.1428571,
      57.1428571, 66.6666667, 0, 40}},
    {"今天天气很好，我们去公园。",
     "今天的天气很好，我们去了公园。",
     {0, 18.9958921, 61.5260441, 61.5260441, 0, 55.04101, 47.1780085, 100, 0, 0, 0, 0, 100, 0, 0}},
    {"カタカナ 한국어 text",
     "カタカナ한국어 text",
     {0, 0, 0, 100, 0, 100, 80.8246073, 100, 100, 0, 100, 100, 100, 0, 40}},
    {"😀 ok 👍\xF0\x9F\x8F\xBD",
     "ok 😀 👍\xF0\x9F\x8F\xBB",
     {0, 21.0224104, 0, 25.4066374, 0, 21, 24.5238095, 66.6666667, 100, 0, 100, 100, 100, 0, 66.6666667}},
    {"nai\xCC\x88ve cafe\xCC\x81",
     "naïve café",
     {0, 0, 0, 40.3527864, 0, 37.3950969, 28.0463227, 100, 33.3333333, 0, 33.3333333, 33.3333333, 100, 0, 0}},
    {"the\xCC\x81 end A. an",
     "end",
     {10.6821752, 10.6821752, 10.6821752, 13.950797, 15.9735776, 54.7141234, 54.9263873, 300, 40, 0, 40, 40, 300, 0,
      66.6666667}},
    {"ΟΔΟΣ ΑΣ", "οδος ας", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 100}},
    {"5-6 €7 100 %",
     "5 - 6 7€ 100%",
     {37.9917843, 10.4005977, 33.4370152, 45.9661358, 0, 37.0039683, 35.109514, 100, 100, 100, 100, 100, 100, 0,
      28.5714286}},
    {"(hi) \"you\" x!",
     "(hi \"you\" x !",
     {59.4603558, 59.4603558, 59.4603558, 70.1687939, 0, 66.7701517, 65.9412823, 75, 100, 100, 100, 100, 75, 0, 100}},
    {"a_b the_cat an-other",
     "ab cat another",
     {6.56727474, 4.76770702, 6.56727474, 42.0859807, 0, 45.1891153, 33.8918364, 100, 22.2222222, 0, 22.2222222,
      22.2222222, 100, 0, 66.6666667}},
    {"One here.\\nTwo there.\\nThree",
     "Two there.\\nOne here.\\nFour",
     {29.847459, 29.847459, 29.847459, 73.8271336, 0, 70.405721, 52.8042908, 100, 80, 50, 40, 80, 100, 0, 0}},
    {"a b c d\\nc d a b x",
     "a c b d\\nx d c\\n\\n",
     {9.04271379, 9.04271379, 9.04271379, 15.3079382, 7.80984984, 16.3509213, 20.2385339, 83.3333333, 87.5, 14.2857143,
      50, 75, 100, 0, 54.5454545}},
    {"w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13",
     "w12 w13 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11",
     {88.0111737, 88.0111737, 88.0111737, 94.4834422, 88.0111737, 90.4855234, 91.8224759, 7.69230769, 100, 91.6666667,
      84.6153846, 84.6153846, 30.7692308, 0, 100}},
};

enum { PAIRS = COUNT(pairs) };

/* All pairs as one corpus; the second reference of a line is that of the next line, the third every fourth time the
 * hypothesis itself, else the reference of the line before the last. */
static const struct {
    size_t reference_count;
    bool lowercase;
    double scores[COLUMNS];
} corpora[] = {
    {1,
     false,
     {41.4485319, 33.0964114, 39.4791784, 58.3532171, 39.5493908, 56.6981183, 54.8284736, 58.1632653, 55.4471917,
      29.0384615, 46.1054757, 48.6054757, 80.6122449, 7.69230769, 54.7352647}},
    {1,
     true,
     {43.9406403, 35.3477152, 41.54619, 61.4779749, 41.9242021, 59.9386223, 58.1990106, 58.1632653, 55.4471917,
      29.0384615, 46.1054757, 48.6054757, 76.5306122, 15.3846154, 54.7352647}},
    {3,
     false,
     {65.9442982, 56.715981, 60.5734177, 68.7530373, 65.4338105, 69.3944318, 68.4722708, 33.5526316, 57.026862,
      35.4487179, 51.0505307, 52.5889922, 50.5376344, 34.6153846, 69.7435897}},
    {3,
     true,
     {68.4627424, 58.9713662, 62.6589795, 71.8381435, 68.0384367, 72.6349355, 71.842802, 33.5526316, 57.026862,
      35.4487179, 51.0505307, 52.5889922, 46.2365591, 42.3076923, 69.7435897}},
};

static void check(column c, bool lowercase, const at_text *hypotheses, const at_text *const *references,
                  size_t reference_count, size_t count, double wanted)
{
    const at_metric_options options = {columns[c].tokenize, lowercase};
    const double got = score_of(columns[c].metric, options, hypotheses, references, reference_count, count);
    if (!(got >= wanted - 1e-6 && got <= wanted + 1e-6)) {
        fail_msg("%s, column %d, \"%.*s\": got %.9g, wanted %.9g", columns[c].metric->name, (int)c,
                 (int)hypotheses[0].len, hypotheses[0].data, got, wanted);
    }
}

static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        const at_text hypothesis = as_text(pairs[i].hypothesis), reference = as_text(pairs[i].reference);
        const at_text *references[] = {&reference};
        for (int c = 0; c < COLUMNS; c++) {
            check((column)c, false, &hypothesis, references, 1, 1, pairs[i].scores[c]);
        }
    }
}

static void test_corpora(void **state)
{
    (void)state;
    at_text hypotheses[PAIRS], first[PAIRS], second[PAIRS], third[PAIRS];
    const at_text *references[] = {first, second, third};
    for (size_t i = 0; i < PAIRS; i++) {
        hypotheses[i] = as_text(pairs[i].hypothesis);
        first[i] = as_text(pairs[i].reference);
        second[i] = as_text(pairs[(i + 1) % PAIRS].reference);
        third[i] = as_text(i % 4 == 0 ? pairs[i].hypothesis : pairs[(i + PAIRS - 2) % PAIRS].reference);
    }
    for (size_t i = 0; i < COUNT(corpora); i++) {
        for (int c = 0; c < COLUMNS; c++) {
            check((column)c, corpora[i].lowercase, hypotheses, references, corpora[i].reference_count, PAIRS,
                  corpora[i].scores[c]);
        }
    }
}

/* A corpus without lines, and bytes that are no UTF-8. */
static void test_odd_corpora(void **state)
{
    (void)state;
    const at_text line = {"a \xFF b \xE4\xB8 c \0 d", 14}, *references[] = {&line};
    for (int c = 0; c < COLUMNS; c++) {
        const bool errors = c == TER || c == WER;
        check((column)c, true, &line, references, 1, 0, 0.0);
        check((column)c, true, &line, references, 1, 1, errors ? 0.0 : 100.0);
    }
}

/* Twenty thousand words: tables grow, and time stays linear where the metric allows. The short line that follows works
 * in large tables. */
static void test_long_line(void **state)
{
    (void)state;
    enum { WORDS = 20000 };
    static const column quick[] = {BLEU_13A, BLEU_INTL, BLEU_CHAR, CHRF_WORDS, TER, ROUGE_1, ROUGE_2, EXACT, F1};
    at_buf line = {0};
    for (int i = 0; i < WORDS; i++) assert_int_equal(at_buf_printf(&line, NULL, "%d ", i), ATT_OK);
    const at_text lines[2] = {{line.data, line.len}, {"1 2 3 4 5", 9}}, *references[] = {lines};
    for (size_t i = 0; i < COUNT(quick); i++) {
        check(quick[i], false, lines, references, 1, 2, quick[i] == TER ? 0.0 : 100.0);
    }
    at_buf_free(&line);
}

static void test_cancel(void **state)
{
    (void)state;
    double totals[ATT_METRIC_MAX_SUMS];
    const volatile int cancel = 1;
    const at_metric_options options = {0};
    const at_text line = as_text("a"), *references[] = {&line};
    const at_metric_corpus corpus = {&line, references, 1, 1};
    assert_int_equal(at_metric_totals(&at_metric_ter, &options, &corpus, &cancel, NULL, totals, NULL), ATT_CANCELLED);
}

/* sacreBLEU's str(metric.get_signature()) up to the version, in which we name ourselves. */
static void test_signatures(void **state)
{
    (void)state;
    static const struct {
        const at_metric *metric;
        at_metric_options options;
        size_t references;
        int64_t samples;
        const char *text;
    } rows[] = {
        {&at_metric_bleu, {0}, 1, 0, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"},
        {&at_metric_bleu, {ATT_TOKENIZE_INTL, true}, 1, 0, "nrefs:1|case:lc|eff:no|tok:intl|smooth:exp"},
        {&at_metric_bleu, {0}, 2, 100, "nrefs:2|bs:100|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp"},
        {&at_metric_chrf, {0}, 2, 0, "nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no"},
        {&at_metric_chrf_words, {0}, 1, 0, "nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no"},
        {&at_metric_ter, {0}, 1, 0, "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        at_buf got = {0}, wanted = {0};
        assert_int_equal(at_metric_signature(rows[i].metric, &rows[i].options, rows[i].references, rows[i].samples,
                                             12345, &got, NULL),
                         ATT_OK);
        assert_int_equal(at_buf_printf(&wanted, NULL, "%s|version:attend-", rows[i].text), ATT_OK);
        assert_true(got.len > wanted.len);
        assert_memory_equal(got.data, wanted.data, wanted.len);
        at_buf_free(&got);
        at_buf_free(&wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),     cmocka_unit_test(test_corpora), cmocka_unit_test(test_odd_corpora),
        cmocka_unit_test(test_long_line), cmocka_unit_test(test_cancel),  cmocka_unit_test(test_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
