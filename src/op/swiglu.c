/* y = swish(g) * v,  x = [g | v]        (Shazeer 2020)
 * dg = dy * v * swish'(g);  dv = dy * swish(g) */
#include <assert.h>

#include "op/op.h"

at_tensor *at_swiglu(at_ctx *ctx, at_tensor *x)
{
    const int64_t n = at_tensor_rows(x), f = at_tensor_width(x) / 2;
    assert(at_tensor_width(x) % 2 == 0);
    const at_record record = {.op = &at_op_swiglu, .in = {x}, .out = at_tensor_new(ctx, n, f), .reads = ATT_READS_IN0};
    return at_apply(ctx, &record, NULL, 0);
}

void at_swiglu_fwd(at_ctx *ctx, const at_record *record)
{
    const at_tensor *y = record->out;
    ctx->be->swiglu_fwd(ctx->be, y->data, record->in[0]->data, at_tensor_rows(y), at_tensor_width(y));
}

void at_swiglu_bwd(at_ctx *ctx, const at_record *record)
{
    at_tensor *x = record->in[0];
    float beta;
    float *dx = at_grad(ctx, x, &beta);
    if (dx && at_ctx_check(ctx, NULL) == ATT_OK)
        ctx->be->swiglu_bwd(ctx->be, dx, beta, record->out->grad, x->data, at_tensor_rows(x), at_tensor_width(x) / 2);
}
