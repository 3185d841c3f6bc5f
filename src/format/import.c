/* Importing: what the importers share (import.h), and the choice among them. */
#include "format/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

/* ---- files and configuration ---- */

char *at_import_path(at_arena *arena, const char *dir, const char *name)
{
    const size_t room = strlen(dir) + strlen(name) + 2;
    char *path = at_arena_alloc(arena, room);
    if (path != NULL) snprintf(path, room, "%s/%s", dir, name);
    return path;
}

at_status at_import_json(json_t **json, const char *path, at_error *err)
{
    at_buf text = {0};
    at_status status = at_file_read(path, &text, err);
    if (status == ATT_OK) {
        json_error_t problem = {.text = "the value is no object"};
        *json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &problem);
        if (!json_is_object(*json)) {
            status = at_fail(err, ATT_INPUT, "%s:%d: is no JSON object: %s; copy the file again", path,
                             *json ? 1 : problem.line, *json ? "another value" : problem.text);
            json_decref(*json);
            *json = NULL;
        }
    }
    at_buf_free(&text);
    return status;
}

/* config.json's value of a key, NULL when it is absent or null. */
static const json_t *value_of(const at_import_job *job, const char *key)
{
    const json_t *value = json_object_get(job->config, key);
    return json_is_null(value) ? NULL : value;
}

at_status at_import_int(const at_import_job *job, const char *key, int64_t def, int64_t max, int64_t *value,
                        at_error *err)
{
    const json_t *found = value_of(job, key);
    *value = found ? json_integer_value(found) : def;
    if (found == NULL && def >= 0) return ATT_OK;
    if (found == NULL) return at_fail(err, ATT_INPUT, "%s: %s is missing; add it", job->config_path, key);
    if (json_is_integer(found) && *value >= 0 && *value <= max) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: %s is no whole number from 0 to %" PRId64 "; correct it", job->config_path, key,
                   max);
}

at_status at_import_bool(const at_import_job *job, const char *key, bool def, bool *value, at_error *err)
{
    const json_t *found = value_of(job, key);
    *value = found ? json_is_true(found) : def;
    if (found == NULL || json_is_boolean(found)) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: %s is neither true nor false; correct it", job->config_path, key);
}

