/* See reference_model.h. */
#include "reference_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "must.h"

int reference_model_open(void **state, const char *name)
{
    reference_model *s = calloc(1, sizeof *s);
    strcpy(s->folder, "/tmp/attend-reference-XXXXXX");
    if (!mkdtemp(s->folder)) return -1;
    const char *root = getenv("ATTEND_REFERENCE");
    snprintf(s->reference, sizeof s->reference, "%s/%s", root && *root ? root : "../shared/reference", name);
    if (!at_path_is_dir(s->reference)) s->reference[0] = '\0';
    at_error err;
    must(at_cpu_backend_new(&s->be, 2, NULL, &err), &err);
    *state = s;
    return 0;
}

int reference_model_close(void **state)
{
    reference_model *s = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", s->folder);
    s->be->free(s->be);
    free(s);
    return system(command);
}

void reference_model_need(const reference_model *s)
{
    if (s->reference[0]) return;
    print_message("skipped: no folder of that name in ../shared/reference; set ATTEND_REFERENCE\n");
    skip();
}

const char *path_in(const char *folder, const char *name)
{
    static char path[4][640];
    static int next;
    char *text = path[next++ % 4];
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

at_bundle reference_model_import(const reference_model *s, const char *folder, bool training)
{
    at_error err;
    at_stored_model stored;
    at_bundle bundle;
    must(at_import(&stored, folder, &err), &err);
    must(at_bundle_make(&bundle, &stored, folder, s->be, training, &err), &err);
    if (training) must(at_params_keep(&bundle.model->params, ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2, &err), &err);
    at_stored_model_close(&stored);
    return bundle;
}

int64_t answer_integer(const at_safetensors *file, const char *name, int64_t i)
{
    int64_t value;
    memcpy(&value, (const char *)at_safetensors_find(file, name)->data + i * 8, 8);
    return value;
}

float answer_real(const at_safetensors *file, const char *name, int64_t i)
{
    float value;
    memcpy(&value, (const char *)at_safetensors_find(file, name)->data + i * 4, 4);
    return value;
}

static void copy_file(const char *from, const char *to, const char *name)
{
    at_error err;
    at_buf bytes = {0};
    must(at_file_read(path_in(from, name), &bytes, &err), &err);
    must(at_file_write(path_in(to, name), bytes.data, bytes.len, &err), &err);
    at_buf_free(&bytes);
}

/* The reference's weights after training ("after.NAME") as a folder of their own, so that the importer lays them out.
 */
static void import_after(const reference_model *s, const at_safetensors *answers, const char *const *others,
                         int other_count, at_stored_model *after)
{
    at_error err;
    at_stored_tensor tensors[128];
    size_t count = 0;
    for (size_t i = 0; i < at_safetensors_count(answers); i++) {
        const at_stored_tensor *tensor = at_safetensors_at(answers, i);
        if (strncmp(tensor->name, "after.", 6) != 0) continue;
        tensors[count] = *tensor;
        tensors[count++].name += 6;
    }
    for (int i = 0; i < other_count; i++) copy_file(s->reference, s->folder, others[i]);
    must(at_safetensors_write(path_in(s->folder, "model.safetensors"), tensors, count, NULL, 0, &err), &err);
    must(at_import(after, s->folder, &err), &err);
}

/* Whether element i of a tensor is a bias of the key projection. Its gradient is zero but for rounding, which Adam
 * turns into steps of full size. */
static bool is_key_bias(const at_stored_tensor *t, int64_t i)
{
    const size_t len = strlen(t->name);
    if (len >= 8 && strcmp(t->name + len - 8, "qkv.bias") == 0) return i / (t->dim[0] / 3) == 1;
    if (len >= 7 && strcmp(t->name + len - 7, "kv.bias") == 0) return i < t->dim[0] / 2;
    return false;
}

/* Largest difference over largest magnitude. */
static double weight_difference(const at_tensor *ours, const at_stored_tensor *theirs)
{
    const float *want = theirs->data;
    double largest = 0, magnitude = 0;
    for (int64_t i = 0; i < at_tensor_floats(ours); i++) {
        magnitude = fmax(magnitude, fabs(want[i]));
        if (!is_key_bias(theirs, i)) largest = fmax(largest, fabs((double)ours->data[i] - want[i]));
        assert_true(isfinite(ours->data[i]));
    }
    return largest / magnitude;
}

double reference_model_after(const reference_model *s, const at_safetensors *answers, const char *const *others,
                             int other_count, const at_params *params)
{
    at_stored_model after;
    double worst = 0;
    const char *where = "";
    import_after(s, answers, others, other_count, &after);
    assert_int_equal(after.tensor_count, params->count);
    for (size_t i = 0; i < after.tensor_count; i++) {
        const double d = weight_difference(at_params_find(params, after.tensors[i].name), &after.tensors[i]);
        if (d > worst) where = after.tensors[i].name;
        worst = fmax(worst, d);
    }
    print_message("  weights after training, largest difference / largest magnitude: %.3g in %s\n", worst, where);
    at_stored_model_close(&after);
    return worst;
}
