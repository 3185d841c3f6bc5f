/* Hugging Face's MarianMT (the OPUS-MT models) and Pegasus in the form that export_marian.c writes: encoder-decoder
 * Transformers, post-norm and pre-norm. marian_layout.h tells what is where.
 *
 * Both programs number pieces by vocab.json, split text by source.spm and target.spm, and start the target with <pad>,
 * or with bos_token_id where row 0 of the decoder's positions holds what that token adds. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "format/import.h"
#include "format/marian_layout.h"

enum { LARGEST = 10000000, MOST_LAYERS = 1000, LAYER_TENSORS = 24, OTHER_TENSORS = 8 };

typedef struct marian {
    const at_marian_layout *layout;
    int64_t width, heads, ffn, encoder_layers, decoder_layers, source_vocab, target_vocab;
    bool shared, tied; /* encoder and decoder share their table; the output is the decoder's */
    bool output_bias, scaled;
    int positions; /* index into at_marian_positions */
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

static at_status read_layout(at_import_job *job, marian *m, at_error *err)
{
    const char *type = json_string_value(json_object_get(job->config, "model_type"));
    m->layout = at_marian_layout_find(type ? type : "");
    if (m->layout == NULL) return refuse(job, "its model_type", err);
    job->program = m->layout->program;
    return ATT_OK;
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
    ATT_TRY(at_import_bool(job, "scale_embedding", false, &m->scaled, err));
    if (m->shared) m->target_vocab = m->source_vocab;
    if (m->width > 0 && m->heads > 0 && m->ffn > 0 && m->source_vocab > 0 && m->target_vocab > 0) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: a width, a number of heads or a vocabulary size is 0; correct it",
                   job->config_path);
}

/* Variants of the ancestor, BART, that some configurations name. */
static at_status check_variants(const at_import_job *job, const marian *m, at_error *err)
{
    const bool pre = m->layout->pre_norm;
    const struct {
        const char *name;
        bool wanted;
    } variants[] = {{"normalize_before", pre}, {"add_final_layer_norm", pre}, {"normalize_embedding", false}};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        bool value;
        ATT_TRY(at_import_bool(job, variants[i].name, variants[i].wanted, &value, err));
        if (value != variants[i].wanted) return refuse(job, variants[i].name, err);
    }
    return ATT_OK;
}

static at_status set_activation(at_import_job *job, at_error *err)
{
    const char *given = json_string_value(json_object_get(job->config, "activation_function"));
    if (given == NULL) given = "gelu";
    for (int i = 0; at_marian_activations[i][0] != NULL; i++)
        if (strcmp(given, at_marian_activations[i][1]) == 0)
            return at_import_set(job, "activation", at_marian_activations[i][0], err);
    return at_fail(err, ATT_INPUT, "%s: activation_function \"%.60s\" can't be expressed", job->config_path, given);
}

static at_status set_dropout(at_import_job *job, at_error *err)
{
    for (int i = 0; at_marian_dropouts[i][0] != NULL; i++) {
        const char *text;
        ATT_TRY(at_import_number(job, at_marian_dropouts[i][1], at_marian_dropouts[i][2], &text, err));
        ATT_TRY(at_import_set(job, at_marian_dropouts[i][0], text, err));
    }
    return ATT_OK;
}

