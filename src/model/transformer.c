/* The encoder-decoder Transformer (transformer.h): its options, its parameters, and how layers make encoder and decoder of them.
 * Read next: gpt.c, the same without an encoder. */
#include "model/transformer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/layers.h"
#include "nn/positions.h"

#define FIELD(name) offsetof(at_transformer_config, name)

static const char *const norm_names[] = {"post", "pre", NULL};
static const char *const position_names[] = {"none",    "sinusoidal", "sinusoidal-halves", "sinusoidal-tensor2tensor",
                                             "learned", NULL};
static const char *const activation_names[] = {"none", "relu", "gelu", "gelu-tanh", "swish", "swiglu", NULL};
enum { SWIGLU = ATT_ACT_SWISH + 1 };

static const at_option options[] = {
    {"source-vocab", ATT_OPT_INT, FIELD(source_vocab), "0", 0, 1e7, NULL,
     "size of the source vocabulary; set from the tokenizer", 0},
    {"target-vocab", ATT_OPT_INT, FIELD(target_vocab), "0", 0, 1e7, NULL,
     "size of the target vocabulary; set from the tokenizer", 0},
    {"encoder-layers", ATT_OPT_INT, FIELD(encoder_layers), "6", 1, 1000, NULL, "layers of the encoder", 0},
    {"decoder-layers", ATT_OPT_INT, FIELD(decoder_layers), "6", 1, 1000, NULL, "layers of the decoder", 0},
    {"width", ATT_OPT_INT, FIELD(width), "512", 1, 65536, NULL, "width of embeddings and of every layer's output", 0},
    {"heads", ATT_OPT_INT, FIELD(heads), "8", 1, 1024, NULL, "attention heads", 0},
    {"head-width", ATT_OPT_INT, FIELD(head_width), "0", 0, 4096, NULL, "width of a head; 0: width / heads", 0},
    {"ffn", ATT_OPT_INT, FIELD(ffn), "2048", 1, 1048576, NULL, "inner width of the feed-forward layers", 0},
    {"norm", ATT_OPT_CHOICE, FIELD(norm), "post", 0, 0, norm_names,
     "layer normalisation after each residual sum (post) or before each block (pre)", 0},
    {"positions", ATT_OPT_CHOICE, FIELD(positions), "sinusoidal", 0, 0, position_names,
     "how tokens know their place: sinusoids interleaved (the paper), as halves [sines | cosines] with the paper's or "
     "tensor2tensor's frequencies, learned, none",
     0},
    {"positions-every-layer", ATT_OPT_BOOL, FIELD(positions_every_layer), "false", 0, 0, NULL,
     "add the positions again to the input of every layer after the first", 0},
    {"max-positions", ATT_OPT_INT, FIELD(max_positions), "1024", 1, 1e7, NULL,
     "longest sequence for learned positions; sinusoids have no limit", 0},
    {"residual", ATT_OPT_BOOL, FIELD(residual), "true", 0, 0, NULL,
     "residual connections: x + f(x) around each block f; no: f(x) alone", 0},
    {"activation", ATT_OPT_CHOICE, FIELD(activation), "relu", 0, 0, activation_names,
     "activation of the feed-forward layers", 0},
    {"tie-embeddings", ATT_OPT_BOOL, FIELD(tie_embeddings), "true", 0, 0, NULL,
     "source and target share one table (needs one vocabulary)", 0},
    {"tie-output", ATT_OPT_BOOL, FIELD(tie_output), "true", 0, 0, NULL,
     "the output layer is the target's embedding table", 0},
    {"output-bias", ATT_OPT_BOOL, FIELD(output_bias), "false", 0, 0, NULL, "a bias on the logits", 0},
    {"scale-embedding", ATT_OPT_BOOL, FIELD(scale_embedding), "true", 0, 0, NULL,
     "multiply embeddings by the square root of the width", 0},
    {"dropout-embedding", ATT_OPT_REAL, FIELD(dropout_embedding), "0.1", 0, 0.99, NULL,
     "rate of dropout after embedding and position", 0},
    {"dropout", ATT_OPT_REAL, FIELD(dropout), "0.1", 0, 0.99, NULL, "rate of dropout before each residual sum", 0},
    {"dropout-attention", ATT_OPT_REAL, FIELD(dropout_attention), "0", 0, 0.99, NULL,
     "rate of dropout on attention weights", 0},
    {"dropout-ffn", ATT_OPT_REAL, FIELD(dropout_ffn), "0", 0, 0.99, NULL,
     "rate of dropout inside the feed-forward layers", 0},
    {0},
};

