/* A language model against the answers of the program that it came from (verify.h): logits, loss, and greedy
 * continuation, token by token with a cache. */
#include <math.h>
#include <string.h>

#include "infer/answers.h"

/* Sequences of equal length, so packed they are the tensor itself. */
static at_status read_tokens(at_answers *a, at_error *err)
{
    const int64_t *ids;
    int64_t source, vocab;
    a->target_length = -1;
    a->bundle->model->arch->vocab(a->bundle->model, &source, &vocab);
    ATT_TRY(at_answers_ids(a, "tokens", -1, &a->target_length, &ids, err));
    a->batch = at_safetensors_find(a->file, "tokens")->dim[0];
    return at_answers_pack(a, &a->target, ids, NULL, a->target_length, vocab, NULL, err);
}

/* log P(target) of a row of logits. */
static double log_prob(const float *row, int64_t vocab, int32_t target)
{
    double largest = row[0], sum = 0;
    for (int64_t i = 1; i < vocab; i++) largest = fmax(largest, (double)row[i]);
    for (int64_t i = 0; i < vocab; i++) sum += exp((double)row[i] - largest);
    return (double)row[target] - largest - log(sum);
}

/* The mean over all tokens but the first of each sequence. */
static double mean_loss(const at_answers *a, const float *logits, int64_t vocab)
{
    double sum = 0;
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t i = a->target.offset[b] + 1; i < a->target.offset[b + 1]; i++)
            sum -= log_prob(logits + (i - 1) * vocab, vocab, a->target.ids[i]);
    return sum / (double)(a->batch * (a->target_length - 1));
}

static at_status verify_logits(at_answers *a, at_ctx *ctx, at_verify_report *report, at_error *err)
{
    const at_model *model = a->bundle->model;
    const float *theirs, *their_loss;
    at_difference d = {0}, loss = {0};
    at_ctx_begin(ctx, false, false, 0);
    const at_tensor *t = model->arch->decode(ctx, model, NULL, NULL, &a->target, NULL);
    ATT_TRY(at_ctx_check(ctx, err));
    const int64_t vocab = at_tensor_width(t), n = at_tensor_floats(t);
    const float *ours = at_answers_download(a, t);
    if (ours == NULL) return at_fail_memory(err, (size_t)n * sizeof(float));
    ATT_TRY(at_answers_floats(a, "logits", (const int64_t[]){a->batch, a->target_length, vocab, 0}, &theirs, err));
    ATT_TRY(at_answers_floats(a, "loss", (const int64_t[]){1, 0}, &their_loss, err));
    for (int64_t i = 0; i < n; i++) at_difference_add(&d, ours[i], theirs[i]);
    at_difference_add(&loss, mean_loss(a, ours, vocab), *their_loss);
    at_verify_add_difference(report, "logits, largest difference / largest magnitude", &d);
    at_verify_add_difference(report, "loss, difference / magnitude", &loss);
    return ATT_OK;
}

/* One token of every sequence: fed at `time`, each sequence its own slot; ids receives the most probable next ones. */
static at_status feed(at_answers *a, at_ctx *ctx, at_cache *cache, int64_t time, const int64_t *slot, int32_t *ids,
                      at_error *err)
{
    const at_model *model = a->bundle->model;
    at_backend *be = ctx->be;
    int64_t *length = at_arena_array(&a->arena, (size_t)a->batch, sizeof *length);
    float *log_probs = at_arena_array(&a->arena, (size_t)a->batch, sizeof *log_probs);
    if (length == NULL || log_probs == NULL) return at_fail_memory(err, (size_t)a->batch * sizeof *length);
    for (int64_t b = 0; b < a->batch; b++) length[b] = time;
    const at_cache_step step = {a->batch, cache->capacity, slot, length};
    at_ctx_begin(ctx, false, false, 0);
    at_tensor *logits = model->arch->step(ctx, model, NULL, cache, &step, ids, NULL);
    ATT_TRY(at_ctx_check(ctx, err));
    be->top_k(be, ids, log_probs, logits->data, a->batch, at_tensor_width(logits), 1);
    return at_ctx_check(ctx, err);
}

static at_status count_wrong(at_answers *a, at_ctx *ctx, at_cache *cache, const int64_t *theirs, int64_t width,
                             int64_t *wrong, at_error *err)
{
    int64_t *slot = at_arena_array(&a->arena, (size_t)a->batch, sizeof *slot);
    int32_t *ids = at_arena_array(&a->arena, (size_t)a->batch, sizeof *ids);
    bool *differs = at_arena_zalloc(&a->arena, (size_t)a->batch * sizeof *differs);
    if (slot == NULL || ids == NULL || differs == NULL) return at_fail_memory(err, (size_t)a->batch * sizeof *slot);
    for (int64_t b = 0; b < a->batch; b++) slot[b] = b;
    for (int64_t time = 0; time + 1 < width; time++) {
        for (int64_t b = 0; b < a->batch; b++) ids[b] = (int32_t)theirs[b * width + time];
        ATT_TRY(feed(a, ctx, cache, time, slot, ids, err));
        for (int64_t b = 0; b < a->batch && time + 1 >= a->target_length; b++)
            if (ids[b] != theirs[b * width + time + 1]) differs[b] = true;
    }
    for (int64_t b = 0; b < a->batch; b++) *wrong += differs[b];
    return ATT_OK;
}

/* Their continuation is fed, so that one difference is counted once; it may not hold the end token. */
static at_status verify_greedy(at_answers *a, at_ctx *ctx, at_verify_report *report, at_error *err)
{
    const int64_t *theirs;
    int64_t width = -1, wrong = 0;
    at_cache *cache = NULL;
    ATT_TRY(at_answers_ids(a, "greedy", a->batch, &width, &theirs, err));
    ATT_TRY(a->bundle->model->arch->cache_new(&cache, a->bundle->model, a->batch, width, err));
    const at_status status = count_wrong(a, ctx, cache, theirs, width, &wrong, err);
    at_cache_free(cache);
    at_verify_add(report, "greedy continuation, sequences that differ", (double)wrong, 0);
    return status;
}

at_status at_verify_language_model(at_answers *a, at_verify_report *report, at_error *err)
{
    at_ctx ctx;
    ATT_TRY(read_tokens(a, err));
    at_ctx_init(&ctx, a->bundle->model->params.be);
    at_status status = verify_logits(a, &ctx, report, err);
    if (status == ATT_OK) status = verify_greedy(a, &ctx, report, err);
    at_ctx_free(&ctx);
    return status;
}
