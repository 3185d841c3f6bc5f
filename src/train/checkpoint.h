/* Checkpoint: a model file plus optimizer moments and the position of the run. Continuing from it gives the bytes that the
 * uninterrupted run would have given.
 *
 * The position is the metadata entry attend.progress, a JSON object with the fields below; reals are written with 17 digits, so that they read
 * back to the same value. Random numbers and the order of data are functions of (seed, step, epoch) and need no state. */
#ifndef ATT_TRAIN_CHECKPOINT_H
#define ATT_TRAIN_CHECKPOINT_H

#include "infer/bundle.h"

typedef struct at_progress {
    int64_t step;  /* updates done, skipped ones included */
    int64_t adam_step; /* updates applied */
    int64_t epoch; /* from 0 */
    int64_t batch; /* batches of this epoch that are done */
    int64_t skipped;          /* updates skipped for a non-finite loss or gradient */
    int64_t skipped_in_a_row;
    int64_t validations, bad_validations; /* bad: since the best one */
    double best_loss;         /* validation; only when validations > 0 */
    int64_t best_step;
    /* sums since the last log line */
    double loss, nll, norm;
    int64_t tokens, updates;
    int64_t text; /* hash of the training and validation text as tokens: another text would not continue this run */
    bool finished;
} at_progress;

at_status at_checkpoint_save(const at_bundle *bundle, const at_progress *progress, const char *path, at_error *err);
/* Opens a bundle for training and reads moments and position. */
at_status at_checkpoint_open(at_bundle *bundle, at_progress *progress, const char *path, at_backend *be, at_error *err);

#endif