typedef struct encoder_layer {
    at_attention_layer attention;
    at_norm_layer attention_norm;
    at_ffn_layer ffn;
    at_norm_layer ffn_norm;
} encoder_layer;

typedef struct decoder_layer {
    at_attention_layer attention, cross;
    at_norm_layer attention_norm, cross_norm;
    at_ffn_layer ffn;
    at_norm_layer ffn_norm;
} decoder_layer;

typedef struct transformer {
    at_tensor *source_table, *target_table, *output, *output_bias;
    at_tensor *source_positions, *target_positions; /* learned only */
    encoder_layer *encoder;
    decoder_layer *decoder;
    at_norm_layer encoder_norm, decoder_norm; /* pre-norm only: after the last layer */
} transformer;

static const at_transformer_config *config_of(const at_model *model)
{
    return model->config;
}

static at_status check(at_transformer_config *c, at_error *err)
{
    if (c->head_width == 0) {
        if (c->width % c->heads != 0)
            return at_fail(
                err, ATT_OPTION,
                "width %lld is not divisible by heads %lld; choose another number of heads, or give head-width",
                (long long)c->width, (long long)c->heads);
        c->head_width = c->width / c->heads;
    }
    if (c->source_vocab < 1 || c->target_vocab < 1) return at_fail(err, ATT_OPTION, "the model has no vocabulary size");
    if (c->tie_embeddings && c->source_vocab != c->target_vocab)
        return at_fail(
            err, ATT_OPTION,
            "tie-embeddings needs one vocabulary, but source has %lld pieces and target %lld; set tie-embeddings false",
            (long long)c->source_vocab, (long long)c->target_vocab);
    if (c->positions_every_layer && c->positions == ATT_POSITIONS_NONE)
        return at_fail(err, ATT_OPTION,
                       "positions-every-layer needs positions, which are none; choose a kind of positions");
    return ATT_OK;
}

static at_ffn_layer add_ffn(at_params *p, const char *name, const at_transformer_config *c)
{
    const bool gated = c->activation == SWIGLU;
    return at_ffn_layer_add(p, name, c->width, c->ffn, gated ? ATT_ACT_SWISH : (at_act)c->activation, gated,
                            (float)c->dropout_ffn);
}

static at_attention_layer add_attention(at_params *p, const char *name, const at_transformer_config *c, bool cross,
                                        bool causal)
{
    return at_attention_layer_add(p, name, c->width, c->heads, c->head_width, cross, causal,
                                  (float)c->dropout_attention);
}

static void add_encoder_layer(at_params *p, encoder_layer *layer, const at_transformer_config *c, int64_t i)
{
    char name[64];
#define NAME(part) (snprintf(name, sizeof name, "encoder.%d." part, (int)i), name)
    layer->attention = add_attention(p, NAME("attention"), c, false, false);
    layer->attention_norm = at_norm_layer_add(p, NAME("attention.norm"), c->width);
    layer->ffn = add_ffn(p, NAME("ffn"), c);
    layer->ffn_norm = at_norm_layer_add(p, NAME("ffn.norm"), c->width);
#undef NAME
}

