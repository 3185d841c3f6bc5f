/* attend import: a model of another program becomes attend's. */
#include <attend/attend.h>

#include "cli/command.h"

typedef struct import_state {
    char *output;
    bool verify;
} import_state;

static const at_option options[] = {
    {.name = "output",
     .type = ATT_OPT_PATH,
     .offset = offsetof(import_state, output),
     .help = "the model file to write",
     .letter = 'o'},
    {.name = "verify",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(import_state, verify),
     .def = "false",
     .help = "compare with the other program's own answers in DIR/expected.safetensors"},
    {0},
};

static const at_positional positionals[] = {
    {"DIR", "folder of the model: config.json, model.safetensors, tokenizer", ATT_ONE},
    {0},
};

static at_status print_checks(at_output *output, const at_import_check *checks, int count, const char *dir,
                              at_error *err)
{
    int failed = 0;
    if (count == 0)
        return at_fail(err, ATT_INPUT, "%s has no expected.safetensors to compare with; leave --verify out", dir);
    for (int i = 0; i < count; i++) {
        at_print(output, "%-6s %s: %.3g (limit %.3g)\n", checks[i].ok ? "ok" : "FAILED", checks[i].what,
                 checks[i].measured, checks[i].limit);
        failed += !checks[i].ok;
    }
    return failed ? at_fail(err, ATT_INPUT,
                            "%d of %d checks failed: the imported model does not compute what the original does",
                            failed, count)
                  : ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const import_state *s = state;
    const char *dir = cli->arguments.positional[0];
    at_import_check checks[ATT_IMPORT_CHECKS];
    int count = 0;
    if (s->output == NULL && !s->verify)
        return at_fail(err, ATT_OPTION, "nothing to do; give -o MODEL, --verify or both");
    ATT_TRY(at_import_model(dir, s->output, s->verify ? checks : NULL, &count, err));
    return s->verify ? print_checks(&cli->output, checks, count, dir, err) : ATT_OK;
}

const at_command at_cmd_import = {
    .name = "import",
    .summary = "read a model of another program",
    .description = "Reads a folder with a Hugging Face MarianMT model (OPUS-MT) or GPT-2 and writes attend's model file: "
                   "weights, options and tokenizers in one.",
    .examples = "attend import opus-mt-en-de -o en-de.safetensors\n"
                "attend import ../shared/reference/marian --verify\n"
                "attend import ../shared/reference/gpt2 --verify\n",
    .positionals = positionals,
    .options = options,
    .state_size = sizeof(import_state),
    .run = run,
};
