/* Positions of tokens: the published sinusoids (Vaswani et al. 2017, section 3.5), as rows for at_embed. */
#ifndef ATT_NN_POSITIONS_H
#define ATT_NN_POSITIONS_H

#include "tape/batch.h"
#include "tape/tape.h"

typedef enum at_positions {
    ATT_POSITIONS_NONE,
    ATT_POSITIONS_INTERLEAVED,   /* dimension 2i: sin(p w_i), 2i+1: cos(p w_i), w_i = 10000^(-2i/D): the paper */
    ATT_POSITIONS_HALVES,        /* [sines | cosines], w_i = 10000^(-2i/D): Hugging Face's MarianMT */
    ATT_POSITIONS_TENSOR2TENSOR, /* [sines | cosines], w_i = 10000^(-i/(D/2 - 1)): tensor2tensor, Marian, fairseq */
    ATT_POSITIONS_LEARNED
} at_positions;

/* Rows for positions first .. first + count - 1 on the device, computed anew: no table, so no longest sentence. */
at_tensor *at_sinusoids(at_ctx *ctx, at_positions kind, int64_t first, int64_t count, int64_t width);

/* The position of each token of a packed batch, counted from 0 in each sequence (host, lives for the step); *longest receives the
 * length of the longest sequence. */
const int32_t *at_position_ids(at_ctx *ctx, const at_packed *sequences, int64_t *longest);

#endif
