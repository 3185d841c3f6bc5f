/* Texts and numbers for the tests of metrics. */
#ifndef ATT_TESTS_METRIC_HELP_H
#define ATT_TESTS_METRIC_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/metrics.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static inline at_text as_text(const char *string)
{
    return (at_text){string, strlen(string)};
}

static inline void assert_near(double got, double wanted, double tolerance)
{
    if (!(got >= wanted - tolerance && got <= wanted + tolerance)) fail_msg("got %.9g, wanted %.9g", got, wanted);
}

static inline void assert_bleu(const at_bleu *got, const at_bleu *wanted, double tolerance)
{
    assert_near(got->score, wanted->score, tolerance);
    for (int n = 0; n < 4; n++) assert_near(got->precisions[n], wanted->precisions[n], tolerance);
    assert_near(got->brevity_penalty, wanted->brevity_penalty, tolerance);
    assert_int_equal(got->hypothesis_length, wanted->hypothesis_length);
    assert_int_equal(got->reference_length, wanted->reference_length);
}

/* The score of a corpus with one or more references. */
static inline double score_of(const at_metric *metric, at_metric_options options, const at_text *hypotheses,
                              const at_text *const *references, size_t reference_count, size_t count)
{
    double totals[ATT_METRIC_MAX_SUMS];
    const at_metric_corpus corpus = {hypotheses, references, reference_count, count};
    assert_int_equal(at_metric_totals(metric, &options, &corpus, NULL, NULL, totals, NULL), ATT_OK);
    return metric->score(totals);
}

/* The sums of each line, for a bootstrap; the caller frees them. */
static inline double *sums_of(const at_metric *metric, const at_text *hypotheses, const at_text *references,
                              size_t count)
{
    double totals[ATT_METRIC_MAX_SUMS];
    const at_metric_options options = {0};
    const at_metric_corpus corpus = {hypotheses, &references, 1, count};
    double *sums = calloc(count * (size_t)metric->sum_count, sizeof *sums);
    assert_non_null(sums);
    assert_int_equal(at_metric_totals(metric, &options, &corpus, NULL, sums, totals, NULL), ATT_OK);
    return sums;
}

#endif
