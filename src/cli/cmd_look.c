/* attend look: a picture of a translator's attention, or how near its encoder looks. */
#include <attend/attend.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"

typedef struct look_state {
    char *model, *target, *output, *near;
    int64_t threads;
    bool json;
} look_state;

#define FIELD(name) offsetof(look_state, name)

static const at_option options[] = {
    {.name = "model", .type = ATT_OPT_PATH, .offset = FIELD(model), .help = "a model file of attend", .letter = 'm'},
    {.name = "target",
     .type = ATT_OPT_TEXT,
     .offset = FIELD(target),
     .help = "look at this translation instead of the model's own"},
    {.name = "output",
     .type = ATT_OPT_PATH,
     .offset = FIELD(output),
     .help = "the picture to write: a page for a browser, or where the name ends in .svg, small maps of all layers "
             "and heads; - is standard output, for a page",
     .letter = 'o'},
    {.name = "near",
     .type = ATT_OPT_PATH,
     .offset = FIELD(near),
     .help =
         "no page: print how much weight the encoder gives to a token and its two neighbours, layer by layer, in the "
         "mean of this file's sentences (blank lines are left out)"},
    {.name = "json", .type = ATT_OPT_BOOL, .offset = FIELD(json), .def = "false", .help = "print --near as JSON"},
    {.name = "threads",
     .type = ATT_OPT_INT,
     .offset = FIELD(threads),
     .def = "0",
     .max = 1024,
     .help = "threads to compute with; 0: one a core"},
    {0},
};

static const char *const required[] = {"model", NULL};

static const at_positional positionals[] = {{"TEXT", "the sentence to translate", ATT_OPTIONAL}, {0}};

static at_status write_picture(at_output *output, const char *path, const char *picture, at_error *err)
{
    if (strcmp(path, "-") == 0) {
        at_print(output, "%s", picture);
        return ATT_OK;
    }
    ATT_TRY(at_file_write(path, picture, strlen(picture), err));
    at_note(output, "%s: open it in a browser", path);
    return ATT_OK;
}

static at_status draw(at_cli *cli, const look_state *asked, at_translator *translator, at_error *err)
{
    char *picture = NULL;
    const at_look_format format = at_path_ends_with(asked->output, ".svg") ? ATT_LOOK_SVG : ATT_LOOK_HTML;
    at_status status = at_look(translator, cli->arguments.positional[0], asked->target, format, &picture, err);
    if (status == ATT_OK) status = write_picture(&cli->output, asked->output, picture, err);
    free(picture);
    return status;
}

/* ---- how near the encoder looks ---- */

typedef struct texts {
    char **text;
    size_t count;
} texts;

static void texts_free(texts *t)
{
    for (size_t i = 0; i < t->count; i++) free(t->text[i]);
    free(t->text);
}

static at_status texts_add(texts *t, const char *line, size_t len, at_error *err)
{
    char **grown = realloc(t->text, (t->count + 1) * sizeof *grown), *copy = strndup(line, len);
    if (grown) t->text = grown;
    if (grown == NULL || copy == NULL) {
        free(copy);
        return at_fail_memory(err, len);
    }
    t->text[t->count++] = copy;
    return ATT_OK;
}

static at_status texts_read(texts *t, const char *path, at_error *err)
{
    at_lines *lines;
    const char *line;
    size_t len;
    bool got = true;
    ATT_TRY(at_lines_open(&lines, path, err));
    at_status status = ATT_OK;
    while (status == ATT_OK && (status = at_lines_next(lines, &line, &len, &got, err)) == ATT_OK && got)
        status = texts_add(t, line, len, err);
    at_lines_close(lines);
    return status == ATT_OK && t->count == 0 ? at_fail(err, ATT_INPUT, "%s is empty; give sentences", path) : status;
}

static at_status print_nearness_json(at_output *output, const at_nearness *n, at_error *err)
{
    json_t *layers = json_array();
    for (int64_t i = 0; i < n->layers; i++) json_array_append_new(layers, json_real(n->layer[i]));
    return at_print_json(
        output, json_pack("{s:o, s:f, s:I}", "layers", layers, "uniform", n->uniform, "tokens", (json_int_t)n->tokens),
        err);
}

static at_status measure(at_nearness *n, const texts *t, const char *path, at_translator *translator, at_error *err)
{
    at_error why;
    const at_status status = at_look_nearness(translator, (const char *const *)t->text, (int64_t)t->count, n, &why);
    if (status == ATT_OK) return ATT_OK;
    return status == ATT_INPUT ? at_fail(err, status, "%s: %s", path, why.text) : at_fail(err, status, "%s", why.text);
}

static at_status print_nearness(at_cli *cli, const look_state *asked, at_translator *translator, at_error *err)
{
    texts t = {0};
    at_nearness n;
    at_status status = texts_read(&t, asked->near, err);
    if (status == ATT_OK) status = measure(&n, &t, asked->near, translator, err);
    texts_free(&t);
    ATT_TRY(status);
    for (int64_t i = 0; i < n.layers && !asked->json; i++)
        at_print(&cli->output, "encoder layer %d  %.4f\n", (int)i + 1, n.layer[i]);
    if (asked->json)
        status = print_nearness_json(&cli->output, &n, err);
    else
        at_print(&cli->output, "equal weights    %.4f\n", n.uniform);
    free(n.layer);
    return status;
}

static at_status check(const at_cli *cli, const look_state *asked, at_error *err)
{
    const bool text = cli->arguments.positional_count > 0, page = asked->output != NULL;
    if (asked->near && (text || page || asked->target))
        return at_fail(err, ATT_OPTION,
                       "--near prints numbers of a file's sentences; leave out TEXT, --target and --output");
    if (asked->near || (text && page)) return ATT_OK;
    return at_fail(err, ATT_OPTION, "%s is missing; see \"attend look --help\"", text ? "--output PATH" : "TEXT");
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const look_state *asked = state;
    at_translator *translator;
    ATT_TRY(check(cli, asked, err));
    ATT_TRY(at_translator_open(&translator, asked->model, (int)asked->threads, err));
    const at_status status =
        asked->near ? print_nearness(cli, asked, translator, err) : draw(cli, asked, translator, err);
    at_translator_free(translator);
    return status;
}

const at_command at_cmd_look = {
    .name = "look",
    .summary = "draw what a translator attends to, as a web page",
    .description =
        "Translates one sentence and draws the attention weights on the way: of the decoder on the source, and of "
        "encoder and decoder on themselves, for every layer and head. The page needs nothing but a "
        "browser.\n\n"
        "With --target it shows how the model reads while it writes that translation.",
    .examples = "attend look -m model.safetensors \"ein Hund rennt\" -o look.html\n"
                "attend look -m model.safetensors \"ein Hund rennt\" --target \"a dog runs\" -o look.html\n"
                "attend look -m model.safetensors \"ein Hund rennt\" -o heads.svg\n"
                "attend look -m model.safetensors --near test.de\n",
    .positionals = positionals,
    .options = options,
    .required = required,
    .state_size = sizeof(look_state),
    .run = run,
};
