/* The tape: memory of a step, records, and going backward. See tape.h. */
#include "tape/tape.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* Small enough for a sentence, large enough that a training step needs a few dozen. */
enum { CHUNK_BYTES = 16 << 20 };

void at_ctx_init(at_ctx *ctx, at_backend *be)
{
    memset(ctx, 0, sizeof *ctx);
    ctx->be = be;
    at_arena_init(&ctx->host, 0);
}

static at_device_chunk *chunk_new(at_ctx *ctx, size_t bytes)
{
    at_device_chunk *c = malloc(sizeof *c);
    if (c == NULL) {
        ctx->host.failed = true;
        return NULL;
    }
    const size_t wanted = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    *c = (at_device_chunk){ctx->be->alloc(ctx->be, wanted), wanted, 0, NULL};
    if (c->data) return c;
    free(c);
    return NULL;
}

static void free_chunks(at_ctx *ctx)
{
    for (at_device_chunk *c = ctx->chunks; c;) {
        at_device_chunk *next = c->next;
        ctx->be->release(ctx->be, c->data, c->bytes);
        free(c);
        c = next;
    }
    ctx->chunks = ctx->current = NULL;
}

void at_ctx_free(at_ctx *ctx)
{
    free_chunks(ctx);
    at_arena_free(&ctx->host);
    memset(ctx, 0, sizeof *ctx);
}

/* Chunks of the last step become one, large enough for all of it: what is left over at the end of each chunk is lost only once. */
static void merge_chunks(at_ctx *ctx)
{
    size_t bytes = 0;
    if (ctx->chunks == NULL || ctx->chunks->next == NULL) return;
    for (const at_device_chunk *c = ctx->chunks; c; c = c->next) bytes += c->used;
    free_chunks(ctx);
    ctx->chunks = chunk_new(ctx, bytes);
}

void at_ctx_begin(at_ctx *ctx, bool recording, bool training, uint64_t rng)
{
    at_arena_reset(&ctx->host);
    merge_chunks(ctx);
    for (at_device_chunk *c = ctx->chunks; c; c = c->next) c->used = 0;
    ctx->current = ctx->chunks;
    ctx->free_blocks = NULL;
    ctx->last = NULL;
    ctx->recording = recording;
    ctx->training = training;
    ctx->rng = rng;
    ctx->draws = 0;
}

at_status at_ctx_check(const at_ctx *ctx, at_error *err)
{
    if (!ctx->host.failed && !ctx->be->failed) return ATT_OK;
    return at_fail(err, ATT_MEMORY, "not enough memory for this batch; use a smaller batch");
}

uint64_t at_ctx_draw(at_ctx *ctx)
{
    return at_rng_key(ctx->rng, ctx->draws++);
}

/* Chunks are kept in order and filled one after the other; what is left of a chunk that is too full stays unused. */
float *at_ctx_floats(at_ctx *ctx, int64_t floats)
{
    const size_t bytes = ((size_t)floats * sizeof(float) + 63) / 64 * 64;
    while (ctx->current && ctx->current->bytes - ctx->current->used < bytes && ctx->current->next)
        ctx->current = ctx->current->next;
    if (ctx->current == NULL || ctx->current->bytes - ctx->current->used < bytes) {
        at_device_chunk *c = chunk_new(ctx, bytes);
        if (c == NULL) return NULL;
        if (ctx->current)
            ctx->current->next = c;
        else
            ctx->chunks = c;
        ctx->current = c;
    }
    float *data = (float *)(void *)(ctx->current->data + ctx->current->used);
    ctx->current->used += bytes;
    return data;
}

void *at_ctx_host(at_ctx *ctx, size_t bytes)
{
    return at_arena_alloc(&ctx->host, bytes);
}

at_tensor *at_tensor_wrap(at_ctx *ctx, float *data, int64_t rows, int64_t width)
{
    at_tensor *t = at_arena_zalloc(&ctx->host, sizeof *t);
    if (t == NULL) {
        t = &ctx->spare[ctx->spares++ % ATT_SPARE_TENSORS];
        memset(t, 0, sizeof *t);
        data = NULL;
    }
    t->rank = 2;
    t->dim[0] = rows;
    t->dim[1] = width;
    t->data = data;
    return t;
}

at_tensor *at_tensor_new(at_ctx *ctx, int64_t rows, int64_t width)
{
    return at_tensor_wrap(ctx, at_ctx_floats(ctx, rows * width), rows, width);
}

bool at_push(at_ctx *ctx, const at_op *op, at_tensor *out, const void *args, size_t args_bytes, int inputs,
             at_tensor *const *in)
{
    bool wanted = false;
    for (int i = 0; i < inputs; i++) wanted = wanted || (in[i] && in[i]->needs_grad);
    if (!ctx->recording || !wanted) return false;
    at_record *record = at_arena_zalloc(&ctx->host, sizeof *record);
    void *copy = at_ctx_host(ctx, args_bytes);
    if (record == NULL || copy == NULL) return false;
    memcpy(copy, args, args_bytes);
    memcpy(record->in, in, (size_t)inputs * sizeof *in);
    record->op = op;
    record->out = out;
    record->args = copy;
    record->previous = ctx->last;
    ctx->last = record;
    out->needs_grad = true;
    return true;
}

/* Smallest free block that fits without wasting more than half. */
static at_free_block **best_block(at_ctx *ctx, int64_t floats)
{
    at_free_block **best = NULL;
    for (at_free_block **b = &ctx->free_blocks; *b; b = &(*b)->next)
        if ((*b)->floats >= floats && (*b)->floats <= 2 * floats && (best == NULL || (*b)->floats < (*best)->floats))
            best = b;
    return best;
}

static float *take_block(at_ctx *ctx, int64_t floats)
{
    at_free_block **found = best_block(ctx, floats);
    if (found == NULL) return at_ctx_floats(ctx, floats);
    at_free_block *block = *found;
    *found = block->next;
    return block->data;
}

static void give_back(at_ctx *ctx, at_tensor *t)
{
    if (t->is_param || t->grad == NULL) return;
    at_free_block *block = at_ctx_host(ctx, sizeof *block);
    if (block == NULL) return;
    *block = (at_free_block){t->grad, at_tensor_floats(t), ctx->free_blocks};
    ctx->free_blocks = block;
    t->grad = NULL;
}

float *at_grad(at_ctx *ctx, at_tensor *t, float *beta)
{
    *beta = 0;
    if (t == NULL || !t->needs_grad) return NULL;
    if (t->grad == NULL) t->grad = take_block(ctx, at_tensor_floats(t));
    *beta = t->grad_set ? 1 : 0;
    t->grad_set = true;
    return t->grad;
}

bool at_grad_pass(at_tensor *out, at_tensor *in)
{
    if (in->is_param || in->grad != NULL) return false;
    in->grad = out->grad;
    in->grad_set = true;
    out->grad = NULL;
    return true;
}

void at_backward(at_ctx *ctx)
{
    for (const at_record *r = ctx->last; r && !ctx->be->failed && !ctx->host.failed; r = r->previous) {
        if (r != ctx->last && r->out->grad == NULL) continue; /* nothing depended on it */
        r->op->backward(ctx, r);
        give_back(ctx, r->out);
    }
}
