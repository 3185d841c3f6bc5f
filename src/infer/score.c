/* See score.h. Lines stay in order; a batch is as many as fit its tokens, and one at least. */
#include "infer/score.h"

#include <math.h>
#include <stdlib.h>

#include "infer/translate.h" /* at_encode_mended */

typedef struct pair { /* what is known of a line before it is scored */
    int64_t source_tokens, unknown_tokens;
    bool mended;
} pair;

typedef struct job {
    const at_bundle *const *models;
    int64_t model_count;
    const at_score_args *args;
    at_ctx *ctx;                         /* one a model */
    at_ids source, in, out;              /* of the batch; out: what the decoder is to write */
    at_buf source_offset, target_offset; /* int64_t each */
    at_buf pairs;                        /* pair each */
    int64_t count;                       /* lines in the batch */
    int64_t longest;                     /* tokens that every model reads; 0: any */
    at_piece *pieces;
} job;

/* ---- tokens ---- */

static at_status push_offset(at_buf *offsets, const at_ids *ids, at_error *err)
{
    const int64_t offset = (int64_t)ids->len;
    return at_buf_add(offsets, &offset, sizeof offset, err);
}

static int64_t unknown_in(const at_tokenizer *tokenizer, const at_ids *ids, size_t from)
{
    int64_t count = 0;
    for (size_t i = from; i < ids->len; i++) count += ids->data[i] == at_tokenizer_unk(tokenizer);
    return count;
}

static at_status check_length(const job *j, const char *side, size_t tokens, int64_t line, at_error *err)
{
    if (j->longest == 0 || (int64_t)tokens <= j->longest) return ATT_OK;
    return at_fail(err, ATT_INPUT, "line %lld: the %s has %zu tokens, but the model reads at most %lld; split it",
                   (long long)(j->args->first_line + line), side, tokens, (long long)j->longest);
}

static at_status add_source(job *j, at_line text, int64_t line, pair *p, at_error *err)
{
    const at_bundle *b = j->models[0];
    const size_t from = j->source.len;
    ATT_TRY(at_encode_mended(b->source, text, &j->source, &p->mended, err));
    p->unknown_tokens += unknown_in(b->source, &j->source, from);
    p->source_tokens = (int64_t)(j->source.len - from);
    ATT_TRY(at_ids_push(&j->source, b->tokens.eos, err));
    ATT_TRY(check_length(j, "source", j->source.len - from, line, err));
    return push_offset(&j->source_offset, &j->source, err);
}

/* The decoder reads the start token and all but the last of what it is to write. */
static at_status add_target(job *j, at_line text, int64_t line, pair *p, at_error *err)
{
    const at_bundle *b = j->models[0];
    const size_t from = j->out.len;
    bool mended;
    ATT_TRY(at_encode_mended(b->target, text, &j->out, &mended, err));
    p->unknown_tokens += unknown_in(b->target, &j->out, from);
    p->mended |= mended;
    ATT_TRY(at_ids_push(&j->in, b->tokens.target_start, err));
    ATT_TRY(at_ids_add(&j->in, j->out.data + from, j->out.len - from, err));
    ATT_TRY(at_ids_push(&j->out, b->tokens.eos, err));
    ATT_TRY(check_length(j, "target", j->out.len - from, line, err));
    return push_offset(&j->target_offset, &j->out, err);
}

static at_status add_pair(job *j, at_line source, at_line target, int64_t line, at_error *err)
{
    pair p = {0};
    ATT_TRY(add_source(j, source, line, &p, err));
    ATT_TRY(add_target(j, target, line, &p, err));
    j->count++;
    return at_buf_add(&j->pairs, &p, sizeof p, err);
}

static at_status clear_batch(job *j, at_error *err)
{
    j->source.len = j->in.len = j->out.len = 0;
    at_buf_clear(&j->source_offset);
    at_buf_clear(&j->target_offset);
    at_buf_clear(&j->pairs);
    j->count = 0;
    ATT_TRY(push_offset(&j->source_offset, &j->source, err));
    return push_offset(&j->target_offset, &j->out, err);
}

/* ---- a batch ---- */

static const int64_t *offsets_of(const at_buf *offsets)
{
    return (const int64_t *)(const void *)offsets->data;
}

/* Logits (N,V) of one model. */
static at_status forward(job *j, int64_t i, at_tensor **logits, at_error *err)
{
    const at_model *model = j->models[i]->model;
    at_ctx *ctx = &j->ctx[i];
    const at_packed source = {j->count, offsets_of(&j->source_offset), j->source.data},
                    in = {j->count, offsets_of(&j->target_offset), j->in.data};
    at_ctx_begin(ctx, false, false, 0);
    at_tensor *states = model->arch->encode(ctx, model, &source, NULL);
    ATT_TRY(at_ctx_check(ctx, err));
    *logits = model->arch->decode(ctx, model, states, &source, &in, NULL);
    return at_ctx_check(ctx, err);
}

