/* Layers: parameters by name, and the ops they are made of. A layer is a small struct of tensors; *_add declares them in a
 * model's at_params, *_run computes. Nothing here knows a gradient. */
#ifndef ATT_NN_LAYERS_H
#define ATT_NN_LAYERS_H

#include "nn/cache.h"
#include "op/op.h"
#include "tape/params.h"

typedef struct at_linear_layer {
    at_tensor *w, *b; /* (in, out), (out) */
} at_linear_layer;

/* "<name>.weight" from init, "<name>.bias" zero. */
at_linear_layer at_linear_layer_add(at_params *params, const char *name, int64_t in, int64_t out, at_init init);
at_tensor *at_linear_layer_run(at_ctx *ctx, const at_linear_layer *layer, at_tensor *x, at_act act);

typedef struct at_norm_layer {
    at_tensor *gamma, *beta; /* (D) */
} at_norm_layer;

/* "<name>.weight" one, "<name>.bias" zero. */
at_norm_layer at_norm_layer_add(at_params *params, const char *name, int64_t width);
at_tensor *at_norm_layer_run(at_ctx *ctx, const at_norm_layer *layer, at_tensor *x);

/* Multi-head attention between projections: out(attention(q(x), k(m), v(m))). Queries, keys and values of self-attention are one
 * product (qkv), keys and values of cross-attention another (kv). */
typedef struct at_attention_layer {
    at_linear_layer qkv; /* self: (D, 3 H K); cross: queries only (D, H K) */
    at_linear_layer kv;  /* cross: (D, 2 H K); self: empty */
    at_linear_layer out; /* (H K, D) */
    int64_t heads, head_width;
    float dropout; /* of the weights */
    bool causal;
} at_attention_layer;

at_attention_layer at_attention_layer_add(at_params *params, const char *name, int64_t width, int64_t heads,
                                          int64_t head_width, bool cross, bool causal, float dropout);

/* Where a picture wants the weights: see at_attention_args. NULL otherwise. */
typedef struct at_weights_request {
    float *weights;
    const int64_t *offset;
} at_weights_request;

at_tensor *at_self_attention_run(at_ctx *ctx, const at_attention_layer *layer, at_tensor *x, const at_packed *sequences,
                                 const at_weights_request *request);
/* Keys and values (M, 2 H K) of the memory, once for all steps of decoding. */
at_tensor *at_cross_attention_keys(at_ctx *ctx, const at_attention_layer *layer, at_tensor *memory);
at_tensor *at_cross_attention_run(at_ctx *ctx, const at_attention_layer *layer, at_tensor *x, at_spans queries,
                                  at_tensor *kv, at_spans keys, int64_t count, const at_weights_request *request);
/* One new token of each of n hypotheses: its key and value are appended to the cache, then it attends to all of its own. */
at_tensor *at_cached_attention_run(at_ctx *ctx, const at_attention_layer *layer, at_tensor *x,
                                   const at_cache_step *step, float *cache);

/* Feed-forward: out(dropout(act(in(x)))), gated: out(dropout(swish(gate(x)) * value(x))). */
typedef struct at_ffn_layer {
    at_linear_layer in;  /* (D, F), gated (D, 2F) */
    at_linear_layer out; /* (F, D) */
    at_act act;
    bool gated;
    float dropout;
} at_ffn_layer;

at_ffn_layer at_ffn_layer_add(at_params *params, const char *name, int64_t width, int64_t ffn, at_act act, bool gated,
                              float dropout);
at_tensor *at_ffn_layer_run(at_ctx *ctx, const at_ffn_layer *layer, at_tensor *x);

#endif
