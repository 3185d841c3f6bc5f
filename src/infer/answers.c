/* See answers.h. Their batches are padded, attend's packed: only real tokens are compared, and a padded position
 * doesn't exist here. */
#include "infer/answers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

static const double tolerance = 1e-4;

void at_difference_add(at_difference *d, double ours, double theirs)
{
    d->largest = fmax(d->largest, fabs(ours - theirs));
    d->magnitude = fmax(d->magnitude, fabs(theirs));
    if (!isfinite(ours)) d->largest = INFINITY;
}

void at_verify_add(at_verify_report *report, const char *what, double measured, double limit)
{
    report->row[report->count++] = (at_verify_row){what, measured, limit, measured <= limit};
}

void at_verify_add_difference(at_verify_report *report, const char *what, const at_difference *d)
{
    at_verify_add(report, what, d->magnitude > 0 ? d->largest / d->magnitude : d->largest, tolerance);
}

/* A copy of a tensor of the given shape (dim ended by 0, -1 takes any), since foreign data may be unaligned. */
static at_status read_tensor(at_answers *a, const char *name, at_dtype dtype, const int64_t *dim,
                             const at_stored_tensor **tensor, void **data, at_error *err)
{
    const at_stored_tensor *t = at_safetensors_find(a->file, name);
    const char *path = at_safetensors_path(a->file);
    if (t == NULL) return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" is missing", path, name);
    int rank = 0;
    bool fits = t->dtype == dtype;
    for (; dim[rank] != 0; rank++) fits = fits && rank < t->rank && (dim[rank] < 0 || dim[rank] == t->dim[rank]);
    if (!fits || rank != t->rank || t->bytes == 0)
        return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" doesn't fit the model or the other tensors", path, name);
    *tensor = t;
    *data = at_arena_alloc(&a->arena, t->bytes);
    if (*data == NULL) return at_fail_memory(err, t->bytes);
    memcpy(*data, t->data, t->bytes);
    return ATT_OK;
}

at_status at_answers_floats(at_answers *a, const char *name, const int64_t *dim, const float **data, at_error *err)
{
    const at_stored_tensor *tensor;
    void *copy = NULL;
    ATT_TRY(read_tensor(a, name, ATT_F32, dim, &tensor, &copy, err));
    *data = copy;
    return ATT_OK;
}

at_status at_answers_ids(at_answers *a, const char *name, int64_t rows, int64_t *width, const int64_t **ids,
                         at_error *err)
{
    const at_stored_tensor *tensor;
    void *copy = NULL;
    ATT_TRY(read_tensor(a, name, ATT_I64, (const int64_t[]){rows, *width, 0}, &tensor, &copy, err));
    *width = tensor->dim[1];
    *ids = copy;
    return ATT_OK;
}

/* Packs the tokens of (B, width) that the mask keeps; NULL keeps all. column (may be NULL) receives where each stood.
 */
at_status at_answers_pack(at_answers *a, at_packed *packed, const int64_t *ids, const int64_t *mask, int64_t width,
                          int64_t vocab, int64_t *column, at_error *err)
{
    int64_t *offset = at_arena_array(&a->arena, (size_t)a->batch + 1, sizeof *offset);
    int32_t *kept = at_arena_array(&a->arena, (size_t)(a->batch * width), sizeof *kept);
    if (offset == NULL || kept == NULL) return at_fail_memory(err, (size_t)(a->batch * width) * sizeof *kept);
    int64_t n = 0;
    for (int64_t b = 0; b < a->batch; b++) {
        offset[b] = n;
        for (int64_t i = 0; i < width; i++) {
            const int64_t id = ids[b * width + i];
            if (mask && mask[b * width + i] == 0) continue;
            if (id < 0 || id >= vocab)
                return at_fail(err, ATT_INPUT, "%s: token %" PRId64 " is not in the model's vocabulary",
                               at_safetensors_path(a->file), id);
            if (column) column[n] = i;
            kept[n++] = (int32_t)id;
        }
        if (n == offset[b])
            return at_fail(err, ATT_INPUT, "%s: sentence %" PRId64 " has no token", at_safetensors_path(a->file), b);
    }
    offset[a->batch] = n;
    *packed = (at_packed){a->batch, offset, kept};
    return ATT_OK;
}

float *at_answers_download(at_answers *a, const at_tensor *t)
{
    const size_t bytes = (size_t)at_tensor_floats(t) * sizeof(float);
    at_backend *be = a->bundle->model->params.be;
    float *host = at_arena_alloc(&a->arena, bytes);
    if (host != NULL) be->download(be, host, t->data, bytes);
    return host;
}

at_status at_verify(const at_bundle *bundle, const char *dir, at_verify_report *report, at_error *err)
{
    char path[4096];
    *report = (at_verify_report){.count = 0};
    if (snprintf(path, sizeof path, "%s/expected.safetensors", dir) >= (int)sizeof path || !at_path_exists(path))
        return ATT_OK;
    at_answers a = {.bundle = bundle};
    at_arena_init(&a.arena, 0);
    at_status status = at_safetensors_open(&a.file, path, err);
    if (status == ATT_OK && bundle->model->arch->encode != NULL)
        status = at_verify_translator(&a, report, err);
    else if (status == ATT_OK)
        status = at_verify_language_model(&a, report, err);
    at_safetensors_close(a.file);
    at_arena_free(&a.arena);
    return status;
}