/* Log-probabilities (N,V), of the mean of all models. */
static at_status forward_all(job *j, at_tensor **mean, at_error *err)
{
    at_backend *be = j->ctx[0].be;
    for (int64_t i = 0; i < j->model_count; i++) {
        at_tensor *own = NULL;
        ATT_TRY(forward(j, i, &own, err));
        if (i == 0) *mean = own;
        if (j->model_count > 1)
            be->axpy(be, (*mean)->data, i > 0, own->data, 1.0f / (float)j->model_count, at_tensor_floats(own));
    }
    be->log_softmax(be, (*mean)->data, at_tensor_rows(*mean), at_tensor_width(*mean));
    return at_ctx_check(&j->ctx[0], err);
}

/* Pieces of the whole batch, with their log-probabilities. */
static at_status read_pieces(job *j, const at_tensor *log_probs, at_error *err)
{
    at_backend *be = j->ctx[0].be;
    free(j->pieces);
    j->pieces = malloc(j->out.len * sizeof *j->pieces);
    if (j->pieces == NULL) return at_fail_memory(err, j->out.len * sizeof *j->pieces);
    for (size_t i = 0; i < j->out.len; i++) {
        const int32_t id = j->out.data[i];
        float value;
        be->download(be, &value, log_probs->data + (int64_t)i * at_tensor_width(log_probs) + id, sizeof value);
        if (isnan(value)) return at_fail(err, ATT_INPUT, "the model computes no numbers (NaN); train it anew");
        j->pieces[i] = (at_piece){at_tokenizer_piece(j->models[0]->target, id), id, (double)value};
    }
    return ATT_OK;
}

static at_status hand_out(const job *j, int64_t first, at_scored_fn *each, void *arg, at_error *err)
{
    const int64_t *offset = offsets_of(&j->target_offset);
    const pair *pairs = (const pair *)(const void *)j->pairs.data;
    for (int64_t i = 0; i < j->count; i++) {
        at_scored scored = {.pieces = j->pieces + offset[i],
                            .piece_count = offset[i + 1] - offset[i],
                            .source_tokens = pairs[i].source_tokens,
                            .unknown_tokens = pairs[i].unknown_tokens,
                            .mended = pairs[i].mended};
        for (int64_t k = 0; k < scored.piece_count; k++) scored.log_prob += scored.pieces[k].log_prob;
        ATT_TRY(each(arg, first + i, &scored, err));
    }
    return ATT_OK;
}

static at_status run_batch(job *j, int64_t first, at_scored_fn *each, void *arg, at_error *err)
{
    at_tensor *log_probs = NULL;
    if (at_cancelled(j->args->cancel)) return at_fail(err, ATT_CANCELLED, "cancelled");
    ATT_TRY(forward_all(j, &log_probs, err));
    ATT_TRY(read_pieces(j, log_probs, err));
    return hand_out(j, first, each, arg, err);
}

static at_status run(job *j, const at_line *sources, const at_line *targets, int64_t count, at_scored_fn *each,
                     void *arg, at_error *err)
{
    for (int64_t first = 0; first < count; first += j->count) {
        ATT_TRY(clear_batch(j, err));
        while (first + j->count < count && (int64_t)j->out.len < j->args->batch_tokens)
            ATT_TRY(add_pair(j, sources[first + j->count], targets[first + j->count], first + j->count, err));
        ATT_TRY(run_batch(j, first, each, arg, err));
    }
    return ATT_OK;
}

static at_status check_models(job *j, at_error *err)
{
    for (int64_t i = 0; i < j->model_count; i++) {
        const at_bundle *b = j->models[i];
        if (b->source == NULL || b->target == NULL)
            return at_fail(err, ATT_OPTION,
                           "the model has no tokenizer, so it can't read text; import it with its tokenizer");
        const int64_t most = b->model->arch->max_tokens ? b->model->arch->max_tokens(b->model) : 0;
        if (most > 0 && (j->longest == 0 || most < j->longest)) j->longest = most;
    }
    if (j->args->batch_tokens < 1) return at_fail(err, ATT_OPTION, "batch-tokens must be at least 1");
    return ATT_OK;
}

static void release(job *j, at_status status)
{
    for (int64_t i = 0; i < j->model_count; i++) {
        at_ctx_free(&j->ctx[i]);
        if (status == ATT_MEMORY) j->models[i]->model->params.be->failed = false; /* reported; its cause is released */
    }
    free(j->ctx);
    free(j->pieces);
    at_ids_free(&j->source);
    at_ids_free(&j->in);
    at_ids_free(&j->out);
    at_buf_free(&j->source_offset);
    at_buf_free(&j->target_offset);
    at_buf_free(&j->pairs);
}

at_status at_score_lines(const at_bundle *const *models, int64_t model_count, const at_line *sources,
                         const at_line *targets, int64_t count, const at_score_args *args, at_scored_fn *each,
                         void *arg, at_error *err)
{
    job j = {.models = models, .model_count = model_count, .args = args};
    ATT_TRY(check_models(&j, err));
    j.ctx = malloc((size_t)model_count * sizeof *j.ctx);
    if (j.ctx == NULL) return at_fail_memory(err, (size_t)model_count * sizeof *j.ctx);
    for (int64_t i = 0; i < model_count; i++) at_ctx_init(&j.ctx[i], models[i]->model->params.be);
    const at_status status = run(&j, sources, targets, count, each, arg, err);
    release(&j, status);
    return status;
}
