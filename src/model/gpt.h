/* The decoder-only language model: GPT-2's block (Radford et al. 2019, "Language Models are Unsupervised Multitask
 * Learners", section 2.3), with the sizes and rates as options. */
#ifndef ATT_MODEL_GPT_H
#define ATT_MODEL_GPT_H

#include "model/model.h"

typedef struct at_gpt_config {
    int64_t vocab, layers, width, heads, ffn;
    int64_t context; /* learned positions */
    int activation;  /* at_act */
    bool tie_output;
    double dropout_embedding, dropout, dropout_attention, dropout_ffn;
} at_gpt_config;

extern const at_arch at_arch_gpt;

#endif
