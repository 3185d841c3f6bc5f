/* See look.h. All that is kept lies in the result's arena; the activations of the forced pass in a context of its own.
 */
#include "infer/look.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "infer/search.h"

static const int64_t start_of_first = 0; /* of the one sentence in every map */

typedef struct look {
    const at_bundle *bundle;
    at_look_result *result;
    int64_t most;           /* tokens a side */
    at_ids source, in, out; /* source with its end token; what the decoder reads and writes */
} look;

static at_status fail_memory(at_error *err)
{
    return at_fail(err, ATT_MEMORY, "out of memory for attention weights; take a shorter sentence");
}

static at_status check_model(const at_bundle *bundle, at_error *err)
{
    const at_arch *arch = bundle->model->arch;
    if (bundle->source == NULL || bundle->target == NULL)
        return at_fail(err, ATT_OPTION,
                       "the model has no tokenizer, so it can't read text; import it with its tokenizer");
    if (arch->encode == NULL || arch->decode == NULL || arch->shape == NULL)
        return at_fail(err, ATT_UNSUPPORTED,
                       "architecture %s has no encoder and decoder to look at; take a translation model", arch->name);
    return ATT_OK;
}

/* ---- tokens ---- */

/* A copy in the result's arena, with U+FFFD for every byte that starts no valid sequence. */
static at_status mend(look *l, const char **out, const char *text, at_error *err)
{
    at_buf mended = {0};
    at_status status = at_utf8_mend(text, strlen(text), &mended, err);
    if (status == ATT_OK) {
        *out = at_arena_strdup(&l->result->arena, mended.data ? mended.data : "");
        if (*out == NULL) status = fail_memory(err);
    }
    at_buf_free(&mended);
    return status;
}

static at_status check_length(const look *l, const at_ids *ids, const char *side, at_error *err)
{
    const at_model *model = l->bundle->model;
    const int64_t longest = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    const int64_t most = longest > 0 && longest < l->most ? longest : l->most;
    if ((int64_t)ids->len <= most) return ATT_OK;
    return at_fail(err, ATT_INPUT,
                   "the %s has %zu tokens, but at most %" PRId64 " can be looked at; take a shorter one", side,
                   ids->len, most);
}

static at_status tokenise_source(look *l, const char *text, at_error *err)
{
    ATT_TRY(mend(l, &l->result->text, text, err));
    ATT_TRY(at_tokenizer_encode(l->bundle->source, l->result->text, strlen(l->result->text), &l->source, err));
    if (l->source.len == 0) return at_fail(err, ATT_INPUT, "the text has no tokens; give a sentence to look at");
    ATT_TRY(at_ids_push(&l->source, l->bundle->tokens.eos, err));
    return check_length(l, &l->source, "text", err);
}

/* What the decoder reads to write `out`: the start token, and all of it but the last. */
static at_status shift(look *l, at_error *err)
{
    ATT_TRY(at_ids_push(&l->in, l->bundle->tokens.target_start, err));
    ATT_TRY(at_ids_add(&l->in, l->out.data, l->out.len - 1, err));
    return check_length(l, &l->in, "translation", err);
}

static at_status take_target(look *l, const char *target, at_error *err)
{
    ATT_TRY(mend(l, &l->result->target, target, err));
    ATT_TRY(at_tokenizer_encode(l->bundle->target, l->result->target, strlen(l->result->target), &l->out, err));
    return at_ids_push(&l->out, l->bundle->tokens.eos, err);
}

static at_status keep_text(look *l, const at_hypothesis *best, at_error *err)
{
    at_buf text = {0};
    at_status status = at_tokenizer_decode(l->bundle->target, best->ids, (size_t)best->count, &text, err);
    if (status == ATT_OK) status = mend(l, &l->result->target, text.data ? text.data : "", err);
    at_buf_free(&text);
    return status;
}

/* A cut hypothesis stays without its end token: the search didn't choose one. */
static at_status keep_best(look *l, const at_hypothesis *best, at_error *err)
{
    l->result->truncated = best->truncated;
    l->result->search_log_prob = best->log_prob;
    ATT_TRY(at_ids_add(&l->out, best->ids, (size_t)best->count, err));
    if (!best->truncated || best->count == 0) ATT_TRY(at_ids_push(&l->out, l->bundle->tokens.eos, err));
    return keep_text(l, best, err);
}

