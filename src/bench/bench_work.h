/* The work that the benchmarks of training share: a model of a preset's shape, batches of text or of random tokens, and
 * one step. On real parallel text it is the work of bench/peers/train_torch.py, with preset gpt2 that of
 * bench/peers/gpt2_torch.py, step for step. Read next: bench_train.h, bench_products.h. */
#ifndef ATT_BENCH_BENCH_WORK_H
#define ATT_BENCH_BENCH_WORK_H

#include "base/option.h"
#include "data/batcher.h"
#include "model/model.h"
#include "train/train_options.h"

typedef struct at_bench_options {
    char *source, *target, *sentencepiece; /* all NULL: random tokens */
    int64_t skip;                          /* batches of the text left out at first */
    int task;                              /* at_task */
    int preset;                            /* see at_bench_shape */
    int64_t width, ffn, heads, layers;     /* 0: the preset's */
    int64_t batch_tokens, length, vocab, steps, threads;
    double dropout, smoothing;
    int precision; /* at_precision */
    bool recompute;
} at_bench_options;

/* Rows for the text, and for everything else. */
extern const at_option at_bench_text_table[], at_bench_work_table[];
/* preset: an index of at_preset_names, or one past them: GPT-2's. Puts the preset's sizes where none are given. */
void at_bench_shape(at_bench_options *options);

typedef struct at_bench_work {
    const at_bench_options *options;
    at_model *model;
    int64_t batches; /* different ones; they come in turn */
    at_tokenizer *tokenizer;
    at_corpus corpus; /* text */
    at_batcher *batcher;
    int64_t sequences, *source_offset, *target_offset; /* random tokens: (batches, sequences + 1) */
    int64_t *count;                                    /* sequences of each batch */
    int32_t *ids;
} at_bench_work;

/* Makes the model on be (which stays the caller's) and the batches. options, after at_bench_shape, are kept. Dropout in all four
 * places; translation: pre-norm, one tied table, sinusoids; language model: gpt, sequences of `length` tokens, as many as
 * batch_tokens holds. ATT_OPTION: text or sizes that the task needs aren't given, or the preset is another task's.
 * at_bench_work_close also after a failure. */
at_status at_bench_work_open(at_bench_work *work, const at_bench_options *options, at_backend *be, at_error *err);
void at_bench_work_close(at_bench_work *work);
/* One update, on batch number `step` in turn: label smoothing, Adam at rate 1e-4. */
at_status at_bench_work_step(at_bench_work *work, at_ctx *ctx, int64_t step, at_loss *loss, at_error *err);
/* A translator of these options on random weights, for other benchmarks. */
at_status at_bench_translator(at_model **model, const at_bench_options *options, int64_t vocab, bool training,
                              at_backend *be, at_error *err);

#endif
