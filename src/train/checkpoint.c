#include "train/checkpoint.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The fields of at_progress by name, for both directions. */
typedef struct field {
    const char *name;
    size_t offset;
    bool real;
} field;

#define WHOLE(name) {#name, offsetof(at_progress, name), false}
#define REAL(name) {#name, offsetof(at_progress, name), true}
static const field fields[] = {WHOLE(step), WHOLE(adam_step), WHOLE(epoch), WHOLE(batch), WHOLE(skipped), WHOLE(skipped_in_a_row),
                               WHOLE(validations), WHOLE(bad_validations), REAL(best_loss), WHOLE(best_step), REAL(loss), REAL(nll), REAL(norm),
                               WHOLE(tokens), WHOLE(updates), WHOLE(text)};
enum { FIELDS = sizeof fields / sizeof *fields };

/* No clock: the bytes of two equal runs are equal. Times are in the log. */
static char *progress_json(const at_progress *p)
{
    json_t *object = json_object();
    for (int i = 0; i < FIELDS; i++) {
        const char *at = (const char *)p + fields[i].offset;
        json_object_set_new(object, fields[i].name, fields[i].real ? json_real(*(const double *)(const void *)at)
                                                                    : json_integer(*(const int64_t *)(const void *)at));
    }
    json_object_set_new(object, "finished", json_boolean(p->finished));
    char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
    json_decref(object);
    return text;
}

static at_status progress_parse(at_progress *p, const char *text, const char *path, at_error *err)
{
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;
    if (object == NULL) return at_fail(err, ATT_INPUT, "%s is a model, not a checkpoint that training can continue from", path);
    memset(p, 0, sizeof *p);
    for (int i = 0; i < FIELDS; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        char *at = (char *)p + fields[i].offset;
        if (fields[i].real)
            *(double *)(void *)at = json_number_value(value);
        else
            *(int64_t *)(void *)at = json_integer_value(value);
    }
    p->finished = json_is_true(json_object_get(object, "finished"));
    json_decref(object);
    return ATT_OK;
}

static const char *const moment_names[2] = {"adam.moment1", "adam.moment2"};

/* Moments as two flat tensors with the layout of the parameter block. */
at_status at_checkpoint_save(const at_bundle *bundle, const at_progress *progress, const char *path, at_error *err)
{
    const at_params *p = &bundle->model->params;
    const size_t bytes = (size_t)p->floats * sizeof(float);
    float *moments = malloc(2 * bytes);
    char *text = progress_json(progress);
    at_status status = ATT_OK;
    if (moments == NULL || text == NULL)
        status = at_fail_memory(err, 2 * bytes);
    else {
        p->be->download(p->be, moments, p->moment1, bytes);
        p->be->download(p->be, moments + p->floats, p->moment2, bytes);
        at_stored_tensor extra[2] = {0};
        for (int i = 0; i < 2; i++)
            extra[i] = (at_stored_tensor){moment_names[i], ATT_F32, 1, {p->floats}, moments + i * p->floats, bytes};
        const at_metadata metadata = {"attend.progress", text};
        status = at_bundle_save(bundle, path, NULL, extra, 2, &metadata, 1, err);
    }
    free(moments);
    free(text);
    return status;
}

static at_status load_moments(const at_safetensors *file, const at_params *p, at_error *err)
{
    float *const to[2] = {p->moment1, p->moment2};
    for (int i = 0; i < 2; i++) {
        const at_stored_tensor *t = at_safetensors_find(file, moment_names[i]);
        if (t == NULL || t->dtype != ATT_F32 || t->rank != 1 || t->dim[0] != p->floats)
            return at_fail(err, ATT_INPUT, "%s: the optimizer's moments are missing or of another shape; the file is no checkpoint of this model",
                           at_safetensors_path(file));
        p->be->upload(p->be, to[i], t->data, t->bytes);
    }
    return ATT_OK;
}

at_status at_checkpoint_open(at_bundle *bundle, at_progress *progress, const char *path, at_backend *be, at_error *err)
{
    at_stored_model stored;
    ATT_TRY(at_stored_model_open(&stored, path, err));
    at_status status = progress_parse(progress, at_safetensors_metadata(stored.file, "attend.progress"), path, err);
    if (status == ATT_OK) status = at_bundle_make(bundle, &stored, path, be, true, err);
    if (status == ATT_OK) {
        status = load_moments(stored.file, &bundle->model->params, err);
        if (status != ATT_OK) at_bundle_free(bundle);
    }
    at_stored_model_close(&stored);
    return status;
}
