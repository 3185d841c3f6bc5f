/* Hugging Face's MarianMT (the OPUS-MT models): an encoder-decoder Transformer, post-norm, with sinusoids laid out as
 * [sines | cosines].
 *
 *   theirs                                                      attend's
 *   model.shared.weight                                         embedding
 *   model.encoder.layers.0.self_attn.{q,k,v}_proj               encoder.0.attention.qkv
 *   model.encoder.layers.0.self_attn.out_proj, .._layer_norm    encoder.0.attention.out, .norm
 *   model.decoder.layers.0.encoder_attn.q_proj, {k,v}_proj      decoder.0.cross.q, .kv
 *   ..layers.0.fc1, fc2, final_layer_norm                       ..0.ffn.in, .out, .norm
 *   final_logits_bias (1,V)                                     output.bias, where it isn't zero
 *
 * Both programs number pieces by vocab.json, split text by source.spm and target.spm, and start the target with <pad>.
 * The layout: https://huggingface.co/docs/transformers/model_doc/marian. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "format/import.h"

enum { LARGEST = 10000000, MOST_LAYERS = 1000, LAYER_TENSORS = 24, OTHER_TENSORS = 8 };

typedef struct marian {
    int64_t width, heads, ffn, encoder_layers, decoder_layers, source_vocab, target_vocab;
    bool shared, tied; /* encoder and decoder share their table; the output is the decoder's */
    bool output_bias;
} marian;

static at_status refuse(const at_import_job *job, const char *what, at_error *err)
{
    return at_fail(err, ATT_INPUT, "%s: %s can't be expressed", job->config_path, what);
}

/* ---- configuration ---- */

/* A size that encoder and decoder must agree on. */
static at_status read_common(const at_import_job *job, const char *encoder, const char *decoder, int64_t *value,
                             at_error *err)
{
    int64_t other;
    ATT_TRY(at_import_int(job, encoder, -1, LARGEST, value, err));
    ATT_TRY(at_import_int(job, decoder, -1, LARGEST, &other, err));
    if (*value == other) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: %s and %s differ, which can't be expressed", job->config_path, encoder,
                   decoder);
}

static at_status read_sizes(const at_import_job *job, marian *m, at_error *err)
{
    ATT_TRY(at_import_int(job, "d_model", -1, LARGEST, &m->width, err));
    ATT_TRY(at_import_int(job, "encoder_layers", -1, MOST_LAYERS, &m->encoder_layers, err));
    ATT_TRY(at_import_int(job, "decoder_layers", -1, MOST_LAYERS, &m->decoder_layers, err));
    ATT_TRY(read_common(job, "encoder_attention_heads", "decoder_attention_heads", &m->heads, err));
    ATT_TRY(read_common(job, "encoder_ffn_dim", "decoder_ffn_dim", &m->ffn, err));
    ATT_TRY(at_import_int(job, "vocab_size", -1, LARGEST, &m->source_vocab, err));
    ATT_TRY(at_import_int(job, "decoder_vocab_size", m->source_vocab, LARGEST, &m->target_vocab, err));
    ATT_TRY(at_import_bool(job, "share_encoder_decoder_embeddings", true, &m->shared, err));
    ATT_TRY(at_import_bool(job, "tie_word_embeddings", true, &m->tied, err));
    if (m->shared) m->target_vocab = m->source_vocab;
    if (m->width > 0 && m->heads > 0 && m->ffn > 0 && m->source_vocab > 0 && m->target_vocab > 0) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: a width, a number of heads or a vocabulary size is 0; correct it",
                   job->config_path);
}

/* Variants of the ancestor, BART, that older configurations name. */
static at_status check_variants(const at_import_job *job, at_error *err)
{
    static const char *const foreign[] = {"normalize_before", "normalize_embedding", "add_final_layer_norm"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        bool value;
        ATT_TRY(at_import_bool(job, foreign[i], false, &value, err));
        if (value) return refuse(job, foreign[i], err);
    }
    return ATT_OK;
}

static at_status set_activation(at_import_job *job, at_error *err)
{
    static const char *const names[][2] = {{"swish", "swish"},         {"silu", "swish"},
                                           {"relu", "relu"},           {"gelu", "gelu"},
                                           {"gelu_python", "gelu"},    {"gelu_new", "gelu-tanh"},
                                           {"gelu_fast", "gelu-tanh"}, {"gelu_pytorch_tanh", "gelu-tanh"}};
    const char *given = json_string_value(json_object_get(job->config, "activation_function"));
    if (given == NULL) given = "gelu";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(given, names[i][0]) == 0) return at_import_set(job, "activation", names[i][1], err);
    return at_fail(err, ATT_INPUT, "%s: activation_function \"%.60s\" can't be expressed", job->config_path, given);
}

