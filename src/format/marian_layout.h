/* What import_marian.c and export_marian.c share: the layout of Hugging Face's MarianMT and of Pegasus, which is the
 * same but for the norm's place. Both keep their sinusoids as a table, so any kind can be stored.
 *
 *   attend's                        theirs
 *   embedding                       model.shared.weight
 *   encoder.0.attention.qkv         model.encoder.layers.0.self_attn.{q,k,v}_proj
 *   encoder.0.attention.out, .norm  model.encoder.layers.0.self_attn.out_proj, self_attn_layer_norm
 *   decoder.0.cross.q, .kv          model.decoder.layers.0.encoder_attn.q_proj, {k,v}_proj
 *   ..0.ffn.in, .out, .norm         ..layers.0.fc1, fc2, final_layer_norm
 *   encoder.norm                    model.encoder.layer_norm                 Pegasus only
 *   output.bias                     final_logits_bias (1,V)
 *
 * https://huggingface.co/docs/transformers/model_doc/marian, .../pegasus. */
#ifndef ATT_FORMAT_MARIAN_LAYOUT_H
#define ATT_FORMAT_MARIAN_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct at_marian_layout {
    const char *program;      /* for messages: "MarianMT" */
    const char *model_type;   /* of config.json */
    const char *architecture; /* transformers' class */
    bool pre_norm;
    bool two_vocabularies; /* source and target may have one each */
    /* The decoder starts from a zero vector, and padding is the last piece: CTranslate2 takes both for granted. What
     * the start token adds is stored in row 0 of the decoder's positions, where no other token can stand. */
    bool zero_start;
} at_marian_layout;

/* NULL when there is none for that model_type; at_marian_layout_for finds the one by the norm's place. */
const at_marian_layout *at_marian_layout_find(const char *model_type);
const at_marian_layout *at_marian_layout_for(bool pre_norm);

/* A row of a layer: up to three of their linear layers become one of attend's; without `parts` it is a norm. */
typedef struct at_marian_row {
    const char *name;
    int parts;
    const char *from[3];
} at_marian_row;

/* Rows of self-attention, cross-attention, feed-forward; each table is ended by a row with name NULL. */
extern const at_marian_row at_marian_self[], at_marian_cross[], at_marian_ffn[];

/* {attend's, theirs} and for rates {attend's, theirs, default}; ended by NULL. The first row of a name is the one to
 * write. */
extern const char *const at_marian_activations[][2], *const at_marian_dropouts[][3];

/* Names of attend's sinusoids, NULL-terminated; theirs comes first. */
extern const char *const at_marian_positions[];
/* The sinusoid of position p in column 0 .. width - 1; kind: index into at_marian_positions. See nn/positions.h. */
float at_marian_sinusoid(int kind, int64_t p, int64_t column, int64_t width);

#endif
