/* Packed batch: sequences laid end to end, never padded.
 *
 *   ids     a0 a1 a2 | b0 b1 | c0 c1 c2 c3        N = 9 tokens
 *   offset  0          3       5             9    B + 1 entries
 *   line    17         4       230                line number in the corpus (from 1), for messages
 *
 * Every token-wise op sees one plain matrix of N rows; only attention, recurrences and convolutions look at the
 * offsets. So no time is spent on padding, no mask can be wrong, and a sequence's result can't depend on its
 * neighbours. */
#ifndef ATT_TAPE_BATCH_H
#define ATT_TAPE_BATCH_H

#include <stdint.h>

typedef struct at_packed {
    int64_t count;         /* B sequences */
    const int64_t *offset; /* B + 1 */
    const int32_t *ids;    /* N = offset[B]; NULL when only the boundaries matter */
} at_packed;

/* What an encoder-decoder trains on. Sequence b of each member belongs together. */
typedef struct at_pair_batch {
    at_packed source;     /* tokens, end token last */
    at_packed target_in;  /* begin token, then the target's tokens */
    at_packed target_out; /* the target's tokens, then the end token; same offsets as target_in */
    const int64_t *line;  /* B line numbers */
} at_pair_batch;

static inline int64_t at_packed_tokens(const at_packed *packed)
{
    return packed->offset[packed->count];
}

#endif
