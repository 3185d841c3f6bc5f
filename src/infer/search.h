/* Decoding: greedy search, beam search and sampling over packed batches of sentences, with one model or several.
 *
 * Beam search keeps `beam` live hypotheses a sentence; a finished one is scored
 *
 *   log P / lp(length) + cp       lp = ((5 + length) / 6)^alpha, length counting the end token
 *                                 cp = beta sum_i log(min(sum_j p_ij, 1))        (Wu et al. 2016, GNMT, equation 14)
 *
 * where p_ij is the weight of source token i (end token included) in the step that wrote token j, mean over the heads
 * of the last decoder layer, and over the models. Weights are asked for only when beta isn't 0. All live hypotheses of
 * all sentences of a batch advance in one step; a finished sentence leaves the batch.
 *
 * Several models: the next token's probability is the geometric mean of theirs, scaled to sum 1 (the mean of
 * log-probabilities, as Marian's).
 *
 * Results depend neither on the batch nor on threads: products, attention and selection are per row, and a draw is a
 * function of the sentence's key, the sample and the step. A language model has no source: input->source has as many
 * sequences as wanted, all empty, and max_length is the limit. Read next: beam.h, which says when a hypothesis ends and
 * when a sentence is done; sample.h; guard.h. */
#ifndef ATT_INFER_SEARCH_H
#define ATT_INFER_SEARCH_H

#include "base/buf.h"
#include "infer/bundle.h"
#include "infer/sample.h"

typedef enum at_length_penalty {
    ATT_PENALTY_GNMT, /* log P / ((5 + length) / 6)^alpha */
    ATT_PENALTY_POWER /* log P / length^alpha (OpenNMT, Marian, Hugging Face); the forced last token counts */
} at_length_penalty;

/* Told of the token that a live sequence goes on with: `index` in its output, forced ones too. A status other than
 * ATT_OK ends the search. */
typedef at_status at_chosen_fn(void *arg, int64_t sequence, int64_t index, int32_t id, at_error *err);

typedef struct at_search_options {
    int64_t beam;       /* 1: greedy */
    double alpha;       /* exponent of the length penalty; 0: none */
    int penalty;        /* at_length_penalty */
    double max_ratio;   /* at most max_ratio * source tokens + max_extra tokens, end tokens counted on both sides */
    int64_t max_extra;  /* ratio and extra both 0: no such limit */
    int64_t max_length; /* and never more than this; 0: no such limit. One of the two limits is needed */
    int64_t no_repeat;  /* no n-gram of this length occurs twice in an output; 0: off */
    bool early_stop;    /* a sentence is done once `beam` hypotheses have ended, as Hugging Face's early_stopping=True;
                           false: once    no live hypothesis can win any more */
    const volatile int *cancel; /* raised by the caller to stop: ATT_CANCELLED; may be NULL */
    double coverage;            /* beta of the coverage penalty; 0: none */
    int64_t min_length;         /* tokens before the end token may come */
    int64_t n_best;             /* hypotheses a sentence, at most beam; 0: one */
    bool token_scores;          /* fill token_log_probs */
    bool sample;                /* draw n_best outputs a sentence instead of searching; beam is not read */
    at_sampling sampling;
    at_chosen_fn *chosen; /* for a beam of one and for sampling, where a choice is final; an output's last token, after
                             which it isn't live, is not told. NULL: nobody listens */
    void *chosen_arg;
} at_search_options;

typedef struct at_hypothesis {
    int32_t *ids; /* without start and end token; malloc'ed */
    int64_t count;
    double log_prob;         /* sum over tokens, the end token's included */
    double score;            /* after the penalties */
    bool truncated;          /* the limit cut it: no end token was chosen */
    bool looped;             /* it repeats itself: see at_loops */
    bool unlooped, extended; /* a guard searched again: see guard.h */
    float *token_log_probs;  /* count + 1, the end token's last (0 where truncated); malloc'ed; NULL where not wanted */
} at_hypothesis;

/* Sentence b of each member belongs together. */
typedef struct at_search_input {
    at_packed source;        /* end token included in each sequence, so none is empty; but see above */
    const at_packed *prefix; /* tokens that the outputs begin with; they don't count against max_ratio. NULL: none */
    const uint64_t *key;     /* B keys of random numbers, for sampling */
} at_search_input;

/* Decodes with `count` models that agree (see at_bundles_agree) and fills best[B][n_best], best first (samples in the
 * order of drawing), which the caller frees one by one; where there are fewer hypotheses ids is NULL. On failure
 * nothing is left to free. Contexts of its own are used; backend and parameters are the models'. ATT_OPTION: a wrong
 * option. ATT_INPUT: a sequence longer than the model's positions, a prefix that leaves no room, or a model that
 * computes NaN. ATT_CANCELLED, ATT_MEMORY (the backend may be used again, with a smaller batch). */
at_status at_search_all(const at_bundle *const *models, int64_t count, const at_search_input *input,
                        const at_search_options *options, at_hypothesis *best, at_error *err);
/* The same with one model and nothing but sources. */
at_status at_search(const at_bundle *bundle, const at_packed *source, const at_search_options *options,
                    at_hypothesis *best, at_error *err);
void at_hypothesis_free(at_hypothesis *hypothesis); /* empties it; freeing twice is fine */

/* How often the n-gram, of any length, that is repeated most often stands in a row, among runs of at least `least` tokens; 0
 * where none stands three times. */
int64_t at_repetitions(const int32_t *ids, int64_t count, int64_t least);
/* Whether the ids hold a loop: an n-gram repeated so often that it fills at least 3 periods and 8 tokens; and whether they end in
 * one of n 1 .. 8. */
enum { ATT_LOOP_TAIL = 24 }; /* the last so many ids decide the latter */
bool at_loops(const int32_t *ids, int64_t count);
bool at_tail_loops(const int32_t *ids, int64_t count);

#endif
