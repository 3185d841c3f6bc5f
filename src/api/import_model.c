/* at_import_model of attend/attend.h. */
#include <attend/attend.h>

#include <stdio.h>

#include "infer/bundle.h"
#include "infer/verify.h"

_Static_assert((int)ATT_IMPORT_CHECKS >= (int)ATT_VERIFY_ROWS, "the public array holds every check");

/* Says which tokenizer is damaged. */
static at_status check_tokenizers(const at_stored_model *stored, const char *dir, at_error *err)
{
    static const char *const sides[] = {"source", "target"};
    char name[400];
    for (int i = 0; i < 2; i++) {
        const at_stored_tokenizer *from = &stored->tokenizer[i];
        at_tokenizer *tokenizer = NULL;
        if (from->bytes == NULL) continue;
        snprintf(name, sizeof name, "%.300s: tokenizer of the %s", dir, sides[i]);
        ATT_TRY(at_tokenizer_open(&tokenizer, from->bytes, from->size, name, err));
        at_tokenizer_free(tokenizer);
    }
    return ATT_OK;
}

static bool all_ok(const at_import_check *checks, int count)
{
    for (int i = 0; checks != NULL && i < count; i++)
        if (!checks[i].ok) return false;
    return true;
}

/* Builds the model once, also without checks: what can't be built isn't worth writing. */
static at_status verify(const at_stored_model *stored, const char *dir, at_backend *be, at_import_check *checks,
                        int *count, at_error *err)
{
    at_bundle bundle;
    at_verify_report report = {0};
    ATT_TRY(at_bundle_make(&bundle, stored, dir, be, false, err));
    const at_status status = checks ? at_verify(&bundle, dir, &report, err) : ATT_OK;
    for (int i = 0; status == ATT_OK && i < report.count; i++)
        checks[i] =
            (at_import_check){report.row[i].what, report.row[i].measured, report.row[i].limit, report.row[i].ok};
    if (status == ATT_OK && checks) *count = report.count;
    at_bundle_free(&bundle);
    return status;
}

at_status at_import_model(const char *dir, const char *path, at_import_check *checks, int *count, at_error *err)
{
    at_stored_model stored;
    at_backend *be = NULL;
    ATT_TRY(at_import(&stored, dir, err));
    at_status status = check_tokenizers(&stored, dir, err);
    if (status == ATT_OK) status = at_cpu_backend_new(&be, 0, NULL, err);
    if (status == ATT_OK) status = verify(&stored, dir, be, checks, count, err);
    if (status == ATT_OK && path && all_ok(checks, checks ? *count : 0))
        status = at_stored_model_write(&stored, path, NULL, 0, NULL, 0, err);
    if (be) be->free(be);
    at_stored_model_close(&stored);
    return status;
}
