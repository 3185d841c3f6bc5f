/* The encoder-decoder Transformer of "Attention Is All You Need" (Vaswani et al. 2017), with the variants that later work made
 * common: pre-norm, other activations and positions, untied tables. */
#ifndef ATT_MODEL_TRANSFORMER_H
#define ATT_MODEL_TRANSFORMER_H

#include "model/model.h"

typedef enum at_norm_place { ATT_NORM_POST, ATT_NORM_PRE } at_norm_place;

typedef struct at_transformer_config {
    int64_t source_vocab, target_vocab;
    int64_t encoder_layers, decoder_layers, width, heads, head_width, ffn;
    int norm;              /* at_norm_place */
    int positions;         /* at_positions */
    int activation;        /* at_act, or one past it for swiglu */
    int64_t max_positions; /* learned positions only */
    bool tie_embeddings, tie_output, scale_embedding, output_bias;
    double dropout_embedding, dropout, dropout_attention, dropout_ffn;
    bool residual, positions_every_layer;
} at_transformer_config;

extern const at_arch at_arch_transformer;

#endif
