/* Decoding: greedy and beam search over packed batches of sentences.
 *
 * Beam search keeps `beam` live hypotheses a sentence; a finished one is scored log P / lp(length), lp of Wu et al. 2016 (GNMT),
 * equation 14: ((5 + length) / 6)^alpha, length counting the end token. All live hypotheses of all sentences of a batch advance
 * in one step; a finished sentence leaves the batch. Results depend neither on the batch nor on threads: products, attention and
 * selection are per row. Read next: beam.h, which says when a hypothesis ends and when a sentence is done. */
#ifndef ATT_INFER_SEARCH_H
#define ATT_INFER_SEARCH_H

#include "base/buf.h"
#include "infer/bundle.h"

typedef enum at_length_penalty {
    ATT_PENALTY_GNMT,  /* log P / ((5 + length) / 6)^alpha */
    ATT_PENALTY_POWER  /* log P / length^alpha (OpenNMT, Marian, Hugging Face); the forced last token counts */
} at_length_penalty;

typedef struct at_search_options {
    int64_t beam;      /* 1: greedy */
    double alpha;      /* exponent of the length penalty; 0: none */
    int penalty;       /* at_length_penalty */
    double max_ratio;  /* at most max_ratio * source tokens + max_extra tokens, end tokens counted on both sides */
    int64_t max_extra; /* ratio and extra both 0: no such limit */
    int64_t max_length; /* and never more than this; 0: no such limit. One of the two limits is needed */
    int64_t no_repeat;  /* no n-gram of this length occurs twice in an output; 0: off */
    bool early_stop; /* a sentence is done once `beam` hypotheses have ended, as Hugging Face's early_stopping=True; false: once
                        no live hypothesis can win any more */
    const volatile int *cancel; /* raised by the caller to stop: ATT_CANCELLED; may be NULL */
} at_search_options;

typedef struct at_hypothesis {
    int32_t *ids; /* without start and end token; malloc'ed */
    int64_t count;
    double log_prob; /* sum over tokens, the end token's included */
    double score;    /* after the length penalty */
    bool truncated;  /* the limit cut it: no end token was chosen */
    bool looped;     /* its tail repeats: see at_tail_loops */
} at_hypothesis;

/* Decodes `source` (end token included in each sequence, so none is empty) and fills best[B], which the caller frees one by one;
 * on failure nothing is left to free. Contexts of its own are used; backend and parameters are the model's.
 * ATT_OPTION: a wrong option. ATT_INPUT: a sequence longer than the model's positions, or a model that computes NaN.
 * ATT_CANCELLED, ATT_MEMORY (the backend may be used again, with a smaller batch). */
at_status at_search(const at_bundle *bundle, const at_packed *source, const at_search_options *options, at_hypothesis *best, at_error *err);
void at_hypothesis_free(at_hypothesis *hypothesis); /* empties it; freeing twice is fine */

/* Whether the ids end in a loop: an n-gram (n 1..8) repeated so often that it fills at least 3 periods and 8 tokens. */
bool at_tail_loops(const int32_t *ids, int64_t count);

#endif
