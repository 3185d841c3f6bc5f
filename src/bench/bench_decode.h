/* Speed of decoding: greedy or beam search by a model, or by random weights of a preset's shape. */
#ifndef ATT_BENCH_BENCH_DECODE_H
#define ATT_BENCH_BENCH_DECODE_H

#include "bench/bench_work.h"

typedef struct at_bench_decode_options {
    char *model, *source; /* both NULL: random weights and tokens */
    int preset;
    int64_t vocab, sentences, length, batch, beam, runs, threads;
} at_bench_decode_options;

extern const at_option at_bench_decode_table[];

typedef struct at_bench_decode_result {
    double sentences_per_s, tokens_per_s; /* output tokens, end tokens counted; of the median run */
    double ms;                            /* median */
    int64_t sentences, tokens;            /* of a run */
    int threads;
} at_bench_decode_result;

/* A run to warm up, then `runs` timed ones over the same sentences, sorted by length into batches. Random weights end no
 * sentence, so that every output has `length` tokens. ATT_OPTION: model and source aren't given together. */
at_status at_bench_decode_run(at_bench_decode_result *result, const at_bench_decode_options *options, at_error *err);

#endif
