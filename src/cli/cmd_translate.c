/* attend translate: lines of standard input or files, translated. */
#include <attend/attend.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"

typedef struct translate_state {
    char *model;
    at_translate_args args;
    int64_t threads;
    bool json;
} translate_state;

#define FIELD(name) offsetof(translate_state, name)

static const at_option options[] = {
    {.name = "model", .type = ATT_OPT_PATH, .offset = FIELD(model), .help = "the model file", .letter = 'm'},
    {.name = "beam",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.beam),
     .def = "4",
     .min = 1,
     .max = 1000,
     .help = "hypotheses a sentence; 1: greedy"},
    {.name = "length-penalty",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.length_penalty),
     .def = "0.6",
     .min = 0,
     .max = 10,
     .help = "exponent of GNMT's length penalty; 0: none, larger: longer output"},
    {.name = "max-ratio",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.max_ratio),
     .def = "2",
     .min = 0,
     .max = 1000,
     .help = "an output has at most so many tokens a source token, and max-extra more"},
    {.name = "max-extra",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.max_extra),
     .def = "20",
     .min = 1,
     .max = 1e6,
     .help = "see max-ratio"},
    {.name = "batch",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.batch),
     .def = "64",
     .min = 1,
     .max = 1e6,
     .help = "sentences that are translated together"},
    {.name = "threads",
     .type = ATT_OPT_INT,
     .offset = FIELD(threads),
     .def = "0",
     .min = 0,
     .max = 1024,
     .help = "threads; 0: one a core"},
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(json),
     .def = "false",
     .help = "one JSON object a line: text, scores, token counts, and flags for what went wrong"},
    {0},
};

static const at_positional positionals[] = {
    {"FILE", "text to translate, one sentence a line, plain or .gz; standard input when absent", ATT_OPTIONAL},
    {0},
};

/* All lines of the input, one after the other in `text`. */
typedef struct input {
    at_buf text;
    at_buf ends; /* size_t each */
    at_line *lines;
    int64_t count;
} input;

static void input_free(input *in)
{
    at_buf_free(&in->text);
    at_buf_free(&in->ends);
    free(in->lines);
}

static at_status read_lines(input *in, at_lines *lines, const volatile int *cancel, at_error *err)
{
    while (*cancel == 0) {
        const char *text;
        size_t len;
        bool got;
        ATT_TRY(at_lines_next(lines, &text, &len, &got, err));
        if (!got) return ATT_OK;
        ATT_TRY(at_buf_add(&in->text, text, len, err));
        ATT_TRY(at_buf_add(&in->ends, &in->text.len, sizeof in->text.len, err));
        in->count++;
    }
    return at_fail(err, ATT_CANCELLED, "interrupted");
}

static at_status read_input(input *in, const char *path, const volatile int *cancel, at_error *err)
{
    at_lines *lines;
    ATT_TRY(at_lines_open(&lines, path, err));
    const at_status status = read_lines(in, lines, cancel, err);
    at_lines_close(lines);
    ATT_TRY(status);
    in->lines = malloc((size_t)(in->count + 1) * sizeof *in->lines);
    if (in->lines == NULL) return at_fail_memory(err, (size_t)in->count * sizeof *in->lines);
    size_t begin = 0;
    for (int64_t i = 0; i < in->count; i++) {
        size_t end;
        memcpy(&end, in->ends.data + (size_t)i * sizeof end, sizeof end);
        in->lines[i] = (at_line){in->text.data ? in->text.data + begin : "", end - begin};
        begin = end;
    }
    return ATT_OK;
}

typedef struct printer {
    at_output *output;
    bool json;
    int64_t done, truncated, looped;
} printer;

