/* attend export: a model becomes a folder for other programs. */
#include <attend/attend.h>

#include "cli/command.h"

typedef struct export_state {
    char *model;
    int to;
    bool force;
} export_state;

#define FIELD(name) offsetof(export_state, name)

static const char *const layout_names[] = {"hf", NULL};

static const at_option options[] = {
    {.name = "model", .type = ATT_OPT_PATH, .offset = FIELD(model), .help = "a model file of attend", .letter = 'm'},
    {.name = "to",
     .type = ATT_OPT_CHOICE,
     .offset = FIELD(to),
     .def = "hf",
     .choices = layout_names,
     .help = "whose layout: Hugging Face's transformers, which CTranslate2's converter reads too"},
    {.name = "force",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(force),
     .def = "false",
     .help = "write into a folder that holds files, replacing those of the same name"},
    {0},
};

static const char *const required[] = {"model", NULL};

static const at_positional positionals[] = {{"DIR", "the folder to write", ATT_ONE}, {0}};

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const export_state *s = state;
    const char *dir = cli->arguments.positional[0], *program = "";
    ATT_TRY(at_export_model(s->model, (at_export_layout)s->to, dir, s->force, &program, err));
    at_note(&cli->output, "%s: written in %s's layout", dir, program);
    return ATT_OK;
}

const at_command at_cmd_export = {
    .name = "export",
    .summary = "write a model for other programs",
    .description =
        "Writes a folder that Hugging Face's transformers loads and CTranslate2's converter reads: weights, "
        "configuration and vocabulary, in MarianMT's layout for models with norm post, in Pegasus's for norm pre. "
        "Both compute the same there, for sentences of up to 1024 tokens.\n\n"
        "An option that the layout can't express is named, and nothing is written. CTranslate2 reads models with one "
        "vocabulary for both languages only.",
    .examples = "attend export -m model.safetensors --to hf en-de\n"
                "ct2-transformers-converter --model en-de --output_dir en-de-ct2\n",
    .positionals = positionals,
    .options = options,
    .required = required,
    .state_size = sizeof(export_state),
    .run = run,
};
