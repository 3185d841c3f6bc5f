/* y = act(x W + b)
 * keeps: z = x W + b when act is neither NONE nor RELU (for ReLU, y tells the slope)
 * dz = dy * act'(z);  dx = dz W^T;  dW = x^T dz;  db = column sums of dz */
#include <assert.h>

#include "op/op.h"
#include "tape/weight.h"

typedef struct linear_args {
    at_act act;
    bool tied;
} linear_args;

static bool keeps_side(at_act act)
{
    return act != ATT_ACT_NONE && act != ATT_ACT_RELU;
}

static unsigned reads(at_act act)
{
    return ATT_READS_IN0 | (keeps_side(act) ? ATT_READS_SIDE : act == ATT_ACT_RELU ? ATT_READS_SIGN : 0);
}

static at_tensor *linear(at_ctx *ctx, at_tensor *x, at_tensor *w, at_tensor *b, at_act act, bool tied)
{
    const int64_t m = at_tensor_rows(x), n = w->dim[tied ? 0 : 1];
    assert(at_tensor_width(x) == w->dim[tied ? 1 : 0] && (b == NULL || b->dim[0] == n));
    const linear_args args = {act, tied};
    const at_record record = {.op = &at_op_linear,
                              .in = {x, w, b},
                              .out = at_tensor_new(ctx, m, n),
                              .side = ctx->recording && keeps_side(act) ? at_tensor_new(ctx, m, n) : NULL,
                              .reads = reads(act)};
    return at_apply(ctx, &record, &args, sizeof args);
}

at_tensor *at_linear(at_ctx *ctx, at_tensor *x, at_tensor *w, at_tensor *b, at_act act)
{
    return linear(ctx, x, w, b, act, false);
}

at_tensor *at_linear_tied(at_ctx *ctx, at_tensor *x, at_tensor *table, at_tensor *b)
{
    return linear(ctx, x, table, b, ATT_ACT_NONE, true);
}

void at_linear_fwd(at_ctx *ctx, const at_record *record)
{
    const linear_args *args = record->args;
    const at_tensor *x = record->in[0], *b = record->in[2];
    const at_device_mark mark = at_ctx_save(ctx);
    const at_weight weight = at_param_weight(ctx, record->in[1], args->tied, ATT_PACK_FORWARD);
    if (at_ctx_check(ctx, NULL) == ATT_OK)
        ctx->be->linear_fwd(ctx->be, record->out->data, record->side ? record->side->data : NULL, x->data, &weight,
                            b ? b->data : NULL, at_tensor_rows(x), args->act);
    at_ctx_restore(ctx, mark);
}

void at_linear_bwd(at_ctx *ctx, const at_record *record)
{
    const linear_args *args = record->args;
    at_tensor *x = record->in[0], *w = record->in[1], *b = record->in[2];
    float beta_x, beta_w, beta_b;
    float *dx = at_grad(ctx, x, &beta_x), *dw = at_grad(ctx, w, &beta_w), *db = at_grad(ctx, b, &beta_b);
    const at_device_mark mark = at_ctx_save(ctx);
    const at_weight weight = at_param_weight(ctx, w, args->tied, dx ? ATT_PACK_BACKWARD : 0);
    if (at_ctx_check(ctx, NULL) == ATT_OK)
        ctx->be->linear_bwd(ctx->be, dx, beta_x, dw, beta_w, db, beta_b, record->out->grad,
                            record->side ? record->side->data : record->out->data, x->data, &weight, at_tensor_rows(x),
                            args->act);
    at_ctx_restore(ctx, mark);
}
