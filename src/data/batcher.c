/* Token-budget batches of pairs of one length. An epoch is an order of the pairs and a list of cuts:
 *
 *   order   pairs by length:     7 3 | 1 9 4 | 0 | 8 2 6 5
 *   cut     starts in order:     0     2       5   6        10
 *   turn    batches as they come: 2, 0, 3, 1
 *
 * The sort is a stable counting sort: linear in the corpus, and pairs of one length keep the shuffled order, which is the
 * whole randomness of who shares a batch with whom. */
#include "data/batcher.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/shuffle.h"

void at_pair_rows_clear(at_pair_rows *rows)
{
    rows->count = 0;
    rows->source.len = rows->target_in.len = rows->target_out.len = 0;
}

at_status at_pair_rows_add(at_pair_rows *rows, const at_batcher_options *options, const int32_t *source,
                           size_t source_len, const int32_t *target, size_t target_len, at_error *err)
{
    ATT_TRY(at_ids_add(&rows->source, source, source_len, err));
    if (options->source_eos >= 0) ATT_TRY(at_ids_push(&rows->source, options->source_eos, err));
    ATT_TRY(at_ids_push(&rows->target_in, options->target_start, err));
    ATT_TRY(at_ids_add(&rows->target_in, target, target_len, err));
    ATT_TRY(at_ids_add(&rows->target_out, target, target_len, err));
    ATT_TRY(at_ids_push(&rows->target_out, options->target_eos, err));
    rows->count++;
    rows->source_offset[rows->count] = (int64_t)rows->source.len;
    rows->target_offset[rows->count] = (int64_t)rows->target_in.len;
    return ATT_OK;
}

at_pair_batch at_pair_rows_batch(const at_pair_rows *rows)
{
    return (at_pair_batch){.source = {rows->count, rows->source_offset, rows->source.data},
                           .target_in = {rows->count, rows->target_offset, rows->target_in.data},
                           .target_out = {rows->count, rows->target_offset, rows->target_out.data}};
}

void at_pair_rows_free(at_pair_rows *rows)
{
    free(rows->source_offset);
    free(rows->target_offset);
    at_ids_free(&rows->source);
    at_ids_free(&rows->target_in);
    at_ids_free(&rows->target_out);
}

typedef struct lengths { /* of a pair in tokens, as they are in a batch: end tokens included */
    uint32_t source, target;
} lengths;

typedef struct pair_batcher {
    at_batcher base; /* first: a pointer to it converts back */
    const at_corpus *corpus;
    at_batcher_options options;
    uint32_t count;   /* pairs */
    lengths *length;  /* (count) of each pair, so that sorting touches no mapped page */
    uint32_t *order;  /* (count) */
    uint32_t *spare;  /* (count) the sort's other buffer */
    int64_t *tally;   /* (longest + 2) the sort's counters */
    int64_t longest;  /* tokens of the longest side, end token included */
    uint32_t batches; /* of the started epoch */
    uint32_t *cut;    /* (batches + 1) */
    uint32_t *turn;   /* (batches) */
    int64_t epoch;    /* the started one */
    /* What at_batcher_get hands out. */
    int64_t current; /* the batch that is there; -1: none */
    at_pair_batch handed;
    at_pair_rows rows;
    int64_t *line;   /* (largest batch + 1) */
    at_ids drawn[2]; /* one pair's tokens, resampled */
} pair_batcher;

/* Keeps draws apart from those of others who mix the same seed. */
static const uint64_t stream = 0x62617463686572; /* "batcher" */
enum { DRAW_ORDER, DRAW_TURN };

static int64_t longest_side(lengths len)
{
    return len.source > len.target ? len.source : len.target;
}

/* Counting sort of order by the longer side. The shorter one decides nothing: the more ties, the more the neighbours of a pair
 * change from epoch to epoch. */
static void sort_by_length(pair_batcher *batcher)
{
    int64_t *start = batcher->tally; /* of each length's pairs in the sorted order */
    memset(start, 0, ((size_t)batcher->longest + 2) * sizeof *start);
    for (uint32_t i = 0; i < batcher->count; i++) start[longest_side(batcher->length[i]) + 1]++;
    for (int64_t i = 0; i < batcher->longest; i++) start[i + 1] += start[i];
    for (uint32_t i = 0; i < batcher->count; i++) {
        const uint32_t pair = batcher->order[i];
        batcher->spare[start[longest_side(batcher->length[pair])]++] = pair;
    }
    uint32_t *sorted = batcher->spare;
    batcher->spare = batcher->order;
    batcher->order = sorted;
}

