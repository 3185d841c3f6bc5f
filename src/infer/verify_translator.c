/* A translator against the answers of the program that it came from (verify.h): states, logits, attention, search. */
#include "infer/answers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "infer/search.h"

enum { NEW_TOKENS = 20, BEAM = 4 };

/* ---- reading ---- */

/* Pieces of the tokenizers are rows of the tables, see at_bundle_make. */
static at_status read_inputs(at_answers *a, at_error *err)
{
    const int64_t *source, *mask, *target;
    a->source_length = a->target_length = -1;
    ATT_TRY(at_answers_ids(a, "source", -1, &a->source_length, &source, err));
    a->batch = at_safetensors_find(a->file, "source")->dim[0];
    ATT_TRY(at_answers_ids(a, "source_mask", a->batch, &a->source_length, &mask, err));
    ATT_TRY(at_answers_ids(a, "target", a->batch, &a->target_length, &target, err));
    a->column = at_arena_array(&a->arena, (size_t)(a->batch * a->source_length), sizeof *a->column);
    if (a->column == NULL) return at_fail_memory(err, (size_t)(a->batch * a->source_length) * sizeof *a->column);
    ATT_TRY(at_answers_pack(a, &a->source, source, mask, a->source_length, at_tokenizer_size(a->bundle->source),
                            a->column, err));
    return at_answers_pack(a, &a->target, target, NULL, a->target_length, at_tokenizer_size(a->bundle->target), NULL,
                           err);
}

/* ---- one pass of encoder and decoder ---- */

typedef struct outputs {
    float *states, *logits, *cross; /* (M,D), (N,V), see at_attention_map */
    int64_t width, vocab, heads, layers;
    int64_t *cross_offset;
} outputs;

/* Room for the weights of the first layer; the others are not wanted. */
static bool cross_map(at_answers *a, outputs *out, at_attention_map *map)
{
    int64_t encoder_layers, total = 0;
    a->bundle->model->arch->shape(a->bundle->model, &encoder_layers, &out->layers, &out->heads);
    float **layer = at_arena_zalloc(&a->arena, (size_t)out->layers * sizeof *layer);
    out->cross_offset = at_arena_array(&a->arena, (size_t)a->batch + 1, sizeof *out->cross_offset);
    if (layer == NULL || out->cross_offset == NULL) return false;
    for (int64_t b = 0; b < a->batch; b++) {
        out->cross_offset[b] = total;
        total += out->heads * (a->source.offset[b + 1] - a->source.offset[b]) * a->target_length;
    }
    out->cross_offset[a->batch] = total;
    out->cross = layer[0] = at_arena_array(&a->arena, (size_t)total, sizeof *out->cross);
    *map = (at_attention_map){.cross = layer, .cross_offset = out->cross_offset};
    return out->cross != NULL;
}

static at_status run(at_answers *a, at_ctx *ctx, outputs *out, at_error *err)
{
    const at_model *model = a->bundle->model;
    at_attention_map map;
    if (!cross_map(a, out, &map)) return at_fail(err, ATT_MEMORY, "out of memory for attention weights");
    at_ctx_begin(ctx, false, false, 0);
    at_tensor *states = model->arch->encode(ctx, model, &a->source, NULL);
    ATT_TRY(at_ctx_check(ctx, err));
    at_tensor *logits = model->arch->decode(ctx, model, states, &a->source, &a->target, &map);
    ATT_TRY(at_ctx_check(ctx, err));
    out->width = at_tensor_width(states);
    out->vocab = at_tensor_width(logits);
    out->states = at_answers_download(a, states);
    out->logits = at_answers_download(a, logits);
    if (out->states != NULL && out->logits != NULL) return ATT_OK;
    return at_fail_memory(err, (size_t)at_tensor_floats(logits) * sizeof(float));
}

static at_status compare_states(at_answers *a, const outputs *out, at_verify_report *report, at_error *err)
{
    const float *theirs;
    at_difference d = {0};
    ATT_TRY(
        at_answers_floats(a, "encoder", (const int64_t[]){a->batch, a->source_length, out->width, 0}, &theirs, err));
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t i = a->source.offset[b]; i < a->source.offset[b + 1]; i++) {
            const float *row = theirs + (b * a->source_length + a->column[i]) * out->width;
            for (int64_t j = 0; j < out->width; j++) at_difference_add(&d, out->states[i * out->width + j], row[j]);
        }
    at_verify_add_difference(report, "encoder states, largest difference / largest magnitude", &d);
    return ATT_OK;
}

static at_status compare_logits(at_answers *a, const outputs *out, at_verify_report *report, at_error *err)
{
    const float *theirs;
    at_difference d = {0};
    ATT_TRY(at_answers_floats(a, "logits", (const int64_t[]){a->batch, a->target_length, out->vocab, 0}, &theirs, err));
    for (int64_t i = 0; i < a->batch * a->target_length * out->vocab; i++)
        at_difference_add(&d, out->logits[i], theirs[i]);
    at_verify_add_difference(report, "logits, largest difference / largest magnitude", &d);
    return ATT_OK;
}

/* Sentence b: ours (H, T, its source tokens), theirs (H, T, S). */
static void compare_cross_of(const at_answers *a, const outputs *out, const float *theirs, int64_t b, at_difference *d)
{
    const int64_t begin = a->source.offset[b], count = a->source.offset[b + 1] - begin;
    const float *ours = out->cross + out->cross_offset[b];
    for (int64_t row = 0; row < out->heads * a->target_length; row++)
        for (int64_t i = 0; i < count; i++)
            at_difference_add(
                d, ours[row * count + i],
                theirs[(b * out->heads * a->target_length + row) * a->source_length + a->column[begin + i]]);
}

