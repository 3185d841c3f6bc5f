/* An update of the weights, and of their average, by the run's options. */
#ifndef ATT_TRAIN_OPTIMIZER_H
#define ATT_TRAIN_OPTIMIZER_H

#include "tape/params.h"
#include "train/train_options.h"

/* The blocks that the options need beside the weights: at_params_state joined by |. */
unsigned at_optimizer_state(const at_train_options *options);

/* Starts the average, where there is one, at the weights as drawn. */
void at_optimizer_start(at_params *params);

/* Update number `step` of the run (for the rate) and `applied` of those that were not skipped, both from 1, with the
 * gradients in params, whose norm is `norm`. Weight decay is for matrices and embeddings only, never for biases and
 * norms: the rule of the published recipes (BERT, GPT-2, fairseq's and timm's default).
 *
 * The average is Marian's exponential smoothing: average = d average + (1 - d) weights after each update, d = min(ema,
 * (applied + 1) / (applied + 10)), so that the first updates, far from the goal, are soon forgotten. */
void at_optimizer_apply(const at_train_options *options, at_params *params, int64_t step, int64_t applied, double norm);

#endif
