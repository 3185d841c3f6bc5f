/* The tape: memory of a step, records, and going backward. See tape.h. */
#include "tape/tape.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* An area doubles within these bounds: little for a sentence, a dozen chunks for a training step. */
enum { LEAST_CHUNK = 1 << 20, MOST_CHUNK = 256 << 20 };

void at_ctx_init(at_ctx *ctx, at_backend *be)
{
    memset(ctx, 0, sizeof *ctx);
    ctx->be = be;
    at_arena_init(&ctx->host, 0);
}

/* ---- device memory ---- */

static at_device_chunk *chunk_new(at_ctx *ctx, const at_device_area *area, size_t bytes)
{
    at_device_chunk *c = malloc(sizeof *c);
    if (c == NULL) {
        ctx->host.failed = true;
        return NULL;
    }
    const size_t growth = area->used < LEAST_CHUNK ? LEAST_CHUNK : area->used > MOST_CHUNK ? MOST_CHUNK : area->used;
    const size_t wanted = bytes > growth || ctx->be->only_counts ? bytes : growth;
    *c = (at_device_chunk){ctx->be->alloc(ctx->be, wanted), wanted, 0, NULL};
    if (c->data) return c;
    free(c);
    return NULL;
}

static void area_free(at_ctx *ctx, at_device_area *area)
{
    for (at_device_chunk *c = area->chunks; c;) {
        at_device_chunk *next = c->next;
        ctx->be->release(ctx->be, c->data, c->bytes);
        free(c);
        c = next;
    }
    area->chunks = area->current = NULL;
}

static void area_reset(at_device_area *area)
{
    for (at_device_chunk *c = area->chunks; c; c = c->next) c->used = 0;
    area->current = area->chunks;
    area->used = 0;
}

/* Chunks become one, large enough for all that was in them: what is left over at the end of each chunk is lost only once. A
 * quarter more is for larger batches; pages that are never written take no memory. */
static void area_begin(at_ctx *ctx, at_device_area *area)
{
    if (area->chunks && area->chunks->next) {
        area_free(ctx, area);
        area->chunks = chunk_new(ctx, area, area->peak + (ctx->be->only_counts ? 0 : area->peak / 4));
    }
    area_reset(area);
}

void at_ctx_trim(at_ctx *ctx)
{
    area_free(ctx, &ctx->outer);
    area_free(ctx, &ctx->inner);
    ctx->free_blocks = NULL;
    ctx->last = NULL;
}

void at_ctx_free(at_ctx *ctx)
{
    at_ctx_trim(ctx);
    at_arena_free(&ctx->host);
    memset(ctx, 0, sizeof *ctx);
}

