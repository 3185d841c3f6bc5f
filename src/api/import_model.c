/* at_import_model of attend/attend.h. */
#include <attend/attend.h>

#include "infer/bundle.h"
#include "infer/verify.h"

_Static_assert((int)ATT_IMPORT_CHECKS >= (int)ATT_VERIFY_ROWS, "the public array holds every check");

static at_status verify(const at_stored_model *stored, const char *dir, at_backend *be, at_import_check *checks, int *count, at_error *err)
{
    at_bundle bundle;
    at_verify_report report;
    ATT_TRY(at_bundle_make(&bundle, stored, dir, be, false, err));
    const at_status status = at_verify(&bundle, dir, &report, err);
    for (int i = 0; status == ATT_OK && i < report.count; i++)
        checks[i] = (at_import_check){report.row[i].what, report.row[i].measured, report.row[i].limit, report.row[i].ok};
    if (status == ATT_OK) *count = report.count;
    at_bundle_free(&bundle);
    return status;
}

at_status at_import_model(const char *dir, const char *path, at_import_check *checks, int *count, at_error *err)
{
    at_stored_model stored;
    at_backend *be = NULL;
    ATT_TRY(at_import(&stored, dir, err));
    at_status status = path ? at_stored_model_write(&stored, path, NULL, 0, NULL, 0, err) : ATT_OK;
    if (status == ATT_OK && checks) status = at_cpu_backend_new(&be, 0, NULL, err);
    if (status == ATT_OK && checks) status = verify(&stored, dir, be, checks, count, err);
    if (be) be->free(be);
    at_stored_model_close(&stored);
    return status;
}
