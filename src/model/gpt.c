/* The decoder-only language model (gpt.h), over the same layers as the translator:
 *
 *   x = token table + learned position          dropout-embedding
 *   each layer   x = x + attention(norm(x))     dropout before each sum
 *                x = x + ffn(norm(x))
 *   logits = norm(x) times the token table's transpose
 *
 * Of a pair batch it reads the targets alone; there is no encoder, and steps of decoding need no memory. */
#include "model/gpt.h"

#include <math.h>
#include <stdio.h>

#include "nn/layers.h"
#include "nn/positions.h"

#define FIELD(name) offsetof(at_gpt_config, name)

static const char *const activation_names[] = {"none", "relu", "gelu", "gelu-tanh", "swish", NULL};

static const at_option options[] = {
    {"vocab", ATT_OPT_INT, FIELD(vocab), "0", 0, 1e7, NULL, "size of the vocabulary; set from the tokenizer", 0},
    {"layers", ATT_OPT_INT, FIELD(layers), "12", 1, 1000, NULL, "layers", 0},
    {"width", ATT_OPT_INT, FIELD(width), "768", 1, 65536, NULL, "width of embeddings and of every layer's output", 0},
    {"heads", ATT_OPT_INT, FIELD(heads), "12", 1, 1024, NULL, "attention heads", 0},
    {"ffn", ATT_OPT_INT, FIELD(ffn), "0", 0, 1048576, NULL, "inner width of the feed-forward layers; 0: 4 times width",
     0},
    {"context", ATT_OPT_INT, FIELD(context), "1024", 1, 1e7, NULL, "longest sequence in tokens: learned positions", 0},
    {"activation", ATT_OPT_CHOICE, FIELD(activation), "gelu-tanh", 0, 0, activation_names,
     "activation of the feed-forward layers", 0},
    {"tie-output", ATT_OPT_BOOL, FIELD(tie_output), "true", 0, 0, NULL, "the output layer is the embedding table", 0},
    {"dropout-embedding", ATT_OPT_REAL, FIELD(dropout_embedding), "0.1", 0, 0.99, NULL,
     "rate of dropout after embedding and position", 0},
    {"dropout", ATT_OPT_REAL, FIELD(dropout), "0.1", 0, 0.99, NULL, "rate of dropout before each residual sum", 0},
    {"dropout-attention", ATT_OPT_REAL, FIELD(dropout_attention), "0.1", 0, 0.99, NULL,
     "rate of dropout on attention weights", 0},
    {"dropout-ffn", ATT_OPT_REAL, FIELD(dropout_ffn), "0", 0, 0.99, NULL,
     "rate of dropout inside the feed-forward layers", 0},
    {0},
};

typedef struct gpt_layer {
    at_norm_layer attention_norm, ffn_norm;
    at_attention_layer attention;
    at_ffn_layer ffn;
} gpt_layer;

typedef struct gpt {
    at_tensor *table, *positions, *output; /* (V,D), (context,D); output is the table, or (D,V) */
    gpt_layer *layer;
    at_norm_layer norm;
} gpt;

static const at_gpt_config *config_of(const at_model *model)
{
    return model->config;
}

static at_status check(at_gpt_config *c, at_error *err)
{
    if (c->width % c->heads != 0)
        return at_fail(err, ATT_OPTION, "width %lld is not divisible by heads %lld; choose another number of heads",
                       (long long)c->width, (long long)c->heads);
    if (c->vocab < 1) return at_fail(err, ATT_OPTION, "the model has no vocabulary size; set vocab");
    if (c->ffn == 0) c->ffn = 4 * c->width;
    return ATT_OK;
}

/* Weights from N(0, 0.02^2); those that write to the residual stream smaller by the square root of their number, so
 * that the stream's variance doesn't grow with depth (section 2.3). */
