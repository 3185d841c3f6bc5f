/* y = act(x W + b)
 * keeps: z = x W + b when act is neither NONE nor RELU (for ReLU, y tells the slope)
 * dz = dy * act'(z);  dx = dz W^T;  dW = x^T dz;  db = column sums of dz */
#include <assert.h>

#include "op/op.h"
#include "tape/params.h"

typedef struct linear_args {
    const float *kept;
    at_act act;
    bool tied;
} linear_args;

static at_tensor *linear(at_ctx *ctx, at_tensor *x, at_tensor *w, at_tensor *b, at_act act, bool tied)
{
    const int64_t m = at_tensor_rows(x);
    const bool keeps = ctx->recording && act != ATT_ACT_NONE && act != ATT_ACT_RELU;
    const at_weight weight = at_param_weight(ctx->be, w, tied, ctx->recording && w->needs_grad);
    assert(at_tensor_width(x) == weight.k && (b == NULL || b->dim[0] == weight.n));
    at_tensor *y = at_tensor_new(ctx, m, weight.n);
    float *keep = keeps ? at_ctx_floats(ctx, m * weight.n) : NULL;
    if (at_ctx_check(ctx, NULL) != ATT_OK) return y;
    ctx->be->linear_fwd(ctx->be, y->data, keep, x->data, &weight, b ? b->data : NULL, m, act);
    const linear_args args = {keep ? keep : y->data, act, tied};
    at_push(ctx, &at_op_linear, y, &args, sizeof args, 3, (at_tensor *[]){x, w, b});
    return y;
}

at_tensor *at_linear(at_ctx *ctx, at_tensor *x, at_tensor *w, at_tensor *b, at_act act)
{
    return linear(ctx, x, w, b, act, false);
}

at_tensor *at_linear_tied(at_ctx *ctx, at_tensor *x, at_tensor *table, at_tensor *b)
{
    return linear(ctx, x, table, b, ATT_ACT_NONE, true);
}

void at_linear_bwd(at_ctx *ctx, const at_record *record)
{
    const linear_args *args = record->args;
    at_tensor *x = record->in[0], *w = record->in[1], *b = record->in[2];
    float beta_x, beta_w, beta_b;
    float *dx = at_grad(ctx, x, &beta_x), *dw = at_grad(ctx, w, &beta_w), *db = at_grad(ctx, b, &beta_b);
    const at_weight weight = at_param_weight(ctx->be, w, args->tied, true);
    if (at_ctx_check(ctx, NULL) != ATT_OK) return;
    ctx->be->linear_bwd(ctx->be, dx, beta_x, dw, beta_w, db, beta_b, record->out->grad, args->kept, x->data, &weight,
                        at_tensor_rows(x), args->act);
}
