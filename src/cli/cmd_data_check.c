/* attend data check: what is wrong with parallel text, before training finds out. */
#include <attend/tools.h>
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"
#include "cli/output_path.h"

typedef struct check_state {
    char *tsv, *columns, *model, *tokenizer, *target_tokenizer, *output;
    int64_t max_length;
    double max_ratio;
    bool json;
} check_state;

#define FIELD(name) offsetof(check_state, name)

static const at_option options[] = {
    {.name = "tsv",
     .type = ATT_OPT_PATH,
     .offset = FIELD(tsv),
     .help = "one file with both sides in columns separated by TABs, instead of SOURCE and TARGET"},
    {.name = "columns",
     .type = ATT_OPT_TEXT,
     .offset = FIELD(columns),
     .def = "1,2",
     .help = "columns of source and target in --tsv, from 1"},
    {.name = "model",
     .type = ATT_OPT_PATH,
     .offset = FIELD(model),
     .help = "a model whose tokenizers measure lengths, in pieces",
     .letter = 'm'},
    {.name = "tokenizer",
     .type = ATT_OPT_PATH,
     .offset = FIELD(tokenizer),
     .help = "a SentencePiece model that measures lengths, in pieces"},
    {.name = "target-tokenizer",
     .type = ATT_OPT_PATH,
     .offset = FIELD(target_tokenizer),
     .help = "a SentencePiece model of the target's own"},
    {.name = "max-length",
     .type = ATT_OPT_INT,
     .offset = FIELD(max_length),
     .def = "0",
     .min = 0,
     .max = 1e9,
     .help = "longest side; 0: 256 pieces, which is training's max-tokens, or 1000 characters"},
    {.name = "max-ratio",
     .type = ATT_OPT_REAL,
     .offset = FIELD(max_ratio),
     .def = "9",
     .min = 0,
     .max = 1e6,
     .help = "sides may differ in length by this factor; 0: any"},
    {.name = "output",
     .type = ATT_OPT_PATH,
     .offset = FIELD(output),
     .help = "write what is kept, cleaned, to PATH.source and PATH.target",
     .letter = 'o'},
    {.name = "json", .type = ATT_OPT_BOOL, .offset = FIELD(json), .def = "false", .help = "print one JSON object"},
    {0},
};

static const at_positional positionals[] = {
    {"SOURCE", "source text, plain or .gz, one sentence a line; - for standard input", ATT_OPTIONAL},
    {"TARGET", "target text, parallel line by line", ATT_OPTIONAL},
    {0},
};

static at_status arguments_of(const at_cli *cli, const check_state *s, at_check_data_args *args, at_error *err)
{
    const int count = cli->arguments.positional_count;
    if (s->tsv != NULL && count > 0)
        return at_fail(err, ATT_OPTION, "--tsv holds both sides; give it, or SOURCE and TARGET, not all");
    if (s->tsv == NULL && count < 2) return at_fail(err, ATT_OPTION, "no text; give SOURCE and TARGET, or --tsv");
    *args = (at_check_data_args){.source = s->tsv ? s->tsv : cli->arguments.positional[0],
                                 .target = s->tsv ? NULL : cli->arguments.positional[1],
                                 .columns = s->columns,
                                 .model = s->model,
                                 .tokenizer = s->tokenizer,
                                 .target_tokenizer = s->target_tokenizer,
                                 .max_length = s->max_length,
                                 .max_ratio = s->max_ratio,
                                 .output = s->output,
                                 .cancel = cli->interrupted};
    return ATT_OK;
}

/* ---- JSON ---- */

static json_t *finding_json(const at_data_finding *finding)
{
    json_t *lines = json_array();
    for (int i = 0; i < finding->line_count; i++) json_array_append_new(lines, json_integer(finding->lines[i]));
    return json_pack("{s:s, s:b, s:I, s:o}", "kind", finding->kind, "left_out", (int)finding->left_out, "count",
                     (json_int_t)finding->count, "lines", lines);
}

static json_t *script_json(const at_data_report *report, int side)
{
    return json_pack("{s:s?, s:f}", "script", report->script[side], "share", report->script_share[side]);
}