/* Where in order the batch ends that starts at `first`. */
static uint32_t batch_end(const pair_batcher *batcher, uint32_t first)
{
    const at_batcher_options *options = &batcher->options;
    int64_t longest = 0, source = 0, target = 0;
    uint32_t end = first;
    while (end < batcher->count) {
        const lengths len = batcher->length[batcher->order[end]];
        if (longest_side(len) > longest) longest = longest_side(len);
        source += len.source;
        target += len.target;
        const int64_t padded = (int64_t)(end - first + 1) * longest, packed = source > target ? source : target;
        const int64_t cost = options->measure == ATT_BATCH_PADDED ? padded : packed;
        if (cost > options->batch_tokens && end > first) break;
        end++;
    }
    return end;
}

/* Frees the old array and gives a zeroed one of count + 1 items, or NULL. */
static void *renew(void *old, size_t count, size_t size)
{
    free(old);
    return calloc(count + 1, size);
}

/* Arrays of an epoch, whose largest batch has `largest` pairs. */
static at_status prepare_epoch(pair_batcher *b, uint32_t batches, uint32_t largest, at_error *err)
{
    b->batches = 0; /* nothing to get until all of them are there */
    b->cut = renew(b->cut, batches, sizeof *b->cut);
    b->turn = renew(b->turn, batches, sizeof *b->turn);
    b->rows.source_offset = renew(b->rows.source_offset, largest, sizeof *b->rows.source_offset);
    b->rows.target_offset = renew(b->rows.target_offset, largest, sizeof *b->rows.target_offset);
    b->line = renew(b->line, largest, sizeof *b->line);
    if (b->cut && b->turn && b->rows.source_offset && b->rows.target_offset && b->line) return ATT_OK;
    return at_fail_memory(err, 2 * sizeof *b->cut * batches + 3 * sizeof *b->line * largest);
}

/* Cuts order into batches. Two walks: the first one counts, so that the arrays are as large as they must be. */
static at_status cut_batches(pair_batcher *batcher, at_error *err)
{
    uint32_t batches = 0, largest = 0;
    for (uint32_t first = 0, end; first < batcher->count; first = end, batches++) {
        end = batch_end(batcher, first);
        if (end - first > largest) largest = end - first;
    }
    ATT_TRY(prepare_epoch(batcher, batches, largest, err));
    for (uint32_t i = 0; i < batches; i++) batcher->cut[i + 1] = batch_end(batcher, batcher->cut[i]);
    batcher->batches = batches;
    return ATT_OK;
}

static void note_lengths(pair_batcher *batcher)
{
    for (uint32_t i = 0; i < batcher->count; i++) {
        const at_corpus_pair *pair = &batcher->corpus->pair[i];
        const lengths len = {pair->source_len + (batcher->options.source_eos >= 0), pair->target_len + 1};
        batcher->length[i] = len;
        if (longest_side(len) > batcher->longest) batcher->longest = longest_side(len);
    }
}

/* Arrays that live as long as the batcher. */
static at_status prepare(pair_batcher *batcher, at_error *err)
{
    const size_t count = batcher->count;
    batcher->length = renew(NULL, count, sizeof *batcher->length);
    if (!batcher->length) return at_fail_memory(err, count * sizeof *batcher->length);
    note_lengths(batcher);
    const size_t sizes = (size_t)batcher->longest + 2;
    batcher->order = renew(NULL, count, sizeof *batcher->order);
    batcher->spare = renew(NULL, count, sizeof *batcher->spare);
    batcher->tally = renew(NULL, sizes, sizeof *batcher->tally);
    if (batcher->order && batcher->spare && batcher->tally) return ATT_OK;
    return at_fail_memory(err, 2 * count * sizeof *batcher->order + sizes * sizeof *batcher->tally);
}

static void release(at_batcher *base)
{
    pair_batcher *batcher = (pair_batcher *)base;
    free(batcher->length);
    free(batcher->order);
    free(batcher->spare);
    free(batcher->tally);
    free(batcher->cut);
    free(batcher->turn);
    free(batcher->line);
    at_pair_rows_free(&batcher->rows);
    at_ids_free(&batcher->drawn[0]);
    at_ids_free(&batcher->drawn[1]);
    free(batcher);
}

