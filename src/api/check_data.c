/* Checking parallel text: tokenizers, files and report around data/check.h. See attend/tools.h. */
#include <attend/tools.h>
#include <stdio.h>
#include <string.h>

#include "data/check.h"
#include "format/stored_model.h"

enum { DEFAULT_PIECES = 256, DEFAULT_CHARACTERS = 1000 };

typedef struct check_job {
    const at_check_data_args *args;
    at_tokenizer *tokenizer[2]; /* the second NULL: the first serves both */
    at_check_result result;
    at_buf path[2]; /* of the cleaned text */
    at_pair_writer writer;
} check_job;

static void job_close(check_job *job)
{
    at_tokenizer_free(job->tokenizer[0]);
    at_tokenizer_free(job->tokenizer[1]);
    at_buf_free(&job->path[0]);
    at_buf_free(&job->path[1]);
    at_pair_writer_abort(&job->writer);
}

static at_status open_of_model(check_job *job, const char *path, at_error *err)
{
    at_stored_model model;
    ATT_TRY(at_stored_model_open(&model, path, err));
    at_status status = ATT_OK;
    for (int i = 0; i < 2 && status == ATT_OK; i++) {
        const at_stored_tokenizer *stored = &model.tokenizer[i];
        if (stored->bytes == NULL) continue;
        status = at_tokenizer_open(&job->tokenizer[i], stored->bytes, stored->size, path, err);
        if (status == ATT_OK && stored->pieces != NULL)
            status = at_tokenizer_renumber(job->tokenizer[i], stored->pieces, stored->piece_count, err);
    }
    at_stored_model_close(&model);
    if (status != ATT_OK || job->tokenizer[0] != NULL) return status;
    return at_fail(err, ATT_INPUT, "%s: the model has no tokenizer; give --tokenizer", path);
}

static at_status open_tokenizers(check_job *job, at_error *err)
{
    const at_check_data_args *args = job->args;
    if (args->model != NULL && (args->tokenizer != NULL || args->target_tokenizer != NULL))
        return at_fail(err, ATT_OPTION, "a model has its own tokenizers; give model or tokenizer, not both");
    if (args->target_tokenizer != NULL && args->tokenizer == NULL)
        return at_fail(err, ATT_OPTION, "target-tokenizer needs tokenizer for the source; give both");
    if (args->model != NULL) return open_of_model(job, args->model, err);
    if (args->tokenizer) ATT_TRY(at_tokenizer_open_file(&job->tokenizer[0], args->tokenizer, err));
    return args->target_tokenizer ? at_tokenizer_open_file(&job->tokenizer[1], args->target_tokenizer, err) : ATT_OK;
}

static at_status open_writer(check_job *job, at_error *err)
{
    static const char *const side[2] = {"source", "target"};
    for (int i = 0; i < 2; i++) ATT_TRY(at_buf_printf(&job->path[i], err, "%s.%s", job->args->output, side[i]));
    return at_pair_writer_open(&job->writer, job->path[0].data, job->path[1].data, err);
}

static at_judge judge_of(const check_job *job)
{
    const at_check_data_args *args = job->args;
    at_judge judge = {.tokenizer = {job->tokenizer[0], job->tokenizer[1] ? job->tokenizer[1] : job->tokenizer[0]},
                      .limits = {args->max_length, args->max_ratio}};
    if (args->max_length == 0)
        judge.limits.max_tokens = job->tokenizer[0] != NULL ? DEFAULT_PIECES : DEFAULT_CHARACTERS;
    return judge;
}

/* What is wrong with the text itself is part of the report, not a failure of the check. */
static at_status run_check(check_job *job, at_data_report *report, at_error *err)
{
    const at_check_data_args *args = job->args;
    at_text_files files = {.sources = &args->source, .targets = args->target ? &args->target : NULL, .count = 1};
    const at_judge judge = judge_of(job);
    at_pairs *pairs;
    if (args->target == NULL) ATT_TRY(at_columns_parse(args->columns ? args->columns : "1,2", files.column, err));
    ATT_TRY(at_pairs_open(&pairs, &files, err));
    at_status status = args->output != NULL ? open_writer(job, err) : ATT_OK;
    at_pair_writer *writer = args->output != NULL ? &job->writer : NULL;
    at_error stop;
    if (status == ATT_OK) {
        status = at_check_pairs(pairs, &judge, writer, args->cancel, &job->result, &stop);
        if (status != ATT_OK && status != ATT_INPUT && err != NULL) *err = stop;
        if (status == ATT_INPUT) report->stop = stop;
        if (status == ATT_INPUT) status = ATT_OK;
    }
    at_pairs_close(pairs);
    return status;
}

static void fill_findings(const at_check_result *result, at_data_report *report)
{
    static const struct {
        const char *kind, *help;
        bool left_out;
    } rows[ATT_FINDING_KINDS] = {
#define ATT_FINDING_TEXT(name, kind, left_out, help) {kind, help, left_out},
        ATT_FINDINGS(ATT_FINDING_TEXT)
#undef ATT_FINDING_TEXT
    };
    _Static_assert((int)ATT_FINDING_KINDS <= 32, "room in the report");
    for (int i = 0; i < ATT_FINDING_KINDS; i++) {
        const at_found *found = &result->found[i];
        if (found->count == 0) continue;
        at_data_finding *finding = &report->findings[report->finding_count++];
        *finding = (at_data_finding){rows[i].kind, rows[i].help, rows[i].left_out, found->count, {0}, 0};
        finding->line_count = found->count < ATT_FINDING_LINES ? (int)found->count : ATT_FINDING_LINES;
        memcpy(finding->lines, found->line, sizeof found->line);
    }
}

static at_status fill_report(check_job *job, at_data_report *report, at_error *err)
{
    const at_check_result *result = &job->result;
    report->lines = result->lines;
    report->kept = result->kept;
    report->in_pieces = job->tokenizer[0] != NULL;
    for (int i = 0; i < 2; i++) {
        report->script[i] = result->script[i] != ATT_SCRIPT_NONE ? at_script_name[result->script[i]] : NULL;
        report->script_share[i] = result->share[i];
    }
    fill_findings(result, report);
    if (report->stop.status == ATT_OK && result->kept == 0)
        at_fail(&report->stop, ATT_INPUT, "%s: no sentence pair is left after %lld lines", job->args->source,
                (long long)result->lines);
    if (report->stop.status != ATT_OK || job->args->output == NULL) return ATT_OK;
    report->written = result->written;
    return at_pair_writer_commit(&job->writer, err);
}

at_status at_check_data(const at_check_data_args *args, at_data_report *report, at_error *err)
{
    check_job job = {.args = args};
    *report = (at_data_report){0};
    at_status status = open_tokenizers(&job, err);
    if (status == ATT_OK) status = run_check(&job, report, err);
    if (status == ATT_OK) status = fill_report(&job, report, err);
    job_close(&job);
    return status;
}