void at_ctx_begin(at_ctx *ctx, bool recording, bool training, uint64_t rng)
{
    at_arena_reset(&ctx->host);
    area_begin(ctx, &ctx->outer);
    area_begin(ctx, &ctx->inner);
    ctx->area = &ctx->outer;
    ctx->segment = ctx->segments = ctx->held = 0;
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
static float *area_floats(at_ctx *ctx, at_device_area *area, int64_t floats)
{
    const size_t bytes = ((size_t)floats * sizeof(float) + 63) / 64 * 64;
    while (area->current && area->current->bytes - area->current->used < bytes && area->current->next)
        area->current = area->current->next;
    if (area->current == NULL || area->current->bytes - area->current->used < bytes) {
        at_device_chunk *c = chunk_new(ctx, area, bytes);
        if (c == NULL) return NULL;
        if (area->current)
            area->current->next = c;
        else
            area->chunks = c;
        area->current = c;
    }
    float *data = (float *)(void *)(area->current->data + area->current->used);
    area->current->used += bytes;
    area->used += bytes;
    if (area->used > area->peak) area->peak = area->used;
    return data;
}

float *at_ctx_floats(at_ctx *ctx, int64_t floats)
{
    return area_floats(ctx, ctx->area, floats);
}

at_device_mark at_ctx_save(const at_ctx *ctx)
{
    const at_device_chunk *c = ctx->area->current;
    return (at_device_mark){ctx->area->current, c ? c->used : 0, ctx->area->used};
}

void at_ctx_restore(at_ctx *ctx, at_device_mark mark)
{
    at_device_area *area = ctx->area;
    for (at_device_chunk *c = mark.chunk ? mark.chunk->next : area->chunks; c; c = c->next) c->used = 0;
    if (mark.chunk) mark.chunk->used = mark.chunk_used;
    area->current = mark.chunk ? mark.chunk : area->chunks;
    area->used = mark.used;
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
    at_tensor *t = at_tensor_wrap(ctx, at_ctx_floats(ctx, rows * width), rows, width);
    t->own = true;
    t->segment = ctx->segment;
    return t;
}

/* ---- records ---- */

static bool wanted(const at_record *record)
{
    bool found = false;
    for (int i = 0; i < ATT_RECORD_IN; i++) found = found || (record->in[i] && record->in[i]->needs_grad);
    return found;
}

/* Tells the tensors that their data must stay. */
static void keep_what_is_read(const at_record *r)
{
    for (int i = 0; i < ATT_RECORD_IN; i++)
        if (r->reads & (1u << i)) r->in[i]->kept |= ATT_READS_OUT;
    r->out->kept |= (unsigned char)(r->reads & (ATT_READS_OUT | ATT_READS_SIGN));
}

static void push(at_ctx *ctx, const at_record *record, const void *args, size_t args_bytes)
{
    const bool differentiable = wanted(record);
    if (!ctx->recording || !(differentiable || ctx->segment)) return; /* a segment runs again as a whole */
    at_record *r = at_ctx_host(ctx, sizeof *r);
    void *copy = at_ctx_host(ctx, args_bytes);
    if (r == NULL || copy == NULL) return;
    if (args_bytes > 0) memcpy(copy, args, args_bytes);
    *r = *record;
    r->args = copy;
    r->previous = ctx->last;
    ctx->last = r;
    r->out->needs_grad = differentiable;
    keep_what_is_read(r);
}

at_tensor *at_apply(at_ctx *ctx, const at_record *record, const void *args, size_t args_bytes)
{
    at_record run = *record;
    run.args = args;
    if (at_ctx_check(ctx, NULL) != ATT_OK) return run.out;
    if (run.op->forward) run.op->forward(ctx, &run);
    push(ctx, record, args, args_bytes);
    return run.out;
}

at_tensor *at_tensor_over(at_ctx *ctx, const at_tensor *x)
{
    at_tensor *t = at_tensor_wrap(ctx, x->data, at_tensor_rows(x), at_tensor_width(x));
    t->own = true;
    t->segment = ctx->segment;
    return t;
}

bool at_may_overwrite(const at_ctx *ctx, const at_tensor *x, bool sign_stays)
{
    const unsigned forbidden = sign_stays ? ATT_READS_OUT : ATT_READS_OUT | ATT_READS_SIGN;
    return x->own && x->segment == ctx->segment && (x->kept & forbidden) == 0;
}

/* ---- segments ---- */

typedef struct segment_args {
    int64_t number;
    at_record *before; /* the last record outside */
} segment_args;

/* The records of a segment in order, last one first; *count of them. NULL without memory. */
static at_record **records_of(at_ctx *ctx, const at_record *segment, int64_t *count)
{
    const segment_args *args = segment->args;
    *count = 0;
    for (at_record *r = segment->previous; r != args->before; r = r->previous) ++*count;
    at_record **records = at_ctx_host(ctx, (size_t)*count * sizeof *records);
    int64_t i = 0;
    for (at_record *r = segment->previous; records && r != args->before; r = r->previous) records[i++] = r;
    return records;
}

/* Whether some backward, or some forward that must run again, reads what r writes. From the last record to the first. */
static bool must_run(const at_record *r)
{
    if (r->reads & (ATT_READS_OUT | ATT_READS_SIGN)) r->out->live = true;
    const bool run = r->out->live || (r->reads & ATT_READS_SIDE);
    for (int i = 0; i < ATT_RECORD_IN; i++)
        if (r->in[i] && (run || (r->reads & (1u << i)))) r->in[i]->live = true;
    return run;
}

static void run_again(at_ctx *ctx, const at_record *r)
{
    r->out->data = r->over ? r->over->data : at_ctx_floats(ctx, at_tensor_floats(r->out));
    if (r->side) r->side->data = at_ctx_floats(ctx, at_tensor_floats(r->side));
    if (at_ctx_check(ctx, NULL) == ATT_OK) r->op->forward(ctx, r);
}

static void replay(at_ctx *ctx, const at_record *segment)
{
    int64_t count;
    at_record **records = records_of(ctx, segment, &count);
    bool *run = at_ctx_host(ctx, (size_t)count * sizeof *run);
    if (records == NULL || run == NULL) return;
    for (int64_t i = 0; i < count; i++) run[i] = must_run(records[i]);
    area_begin(ctx, &ctx->inner);
    ctx->area = &ctx->inner;
    for (int64_t i = count - 1; i >= 0; i--)
        if (run[i]) run_again(ctx, records[i]);
    ctx->area = &ctx->outer;
}

/* The copy's gradient is the output's; the data are there already where this segment was the last one to use inner. */
static void segment_bwd(at_ctx *ctx, const at_record *record)
{
    const segment_args *args = record->args;
    at_grad_pass(record->out, record->in[0]);
    if (ctx->held != args->number) replay(ctx, record);
    ctx->held = args->number;
}

static void segment_fwd(at_ctx *ctx, const at_record *record)
{
    at_tensor *x = record->in[0], *y = record->out;
    ctx->be->axpy(ctx->be, y->data, 0, x->data, 1, at_tensor_floats(x));
}

static const at_op op_segment = {"segment", segment_fwd, segment_bwd};

void at_segment_begin(at_ctx *ctx)
{
    if (ctx->recording && !ctx->recompute) return;
    assert(ctx->segment == 0);
    ctx->segment = ctx->held = ++ctx->segments;
    ctx->before = ctx->last;
    ctx->area = &ctx->inner;
    area_begin(ctx, &ctx->inner);
}

at_tensor *at_segment_end(at_ctx *ctx, at_tensor *x)
{
    if (ctx->segment == 0) return x;
    const segment_args args = {ctx->segment, ctx->before};
    ctx->segment = 0;
    ctx->area = &ctx->outer;
    if (x->segment != args.number) return x; /* the segment is empty */
    at_tensor *y = at_tensor_new(ctx, at_tensor_rows(x), at_tensor_width(x));
    return at_apply(ctx, &(at_record){.op = &op_segment, .in = {x}, .out = y}, &args, sizeof args);
}

/* ---- gradients ---- */

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
    if (found == NULL) return area_floats(ctx, &ctx->outer, floats);
    at_free_block *block = *found;
    *found = block->next;
    return block->data;
}

void at_ctx_reuse(at_ctx *ctx, float *data, int64_t floats)
{
    at_free_block *block = at_ctx_host(ctx, sizeof *block);
    if (block == NULL) return;
    *block = (at_free_block){data, floats, ctx->free_blocks};
    ctx->free_blocks = block;
}

static void give_back_data(at_ctx *ctx, at_tensor *t)
{
    if (t && t->own && t->segment == 0) at_ctx_reuse(ctx, t->data, at_tensor_floats(t));
}

/* What only this record and later ones read. */
static void give_back(at_ctx *ctx, const at_record *r)
{
    at_tensor *t = r->out;
    if (t->grad) at_ctx_reuse(ctx, t->grad, at_tensor_floats(t));
    t->grad = NULL;
    if (r->over == NULL) give_back_data(ctx, t);
    give_back_data(ctx, r->side);
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
        give_back(ctx, r);
    }
}
