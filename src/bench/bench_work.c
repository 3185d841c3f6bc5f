/* See bench_work.h. A task makes a model and hands out batches; the step is the same for all. */
#include "bench/bench_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "bench/peer_batcher.h"

#define FIELD(name) offsetof(at_bench_options, name)

/* at_preset_names, in that order, and one more. */
static const char *const presets[] = {"tiny", "small", "base", "big", "gpt2", NULL};
enum { PRESET_GPT2 = 4 };

const at_option at_bench_text_table[] = {
    {"source", ATT_OPT_PATH, FIELD(source), NULL, 0, 0, NULL, "source text, one sentence a line", 's'},
    {"target", ATT_OPT_PATH, FIELD(target), NULL, 0, 0, NULL, "target text, parallel to it", 't'},
    {"sentencepiece", ATT_OPT_PATH, FIELD(sentencepiece), NULL, 0, 0, NULL, "joint SentencePiece model", 0},
    {"skip", ATT_OPT_INT, FIELD(skip), "0", 0, 1e9, NULL, "batches of the text to leave out at first", 0},
    {0},
};

const at_option at_bench_work_table[] = {
    {"task", ATT_OPT_CHOICE, FIELD(task), "translation", 0, 0, at_task_names,
     "a translator, or a language model on random tokens", 0},
    {"preset", ATT_OPT_CHOICE, FIELD(preset), "small", 0, 0, presets,
     "shape of the model where no sizes are given; gpt2: of a language model", 0},
    {"width", ATT_OPT_INT, FIELD(width), "0", 0, 65536, NULL, "width of the model; 0: the preset's", 0},
    {"ffn", ATT_OPT_INT, FIELD(ffn), "0", 0, 1e6, NULL, "inner width of the feed-forward layers; 0: the preset's", 0},
    {"heads", ATT_OPT_INT, FIELD(heads), "0", 0, 1024, NULL, "attention heads; 0: the preset's", 0},
    {"layers", ATT_OPT_INT, FIELD(layers), "0", 0, 1000, NULL, "layers (of encoder and decoder each); 0: the preset's",
     0},
    {"batch-tokens", ATT_OPT_INT, FIELD(batch_tokens), "4096", 1, 1e9, NULL,
     "sequences times longest side of a batch, at most", 0},
    {"length", ATT_OPT_INT, FIELD(length), "64", 1, 1e7, NULL, "tokens of a language model's sequence", 0},
    {"vocab", ATT_OPT_INT, FIELD(vocab), "0", 0, 1e7, NULL,
     "vocabulary of random tokens; 0: 8000, of a language model 50257", 0},
    {"steps", ATT_OPT_INT, FIELD(steps), "12", 1, 1e6, NULL, "timed steps", 0},
    {"threads", ATT_OPT_INT, FIELD(threads), "0", 0, 1024, NULL, "threads; 0: one a core", 0},
    {"precision", ATT_OPT_CHOICE, FIELD(precision), "float32", 0, 0, at_precision_names,
     "arithmetic of the large products; bf16: operands rounded to bfloat16, sums in float32", 0},
    {"recompute", ATT_OPT_BOOL, FIELD(recompute), "false", 0, 0, NULL,
     "compute the activations of each layer again in the backward pass instead of keeping them", 0},
    {"dropout", ATT_OPT_REAL, FIELD(dropout), "0.1", 0, 0.99, NULL, "rate of dropout, in all four places", 0},
    {"smoothing", ATT_OPT_REAL, FIELD(smoothing), "0.1", 0, 0.99, NULL, "label smoothing", 0},
    {0},
};

/* ---- shapes ---- */

static const at_preset_value gpt2[] = {
    {"width", "768"}, {"ffn", "3072"}, {"heads", "12"}, {"encoder-layers", "12"}, {0}};

static int64_t preset_number(const at_preset_value *values, const char *name)
{
    while (values->name && strcmp(values->name, name) != 0) values++;
    return values->name ? strtoll(values->value, NULL, 10) : 1;
}

