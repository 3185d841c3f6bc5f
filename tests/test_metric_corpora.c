/* Metrics of whole systems: the outputs on FLORES in ATTEND_DATA against the numbers of sacreBLEU 2.6. */
#include <jansson.h>

#include "base/file.h"
#include "metric_help.h"
#include "text/bootstrap.h"

typedef struct corpus_lines {
    at_text *items;
    size_t count;
} corpus_lines;

static const char *data_folder(void)
{
    const char *folder = getenv("ATTEND_DATA");
    return folder != NULL ? folder : "../shared/data";
}

static corpus_lines read_lines(const char *path)
{
    corpus_lines out = {0};
    at_lines *lines;
    const char *text;
    size_t len, cap = 0;
    bool got;
    assert_int_equal(at_lines_open(&lines, path, NULL), ATT_OK);
    while (at_lines_next(lines, &text, &len, &got, NULL) == ATT_OK && got) {
        if (out.count == cap) {
            cap = cap == 0 ? 1024 : 2 * cap;
            out.items = realloc(out.items, cap * sizeof *out.items);
            assert_non_null(out.items);
        }
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        out.items[out.count++] = (at_text){copy, len};
    }
    at_lines_close(lines);
    return out;
}

static void free_lines(corpus_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) free((char *)lines->items[i].data);
    free(lines->items);
}

/* Lines of a system such as "dev.de-en.bergamot-base.en", or of its reference, dev.en. */
static corpus_lines read_system(const char *system)
{
    char path[512];
    snprintf(path, sizeof path, "%s/flores/systems/%s", data_folder(), system);
    return read_lines(path);
}

static corpus_lines read_reference(const char *system)
{
    char path[512];
    snprintf(path, sizeof path, "%s/flores/dev%s", data_folder(), strrchr(system, '.'));
    return read_lines(path);
}

static void skip_without_data(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/flores/sacrebleu-fixture.json", data_folder());
    if (at_path_exists(path)) return;
    print_message("%s is absent: skipped\n", path);
    skip();
}

/* ---- BLEU's parts ---- */

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void check_system(const char *system, const json_t *wanted)
{
    corpus_lines hypotheses = read_system(system), references = read_reference(system);
    assert_int_equal(hypotheses.count, references.count);

    const bool zh = strcmp(json_string_value(json_object_get(wanted, "tok")), "zh") == 0;
    at_bleu bleu, expected = {.score = number(wanted, "bleu"),
                              .brevity_penalty = number(wanted, "bp"),
                              .hypothesis_length = (int64_t)number(wanted, "sys_len"),
                              .reference_length = (int64_t)number(wanted, "ref_len")};
    for (size_t n = 0; n < 4; n++) {
        expected.precisions[n] = json_number_value(json_array_get(json_object_get(wanted, "precisions"), n));
    }
    double chrf;
    assert_int_equal(at_bleu_corpus(hypotheses.items, references.items, hypotheses.count,
                                    zh ? ATT_TOKENIZE_ZH : ATT_TOKENIZE_13A, false, &bleu, NULL),
                     ATT_OK);
    assert_int_equal(at_chrf_corpus(hypotheses.items, references.items, hypotheses.count, false, &chrf, NULL), ATT_OK);
    assert_bleu(&bleu, &expected, 1e-4);
    assert_near(chrf, number(wanted, "chrf"), 1e-4);
    free_lines(&hypotheses);
    free_lines(&references);
}

static void test_fixture(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/flores/sacrebleu-fixture.json", data_folder());
    skip_without_data();
    json_t *fixture = json_load_file(path, 0, NULL);
    assert_non_null(fixture);
    const char *system;
    json_t *wanted;
    json_object_foreach(fixture, system, wanted) check_system(system, wanted);
    json_decref(fixture);
}

/* ---- all metrics ---- */

enum { BLEUS = 5, SCORES = 15 };

/* Columns: BLEU 13a, intl, zh, char, none, chrF, chrF++; the same lower-cased; TER. Made with sacreBLEU 2.6.0:
 * corpus_score of BLEU(tokenize=..., lowercase=...), CHRF(word_order=0 or 2, lowercase=...) and TER(). */
static const struct {
    const char *system;
    double scores[SCORES];
} table[] = {
    {"dev.de-en.bergamot-base.en",
     {41.575476, 42.0211157, 41.4297443, 71.8260038, 37.5526621, 67.4628738, 65.6607889, 42.8707334, 43.3322178,
      42.7280321, 72.4681772, 38.7494537, 68.1826595, 66.5705627, 43.6861697}},
    {"dev.de-en.bergamot-tiny.en",
     {39.3597143, 39.8327128, 39.3181117, 70.1461628, 35.3388519, 65.870317, 64.0782652, 40.587884, 41.0817415,
      40.5486809, 70.8024154, 36.4184479, 66.5976173, 64.9903115, 45.9769018}},
    {"dev.en-de.bergamot-tiny.de",
     {39.0767291, 39.2955301, 39.0041388, 69.572027, 34.5255096, 64.6494077, 62.4280317, 39.4305031, 39.6489019,
      39.3572516, 70.4818132, 34.8788645, 65.4588181, 63.1747839, 48.1701191}},
    {"dev.en-pt.bergamot-tiny.pt",
     {49.314639, 49.433794, 49.3256419, 75.3967661, 45.6352881, 70.7604815, 69.1363196, 50.2257727, 50.3515798,
      50.2376092, 75.8356078, 46.5430207, 71.2332575, 69.720606, 37.257352}},
    {"dev.en-zh.bergamot-base.zh",
     {1.73050615, 3.75194456, 38.2396138, 40.0298636, 0.69083986, 34.6018775, 26.2052001, 1.75030472, 3.76458045,
      38.2506068, 40.0648271, 0.700241203, 34.6315136, 26.2337549, 107.839294}},
    {"dev.pt-en.bergamot-tiny.en",
     {47.4362387, 47.7721256, 47.2644538, 75.0737255, 43.6672789, 70.6218867, 69.1110176, 48.0850315, 48.4343157,
      47.9113574, 75.4346505, 44.29456, 71.0004111, 69.5853311, 38.8851771}},
    {"dev.zh-en.bergamot-base.en",
     {28.7801, 28.946659, 28.5140232, 63.9001779, 24.5148967, 57.8292288, 55.376442, 29.865575, 30.072872, 29.5949211,
      64.640262, 25.5167182, 58.5697784, 56.3335866, 60.303522}},
};