static at_status compare_cross(at_answers *a, const outputs *out, at_verify_report *report, at_error *err)
{
    const float *theirs;
    at_difference d = {0};
    const int64_t dim[] = {a->batch, out->heads, a->target_length, a->source_length, 0};
    ATT_TRY(at_answers_floats(a, "cross_attention_0", dim, &theirs, err));
    for (int64_t b = 0; b < a->batch; b++) compare_cross_of(a, out, theirs, b, &d);
    at_verify_add_difference(report, "cross-attention of the first layer, largest difference / largest magnitude", &d);
    return ATT_OK;
}

static at_status verify_forward(at_answers *a, at_verify_report *report, at_error *err)
{
    at_ctx ctx;
    outputs out;
    at_ctx_init(&ctx, a->bundle->model->params.be);
    at_status status = run(a, &ctx, &out, err);
    at_ctx_free(&ctx);
    if (status == ATT_OK) status = compare_states(a, &out, report, err);
    if (status == ATT_OK) status = compare_logits(a, &out, report, err);
    if (status == ATT_OK) status = compare_cross(a, &out, report, err);
    return status;
}

/* ---- search ---- */

/* Whether a row of answers (start token, ids, end token, padding) holds the hypothesis. */
static bool same_ids(const at_answers *a, const at_hypothesis *best, const int64_t *row, int64_t width)
{
    const int32_t eos = a->bundle->tokens.eos;
    int64_t count = 0;
    while (count + 1 < width && row[count + 1] != eos) count++;
    if (count != best->count) return false;
    for (int64_t i = 0; i < count; i++)
        if (best->ids[i] != row[i + 1]) return false;
    return true;
}

typedef struct search_case {
    const char *ids, *scores;        /* tensors; scores NULL: none kept */
    const char *ids_row, *score_row; /* of the report */
    int64_t beam, no_repeat;
} search_case;

static const search_case search_cases[] = {
    {"greedy", NULL, "greedy search, sentences that differ", NULL, 1, 0},
    {"beam4", "beam4_score", "beam 4, sentences that differ",
     "scores of beam 4, largest difference / largest magnitude", BEAM, 0},
    {"greedy_nr2", NULL, "greedy search without repeated bigrams, sentences that differ", NULL, 1, 2},
    {"beam4_nr2", "beam4_score_nr2", "beam 4 without repeated bigrams, sentences that differ",
     "scores of beam 4 without repeated bigrams, largest difference / largest magnitude", BEAM, 2},
};

static at_status search_all(const at_answers *a, const search_case *c, at_hypothesis *best, at_error *err)
{
    const at_search_options options = {.beam = c->beam,
                                       .alpha = 1,
                                       .penalty = ATT_PENALTY_POWER,
                                       .max_length = NEW_TOKENS,
                                       .no_repeat = c->no_repeat,
                                       .early_stop = true};
    return at_search(a->bundle, &a->source, &options, best, err);
}

static at_status compare_ids(at_answers *a, const search_case *c, const at_hypothesis *best, at_verify_report *report,
                             at_error *err)
{
    const int64_t *rows;
    int64_t width = -1, wrong = 0;
    ATT_TRY(at_answers_ids(a, c->ids, a->batch, &width, &rows, err));
    for (int64_t b = 0; b < a->batch; b++) wrong += !same_ids(a, &best[b], rows + b * width, width);
    at_verify_add(report, c->ids_row, (double)wrong, 0);
    return ATT_OK;
}

static at_status compare_scores(at_answers *a, const search_case *c, const at_hypothesis *best,
                                at_verify_report *report, at_error *err)
{
    const float *scores;
    at_difference d = {0};
    if (c->scores == NULL) return ATT_OK;
    ATT_TRY(at_answers_floats(a, c->scores, (const int64_t[]){a->batch, 0}, &scores, err));
    for (int64_t b = 0; b < a->batch; b++) at_difference_add(&d, best[b].score, scores[b]);
    at_verify_add_difference(report, c->score_row, &d);
    return ATT_OK;
}

static at_status verify_search(at_answers *a, const search_case *c, at_verify_report *report, at_error *err)
{
    at_hypothesis *best = at_arena_zalloc(&a->arena, (size_t)a->batch * sizeof *best);
    if (best == NULL) return at_fail_memory(err, (size_t)a->batch * sizeof *best);
    ATT_TRY(search_all(a, c, best, err));
    at_status status = compare_ids(a, c, best, report, err);
    if (status == ATT_OK) status = compare_scores(a, c, best, report, err);
    for (int64_t b = 0; b < a->batch; b++) at_hypothesis_free(&best[b]);
    return status;
}

/* ---- all ---- */

at_status at_verify_translator(at_answers *a, at_verify_report *report, at_error *err)
{
    if (a->bundle->source == NULL)
        return at_fail(err, ATT_INPUT, "%s: is for a translator, but the model has no tokenizer",
                       at_safetensors_path(a->file));
    ATT_TRY(read_inputs(a, err));
    ATT_TRY(verify_forward(a, report, err));
    for (size_t i = 0; i < sizeof search_cases / sizeof *search_cases; i++)
        ATT_TRY(verify_search(a, &search_cases[i], report, err));
    return ATT_OK;
}
