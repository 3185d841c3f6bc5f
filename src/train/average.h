/* The mean of the weights of several models of one kind: the last ones of a run (Vaswani et al. 2017, section 6.1), or
 * any that the user names. */
#ifndef ATT_TRAIN_AVERAGE_H
#define ATT_TRAIN_AVERAGE_H

#include "infer/bundle.h"

/* Assigns the mean of the weights of the model files to `weights` (layout of the bundle's params, host). ATT_INPUT: a
 * model differs from the bundle's in architecture, option, special token or vocabulary. */
at_status at_average_models(const at_bundle *bundle, const char *const *paths, int count, float *weights,
                            at_error *err);

#endif
