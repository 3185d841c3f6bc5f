/* The Transformer once more, forward only and in double precision, from its parameters' names and the operations of
 * reference.h. Shares with src/model its configuration and the order in which operations draw dropout masks. */
#ifndef ATT_TESTS_REFERENCE_TRANSFORMER_H
#define ATT_TESTS_REFERENCE_TRANSFORMER_H

#include "model/transformer.h"

typedef struct ref_transformer {
    const at_transformer_config *config;
    const at_params *params;
    double **value; /* of each tensor, in the order of params */
    bool training;  /* dropout */
    uint64_t rng, draws;
    at_arena arena; /* of one evaluation */
} ref_transformer;

/* Copies the parameters of a model. */
ref_transformer *ref_transformer_new(const at_model *model);
void ref_transformer_free(ref_transformer *r);
/* Sum of the losses of a batch; logits (N,V), which stay until the next call, and nll may be NULL. */
double ref_transformer_loss(ref_transformer *r, const at_pair_batch *batch, double smoothing, double *nll,
                            double **logits);

#endif
