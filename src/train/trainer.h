/* The training loop: updates, validation, checkpoints, early stopping, the mean of the last models.
 *
 *   run/recipe.yaml          the effective options
 *   run/train.jsonl          one JSON object a line, see train_log.h
 *   run/last.safetensors     checkpoint: continue from here
 *   run/best.safetensors     the model to use: the best validation (option best-metric), or the mean of the last ones when
 *                            that is better
 *   run/model-<number>.safetensors   models of the last validations, numbered from 1 (options keep, average)
 *   run/average.safetensors  their mean, at the end (option average)
 *
 * With an average of the weights (option ema) all model files hold it; the checkpoint holds both.
 *
 * Each file is written whole or not at all; a run killed at any instant continues from last.safetensors and ends in the
 * same bytes. */
#ifndef ATT_TRAIN_TRAINER_H
#define ATT_TRAIN_TRAINER_H

#include <attend/train.h>

#include "data/batcher.h"
#include "infer/bundle.h"
#include "train/checkpoint.h"
#include "train/train_log.h"
#include "train/train_options.h"
#include "train/valid_text.h"

/* What the loop works on; made by run.c. */
typedef struct at_trainer {
    const at_train_options *options;
    const at_training_hooks *hooks; /* never NULL; its members may be */
    at_bundle *bundle;
    at_progress progress;
    at_batcher *train, *valid;       /* valid NULL: no validation */
    const at_valid_text *valid_text; /* to translate at each validation; NULL: none */
    at_train_log *log;
    int64_t pairs, tokens; /* of the training text: sentence pairs, or of a language model tokens; the other is 0 */
    double seconds_before; /* of training, before this continuation */
    bool continued;
} at_trainer;

at_status at_trainer_run(at_trainer *trainer, at_error *err);
/* The same with `be`, the model's, a profile backend: reports ATT_TRAINING_PROFILED at the end. */
at_status at_trainer_run_profiled(at_trainer *trainer, at_backend *be, at_error *err);

#endif