static at_status set_dropout(at_import_job *job, at_error *err)
{
    static const char *const names[][3] = {{"dropout-embedding", "dropout", "0.1"},
                                           {"dropout", "dropout", "0.1"},
                                           {"dropout-attention", "attention_dropout", "0"},
                                           {"dropout-ffn", "activation_dropout", "0"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text;
        ATT_TRY(at_import_number(job, names[i][1], names[i][2], &text, err));
        ATT_TRY(at_import_set(job, names[i][0], text, err));
    }
    return ATT_OK;
}

static at_status set_options(at_import_job *job, const marian *m, at_error *err)
{
    bool scale;
    ATT_TRY(at_import_bool(job, "scale_embedding", false, &scale, err));
    ATT_TRY(at_import_set_int(job, "source-vocab", m->source_vocab, err));
    ATT_TRY(at_import_set_int(job, "target-vocab", m->target_vocab, err));
    ATT_TRY(at_import_set_int(job, "encoder-layers", m->encoder_layers, err));
    ATT_TRY(at_import_set_int(job, "decoder-layers", m->decoder_layers, err));
    ATT_TRY(at_import_set_int(job, "width", m->width, err));
    ATT_TRY(at_import_set_int(job, "heads", m->heads, err));
    ATT_TRY(at_import_set_int(job, "ffn", m->ffn, err));
    ATT_TRY(at_import_set(job, "norm", "post", err));
    ATT_TRY(at_import_set(job, "positions", "sinusoidal-halves", err));
    ATT_TRY(set_activation(job, err));
    ATT_TRY(at_import_set_bool(job, "tie-embeddings", m->shared, err));
    ATT_TRY(at_import_set_bool(job, "tie-output", m->tied, err));
    ATT_TRY(at_import_set_bool(job, "output-bias", m->output_bias, err));
    ATT_TRY(at_import_set_bool(job, "scale-embedding", scale, err));
    return set_dropout(job, err);
}

/* A key of config.json, or of generation_config.json where only that has it; -1 where neither does. */
static at_status read_generation(const at_import_job *job, const char *key, int64_t *value, at_error *err)
{
    *value = -1;
    at_import_job from = *job;
    from.config_path = at_import_path(&job->model->arena, job->dir, "generation_config.json");
    if (from.config_path == NULL) return at_fail_memory(err, strlen(job->dir));
    const json_t *own = json_object_get(job->config, key);
    if (own != NULL && !json_is_null(own)) return at_import_int(job, key, -1, INT32_MAX, value, err);
    if (!at_path_exists(from.config_path)) return ATT_OK;
    ATT_TRY(at_import_json(&from.config, from.config_path, err));
    const json_t *other = json_object_get(from.config, key);
    at_status status = ATT_OK;
    if (other != NULL && !json_is_null(other)) status = at_import_int(&from, key, -1, INT32_MAX, value, err);
    json_decref(from.config);
    return status;
}

static at_status read_tokens(at_import_job *job, at_error *err)
{
    int64_t start, eos, pad, forced_eos, forced_bos;
    ATT_TRY(read_generation(job, "decoder_start_token_id", &start, err));
    ATT_TRY(read_generation(job, "eos_token_id", &eos, err));
    ATT_TRY(read_generation(job, "pad_token_id", &pad, err));
    ATT_TRY(read_generation(job, "forced_eos_token_id", &forced_eos, err));
    ATT_TRY(read_generation(job, "forced_bos_token_id", &forced_bos, err));
    if (start < 0 || eos < 0)
        return at_fail(err, ATT_INPUT, "%s: %s is missing; add it", job->config_path,
                       eos < 0 ? "eos_token_id" : "decoder_start_token_id");
    if (forced_bos >= 0) return refuse(job, "forced_bos_token_id", err);
    if (forced_eos >= 0 && forced_eos != eos) return refuse(job, "a forced_eos_token_id other than eos_token_id", err);
    job->model->tokens = (at_stored_tokens){(int32_t)start, (int32_t)eos, (int32_t)pad, forced_eos >= 0};
    return ATT_OK;
}

/* ---- weights ---- */

/* A row of a layer: up to three of their linear layers become one of attend's; without `parts` it is a norm. */
typedef struct layer_row {
    const char *name;
    int parts;
    const char *from[3];
} layer_row;

static const layer_row self_rows[] = {
    {"attention.qkv", 3, {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}},
    {"attention.out", 1, {"self_attn.out_proj"}},
    {"attention.norm", 0, {"self_attn_layer_norm"}},
    {0},
};
static const layer_row cross_rows[] = {
    {"cross.q", 1, {"encoder_attn.q_proj"}},
    {"cross.kv", 2, {"encoder_attn.k_proj", "encoder_attn.v_proj"}},
    {"cross.out", 1, {"encoder_attn.out_proj"}},
    {"cross.norm", 0, {"encoder_attn_layer_norm"}},
    {0},
};

static at_status import_norm(at_import_job *job, const char *name, const char *from, int64_t width, at_error *err)
{
    static const char *const parts[] = {"weight", "bias"};
    for (int i = 0; i < 2; i++) {
        char to[160], source[160];
        snprintf(to, sizeof to, "%s.%s", name, parts[i]);
        snprintf(source, sizeof source, "%s.%s", from, parts[i]);
        ATT_TRY(at_import_copy(job, to, source, width, 0, err));
    }
    return ATT_OK;
}

/* side: "encoder" or "decoder", of layer i. */
static at_status import_row(at_import_job *job, const char *side, int i, const layer_row *row, int64_t in, int64_t out,
                            at_error *err)
{
    char name[128], from[3][128];
    const char *names[3] = {from[0], from[1], from[2]};
    snprintf(name, sizeof name, "%s.%d.%s", side, i, row->name);
    for (int p = 0; p < (row->parts ? row->parts : 1); p++)
        snprintf(from[p], sizeof from[p], "model.%s.layers.%d.%s", side, i, row->from[p]);
    if (row->parts == 0) return import_norm(job, name, from[0], out, err);
    return at_import_linear(job, name, names, row->parts, in, out, err);
}

static at_status import_layer(at_import_job *job, const marian *m, const char *side, int i, bool cross, at_error *err)
{
    static const layer_row in = {"ffn.in", 1, {"fc1"}}, out = {"ffn.out", 1, {"fc2"}},
                           norm = {"ffn.norm", 0, {"final_layer_norm"}};
    for (const layer_row *r = self_rows; r->name; r++) ATT_TRY(import_row(job, side, i, r, m->width, m->width, err));
    for (const layer_row *r = cross_rows; cross && r->name; r++)
        ATT_TRY(import_row(job, side, i, r, m->width, m->width, err));
    ATT_TRY(import_row(job, side, i, &in, m->width, m->ffn, err));
    ATT_TRY(import_row(job, side, i, &out, m->ffn, m->width, err));
    return import_row(job, side, i, &norm, m->width, m->width, err);
}

/* One table under any of the names (NULL-terminated) of those that share it; where several are stored they must be
 * equal. */
static at_status import_table(at_import_job *job, const char *name, const char *const *names, int64_t vocab,
                              int64_t width, at_error *err)
{
    const at_stored_tensor *first = NULL, *other;
    for (const char *const *from = names; *from != NULL; from++) {
        if (!at_import_has(job, *from)) continue;
        ATT_TRY(at_import_take(job, *from, vocab, width, &other, err));
        if (first == NULL) first = other;
        if (other->dtype == first->dtype && memcmp(other->data, first->data, first->bytes) == 0) continue;
        return at_fail(err, ATT_INPUT, "%s: tensors \"%s\" and \"%s\" differ, but %s ties them; correct it",
                       at_safetensors_path(job->file), first->name, other->name, job->config_path);
    }
    return at_import_copy(job, name, first ? first->name : names[0], vocab, width, err);
}

/* The four ways of tying: one table for all, the output apart, source and target apart, three tables. */
static at_status import_tables(at_import_job *job, const marian *m, at_error *err)
{
    static const char shared[] = "model.shared.weight", encoder[] = "model.encoder.embed_tokens.weight",
                      decoder[] = "model.decoder.embed_tokens.weight", output[] = "lm_head.weight";
    const char *const tied = m->tied ? output : NULL;
    const char *const all[] = {shared, encoder, decoder, tied, NULL};
    const char *const source[] = {encoder, NULL}, *const target[] = {decoder, tied, NULL};
    if (m->shared) {
        ATT_TRY(import_table(job, "embedding", all, m->source_vocab, m->width, err));
    } else {
        ATT_TRY(import_table(job, "source.embedding", source, m->source_vocab, m->width, err));
        ATT_TRY(import_table(job, "target.embedding", target, m->target_vocab, m->width, err));
    }
    if (m->tied) return ATT_OK;
    return at_import_transposed(job, "output.weight", output, m->width, m->target_vocab, err);
}

/* Stored (1,V), mostly zero: then there is no bias. Sets m->output_bias. */
static at_status import_bias(at_import_job *job, marian *m, at_error *err)
{
    static const char name[] = "final_logits_bias";
    const at_stored_tensor *tensor;
    m->output_bias = false;
    if (!at_import_has(job, name)) return ATT_OK;
    ATT_TRY(at_import_take(job, name, 1, m->target_vocab, &tensor, err));
    const size_t count = (size_t)m->target_vocab;
    float *bias = at_arena_array(&job->model->arena, count, sizeof *bias);
    if (bias == NULL) return at_fail_memory(err, count * sizeof *bias);
    at_import_floats(bias, tensor, 0, count);
    for (size_t i = 0; i < count; i++) m->output_bias = m->output_bias || bias[i] != 0;
    float *data;
    if (!m->output_bias) return ATT_OK;
    ATT_TRY(at_import_add(job, "output.bias", m->target_vocab, 0, &data, err));
    memcpy(data, bias, count * sizeof *bias);
    return ATT_OK;
}

/* Sinusoids that are stored all the same must be those that attend computes; half precision is enough. */
static at_status check_positions(at_import_job *job, const marian *m, const char *name, at_error *err)
{
    const at_stored_tensor *tensor = at_safetensors_find(job->file, name);
    if (tensor == NULL) return ATT_OK;
    const int64_t half = (m->width + 1) / 2;
    ATT_TRY(at_import_take(job, name, tensor->dim[0], m->width, &tensor, err));
    for (int64_t i = 0; i < tensor->dim[0] * m->width; i++) {
        const int64_t column = i % m->width, pair = column % half;
        const double angle = (double)(i / m->width) * pow(10000.0, -2.0 * (double)pair / (double)m->width);
        float stored;
        at_import_floats(&stored, tensor, (size_t)i, 1);
        if (!(fabs((double)stored - (column < half ? sin(angle) : cos(angle))) < 1e-2))
            return at_fail(err, ATT_INPUT,
                           "%s: tensor \"%s\" isn't the sinusoids of MarianMT, so it can't be expressed",
                           at_safetensors_path(job->file), name);
    }
    return ATT_OK;
}

static at_status import_weights(at_import_job *job, marian *m, at_error *err)
{
    const size_t most = (size_t)(m->encoder_layers + m->decoder_layers) * LAYER_TENSORS + OTHER_TENSORS;
    ATT_TRY(at_import_reserve(job, most, err));
    ATT_TRY(import_tables(job, m, err));
    ATT_TRY(import_bias(job, m, err));
    for (int i = 0; i < (int)m->encoder_layers; i++) ATT_TRY(import_layer(job, m, "encoder", i, false, err));
    for (int i = 0; i < (int)m->decoder_layers; i++) ATT_TRY(import_layer(job, m, "decoder", i, true, err));
    ATT_TRY(check_positions(job, m, "model.encoder.embed_positions.weight", err));
    return check_positions(job, m, "model.decoder.embed_positions.weight", err);
}

/* ---- tokenizers ---- */

/* A file's bytes in the arena. */
static at_status read_model(at_import_job *job, const char *name, at_stored_tokenizer *tokenizer, at_error *err)
{
    const char *path = at_import_path(&job->model->arena, job->dir, name);
    if (path == NULL) return at_fail_memory(err, strlen(job->dir));
    at_map map;
    ATT_TRY(at_map_open(&map, path, err));
    void *bytes = at_arena_alloc(&job->model->arena, map.size);
    if (bytes != NULL && map.size > 0) memcpy(bytes, map.data, map.size);
    tokenizer->bytes = bytes;
    tokenizer->size = map.size;
    at_map_close(&map);
    return bytes != NULL ? ATT_OK : at_fail_memory(err, tokenizer->size);
}

/* Turns {piece: id} round; ids must be 0 .. count - 1, each once. */
static at_status number_pieces(at_import_job *job, json_t *vocab, const char *path, at_stored_tokenizer *tokenizer,
                               at_error *err)
{
    const size_t count = json_object_size(vocab);
    const char **pieces = at_arena_zalloc(&job->model->arena, count * sizeof *pieces);
    if (pieces == NULL || count > INT32_MAX) return at_fail_memory(err, count * sizeof *pieces);
    const char *piece;
    json_t *value;
    json_object_foreach(vocab, piece, value)
    {
        const json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || (size_t)id >= count || pieces[id] != NULL)
            return at_fail(err, ATT_INPUT,
                           "%s: the id of piece \"%.60s\" is none of 0 .. %zu, or taken twice; correct it", path, piece,
                           count - 1);
        pieces[id] = at_arena_strdup(&job->model->arena, piece);
        if (pieces[id] == NULL) return at_fail_memory(err, strlen(piece) + 1);
    }
    tokenizer->pieces = pieces;
    tokenizer->piece_count = (int)count;
    return ATT_OK;
}

