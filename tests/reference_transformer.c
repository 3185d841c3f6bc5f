#include "reference_transformer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "nn/positions.h"
#include "reference.h"

ref_transformer *ref_transformer_new(const at_model *model)
{
    ref_transformer *r = calloc(1, sizeof *r);
    r->config = model->config;
    r->params = &model->params;
    r->value = calloc((size_t)r->params->count, sizeof *r->value);
    at_arena_init(&r->arena, 0);
    for (int i = 0; i < r->params->count; i++) {
        const at_tensor *t = r->params->tensor[i];
        const int64_t n = at_tensor_floats(t);
        float *values = calloc((size_t)n, sizeof *values);
        r->value[i] = calloc((size_t)n, sizeof **r->value);
        r->params->be->download(r->params->be, values, t->data, (size_t)n * sizeof *values);
        for (int64_t j = 0; j < n; j++) r->value[i][j] = values[j];
        free(values);
    }
    return r;
}

void ref_transformer_free(ref_transformer *r)
{
    for (int i = 0; i < r->params->count; i++) free(r->value[i]);
    free(r->value);
    at_arena_free(&r->arena);
    free(r);
}

/* A parameter by the names of its layer and of its part; NULL when the model has none. */
static const double *find(const ref_transformer *r, const char *layer, const char *part)
{
    char name[160];
    snprintf(name, sizeof name, "%s%s", layer, part);
    for (int i = 0; i < r->params->count; i++)
        if (strcmp(r->params->tensor[i]->name, name) == 0) return r->value[i];
    return NULL;
}

static double *matrix(ref_transformer *r, int64_t rows, int64_t width)
{
    return at_arena_zalloc(&r->arena, (size_t)(rows * width + 1) * sizeof(double));
}

static uint64_t draw(ref_transformer *r)
{
    return at_rng_key(r->rng, r->draws++);
}

static double *dropout(ref_transformer *r, const double *residual, const double *x, int64_t rows, int64_t width,
                       double rate)
{
    double *y = matrix(r, rows, width);
    const float used = r->training ? (float)rate : 0;
    ref_dropout(y, residual, x, rows * width, used, used > 0 ? draw(r) : 0);
    return y;
}

static double *linear(ref_transformer *r, const char *layer, const char *part, const double *x, int64_t rows,
                      int64_t in, int64_t out, at_act act)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", layer, part);
    double *y = matrix(r, rows, out);
    ref_linear(y, x, find(r, name, ".weight"), false, find(r, name, ".bias"), rows, in, out, act);
    return y;
}

static double *norm(ref_transformer *r, const char *layer, const char *part, const double *x, int64_t rows)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", layer, part);
    double *y = matrix(r, rows, r->config->width);
    ref_layer_norm(y, x, find(r, name, ".weight"), find(r, name, ".bias"), rows, r->config->width, 1e-5f);
    return y;
}

/* Vaswani et al. 2017, section 3.5, and the orders and frequencies of its successors. */
static double sinusoid(int kind, int64_t position, int64_t j, int64_t width)
{
    const int64_t half = (width + 1) / 2;
    const bool interleaved = kind == ATT_POSITIONS_INTERLEAVED, sine = interleaved ? j % 2 == 0 : j < half;
    const int64_t pair = interleaved ? j / 2 : sine ? j : j - half;
    const double exponent = kind == ATT_POSITIONS_TENSOR2TENSOR ? (double)pair / fmax(1, (double)half - 1)
                                                                : 2.0 * (double)pair / (double)width;
    const double angle = (double)position / pow(10000, exponent);
    return sine ? sin(angle) : cos(angle);
}

/* The position of row i of the packed tokens, added to x[i] (D). */
static void add_positions(const ref_transformer *r, const char *side, const at_packed *tokens, double *x)
{
    const at_transformer_config *c = r->config;
    const int64_t d = c->width;
    const double *learned = find(r, side, ".positions");
    for (int64_t b = 0; b < tokens->count && c->positions != ATT_POSITIONS_NONE; b++)
        for (int64_t i = tokens->offset[b]; i < tokens->offset[b + 1]; i++)
            for (int64_t j = 0; j < d; j++) {
                const int64_t position = i - tokens->offset[b];
                x[i * d + j] += learned ? learned[position * d + j] : sinusoid(c->positions, position, j, d);
            }
}