void at_bench_shape(at_bench_options *o)
{
    const at_preset_value *preset = o->preset == PRESET_GPT2 ? gpt2 : at_preset_find(at_preset_names[o->preset]);
    if (o->width == 0) o->width = preset_number(preset, "width");
    if (o->ffn == 0) o->ffn = preset_number(preset, "ffn");
    if (o->heads == 0) o->heads = preset_number(preset, "heads");
    if (o->layers == 0) o->layers = preset_number(preset, "encoder-layers");
    if (o->vocab == 0) o->vocab = o->task == ATT_TASK_LANGUAGE_MODEL ? 50257 : 8000;
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

static at_status configure(at_model *model, const at_bench_options *o, const number *numbers, int64_t vocab,
                           at_error *err)
{
    const number shared[] = {{"width", (double)o->width},       {"ffn", (double)o->ffn},
                             {"heads", (double)o->heads},       {"dropout", o->dropout},
                             {"dropout-embedding", o->dropout}, {"dropout-attention", o->dropout},
                             {"dropout-ffn", o->dropout}};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        ATT_TRY(set_number(model, shared[i].name, shared[i].value, err));
    for (; numbers->name; numbers++) ATT_TRY(set_number(model, numbers->name, numbers->value, err));
    model->arch->set_vocab(model, vocab, vocab, true);
    return ATT_OK;
}

static at_status build(at_model *model, bool training, at_error *err)
{
    ATT_TRY(at_model_build(model, training, err));
    if (training) ATT_TRY(at_params_keep(&model->params, ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2, err));
    return at_params_draw(&model->params, 1, err);
}

at_status at_bench_translator(at_model **model, const at_bench_options *o, int64_t vocab, bool training, at_backend *be,
                              at_error *err)
{
    const number numbers[] = {{"encoder-layers", (double)o->layers}, {"decoder-layers", (double)o->layers}, {0}};
    ATT_TRY(at_model_new(model, at_arch_find("transformer"), be, err));
    ATT_TRY(configure(*model, o, numbers, vocab, err));
    ATT_TRY(at_option_set(at_option_find((*model)->arch->options, "norm"), (*model)->config, "pre", "norm", err));
    return build(*model, training, err);
}

static at_status make_language_model(at_model **model, const at_bench_options *o, at_backend *be, at_error *err)
{
    /* One model for all lengths of a batch, so that they can be compared. */
    const double context = o->batch_tokens > 1024 ? (double)o->batch_tokens : 1024;
    const number numbers[] = {{"layers", (double)o->layers}, {"context", context}, {0}};
    ATT_TRY(at_model_new(model, at_arch_find("gpt"), be, err));
    ATT_TRY(configure(*model, o, numbers, o->vocab, err));
    return build(*model, true, err);
}

/* ---- text ---- */

static at_status open_text(at_bench_work *w, at_error *err)
{
    const at_bench_options *o = w->options;
    if (!o->source || !o->target || !o->sentencepiece)
        return at_fail(err, ATT_OPTION, "give source, target and sentencepiece together");
    ATT_TRY(at_tokenizer_open_file(&w->tokenizer, o->sentencepiece, err));
    const char *const source[] = {o->source}, *const target[] = {o->target};
    const at_corpus_spec spec = {.files = {.sources = source, .targets = target, .count = 1},
                                 .judge = {.tokenizer = {w->tokenizer, w->tokenizer}}};
    ATT_TRY(at_corpus_open(&w->corpus, &spec, err));
    const int32_t eos = at_tokenizer_eos(w->tokenizer);
    const at_batcher_options options = {.batch_tokens = o->batch_tokens,
                                        .source_eos = eos,
                                        .target_start = at_tokenizer_bos(w->tokenizer),
                                        .target_eos = eos};
    ATT_TRY(at_peer_batcher_new(&w->batcher, &w->corpus, &options, err));
    ATT_TRY(at_batcher_start(w->batcher, 0, &w->batches, err));
    if (w->batches == 0) return at_fail(err, ATT_INPUT, "%s: has no sentence pairs", o->source);
    return ATT_OK;
}

/* ---- random tokens ---- */

/* Buckets of like length, as sorting makes them of real text: batch i holds sentences of up to 8 + 2 i tokens. */
enum { BUCKETS = 8, SHORTEST_BUCKET = 8, BUCKET_STEP = 2, SPREAD = 3 };

static int64_t longest_of(const at_bench_work *w, int64_t batch)
{
    return w->options->task == ATT_TASK_LANGUAGE_MODEL ? w->options->length : SHORTEST_BUCKET + BUCKET_STEP * batch;
}

/* Offsets of `count` sequences: of one length, or up to SPREAD - 1 shorter than the longest. */
static void draw_offsets(int64_t *offset, int64_t count, int64_t longest, int64_t spread, uint64_t key)
{
    offset[0] = 0;
    for (int64_t b = 0; b < count; b++)
        offset[b + 1] = offset[b] + longest - (int64_t)at_rng_below(key, (uint64_t)b, (uint32_t)spread);
}

static at_status make_random(at_bench_work *w, at_error *err)
{
    const at_bench_options *o = w->options;
    const bool lm = o->task == ATT_TASK_LANGUAGE_MODEL;
    w->batches = lm ? 1 : BUCKETS;
    w->sequences = o->batch_tokens / longest_of(w, 0);
    if (o->batch_tokens < longest_of(w, w->batches - 1))
        return at_fail(err, ATT_OPTION, "batch-tokens %lld holds no sequence of length %lld; raise batch-tokens",
                       (long long)o->batch_tokens, (long long)longest_of(w, w->batches - 1));
    const size_t offsets = (size_t)(w->batches * (w->sequences + 1)), tokens = (size_t)o->batch_tokens + 1;
    w->source_offset = malloc(offsets * sizeof(int64_t));
    w->target_offset = malloc(offsets * sizeof(int64_t));
    w->count = malloc((size_t)w->batches * sizeof(int64_t));
    w->ids = malloc(tokens * sizeof *w->ids);
    if (!w->source_offset || !w->target_offset || !w->count || !w->ids) return at_fail_memory(err, tokens);
    for (size_t i = 0; i < tokens; i++) w->ids[i] = (int32_t)at_rng_below(7, i, (uint32_t)o->vocab);
    for (int64_t i = 0; i < w->batches; i++) {
        const int64_t at = i * (w->sequences + 1), longest = longest_of(w, i);
        w->count[i] = o->batch_tokens / longest;
        draw_offsets(w->source_offset + at, w->count[i], longest, lm ? 1 : SPREAD, at_rng_key(8, (uint64_t)i));
        draw_offsets(w->target_offset + at, w->count[i], longest, lm ? 1 : SPREAD, at_rng_key(9, (uint64_t)i));
    }
    return ATT_OK;
}

static void random_batch(const at_bench_work *w, int64_t i, at_pair_batch *batch)
{
    const int64_t at = i * (w->sequences + 1), *target = w->target_offset + at;
    const bool lm = w->options->task == ATT_TASK_LANGUAGE_MODEL;
    *batch = (at_pair_batch){.source = {lm ? 0 : w->count[i], w->source_offset + at, lm ? NULL : w->ids},
                             .target_in = {w->count[i], target, w->ids},
                             .target_out = {w->count[i], target, w->ids + 1}};
}

/* ---- steps ---- */

static at_status get_batch(at_bench_work *w, int64_t step, at_pair_batch *batch, at_error *err)
{
    if (w->batcher) return at_batcher_get(w->batcher, (w->options->skip + step) % w->batches, batch, err);
    random_batch(w, step % w->batches, batch);
    return ATT_OK;
}

at_status at_bench_work_step(at_bench_work *w, at_ctx *ctx, int64_t step, at_loss *loss, at_error *err)
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

at_status at_bench_work_open(at_bench_work *w, const at_bench_options *o, at_backend *be, at_error *err)
{
    *w = (at_bench_work){.options = o};
    const bool text = o->source || o->target || o->sentencepiece;
    if (o->preset == PRESET_GPT2 && o->task != ATT_TASK_LANGUAGE_MODEL)
        return at_fail(err, ATT_OPTION, "preset gpt2 is a language model's shape; add --task language-model");
    if (text && o->task == ATT_TASK_LANGUAGE_MODEL)
        return at_fail(err, ATT_OPTION, "the language model reads random tokens; leave out source and target");
    ATT_TRY(text ? open_text(w, err) : make_random(w, err));
    if (o->task == ATT_TASK_LANGUAGE_MODEL) return make_language_model(&w->model, o, be, err);
    return at_bench_translator(&w->model, o, text ? at_tokenizer_size(w->tokenizer) : o->vocab, true, be, err);
}

void at_bench_work_close(at_bench_work *w)
{
    at_model_free(w->model);
    at_batcher_free(w->batcher);
    at_corpus_free(&w->corpus);
    at_tokenizer_free(w->tokenizer);
    free(w->source_offset);
    free(w->target_offset);
    free(w->count);
    free(w->ids);
}