static void add_decoder_layer(at_params *p, decoder_layer *layer, const at_transformer_config *c, int64_t i)
{
    char name[64];
#define NAME(part) (snprintf(name, sizeof name, "decoder.%d." part, (int)i), name)
    layer->attention = add_attention(p, NAME("attention"), c, false, true);
    layer->attention_norm = at_norm_layer_add(p, NAME("attention.norm"), c->width);
    layer->cross = add_attention(p, NAME("cross"), c, true, false);
    layer->cross_norm = at_norm_layer_add(p, NAME("cross.norm"), c->width);
    layer->ffn = add_ffn(p, NAME("ffn"), c);
    layer->ffn_norm = at_norm_layer_add(p, NAME("ffn.norm"), c->width);
#undef NAME
}

/* Embeddings from N(0, 1/D), so that with the factor sqrt(D) they have unit variance and, tied, logits of unit scale. */
static void add_tables(at_params *p, transformer *t, const at_transformer_config *c)
{
    const at_init normal = {ATT_INIT_NORMAL, 1.0f / sqrtf((float)c->width)}, zero = {ATT_INIT_ZERO, 0};
    if (c->tie_embeddings) {
        t->source_table = t->target_table = at_params_add(p, normal, c->source_vocab, c->width, "embedding");
    } else {
        t->source_table = at_params_add(p, normal, c->source_vocab, c->width, "source.embedding");
        t->target_table = at_params_add(p, normal, c->target_vocab, c->width, "target.embedding");
    }
    if (c->positions == ATT_POSITIONS_LEARNED) {
        t->source_positions = at_params_add(p, normal, c->max_positions, c->width, "source.positions");
        t->target_positions = at_params_add(p, normal, c->max_positions, c->width, "target.positions");
    }
    t->output = c->tie_output ? t->target_table
                              : at_params_add(p, at_init_xavier(c->width, c->target_vocab), c->width, c->target_vocab,
                                              "output.weight");
    if (c->output_bias) t->output_bias = at_params_add(p, zero, c->target_vocab, 0, "output.bias");
}

static at_status build(at_model *model, at_error *err)
{
    at_transformer_config *c = model->config;
    at_params *p = &model->params;
    ATT_TRY(check(c, err));
    transformer *t = at_arena_zalloc(&p->arena, sizeof *t);
    if (t) t->encoder = at_arena_zalloc(&p->arena, (size_t)c->encoder_layers * sizeof *t->encoder);
    if (t) t->decoder = at_arena_zalloc(&p->arena, (size_t)c->decoder_layers * sizeof *t->decoder);
    if (t == NULL || t->encoder == NULL || t->decoder == NULL)
        return at_fail(err, ATT_MEMORY, "no memory to describe the model");
    add_tables(p, t, c);
    for (int64_t i = 0; i < c->encoder_layers; i++) add_encoder_layer(p, &t->encoder[i], c, i);
    for (int64_t i = 0; i < c->decoder_layers; i++) add_decoder_layer(p, &t->decoder[i], c, i);
    if (c->norm == ATT_NORM_PRE) {
        t->encoder_norm = at_norm_layer_add(p, "encoder.norm", c->width);
        t->decoder_norm = at_norm_layer_add(p, "decoder.norm", c->width);
    }
    model->layers = t;
    return ATT_OK;
}

/* The two places of the norm around a block f: post: norm(x + f(x)); pre: x + f(norm(x)). Without residual connections x + is left
 * out. */
static at_tensor *before(at_ctx *ctx, const at_transformer_config *c, const at_norm_layer *norm, at_tensor *x)
{
    return c->norm == ATT_NORM_PRE ? at_norm_layer_run(ctx, norm, x) : x;
}

static at_tensor *after(at_ctx *ctx, const at_transformer_config *c, const at_norm_layer *norm, at_tensor *x,
                        at_tensor *fx)
{
    at_tensor *sum = at_dropout(ctx, c->residual ? x : NULL, fx, (float)c->dropout);
    return c->norm == ATT_NORM_PRE ? sum : at_norm_layer_run(ctx, norm, sum);
}

/* Where tokens stand: token i has row `of[i]` of `table`. */
typedef struct places {
    at_tensor *table; /* sinusoids, or the learned rows; NULL: no positions */
    const int32_t *of;
    at_tensor *rows; /* (N,D) of all tokens, for the layers after the first; NULL: not wanted */
} places;