at_status at_import_number(const at_import_job *job, const char *key, const char *def, const char **text, at_error *err)
{
    char number[64];
    const json_t *found = value_of(job, key);
    *text = def;
    if (found == NULL) return ATT_OK;
    if (!json_is_number(found))
        return at_fail(err, ATT_INPUT, "%s: %s is no number; correct it", job->config_path, key);
    const size_t length = json_dumpb(found, number, sizeof number - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (length == 0 || length >= sizeof number) return at_fail_memory(err, sizeof number);
    number[length] = '\0';
    if (length > 2 && strcmp(number + length - 2, ".0") == 0) number[length - 2] = '\0';
    *text = at_arena_strdup(&job->model->arena, number);
    return *text != NULL ? ATT_OK : at_fail_memory(err, length);
}

at_status at_import_set(at_import_job *job, const char *name, const char *value, at_error *err)
{
    if (job->setting_count == ATT_IMPORT_SETTINGS)
        return at_fail(err, ATT_MEMORY, "%s: no room for more settings", job->dir);
    const char *copy = at_arena_strdup(&job->model->arena, value);
    if (copy == NULL) return at_fail_memory(err, strlen(value) + 1);
    job->settings[job->setting_count++] = (at_setting){name, copy};
    return ATT_OK;
}

at_status at_import_set_int(at_import_job *job, const char *name, int64_t value, at_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return at_import_set(job, name, text, err);
}

at_status at_import_set_bool(at_import_job *job, const char *name, bool value, at_error *err)
{
    return at_import_set(job, name, value ? "true" : "false", err);
}

/* ---- a job ---- */

/* model.safetensors, with the way out for folders that hold PyTorch's own file. */
static at_status open_weights(at_import_job *job, at_error *err)
{
    const char *path = at_import_path(&job->model->arena, job->dir, "model.safetensors");
    const char *torch = at_import_path(&job->model->arena, job->dir, "pytorch_model.bin");
    if (path == NULL || torch == NULL) return at_fail_memory(err, strlen(job->dir));
    if (!at_path_exists(path) && at_path_exists(torch))
        return at_fail(err, ATT_INPUT,
                       "%s: is missing, and pytorch_model.bin can't be read; save the model as safetensors "
                       "(save_pretrained does)",
                       path);
    return at_safetensors_open(&job->file, path, err);
}

at_status at_import_begin(at_import_job *job, at_stored_model *model, const char *dir, const char *program,
                          at_error *err)
{
    *model = (at_stored_model){.info = "{}", .tokens = {.pad = -1}};
    at_arena_init(&model->arena, 0);
    *job = (at_import_job){.model = model, .dir = dir, .program = program};
    job->config_path = at_import_path(&model->arena, dir, "config.json");
    if (job->config_path == NULL) return at_fail_memory(err, strlen(dir));
    ATT_TRY(at_import_json(&job->config, job->config_path, err));
    ATT_TRY(open_weights(job, err));
    const size_t count = at_safetensors_count(job->file);
    job->taken = at_arena_array(&model->arena, count, sizeof *job->taken);
    return job->taken != NULL ? ATT_OK : at_fail_memory(err, count * sizeof *job->taken);
}

at_status at_import_reserve(at_import_job *job, size_t made_most, at_error *err)
{
    job->made_most = made_most;
    job->made = at_arena_array(&job->model->arena, made_most, sizeof *job->made);
    return job->made != NULL ? ATT_OK : at_fail_memory(err, made_most * sizeof *job->made);
}

void at_import_end(at_import_job *job)
{
    json_decref(job->config);
    at_safetensors_close(job->file);
    job->config = NULL;
    job->file = NULL;
}

static bool is_taken(const at_import_job *job, const at_stored_tensor *tensor)
{
    for (size_t i = 0; i < job->taken_count; i++)
        if (job->taken[i] == tensor) return true;
    return false;
}

at_status at_import_finish(at_import_job *job, at_error *err)
{
    for (size_t i = 0; i < at_safetensors_count(job->file); i++) {
        const at_stored_tensor *tensor = at_safetensors_at(job->file, i);
        if (!is_taken(job, tensor))
            return at_fail(err, ATT_INPUT, "%s: tensor \"%.200s\" has no place in a %s model that attend knows",
                           at_safetensors_path(job->file), tensor->name, job->program);
    }
    at_setting *settings = at_arena_array(&job->model->arena, job->setting_count, sizeof *settings);
    if (settings == NULL) return at_fail_memory(err, job->setting_count * sizeof *settings);
    memcpy(settings, job->settings, job->setting_count * sizeof *settings);
    job->model->settings = settings;
    job->model->setting_count = job->setting_count;
    job->model->tensors = job->made;
    job->model->tensor_count = job->made_count;
    return ATT_OK;
}

/* ---- tensors ---- */

bool at_import_has(const at_import_job *job, const char *name)
{
    return at_safetensors_find(job->file, name) != NULL;
}

static bool is_float(at_dtype dtype)
{
    return dtype == ATT_F32 || dtype == ATT_F64 || dtype == ATT_F16 || dtype == ATT_BF16;
}

/* "2 x 3", or "3" for a vector, for messages. */
static const char *shape_text(char text[64], int64_t d0, int64_t d1)
{
    const int used = snprintf(text, 64, "%" PRId64, d0);
    if (d1 != 0) snprintf(text + used, 64 - (size_t)used, " x %" PRId64, d1);
    return text;
}

at_status at_import_take(at_import_job *job, const char *name, int64_t d0, int64_t d1, const at_stored_tensor **tensor,
                         at_error *err)
{
    const at_stored_tensor *t = at_safetensors_find(job->file, name);
    const char *path = at_safetensors_path(job->file);
    char wanted[64];
    if (t == NULL)
        return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" is missing: weights and %s must be of one model", path, name,
                       job->config_path);
    if (t->rank != (d1 ? 2 : 1) || t->dim[0] != d0 || (d1 && t->dim[1] != d1))
        return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" must be %s by %s, but isn't; take both files of one model",
                       path, name, shape_text(wanted, d0, d1), job->config_path);
    if (!is_float(t->dtype))
        return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" is %s; convert it to F32", path, name,
                       at_safetensors_dtype(t->dtype));
    if (!is_taken(job, t)) job->taken[job->taken_count++] = t;
    *tensor = t;
    return ATT_OK;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 half precision: 1 sign, 5 exponent and 10 fraction bits. */
static float float_of_half(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half >> 15) << 31, exponent = half >> 10 & 31, fraction = half & 1023;
    if (exponent == 31) return float_of_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent != 0) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float small = (float)fraction * 0x1p-24f;
    return sign ? -small : small;
}

/* Foreign data may be unaligned, so elements are copied out. */
static float element(const at_stored_tensor *tensor, size_t i)
{
    const size_t size = at_dtype_size(tensor->dtype);
    const char *at = (const char *)tensor->data + i * size;
    uint16_t half;
    float single;
    double wide;
    switch (tensor->dtype) {
    case ATT_F64:
        memcpy(&wide, at, sizeof wide);
        return (float)wide;
    case ATT_F16:
        memcpy(&half, at, sizeof half);
        return float_of_half(half);
    case ATT_BF16:
        memcpy(&half, at, sizeof half);
        return float_of_bits((uint32_t)half << 16);
    default:
        memcpy(&single, at, sizeof single);
        return single;
    }
}

void at_import_floats(float *out, const at_stored_tensor *tensor, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = element(tensor, first + i);
}

