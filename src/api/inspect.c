/* A look into a model file, without building the model. See attend/tools.h; the file: format/stored_model.h. */
#include <attend/tools.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "format/stored_model.h"
#include "text/tokenizer.h"

typedef struct inspector {
    at_inspection shown; /* first, so that the public pointer converts back */
    at_arena arena;
    at_stored_model model;
    bool is_model;        /* model is open */
    at_safetensors *file; /* of another program; NULL when model is open */
} inspector;

void at_inspection_free(at_inspection *inspection)
{
    inspector *it = (inspector *)inspection;
    if (it == NULL) return;
    if (it->is_model) at_stored_model_close(&it->model);
    at_safetensors_close(it->file);
    at_arena_free(&it->arena);
    free(it);
}

static void show_tensor(inspector *it, at_inspected_tensor *shown, const at_stored_tensor *tensor)
{
    uint64_t numbers = 1;
    shown->name = tensor->name;
    shown->dtype = at_safetensors_dtype(tensor->dtype);
    shown->rank = tensor->rank;
    shown->bytes = tensor->bytes;
    for (int i = 0; i < tensor->rank; i++) {
        shown->dim[i] = tensor->dim[i];
        numbers *= (uint64_t)tensor->dim[i];
    }
    it->shown.parameters += numbers;
}

static at_inspected_tensor *tensors_new(inspector *it, size_t count)
{
    it->shown.tensor_count = count;
    at_inspected_tensor *tensors = at_arena_array(&it->arena, count, sizeof *tensors);
    it->shown.tensors = tensors;
    return tensors;
}

static at_status show_foreign(inspector *it, at_error *err)
{
    const size_t count = at_safetensors_count(it->file);
    at_inspected_tensor *tensors = tensors_new(it, count);
    if (tensors == NULL) return at_fail_memory(err, count * sizeof *tensors);
    for (size_t i = 0; i < count; i++) show_tensor(it, &tensors[i], at_safetensors_at(it->file, i));
    it->shown.info = "{}";
    return ATT_OK;
}

static at_status show_options(inspector *it, at_error *err)
{
    const size_t count = it->model.setting_count;
    at_inspected_option *options = at_arena_array(&it->arena, count, sizeof *options);
    if (options == NULL) return at_fail_memory(err, count * sizeof *options);
    for (size_t i = 0; i < count; i++) {
        options[i] = (at_inspected_option){it->model.settings[i].name, it->model.settings[i].value};
    }
    it->shown.options = options;
    it->shown.option_count = count;
    return ATT_OK;
}

static at_status show_weights(inspector *it, at_error *err)
{
    const size_t count = it->model.tensor_count;
    at_inspected_tensor *tensors = tensors_new(it, count);
    if (tensors == NULL) return at_fail_memory(err, count * sizeof *tensors);
    for (size_t i = 0; i < count; i++) show_tensor(it, &tensors[i], &it->model.tensors[i]);
    return ATT_OK;
}

/* Pieces of a stored tokenizer; 0 when there is none. */
static at_status count_pieces(const at_stored_tokenizer *stored, const char *path, int64_t *count, at_error *err)
{
    *count = 0;
    if (stored->bytes == NULL) return ATT_OK;
    at_tokenizer *tokenizer;
    ATT_TRY(at_tokenizer_open(&tokenizer, stored->bytes, stored->size, path, err));
    *count = stored->pieces != NULL ? stored->piece_count : at_tokenizer_size(tokenizer);
    at_tokenizer_free(tokenizer);
    return ATT_OK;
}

static at_status show_vocabulary(inspector *it, const char *path, at_error *err)
{
    for (int side = 0; side < 2; side++) {
        ATT_TRY(count_pieces(&it->model.tokenizer[side], path, &it->shown.vocabulary[side], err));
    }
    it->shown.shared_vocabulary = it->shown.vocabulary[0] > 0 && it->shown.vocabulary[1] == 0;
    if (it->shown.shared_vocabulary) it->shown.vocabulary[1] = it->shown.vocabulary[0];
    return ATT_OK;
}

static at_status show_model(inspector *it, const char *path, at_error *err)
{
    it->shown.architecture = it->model.arch;
    it->shown.target_start = it->model.tokens.target_start;
    it->shown.eos = it->model.tokens.eos;
    it->shown.pad = it->model.tokens.pad;
    it->shown.info = it->model.info;
    it->shown.training_state = at_safetensors_metadata(it->model.file, "attend.progress") != NULL;
    ATT_TRY(show_options(it, err));
    ATT_TRY(show_weights(it, err));
    return show_vocabulary(it, path, err);
}

/* Leaves either file or model open. */
static at_status open_either(inspector *it, const char *path, at_error *err)
{
    ATT_TRY(at_safetensors_open(&it->file, path, err));
    it->shown.file_bytes = at_safetensors_size(it->file, &it->shown.hashed);
    if (at_safetensors_metadata(it->file, "attend.architecture") == NULL) return ATT_OK;
    at_safetensors_close(it->file);
    it->file = NULL;
    ATT_TRY(at_stored_model_open(&it->model, path, err));
    it->is_model = true;
    return ATT_OK;
}

static at_status fill(inspector *it, const char *path, at_error *err)
{
    ATT_TRY(open_either(it, path, err));
    return it->is_model ? show_model(it, path, err) : show_foreign(it, err);
}

at_status at_inspect(at_inspection **inspection, const char *path, at_error *err)
{
    *inspection = NULL;
    inspector *it = calloc(1, sizeof *it);
    if (it == NULL) return at_fail_memory(err, sizeof *it);
    at_arena_init(&it->arena, 0);
    it->shown.pad = -1;
    const at_status status = fill(it, path, err);
    if (status != ATT_OK) {
        at_inspection_free(&it->shown);
        return status;
    }
    *inspection = &it->shown;
    return ATT_OK;
}
