/* See bench.h. A task makes a model and hands out batches; steps and clock are the same for all. */
#include "train/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/batcher.h"
#include "model/model.h"

#define FIELD(name) offsetof(at_bench_train_options, name)

static const char *const task_names[] = {"translate", "lm", NULL};

const at_option at_bench_train_table[] = {
    {"task", ATT_OPT_CHOICE, FIELD(task), "translate", 0, 0, task_names,
     "a translator on parallel text, or a language model on random tokens", 0},
    {"source", ATT_OPT_PATH, FIELD(source), NULL, 0, 0, NULL, "source text, one sentence a line", 's'},
    {"target", ATT_OPT_PATH, FIELD(target), NULL, 0, 0, NULL, "target text, parallel to it", 't'},
    {"sentencepiece", ATT_OPT_PATH, FIELD(sentencepiece), NULL, 0, 0, NULL, "joint SentencePiece model", 0},
    {"width", ATT_OPT_INT, FIELD(width), "256", 1, 65536, NULL, "width of the model", 0},
    {"ffn", ATT_OPT_INT, FIELD(ffn), "1024", 1, 1e6, NULL, "inner width of the feed-forward layers", 0},
    {"heads", ATT_OPT_INT, FIELD(heads), "4", 1, 1024, NULL, "attention heads", 0},
    {"layers", ATT_OPT_INT, FIELD(layers), "3", 1, 1000, NULL, "layers (of encoder and decoder each)", 0},
    {"batch-tokens", ATT_OPT_INT, FIELD(batch_tokens), "4096", 1, 1e9, NULL,
     "sequences times longest side of a batch, at most", 0},
    {"length", ATT_OPT_INT, FIELD(length), "64", 1, 1e7, NULL, "tokens of a language model's sequence", 0},
    {"vocab", ATT_OPT_INT, FIELD(vocab), "50257", 1, 1e7, NULL, "vocabulary of a language model", 0},
    {"steps", ATT_OPT_INT, FIELD(steps), "12", 1, 1e6, NULL, "timed steps", 0},
    {"threads", ATT_OPT_INT, FIELD(threads), "0", 0, 1024, NULL, "threads; 0: one a core", 0},
    {"precision", ATT_OPT_CHOICE, FIELD(precision), "float32", 0, 0, at_precision_names,
     "arithmetic of the large products; bf16: operands rounded to bfloat16, sums in float32", 0},
    {"dropout", ATT_OPT_REAL, FIELD(dropout), "0.1", 0, 0.99, NULL, "rate of dropout, in all four places", 0},
    {"smoothing", ATT_OPT_REAL, FIELD(smoothing), "0.1", 0, 0.99, NULL, "label smoothing", 0},
    {0},
};

/* The task in hand. */
typedef struct work {
    const at_bench_train_options *options;
    at_backend *be;
    at_model *model;
    at_tokenizer *tokenizer; /* translation */
    at_corpus corpus;
    at_batcher *batcher;
    int64_t batches;
    int64_t *offset; /* language model */
    int32_t *ids;
} work;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the model ---- */

static at_status set_number(at_model *model, const char *name, double value, at_error *err)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return at_option_set(at_option_find(model->arch->options, name), model->config, text, name, err);
}

typedef struct number {
    const char *name;
    double value;
} number;

static at_status make_model(work *w, const char *arch, const number *numbers, int64_t vocab, at_error *err)
{
    const at_bench_train_options *o = w->options;
    ATT_TRY(at_model_new(&w->model, at_arch_find(arch), w->be, err));
    const number shared[] = {{"width", (double)o->width},       {"ffn", (double)o->ffn},
                             {"heads", (double)o->heads},       {"dropout", o->dropout},
                             {"dropout-embedding", o->dropout}, {"dropout-attention", o->dropout},
                             {"dropout-ffn", o->dropout}};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        ATT_TRY(set_number(w->model, shared[i].name, shared[i].value, err));
    for (; numbers->name; numbers++) ATT_TRY(set_number(w->model, numbers->name, numbers->value, err));
    w->model->arch->set_vocab(w->model, vocab, vocab, true);
    return ATT_OK;
}