/* The positions of n tokens, which start at `first` and are at most `count` rows. */
static places places_of(at_ctx *ctx, const at_transformer_config *c, at_tensor *learned, const int32_t *of, int64_t n,
                        int64_t first, int64_t count)
{
    places p = {learned, of, NULL};
    if (c->positions != ATT_POSITIONS_NONE && learned == NULL)
        p.table = at_sinusoids(ctx, (at_positions)c->positions, first, count, c->width);
    if (c->positions_every_layer && at_ctx_check(ctx, NULL) == ATT_OK)
        p.rows = at_embed(ctx, p.table, of, n, 1, NULL, NULL);
    return p;
}

static places places_packed(at_ctx *ctx, const at_transformer_config *c, at_tensor *learned, const at_packed *tokens)
{
    int64_t longest;
    const int32_t *of = at_position_ids(ctx, tokens, &longest);
    return places_of(ctx, c, learned, of, at_packed_tokens(tokens), 0, longest);
}

/* Embedded tokens with their positions. */
static at_tensor *embed(at_ctx *ctx, const at_transformer_config *c, at_tensor *table, const int32_t *ids, int64_t n,
                        const places *p)
{
    const float scale = c->scale_embedding ? sqrtf((float)c->width) : 1.0f;
    if (at_ctx_check(ctx, NULL) != ATT_OK) return at_tensor_new(ctx, n, c->width);
    at_tensor *x = at_embed(ctx, table, ids, n, scale, p->table, p->of);
    return at_dropout(ctx, NULL, x, (float)c->dropout_embedding);
}

/* The input of layer i, from 0: its positions again, where they are wanted. */
static at_tensor *enter(at_ctx *ctx, const places *p, at_tensor *x, int64_t i)
{
    return i > 0 && p->rows ? at_dropout(ctx, p->rows, x, 0) : x;
}

static at_weights_request request_of(float **layers, const int64_t *offset, int64_t i)
{
    const at_weights_request request = {layers ? layers[i] : NULL, offset};
    return request;
}

static at_tensor *encode(at_ctx *ctx, const at_model *model, const at_packed *source, const at_attention_map *map)
{
    const at_transformer_config *c = config_of(model);
    const transformer *t = model->layers;
    const places p = places_packed(ctx, c, t->source_positions, source);
    at_tensor *x = embed(ctx, c, t->source_table, source->ids, at_packed_tokens(source), &p);
    for (int64_t i = 0; i < c->encoder_layers; i++) {
        const encoder_layer *layer = &t->encoder[i];
        x = enter(ctx, &p, x, i);
        at_segment_begin(ctx);
        const at_weights_request self = request_of(map ? map->encoder_self : NULL, map ? map->encoder_offset : NULL, i);
        at_tensor *h =
            at_self_attention_run(ctx, &layer->attention, before(ctx, c, &layer->attention_norm, x), source, &self);
        x = after(ctx, c, &layer->attention_norm, x, h);
        h = at_ffn_layer_run(ctx, &layer->ffn, before(ctx, c, &layer->ffn_norm, x));
        x = at_segment_end(ctx, after(ctx, c, &layer->ffn_norm, x, h));
    }
    return c->norm == ATT_NORM_PRE ? at_norm_layer_run(ctx, &t->encoder_norm, x) : x;
}