static at_status read_vocab(at_import_job *job, const char *path, at_stored_tokenizer *tokenizer, at_error *err)
{
    json_t *vocab;
    ATT_TRY(at_import_json(&vocab, path, err));
    const at_status status = number_pieces(job, vocab, path, tokenizer, err);
    json_decref(vocab);
    return status;
}

/* Models with two vocabularies have target_vocab.json too. One tokenizer where both sides are the same. */
static at_status read_tokenizers(at_import_job *job, at_error *err)
{
    at_stored_tokenizer *t = job->model->tokenizer;
    const char *own = at_import_path(&job->model->arena, job->dir, "vocab.json");
    const char *other = at_import_path(&job->model->arena, job->dir, "target_vocab.json");
    if (own == NULL || other == NULL) return at_fail_memory(err, strlen(job->dir));
    ATT_TRY(read_model(job, "source.spm", &t[0], err));
    ATT_TRY(read_model(job, "target.spm", &t[1], err));
    ATT_TRY(read_vocab(job, own, &t[0], err));
    if (at_path_exists(other)) return read_vocab(job, other, &t[1], err);
    t[1].pieces = t[0].pieces;
    t[1].piece_count = t[0].piece_count;
    const bool same = t[0].size == t[1].size && memcmp(t[0].bytes, t[1].bytes, t[0].size) == 0;
    if (same) t[1] = (at_stored_tokenizer){0};
    return ATT_OK;
}

