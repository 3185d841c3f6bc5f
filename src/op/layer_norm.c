/* y = (x - mean) / sqrt(var + eps) * gamma + beta        (Ba et al. 2016)
 * keeps: mean and 1/deviation of each row
 * with xh the normalised row and g = dy gamma: dx = (g - mean(g) - xh mean(g xh)) / dev;  dgamma = sum dy xh;  dbeta = sum dy */
#include <assert.h>

#include "op/op.h"

typedef struct norm_args {
    float eps;
} norm_args;

at_tensor *at_layer_norm(at_ctx *ctx, at_tensor *x, at_tensor *gamma, at_tensor *beta, float eps)
{
    const int64_t n = at_tensor_rows(x), d = at_tensor_width(x);
    assert(gamma->dim[0] == d && beta->dim[0] == d);
    const norm_args args = {eps};
    const at_record record = {.op = &at_op_layer_norm,
                              .in = {x, gamma, beta},
                              .out = at_tensor_new(ctx, n, d),
                              .side = at_tensor_new(ctx, n, 2),
                              .reads = ATT_READS_IN0 | ATT_READS_SIDE};
    return at_apply(ctx, &record, &args, sizeof args);
}

void at_layer_norm_fwd(at_ctx *ctx, const at_record *record)
{
    const norm_args *args = record->args;
    const at_tensor *x = record->in[0];
    ctx->be->layer_norm_fwd(ctx->be, record->out->data, record->side->data, x->data, record->in[1]->data,
                            record->in[2]->data, at_tensor_rows(x), at_tensor_width(x), args->eps);
}

void at_layer_norm_bwd(at_ctx *ctx, const at_record *record)
{
    at_tensor *x = record->in[0], *gamma = record->in[1], *beta = record->in[2];
    float beta_x, beta_gamma, beta_beta;
    float *dx = at_grad(ctx, x, &beta_x), *dgamma = at_grad(ctx, gamma, &beta_gamma),
          *dbeta = at_grad(ctx, beta, &beta_beta);
    if (at_ctx_check(ctx, NULL) != ATT_OK) return;
    ctx->be->layer_norm_bwd(ctx->be, dx, beta_x, dgamma, beta_gamma, dbeta, beta_beta, record->out->grad, x->data,
                            record->side->data, gamma->data, at_tensor_rows(x), at_tensor_width(x));
}
