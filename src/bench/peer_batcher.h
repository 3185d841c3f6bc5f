/* Batches of text that hold, pair for pair, those of bench/peers/train_torch.py, so that both programs do the same work:
 *
 *   pairs by length of the target, then of the source | 0 2 5 | 1 4 | 3      cut where pairs x longest side > batch_tokens
 *
 * A target counts its begin and its end token, a source its end token. Batches come in the same order, too, in every
 * epoch: runs of a few steps meet the same ones. data/batcher.h's own are fuller by some percent: it sorts by the longer
 * side, and counts one token less, since each of its two target rows has only one of the marks. */
#ifndef ATT_BENCH_PEER_BATCHER_H
#define ATT_BENCH_PEER_BATCHER_H

#include "data/batcher.h"

/* To be used and freed as any at_batcher. Of the options: batch_tokens and the tokens. The corpus is borrowed. */
at_status at_peer_batcher_new(at_batcher **batcher, const at_corpus *corpus, const at_batcher_options *options,
                              at_error *err);

#endif