static at_status build_model(work *w, at_error *err)
{
    ATT_TRY(at_model_build(w->model, true, err));
    ATT_TRY(at_params_keep(&w->model->params, ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2, err));
    return at_params_draw(&w->model->params, 1, err);
}

/* ---- translation ---- */

static at_status open_tokenizer(work *w, at_error *err)
{
    at_map map;
    ATT_TRY(at_map_open(&map, w->options->sentencepiece, err));
    const at_status status = at_tokenizer_open(&w->tokenizer, map.data, map.size, w->options->sentencepiece, err);
    at_map_close(&map);
    return status;
}

static at_status prepare_translation(work *w, at_error *err)
{
    const at_bench_train_options *o = w->options;
    if (!o->source || !o->target || !o->sentencepiece)
        return at_fail(err, ATT_OPTION, "bench train needs source, target and sentencepiece; give them, or --task lm");
    ATT_TRY(open_tokenizer(w, err));
    const char *const source[] = {o->source}, *const target[] = {o->target};
    const at_corpus_spec spec = {.files = {.sources = source, .targets = target, .count = 1},
                                 .judge = {.tokenizer = {w->tokenizer, w->tokenizer}}};
    ATT_TRY(at_corpus_open(&w->corpus, &spec, err));
    const int32_t eos = at_tokenizer_eos(w->tokenizer);
    const at_batcher_options options = {.batch_tokens = o->batch_tokens,
                                        .measure = ATT_BATCH_PADDED,
                                        .seed = 1,
                                        .source_eos = eos,
                                        .target_start = at_tokenizer_bos(w->tokenizer),
                                        .target_eos = eos};
    ATT_TRY(at_batcher_new(&w->batcher, &w->corpus, &options, err));
    ATT_TRY(at_batcher_start(w->batcher, 0, &w->batches, err));
    if (w->batches == 0) return at_fail(err, ATT_INPUT, "%s: has no sentence pairs", o->source);
    const number numbers[] = {{"encoder-layers", (double)o->layers}, {"decoder-layers", (double)o->layers}, {0}};
    ATT_TRY(make_model(w, "transformer", numbers, at_tokenizer_size(w->tokenizer), err));
    return at_option_set(at_option_find(w->model->arch->options, "norm"), w->model->config, "pre", "norm", err);
}

/* ---- language model ---- */

static at_status prepare_lm(work *w, at_error *err)
{
    const at_bench_train_options *o = w->options;
    const int64_t sequences = o->batch_tokens / o->length, tokens = sequences * o->length + 1;
    if (sequences < 1)
        return at_fail(err, ATT_OPTION, "batch-tokens %lld holds no sequence of length %lld; raise batch-tokens",
                       (long long)o->batch_tokens, (long long)o->length);
    w->offset = malloc((size_t)(sequences + 1) * sizeof *w->offset);
    w->ids = malloc((size_t)tokens * sizeof *w->ids);
    if (w->offset == NULL || w->ids == NULL) return at_fail_memory(err, (size_t)tokens * sizeof *w->ids);
    for (int64_t b = 0; b <= sequences; b++) w->offset[b] = b * o->length;
    for (int64_t i = 0; i < tokens; i++) w->ids[i] = (int32_t)at_rng_below(7, (uint64_t)i, (uint32_t)o->vocab);
    const number numbers[] = {
        {"layers", (double)o->layers}, {"context", o->length > 1024 ? (double)o->length : 1024}, {0}};
    return make_model(w, "gpt", numbers, o->vocab, err);
}

/* ---- steps ---- */

static at_status get_batch(work *w, int64_t step, at_pair_batch *batch, at_error *err)
{
    if (w->batcher) return at_batcher_get(w->batcher, step % w->batches, batch, err);
    const int64_t sequences = w->options->batch_tokens / w->options->length;
    *batch = (at_pair_batch){.source = {0, w->offset, NULL},
                             .target_in = {sequences, w->offset, w->ids},
                             .target_out = {sequences, w->offset, w->ids + 1}};
    return ATT_OK;
}

