/* Token-budget batches from length buckets, shuffled anew each epoch.
 *
 * Within an epoch: pairs are shuffled by (seed, epoch) and sorted by length, equal lengths staying in shuffled order;
 * so the pairs of a batch are of one length and meet other neighbours in each epoch. The order is cut into batches of
 * at most `batch_tokens`, and the batches are shuffled. All of it is a pure function of (corpus, options, epoch), so a
 * position in the data is (epoch, batch number) and nothing else.
 *
 * Memory: 16 bytes a pair (lengths, order, the sort's second order) and the batch; tokens are touched only when a batch
 * is made of them. */
#ifndef ATT_DATA_BATCHER_H
#define ATT_DATA_BATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"
#include "data/corpus.h"
#include "data/resample.h"
#include "tape/batch.h"

/* How the tokens of a batch are counted against batch_tokens. */
typedef enum at_batch_measure {
    ATT_BATCH_PADDED, /* pairs x longest side, end tokens included: what padded implementations count */
    ATT_BATCH_PACKED  /* real tokens: the larger of the two sides' sums, end tokens included */
} at_batch_measure;

typedef struct at_batcher_options {
    int64_t batch_tokens; /* at least 1; a single pair that is larger makes a batch of its own */
    at_batch_measure measure;
    uint64_t seed;
    int32_t source_eos;               /* appended to sources; -1: none */
    int32_t target_start, target_eos; /* begins target_in; ends target_out */
    bool sorted;                      /* validation: pure length order, no shuffling */
    const at_resampling
        *resampling; /* each epoch draws other segmentations of the same text; NULL: the corpus' tokens. Borrowed.
                        Batches are cut by the corpus' lengths, which the drawn ones may exceed. */
} at_batcher_options;

/* What lays out epochs and makes their batches: of pairs here, of a stream's windows in window_batcher.h. The functions
 * are those below. */
typedef struct at_batcher at_batcher;
struct at_batcher {
    at_status (*start)(at_batcher *batcher, int64_t epoch, int64_t *batches, at_error *err);
    at_status (*get)(at_batcher *batcher, int64_t index, at_pair_batch *batch, at_error *err);
    void (*free)(at_batcher *batcher);
};

/* A batch of pairs that is being made, for batchers of pairs. Starts zeroed, but for the offsets. */
typedef struct at_pair_rows {
    int64_t count;
    int64_t *source_offset, *target_offset; /* calloc'ed, room for the largest batch + 1; from the batcher */
    at_ids source, target_in, target_out;
} at_pair_rows;

void at_pair_rows_clear(at_pair_rows *rows);
/* Appends a pair's tokens with the begin and end tokens that the options name. */
at_status at_pair_rows_add(at_pair_rows *rows, const at_batcher_options *options, const int32_t *source, size_t source_len,
                           const int32_t *target, size_t target_len, at_error *err);
/* What was added; belongs to rows. line is NULL. */
at_pair_batch at_pair_rows_batch(const at_pair_rows *rows);
void at_pair_rows_free(at_pair_rows *rows); /* the offsets too */

/* The corpus is borrowed and must stay unchanged as long as the batcher lives. */
at_status at_batcher_new(at_batcher **batcher, const at_corpus *corpus, const at_batcher_options *options,
                         at_error *err);

static inline void at_batcher_free(at_batcher *batcher) /* NULL is fine */
{
    if (batcher) batcher->free(batcher);
}

/* Lays out the batches of an epoch; returns how many. */
static inline at_status at_batcher_start(at_batcher *batcher, int64_t epoch, int64_t *batches, at_error *err)
{
    return batcher->start(batcher, epoch, batches, err);
}

/* Batch `index` of the started epoch, from 0; its arrays belong to the batcher until the next call. */
static inline at_status at_batcher_get(at_batcher *batcher, int64_t index, at_pair_batch *batch, at_error *err)
{
    return batcher->get(batcher, index, batch, err);
}

#endif