static at_status print_record(at_output *output, int64_t index, const at_translation *t, at_error *err)
{
    json_t *flags = json_array();
    if (t->truncated) json_array_append_new(flags, json_string("truncated"));
    if (t->looped) json_array_append_new(flags, json_string("looped"));
    if (t->empty) json_array_append_new(flags, json_string("empty"));
    if (t->mended) json_array_append_new(flags, json_string("invalid-utf8"));
    if (t->unknown_tokens > 0) json_array_append_new(flags, json_string("unknown-tokens"));
    return at_print_json(output,
                         json_pack("{s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "line", (json_int_t)index + 1, "text",
                                   at_json_text(t->text), "score", at_json_number(t->score), "log_prob",
                                   at_json_number(t->log_prob), "tokens", (json_int_t)t->tokens, "source_tokens",
                                   (json_int_t)t->source_tokens, "unknown_tokens", (json_int_t)t->unknown_tokens,
                                   "flags", flags),
                         err);
}

/* One line, whatever a vocabulary of byte pieces gives: line ends and NUL become spaces. */
static void print_line(at_output *output, const at_translation *t)
{
    for (size_t at = 0; at < t->len; at++) {
        const size_t len = strcspn(t->text + at, "\r\n");
        at_print(output, "%.*s", (int)len, t->text + at);
        at += len;
        if (at < t->len) at_print(output, " ");
    }
    at_print(output, "\n");
}

static at_status print_translation(void *arg, int64_t index, const at_translation *t, at_error *err)
{
    printer *p = arg;
    p->done++;
    p->truncated += t->truncated;
    p->looped += t->looped;
    if (p->json) ATT_TRY(print_record(p->output, index, t, err));
    if (!p->json) print_line(p->output, t);
    return at_output_check(p->output, err); /* when the reader has gone, the rest is no use */
}

/* Plain text has no room for flags, so what went wrong is told at the end. */
static void tell_flags(const printer *p, int64_t count)
{
    if (p->json || p->truncated + p->looped == 0) return;
    at_note(p->output,
            "of %lld lines, %lld were cut at the length limit and %lld end in a repetition; --json tells which",
            (long long)count, (long long)p->truncated, (long long)p->looped);
}

static at_status translate(at_cli *cli, translate_state *s, at_translator *translator, at_error *err)
{
    input in = {0};
    printer p = {.output = &cli->output, .json = s->json};
    s->args.first_line = 1;
    s->args.cancel = cli->interrupted;
    const char *path = cli->arguments.positional_count > 0 ? cli->arguments.positional[0] : "-";
    at_status status = read_input(&in, path, cli->interrupted, err);
    if (status == ATT_OK) status = at_translate(translator, in.lines, in.count, &s->args, print_translation, &p, err);
    if (status == ATT_OK) tell_flags(&p, in.count);
    if (status != ATT_OK && *cli->interrupted != 0)
        status = at_fail(err, ATT_CANCELLED, "interrupted; %" PRId64 " lines are translated", p.done);
    input_free(&in);
    return status;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    translate_state *s = state;
    at_translator *translator;
    ATT_TRY(at_translator_open(&translator, s->model, (int)s->threads, err));
    const at_status status = translate(cli, s, translator, err);
    at_translator_free(translator);
    return status;
}

const at_command at_cmd_translate = {
    .name = "translate",
    .summary = "translate text, one sentence a line",
    .description = "Translates each line of a file or of standard input and prints the translations in the same order. "
                   "A line's translation depends on "
                   "nothing but the line: not on its neighbours, the batch or the number of threads.\n\n"
                   "With --json each line is an object; its flags tell what a reader should know: truncated, looped, "
                   "empty, invalid-utf8, unknown-tokens.",
    .examples = "attend translate -m runs/multi30k/best.safetensors --beam 5 < test.en > test.de\n"
                "echo '机器学习' | attend translate -m runs/quickstart/model/best.safetensors --json\n",
    .positionals = positionals,
    .options = options,
    .required = (const char *const[]){"model", NULL},
    .state_size = sizeof(translate_state),
    .interruptible = true,
    .run = run,
};
