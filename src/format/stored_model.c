/* Reading attend's own model file: metadata to settings and tokens, tensors to weights and tokenizers. Everything but
 * the pieces points into the mapped file. What the file holds is listed in stored_model.h; written by
 * stored_model_write.c. */
#include "format/stored_model.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

void at_stored_model_close(at_stored_model *model)
{
    at_safetensors_close(model->file);
    at_arena_free(&model->arena);
    *model = (at_stored_model){0};
}

static at_status lacks(const at_safetensors *file, const char *key, at_error *err)
{
    return at_fail(
        err, ATT_INPUT,
        "%s: is no model of attend, %s is missing from its metadata; convert a model of another program with "
        "`attend import`",
        at_safetensors_path(file), key);
}

static at_status damaged(const at_safetensors *file, const char *key, const char *what, at_error *err)
{
    return at_fail(err, ATT_INPUT, "%s: metadata %s: %s; make the file again", at_safetensors_path(file), key, what);
}

/* The JSON object under a key of the metadata; the caller's to release. */
static at_status read_object(const at_safetensors *file, const char *key, json_t **object, at_error *err)
{
    const char *text = at_safetensors_metadata(file, key);
    if (text == NULL) return lacks(file, key, err);
    json_error_t problem;
    *object = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    if (json_is_object(*object)) return ATT_OK;
    const bool parsed = *object != NULL;
    json_decref(*object);
    return damaged(file, key, parsed ? "is no JSON object" : problem.text, err);
}

static at_status copy_settings(at_stored_model *model, json_t *config, at_error *err)
{
    const size_t count = json_object_size(config);
    at_setting *settings = at_arena_array(&model->arena, count, sizeof *settings);
    if (settings == NULL) return at_fail_memory(err, count * sizeof *settings);
    model->settings = settings;
    const char *name;
    json_t *value;
    json_object_foreach(config, name, value)
    {
        if (!json_is_string(value)) return damaged(model->file, "attend.config", "a value is no string", err);
        at_setting *setting = &settings[model->setting_count++];
        setting->name = at_arena_strdup(&model->arena, name);
        setting->value = at_arena_strdup(&model->arena, json_string_value(value));
    }
    return model->arena.failed ? at_fail_memory(err, count * sizeof *settings) : ATT_OK;
}

static at_status read_settings(at_stored_model *model, at_error *err)
{
    json_t *config;
    ATT_TRY(read_object(model->file, "attend.config", &config, err));
    const at_status status = copy_settings(model, config, err);
    json_decref(config);
    return status;
}

/* A token id under a key; -1 where `optional` and absent. */
static bool read_id(const json_t *tokens, const char *key, bool optional, int32_t *id)
{
    const json_t *value = json_object_get(tokens, key);
    const json_int_t number = value ? json_integer_value(value) : -1;
    if (value ? !json_is_integer(value) : !optional) return false;
    if (number < (optional ? -1 : 0) || number > INT32_MAX) return false;
    *id = (int32_t)number;
    return true;
}

static at_status read_tokens(at_stored_model *model, at_error *err)
{
    json_t *tokens;
    ATT_TRY(read_object(model->file, "attend.tokens", &tokens, err));
    at_stored_tokens *to = &model->tokens;
    const json_t *final_eos = json_object_get(tokens, "final_eos");
    to->final_eos = json_is_true(final_eos);
    const bool good = read_id(tokens, "target_start", false, &to->target_start) &&
                      read_id(tokens, "eos", false, &to->eos) && read_id(tokens, "pad", true, &to->pad) &&
                      (final_eos == NULL || json_is_boolean(final_eos));
    json_decref(tokens);
    return good ? ATT_OK : damaged(model->file, "attend.tokens", "a token is missing, or no token id", err);
}

static at_status read_info(at_stored_model *model, at_error *err)
{
    model->info = at_safetensors_metadata(model->file, "attend.info");
    if (model->info == NULL) model->info = "{}";
    json_error_t problem;
    json_t *info = json_loads(model->info, 0, &problem);
    if (info == NULL) return damaged(model->file, "attend.info", problem.text, err);
    json_decref(info);
    return ATT_OK;
}

static bool starts_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Padding is seen here only in files that another program wrote again, without attend's hash. */
static bool is_weight(const at_stored_tensor *tensor)
{
    static const char *const others[] = {"tokenizer.", "adam.", "rmsprop.", "sgd.", "average.", ATT_SAFETENSORS_PAD};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (starts_with(tensor->name, others[i])) return false;
    return true;
}

