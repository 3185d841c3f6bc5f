/* BLEU of a corpus (Papineni et al. 2002), with the choices that sacreBLEU makes by default (Post 2018): clipped
 * n-gram counts of orders 1 to 4 summed over the segments, the brevity penalty of the whole corpus, and exponential
 * smoothing: the k-th order without a match counts as 1 / 2^k matches (Chen and Cherry 2014, "A systematic comparison
 * of smoothing techniques for sentence-level BLEU", method 3). Read next: bleu_tokenize.c, ngram.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "text/bleu_tokenize.h"
#include "text/lowercase.h"
#include "text/metrics.h"
#include "text/ngram.h"
#include "base/utf8.h"

enum { ORDERS = 4 };

typedef struct word {
    const char *text; /* NULL: a free slot */
    size_t len;
    int32_t id;
} word;

/* Room for one segment, kept between segments. */
typedef struct segment {
    at_buf lowered, spare, hypothesis, reference;
    at_ids hypothesis_ids, reference_ids; /* a number a token, equal for equal tokens */
    word *words;                          /* hash table of the segment's distinct tokens */
    size_t word_cap, word_mask;           /* slots there, slots in use - 1 */
    int32_t word_count;
    at_ngrams ngrams;
} segment;

typedef struct sums {
    int64_t hypothesis_length, reference_length; /* tokens */
    int64_t matches[ORDERS], totals[ORDERS];
} sums;

static void segment_free(segment *s)
{
    at_buf_free(&s->lowered);
    at_buf_free(&s->spare);
    at_buf_free(&s->hypothesis);
    at_buf_free(&s->reference);
    at_ids_free(&s->hypothesis_ids);
    at_ids_free(&s->reference_ids);
    free(s->words);
    at_ngrams_free(&s->ngrams);
}

/* An empty table for the tokens of `bytes` bytes of text, at a load of at most one half. */
static at_status words_reset(segment *s, size_t bytes, at_error *err)
{
    size_t cap = 64;
    while (cap < bytes + 2) cap *= 2; /* two tokens share a space, so they are at most half as many as bytes */
    if (cap > s->word_cap) {
        free(s->words);
        s->words = malloc(cap * sizeof *s->words);
        s->word_cap = s->words != NULL ? cap : 0;
        if (s->words == NULL) return at_fail_memory(err, cap * sizeof *s->words);
    }
    memset(s->words, 0, cap * sizeof *s->words);
    s->word_mask = cap - 1;
    s->word_count = 0;
    return ATT_OK;
}

static int32_t word_id(segment *s, const char *text, size_t len)
{
    size_t at = (size_t)XXH3_64bits(text, len) & s->word_mask;
    while (s->words[at].text != NULL) {
        if (s->words[at].len == len && memcmp(s->words[at].text, text, len) == 0) return s->words[at].id;
        at = (at + 1) & s->word_mask;
    }
    s->words[at] = (word){text, len, s->word_count};
    return s->word_count++;
}

/* Numbers the tokens that white space parts. */
static at_status number_tokens(segment *s, const at_buf *text, at_ids *ids, at_error *err)
{
    size_t start = 0; /* of the token under way */
    ids->len = 0;
    for (size_t at = 0; at < text->len;) {
        uint32_t code;
        const size_t count = at_utf8_next(text->data + at, text->len - at, &code);
        const bool space = at_utf8_is_space(code);
        if (space && at > start) ATT_TRY(at_ids_push(ids, word_id(s, text->data + start, at - start), err));
        at += count;
        if (space) start = at;
    }
    if (text->len > start) ATT_TRY(at_ids_push(ids, word_id(s, text->data + start, text->len - start), err));
    return ATT_OK;
}

static at_status tokenize(segment *s, at_text line, at_bleu_tokenize kind, bool lowercase, at_buf *out, at_error *err)
{
    if (lowercase) {
        at_buf_clear(&s->lowered);
        ATT_TRY(at_lowercase(line.data, line.len, &s->lowered, err));
        line = (at_text){s->lowered.data, s->lowered.len};
    }
    return at_bleu_tokenize_line(line, kind, out, &s->spare, err);
}

static at_status add_segment(segment *s, sums *sum, at_error *err)
{
    ATT_TRY(words_reset(s, s->hypothesis.len + s->reference.len, err));
    ATT_TRY(number_tokens(s, &s->hypothesis, &s->hypothesis_ids, err));
    ATT_TRY(number_tokens(s, &s->reference, &s->reference_ids, err));
    sum->hypothesis_length += (int64_t)s->hypothesis_ids.len;
    sum->reference_length += (int64_t)s->reference_ids.len;
    for (int n = 1; n <= ORDERS; n++) sum->totals[n - 1] += at_ngram_count(s->hypothesis_ids.len, n);
    return at_ngrams_match(&s->ngrams, &s->hypothesis_ids, &s->reference_ids, ORDERS, sum->matches, err);
}

/* BP = exp(1 - r / c) where the hypothesis is shorter, c < r */
static double brevity_penalty(const sums *sum)
{
    if (sum->hypothesis_length >= sum->reference_length) return 1.0;
    if (sum->hypothesis_length == 0) return 0.0;
    return exp(1.0 - (double)sum->reference_length / (double)sum->hypothesis_length);
}

/* BLEU = BP * exp(1/4 sum_n log p_n), 0 when nothing matches or when no hypothesis is long enough for an order. */
static void finish(const sums *sum, at_bleu *out)
{
    *out = (at_bleu){.brevity_penalty = brevity_penalty(sum),
                     .hypothesis_length = sum->hypothesis_length,
                     .reference_length = sum->reference_length};
    if (sum->matches[0] == 0) return; /* a longer match would hold a match of one */
    double log_sum = 0.0, smooth = 1.0;
    for (int n = 0; n < ORDERS; n++) {
        if (sum->totals[n] == 0) return;
        if (sum->matches[n] == 0) smooth *= 2.0;
        const double matches = sum->matches[n] == 0 ? 1.0 / smooth : (double)sum->matches[n];
        out->precisions[n] = 100.0 * matches / (double)sum->totals[n];
        log_sum += log(out->precisions[n]);
    }
    out->score = out->brevity_penalty * exp(log_sum / ORDERS);
}

at_status at_bleu_corpus(const at_text *hypotheses, const at_text *references, size_t count, at_bleu_tokenize kind,
                         bool lowercase, at_bleu *out, at_error *err)
{
    segment s = {0};
    sums sum = {0};
    at_status status = ATT_OK;
    for (size_t i = 0; i < count && status == ATT_OK; i++) {
        status = tokenize(&s, hypotheses[i], kind, lowercase, &s.hypothesis, err);
        if (status == ATT_OK) status = tokenize(&s, references[i], kind, lowercase, &s.reference, err);
        if (status == ATT_OK) status = add_segment(&s, &sum, err);
    }
    segment_free(&s);
    if (status == ATT_OK) finish(&sum, out);
    return status;
}