static at_status translate(look *l, at_error *err)
{
    const int64_t offset[] = {0, (int64_t)l->source.len};
    const at_packed source = {1, offset, l->source.data};
    const at_search_options options = {.beam = 4, .alpha = 0.6, .max_ratio = 2, .max_extra = 20};
    at_hypothesis best;
    ATT_TRY(at_search(l->bundle, &source, &options, &best, err));
    const at_status status = keep_best(l, &best, err);
    at_hypothesis_free(&best);
    return status;
}

/* ---- the forced pass ---- */

static at_status make_weights(look *l, at_look_kind kind, int64_t layers, int64_t heads, int64_t queries, int64_t keys,
                              at_error *err)
{
    at_arena *arena = &l->result->arena;
    at_look_weights *w = &l->result->weights[kind];
    *w = (at_look_weights){layers, heads, queries, keys, at_arena_array(arena, (size_t)layers, sizeof *w->layer)};
    if (w->layer == NULL) return fail_memory(err);
    for (int64_t i = 0; i < layers; i++) {
        w->layer[i] = at_arena_array(arena, (size_t)(heads * queries * keys), sizeof *w->layer[i]);
        if (w->layer[i] == NULL) return fail_memory(err);
    }
    return ATT_OK;
}

static at_status make_map(look *l, at_attention_map *map, at_error *err)
{
    const at_model *model = l->bundle->model;
    const int64_t read = (int64_t)l->source.len, written = (int64_t)l->out.len;
    int64_t encoder_layers, decoder_layers, heads;
    model->arch->shape(model, &encoder_layers, &decoder_layers, &heads);
    ATT_TRY(make_weights(l, ATT_LOOK_CROSS, decoder_layers, heads, written, read, err));
    ATT_TRY(make_weights(l, ATT_LOOK_ENCODER, encoder_layers, heads, read, read, err));
    ATT_TRY(make_weights(l, ATT_LOOK_DECODER, decoder_layers, heads, written, written, err));
    const at_look_weights *w = l->result->weights;
    *map = (at_attention_map){w[ATT_LOOK_ENCODER].layer, w[ATT_LOOK_DECODER].layer, w[ATT_LOOK_CROSS].layer,
                              &start_of_first,           &start_of_first,           &start_of_first};
    return ATT_OK;
}

/* log softmax(row)[id], in double; NaN when the row holds one. */
static double log_prob_of(const float *row, int64_t vocab, int32_t id)
{
    double highest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < vocab; i++)
        if (row[i] > highest) highest = row[i];
    for (int64_t i = 0; i < vocab; i++) sum += exp((double)row[i] - highest);
    return (double)row[id] - highest - log(sum);
}

/* The id with the largest logit; the first of equals, and never padding. */
static int32_t likeliest_of(const float *row, int64_t vocab, int32_t pad)
{
    int32_t best = pad == 0 && vocab > 1;
    for (int32_t id = best; id < vocab; id++)
        if (row[id] > row[best] && id != pad) best = id;
    return best;
}

/* logits (N,V), on the device */
static at_status score(look *l, at_backend *be, const at_tensor *logits, at_error *err)
{
    const int64_t vocab = at_tensor_width(logits);
    const size_t bytes = (size_t)at_tensor_floats(logits) * sizeof(float);
    float *host = malloc(bytes);
    if (host == NULL) return at_fail_memory(err, bytes);
    be->download(be, host, logits->data, bytes);
    for (size_t i = 0; i < l->out.len; i++) {
        const float *row = host + (int64_t)i * vocab;
        l->result->log_prob += log_prob_of(row, vocab, l->out.data[i]);
        l->result->likeliest += likeliest_of(row, vocab, l->bundle->tokens.pad) == l->out.data[i];
    }
    free(host);
    return ATT_OK;
}

static at_status pass(look *l, at_ctx *ctx, const at_attention_map *map, at_error *err)
{
    const at_model *model = l->bundle->model;
    const int64_t source_offset[] = {0, (int64_t)l->source.len}, in_offset[] = {0, (int64_t)l->in.len};
    const at_packed source = {1, source_offset, l->source.data}, in = {1, in_offset, l->in.data};
    at_ctx_begin(ctx, false, false, 0);
    at_tensor *states = model->arch->encode(ctx, model, &source, map);
    ATT_TRY(at_ctx_check(ctx, err));
    const at_tensor *logits = model->arch->decode(ctx, model, states, &source, &in, map);
    ATT_TRY(at_ctx_check(ctx, err));
    return score(l, ctx->be, logits, err);
}

