/* Drawing the next token: temperature, top-k (Fan et al. 2018), top-p (nucleus, Holtzman et al. 2020), in this order.
 *
 *   allowed ids  ->  p^(1/temperature)  ->  the k most probable  ->  the fewest of these whose share reaches p  ->  a
 * draw
 *
 * A draw is a function of (key, step) alone: base/rng.h. Equal probabilities rank by ascending id. */
#ifndef ATT_INFER_SAMPLE_H
#define ATT_INFER_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

typedef struct at_sampling {
    double temperature; /* over 0; 1: the model's own probabilities */
    int64_t top_k;      /* 0: all */
    double top_p;       /* 0 .. 1; 1 (or 0): all */
} at_sampling;

typedef struct at_sampler at_sampler;

/* vocab: ids of a row. */
at_status at_sampler_new(at_sampler **sampler, const at_sampling *sampling, int64_t vocab, at_error *err);
void at_sampler_free(at_sampler *sampler); /* NULL is fine */
/* Draws from log-probabilities (V), of which -inf is never drawn; -1 where none is left or one is NaN. */
int32_t at_sample(at_sampler *sampler, const float *log_probs, uint64_t key, int64_t step);

#endif
