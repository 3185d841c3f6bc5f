/* See peer_batcher.h. */
#include "bench/peer_batcher.h"

#include <assert.h>
#include <stdlib.h>

typedef struct sized_pair { /* of the corpus, in tokens as the peer counts them */
    uint32_t target, source, index;
} sized_pair;

typedef struct peer_batcher {
    at_batcher base; /* first: a pointer to it converts back */
    const at_corpus *corpus;
    at_batcher_options options;
    uint32_t count, batches;
    sized_pair *order; /* (count) */
    uint32_t *cut;     /* (batches + 1) starts in order; room for count + 1 */
    uint32_t *turn;    /* (batches) as they come */
    at_pair_rows rows; /* of the batch that was asked for last */
} peer_batcher;

static int compare_pairs(const void *a, const void *b)
{
    const sized_pair *x = a, *y = b;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void sort_pairs(peer_batcher *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        const at_corpus_pair *pair = &b->corpus->pair[i];
        b->order[i] = (sized_pair){pair->target_len + 2, pair->source_len + (b->options.source_eos >= 0), i};
    }
    qsort(b->order, b->count, sizeof *b->order, compare_pairs);
}

/* Where in order the batch ends that starts at `first`. */
static uint32_t batch_end(const peer_batcher *b, uint32_t first)
{
    int64_t longest = 0;
    uint32_t end = first;
    for (; end < b->count; end++) {
        const sized_pair *pair = &b->order[end];
        const int64_t longer = pair->source > pair->target ? pair->source : pair->target;
        if (longer > longest) longest = longer;
        if (end > first && longest * (end - first + 1) > b->options.batch_tokens) break;
    }
    return end;
}

/* By the peer's generator. */
static void shuffle_batches(peer_batcher *b)
{
    uint32_t draw = 1;
    for (uint32_t i = 0; i < b->batches; i++) b->turn[i] = i;
    for (uint32_t i = b->batches; i > 1; i--) {
        draw = (draw * 1103515245u + 12345u) & 0x7fffffffu;
        const uint32_t j = (draw >> 8) % i, last = b->turn[i - 1];
        b->turn[i - 1] = b->turn[j];
        b->turn[j] = last;
    }
}

static at_status start(at_batcher *base, int64_t epoch, int64_t *batches, at_error *err)
{
    (void)epoch, (void)err;
    const peer_batcher *b = (peer_batcher *)base;
    *batches = b->batches;
    return ATT_OK;
}

static at_status get(at_batcher *base, int64_t index, at_pair_batch *batch, at_error *err)
{
    peer_batcher *b = (peer_batcher *)base;
    assert(index >= 0 && index < b->batches);
    const uint32_t first = b->cut[b->turn[index]], count = b->cut[b->turn[index] + 1] - first;
    at_pair_rows_clear(&b->rows);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t pair = b->order[first + i].index;
        const at_corpus_pair *len = &b->corpus->pair[pair];
        ATT_TRY(at_pair_rows_add(&b->rows, &b->options, at_corpus_source(b->corpus, pair), len->source_len,
                                 at_corpus_target(b->corpus, pair), len->target_len, err));
    }
    *batch = at_pair_rows_batch(&b->rows);
    return ATT_OK;
}

static void release(at_batcher *base)
{
    peer_batcher *b = (peer_batcher *)base;
    free(b->order);
    free(b->cut);
    free(b->turn);
    at_pair_rows_free(&b->rows);
    free(b);
}

/* Room for as many batches as pairs, and for a batch of all pairs. */
static at_status prepare(peer_batcher *b, at_error *err)
{
    const size_t room = (size_t)b->count + 1;
    b->order = calloc(room, sizeof *b->order);
    b->cut = calloc(room, sizeof *b->cut);
    b->turn = calloc(room, sizeof *b->turn);
    b->rows.source_offset = calloc(room, sizeof *b->rows.source_offset);
    b->rows.target_offset = calloc(room, sizeof *b->rows.target_offset);
    if (!b->order || !b->cut || !b->turn || !b->rows.source_offset || !b->rows.target_offset)
        return at_fail_memory(err, room * sizeof *b->order);
    sort_pairs(b);
    for (uint32_t end = 0; end < b->count; b->cut[b->batches] = end) {
        end = batch_end(b, end);
        b->batches++;
    }
    shuffle_batches(b);
    return ATT_OK;
}

at_status at_peer_batcher_new(at_batcher **batcher, const at_corpus *corpus, const at_batcher_options *options,
                              at_error *err)
{
    *batcher = NULL;
    if (corpus->count >= UINT32_MAX)
        return at_fail(err, ATT_UNSUPPORTED, "a corpus of %lld pairs is too large for a benchmark; give a part of it",
                       (long long)corpus->count);
    peer_batcher *made = calloc(1, sizeof *made);
    if (!made) return at_fail_memory(err, sizeof *made);
    assert(options->batch_tokens > 0);
    *made = (peer_batcher){
        .base = {start, get, release}, .corpus = corpus, .options = *options, .count = (uint32_t)corpus->count};
    const at_status status = prepare(made, err);
    if (status == ATT_OK) {
        *batcher = &made->base;
    } else {
        release(&made->base);
    }
    return status;
}
