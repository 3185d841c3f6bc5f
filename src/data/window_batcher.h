/* Batches of a language model: windows of one long stream of tokens, each predicting the token after each of its own.
 *
 *   stream    t0 t1 t2 | t3 t4 t5 t6 | t7 t8 t9 t10 | t11 ...        context 4, offset 3
 *   window 0  t0 t1 t2  ->  t1 t2 t3
 *   window 1  t3 .. t6  ->  t4 .. t7
 *
 * Every token but the first is predicted once an epoch: cuts stand at offset, offset + context, ..., so only the first
 * and the last window are shorter than the context. The offset is drawn anew for each epoch, so that a token meets
 * another past in each, and the windows are shuffled. Against random crops (nanoGPT's way) no token is left out or
 * comes twice within an epoch, and what "an epoch" means stays the same as for sentence pairs. For validation the
 * offset is 0 and the order is the text's.
 *
 * All of it is a pure function of (stream, options, epoch), so a position in the data is (epoch, batch number) and
 * nothing else. Memory: 4 bytes a window; tokens are read where the corpus has them. */
#ifndef ATT_DATA_WINDOW_BATCHER_H
#define ATT_DATA_WINDOW_BATCHER_H

#include "data/batcher.h"

typedef struct at_window_options {
    int64_t context;      /* tokens of a window, at least 1 */
    int64_t batch_tokens; /* a batch has batch_tokens / context windows, one at least */
    uint64_t seed;
    bool sorted; /* validation: offset 0, no shuffling */
} at_window_options;

/* The corpus is of one side (corpus.h), has at least 2 tokens, is borrowed and must stay unchanged. Sources of the
 * batches are empty; `line` is that of a window's first token. */
at_status at_window_batcher_new(at_batcher **batcher, const at_corpus *corpus, const at_window_options *options,
                                at_error *err);

#endif
