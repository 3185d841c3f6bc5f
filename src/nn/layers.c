/* Layers as compositions of ops. See layers.h. */
#include "nn/layers.h"

#include <stdio.h>

/* PyTorch's, and so that of the toolkits over it; tensor2tensor has 1e-6. */
static const float norm_eps = 1e-5f;

at_linear_layer at_linear_layer_add(at_params *params, const char *name, int64_t in, int64_t out, at_init init)
{
    const at_init zero = {ATT_INIT_ZERO, 0};
    const at_linear_layer layer = {at_params_add(params, init, in, out, "%s.weight", name),
                                   at_params_add(params, zero, out, 0, "%s.bias", name)};
    return layer;
}

at_tensor *at_linear_layer_run(at_ctx *ctx, const at_linear_layer *layer, at_tensor *x, at_act act)
{
    return at_linear(ctx, x, layer->w, layer->b, act);
}

at_norm_layer at_norm_layer_add(at_params *params, const char *name, int64_t width)
{
    const at_init one = {ATT_INIT_ONE, 0}, zero = {ATT_INIT_ZERO, 0};
    const at_norm_layer layer = {at_params_add(params, one, width, 0, "%s.weight", name),
                                 at_params_add(params, zero, width, 0, "%s.bias", name)};
    return layer;
}

at_tensor *at_norm_layer_run(at_ctx *ctx, const at_norm_layer *layer, at_tensor *x)
{
    return at_layer_norm(ctx, x, layer->gamma, layer->beta, norm_eps);
}

/* Queries, keys and values are drawn as parts of one (D, 3 H K) Xavier matrix, whether they are stored so or not: the square
 * matrices' own rule with gain 2^-1/2, as the toolkits that published the reference results do. */
at_attention_layer at_attention_layer_add(at_params *params, const char *name, int64_t width, int64_t heads,
                                          int64_t head_width, bool cross, bool causal, float dropout)
{
    const int64_t inner = heads * head_width;
    const at_init in = at_init_xavier(width, 3 * inner);
    char part[96];
    at_attention_layer layer = {{0}, {0}, {0}, heads, head_width, dropout, causal};
    snprintf(part, sizeof part, "%s.%s", name, cross ? "q" : "qkv");
    layer.qkv = at_linear_layer_add(params, part, width, cross ? inner : 3 * inner, in);
    if (cross) {
        snprintf(part, sizeof part, "%s.kv", name);
        layer.kv = at_linear_layer_add(params, part, width, 2 * inner, in);
    }
    snprintf(part, sizeof part, "%s.out", name);
    layer.out = at_linear_layer_add(params, part, inner, width, at_init_xavier(inner, width));
    return layer;
}

static at_attention_spec spec_of(const at_attention_layer *layer, int64_t count, at_spans queries, at_spans keys,
                                 const at_weights_request *request)
{
    const at_attention_spec spec = {count,
                                    queries,
                                    keys,
                                    layer->heads,
                                    layer->head_width,
                                    layer->causal,
                                    layer->dropout,
                                    request ? request->weights : NULL,
                                    request ? request->offset : NULL};
    return spec;
}

at_tensor *at_self_attention_run(at_ctx *ctx, const at_attention_layer *layer, at_tensor *x, const at_packed *sequences,
                                 const at_weights_request *request)
{
    const int64_t inner = layer->heads * layer->head_width;
    const at_spans spans = {sequences->offset, sequences->offset + 1};
    at_tensor *qkv = at_linear_layer_run(ctx, &layer->qkv, x, ATT_ACT_NONE);
    const at_attention_spec spec = spec_of(layer, sequences->count, spans, spans, request);
    return at_linear_layer_run(ctx, &layer->out, at_attention(ctx, qkv, 0, qkv, inner, 2 * inner, &spec), ATT_ACT_NONE);
}

at_tensor *at_cross_attention_keys(at_ctx *ctx, const at_attention_layer *layer, at_tensor *memory)
{
    return at_linear_layer_run(ctx, &layer->kv, memory, ATT_ACT_NONE);
}

