/* The bootstrap and its random numbers, against sacreBLEU 2.6 and NumPy 2. */
#include "metric_help.h"
#include "text/bootstrap.h"
#include "text/pcg64.h"

/* numpy.random.default_rng(seed).integers(0, n, size=7) */
static const struct {
    uint64_t seed;
    uint32_t n, drawn[7];
} draws[] = {
    {12345u, 997u, {697u, 226u, 786u, 315u, 203u, 794u, 640u}},

    {0u, 7u, {5u, 4u, 3u, 1u, 2u, 0u, 0u}},

    {1u, 1u, {0u, 0u, 0u, 0u, 0u, 0u, 0u}},

    {1099511627779u,
     4294967295u,
     {3148908331u, 3322827582u, 1909875520u, 4277174878u, 1634839687u, 2032287962u, 1446679871u}},

    {7u, 3000000000u, {2834714867u, 2052539810u, 2691641402u, 1734877356u, 2327057070u, 2500953064u, 675621569u}},

};

static void test_draws(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(draws); i++) {
        at_pcg64 rng;
        at_pcg64_init(&rng, draws[i].seed);
        for (int k = 0; k < 7; k++) assert_int_equal(at_pcg64_below(&rng, draws[i].n), draws[i].drawn[k]);
    }
}

enum { LINES = 12 };

static const char *const references[LINES] = {
    "the cat sat on the mat",      "there is a house by the sea",   "he reads a book in the garden",
    "we went to the market today", "she plays the piano very well", "it rains all day long",
    "the train leaves at five",    "they live in a small town",     "my brother has two dogs",
    "the soup is too hot to eat",  "a bird sings in the tree",      "nobody knows the answer yet",
};
static const char *const system_a[LINES] = {
    "the cat sat on a mat",     "there is a house at the sea", "he reads in the garden a book",
    "we went to market today",  "she plays piano very well",   "it rains the whole day",
    "the train leaves at five", "they live in a little town",  "my brother owns two dogs",
    "the soup is too hot",      "a bird sings in a tree",      "nobody knows the answer",
};
static const char *const system_b[LINES] = {
    "a cat sat on the mat",           "there is a house by the sea",   "he reads a book in the garden",
    "today we went to the market",    "she plays the piano well",      "it rains all day",
    "the train goes at five",         "they live in a small city",     "my brother has two dogs",
    "the soup is too hot for eating", "a bird is singing in the tree", "no one knows the answer yet",
};

/* PairedTest([a, b], {BLEU(), CHRF(), TER()}, test_type="bs") with SACREBLEU_SEED. Its sums are float32. */
static const struct {
    const at_metric *metric;
    int64_t samples;
    uint64_t seed;
    struct {
        double mean, interval;
    } a, b;
    double p_value;
} tests_of_sacrebleu[] = {
    {&at_metric_bleu, 1000, 12345, {49.3536988, 13.0363299}, {71.7032786, 14.3248121}, 0.024975025},
    {&at_metric_chrf, 1000, 12345, {72.6553955, 7.60651779}, {80.6687164, 7.66729736}, 0.0809190809},
    {&at_metric_ter, 1000, 12345, {19.5813103, 6.72586203}, {16.7488556, 6.83512831}, 0.194805195},
    {&at_metric_bleu, 39, 7, {50.5065736, 16.6843256}, {70.5664245, 21.8309993}, 0.075},
    {&at_metric_chrf, 39, 7, {72.6651077, 9.86669922}, {80.0792313, 10.7012672}, 0.1},
    {&at_metric_ter, 39, 7, {19.7065334, 6.48839188}, {17.4612598, 9.43283653}, 0.2},
};

static void to_texts(const char *const *strings, at_text texts[LINES])
{
    for (int i = 0; i < LINES; i++) texts[i] = as_text(strings[i]);
}

static void test_paired(void **state)
{
    (void)state;
    at_text r[LINES], a[LINES], b[LINES];
    to_texts(references, r);
    to_texts(system_a, a);
    to_texts(system_b, b);
    for (size_t i = 0; i < COUNT(tests_of_sacrebleu); i++) {
        const at_metric *metric = tests_of_sacrebleu[i].metric;
        double *sums[2] = {sums_of(metric, a, r, LINES), sums_of(metric, b, r, LINES)};
        at_bootstrap_result results[2];
        assert_int_equal(at_bootstrap(metric, (const double *const *)sums, 2, LINES, tests_of_sacrebleu[i].samples,
                                      tests_of_sacrebleu[i].seed, NULL, results, NULL),
                         ATT_OK);
        assert_near(results[0].mean, tests_of_sacrebleu[i].a.mean, 1e-4);
        assert_near(results[0].interval, tests_of_sacrebleu[i].a.interval, 1e-4);
        assert_near(results[1].mean, tests_of_sacrebleu[i].b.mean, 1e-4);
        assert_near(results[1].interval, tests_of_sacrebleu[i].b.interval, 1e-4);
        assert_near(results[0].p_value, 1.0, 0.0);
        assert_near(results[1].p_value, tests_of_sacrebleu[i].p_value, 1e-6);
        free(sums[0]);
        free(sums[1]);
    }
}

/* A system against itself: no difference exceeds none, but for the one sample that is added. */
static void test_same_system(void **state)
{
    (void)state;
    at_text r[LINES], a[LINES];
    to_texts(references, r);
    to_texts(system_a, a);
    double *sums = sums_of(&at_metric_bleu, a, r, LINES);
    const double *systems[2] = {sums, sums};
    at_bootstrap_result results[2];
    assert_int_equal(at_bootstrap(&at_metric_bleu, systems, 2, LINES, 99, 1, NULL, results, NULL), ATT_OK);
    assert_near(results[1].p_value, 0.01, 1e-12);
    assert_near(results[1].mean, results[0].mean, 0.0);
    free(sums);
}

static void test_cancel(void **state)
{
    (void)state;
    const volatile int cancel = 1;
    const double sums[2] = {50.0, 1.0}, *systems[] = {sums};
    at_bootstrap_result result;
    assert_int_equal(at_bootstrap(&at_metric_f1, systems, 1, 1, 10, 1, &cancel, &result, NULL), ATT_CANCELLED);
    assert_int_equal(at_bootstrap(&at_metric_f1, systems, 1, 1, 10, 1, NULL, &result, NULL), ATT_OK);
    assert_near(result.mean, 50.0, 1e-12);
    assert_near(result.interval, 0.0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_paired),
        cmocka_unit_test(test_same_system),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
