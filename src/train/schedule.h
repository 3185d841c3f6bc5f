/* Learning rate by step. */
#ifndef ATT_TRAIN_SCHEDULE_H
#define ATT_TRAIN_SCHEDULE_H

#include "train/train_options.h"

/* The rate of update `step` (from 1): a straight rise over `warmup` updates, then the schedule. Inverse square root:
 * Vaswani et al. 2017, section 5.3, with its peak given as learning_rate; cosine: Loshchilov and Hutter 2017 without
 * restarts; exponential: learning_rate gamma^(step - warmup). */
double at_schedule_rate(const at_train_options *options, int64_t step);

#endif