static at_status read_weights(at_stored_model *model, at_error *err)
{
    const size_t count = at_safetensors_count(model->file);
    at_stored_tensor *weights = at_arena_array(&model->arena, count, sizeof *weights);
    if (weights == NULL) return at_fail_memory(err, count * sizeof *weights);
    model->tensors = weights;
    for (size_t i = 0; i < count; i++) {
        const at_stored_tensor *tensor = at_safetensors_at(model->file, i);
        if (!is_weight(tensor)) continue;
        if (tensor->dtype != ATT_F32)
            return at_fail(err, ATT_INPUT, "%s: tensor \"%.200s\" is %s, but attend's own files hold F32; convert it",
                           at_safetensors_path(model->file), tensor->name, at_safetensors_dtype(tensor->dtype));
        weights[model->tensor_count++] = *tensor;
    }
    return ATT_OK;
}

/* The bytes under a name, NULL when absent; they must be U8. */
static at_status find_bytes(const at_stored_model *model, const char *name, const at_stored_tensor **bytes,
                            at_error *err)
{
    *bytes = at_safetensors_find(model->file, name);
    if (*bytes == NULL || ((*bytes)->dtype == ATT_U8 && (*bytes)->rank == 1 && (*bytes)->bytes > 0)) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" must be a row of U8 bytes; make the file again",
                   at_safetensors_path(model->file), name);
}

/* Cuts the joined pieces; only line feeds separate them. */
static at_status split_pieces(at_stored_model *model, at_stored_tokenizer *tokenizer, const at_stored_tensor *joined,
                              at_error *err)
{
    char *text = at_arena_alloc(&model->arena, joined->bytes + 1);
    if (text == NULL) return at_fail_memory(err, joined->bytes + 1);
    memcpy(text, joined->data, joined->bytes);
    text[joined->bytes] = '\0';
    size_t count = 1;
    for (size_t i = 0; i < joined->bytes; i++) count += text[i] == '\n';
    if (strlen(text) != joined->bytes || count > INT32_MAX)
        return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" is no list of pieces; make the file again",
                       at_safetensors_path(model->file), joined->name);
    const char **pieces = at_arena_array(&model->arena, count, sizeof *pieces);
    if (pieces == NULL) return at_fail_memory(err, count * sizeof *pieces);
    for (size_t i = 0; i < count; i++) {
        pieces[i] = text;
        text += strcspn(text, "\n");
        *text++ = '\0';
    }
    tokenizer->pieces = pieces;
    tokenizer->piece_count = (int)count;
    return ATT_OK;
}

static at_status read_tokenizer(at_stored_model *model, at_stored_tokenizer *tokenizer, const char *name,
                                const char *pieces_name, at_error *err)
{
    const at_stored_tensor *bytes, *pieces;
    ATT_TRY(find_bytes(model, name, &bytes, err));
    ATT_TRY(find_bytes(model, pieces_name, &pieces, err));
    if (bytes == NULL && pieces != NULL)
        return at_fail(err, ATT_INPUT, "%s: has \"%s\" but not \"%s\"; make the file again",
                       at_safetensors_path(model->file), pieces_name, name);
    if (bytes == NULL) return ATT_OK;
    tokenizer->bytes = bytes->data;
    tokenizer->size = bytes->bytes;
    return pieces != NULL ? split_pieces(model, tokenizer, pieces, err) : ATT_OK;
}

static at_status read_tokenizers(at_stored_model *model, at_error *err)
{
    ATT_TRY(read_tokenizer(model, &model->tokenizer[0], "tokenizer.source", "tokenizer.source.pieces", err));
    ATT_TRY(read_tokenizer(model, &model->tokenizer[1], "tokenizer.target", "tokenizer.target.pieces", err));
    if (model->tokenizer[0].bytes != NULL || model->tokenizer[1].bytes == NULL) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: has \"tokenizer.target\" but not \"tokenizer.source\"; make the file again",
                   at_safetensors_path(model->file));
}

static at_status read_all(at_stored_model *model, const char *path, at_error *err)
{
    ATT_TRY(at_safetensors_open(&model->file, path, err));
    model->arch = at_safetensors_metadata(model->file, "attend.architecture");
    if (model->arch == NULL) return lacks(model->file, "attend.architecture", err);
    ATT_TRY(read_settings(model, err));
    ATT_TRY(read_tokens(model, err));
    ATT_TRY(read_info(model, err));
    ATT_TRY(read_weights(model, err));
    return read_tokenizers(model, err);
}

at_status at_stored_model_open(at_stored_model *model, const char *path, at_error *err)
{
    *model = (at_stored_model){0};
    at_arena_init(&model->arena, 0);
    const at_status status = read_all(model, path, err);
    if (status != ATT_OK) at_stored_model_close(model);
    return status;
}