static at_status set_options(at_import_job *job, const marian *m, at_error *err)
{
    ATT_TRY(at_import_set_int(job, "source-vocab", m->source_vocab, err));
    ATT_TRY(at_import_set_int(job, "target-vocab", m->target_vocab, err));
    ATT_TRY(at_import_set_int(job, "encoder-layers", m->encoder_layers, err));
    ATT_TRY(at_import_set_int(job, "decoder-layers", m->decoder_layers, err));
    ATT_TRY(at_import_set_int(job, "width", m->width, err));
    ATT_TRY(at_import_set_int(job, "heads", m->heads, err));
    ATT_TRY(at_import_set_int(job, "ffn", m->ffn, err));
    ATT_TRY(at_import_set(job, "norm", m->layout->pre_norm ? "pre" : "post", err));
    ATT_TRY(at_import_set(job, "positions", at_marian_positions[m->positions], err));
    ATT_TRY(set_activation(job, err));
    ATT_TRY(at_import_set_bool(job, "tie-embeddings", m->shared, err));
    ATT_TRY(at_import_set_bool(job, "tie-output", m->tied, err));
    ATT_TRY(at_import_set_bool(job, "output-bias", m->output_bias, err));
    ATT_TRY(at_import_set_bool(job, "scale-embedding", m->scaled, err));
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
static at_status import_row(at_import_job *job, const char *side, int i, const at_marian_row *row, int64_t in,
                            int64_t out, at_error *err)
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
    const at_marian_row *ffn = at_marian_ffn;
    for (const at_marian_row *r = at_marian_self; r->name; r++)
        ATT_TRY(import_row(job, side, i, r, m->width, m->width, err));
    for (const at_marian_row *r = at_marian_cross; cross && r->name; r++)
        ATT_TRY(import_row(job, side, i, r, m->width, m->width, err));
    ATT_TRY(import_row(job, side, i, &ffn[0], m->width, m->ffn, err));
    ATT_TRY(import_row(job, side, i, &ffn[1], m->ffn, m->width, err));
    return import_row(job, side, i, &ffn[2], m->width, m->width, err);
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

/* The larger of two distances; what is no number is infinitely far. */
static double farther(double largest, double distance)
{
    return isfinite(distance) ? fmax(largest, fabs(distance)) : INFINITY;
}

/* How far the stored sinusoids (NULL: none, so nothing differs) are from a kind of attend's; rows from `first` on. */
static double distance(const at_stored_tensor *stored, int kind, int64_t first, int64_t width)
{
    double largest = 0;
    for (int64_t i = first * width; stored != NULL && i < stored->dim[0] * width; i++) {
        float value;
        at_import_floats(&value, stored, (size_t)i, 1);
        largest = farther(largest, (double)value - (double)at_marian_sinusoid(kind, i / width, i % width, width));
    }
    return largest;
}

/* Half precision is enough to tell the kinds apart. */
static const double close_enough = 1e-2;

/* The stored table; NULL when there is none, or one without rows. */
static at_status take_positions(at_import_job *job, const marian *m, const char *name, const at_stored_tensor **table,
                                at_error *err)
{
    *table = at_safetensors_find(job->file, name);
    if (*table == NULL) return ATT_OK;
    ATT_TRY(at_import_take(job, name, (*table)->dim[0], m->width, table, err));
    if ((*table)->dim[0] == 0) *table = NULL;
    return ATT_OK;
}

/* A made tensor by attend's name; NULL when there is none. */
static const float *find_made(const at_import_job *job, const char *name)
{
    for (size_t i = 0; i < job->made_count; i++)
        if (strcmp(job->made[i].name, name) == 0) return job->made[i].data;
    return NULL;
}

/* Row 0 of the decoder's positions is the sinusoid, and the target starts with tokens.target_start; or it is the
 * sinusoid and what the token `other` adds, and the target starts with that one. */
static bool find_start(at_import_job *job, const marian *m, const at_stored_tensor *positions, int64_t other)
{
    const float *table = find_made(job, m->shared ? "embedding" : "target.embedding");
    const double scale = m->scaled ? sqrt((double)m->width) : 1;
    double plain = 0, with = other >= 0 && other < m->target_vocab ? 0 : INFINITY;
    for (int64_t j = 0; positions != NULL && j < m->width; j++) {
        float stored;
        at_import_floats(&stored, positions, (size_t)j, 1);
        const double more = (double)stored - (double)at_marian_sinusoid(m->positions, 0, j, m->width);
        plain = farther(plain, more);
        if (isfinite(with)) with = farther(with, more - scale * (double)table[other * m->width + j]);
    }
    if (plain < close_enough) return true;
    if (with < close_enough) job->model->tokens.target_start = (int32_t)other;
    return with < close_enough;
}

/* Sinusoids that are stored must be of a kind that attend computes. */
static at_status read_positions(at_import_job *job, marian *m, at_error *err)
{
    static const char *const names[] = {"model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight"};
    const at_stored_tensor *table[2];
    int64_t start;
    for (int i = 0; i < 2; i++) ATT_TRY(take_positions(job, m, names[i], &table[i], err));
    ATT_TRY(read_generation(job, "bos_token_id", &start, err));
    for (m->positions = 0; at_marian_positions[m->positions] != NULL; m->positions++) {
        if (distance(table[0], m->positions, 0, m->width) < close_enough &&
            distance(table[1], m->positions, 1, m->width) < close_enough && find_start(job, m, table[1], start))
            return ATT_OK;
    }
    return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" isn't sinusoids, so it can't be expressed",
                   at_safetensors_path(job->file), table[0] ? names[0] : names[1]);
}

static at_status import_weights(at_import_job *job, marian *m, at_error *err)
{
    const size_t most = (size_t)(m->encoder_layers + m->decoder_layers) * LAYER_TENSORS + OTHER_TENSORS;
    ATT_TRY(at_import_reserve(job, most, err));
    ATT_TRY(import_tables(job, m, err));
    ATT_TRY(import_bias(job, m, err));
    for (int i = 0; i < (int)m->encoder_layers; i++) ATT_TRY(import_layer(job, m, "encoder", i, false, err));
    for (int i = 0; i < (int)m->decoder_layers; i++) ATT_TRY(import_layer(job, m, "decoder", i, true, err));
    if (m->layout->pre_norm) {
        ATT_TRY(import_norm(job, "encoder.norm", "model.encoder.layer_norm", m->width, err));
        ATT_TRY(import_norm(job, "decoder.norm", "model.decoder.layer_norm", m->width, err));
    }
    return read_positions(job, m, err);
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
    snprintf(text, sizeof text, "Hugging Face %s", job->program);
    json_t *info = json_pack("{s:s, s:s*, s:s*}", "imported", text, "source_language",
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
    marian m = {0};
    job->model->arch = "transformer";
    ATT_TRY(read_layout(job, &m, err));
    ATT_TRY(read_sizes(job, &m, err));
    ATT_TRY(check_variants(job, &m, err));
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
