/* attend average: the mean of several models. */
#include <attend/tools.h>

#include "cli/command.h"

typedef struct average_state {
    char *output;
} average_state;

static const at_option options[] = {
    {.name = "output",
     .type = ATT_OPT_PATH,
     .offset = offsetof(average_state, output),
     .help = "the model file to write",
     .letter = 'o'},
    {0},
};

static const char *const required[] = {"output", NULL};

static const at_positional positionals[] = {
    {"MODEL", "model files of one kind: same options, same vocabulary", ATT_ONE_OR_MORE},
    {0},
};

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const average_state *s = state;
    const at_arguments *args = &cli->arguments;
    return at_average(args->positional, args->positional_count, s->output, err);
}

const at_command at_cmd_average = {
    .name = "average",
    .summary = "write the mean of several models",
    .description = "Writes a model whose weights are the mean of those of the given models: mostly the last ones of a "
                   "run, whose mean is often better than each. Options and vocabulary must be the same; the model's "
                   "info tells which models went in.",
    .examples = "attend average -o mean.safetensors runs/first/model-*.safetensors\n",
    .positionals = positionals,
    .options = options,
    .required = required,
    .state_size = sizeof(average_state),
    .run = run,
};
