/* Subword regularisation: each epoch reads the same text in other pieces (Kudo 2018; Provilkov et al. 2020). The corpus
 * keeps tokens, not text; as a SentencePiece segmentation can be undone, they are enough. Draws are a function of
 * (seed, epoch, line, side), so neither threads nor continuations change them. */
#ifndef ATT_DATA_RESAMPLE_H
#define ATT_DATA_RESAMPLE_H

#include "text/tokenizer.h"

typedef struct at_resampling {
    const at_tokenizer *source, *target;
    at_subword_sampling how;
    uint64_t seed;
    int64_t max_tokens; /* a draw that is longer is not used; 0: no limit */
} at_resampling;

/* Appends another segmentation of the text of ids. side: 0 source, 1 target. */
at_status at_resample(const at_resampling *resampling, int side, int64_t epoch, int64_t line, const int32_t *ids,
                      size_t count, at_ids *out, at_error *err);

#endif
