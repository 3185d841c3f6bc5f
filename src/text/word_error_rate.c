/* Word error rate: the fewest insertions, deletions and substitutions (Levenshtein 1966) that turn the hypotheses into
 * their references, per word of the references. Words are what white space parts, as they are; of several references a
 * line takes the one with the fewest errors. */
#include "text/metric_work.h"

/* A segment's sums. */
enum { ERRORS, LENGTH, SUMS };

static at_status distance(at_metric_work *work, const at_ids *a, const at_ids *b, size_t *errors, at_error *err)
{
    at_ids *row = &work->row[0]; /* (B + 1): distances of a's first i words to b's first j */
    ATT_TRY(at_work_room(row, b->len + 1, err));
    for (size_t j = 0; j <= b->len; j++) row->data[j] = (int32_t)j;
    for (size_t i = 0; i < a->len; i++) {
        int32_t diagonal = row->data[0]++;
        for (size_t j = 0; j < b->len; j++) {
            const int32_t above = row->data[j + 1], left = row->data[j];
            const int32_t nearer = above < left ? above : left;
            const int32_t kept = diagonal + (a->data[i] != b->data[j]);
            row->data[j + 1] = kept <= nearer ? kept : nearer + 1;
            diagonal = above;
        }
    }
    *errors = (size_t)row->data[b->len];
    return ATT_OK;
}

static at_status add(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count, double *sums,
                     at_error *err)
{
    size_t fewest = SIZE_MAX;
    ATT_TRY(at_work_words(work, at_normalize_case, hypothesis, references, count, err));
    for (size_t i = 0; i < count; i++) {
        size_t errors;
        ATT_TRY(distance(work, &work->hypothesis, &work->references[i], &errors, err));
        if (errors >= fewest) continue;
        fewest = errors;
        sums[ERRORS] = (double)errors;
        sums[LENGTH] = (double)work->references[i].len;
    }
    return ATT_OK;
}

/* Nothing wanted and something there counts as 100. */
static double score(const double *totals)
{
    if (totals[LENGTH] > 0.0) return 100.0 * (totals[ERRORS] / totals[LENGTH]);
    return totals[ERRORS] > 0.0 ? 100.0 : 0.0;
}

static at_status sign(const at_metric_options *options, at_buf *out, at_error *err)
{
    return at_buf_printf(out, err, "%s|tok:none", at_sign_case(options));
}

const at_metric at_metric_wer = {"wer", SUMS, add, score, sign};
