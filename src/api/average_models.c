/* at_average of attend/tools.h. */
#include <attend/tools.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_dump.h"
#include "base/utf8.h"
#include "train/average.h"

static at_status check_names(const char *const *models, int count, at_error *err)
{
    for (int i = 0; i < count; i++)
        if (at_utf8_valid(models[i], strlen(models[i])) < strlen(models[i]))
            return at_fail(err, ATT_OPTION, "the name of model %d is not valid UTF-8; rename it", i + 1);
    return ATT_OK;
}

/* Names that are valid; NULL without memory. */
static json_t *names_of(const char *const *models, int count)
{
    json_t *names = json_array();
    for (int i = 0; i < count; i++) {
        if (json_array_append_new(names, json_string(models[i])) == 0) continue;
        json_decref(names);
        return NULL;
    }
    return names;
}

/* {"program": "attend average", "models": ["a", "b"], "first": what the first one tells of itself, read once already} */
static at_status set_info(at_bundle *bundle, const char *const *models, int count, at_error *err)
{
    json_t *info = json_pack("{s:s, s:o, s:o}", "program", "attend average", "models", names_of(models, count), "first",
                             json_loads(bundle->info, 0, NULL));
    char *text = at_json_dump(info, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(info);
    if (text == NULL) return at_fail_memory(err, strlen(bundle->info));
    free(bundle->info);
    bundle->info = text;
    return ATT_OK;
}

static at_status save_mean(at_bundle *bundle, const char *const *models, int count, const char *path, at_error *err)
{
    const size_t floats = (size_t)bundle->model->params.floats;
    float *weights = calloc(floats, sizeof *weights);
    if (weights == NULL) return at_fail_memory(err, floats * sizeof *weights);
    at_status status = at_average_models(bundle, models, count, weights, err);
    if (status == ATT_OK) status = set_info(bundle, models, count, err);
    if (status == ATT_OK) status = at_bundle_save(bundle, path, weights, NULL, 0, NULL, 0, err);
    free(weights);
    return status;
}

at_status at_average(const char *const *models, int count, const char *path, at_error *err)
{
    at_backend *be = NULL;
    at_bundle bundle = {0};
    if (count < 1) return at_fail(err, ATT_OPTION, "there is no model to average; name two or more");
    for (int i = 0; i < count; i++)
        if (strcmp(models[i], path) == 0)
            return at_fail(err, ATT_OPTION, "%s is a model to average and the file to write; name another", path);
    ATT_TRY(check_names(models, count, err));
    ATT_TRY(at_cpu_backend_new(&be, 1, NULL, err));
    at_status status = at_bundle_open(&bundle, models[0], be, false, err);
    if (status == ATT_OK) status = save_mean(&bundle, models, count, path, err);
    at_bundle_free(&bundle);
    be->free(be);
    return status;
}
