/* See window_batcher.h. Windows are numbered along the stream; window i begins at shift + i * context, but not before
 * the stream: with an offset the shift is negative and window 0 short. */
#include "data/window_batcher.h"

#include <assert.h>
#include <stdlib.h>

#include "data/shuffle.h"

typedef struct window_batcher {
    at_batcher base; /* first: a pointer to it converts back */
    const at_corpus *corpus;
    at_window_options options;
    int64_t predicted; /* tokens: all but the first */
    int64_t a_batch;   /* windows */
    int64_t shift;     /* of the started epoch */
    uint32_t windows;  /* of the started epoch */
    uint32_t *order;   /* (windows) */
    uint32_t room;     /* in order */
    /* What get hands out. */
    int64_t *offset, *line; /* (a_batch + 1) */
    at_ids in, out;
} window_batcher;

/* Keeps draws apart from those of others who mix the same seed. */
static const uint64_t stream = 0x77696E646F7773; /* "windows" */
enum { DRAW_ORDER, DRAW_OFFSET };

static int64_t window_start(const window_batcher *b, int64_t i)
{
    const int64_t start = b->shift + i * b->options.context;
    return start > 0 ? start : 0;
}

static int64_t window_end(const window_batcher *b, int64_t i)
{
    const int64_t end = b->shift + (i + 1) * b->options.context;
    return end < b->predicted ? end : b->predicted;
}

/* 0 .. context - 1, at most what leaves a token for the windows behind it. */
static int64_t draw_offset(const window_batcher *b, uint64_t key)
{
    const int64_t most = b->options.context < b->predicted ? b->options.context : b->predicted;
    return b->options.sorted ? 0 : at_rng_below(key, 0, (uint32_t)most);
}

static at_status reserve_order(window_batcher *b, uint32_t windows, at_error *err)
{
    if (windows <= b->room) return ATT_OK;
    uint32_t *order = realloc(b->order, (size_t)windows * sizeof *order);
    if (order == NULL) return at_fail_memory(err, (size_t)windows * sizeof *order);
    b->order = order;
    b->room = windows;
    return ATT_OK;
}

static at_status start(at_batcher *base, int64_t epoch, int64_t *batches, at_error *err)
{
    window_batcher *b = (window_batcher *)base;
    const uint64_t key = at_rng_key(at_rng_key(b->options.seed, stream), (uint64_t)epoch);
    const int64_t offset = draw_offset(b, at_rng_key(key, DRAW_OFFSET));
    *batches = 0;
    b->shift = offset > 0 ? offset - b->options.context : 0;
    const int64_t windows = (b->predicted - b->shift + b->options.context - 1) / b->options.context;
    ATT_TRY(reserve_order(b, (uint32_t)windows, err));
    b->windows = (uint32_t)windows;
    at_lay_out(b->order, b->windows, !b->options.sorted, at_rng_key(key, DRAW_ORDER));
    *batches = (windows + b->a_batch - 1) / b->a_batch;
    return ATT_OK;
}

/* The number of the line that a token of the stream belongs to. */
static int64_t line_of(const at_corpus *corpus, int64_t token)
{
    int64_t low = 0, high = corpus->count - 1;
    while (low < high) {
        const int64_t middle = low + (high - low + 1) / 2;
        if (corpus->pair[middle].start <= token)
            low = middle;
        else
            high = middle - 1;
    }
    return corpus->pair[low].line;
}

static at_status add_window(window_batcher *b, int64_t n, int64_t window, at_error *err)
{
    const int64_t first = window_start(b, window), count = window_end(b, window) - first;
    const int32_t *ids = b->corpus->ids + first;
    ATT_TRY(at_ids_add(&b->in, ids, (size_t)count, err));
    ATT_TRY(at_ids_add(&b->out, ids + 1, (size_t)count, err));
    b->line[n] = line_of(b->corpus, first);
    b->offset[n + 1] = b->offset[n] + count;
    return ATT_OK;
}

static at_status get(at_batcher *base, int64_t index, at_pair_batch *batch, at_error *err)
{
    static const int64_t none[1] = {0};
    window_batcher *b = (window_batcher *)base;
    const int64_t first = index * b->a_batch, rest = b->windows - first;
    const int64_t count = rest < b->a_batch ? rest : b->a_batch;
    assert(index >= 0 && count > 0);
    b->in.len = b->out.len = 0;
    for (int64_t i = 0; i < count; i++) ATT_TRY(add_window(b, i, b->order[first + i], err));
    *batch = (at_pair_batch){.source = {.count = 0, .offset = none},
                             .target_in = {.count = count, .offset = b->offset, .ids = b->in.data},
                             .target_out = {.count = count, .offset = b->offset, .ids = b->out.data},
                             .line = b->line};
    return ATT_OK;
}

static void release(at_batcher *base)
{
    window_batcher *b = (window_batcher *)base;
    free(b->order);
    free(b->offset);
    free(b->line);
    at_ids_free(&b->in);
    at_ids_free(&b->out);
    free(b);
}

static at_status check(const at_corpus *corpus, const at_window_options *o, at_error *err)
{
    assert(corpus->id_count >= 2 && o->context >= 1);
    if (o->batch_tokens < 1)
        return at_fail(err, ATT_OPTION, "a batch of %lld tokens holds nothing; give batch_tokens of at least 1",
                       (long long)o->batch_tokens);
    if (corpus->id_count / o->context >= UINT32_MAX - 1)
        return at_fail(err, ATT_UNSUPPORTED, "a text of %lld tokens is too large for one epoch; split it",
                       (long long)corpus->id_count);
    return ATT_OK;
}

at_status at_window_batcher_new(at_batcher **batcher, const at_corpus *corpus, const at_window_options *options,
                                at_error *err)
{
    *batcher = NULL;
    ATT_TRY(check(corpus, options, err));
    window_batcher *made = calloc(1, sizeof *made);
    if (made == NULL) return at_fail_memory(err, sizeof *made);
    const int64_t all = corpus->id_count / options->context + 2, fits = options->batch_tokens / options->context;
    *made = (window_batcher){.base = {start, get, release},
                             .corpus = corpus,
                             .options = *options,
                             .predicted = corpus->id_count - 1,
                             .a_batch = fits < 1     ? 1
                                        : fits < all ? fits
                                                     : all};
    const size_t bytes = ((size_t)made->a_batch + 1) * sizeof *made->offset;
    made->offset = calloc(1, bytes);
    made->line = calloc(1, bytes);
    if (made->offset && made->line) {
        *batcher = &made->base;
        return ATT_OK;
    }
    release(&made->base);
    return at_fail_memory(err, 2 * bytes);
}