static at_status run_step(work *w, at_ctx *ctx, int64_t step, at_loss *loss, at_error *err)
{
    at_pair_batch batch;
    at_params *p = &w->model->params;
    ATT_TRY(get_batch(w, step, &batch, err));
    const float scale = 1.0f / (float)at_packed_tokens(&batch.target_out);
    at_params_clear_grad(p);
    at_ctx_begin(ctx, true, true, at_rng_key(1, (uint64_t)step));
    *loss = w->model->arch->loss(ctx, w->model, &batch, (float)w->options->smoothing, scale);
    at_backward(ctx);
    ATT_TRY(at_ctx_check(ctx, err));
    at_params_settle_grad(p);
    const at_optimize_args adam = {.optimizer = ATT_OPTIMIZER_ADAM,
                                   .rate = 1e-4f,
                                   .beta1 = 0.9f,
                                   .beta2 = 0.98f,
                                   .eps = 1e-9f,
                                   .step = step + 1,
                                   .gradient_scale = 1};
    p->be->optimize(p->be, p->data, p->moment1, p->moment2, p->grad, p->floats, &adam);
    at_params_changed(p);
    return ATT_OK;
}

enum { WARM_UP = 3 };

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static at_status time_steps(work *w, at_ctx *ctx, double *took, at_bench_train_result *r, at_error *err)
{
    int64_t tokens = 0;
    double seconds = 0;
    for (int64_t i = 0; i < WARM_UP + w->options->steps; i++) {
        at_loss loss;
        const double start = now();
        ATT_TRY(run_step(w, ctx, i, &loss, err));
        const double one = now() - start, rate = (double)loss.tokens / one;
        r->loss = loss.loss / (double)loss.tokens;
        if (i < WARM_UP) continue;
        took[i - WARM_UP] = one;
        tokens += loss.tokens;
        seconds += one;
        if (rate > r->best) r->best = rate;
    }
    qsort(took, (size_t)w->options->steps, sizeof *took, compare_doubles);
    r->target_tokens_per_s = (double)tokens / seconds;
    r->ms_per_step = 1e3 * took[w->options->steps / 2];
    return ATT_OK;
}

static at_status run(work *w, at_bench_train_result *r, at_error *err)
{
    at_ctx ctx;
    double *took = malloc((size_t)w->options->steps * sizeof *took);
    if (took == NULL) return at_fail_memory(err, (size_t)w->options->steps * sizeof *took);
    at_ctx_init(&ctx, w->be);
    const at_status status = time_steps(w, &ctx, took, r, err);
    at_ctx_free(&ctx);
    free(took);
    return status;
}

static void work_free(work *w)
{
    at_model_free(w->model);
    at_batcher_free(w->batcher);
    at_corpus_free(&w->corpus);
    at_tokenizer_free(w->tokenizer);
    free(w->offset);
    free(w->ids);
    if (w->be) w->be->free(w->be);
}

at_status at_bench_train(const at_bench_train_options *o, at_bench_train_result *r, at_error *err)
{
    work w = {.options = o};
    struct rusage usage;
    memset(r, 0, sizeof *r);
    at_status status = at_cpu_backend_new(&w.be, (int)o->threads, NULL, err);
    if (status == ATT_OK) status = at_cpu_backend_set_precision(w.be, (at_precision)o->precision, err);
    if (status == ATT_OK) status = o->task == ATT_BENCH_LM ? prepare_lm(&w, err) : prepare_translation(&w, err);
    if (status == ATT_OK) status = build_model(&w, err);
    if (status == ATT_OK) status = run(&w, r, err);
    if (status == ATT_OK) r->parameters = at_params_count(&w.model->params);
    getrusage(RUSAGE_SELF, &usage);
    r->peak_mb = usage.ru_maxrss / 1024;
    work_free(&w);
    return status;
}
