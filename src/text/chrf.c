/* chrF of a corpus (Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation") and chrF++ (Popović
 * 2017, "chrF++: words helping character n-grams") as sacreBLEU computes them by default: characters without white
 * space, orders 1 to 6, for chrF++ words of orders 1 and 2 too; counts summed over the segments, precision and recall
 * averaged over the orders that occur, beta 2. Of several references a segment takes the one with the best F.
 * Read next: ngram.c. */
#include <string.h>

#include "base/utf8.h"
#include "text/metric_work.h"

enum { CHARACTER_ORDERS = 6, WORD_ORDERS = 2, MAX_ORDERS = CHARACTER_ORDERS + WORD_ORDERS, BETA = 2 };

/* A segment's sums, three an order: n-grams of the hypothesis, of the reference, matches. */
enum { HYPOTHESIS, REFERENCE, MATCHES, PARTS };

/* The code points of a line, without white space. */
static at_status read_characters(at_text line, at_ids *out, at_error *err)
{
    out->len = 0;
    for (size_t at = 0; at < line.len;) {
        uint32_t code;
        at += at_utf8_next(line.data + at, line.len - at, &code);
        if (!at_utf8_is_space(code)) ATT_TRY(at_ids_push(out, (int32_t)code, err));
    }
    return ATT_OK;
}

/* Python's string.punctuation */
static bool is_punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/* Appends a word, one punctuation mark parted: the last character, or else the first. "(hi)" gives "(hi" and ")". */
static at_status part_word(const char *word, size_t len, at_buf *out, at_error *err)
{
    const bool last = len > 1 && is_punctuation(word[len - 1]);
    const bool first = !last && len > 1 && is_punctuation(word[0]);
    const size_t cut = last ? len - 1 : first ? 1 : len;
    ATT_TRY(at_buf_add(out, word, cut, err));
    ATT_TRY(at_buf_add(out, " ", 1, err));
    if (cut == len) return ATT_OK;
    ATT_TRY(at_buf_add(out, word + cut, len - cut, err));
    return at_buf_add(out, " ", 1, err);
}

static at_status read_words(at_metric_work *work, at_text line, at_ids *out, at_error *err)
{
    at_buf_clear(&work->text);
    size_t start = 0; /* of the word under way */
    for (size_t at = 0; at < line.len;) {
        uint32_t code;
        const size_t count = at_utf8_next(line.data + at, line.len - at, &code);
        const bool space = at_utf8_is_space(code);
        if (space && at > start) ATT_TRY(part_word(line.data + start, at - start, &work->text, err));
        at += count;
        if (space) start = at;
    }
    if (line.len > start) ATT_TRY(part_word(line.data + start, line.len - start, &work->text, err));
    out->len = 0;
    return at_words_read(&work->words, work->text.data, work->text.len, out, err);
}

/* A segment whose reference is too short for an order doesn't count there: its n-grams could match nothing. */
static at_status count(at_metric_work *work, const at_ids *hypothesis, const at_ids *reference, int orders,
                       double *sums, at_error *err)
{
    int64_t matches[CHARACTER_ORDERS] = {0};
    ATT_TRY(at_ngrams_match(&work->ngrams, hypothesis, reference, 1, orders, matches, err));
    for (int n = 0; n < orders; n++) {
        const int64_t in_reference = at_ngram_count(reference->len, n + 1);
        sums[PARTS * n + HYPOTHESIS] = in_reference > 0 ? (double)at_ngram_count(hypothesis->len, n + 1) : 0.0;
        sums[PARTS * n + REFERENCE] = (double)in_reference;
        sums[PARTS * n + MATCHES] = (double)matches[n];
    }
    return ATT_OK;
}

