/* y[i] = scale * table[ids[i]] + positions[position_of[i]]
 * dtable[ids[i]] += scale * dy[i];  dpositions[position_of[i]] += dy[i]
 * A partial writer: with beta 0 the table's gradient is cleared first. */
#include <assert.h>

#include "op/op.h"

typedef struct embed_args {
    const int32_t *ids, *position_of;
    float scale;
} embed_args;

at_tensor *at_embed(at_ctx *ctx, at_tensor *table, const int32_t *ids, int64_t n, float scale, at_tensor *positions,
                    const int32_t *position_of)
{
    const int64_t d = at_tensor_width(table);
    assert(positions == NULL || at_tensor_width(positions) == d);
    const embed_args args = {ids, position_of, scale};
    const at_record record = {.op = &at_op_embed, .in = {table, positions}, .out = at_tensor_new(ctx, n, d)};
    return at_apply(ctx, &record, &args, sizeof args);
}

void at_embed_fwd(at_ctx *ctx, const at_record *record)
{
    const embed_args *args = record->args;
    const at_tensor *table = record->in[0], *positions = record->in[1], *y = record->out;
    ctx->be->embed_fwd(ctx->be, y->data, table->data, args->ids, args->scale, positions ? positions->data : NULL,
                       args->position_of, at_tensor_rows(y), at_tensor_width(y));
}

static void rows_bwd(at_ctx *ctx, at_tensor *table, const int32_t *rows, float scale, const at_tensor *y)
{
    float beta;
    float *grad = at_grad(ctx, table, &beta);
    if (grad && at_ctx_check(ctx, NULL) == ATT_OK)
        ctx->be->embed_bwd(ctx->be, grad, beta, y->grad, rows, scale, at_tensor_rows(y), at_tensor_width(y),
                           table->dim[0]);
}

void at_embed_bwd(at_ctx *ctx, const at_record *record)
{
    const embed_args *args = record->args;
    rows_bwd(ctx, record->in[0], args->ids, args->scale, record->out);
    rows_bwd(ctx, record->in[1], args->position_of, 1, record->out);
}