/* Decoder states (N,D) before the output layer. */
static at_tensor *decode_states(at_ctx *ctx, const at_model *model, at_tensor *states, const at_packed *source,
                                const at_packed *target_in, const at_attention_map *map)
{
    const at_transformer_config *c = config_of(model);
    const transformer *t = model->layers;
    const at_spans queries = {target_in->offset, target_in->offset + 1}, keys = {source->offset, source->offset + 1};
    const places p = places_packed(ctx, c, t->target_positions, target_in);
    at_tensor *x = embed(ctx, c, t->target_table, target_in->ids, at_packed_tokens(target_in), &p);
    for (int64_t i = 0; i < c->decoder_layers; i++) {
        const decoder_layer *layer = &t->decoder[i];
        x = enter(ctx, &p, x, i);
        at_segment_begin(ctx);
        const at_weights_request self = request_of(map ? map->decoder_self : NULL, map ? map->decoder_offset : NULL, i);
        const at_weights_request cross = request_of(map ? map->cross : NULL, map ? map->cross_offset : NULL, i);
        at_tensor *h =
            at_self_attention_run(ctx, &layer->attention, before(ctx, c, &layer->attention_norm, x), target_in, &self);
        x = after(ctx, c, &layer->attention_norm, x, h);
        at_tensor *kv = at_cross_attention_keys(ctx, &layer->cross, states);
        h = at_cross_attention_run(ctx, &layer->cross, before(ctx, c, &layer->cross_norm, x), queries, kv, keys,
                                   source->count, &cross);
        x = after(ctx, c, &layer->cross_norm, x, h);
        h = at_ffn_layer_run(ctx, &layer->ffn, before(ctx, c, &layer->ffn_norm, x));
        x = at_segment_end(ctx, after(ctx, c, &layer->ffn_norm, x, h));
    }
    return c->norm == ATT_NORM_PRE ? at_norm_layer_run(ctx, &t->decoder_norm, x) : x;
}

static at_tensor *logits(at_ctx *ctx, const at_model *model, at_tensor *x)
{
    const transformer *t = model->layers;
    if (config_of(model)->tie_output) return at_linear_tied(ctx, x, t->output, t->output_bias);
    return at_linear(ctx, x, t->output, t->output_bias, ATT_ACT_NONE);
}

static at_tensor *decode(at_ctx *ctx, const at_model *model, at_tensor *states, const at_packed *source,
                         const at_packed *target_in, const at_attention_map *map)
{
    return logits(ctx, model, decode_states(ctx, model, states, source, target_in, map));
}

static at_loss loss(at_ctx *ctx, const at_model *model, const at_pair_batch *batch, float smoothing, float grad_scale)
{
    const transformer *t = model->layers;
    at_tensor *states = encode(ctx, model, &batch->source, NULL);
    at_tensor *x = decode_states(ctx, model, states, &batch->source, &batch->target_in, NULL);
    return at_linear_cross_entropy(ctx, x, t->output, config_of(model)->tie_output, t->output_bias,
                                   batch->target_out.ids, smoothing, grad_scale);
}

static at_memory *remember(at_ctx *ctx, const at_model *model, at_tensor *states, const at_packed *source)
{
    const at_transformer_config *c = config_of(model);
    const transformer *t = model->layers;
    at_memory *memory = at_ctx_host(ctx, sizeof *memory);
    at_tensor **kv = at_ctx_host(ctx, (size_t)c->decoder_layers * sizeof *kv);
    if (memory == NULL || kv == NULL) return NULL;
    for (int64_t i = 0; i < c->decoder_layers; i++) kv[i] = at_cross_attention_keys(ctx, &t->decoder[i].cross, states);
    *memory = (at_memory){kv, source->offset};
    return memory;
}

static at_status cache_new(at_cache **cache, const at_model *model, int64_t slots, int64_t capacity, at_error *err)
{
    const at_transformer_config *c = config_of(model);
    if (c->positions == ATT_POSITIONS_LEARNED && capacity > c->max_positions) capacity = c->max_positions;
    return at_cache_new(cache, model->params.be, c->decoder_layers, slots, capacity, 2 * c->heads * c->head_width, err);
}

/* Spans of one step: query i is row i; its keys are the rows of its source sentence. */
typedef struct step_spans {
    int64_t *query, *begin, *end;
    int32_t *position;
    int64_t first, count; /* positions first .. first + count - 1 occur */
} step_spans;

