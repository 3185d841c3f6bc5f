/* at_export_model of attend/attend.h. */
#include <attend/attend.h>
#include <string.h>

#include "format/export_marian.h"
#include "infer/bundle.h"

/* An option that the exporter doesn't know may change what the model computes, unless it has its default. */
static at_status check_others(const at_stored_model *stored, const at_arch *arch, const char *path, at_error *err)
{
    for (size_t i = 0; i < stored->setting_count; i++) {
        const at_setting *setting = &stored->settings[i];
        const at_option *row = at_option_find(arch->options, setting->name);
        if (at_export_reads(setting->name) || strcmp(setting->value, row->def ? row->def : "") == 0) continue;
        return at_fail(err, ATT_UNSUPPORTED, "%s: no layout there can express %s %s; train with %s", path,
                       setting->name, setting->value, row->def ? row->def : "none");
    }
    return ATT_OK;
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
