#include "train/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "base/rng.h"
#include "train/accumulate.h"

#define FIELD(name) offsetof(at_bench_train_options, name)
const at_option at_bench_train_table[] = {
    {"source", ATT_OPT_PATH, FIELD(source), NULL, 0, 0, NULL, "source text, one sentence a line", 's'},
    {"target", ATT_OPT_PATH, FIELD(target), NULL, 0, 0, NULL, "target text, parallel to it", 't'},
    {"sentencepiece", ATT_OPT_PATH, FIELD(sentencepiece), NULL, 0, 0, NULL, "joint SentencePiece model", 0},
    {"width", ATT_OPT_INT, FIELD(width), "256", 1, 65536, NULL, "width of the model", 0},
    {"ffn", ATT_OPT_INT, FIELD(ffn), "1024", 1, 1e6, NULL, "inner width of the feed-forward layers", 0},
    {"heads", ATT_OPT_INT, FIELD(heads), "4", 1, 1024, NULL, "attention heads", 0},
    {"layers", ATT_OPT_INT, FIELD(layers), "3", 1, 1000, NULL, "layers of encoder and decoder each", 0},
    {"batch-tokens", ATT_OPT_INT, FIELD(batch_tokens), "4096", 1, 1e9, NULL, "pairs times longest side of a batch, at most", 0},
    {"steps", ATT_OPT_INT, FIELD(steps), "12", 1, 1e6, NULL, "timed steps", 0},
    {"threads", ATT_OPT_INT, FIELD(threads), "0", 0, 1024, NULL, "threads; 0: one a core", 0},
    {"dropout", ATT_OPT_REAL, FIELD(dropout), "0.1", 0, 0.99, NULL, "rate of dropout, in all four places", 0},
    {"smoothing", ATT_OPT_REAL, FIELD(smoothing), "0.1", 0, 0.99, NULL, "label smoothing", 0},
    {0},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static at_status set_number(at_model *model, const char *name, double value, at_error *err)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return at_option_set(at_option_find(model->arch->options, name), model->config, text, name, err);
}

static at_status make_model(at_model **out, const at_bench_train_options *o, int vocab, at_backend *be, at_error *err)
{
    at_model *m;
    ATT_TRY(at_model_new(&m, at_arch_find("transformer"), be, err));
    *out = m;
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"source-vocab", vocab}, {"target-vocab", vocab}, {"width", (double)o->width}, {"ffn", (double)o->ffn}, {"heads", (double)o->heads},
                   {"encoder-layers", (double)o->layers}, {"decoder-layers", (double)o->layers}, {"dropout", o->dropout},
                   {"dropout-embedding", o->dropout}, {"dropout-attention", o->dropout}, {"dropout-ffn", o->dropout}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) ATT_TRY(set_number(m, numbers[i].name, numbers[i].value, err));
    ATT_TRY(at_option_set(at_option_find(m->arch->options, "norm"), m->config, "pre", "norm", err));
    ATT_TRY(at_model_build(m, true, err));
    return at_params_draw(&m->params, 1, err);
}

static at_status one_step(at_ctx *ctx, at_model *m, at_batcher *batcher, int64_t index, const at_bench_train_options *o, at_loss *sum, at_error *err)
{
    at_params *p = &m->params;
    at_params_clear_grad(p);
    ATT_TRY(at_accumulate(ctx, m, batcher, index, 1, (float)o->smoothing, at_rng_key(1, (uint64_t)index), sum, err));
    at_params_settle_grad(p);
    const at_adam_args adam = {1e-4f, 0.9f, 0.98f, 1e-9f, index + 1, 1};
    p->be->adam(p->be, p->data, p->moment1, p->moment2, p->grad, p->floats, &adam);
    at_params_changed(p);
    return ATT_OK;
}

enum { WARM_UP = 3 };

static at_status timed_steps(at_model *m, at_batcher *batcher, const at_bench_train_options *o, at_bench_train_result *r, at_error *err)
{
    at_ctx ctx;
    at_ctx_init(&ctx, m->params.be);
    at_status status = ATT_OK;
    int64_t batches, tokens = 0;
    double seconds = 0;
    status = at_batcher_start(batcher, 0, &batches, err);
    for (int64_t i = 0; i < WARM_UP + o->steps && i < batches && status == ATT_OK; i++) {
        at_loss sum;
        const double start = now();
        status = one_step(&ctx, m, batcher, i, o, &sum, err);
        const double took = now() - start, rate = (double)sum.tokens / took;
        r->loss = sum.loss / (double)sum.tokens;
        if (i < WARM_UP) continue;
        tokens += sum.tokens;
        seconds += took;
        if (rate > r->best) r->best = rate;
    }
    r->target_tokens_per_s = seconds > 0 ? (double)tokens / seconds : 0;
    at_ctx_free(&ctx);
    return status;
}

/* Tokenizer, corpus, batches, model; each freed by the caller's frame in reverse. */
static at_status bench_corpus(const at_corpus *corpus, const at_tokenizer *tokenizer, const at_bench_train_options *o, at_backend *be,
                              at_bench_train_result *r, at_error *err)
{
    const at_batcher_options options = {o->batch_tokens, ATT_BATCH_PADDED, 1, at_tokenizer_eos(tokenizer), at_tokenizer_bos(tokenizer),
                                        at_tokenizer_eos(tokenizer), false};
    at_batcher *batcher = NULL;
    at_model *model = NULL;
    at_status status = at_batcher_new(&batcher, corpus, &options, err);
    if (status == ATT_OK) status = make_model(&model, o, at_tokenizer_size(tokenizer), be, err);
    if (status == ATT_OK) status = timed_steps(model, batcher, o, r, err);
    if (status == ATT_OK) r->parameters = at_params_count(&model->params);
    at_model_free(model);
    at_batcher_free(batcher);
    return status;
}

at_status at_bench_train(const at_bench_train_options *o, at_bench_train_result *r, at_error *err)
{
    at_map map;
    at_tokenizer *tokenizer = NULL;
    at_corpus corpus = {0};
    at_backend *be = NULL;
    memset(r, 0, sizeof *r);
    if (!o->source || !o->target || !o->sentencepiece) return at_fail(err, ATT_OPTION, "bench train needs source, target and sentencepiece");
    ATT_TRY(at_map_open(&map, o->sentencepiece, err));
    at_status status = at_tokenizer_open(&tokenizer, map.data, map.size, o->sentencepiece, err);
    at_map_close(&map);
    const char *const source[] = {o->source}, *const target[] = {o->target};
    const at_corpus_spec spec = {.files = {.sources = source, .targets = target, .count = 1}, .judge = {.tokenizer = {tokenizer, tokenizer}}};
    if (status == ATT_OK) status = at_corpus_open(&corpus, &spec, err);
    if (status == ATT_OK) status = at_cpu_backend_new(&be, (int)o->threads, NULL, err);
    if (status == ATT_OK) status = bench_corpus(&corpus, tokenizer, o, be, r, err);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    r->peak_mb = usage.ru_maxrss / 1024;
    if (be) be->free(be);
    at_corpus_free(&corpus);
    at_tokenizer_free(tokenizer);
    return status;
}
