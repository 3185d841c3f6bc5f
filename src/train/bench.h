/* Training speed: the work of bench/peers/train_torch.py on real parallel text, or of bench/peers/gpt2_torch.py on
 * random tokens, step for step. */
#ifndef ATT_TRAIN_BENCH_H
#define ATT_TRAIN_BENCH_H

#include "base/option.h"

typedef enum at_bench_task { ATT_BENCH_TRANSLATE, ATT_BENCH_LM } at_bench_task;

typedef struct at_bench_train_options {
    int task; /* at_bench_task */
    char *source, *target, *sentencepiece;
    int64_t width, ffn, heads, layers, batch_tokens, length, vocab, steps, threads;
    int precision; /* at_precision */
    double dropout, smoothing;
} at_bench_train_options;

extern const at_option at_bench_train_table[];

typedef struct at_bench_train_result {
    double target_tokens_per_s; /* over all timed steps; an end token counts, a begin token doesn't */
    double best;                /* of one step */
    double ms_per_step;         /* median */
    double loss;                /* of the last step, nats a token */
    int64_t parameters;
    int64_t peak_mb; /* largest resident size of the process */
} at_bench_train_result;

/* Three steps to warm up, then `steps` timed ones; batches begin anew when the text is used up. Dropout in all four
 * places, label smoothing, Adam at rate 1e-4. Translation: pre-norm, one tied table, sinusoids. Language model: gpt,
 * sequences of `length` random tokens, as many as batch_tokens holds. ATT_OPTION: text or sizes that the task needs
 * aren't given. */
at_status at_bench_train(const at_bench_train_options *options, at_bench_train_result *result, at_error *err);

#endif