at_tensor *at_cross_attention_run(at_ctx *ctx, const at_attention_layer *layer, at_tensor *x, at_spans queries,
                                  at_tensor *kv, at_spans keys, int64_t count, const at_weights_request *request)
{
    at_tensor *q = at_linear_layer_run(ctx, &layer->qkv, x, ATT_ACT_NONE);
    const at_attention_spec spec = spec_of(layer, count, queries, keys, request);
    at_tensor *o = at_attention(ctx, q, 0, kv, 0, layer->heads * layer->head_width, &spec);
    return at_linear_layer_run(ctx, &layer->out, o, ATT_ACT_NONE);
}

/* Row numbers of the step: where the new rows go, and the spans of each hypothesis in the cache. */
typedef struct step_rows {
    int32_t *to;
    int64_t *query, *begin, *end;
} step_rows;

static bool step_rows_of(at_ctx *ctx, const at_cache_step *step, step_rows *rows)
{
    const size_t n = (size_t)step->n;
    rows->to = at_ctx_host(ctx, n * sizeof *rows->to);
    rows->query = at_ctx_host(ctx, (n + 1) * sizeof *rows->query);
    rows->begin = at_ctx_host(ctx, n * sizeof *rows->begin);
    rows->end = at_ctx_host(ctx, n * sizeof *rows->end);
    if (ctx->host.failed) return false;
    for (size_t i = 0; i < n; i++) {
        rows->begin[i] = step->slot[i] * step->capacity;
        rows->end[i] = rows->begin[i] + step->length[i] + 1;
        rows->to[i] = (int32_t)(rows->end[i] - 1);
        rows->query[i] = (int64_t)i;
    }
    rows->query[n] = step->n;
    return true;
}

at_tensor *at_cached_attention_run(at_ctx *ctx, const at_attention_layer *layer, at_tensor *x,
                                   const at_cache_step *step, float *cache)
{
    const int64_t inner = layer->heads * layer->head_width,
                  last = step->capacity; /* rows of the cache are addressed by spans alone */
    at_tensor *qkv = at_linear_layer_run(ctx, &layer->qkv, x, ATT_ACT_NONE);
    step_rows rows;
    if (at_ctx_check(ctx, NULL) != ATT_OK || !step_rows_of(ctx, step, &rows))
        return at_tensor_new(ctx, step->n, at_tensor_width(x));
    ctx->be->copy_rows(ctx->be, cache, 2 * inner, rows.to, qkv->data + inner, 3 * inner, NULL, step->n, 2 * inner);
    at_tensor *kv = at_tensor_wrap(ctx, cache, last, 2 * inner);
    const at_attention_spec spec =
        spec_of(layer, step->n, (at_spans){rows.query, rows.query + 1}, (at_spans){rows.begin, rows.end}, NULL);
    return at_linear_layer_run(ctx, &layer->out, at_attention(ctx, qkv, 0, kv, 0, inner, &spec), ATT_ACT_NONE);
}

at_ffn_layer at_ffn_layer_add(at_params *params, const char *name, int64_t width, int64_t ffn, at_act act, bool gated,
                              float dropout)
{
    char part[96];
    at_ffn_layer layer = {{0}, {0}, act, gated, dropout};
    snprintf(part, sizeof part, "%s.in", name);
    layer.in = at_linear_layer_add(params, part, width, gated ? 2 * ffn : ffn, at_init_xavier(width, ffn));
    snprintf(part, sizeof part, "%s.out", name);
    layer.out = at_linear_layer_add(params, part, ffn, width, at_init_xavier(ffn, width));
    return layer;
}

at_tensor *at_ffn_layer_run(at_ctx *ctx, const at_ffn_layer *layer, at_tensor *x)
{
    at_tensor *h = at_linear_layer_run(ctx, &layer->in, x, layer->gated ? ATT_ACT_NONE : layer->act);
    if (layer->gated) h = at_swiglu(ctx, h);
    return at_linear_layer_run(ctx, &layer->out, at_dropout(ctx, NULL, h, layer->dropout), ATT_ACT_NONE);
}
