/* A model: an architecture, its configuration and its parameters. An architecture is one file that fills an at_arch; the registry
 * (registry.c) names them all. Models know sizes, never text. To add one: docs/adding-a-model.md. */
#ifndef ATT_MODEL_MODEL_H
#define ATT_MODEL_MODEL_H

#include "base/option.h"
#include "nn/cache.h"
#include "op/op.h"
#include "tape/batch.h"
#include "tape/params.h"

typedef struct at_model at_model;

/* Where attention weights go when a picture asks for them: one matrix a layer, see at_attention_args. NULL members: not wanted. */
typedef struct at_attention_map {
    float **encoder_self, **decoder_self, **cross; /* [layer], each sequences x heads x queries x keys */
    const int64_t *encoder_offset, *decoder_offset, *cross_offset; /* where each sequence starts */
} at_attention_map;

/* What steps of decoding carry on from the encoder: memory's keys and values, in the memory of the context given to remember(); the
 * encoder's states aren't read again. */
typedef struct at_memory {
    at_tensor **kv;        /* [layer], (M, 2 H K) */
    const int64_t *offset; /* B + 1: the source rows of each sentence */
} at_memory;

/* encode and remember are NULL in an architecture without encoder: it reads the targets of a batch alone, and states, source
 * and memory are NULL in its other functions. */
typedef struct at_arch {
    const char *name;
    const char *summary;
    const at_option *options; /* of the configuration; also its JSON form */
    size_t config_size;
    /* Checks the configuration beyond single ranges, and declares layers and parameters; called once, before params are allocated. */
    at_status (*build)(at_model *model, at_error *err);
    /* Loss over a batch; with ctx->recording the tape is left ready for at_backward(). */
    at_loss (*loss)(at_ctx *ctx, const at_model *model, const at_pair_batch *batch, float smoothing, float grad_scale);
    /* Encoder states (M,D). map may be NULL. */
    at_tensor *(*encode)(at_ctx *ctx, const at_model *model, const at_packed *source, const at_attention_map *map);
    /* Logits (N,V) of all target positions given the encoder's states: for scoring, checks and pictures. */
    at_tensor *(*decode)(at_ctx *ctx, const at_model *model, at_tensor *states, const at_packed *source,
                         const at_packed *target_in, const at_attention_map *map);
    /* Decoding step by step: the memory of encoded sources, an empty cache, one step. */
    at_memory *(*remember)(at_ctx *ctx, const at_model *model, at_tensor *states, const at_packed *source);
    at_status (*cache_new)(at_cache **cache, const at_model *model, int64_t slots, int64_t capacity, at_error *err);
    /* Logits (n,V) after feeding ids[i] to hypothesis i, which reads sentence source_of[i] of the memory. */
    at_tensor *(*step)(at_ctx *ctx, const at_model *model, const at_memory *memory, at_cache *cache,
                       const at_cache_step *step, const int32_t *ids, const int64_t *source_of);
    /* Tokens of the longest sequence that the model can read or write; 0 or a NULL function: no limit. */
    int64_t (*max_tokens)(const at_model *model);
    /* Layers and heads for pictures. */
    void (*shape)(const at_model *model, int64_t *encoder_layers, int64_t *decoder_layers, int64_t *heads);
    /* Sizes of the vocabularies that ids index, and setting them before build(). shared: one tokenizer serves both sides. */
    void (*vocab)(const at_model *model, int64_t *source, int64_t *target);
    void (*set_vocab)(at_model *model, int64_t source, int64_t target, bool shared);
} at_arch;

struct at_model {
    const at_arch *arch;
    void *config; /* config_size bytes, described by arch->options */
    void *layers; /* the architecture's own, in params.arena */
    at_params params;
};

/* NULL when there is no architecture of that name; at_arch_at() lists them, NULL past the end. */
const at_arch *at_arch_find(const char *name);
const at_arch *at_arch_at(int index);

/* A model with a default configuration; set fields of model->config, then at_model_build(). */
at_status at_model_new(at_model **model, const at_arch *arch, at_backend *be, at_error *err);
at_status at_model_build(at_model *model, bool training, at_error *err);
void at_model_free(at_model *model); /* NULL is fine */

#endif
