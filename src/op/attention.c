/* o = softmax(q k^T / sqrt(K)) v per head and sequence (Vaswani et al. 2017, section 3.2)
 * keeps: lse (N,H); the weights are computed again in the backward. */
#include <assert.h>
#include <math.h>

#include "op/op.h"

typedef struct attention_args {
    at_attention_args args;
    int64_t q_column, k_column, v_column;
} attention_args;

at_tensor *at_attention(at_ctx *ctx, at_tensor *q, int64_t q_column, at_tensor *kv, int64_t k_column, int64_t v_column,
                        const at_attention_spec *spec)
{
    const int64_t n = at_tensor_rows(q), width = spec->heads * spec->head_width;
    assert(q_column + width <= at_tensor_width(q) && v_column + width <= at_tensor_width(kv) &&
           k_column + width <= at_tensor_width(kv));
    const bool watched = ctx->watch && ctx->watch->kv == kv;
    float *weights = watched ? ctx->watch->weights : spec->weights;
    const float dropout = ctx->training ? spec->dropout : 0;
    const attention_args args = {{.count = spec->count,
                                  .query = spec->query,
                                  .key = spec->key,
                                  .heads = spec->heads,
                                  .head_width = spec->head_width,
                                  .ldq = at_tensor_width(q),
                                  .ldk = at_tensor_width(kv),
                                  .ldv = at_tensor_width(kv),
                                  .ldo = width,
                                  .scale = 1.0f / sqrtf((float)spec->head_width),
                                  .causal = spec->causal,
                                  .dropout = dropout,
                                  .key_rng = dropout > 0 ? at_ctx_draw(ctx) : 0,
                                  .weights = weights,
                                  .weight_offset = watched ? ctx->watch->offset : spec->weight_offset},
                                 q_column,
                                 k_column,
                                 v_column};
    const at_record record = {.op = &at_op_attention,
                              .in = {q, kv},
                              .out = at_tensor_new(ctx, n, width),
                              .side = ctx->recording || weights ? at_tensor_new(ctx, n, spec->heads) : NULL,
                              .reads = ATT_READS_IN0 | ATT_READS_IN1 | ATT_READS_OUT | ATT_READS_SIDE};
    return at_apply(ctx, &record, &args, sizeof args);
}

void at_attention_fwd(at_ctx *ctx, const at_record *record)
{
    const attention_args *a = record->args;
    const at_tensor *q = record->in[0], *kv = record->in[1];
    ctx->be->attention_fwd(ctx->be, record->out->data, record->side ? record->side->data : NULL, q->data + a->q_column,
                           kv->data + a->k_column, kv->data + a->v_column, &a->args);
}

/* Self-attention reads queries, keys and values from one tensor: its three column ranges are one gradient with one beta, each
 * written once. */
void at_attention_bwd(at_ctx *ctx, const at_record *record)
{
    const attention_args *a = record->args;
    at_tensor *q = record->in[0], *kv = record->in[1];
    float beta_q, beta_kv;
    float *dq = at_grad(ctx, q, &beta_q), *dkv = dq;
    if (kv == q)
        beta_kv = beta_q;
    else
        dkv = at_grad(ctx, kv, &beta_kv);
    if (at_ctx_check(ctx, NULL) != ATT_OK) return;
    ctx->be->attention_bwd(ctx->be, dq ? dq + a->q_column : NULL, beta_q, dkv ? dkv + a->k_column : NULL,
                           dkv ? dkv + a->v_column : NULL, beta_kv, record->out->grad, record->out->data,
                           record->side->data, q->data + a->q_column, kv->data + a->k_column, kv->data + a->v_column,
                           &a->args);
}