static bool step_spans_of(at_ctx *ctx, const at_memory *memory, const at_cache_step *step, const int64_t *source_of,
                          step_spans *s)
{
    const size_t n = (size_t)step->n;
    s->query = at_ctx_host(ctx, (n + 1) * sizeof *s->query);
    s->begin = at_ctx_host(ctx, n * sizeof *s->begin);
    s->end = at_ctx_host(ctx, n * sizeof *s->end);
    s->position = at_ctx_host(ctx, n * sizeof *s->position);
    if (ctx->host.failed) return false;
    int64_t last = 0;
    s->first = step->length[0];
    for (size_t i = 0; i < n; i++) {
        s->query[i] = (int64_t)i;
        s->begin[i] = memory->offset[source_of[i]];
        s->end[i] = memory->offset[source_of[i] + 1];
        if (step->length[i] < s->first) s->first = step->length[i];
        if (step->length[i] > last) last = step->length[i];
    }
    s->query[n] = step->n;
    s->count = last - s->first + 1;
    for (size_t i = 0; i < n; i++) s->position[i] = (int32_t)(step->length[i] - s->first);
    return true;
}

static at_tensor *step(at_ctx *ctx, const at_model *model, const at_memory *memory, at_cache *cache,
                       const at_cache_step *step, const int32_t *ids, const int64_t *source_of)
{
    const at_transformer_config *c = config_of(model);
    const transformer *t = model->layers;
    step_spans s;
    if (!step_spans_of(ctx, memory, step, source_of, &s)) return at_tensor_new(ctx, step->n, c->target_vocab);
    if (t->target_positions) /* learned rows are addressed absolutely */
        for (int64_t i = 0; i < step->n; i++) s.position[i] = (int32_t)step->length[i];
    const places p = places_of(ctx, c, t->target_positions, s.position, step->n, s.first, s.count);
    at_tensor *x = embed(ctx, c, t->target_table, ids, step->n, &p);
    for (int64_t i = 0; i < c->decoder_layers; i++) {
        const decoder_layer *layer = &t->decoder[i];
        x = enter(ctx, &p, x, i);
        at_tensor *h = at_cached_attention_run(ctx, &layer->attention, before(ctx, c, &layer->attention_norm, x), step,
                                               cache->layer[i]);
        x = after(ctx, c, &layer->attention_norm, x, h);
        h = at_cross_attention_run(ctx, &layer->cross, before(ctx, c, &layer->cross_norm, x),
                                   (at_spans){s.query, s.query + 1}, memory->kv[i], (at_spans){s.begin, s.end}, step->n,
                                   NULL);
        x = after(ctx, c, &layer->cross_norm, x, h);
        h = at_ffn_layer_run(ctx, &layer->ffn, before(ctx, c, &layer->ffn_norm, x));
        x = after(ctx, c, &layer->ffn_norm, x, h);
    }
    return logits(ctx, model, c->norm == ATT_NORM_PRE ? at_norm_layer_run(ctx, &t->decoder_norm, x) : x);
}

static int64_t max_tokens(const at_model *model)
{
    return config_of(model)->positions == ATT_POSITIONS_LEARNED ? config_of(model)->max_positions : 0;
}

static void shape(const at_model *model, int64_t *encoder_layers, int64_t *decoder_layers, int64_t *heads)
{
    *encoder_layers = config_of(model)->encoder_layers;
    *decoder_layers = config_of(model)->decoder_layers;
    *heads = config_of(model)->heads;
}

static void vocab(const at_model *model, int64_t *source, int64_t *target)
{
    *source = config_of(model)->source_vocab;
    *target = config_of(model)->target_vocab;
}

static void set_vocab(at_model *model, int64_t source, int64_t target, bool shared)
{
    at_transformer_config *c = model->config;
    c->source_vocab = source;
    c->target_vocab = target;
    if (!shared) c->tie_embeddings = false;
}

const at_arch at_arch_transformer = {
    .name = "transformer",
    .summary = "encoder-decoder Transformer (Vaswani et al. 2017)",
    .options = options,
    .config_size = sizeof(at_transformer_config),
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = decode,
    .remember = remember,
    .cache_new = cache_new,
    .step = step,
    .max_tokens = max_tokens,
    .shape = shape,
    .vocab = vocab,
    .set_vocab = set_vocab,
};