static double column(int c, const corpus_lines *hypotheses, const corpus_lines *references)
{
    const int kind = c % (BLEUS + 2);
    const at_metric_options options = {kind < BLEUS ? (at_bleu_tokenize)kind : ATT_TOKENIZE_13A, c >= BLEUS + 2};
    const at_metric *metric = kind < BLEUS ? &at_metric_bleu : kind == BLEUS ? &at_metric_chrf : &at_metric_chrf_words;
    const at_text *lists[] = {references->items};
    return score_of(c == SCORES - 1 ? &at_metric_ter : metric, options, hypotheses->items, lists, 1, hypotheses->count);
}

static void test_systems(void **state)
{
    (void)state;
    skip_without_data();
    for (size_t i = 0; i < COUNT(table); i++) {
        corpus_lines hypotheses = read_system(table[i].system), references = read_reference(table[i].system);
        for (int c = 0; c < SCORES; c++) {
            assert_near(column(c, &hypotheses, &references), table[i].scores[c], 1e-6 * table[i].scores[c]);
        }
        free_lines(&hypotheses);
        free_lines(&references);
    }
}

/* ---- the paired bootstrap ---- */

/* dev.de-en.bergamot-base.en (a) against itself with every `every`-th line, from the first, taken from
 * dev.de-en.bergamot-tiny.en (b). Made with sacreBLEU 2.6.0: PairedTest(test_type="bs"), 1,000 samples, seed 12345. */
static const struct {
    const at_metric *metric;
    size_t every;
    struct {
        double mean, interval;
    } a, b;
    double p_value;
} comparisons[] = {
    {&at_metric_bleu, 1, {41.5649, 1.18413791}, {39.3505066, 1.17232085}, 0.000999000999},
    {&at_metric_chrf, 1, {67.4599686, 0.727409363}, {65.8622208, 0.746528625}, 0.000999000999},
    {&at_metric_chrf_words, 1, {65.6578445, 0.778858185}, {64.0701141, 0.777301788}, 0.000999000999},
    {&at_metric_bleu, 16, {41.5649, 1.18413791}, {41.5145817, 1.16971931}, 0.162837163},
    {&at_metric_chrf, 16, {67.4599686, 0.727409363}, {67.4123001, 0.732707977}, 0.0869130869},
    {&at_metric_chrf_words, 16, {65.6578445, 0.778858185}, {65.614502, 0.76159668}, 0.11988012},
    {&at_metric_bleu, 40, {41.5649, 1.18413791}, {41.5341228, 1.1692075}, 0.181818182},
    {&at_metric_chrf, 40, {67.4599686, 0.727409363}, {67.4346466, 0.735378265}, 0.11988012},
    {&at_metric_chrf_words, 40, {65.6578445, 0.778858185}, {65.6372452, 0.768985748}, 0.16983017},
};

static void compare(size_t i, const corpus_lines *a, const corpus_lines *tiny, const corpus_lines *references)
{
    const at_metric *metric = comparisons[i].metric;
    at_text *b = calloc(a->count, sizeof *b);
    assert_non_null(b);
    for (size_t k = 0; k < a->count; k++) b[k] = k % comparisons[i].every == 0 ? tiny->items[k] : a->items[k];
    double *sums[2] = {sums_of(metric, a->items, references->items, a->count),
                       sums_of(metric, b, references->items, a->count)};
    at_bootstrap_result results[2];
    assert_int_equal(at_bootstrap(metric, (const double *const *)sums, 2, a->count, 1000, 12345, NULL, results, NULL),
                     ATT_OK);
    assert_near(results[0].mean, comparisons[i].a.mean, 1e-4);
    assert_near(results[0].interval, comparisons[i].a.interval, 1e-4);
    assert_near(results[1].mean, comparisons[i].b.mean, 1e-4);
    assert_near(results[1].interval, comparisons[i].b.interval, 1e-4);
    /* the same samples, so the same count of them; its sums are float32, so one may fall on the other side */
    assert_near(results[1].p_value, comparisons[i].p_value, 0.0011);
    free(sums[0]);
    free(sums[1]);
    free(b);
}

static void test_paired_bootstrap(void **state)
{
    (void)state;
    skip_without_data();
    const char *system = "dev.de-en.bergamot-base.en";
    corpus_lines a = read_system(system), tiny = read_system("dev.de-en.bergamot-tiny.en");
    corpus_lines references = read_reference(system);
    for (size_t i = 0; i < COUNT(comparisons); i++) compare(i, &a, &tiny, &references);
    free_lines(&a);
    free_lines(&tiny);
    free_lines(&references);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixture),
        cmocka_unit_test(test_systems),
        cmocka_unit_test(test_paired_bootstrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
