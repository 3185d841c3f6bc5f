/* See bootstrap.h. */
#include "text/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/pcg64.h"

/* Scores one sample. lines (count): scratch; scores: one a system, `stride` apart. */
static void score_sample(const at_metric *metric, const double *const *systems, size_t system_count,
                         const uint32_t *lines, size_t count, double *scores, size_t stride)
{
    const size_t width = (size_t)metric->sum_count;
    for (size_t s = 0; s < system_count; s++) {
        double totals[ATT_METRIC_MAX_SUMS] = {0};
        for (size_t i = 0; i < count; i++) {
            const double *sums = systems[s] + lines[i] * width;
            for (size_t k = 0; k < width; k++) totals[k] += sums[k];
        }
        scores[s * stride] = metric->score(totals);
    }
}

/* The score of all lines. */
static double whole_score(const at_metric *metric, const double *sums, size_t count)
{
    const size_t width = (size_t)metric->sum_count;
    double totals[ATT_METRIC_MAX_SUMS] = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < width; k++) totals[k] += sums[i * width + k];
    }
    return metric->score(totals);
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum / (double)count;
}

/* differences (samples): scratch */
static double p_value(const double *baseline, const double *system, size_t samples, double difference,
                      double *differences)
{
    size_t beyond = 0;
    for (size_t i = 0; i < samples; i++) differences[i] = fabs(system[i] - baseline[i]);
    const double mean = mean_of(differences, samples);
    for (size_t i = 0; i < samples; i++) beyond += differences[i] - mean > fabs(difference);
    return (double)(beyond + 1) / (double)(samples + 1);
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Sorts the scores. */
static void summarize(double *scores, size_t samples, at_bootstrap_result *result)
{
    qsort(scores, samples, sizeof *scores, compare);
    const size_t lower = samples / 40, upper = samples - lower - 1;
    result->mean = mean_of(scores, samples);
    result->interval = 0.5 * (scores[upper] - scores[lower]);
}

static void finish(const at_metric *metric, const double *const *systems, size_t system_count, size_t count,
                   size_t samples, double *scores, at_bootstrap_result *results)
{
    double *differences = scores + system_count * samples;
    const double baseline = whole_score(metric, systems[0], count);
    results[0].p_value = 1.0;
    for (size_t s = 1; s < system_count; s++) {
        const double difference = whole_score(metric, systems[s], count) - baseline;
        results[s].p_value = p_value(scores, scores + s * samples, samples, difference, differences);
    }
    for (size_t s = 0; s < system_count; s++) summarize(scores + s * samples, samples, &results[s]);
}

/* scores (system_count + 1, samples): the last row is scratch; lines (count) */
static at_status resample(const at_metric *metric, const double *const *systems, size_t system_count, size_t count,
                          size_t samples, uint64_t seed, const volatile int *cancel, double *scores, uint32_t *lines,
                          at_error *err)
{
    at_pcg64 rng;
    at_pcg64_init(&rng, seed);
    for (size_t sample = 0; sample < samples; sample++) {
        if (at_cancelled(cancel)) return at_fail(err, ATT_CANCELLED, "interrupted; nothing was scored");
        for (size_t i = 0; i < count; i++) lines[i] = at_pcg64_below(&rng, (uint32_t)count);
        score_sample(metric, systems, system_count, lines, count, scores + sample, samples);
    }
    return ATT_OK;
}

at_status at_bootstrap(const at_metric *metric, const double *const *systems, size_t system_count, size_t count,
                       int64_t samples, uint64_t seed, const volatile int *cancel, at_bootstrap_result *results,
                       at_error *err)
{
    const size_t score_count = (system_count + 1) * (size_t)samples;
    double *scores = malloc(score_count * sizeof *scores);
    uint32_t *lines = malloc(count * sizeof *lines);
    at_status status = scores == NULL || lines == NULL ? at_fail_memory(err, score_count * sizeof *scores) : ATT_OK;
    if (status == ATT_OK) {
        status = resample(metric, systems, system_count, count, (size_t)samples, seed, cancel, scores, lines, err);
    }
    if (status == ATT_OK) finish(metric, systems, system_count, count, (size_t)samples, scores, results);
    free(scores);
    free(lines);
    return status;
}
