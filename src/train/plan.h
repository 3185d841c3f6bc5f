/* What an update costs and how much memory a run takes, found out before the first update by running it on the null
 * backend: the same model code and the same batches, but bytes and FLOP are counted and nothing is computed.
 *
 *   base          what the process has already: program, text as tokens, tokenizers
 *   blocks        weights, gradients, moments, average
 *   phase         the largest of: an update, a validation, translating, the mean of the last models; a run gives the
 *                 memory of one back before the next begins (session.h)
 *   scratch       the CPU backend's own
 *
 * Read next: run.c, which makes what is planned. */
#ifndef ATT_TRAIN_PLAN_H
#define ATT_TRAIN_PLAN_H

#include "data/batcher.h"
#include "infer/bundle.h"
#include "train/train_options.h"
#include "train/valid_text.h"

typedef struct at_plan_input {
    const at_bundle *bundle; /* its model is built for training on a null backend */
    const at_corpus *train, *valid;
    const at_valid_text *valid_text; /* NULL: nothing is translated */
    const at_train_options *options;
    const at_resampling *resampling; /* of the training text; NULL: none */
    const volatile int *cancel;      /* raised by the caller to stop: ATT_CANCELLED; may be NULL */
} at_plan_input;

typedef struct at_plan {
    int64_t batches;      /* an epoch */
    double flop_per_step; /* of an update's products and attention, on average */
    int64_t base, blocks, update, validation, translation, average, scratch; /* bytes */
    int64_t peak; /* bytes that are resident at most, the process' past included */
} at_plan;

at_status at_plan_make(at_plan *plan, const at_plan_input *in, at_error *err);

/* Finds the fewest parts into which each batch must be cut so that the run takes at most `limit` bytes. What they cost
 * goes to *plan. ATT_OPTION: no number of parts is enough; the message says what would be. */
at_status at_plan_fit(int64_t *parts, at_plan *plan, const at_plan_input *in, int64_t limit, at_error *err);
/* The options with each batch cut into parts: an update's tokens stay the same, or of a language model its windows. */
at_train_options at_plan_cut(const at_train_options *options, int64_t parts);

/* A batcher as the options ask for it. sorted: for validation and planning. resampling: NULL: tokens as they are in the
 * corpus. */
at_status at_run_batcher(at_batcher **batcher, const at_bundle *bundle, const at_corpus *corpus,
                         const at_train_options *options, bool sorted, const at_resampling *resampling, at_error *err);

#endif
