/* The ops: coarse, eager, differentiable. Each checks shapes (a wrong one is a programmer's error: assert), makes a record and
 * hands it to at_apply(), which calls its forward, and the backend through it. Matrices are (N,D) rows of a packed batch. To add one: docs/adding-an-op.md. */
#ifndef ATT_OP_OP_H
#define ATT_OP_OP_H

#include "op/op_list.h"
#include "tape/batch.h"
#include "tape/tape.h"

#define ATT_DECLARE_OP(name)                                    \
    extern const at_op at_op_##name;                            \
    void at_##name##_fwd(at_ctx *ctx, const at_record *record); \
    void at_##name##_bwd(at_ctx *ctx, const at_record *record);
ATT_OPS(ATT_DECLARE_OP)

/* y = act(x W + b)        x (M,K)  W (K,N)  b (N) or NULL  ->  y (M,N) */
at_tensor *at_linear(at_ctx *ctx, at_tensor *x, at_tensor *w, at_tensor *b, at_act act);
/* y = x E^T + b           E (N,K), an embedding table tied to the output */
at_tensor *at_linear_tied(at_ctx *ctx, at_tensor *x, at_tensor *table, at_tensor *b);

typedef struct at_attention_spec {
    int64_t count; /* B sequences */
    at_spans query, key;
    int64_t heads, head_width;
    bool causal;
    float dropout;
    float *weights; /* host, or NULL; see at_attention_args */
    const int64_t *weight_offset;
} at_attention_spec;

/* Multi-head attention. Head h of the queries is columns q_column + h K .. of q; keys and values likewise in kv.
 * q (N,*), kv (M,*)  ->  (N, H K). q and kv may be the same tensor (self-attention). */
at_tensor *at_attention(at_ctx *ctx, at_tensor *q, int64_t q_column, at_tensor *kv, int64_t k_column, int64_t v_column,
                        const at_attention_spec *spec);

/* y = (x - mean) / sqrt(var + eps) * gamma + beta        x (N,D)  gamma, beta (D) */
at_tensor *at_layer_norm(at_ctx *ctx, at_tensor *x, at_tensor *gamma, at_tensor *beta, float eps);

/* y = residual + dropout(x); residual may be NULL. Without training or rate: residual + x, or x itself. Ends the life of x: y may
 * lie in its memory. */
at_tensor *at_dropout(at_ctx *ctx, at_tensor *residual, at_tensor *x, float rate);

/* y = swish(x[:, :F]) * x[:, F:]        x (N,2F)  ->  (N,F) */
at_tensor *at_swiglu(at_ctx *ctx, at_tensor *x);

/* y[i] = scale * table[ids[i]] + positions[position_of[i]]        table (V,D)  positions (P,D) or NULL, learned or constant
 * ids, position_of: host arrays of n that live as long as the step. */
at_tensor *at_embed(at_ctx *ctx, at_tensor *table, const int32_t *ids, int64_t n, float scale, at_tensor *positions,
                    const int32_t *position_of);

typedef struct at_loss {
    double loss; /* sum over rows of the label-smoothed cross-entropy, nats */
    double nll;  /* sum over rows of -log p(target) */
    int64_t tokens;
} at_loss;

/* Logits and loss in one (backend.h). W (D,V), or (V,D) when tied. The gradients that at_backward() spreads are those of
 * grad_scale * loss. Ends the tape. */
at_loss at_linear_cross_entropy(at_ctx *ctx, at_tensor *x, at_tensor *w, bool tied, at_tensor *b,
                                const int32_t *targets, float smoothing, float grad_scale);

#endif