/* Whether every row is a distribution: it isn't when the model computes NaN. */
static bool is_sound(const at_look_weights *w)
{
    for (int64_t row = 0; row < w->layers * w->heads * w->queries; row++) {
        const float *x = w->layer[row / (w->heads * w->queries)] + row % (w->heads * w->queries) * w->keys;
        double sum = 0;
        for (int64_t i = 0; i < w->keys; i++) sum += (double)x[i];
        if (!(fabs(sum - 1) < 1e-3)) return false;
    }
    return true;
}

static at_status compute(look *l, at_error *err)
{
    at_backend *be = l->bundle->model->params.be;
    at_attention_map map;
    at_ctx ctx;
    ATT_TRY(make_map(l, &map, err));
    at_ctx_init(&ctx, be);
    const at_status status = pass(l, &ctx, &map, err);
    at_ctx_free(&ctx);
    if (status == ATT_MEMORY) be->failed = false; /* it has been reported, and what was too much is released */
    ATT_TRY(status);
    bool sound = !isnan(l->result->log_prob);
    for (int kind = 0; kind < ATT_LOOK_KINDS; kind++) sound = sound && is_sound(&l->result->weights[kind]);
    return sound ? ATT_OK : at_fail(err, ATT_INPUT, "the model computes no numbers (NaN); train it anew");
}

/* ---- pieces ---- */

/* Rows of the tables may have no piece: those are "#<id>". */
static const char *piece_of(at_arena *arena, const at_tokenizer *tokenizer, int32_t id)
{
    char text[16];
    const char *piece = at_tokenizer_piece(tokenizer, id);
    if (piece != NULL) return piece;
    snprintf(text, sizeof text, "#%" PRId32, id);
    return at_arena_strdup(arena, text);
}

static at_status keep_pieces(look *l, const at_tokenizer *tokenizer, const at_ids *ids, const char *const **pieces,
                             at_error *err)
{
    const char **list = at_arena_array(&l->result->arena, ids->len, sizeof *list);
    if (list == NULL) return fail_memory(err);
    for (size_t i = 0; i < ids->len; i++) {
        list[i] = piece_of(&l->result->arena, tokenizer, ids->data[i]);
        if (list[i] == NULL) return fail_memory(err);
    }
    *pieces = list;
    return ATT_OK;
}

static at_status keep_tokens(look *l, at_error *err)
{
    at_look_result *r = l->result;
    int32_t *ids = at_arena_array(&r->arena, l->out.len, sizeof *ids);
    if (ids == NULL) return fail_memory(err);
    r->written_ids = memcpy(ids, l->out.data, l->out.len * sizeof *ids);
    r->source_count = (int64_t)l->source.len;
    r->target_count = (int64_t)l->out.len;
    ATT_TRY(keep_pieces(l, l->bundle->source, &l->source, &r->source, err));
    ATT_TRY(keep_pieces(l, l->bundle->target, &l->in, &r->read, err));
    return keep_pieces(l, l->bundle->target, &l->out, &r->written, err);
}

static at_status run(look *l, const char *text, const char *target, at_error *err)
{
    ATT_TRY(check_model(l->bundle, err));
    ATT_TRY(tokenise_source(l, text, err));
    ATT_TRY(target ? take_target(l, target, err) : translate(l, err));
    ATT_TRY(shift(l, err));
    ATT_TRY(compute(l, err));
    return keep_tokens(l, err);
}

at_status at_look_run(at_look_result *result, const at_bundle *bundle, const char *text, const char *target,
                      int64_t most, at_error *err)
{
    look l = {.bundle = bundle, .result = result, .most = most};
    *result = (at_look_result){0};
    at_arena_init(&result->arena, 0);
    const at_status status = run(&l, text, target, err);
    at_ids_free(&l.source);
    at_ids_free(&l.in);
    at_ids_free(&l.out);
    if (status != ATT_OK) at_look_free(result);
    return status;
}

void at_look_free(at_look_result *result)
{
    at_arena_free(&result->arena);
    *result = (at_look_result){0};
}
