/* Training speed on real parallel text: the work of bench/peers/train_torch.py, step for step. */
#ifndef ATT_TRAIN_BENCH_H
#define ATT_TRAIN_BENCH_H

#include "base/option.h"

typedef struct at_bench_train_options {
    char *source, *target, *sentencepiece;
    int64_t width, ffn, heads, layers, batch_tokens, steps, threads;
    double dropout, smoothing;
} at_bench_train_options;

extern const at_option at_bench_train_table[];

typedef struct at_bench_train_result {
    double target_tokens_per_s; /* over all timed steps; an end token counts, a begin token doesn't */
    double best;                /* of one step */
    double loss;                /* of the last step, nats a token */
    int64_t parameters;
    int64_t peak_mb; /* largest resident size of the process */
} at_bench_train_result;

/* Three steps to warm up, then `steps` timed ones: pre-norm, one tied table, sinusoids, dropout in all four places, label smoothing,
 * Adam at rate 1e-4. */
at_status at_bench_train(const at_bench_train_options *options, at_bench_train_result *result, at_error *err);

#endif
