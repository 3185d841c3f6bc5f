/* chrF of a corpus (Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation") as sacreBLEU computes
 * it by default: characters without white space, orders 1 to 6, counts summed over the segments, precision and recall
 * averaged over the orders that occur, beta 2. Read next: ngram.c. */
#include <string.h>

#include "text/lowercase.h"
#include "text/metrics.h"
#include "text/ngram.h"
#include "base/utf8.h"

enum { ORDERS = 6, BETA = 2 };

typedef struct sums {
    int64_t matches[ORDERS], hypothesis[ORDERS], reference[ORDERS]; /* n-grams */
} sums;

typedef struct segment {
    at_buf lowered;
    at_ids hypothesis, reference; /* code points */
    at_ngrams ngrams;
} segment;

/* The code points of a line, without white space. */
static at_status read_characters(segment *s, at_text line, bool lowercase, at_ids *out, at_error *err)
{
    if (lowercase) {
        at_buf_clear(&s->lowered);
        ATT_TRY(at_lowercase(line.data, line.len, &s->lowered, err));
        line = (at_text){s->lowered.data, s->lowered.len};
    }
    out->len = 0;
    for (size_t at = 0; at < line.len;) {
        uint32_t code;
        at += at_utf8_next(line.data + at, line.len - at, &code);
        if (!at_utf8_is_space(code)) ATT_TRY(at_ids_push(out, (int32_t)code, err));
    }
    return ATT_OK;
}

/* A segment whose reference is too short for an order doesn't count there: its n-grams could match nothing. */
static at_status add_segment(segment *s, sums *sum, at_error *err)
{
    for (int n = 1; n <= ORDERS; n++) {
        const int64_t reference = at_ngram_count(s->reference.len, n);
        sum->reference[n - 1] += reference;
        sum->hypothesis[n - 1] += reference > 0 ? at_ngram_count(s->hypothesis.len, n) : 0;
    }
    return at_ngrams_match(&s->ngrams, &s->hypothesis, &s->reference, ORDERS, sum->matches, err);
}

/* F = (1 + beta^2) P R / (beta^2 P + R), in percent */
static double f_score(const sums *sum)
{
    double precision = 0.0, recall = 0.0;
    int orders = 0;
    for (int n = 0; n < ORDERS; n++) {
        if (sum->hypothesis[n] == 0 || sum->reference[n] == 0) continue;
        precision += (double)sum->matches[n] / (double)sum->hypothesis[n];
        recall += (double)sum->matches[n] / (double)sum->reference[n];
        orders++;
    }
    if (precision + recall <= 0.0) return 0.0;
    const double factor = BETA * BETA;
    precision /= orders;
    recall /= orders;
    return 100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall);
}

at_status at_chrf_corpus(const at_text *hypotheses, const at_text *references, size_t count, bool lowercase,
                         double *score, at_error *err)
{
    segment s = {0};
    sums sum = {0};
    at_status status = ATT_OK;
    for (size_t i = 0; i < count && status == ATT_OK; i++) {
        status = read_characters(&s, hypotheses[i], lowercase, &s.hypothesis, err);
        if (status == ATT_OK) status = read_characters(&s, references[i], lowercase, &s.reference, err);
        if (status == ATT_OK) status = add_segment(&s, &sum, err);
    }
    at_buf_free(&s.lowered);
    at_ids_free(&s.hypothesis);
    at_ids_free(&s.reference);
    at_ngrams_free(&s.ngrams);
    if (status == ATT_OK) *score = f_score(&sum);
    return status;
}