/* F = (1 + beta^2) P R / (beta^2 P + R), in percent */
static double f_score(const double *sums, int orders)
{
    double precision = 0.0, recall = 0.0;
    int effective = 0;
    for (const double *order = sums; order < sums + PARTS * orders; order += PARTS) {
        if (order[HYPOTHESIS] <= 0.0 || order[REFERENCE] <= 0.0) continue;
        precision += order[MATCHES] / order[HYPOTHESIS];
        recall += order[MATCHES] / order[REFERENCE];
        effective++;
    }
    if (precision + recall <= 0.0) return 0.0;
    const double factor = BETA * BETA;
    precision /= effective;
    recall /= effective;
    return 100.0 * ((1.0 + factor) * precision * recall / (factor * precision + recall));
}

/* The sums of one reference against the hypothesis, whose characters are in work->hypothesis. */
static at_status compare(at_metric_work *work, const at_ids *hypothesis_words, at_text reference, int word_orders,
                         double *sums, at_error *err)
{
    ATT_TRY(read_characters(reference, &work->references[0], err));
    ATT_TRY(count(work, &work->hypothesis, &work->references[0], CHARACTER_ORDERS, sums, err));
    if (word_orders == 0) return ATT_OK;
    at_ids *reference_words = &work->references[1];
    ATT_TRY(read_words(work, reference, reference_words, err));
    return count(work, hypothesis_words, reference_words, word_orders, sums + PARTS * CHARACTER_ORDERS, err);
}

static at_status add(at_metric_work *work, at_text hypothesis, const at_text *references, size_t reference_count,
                     int word_orders, double *sums, at_error *err)
{
    double best = -1.0;
    const int orders = CHARACTER_ORDERS + word_orders;
    ATT_TRY(at_work_references(work, 3, err)); /* characters and words of the reference, words of the hypothesis */
    at_ids *hypothesis_words = &work->references[2];
    if (work->options.lowercase) ATT_TRY(at_work_lower(work, &hypothesis, err));
    ATT_TRY(read_characters(hypothesis, &work->hypothesis, err));
    if (word_orders > 0) ATT_TRY(read_words(work, hypothesis, hypothesis_words, err));
    for (size_t i = 0; i < reference_count; i++) {
        double tried[PARTS * MAX_ORDERS];
        at_text reference = references[i];
        if (work->options.lowercase) ATT_TRY(at_work_lower(work, &reference, err));
        ATT_TRY(compare(work, hypothesis_words, reference, word_orders, tried, err));
        const double f = f_score(tried, orders);
        if (f <= best) continue;
        best = f;
        memcpy(sums, tried, (size_t)(PARTS * orders) * sizeof *sums);
    }
    return ATT_OK;
}

static at_status add_characters(at_metric_work *work, at_text hypothesis, const at_text *references,
                                size_t reference_count, double *sums, at_error *err)
{
    return add(work, hypothesis, references, reference_count, 0, sums, err);
}

static at_status add_with_words(at_metric_work *work, at_text hypothesis, const at_text *references,
                                size_t reference_count, double *sums, at_error *err)
{
    return add(work, hypothesis, references, reference_count, WORD_ORDERS, sums, err);
}

static double score_characters(const double *totals)
{
    return f_score(totals, CHARACTER_ORDERS);
}

static double score_with_words(const double *totals)
{
    return f_score(totals, MAX_ORDERS);
}

static at_status sign_characters(const at_metric_options *options, at_buf *out, at_error *err)
{
    return at_buf_printf(out, err, "%s|eff:yes|nc:%d|nw:0|space:no", at_sign_case(options), CHARACTER_ORDERS);
}

static at_status sign_with_words(const at_metric_options *options, at_buf *out, at_error *err)
{
    return at_buf_printf(out, err, "%s|eff:yes|nc:%d|nw:%d|space:no", at_sign_case(options), CHARACTER_ORDERS,
                         WORD_ORDERS);
}

const at_metric at_metric_chrf = {"chrf", PARTS *CHARACTER_ORDERS, add_characters, score_characters, sign_characters};
const at_metric at_metric_chrf_words = {"chrf++", PARTS *MAX_ORDERS, add_with_words, score_with_words, sign_with_words};
_Static_assert(PARTS *MAX_ORDERS <= ATT_METRIC_MAX_SUMS, "chrF++ has the most sums");
