/* BLEU of a corpus (Papineni et al. 2002), with the choices that sacreBLEU makes by default (Post 2018): n-gram counts
 * of orders 1 to 4, clipped by the reference that has most of an n-gram; the brevity penalty of the whole corpus, from
 * the references nearest in length; and exponential smoothing: the k-th order without a match counts as 1 / 2^k matches
 * (Chen and Cherry 2014, "A systematic comparison of smoothing techniques for sentence-level BLEU", method 3).
 * Read next: bleu_tokenize.c, ngram.c. */
#include <math.h>

#include "text/bleu_tokenize.h"
#include "text/metric_work.h"

enum { ORDERS = 4 };

/* A segment's sums. */
enum { HYPOTHESIS_LENGTH, REFERENCE_LENGTH, MATCHES, TOTALS = MATCHES + ORDERS, SUMS = TOTALS + ORDERS };

static at_status normalize(at_metric_work *work, at_text line, at_buf *out, at_error *err)
{
    if (work->options.lowercase) ATT_TRY(at_work_lower(work, &line, err));
    return at_bleu_tokenize_line(line, work->options.tokenize, out, &work->spare, err);
}

/* The reference length nearest to the hypothesis's, the shorter of two equally near. */
static size_t nearest_length(const at_ids *references, size_t count, size_t len)
{
    size_t best = references[0].len;
    for (size_t i = 1; i < count; i++) {
        const size_t other = references[i].len;
        const size_t distance = other > len ? other - len : len - other;
        const size_t best_distance = best > len ? best - len : len - best;
        if (distance < best_distance || (distance == best_distance && other < best)) best = other;
    }
    return best;
}

static at_status add(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count, double *sums,
                     at_error *err)
{
    int64_t matches[ORDERS] = {0};
    ATT_TRY(at_work_words(work, normalize, hypothesis, references, count, err));
    ATT_TRY(at_ngrams_match(&work->ngrams, &work->hypothesis, work->references, count, ORDERS, matches, err));
    sums[HYPOTHESIS_LENGTH] = (double)work->hypothesis.len;
    sums[REFERENCE_LENGTH] = (double)nearest_length(work->references, count, work->hypothesis.len);
    for (int n = 0; n < ORDERS; n++) {
        sums[MATCHES + n] = (double)matches[n];
        sums[TOTALS + n] = (double)at_ngram_count(work->hypothesis.len, n + 1);
    }
    return ATT_OK;
}

/* BP = exp(1 - r / c) where the hypothesis is shorter, c < r */
static double brevity_penalty(const double *totals)
{
    if (totals[HYPOTHESIS_LENGTH] >= totals[REFERENCE_LENGTH]) return 1.0;
    if (totals[HYPOTHESIS_LENGTH] <= 0.0) return 0.0;
    return exp(1.0 - totals[REFERENCE_LENGTH] / totals[HYPOTHESIS_LENGTH]);
}

/* BLEU = BP * exp(1/4 sum_n log p_n), 0 when nothing matches or when no hypothesis is long enough for an order. */
void at_bleu_finish(const double *totals, at_bleu *out)
{
    *out = (at_bleu){.brevity_penalty = brevity_penalty(totals),
                     .hypothesis_length = (int64_t)totals[HYPOTHESIS_LENGTH],
                     .reference_length = (int64_t)totals[REFERENCE_LENGTH]};
    if (totals[MATCHES] <= 0.0) return; /* a longer match would hold a match of one */
    double log_sum = 0.0, smooth = 1.0;
    for (int n = 0; n < ORDERS; n++) {
        if (totals[TOTALS + n] <= 0.0) return;
        if (totals[MATCHES + n] <= 0.0) smooth *= 2.0;
        const double matches = totals[MATCHES + n] > 0.0 ? totals[MATCHES + n] : 1.0 / smooth;
        out->precisions[n] = 100.0 * matches / totals[TOTALS + n];
        log_sum += log(out->precisions[n]);
    }
    out->score = out->brevity_penalty * exp(log_sum / ORDERS);
}

static double score(const double *totals)
{
    at_bleu bleu;
    at_bleu_finish(totals, &bleu);
    return bleu.score;
}

static at_status sign(const at_metric_options *options, at_buf *out, at_error *err)
{
    static const char *const names[] = {"13a", "intl", "zh", "char", "none"};
    return at_buf_printf(out, err, "%s|eff:no|tok:%s|smooth:exp", at_sign_case(options), names[options->tokenize]);
}

const at_metric at_metric_bleu = {"bleu", SUMS, add, score, sign};
