/* y = residual + m * x / (1 - rate), m Bernoulli(1 - rate) (Srivastava et al. 2014)
 * keeps nothing: the mask is a function of its key
 * dx = m * dy / (1 - rate);  dresidual = dy, the same memory where it is the first part of that gradient */
#include <assert.h>

#include "op/op.h"

typedef struct dropout_args {
    float rate;
    uint64_t key;
} dropout_args;

static at_tensor *like(at_ctx *ctx, const at_tensor *x)
{
    return at_tensor_new(ctx, at_tensor_rows(x), at_tensor_width(x));
}

/* Over x where that is possible: dropped elements of a ReLU's output have slope zero, and the others keep their sign. */
at_tensor *at_dropout(at_ctx *ctx, at_tensor *residual, at_tensor *x, float rate)
{
    const float used = ctx->training ? rate : 0;
    if (used == 0 && residual == NULL) return x;
    assert(residual == NULL || at_tensor_floats(residual) == at_tensor_floats(x));
    const dropout_args args = {used, used > 0 ? at_ctx_draw(ctx) : 0};
    at_tensor *over = at_may_overwrite(ctx, x, residual == NULL) ? x : NULL;
    const at_record record = {
        .op = &at_op_dropout, .in = {residual, x}, .out = over ? at_tensor_over(ctx, x) : like(ctx, x), .over = over};
    return at_apply(ctx, &record, &args, sizeof args);
}

void at_dropout_fwd(at_ctx *ctx, const at_record *record)
{
    const dropout_args *args = record->args;
    const at_tensor *residual = record->in[0], *x = record->in[1];
    ctx->be->dropout_fwd(ctx->be, record->out->data, residual ? residual->data : NULL, x->data, at_tensor_floats(x),
                         args->rate, args->key);
}

void at_dropout_bwd(at_ctx *ctx, const at_record *record)
{
    const dropout_args *args = record->args;
    const int64_t n = at_tensor_floats(record->out);
    at_tensor *residual = record->in[0];
    float beta;
    float *dx = at_grad(ctx, record->in[1], &beta);
    if (dx && at_ctx_check(ctx, NULL) == ATT_OK)
        ctx->be->dropout_bwd(ctx->be, dx, beta, record->out->grad, n, args->rate, args->key);
    if (residual && residual->needs_grad && at_grad_pass(record->out, residual)) return;
    float *dresidual = at_grad(ctx, residual, &beta);
    if (dresidual && at_ctx_check(ctx, NULL) == ATT_OK)
        ctx->be->axpy(ctx->be, dresidual, beta, record->out->grad, 1, n);
}
