/* Writing and reading the state of a run. See checkpoint.h for what is in it. */
#include "train/checkpoint.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_dump.h"

/* The fields of at_progress by name, for both directions. */
typedef struct field {
    const char *name;
    size_t offset;
    bool real;
} field;

#define WHOLE(name)                               \
    {                                             \
#name, offsetof(at_progress, name), false \
    }
#define REAL(name)                               \
    {                                            \
#name, offsetof(at_progress, name), true \
    }
static const field fields[] = {WHOLE(step),
                               WHOLE(adam_step),
                               WHOLE(epoch),
                               WHOLE(batch),
                               WHOLE(parts),
                               WHOLE(skipped),
                               WHOLE(skipped_in_a_row),
                               WHOLE(validations),
                               WHOLE(bad_validations),
                               REAL(best_loss),
                               REAL(best_bleu),
                               REAL(best_chrf),
                               WHOLE(best_step),
                               WHOLE(validated_step),
                               WHOLE(due),
                               REAL(loss),
                               REAL(nll),
                               REAL(norm),
                               WHOLE(tokens),
                               WHOLE(updates),
                               WHOLE(text)};
enum { FIELDS = sizeof fields / sizeof *fields };

/* Of attend.progress and of the flat tensors' layout; rises when either changes its meaning. */
enum { CHECKPOINT_VERSION = 1 };

/* No clock: the bytes of two equal runs are equal. Times are in the log. */
static char *progress_json(const at_progress *p)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "version", json_integer(CHECKPOINT_VERSION));
    for (int i = 0; i < FIELDS; i++) {
        const char *at = (const char *)p + fields[i].offset;
        failed |= json_object_set_new(object, fields[i].name,
                                      fields[i].real ? json_real(*(const double *)(const void *)at)
                                                     : json_integer(*(const int64_t *)(const void *)at));
    }
    failed |= json_object_set_new(object, "finished", json_boolean(p->finished));
    char *text = failed ? NULL : at_json_dump(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
    json_decref(object);
    return text;
}

static at_status progress_parse(at_progress *p, const char *text, const char *path, at_error *err)
{
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;
    if (object == NULL)
        return at_fail(err, ATT_INPUT, "%s is a model, not a checkpoint that training can continue from", path);
    const json_int_t version = json_integer_value(json_object_get(object, "version"));
    if (version != CHECKPOINT_VERSION) {
        json_decref(object);
        return at_fail(err, ATT_UNSUPPORTED,
                       "%s is a checkpoint of version %lld, this program continues version %d; use the attend that "
                       "wrote it, or another run folder",
                       path, (long long)version, CHECKPOINT_VERSION);
    }
    memset(p, 0, sizeof *p);
    for (int i = 0; i < FIELDS; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        char *at = (char *)p + fields[i].offset;
        if (fields[i].real)
            *(double *)(void *)at = json_number_value(value);
        else
            *(int64_t *)(void *)at = json_integer_value(value);
    }
    if (json_object_get(object, "parts") == NULL) p->parts = 1; /* batches weren't cut then */
    p->finished = json_is_true(json_object_get(object, "finished"));
    json_decref(object);
    return ATT_OK;
}

enum { BLOCKS = 3, OPTIMIZERS = ATT_OPTIMIZER_SGD + 1 };

/* Names of the blocks beside the weights, in the order of at_params_state. */
static const char *const block_names[OPTIMIZERS][BLOCKS] = {
    [ATT_OPTIMIZER_ADAM] = {"adam.moment1", "adam.moment2", "average.weights"},
    [ATT_OPTIMIZER_ADAMW] = {"adam.moment1", "adam.moment2", "average.weights"},
    [ATT_OPTIMIZER_RMSPROP] = {"rmsprop.moment1", "rmsprop.moment2", "average.weights"},
    [ATT_OPTIMIZER_SGD] = {"sgd.moment1", NULL, "average.weights"}};

static float *block_of(const at_params *p, int i)
{
    return i == 0 ? p->moment1 : i == 1 ? p->moment2 : p->average;
}

/* The blocks that there are; their number. */
static size_t describe_blocks(const at_params *p, at_optimizer optimizer, const at_stored_source *source,
                              at_stored_tensor blocks[BLOCKS])
{
    const size_t bytes = (size_t)p->floats * sizeof(float);
    size_t count = 0;
    for (int i = 0; i < BLOCKS; i++)
        if (block_of(p, i))
            blocks[count++] =
                (at_stored_tensor){block_names[optimizer][i], ATT_F32, 1, {p->floats}, block_of(p, i), bytes, source};
    return count;
}

at_status at_checkpoint_save(const at_bundle *bundle, const at_progress *progress, at_optimizer optimizer,
                             const char *path, at_error *err)
{
    const at_stored_source source = at_bundle_source(bundle);
    at_stored_tensor blocks[BLOCKS];
    const size_t count = describe_blocks(&bundle->model->params, optimizer, &source, blocks);
    char *text = progress_json(progress);
    if (text == NULL) return at_fail_memory(err, sizeof *progress);
    const at_metadata metadata = {"attend.progress", text};
    const at_status status = at_bundle_save(bundle, path, NULL, blocks, count, &metadata, 1, err);
    free(text);
    return status;
}

static at_status load_block(const at_safetensors *file, at_params *p, const char *name, int i, at_error *err)
{
    const at_stored_tensor *t = name ? at_safetensors_find(file, name) : NULL;
    if (t == NULL) return ATT_OK;
    if (t->dtype != ATT_F32 || t->rank != 1 || t->dim[0] != p->floats)
        return at_fail(err, ATT_INPUT, "%s: \"%s\" is of another shape; the file is no checkpoint of this model",
                       at_safetensors_path(file), name);
    ATT_TRY(at_params_keep(p, 1u << i, err));
    p->be->upload(p->be, block_of(p, i), t->data, t->bytes);
    at_safetensors_forget(file);
    return ATT_OK;
}

static at_status load_blocks(const at_safetensors *file, at_params *p, at_error *err)
{
    for (int optimizer = 0; optimizer < OPTIMIZERS; optimizer++)
        for (int i = 0; i < BLOCKS; i++) ATT_TRY(load_block(file, p, block_names[optimizer][i], i, err));
    return ATT_OK;
}

at_status at_checkpoint_open(at_bundle *bundle, at_progress *progress, const char *path, at_backend *be, at_error *err)
{
    at_stored_model stored;
    ATT_TRY(at_stored_model_open(&stored, path, err));
    at_status status = progress_parse(progress, at_safetensors_metadata(stored.file, "attend.progress"), path, err);
    if (status == ATT_OK) status = at_bundle_make(bundle, &stored, path, be, true, err);
    if (status == ATT_OK) {
        status = load_blocks(stored.file, &bundle->model->params, err);
        if (status != ATT_OK) at_bundle_free(bundle);
    }
    at_stored_model_close(&stored);
    return status;
}