static void add_layer(at_params *p, gpt_layer *layer, const at_gpt_config *c, int64_t i)
{
    const at_init normal = {ATT_INIT_NORMAL, 0.02f}, smaller = {ATT_INIT_NORMAL, 0.02f / sqrtf(2 * (float)c->layers)};
    char name[64];
    snprintf(name, sizeof name, "layer.%d.attention", (int)i);
    layer->attention = at_attention_layer_add(p, name, c->width, c->heads, c->width / c->heads, false, true,
                                              (float)c->dropout_attention);
    snprintf(name, sizeof name, "layer.%d.attention.norm", (int)i);
    layer->attention_norm = at_norm_layer_add(p, name, c->width);
    snprintf(name, sizeof name, "layer.%d.ffn", (int)i);
    layer->ffn = at_ffn_layer_add(p, name, c->width, c->ffn, (at_act)c->activation, false, (float)c->dropout_ffn);
    snprintf(name, sizeof name, "layer.%d.ffn.norm", (int)i);
    layer->ffn_norm = at_norm_layer_add(p, name, c->width);
    at_params_set_init(p, layer->attention.qkv.w, normal);
    at_params_set_init(p, layer->attention.out.w, smaller);
    at_params_set_init(p, layer->ffn.in.w, normal);
    at_params_set_init(p, layer->ffn.out.w, smaller);
}

static at_status build(at_model *model, at_error *err)
{
    at_gpt_config *c = model->config;
    at_params *p = &model->params;
    const at_init normal = {ATT_INIT_NORMAL, 0.02f};
    ATT_TRY(check(c, err));
    gpt *g = at_arena_zalloc(&p->arena, sizeof *g);
    if (g) g->layer = at_arena_zalloc(&p->arena, (size_t)c->layers * sizeof *g->layer);
    if (g == NULL || g->layer == NULL) return at_fail(err, ATT_MEMORY, "no memory to describe the model");
    g->table = at_params_add(p, normal, c->vocab, c->width, "embedding");
    g->positions = at_params_add(p, normal, c->context, c->width, "positions");
    for (int64_t i = 0; i < c->layers; i++) add_layer(p, &g->layer[i], c, i);
    g->norm = at_norm_layer_add(p, "norm", c->width);
    g->output = c->tie_output ? g->table : at_params_add(p, normal, c->width, c->vocab, "output.weight");
    model->layers = g;
    return ATT_OK;
}

/* Cached: one token of each hypothesis (step and cache); else whole sequences. */
static at_tensor *attend(at_ctx *ctx, const gpt_layer *layer, at_tensor *x, const at_packed *tokens,
                         const at_cache_step *step, float *cache, const at_weights_request *request)
{
    at_tensor *h = at_norm_layer_run(ctx, &layer->attention_norm, x);
    if (step) return at_cached_attention_run(ctx, &layer->attention, h, step, cache);
    return at_self_attention_run(ctx, &layer->attention, h, tokens, request);
}

static at_tensor *run_layer(at_ctx *ctx, const at_gpt_config *c, const gpt_layer *layer, at_tensor *x,
                            at_tensor *attended)
{
    x = at_dropout(ctx, x, attended, (float)c->dropout);
    at_tensor *h = at_ffn_layer_run(ctx, &layer->ffn, at_norm_layer_run(ctx, &layer->ffn_norm, x));
    return at_dropout(ctx, x, h, (float)c->dropout);
}

static at_tensor *embed(at_ctx *ctx, const at_model *model, const int32_t *ids, int64_t n, const int32_t *position_of)
{
    const gpt *g = model->layers;
    if (at_ctx_check(ctx, NULL) != ATT_OK) return at_tensor_new(ctx, n, config_of(model)->width);
    at_tensor *x = at_embed(ctx, g->table, ids, n, 1, g->positions, position_of);
    return at_dropout(ctx, NULL, x, (float)config_of(model)->dropout_embedding);
}

