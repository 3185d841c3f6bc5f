/* at_export_model of attend/attend.h. */
#include <attend/attend.h>
#include <stdlib.h>
#include <string.h>

#include "format/export_marian.h"
#include "infer/bundle.h"

/* An option that the exporter doesn't know may change what the model computes, unless it has its default. value: room.
 */
static at_status check_other(const at_stored_model *stored, const at_option *row, const void *defaults,
                             const char *path, at_buf *value, at_error *err)
{
    if (at_export_reads(row->name)) return ATT_OK;
    at_buf_clear(value);
    ATT_TRY(at_option_format(row, defaults, value, err));
    for (size_t i = 0; i < stored->setting_count; i++)
        if (strcmp(stored->settings[i].name, row->name) == 0 && strcmp(stored->settings[i].value, value->data) != 0)
            return at_fail(err, ATT_UNSUPPORTED, "%s: no layout there can express %s %s; train with %s", path,
                           row->name, stored->settings[i].value, value->data);
    return ATT_OK;
}

static at_status check_others(const at_stored_model *stored, const at_arch *arch, const char *path, at_error *err)
{
    at_buf value = {0};
    void *defaults = calloc(1, arch->config_size);
    if (defaults == NULL) return at_fail_memory(err, arch->config_size);
    at_status status = at_options_defaults(arch->options, defaults, err);
    for (const at_option *row = arch->options; row->name != NULL && status == ATT_OK; row++)
        status = check_other(stored, row, defaults, path, &value, err);
    at_options_free(arch->options, defaults);
    free(defaults);
    at_buf_free(&value);
    return status;
}

/* The bundle checks the file, and knows options and pieces that it doesn't spell out. */
static at_status export_with(at_stored_model *stored, at_backend *be, const char *path, const char *dir, bool force,
                             const char **program, at_error *err)
{
    at_bundle bundle;
    ATT_TRY(at_bundle_make(&bundle, stored, path, be, false, err));
    at_status status = at_bundle_complete(&bundle, stored, err);
    if (status == ATT_OK) status = check_others(stored, bundle.model->arch, path, err);
    if (status == ATT_OK) status = at_export_marian(stored, path, dir, force, program, err);
    at_bundle_free(&bundle);
    return status;
}

at_status at_export_model(const char *path, at_export_layout layout, const char *dir, bool force, const char **program,
                          at_error *err)
{
    at_stored_model stored;
    at_backend *be = NULL;
    if (layout != ATT_EXPORT_HF) return at_fail(err, ATT_OPTION, "layout %d is unknown; take hf", (int)layout);
    ATT_TRY(at_stored_model_open(&stored, path, err));
    at_status status = at_cpu_backend_new(&be, 1, NULL, err);
    if (status == ATT_OK) status = export_with(&stored, be, path, dir, force, program, err);
    if (be) be->free(be);
    at_stored_model_close(&stored);
    return status;
}