/* Languages, where tokenizer_config.json names them. */
static at_status write_info(at_import_job *job, at_error *err)
{
    json_t *tokenizer = NULL;
    const char *path = at_import_path(&job->model->arena, job->dir, "tokenizer_config.json");
    if (path == NULL) return at_fail_memory(err, strlen(job->dir));
    if (at_path_exists(path)) ATT_TRY(at_import_json(&tokenizer, path, err));
    char text[400];
    json_t *info = json_pack("{s:s, s:s*, s:s*}", "imported", "Hugging Face MarianMT", "source_language",
                             json_string_value(json_object_get(tokenizer, "source_lang")), "target_language",
                             json_string_value(json_object_get(tokenizer, "target_lang")));
    const size_t length = json_dumpb(info, text, sizeof text - 1, JSON_COMPACT);
    json_decref(info);
    json_decref(tokenizer);
    if (length == 0 || length >= sizeof text) return ATT_OK;
    text[length] = '\0';
    job->model->info = at_arena_strdup(&job->model->arena, text);
    return job->model->info != NULL ? ATT_OK : at_fail_memory(err, length);
}

/* ---- all ---- */

static at_status check_files(const char *dir, at_error *err)
{
    static const char *const names[] = {"config.json", "source.spm", "target.spm", "vocab.json"};
    at_arena arena;
    at_arena_init(&arena, 0);
    at_status status = ATT_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && status == ATT_OK; i++) {
        const char *path = at_import_path(&arena, dir, names[i]);
        if (path != NULL && !at_path_exists(path))
            status = at_fail(
                err, ATT_INPUT,
                "%s: is missing; a MarianMT folder holds config.json, model.safetensors, source.spm, target.spm "
                "and vocab.json",
                path);
    }
    at_arena_free(&arena);
    return status;
}

static at_status import_all(at_import_job *job, at_error *err)
{
    marian m;
    job->model->arch = "transformer";
    ATT_TRY(read_sizes(job, &m, err));
    ATT_TRY(check_variants(job, err));
    ATT_TRY(read_tokens(job, err));
    ATT_TRY(import_weights(job, &m, err));
    ATT_TRY(set_options(job, &m, err));
    ATT_TRY(read_tokenizers(job, err));
    ATT_TRY(write_info(job, err));
    return at_import_finish(job, err);
}

at_status at_import_marian(at_stored_model *model, const char *dir, at_error *err)
{
    *model = (at_stored_model){0};
    ATT_TRY(check_files(dir, err));
    at_import_job job;
    at_status status = at_import_begin(&job, model, dir, "MarianMT", err);
    if (status == ATT_OK) status = import_all(&job, err);
    at_import_end(&job);
    if (status != ATT_OK) at_stored_model_close(model);
    return status;
}
