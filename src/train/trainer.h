/* The training loop: updates, validation, checkpoints, early stopping, the mean of the last models.
 *
 *   run/recipe.yaml          the effective options
 *   run/train.jsonl          one JSON object a line, see log.h
 *   run/last.safetensors     checkpoint: continue from here
 *   run/best.safetensors     the model to use: lowest validation loss, or the mean of the last ones when that is better
 *   run/model-<step>.safetensors   models of the last validations (options keep, average)
 *   run/average.safetensors  their mean, at the end (option average)
 *
 * Each file is written whole or not at all; a run killed at any instant continues from last.safetensors and ends in the same
 * bytes. */
#ifndef ATT_TRAIN_TRAINER_H
#define ATT_TRAIN_TRAINER_H

#include "data/batcher.h"
#include "infer/bundle.h"
#include "train/checkpoint.h"
#include "train/train_log.h"
#include "train/train_options.h"

typedef enum at_train_event {
    ATT_TRAIN_STARTED,    /* what was read and built; continued tells whether a checkpoint was found */
    ATT_TRAIN_STEP,       /* after every update: for a live line */
    ATT_TRAIN_LOGGED,     /* every log-every updates: means since the last */
    ATT_TRAIN_SKIPPED,    /* an update was skipped: text names the lines */
    ATT_TRAIN_VALIDATED,  /* validation loss; improved tells whether best.safetensors is new */
    ATT_TRAIN_SHOWN,      /* text: a sentence of `show` and its translation now, separated by '\t' */
    ATT_TRAIN_SAVED,      /* text: path of the file */
    ATT_TRAIN_FINISHED    /* text: why training ended */
} at_train_event;

typedef struct at_train_state {
    at_train_event event;
    int64_t step, steps, epoch, parameters, pairs, skipped;
    double loss, nll, rate, norm, tokens_per_s, seconds_left, seconds;
    bool continued, improved;
    const char *text; /* may be NULL */
} at_train_state;

typedef struct at_train_hooks {
    void (*report)(void *user, const at_train_state *state); /* may be NULL */
    void *user;
    const volatile int *cancel; /* raised by the caller: save, and return ATT_CANCELLED; may be NULL */
} at_train_hooks;

/* What the loop works on; made by run.c. */
typedef struct at_trainer {
    const at_train_options *options;
    const at_train_hooks *hooks;
    at_bundle *bundle;
    at_progress progress;
    at_batcher *train, *valid; /* valid NULL: no validation */
    at_train_log *log;
    int64_t pairs;
    double seconds_before; /* of training, before this continuation */
    bool continued;
} at_trainer;

at_status at_trainer_run(at_trainer *trainer, at_error *err);

#endif
