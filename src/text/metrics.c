/* A metric over a corpus, and its signature. See metrics.h. */
#include "text/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "text/metric_work.h"

static at_status add_segment(const at_metric *metric, at_metric_work *work, const at_metric_corpus *corpus,
                             size_t index, at_buf *references, double *sums, at_error *err)
{
    at_buf_clear(references);
    for (size_t i = 0; i < corpus->reference_count; i++) {
        ATT_TRY(at_buf_add(references, &corpus->references[i][index], sizeof(at_text), err));
    }
    return metric->add(work, corpus->hypotheses[index], (const at_text *)(const void *)references->data,
                       corpus->reference_count, sums, err);
}

at_status at_metric_totals(const at_metric *metric, const at_metric_options *options, const at_metric_corpus *corpus,
                           const volatile int *cancel, double *segments, double *totals, at_error *err)
{
    at_metric_work work = {.options = *options};
    at_buf references = {0}; /* at_text each: the references of one line */
    at_status status = ATT_OK;
    const size_t width = (size_t)metric->sum_count;
    memset(totals, 0, width * sizeof *totals);
    for (size_t i = 0; i < corpus->count && status == ATT_OK; i++) {
        double sums[ATT_METRIC_MAX_SUMS];
        if (at_cancelled(cancel)) {
            status = at_fail(err, ATT_CANCELLED, "interrupted; nothing was scored");
            break;
        }
        status = add_segment(metric, &work, corpus, i, &references, sums, err);
        if (status != ATT_OK) break;
        for (size_t k = 0; k < width; k++) totals[k] += sums[k];
        if (segments != NULL) memcpy(segments + i * width, sums, width * sizeof *sums);
    }
    at_metric_work_free(&work);
    at_buf_free(&references);
    return status;
}

at_status at_metric_signature(const at_metric *metric, const at_metric_options *options, size_t reference_count,
                              int64_t samples, uint64_t seed, at_buf *out, at_error *err)
{
    ATT_TRY(at_buf_printf(out, err, "nrefs:%zu|", reference_count));
    if (samples > 0) ATT_TRY(at_buf_printf(out, err, "bs:%" PRId64 "|seed:%" PRIu64 "|", samples, seed));
    ATT_TRY(metric->sign(options, out, err));
    return at_buf_puts(out, "|version:attend-" ATTEND_VERSION, err);
}

at_status at_bleu_corpus(const at_text *hypotheses, const at_text *references, size_t count, at_bleu_tokenize tokenize,
                         bool lowercase, at_bleu *out, at_error *err)
{
    double totals[ATT_METRIC_MAX_SUMS];
    const at_metric_options options = {tokenize, lowercase};
    const at_metric_corpus corpus = {hypotheses, &references, 1, count};
    ATT_TRY(at_metric_totals(&at_metric_bleu, &options, &corpus, NULL, NULL, totals, err));
    at_bleu_finish(totals, out);
    return ATT_OK;
}

at_status at_chrf_corpus(const at_text *hypotheses, const at_text *references, size_t count, bool lowercase,
                         double *score, at_error *err)
{
    double totals[ATT_METRIC_MAX_SUMS];
    const at_metric_options options = {.lowercase = lowercase};
    const at_metric_corpus corpus = {hypotheses, &references, 1, count};
    ATT_TRY(at_metric_totals(&at_metric_chrf, &options, &corpus, NULL, NULL, totals, err));
    *score = at_metric_chrf.score(totals);
    return ATT_OK;
}
