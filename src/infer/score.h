/* The log-probability of given pairs of lines: the target is forced through the model's full forward pass. Results
 * depend neither on the batch nor on threads. */
#ifndef ATT_INFER_SCORE_H
#define ATT_INFER_SCORE_H

#include <attend/attend.h> /* at_line, at_scored */

#include "infer/bundle.h"

/* With several models that agree (at_bundles_agree) the mean of their log-probabilities, scaled to sum 1. The rest as
 * at_score() of attend/attend.h. */
at_status at_score_lines(const at_bundle *const *models, int64_t model_count, const at_line *sources,
                         const at_line *targets, int64_t count, const at_score_args *args, at_scored_fn *each,
                         void *arg, at_error *err);

#endif
