/* attend look: a picture of a translator's attention. */
#include <attend/attend.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"

typedef struct look_state {
    char *model, *target, *output;
    int64_t threads;
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
     .help = "the HTML page to write; - is standard output",
     .letter = 'o'},
    {.name = "threads",
     .type = ATT_OPT_INT,
     .offset = FIELD(threads),
     .def = "0",
     .max = 1024,
     .help = "threads to compute with; 0: one a core"},
    {0},
};

static const char *const required[] = {"model", "output", NULL};

static const at_positional positionals[] = {{"TEXT", "the sentence to translate", ATT_ONE}, {0}};

static at_status write_page(at_output *output, const char *path, const char *html, at_error *err)
{
    if (strcmp(path, "-") == 0) {
        at_print(output, "%s", html);
        return ATT_OK;
    }
    ATT_TRY(at_file_write(path, html, strlen(html), err));
    at_note(output, "%s: open it in a browser", path);
    return ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const look_state *asked = state;
    at_translator *translator;
    char *html = NULL;
    ATT_TRY(at_translator_open(&translator, asked->model, (int)asked->threads, err));
    at_status status = at_look(translator, cli->arguments.positional[0], asked->target, &html, err);
    at_translator_free(translator);
    if (status == ATT_OK) status = write_page(&cli->output, asked->output, html, err);
    free(html);
    return status;
}

const at_command at_cmd_look = {
    .name = "look",
    .summary = "draw what a translator attends to, as a web page",
    .description = "Translates one sentence and writes a page with the attention weights on the way: of the decoder on "
                   "the source, and of encoder and decoder on themselves, for every layer and head. The page needs "
                   "nothing but a browser.\n\n"
                   "With --target it shows how the model reads while it writes that translation.",
    .examples = "attend look -m model.safetensors \"ein Hund rennt\" -o look.html\n"
                "attend look -m model.safetensors \"ein Hund rennt\" --target \"a dog runs\" -o look.html\n",
    .positionals = positionals,
    .options = options,
    .required = required,
    .state_size = sizeof(look_state),
    .run = run,
};
