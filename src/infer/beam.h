/* The books of greedy and beam search: which hypotheses live, what tokens they consist of, which have ended and how
 * they score. It knows ids and log-probabilities and no model, so that it can be tested without one.
 *
 * One step of a sentence, with `beam` rows at most:
 *
 *   live rows x their best ids   -> the 2 beam best continuations of all rows, ranked by log P
 *   rank < beam, end token       -> ended: scored, remembered when it is the best so far
 *   any rank, other token        -> live, the first `beam` of them
 *
 * so that ended hypotheses don't narrow the beam (the candidate handling of tensor2tensor, fairseq and Hugging Face).
 * Equal candidates are ranked by row, then by id.
 *
 * At a sentence's limit the first `beam` continuations are cut, and compete with the ended ones; with final_eos the end
 * token is forced there, which adds 0 to log P. One that repeats itself when cut (at_tail_loops) wins only where
 * nothing ended.
 *
 * A sentence is done when no live hypothesis can beat its n_best ended ones any more: log P only falls and the coverage
 * penalty is never positive, so log P / lp(limit) bounds what a live one may reach, and those below are dropped. With
 * early_stop it is done, too, once `beam` hypotheses have ended, none is dropped alone and a cut one may win though it
 * repeats itself: Hugging Face's early_stopping=True, score for score. A beam of one stops at the first end token,
 * which makes it greedy search; fed with one drawn id a row it keeps the books of sampling.
 *
 * Coverage (Wu et al. 2016, equation 14): each hypothesis carries how much attention each source position has had, and
 * an ended or cut one is scored log P / lp + beta sum_i log(min(coverage_i, 1)), the step of its end token counted.
 *
 * A forced prefix makes its tokens the only continuations of the first steps, whatever they score.
 *
 * Slots: sentence s owns slots s beam .. (s + 1) beam - 1 of the cache. The first continuation of a row takes its slot
 * over, the others get copies in slots that fell free. */
#ifndef ATT_INFER_BEAM_H
#define ATT_INFER_BEAM_H

#include "infer/search.h"

typedef struct at_beam at_beam;

typedef struct at_beam_rules {
    int64_t beam;
    double alpha;
    int penalty; /* at_length_penalty */
    bool early_stop;
    int64_t no_repeat; /* see at_search_options */
    at_stored_tokens tokens;
    int64_t n_best; /* hypotheses kept a sentence, 1 .. beam */
    int64_t min_length;
    double coverage; /* beta; 0: no attention is read */
} at_beam_rules;

typedef struct at_beam_sentence {
    int64_t limit;         /* in tokens, end token counted; more than the prefix has */
    const int32_t *prefix; /* copied */
    int64_t prefix_count;
    int64_t source; /* tokens, for coverage; else not read */
} at_beam_sentence;

typedef struct at_beam_copy { /* of a cache's slot, first `length` rows */
    int64_t to, from, length;
} at_beam_copy;

/* What the next step computes. Arrays are the beam's, until it advances. */
typedef struct at_beam_step {
    int64_t n;                  /* live hypotheses; 0: all sentences are done */
    const int64_t *slot;        /* n */
    const int64_t *length;      /* n tokens in the cache */
    const int64_t *source_of;   /* n sentences, ascending */
    const int32_t *ids;         /* n tokens to feed */
    const at_beam_copy *copies; /* to make before the step */
    int64_t copy_count;
    int64_t wanted;        /* best ids a row that at_beam_advance needs; fewer where the vocabulary is smaller */
    const int32_t *forced; /* n ids, of which -1 forces nothing; NULL: no sentence has a prefix */
} at_beam_step;

/* log P of `length` tokens (end token counted) divided by the length penalty. */
double at_beam_score(const at_beam_rules *rules, double log_prob, int64_t length);

at_status at_beam_new(at_beam **beam, const at_beam_rules *rules, const at_beam_sentence *sentences, int64_t count,
                      at_error *err);
void at_beam_free(at_beam *beam); /* NULL is fine */
at_beam_step at_beam_next(const at_beam *beam);
/* Whether the rules forbid `id` as the next token of a row: padding, a repeated n-gram, an end token too early; where a
 * token is forced, any other. */
bool at_beam_bans(const at_beam *beam, int64_t row, int32_t id);
/* ids, log_probs (n, k): the k best continuations of each row, best first; id -1 where there is none. Where a token is
 * forced, it is the only one. attention: with coverage, (n, S) weights of this step, S the most source tokens of a
 * sentence; else NULL. ATT_INPUT when a sentence has no continuation at all. After a failure the beam may only be
 * freed. */
at_status at_beam_advance(at_beam *beam, const int32_t *ids, const float *log_probs, int64_t k, const float *attention,
                          at_error *err);
/* The n_best best hypotheses of a sentence that is done, best first, with the log-probabilities of their tokens where
 * wanted; the caller frees them. Where there are fewer, the rest has ids NULL. */
at_status at_beam_best(const at_beam *beam, int64_t sentence, bool token_scores, at_hypothesis *best, at_error *err);

#endif