static double *embed(ref_transformer *r, const char *side, const at_packed *tokens)
{
    const at_transformer_config *c = r->config;
    const int64_t n = at_packed_tokens(tokens), d = c->width;
    const double *table = find(r, side, ".embedding");
    if (table == NULL) table = find(r, "", "embedding");
    double *x = matrix(r, n, d);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            x[i * d + j] = (c->scale_embedding ? sqrt((double)d) : 1) * table[tokens->ids[i] * d + j];
    add_positions(r, side, tokens, x);
    return dropout(r, NULL, x, n, d, c->dropout_embedding);
}

/* The input of layer i. */
static const double *enter(ref_transformer *r, const char *side, const at_packed *tokens, const double *x, int i)
{
    const int64_t n = at_packed_tokens(tokens), d = r->config->width;
    if (i == 0 || !r->config->positions_every_layer) return x;
    double *y = matrix(r, n, d);
    memcpy(y, x, (size_t)(n * d) * sizeof *y);
    add_positions(r, side, tokens, y);
    return y;
}

static double *attend(ref_transformer *r, const double *q, int64_t ldq, const double *k, const double *v, int64_t ldk,
                      const at_packed *queries, const at_packed *keys, bool causal)
{
    const at_transformer_config *c = r->config;
    const int64_t inner = c->heads * c->head_width;
    const float rate = r->training ? (float)c->dropout_attention : 0;
    const at_attention_args args = {.count = queries->count,
                                    .query = {queries->offset, queries->offset + 1},
                                    .key = {keys->offset, keys->offset + 1},
                                    .heads = c->heads,
                                    .head_width = c->head_width,
                                    .ldq = ldq,
                                    .ldk = ldk,
                                    .ldv = ldk,
                                    .ldo = inner,
                                    .scale = 1 / sqrtf((float)c->head_width),
                                    .causal = causal,
                                    .dropout = rate,
                                    .key_rng = rate > 0 ? draw(r) : 0};
    double *o = matrix(r, at_packed_tokens(queries), inner);
    ref_attention(o, NULL, q, k, v, &args);
    return o;
}

static double *self_attention(ref_transformer *r, const char *layer, const double *x, const at_packed *tokens,
                              bool causal)
{
    const int64_t n = at_packed_tokens(tokens), d = r->config->width, inner = r->config->heads * r->config->head_width;
    const double *qkv = linear(r, layer, ".attention.qkv", x, n, d, 3 * inner, ATT_ACT_NONE);
    const double *o = attend(r, qkv, 3 * inner, qkv + inner, qkv + 2 * inner, 3 * inner, tokens, tokens, causal);
    return linear(r, layer, ".attention.out", o, n, inner, d, ATT_ACT_NONE);
}

static double *cross_attention(ref_transformer *r, const char *layer, const double *x, const at_packed *target,
                               const double *states, const at_packed *source)
{
    const int64_t n = at_packed_tokens(target), d = r->config->width, inner = r->config->heads * r->config->head_width;
    const double *q = linear(r, layer, ".cross.q", x, n, d, inner, ATT_ACT_NONE);
    const double *kv = linear(r, layer, ".cross.kv", states, at_packed_tokens(source), d, 2 * inner, ATT_ACT_NONE);
    const double *o = attend(r, q, inner, kv, kv + inner, 2 * inner, target, source, false);
    return linear(r, layer, ".cross.out", o, n, inner, d, ATT_ACT_NONE);
}