static at_status print_json(at_cli *cli, const at_data_report *report, at_error *err)
{
    json_t *findings = json_array();
    for (int i = 0; i < report->finding_count; i++) json_array_append_new(findings, finding_json(&report->findings[i]));
    json_t *stop = report->stop.status != ATT_OK ? at_json_text(report->stop.text) : json_null();
    return at_print_json(
        &cli->output,
        json_pack("{s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:o}", "lines", (json_int_t)report->lines, "kept",
                  (json_int_t)report->kept, "skipped", (json_int_t)(report->lines - report->kept), "written",
                  (json_int_t)report->written, "lengths_in", report->in_pieces ? "pieces" : "characters", "source",
                  script_json(report, 0), "target", script_json(report, 1), "findings", findings, "stop", stop),
        err);
}

/* ---- text ---- */

static void print_finding(at_output *output, const at_data_finding *finding)
{
    at_print(output, "%9" PRId64 "  %-16s %s; line%s ", finding->count, finding->kind, finding->help,
             finding->count > 1 ? "s" : "");
    for (int i = 0; i < finding->line_count; i++) at_print(output, "%s%" PRId64, i > 0 ? ", " : "", finding->lines[i]);
    at_print(output, "%s\n", finding->count > finding->line_count ? ", ..." : "");
}

static void print_findings(at_output *output, const at_data_report *report, bool left_out, const char *title)
{
    bool titled = false;
    for (int i = 0; i < report->finding_count; i++) {
        if (report->findings[i].left_out != left_out) continue;
        if (!titled) at_print(output, "%s\n", title);
        titled = true;
        print_finding(output, &report->findings[i]);
    }
}

static void print_script(at_output *output, const at_data_report *report, int side)
{
    const char *name = side == 0 ? "source" : "target";
    if (report->script[side] != NULL)
        at_print(output, "%s: %.0f %% of lines in %s script\n", name, 100 * report->script_share[side],
                 report->script[side]);
    else
        at_print(output, "%s: no script that most lines have\n", name);
}

static void print_text(at_cli *cli, const check_state *s, const at_data_report *report)
{
    at_output *output = &cli->output;
    at_print(output, "%" PRId64 " pairs: %" PRId64 " kept, %" PRId64 " left out (lengths in %s)\n", report->lines,
             report->kept, report->lines - report->kept, report->in_pieces ? "pieces" : "characters");
    print_script(output, report, 0);
    print_script(output, report, 1);
    print_findings(output, report, true, "training leaves out:");
    print_findings(output, report, false, "training takes, but look at:");
    if (s->output != NULL && report->stop.status == ATT_OK)
        at_print(output, "%s.source, %s.target: %" PRId64 " pairs\n", s->output, s->output, report->written);
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const check_state *s = state;
    at_check_data_args args;
    at_data_report report;
    ATT_TRY(arguments_of(cli, s, &args, err));
    if (s->output != NULL) ATT_TRY(at_path_make_folder(s->output, err));
    ATT_TRY(at_check_data(&args, &report, err));
    if (s->json)
        ATT_TRY(print_json(cli, &report, err));
    else
        print_text(cli, s, &report);
    if (report.stop.status == ATT_OK) return ATT_OK;
    return at_fail(err, report.stop.status, "%s; training would stop", report.stop.text);
}

const at_command at_cmd_data_check = {
    .name = "data check",
    .summary = "count what is wrong with parallel text, with line numbers",
    .description =
        "Reads parallel text once and counts by kind what training leaves out (empty sides, invalid UTF-8, too long, "
        "lopsided) and what it takes although it looks wrong (duplicates, markup, swapped sides, text that was encoded "
        "twice), each with the numbers of the first lines. With -m or --tokenizer lengths are those that training "
        "sees, "
        "and what it leaves out is the same; without, they are counted in characters.\n\n"
        "-o writes the pairs that are kept, each one once, without white space at their ends and without control "
        "characters; both files appear whole or not at all.\n\n"
        "Exit status: 0 when training can go on, whatever was counted; 1 when it would stop: files of unequal length, "
        "damaged files, nothing left.",
    .examples = "attend data check train.de train.en\n"
                "attend data check train.de.gz train.en.gz -m runs/first/best.safetensors\n"
                "attend data check --tsv pairs.tsv --columns 2,4 -o clean\n"
                "attend data check train.de train.en --json\n",
    .positionals = positionals,
    .options = options,
    .state_size = sizeof(check_state),
    .interruptible = true,
    .run = run,
};
