/* loss = sum_i cross-entropy(x_i W + b, target_i), label-smoothed (Szegedy et al. 2016, section 7)
 * keeps: dx, dW, db of grad_scale * loss. They fall out of the forward pass while a block of logits is in the cache; keeping
 * them (the size of x and W) replaces keeping the logits (N x V), and no product is computed twice. */
#include <assert.h>

#include "op/op.h"
#include "tape/weight.h"

typedef struct loss_args {
    float *dx, *dw, *db;
} loss_args;

static at_loss sum_rows(const double *loss, const double *nll, int64_t n)
{
    at_loss sum = {0, 0, n};
    for (int64_t i = 0; i < n; i++) {
        sum.loss += loss[i];
        sum.nll += nll[i];
    }
    return sum;
}

at_loss at_linear_cross_entropy(at_ctx *ctx, at_tensor *x, at_tensor *w, bool tied, at_tensor *b,
                                const int32_t *targets, float smoothing, float grad_scale)
{
    const int64_t n = at_tensor_rows(x), d = at_tensor_width(x);
    const bool train = ctx->recording && (x->needs_grad || w->needs_grad || (b && b->needs_grad));
    assert(w->dim[tied ? 1 : 0] == d);
    double *loss = at_ctx_host(ctx, 2 * (size_t)n * sizeof *loss);
    at_tensor *y = at_tensor_wrap(ctx, NULL, 0, 0);
    float *dx = train ? at_ctx_floats(ctx, n * d) : NULL, *dw = train ? at_ctx_floats(ctx, at_tensor_floats(w)) : NULL;
    float *db = train && b ? at_ctx_floats(ctx, at_tensor_floats(b)) : NULL;
    const at_device_mark mark = at_ctx_save(ctx);
    const at_weight weight = at_param_weight(ctx, w, tied, ATT_PACK_FORWARD | (train ? ATT_PACK_BACKWARD : 0));
    if (at_ctx_check(ctx, NULL) != ATT_OK) return (at_loss){0, 0, n};
    ctx->be->linear_cross_entropy(ctx->be, loss, loss + n, dx, dw, db, x->data, &weight, b ? b->data : NULL, targets, n,
                                  smoothing, grad_scale);
    at_ctx_restore(ctx, mark);
    const loss_args args = {dx, dw, db};
    at_apply(ctx, &(at_record){.op = &at_op_linear_cross_entropy, .in = {x, w, b}, .out = y}, &args, sizeof args);
    return sum_rows(loss, loss + n, n);
}

/* The loss and its gradients were computed by at_linear_cross_entropy(), for they end the tape. */
void at_linear_cross_entropy_fwd(at_ctx *ctx, const at_record *record)
{
    (void)ctx, (void)record;
}

/* kept becomes the gradient of an activation that has none yet, else it is added and given back. */
static void add_kept(at_ctx *ctx, at_tensor *t, float *kept)
{
    float beta;
    if (t && t->needs_grad && t->grad == NULL) {
        t->grad = kept;
        t->grad_set = true;
        return;
    }
    float *grad = at_grad(ctx, t, &beta);
    if (grad && at_ctx_check(ctx, NULL) == ATT_OK) ctx->be->axpy(ctx->be, grad, beta, kept, 1, at_tensor_floats(t));
    if (grad) at_ctx_reuse(ctx, kept, at_tensor_floats(t));
}

void at_linear_cross_entropy_bwd(at_ctx *ctx, const at_record *record)
{
    const loss_args *args = record->args;
    add_kept(ctx, record->in[0], args->dx);
    add_kept(ctx, record->in[1], args->dw);
    add_kept(ctx, record->in[2], args->db);
}