/* States (N,D) before the output layer. */
static at_tensor *states_of(at_ctx *ctx, const at_model *model, const at_packed *tokens, const at_attention_map *map)
{
    const at_gpt_config *c = config_of(model);
    const gpt *g = model->layers;
    int64_t longest;
    const int32_t *position_of = at_position_ids(ctx, tokens, &longest);
    at_tensor *x = embed(ctx, model, tokens->ids, at_packed_tokens(tokens), position_of);
    for (int64_t i = 0; i < c->layers; i++) {
        const bool wanted = map != NULL && map->decoder_self != NULL;
        const at_weights_request request = {wanted ? map->decoder_self[i] : NULL, wanted ? map->decoder_offset : NULL};
        at_segment_begin(ctx);
        x = run_layer(ctx, c, &g->layer[i], x, attend(ctx, &g->layer[i], x, tokens, NULL, NULL, &request));
        x = at_segment_end(ctx, x);
    }
    return at_norm_layer_run(ctx, &g->norm, x);
}

static at_tensor *logits_of(at_ctx *ctx, const at_model *model, at_tensor *x)
{
    const gpt *g = model->layers;
    if (config_of(model)->tie_output) return at_linear_tied(ctx, x, g->output, NULL);
    return at_linear(ctx, x, g->output, NULL, ATT_ACT_NONE);
}

static at_tensor *decode(at_ctx *ctx, const at_model *model, at_tensor *states, const at_packed *source,
                         const at_packed *target_in, const at_attention_map *map)
{
    (void)states, (void)source;
    return logits_of(ctx, model, states_of(ctx, model, target_in, map));
}

static at_loss loss(at_ctx *ctx, const at_model *model, const at_pair_batch *batch, float smoothing, float grad_scale)
{
    const gpt *g = model->layers;
    at_tensor *x = states_of(ctx, model, &batch->target_in, NULL);
    return at_linear_cross_entropy(ctx, x, g->output, config_of(model)->tie_output, NULL, batch->target_out.ids,
                                   smoothing, grad_scale);
}

static at_status cache_new(at_cache **cache, const at_model *model, int64_t slots, int64_t capacity, at_error *err)
{
    const at_gpt_config *c = config_of(model);
    const int64_t most = capacity < c->context ? capacity : c->context;
    return at_cache_new(cache, model->params.be, c->layers, slots, most, 2 * c->width, err);
}

static at_tensor *step(at_ctx *ctx, const at_model *model, const at_memory *memory, at_cache *cache,
                       const at_cache_step *step, const int32_t *ids, const int64_t *source_of)
{
    (void)memory, (void)source_of;
    const at_gpt_config *c = config_of(model);
    const gpt *g = model->layers;
    int32_t *position_of = at_ctx_host(ctx, (size_t)step->n * sizeof *position_of);
    for (int64_t i = 0; position_of != NULL && i < step->n; i++) position_of[i] = (int32_t)step->length[i];
    at_tensor *x = embed(ctx, model, ids, step->n, position_of);
    for (int64_t i = 0; i < c->layers; i++)
        x = run_layer(ctx, c, &g->layer[i], x, attend(ctx, &g->layer[i], x, NULL, step, cache->layer[i], NULL));
    return logits_of(ctx, model, at_norm_layer_run(ctx, &g->norm, x));
}

static int64_t max_tokens(const at_model *model)
{
    return config_of(model)->context;
}

static void shape(const at_model *model, int64_t *encoder_layers, int64_t *decoder_layers, int64_t *heads)
{
    *encoder_layers = 0;
    *decoder_layers = config_of(model)->layers;
    *heads = config_of(model)->heads;
}

static void vocab(const at_model *model, int64_t *source, int64_t *target)
{
    *source = *target = config_of(model)->vocab;
}

static void set_vocab(at_model *model, int64_t source, int64_t target, bool shared)
{
    (void)source, (void)shared;
    ((at_gpt_config *)model->config)->vocab = target;
}

const at_arch at_arch_gpt = {
    .name = "gpt",
    .summary = "decoder-only language model (Radford et al. 2019)",
    .options = options,
    .config_size = sizeof(at_gpt_config),
    .build = build,
    .loss = loss,
    .decode = decode,
    .cache_new = cache_new,
    .step = step,
    .max_tokens = max_tokens,
    .shape = shape,
    .vocab = vocab,
    .set_vocab = set_vocab,
};