static at_status start(at_batcher *base, int64_t epoch, int64_t *batches, at_error *err)
{
    pair_batcher *batcher = (pair_batcher *)base;
    const bool shuffle = !batcher->options.sorted;
    const uint64_t key = at_rng_key(at_rng_key(batcher->options.seed, stream), (uint64_t)epoch);
    *batches = 0;
    batcher->epoch = epoch;
    batcher->current = -1;
    at_lay_out(batcher->order, batcher->count, shuffle, at_rng_key(key, DRAW_ORDER));
    sort_by_length(batcher);
    ATT_TRY(cut_batches(batcher, err));
    at_lay_out(batcher->turn, batcher->batches, shuffle, at_rng_key(key, DRAW_TURN));
    *batches = batcher->batches;
    return ATT_OK;
}

/* The pair's tokens of one side (0 source, 1 target), valid until the next call for that side. */
static at_status side_tokens(pair_batcher *batcher, uint32_t pair, int side, const int32_t **ids, size_t *len,
                             at_error *err)
{
    const at_corpus *corpus = batcher->corpus;
    const at_resampling *resampling = batcher->options.resampling;
    at_ids *drawn = &batcher->drawn[side];
    *ids = side ? at_corpus_target(corpus, pair) : at_corpus_source(corpus, pair);
    *len = side ? corpus->pair[pair].target_len : corpus->pair[pair].source_len;
    if (resampling == NULL) return ATT_OK;
    drawn->len = 0;
    ATT_TRY(at_resample(resampling, side, batcher->epoch, corpus->pair[pair].line, *ids, *len, drawn, err));
    *ids = drawn->data;
    *len = drawn->len;
    return ATT_OK;
}

static at_status add_pair(pair_batcher *batcher, uint32_t pair, at_error *err)
{
    const int32_t *source, *target;
    size_t source_len, target_len;
    ATT_TRY(side_tokens(batcher, pair, 0, &source, &source_len, err));
    ATT_TRY(side_tokens(batcher, pair, 1, &target, &target_len, err));
    return at_pair_rows_add(&batcher->rows, &batcher->options, source, source_len, target, target_len, err);
}

static at_status get(at_batcher *base, int64_t index, at_pair_batch *batch, at_error *err)
{
    pair_batcher *batcher = (pair_batcher *)base;
    assert(index >= 0 && index < batcher->batches);
    const uint32_t number = batcher->turn[index], first = batcher->cut[number];
    const uint32_t count = batcher->cut[number + 1] - first;
    if (index == batcher->current) { /* asked for again, to count its tokens and to use them */
        *batch = batcher->handed;
        return ATT_OK;
    }
    batcher->current = -1;
    at_pair_rows_clear(&batcher->rows);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t pair = batcher->order[first + i];
        ATT_TRY(add_pair(batcher, pair, err));
        batcher->line[i] = batcher->corpus->pair[pair].line;
    }
    batcher->handed = at_pair_rows_batch(&batcher->rows);
    batcher->handed.line = batcher->line;
    batcher->current = index;
    *batch = batcher->handed;
    return ATT_OK;
}

at_status at_batcher_new(at_batcher **batcher, const at_corpus *corpus, const at_batcher_options *options,
                         at_error *err)
{
    *batcher = NULL;
    if (options->batch_tokens < 1) {
        return at_fail(err, ATT_OPTION, "a batch of %lld tokens holds nothing; give batch_tokens of at least 1",
                       (long long)options->batch_tokens);
    }
    if (corpus->count > UINT32_MAX) {
        return at_fail(err, ATT_UNSUPPORTED, "a corpus of %lld pairs is too large for one epoch; split it",
                       (long long)corpus->count);
    }
    pair_batcher *made = calloc(1, sizeof *made);
    if (!made) return at_fail_memory(err, sizeof *made);
    made->base = (at_batcher){start, get, release};
    made->corpus = corpus;
    made->options = *options;
    made->count = (uint32_t)corpus->count;
    const at_status status = prepare(made, err);
    if (status == ATT_OK) {
        *batcher = &made->base;
    } else {
        release(&made->base);
    }
    return status;
}
