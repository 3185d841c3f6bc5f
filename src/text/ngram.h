/* Counting the n-grams that sequences share, order by order, in linear time and without hashing n-grams to
 * numbers that could collide. Used by BLEU, ROUGE and F1 over words and by chrF over characters. */
#ifndef ATT_TEXT_NGRAM_H
#define ATT_TEXT_NGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

typedef struct at_ngram_slot at_ngram_slot;

/* Room to work in, kept between segments; {0} is empty. */
typedef struct at_ngrams {
    at_ngram_slot *slots;
    size_t cap; /* a power of two */
    int32_t *hypothesis_names, *reference_names;
    size_t hypothesis_cap, reference_cap;
} at_ngrams;

void at_ngrams_free(at_ngrams *ngrams);

/* Adds to matches[n - 1] the matches of order n = 1 .. orders: every n-gram counts as often as it occurs in both
 * (clipped counts; Papineni et al. 2002, section 2.1.1), in the reference that has it most often. Units are any
 * non-negative numbers. */
at_status at_ngrams_match(at_ngrams *ngrams, const at_ids *hypothesis, const at_ids *references, size_t reference_count,
                          int orders, int64_t *matches, at_error *err);

/* Number of n-grams of one order in a sequence. */
static inline int64_t at_ngram_count(size_t len, int order)
{
    return len >= (size_t)order ? (int64_t)len - order + 1 : 0;
}

#endif
