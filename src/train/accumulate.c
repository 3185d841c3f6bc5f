/* Forward and backward over the batches of an update. See accumulate.h. */
#include "train/accumulate.h"

#include "base/rng.h"

static at_status count_tokens(at_batcher *batcher, int64_t first, int64_t count, int64_t *tokens, at_error *err)
{
    *tokens = 0;
    for (int64_t i = 0; i < count; i++) {
        at_pair_batch batch;
        ATT_TRY(at_batcher_get(batcher, first + i, &batch, err));
        *tokens += at_packed_tokens(&batch.target_out);
    }
    return ATT_OK;
}

at_status at_accumulate(at_ctx *ctx, const at_model *model, at_batcher *batcher, int64_t first, int64_t count,
                        float smoothing, uint64_t key, at_loss *sum, at_error *err)
{
    int64_t tokens;
    ATT_TRY(count_tokens(batcher, first, count, &tokens, err));
    *sum = (at_loss){0, 0, tokens};
    for (int64_t i = 0; i < count; i++) {
        at_pair_batch batch;
        ATT_TRY(at_batcher_get(batcher, first + i, &batch, err));
        at_ctx_begin(ctx, true, true, at_rng_key(key, (uint64_t)i));
        const at_loss loss = model->arch->loss(ctx, model, &batch, smoothing, 1.0f / (float)tokens);
        at_backward(ctx);
        ATT_TRY(at_ctx_check(ctx, err));
        sum->loss += loss.loss;
        sum->nll += loss.nll;
    }
    return ATT_OK;
}

at_status at_sum_loss(at_ctx *ctx, const at_model *model, at_batcher *batcher, float smoothing, at_loss *sum,
                      at_error *err)
{
    int64_t batches;
    ATT_TRY(at_batcher_start(batcher, 0, &batches, err));
    *sum = (at_loss){0, 0, 0};
    for (int64_t i = 0; i < batches; i++) {
        at_pair_batch batch;
        ATT_TRY(at_batcher_get(batcher, i, &batch, err));
        at_ctx_begin(ctx, false, false, 0);
        const at_loss loss = model->arch->loss(ctx, model, &batch, smoothing, 0);
        ATT_TRY(at_ctx_check(ctx, err));
        sum->loss += loss.loss;
        sum->nll += loss.nll;
        sum->tokens += loss.tokens;
    }
    return ATT_OK;
}