at_status at_import_add(at_import_job *job, const char *name, int64_t d0, int64_t d1, float **data, at_error *err)
{
    const size_t count = (size_t)d0 * (size_t)(d1 ? d1 : 1);
    const char *copy = at_arena_strdup(&job->model->arena, name);
    *data = at_arena_array(&job->model->arena, count, sizeof **data);
    if (copy == NULL || *data == NULL || job->made_count == job->made_most)
        return at_fail_memory(err, count * sizeof **data);
    job->made[job->made_count++] = (at_stored_tensor){.name = copy,
                                                      .dtype = ATT_F32,
                                                      .rank = d1 ? 2 : 1,
                                                      .dim = {d0, d1},
                                                      .data = *data,
                                                      .bytes = count * sizeof **data};
    return ATT_OK;
}

at_status at_import_copy(at_import_job *job, const char *name, const char *from, int64_t d0, int64_t d1, at_error *err)
{
    const at_stored_tensor *tensor;
    float *data;
    ATT_TRY(at_import_take(job, from, d0, d1, &tensor, err));
    ATT_TRY(at_import_add(job, name, d0, d1, &data, err));
    at_import_floats(data, tensor, 0, (size_t)d0 * (size_t)(d1 ? d1 : 1));
    return ATT_OK;
}

/* Writes tensor (rows,columns) transposed into to, whose rows are `stride` apart. */
static void transpose(float *to, size_t stride, const at_stored_tensor *tensor)
{
    const size_t rows = (size_t)tensor->dim[0], columns = (size_t)tensor->dim[1];
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) to[j * stride + i] = element(tensor, i * columns + j);
}

at_status at_import_transposed(at_import_job *job, const char *name, const char *from, int64_t in, int64_t out,
                               at_error *err)
{
    const at_stored_tensor *tensor;
    float *data;
    ATT_TRY(at_import_take(job, from, out, in, &tensor, err));
    ATT_TRY(at_import_add(job, name, in, out, &data, err));
    transpose(data, (size_t)out, tensor);
    return ATT_OK;
}

/* Weights and biases of all parts, checked before memory of their size is wanted. */
static at_status take_linear(at_import_job *job, const char *const *from, int parts, int64_t in, int64_t out,
                             const at_stored_tensor *taken[][2], at_error *err)
{
    char text[256];
    for (int i = 0; i < parts; i++) {
        snprintf(text, sizeof text, "%s.weight", from[i]);
        ATT_TRY(at_import_take(job, text, out, in, &taken[i][0], err));
        snprintf(text, sizeof text, "%s.bias", from[i]);
        ATT_TRY(at_import_take(job, text, out, 0, &taken[i][1], err));
    }
    return ATT_OK;
}

at_status at_import_linear(at_import_job *job, const char *name, const char *const *from, int parts, int64_t in,
                           int64_t out, at_error *err)
{
    char text[256];
    const at_stored_tensor *taken[ATT_IMPORT_PARTS][2];
    float *weight, *bias;
    ATT_TRY(take_linear(job, from, parts, in, out, taken, err));
    snprintf(text, sizeof text, "%s.weight", name);
    ATT_TRY(at_import_add(job, text, in, parts * out, &weight, err));
    snprintf(text, sizeof text, "%s.bias", name);
    ATT_TRY(at_import_add(job, text, parts * out, 0, &bias, err));
    const size_t width = (size_t)out, stride = (size_t)parts * width;
    for (size_t i = 0; i < (size_t)parts; i++) {
        transpose(weight + i * width, stride, taken[i][0]);
        at_import_floats(bias + i * width, taken[i][1], 0, width);
    }
    return ATT_OK;
}

/* ---- the choice ---- */

static const struct importer {
    const char *model_type; /* as config.json names it */
    at_status (*run)(at_stored_model *model, const char *dir, at_error *err);
} importers[] = {{"marian", at_import_marian}, {"pegasus", at_import_marian}, {"gpt2", at_import_gpt2}};

/* Importers read the folder's configuration themselves; here only its model_type counts. */
static at_status choose(const struct importer **chosen, const char *path, at_error *err)
{
    json_t *config;
    ATT_TRY(at_import_json(&config, path, err));
    const char *type = json_string_value(json_object_get(config, "model_type"));
    *chosen = NULL;
    for (size_t i = 0; type != NULL && i < sizeof importers / sizeof *importers; i++)
        if (strcmp(type, importers[i].model_type) == 0) *chosen = &importers[i];
    at_status status = ATT_OK;
    if (*chosen == NULL)
        status = at_fail(err, ATT_INPUT,
                         "%s: model_type \"%.60s\" can't be imported; attend imports marian, pegasus and gpt2", path,
                         type ? type : "");
    json_decref(config);
    return status;
}

at_status at_import(at_stored_model *model, const char *dir, at_error *err)
{
    *model = (at_stored_model){0};
    at_arena arena;
    at_arena_init(&arena, 0);
    const struct importer *importer = NULL;
    const char *path = at_import_path(&arena, dir, "config.json");
    const at_status status = path ? choose(&importer, path, err) : at_fail_memory(err, strlen(dir));
    at_arena_free(&arena);
    return status == ATT_OK ? importer->run(model, dir, err) : status;
}
