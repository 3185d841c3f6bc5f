/* The mean of models. See average.h. */
#include "train/average.h"

#include <stdlib.h>
#include <string.h>

static at_status differs(const char *path, const char *what, at_error *err)
{
    return at_fail(err, ATT_INPUT, "%s: has another %s than the first one; only models of one kind can be averaged",
                   path, what);
}

/* Options that the file leaves to their default count as that. */
static at_status check_options(const at_stored_model *stored, const at_model *model, const char *path, at_buf *value,
                               at_error *err)
{
    for (const at_option *row = model->arch->options; row->name != NULL; row++) {
        at_buf_clear(value);
        ATT_TRY(at_option_format(row, model->config, value, err));
        const char *other = NULL;
        for (size_t i = 0; i < stored->setting_count; i++)
            if (strcmp(stored->settings[i].name, row->name) == 0) other = stored->settings[i].value;
        if (other == NULL || strcmp(other, value->data) == 0) continue;
        return at_fail(err, ATT_INPUT, "%s: %s is %s, but %s in the first one; only models of one kind can be averaged",
                       path, row->name, other, value->data);
    }
    return ATT_OK;
}

static bool same_tokenizer(const at_stored_tokenizer *stored, const at_tokenizer *tokenizer)
{
    size_t size = 0;
    const void *bytes = tokenizer ? at_tokenizer_bytes(tokenizer, &size) : NULL;
    if (stored->size != size || (size > 0 && memcmp(stored->bytes, bytes, size) != 0)) return false;
    if (tokenizer == NULL || (stored->pieces == NULL) != !at_tokenizer_is_renumbered(tokenizer))
        return tokenizer == NULL;
    if (stored->pieces && stored->piece_count != at_tokenizer_size(tokenizer)) return false;
    for (int i = 0; i < stored->piece_count; i++)
        if (strcmp(stored->pieces[i], at_tokenizer_piece(tokenizer, i)) != 0) return false;
    return true;
}

static at_status check_kind(const at_stored_model *stored, const at_bundle *bundle, const char *path, at_error *err)
{
    const at_stored_tokens *a = &stored->tokens, *b = &bundle->tokens;
    const at_tokenizer *target = bundle->target == bundle->source ? NULL : bundle->target;
    if (strcmp(stored->arch, bundle->model->arch->name) != 0) return differs(path, "architecture", err);
    at_buf value = {0};
    const at_status status = check_options(stored, bundle->model, path, &value, err);
    at_buf_free(&value);
    ATT_TRY(status);
    if (a->target_start != b->target_start || a->eos != b->eos || a->pad != b->pad || a->final_eos != b->final_eos)
        return differs(path, "special token", err);
    if (!same_tokenizer(&stored->tokenizer[0], bundle->source) || !same_tokenizer(&stored->tokenizer[1], target))
        return differs(path, "vocabulary", err);
    return ATT_OK;
}

static at_status add_weights(const at_bundle *bundle, const at_stored_model *stored, const char *path, double *sum,
                             at_error *err)
{
    const at_params *p = &bundle->model->params;
    ATT_TRY(check_kind(stored, bundle, path, err));
    for (int i = 0; i < p->count; i++) {
        const at_stored_tensor *t = at_safetensors_find(stored->file, p->tensor[i]->name);
        const int64_t n = at_tensor_floats(p->tensor[i]);
        if (t == NULL || t->bytes != (size_t)n * sizeof(float))
            return at_fail(err, ATT_INPUT,
                           "%s: tensor \"%s\" is missing or of another shape; copy or make the file again", path,
                           p->tensor[i]->name);
        for (int64_t j = 0; j < n; j++) {
            float value;
            memcpy(&value, (const char *)t->data + (size_t)j * sizeof value, sizeof value);
            sum[p->offset[i] + j] += (double)value;
        }
    }
    return ATT_OK;
}

static at_status add_model(const at_bundle *bundle, const char *path, double *sum, at_error *err)
{
    at_stored_model stored;
    ATT_TRY(at_stored_model_open(&stored, path, err));
    const at_status status = add_weights(bundle, &stored, path, sum, err);
    at_stored_model_close(&stored);
    return status;
}

at_status at_average_models(const at_bundle *bundle, const char *const *paths, int count, float *weights, at_error *err)
{
    const at_params *p = &bundle->model->params;
    double *sum = calloc((size_t)p->floats, sizeof *sum);
    if (sum == NULL) return at_fail_memory(err, (size_t)p->floats * sizeof *sum);
    at_status status = ATT_OK;
    for (int i = 0; i < count && status == ATT_OK; i++) status = add_model(bundle, paths[i], sum, err);
    for (int64_t j = 0; j < p->floats && status == ATT_OK; j++) weights[j] = (float)(sum[j] / count);
    free(sum);
    return status;
}
