/* Gradients and losses over several batches: the arithmetic of an update and of a validation. */
#ifndef ATT_TRAIN_ACCUMULATE_H
#define ATT_TRAIN_ACCUMULATE_H

#include "data/batcher.h"
#include "model/model.h"

/* One update's worth of batches, without optimizer: gradients of the mean loss over all their tokens are left in the parameters.
 * Batches first .. first + count - 1 of the started epoch; key: random numbers of the update. */
at_status at_accumulate(at_ctx *ctx, const at_model *model, at_batcher *batcher, int64_t first, int64_t count,
                        float smoothing, uint64_t key, at_loss *sum, at_error *err);

/* Sums over all of a batcher's batches, without dropout or gradients. */
at_status at_sum_loss(at_ctx *ctx, const at_model *model, at_batcher *batcher, float smoothing, at_loss *sum,
                      at_error *err);

#endif
