/* Checkpoint: a model file plus what the optimizer keeps and the position of the run. Continuing from it gives the
 * bytes that the uninterrupted run would have given. What the optimizer keeps are flat tensors with the layout of the
 * parameter block (tape/params.h), one write each:
 *
 *   adam.moment1, adam.moment2         Adam and AdamW
 *   rmsprop.moment2, rmsprop.moment1   RMSProp; the latter with momentum
 *   sgd.moment1                        SGD with momentum
 *   average.weights                    the moving average of the weights (option ema)
 *
 * The position is the metadata entry attend.progress, a JSON object with the fields below and a version; reals are
 * written with 17 digits, so that they read back to the same value. Random numbers and the order of data are functions
 * of (seed, step, epoch) and need no state. */
#ifndef ATT_TRAIN_CHECKPOINT_H
#define ATT_TRAIN_CHECKPOINT_H

#include "infer/bundle.h"

typedef struct at_progress {
    int64_t step;      /* updates done, skipped ones included */
    int64_t adam_step; /* updates applied, whatever the optimizer */
    int64_t epoch;     /* from 0 */
    int64_t batch;     /* batches of this epoch that are done */
    int64_t parts;     /* into which each batch is cut (option memory); 1 where the file has none */
    int64_t skipped;   /* updates skipped for a non-finite loss or gradient */
    int64_t skipped_in_a_row;
    int64_t validations, bad_validations; /* bad: since the best one */
    double best_loss;                     /* of the best validation; only when validations > 0 */
    double best_bleu, best_chrf;          /* of the same; 0 where nothing was translated */
    int64_t best_step;
    int64_t validated_step; /* when the last validation, or saving in its place, was done */
    int64_t due;            /* 1: the validation of this step was cut off and comes first when the run goes on */
    /* sums since the last log line */
    double loss, nll, norm;
    int64_t tokens, updates;
    int64_t text; /* hash of the training and validation text as tokens: another text would not continue this run */
    bool finished;
} at_progress;

at_status at_checkpoint_save(const at_bundle *bundle, const at_progress *progress, at_optimizer optimizer,
                             const char *path, at_error *err);
/* Opens a bundle for training with the position, and those blocks beside the weights that the file has. */
at_status at_checkpoint_open(at_bundle *bundle, at_progress *progress, const char *path, at_backend *be, at_error *err);

#endif