static double *feed_forward(ref_transformer *r, const char *layer, const double *x, int64_t n)
{
    const at_transformer_config *c = r->config;
    const bool gated = c->activation > ATT_ACT_SWISH;
    const double *h = linear(r, layer, ".ffn.in", x, n, c->width, gated ? 2 * c->ffn : c->ffn,
                             gated ? ATT_ACT_NONE : (at_act)c->activation);
    if (gated) {
        double *y = matrix(r, n, c->ffn);
        ref_swiglu(y, h, n, c->ffn);
        h = y;
    }
    return linear(r, layer, ".ffn.out", dropout(r, NULL, h, n, c->ffn, c->dropout_ffn), n, c->ffn, c->width,
                  ATT_ACT_NONE);
}

/* What a block adds to x: states NULL: self-attention of `tokens`, else cross-attention to them. */
typedef enum block { SELF, MASKED, CROSS, FEED_FORWARD } block;

static const double *sublayer(ref_transformer *r, const char *layer, block kind, const double *x,
                              const at_packed *tokens, const double *states, const at_packed *source)
{
    static const char *const norms[] = {".attention.norm", ".attention.norm", ".cross.norm", ".ffn.norm"};
    const int64_t n = at_packed_tokens(tokens), d = r->config->width;
    const bool pre = r->config->norm == ATT_NORM_PRE;
    const double *in = pre ? norm(r, layer, norms[kind], x, n) : x, *out = NULL;
    if (kind == SELF || kind == MASKED) out = self_attention(r, layer, in, tokens, kind == MASKED);
    if (kind == CROSS) out = cross_attention(r, layer, in, tokens, states, source);
    if (kind == FEED_FORWARD) out = feed_forward(r, layer, in, n);
    const double *sum = dropout(r, r->config->residual ? x : NULL, out, n, d, r->config->dropout);
    return pre ? sum : norm(r, layer, norms[kind], sum, n);
}

static const double *encode(ref_transformer *r, const at_packed *source)
{
    const double *x = embed(r, "source", source);
    for (int i = 0; i < r->config->encoder_layers; i++) {
        char layer[32];
        snprintf(layer, sizeof layer, "encoder.%d", i);
        x = enter(r, "source", source, x, i);
        x = sublayer(r, layer, SELF, x, source, NULL, NULL);
        x = sublayer(r, layer, FEED_FORWARD, x, source, NULL, NULL);
    }
    return r->config->norm == ATT_NORM_PRE ? norm(r, "encoder", ".norm", x, at_packed_tokens(source)) : x;
}

static const double *decode(ref_transformer *r, const double *states, const at_packed *source, const at_packed *target)
{
    const double *x = embed(r, "target", target);
    for (int i = 0; i < r->config->decoder_layers; i++) {
        char layer[32];
        snprintf(layer, sizeof layer, "decoder.%d", i);
        x = enter(r, "target", target, x, i);
        x = sublayer(r, layer, MASKED, x, target, NULL, NULL);
        x = sublayer(r, layer, CROSS, x, target, states, source);
        x = sublayer(r, layer, FEED_FORWARD, x, target, NULL, NULL);
    }
    return r->config->norm == ATT_NORM_PRE ? norm(r, "decoder", ".norm", x, at_packed_tokens(target)) : x;
}

double ref_transformer_loss(ref_transformer *r, const at_pair_batch *batch, double smoothing, double *nll,
                            double **logits)
{
    const at_transformer_config *c = r->config;
    const int64_t n = at_packed_tokens(&batch->target_in), v = c->target_vocab;
    at_arena_reset(&r->arena);
    r->draws = 0;
    const double *x = decode(r, encode(r, &batch->source), &batch->source, &batch->target_in);
    const double *w = find(r, "", "output.weight"), *tied = find(r, "", "target.embedding");
    if (tied == NULL) tied = find(r, "", "embedding");
    double *y = matrix(r, n, v), loss = 0, sum = 0;
    assert(c->tie_output == (w == NULL));
    ref_linear(y, x, w ? w : tied, w == NULL, find(r, "", "output.bias"), n, c->width, v, ATT_ACT_NONE);
    for (int64_t i = 0; i < n; i++) {
        double one;
        loss += ref_cross_entropy(&one, y + i * v, v, batch->target_out.ids[i], smoothing);
        sum += one;
    }
    if (nll) *nll = sum;
    if (logits) *logits = y;
    return loss;
}
