/* Does an imported model compute what the program it came from computes? Compares with that program's own answers, kept
 * as expected.safetensors beside the model: inputs (int64) and outputs (float32). Nothing is printed: the report is
 * rows.
 *
 *   source, source_mask (B,S)     padded; the mask is 1 on real tokens
 *   target (B,T)                  the decoder's input, start token first
 *   encoder (B,S,D)  logits (B,T,V)  cross_attention_0 (B,H,T,S)
 *   greedy, beam4 (B,<=21)        start token, at most 20 new ones, end token, padding
 *   beam4_score (B)               summed log-probability over length
 *   .._nr2                        the same three without repeated bigrams
 *
 * and of a language model: tokens (B,T), logits (B,T,V), loss (1), greedy (B,T + 20): the tokens and 20 more. */
#ifndef ATT_INFER_VERIFY_H
#define ATT_INFER_VERIFY_H

#include "infer/bundle.h"

enum { ATT_VERIFY_ROWS = 16 };

typedef struct at_verify_row {
    const char *what; /* such as "logits, largest difference over largest magnitude"; static */
    double measured, limit;
    bool ok; /* measured <= limit */
} at_verify_row;

typedef struct at_verify_report {
    at_verify_row row[ATT_VERIFY_ROWS];
    int count; /* 0: the folder holds no answers */
} at_verify_report;

/* Compares an imported model with dir/expected.safetensors. ATT_OK also where rows are not ok, or the file is absent; ATT_INPUT
 * when the file doesn't fit the model. */
at_status at_verify(const at_bundle *bundle, const char *dir, at_verify_report *report, at_error *err);

#endif
