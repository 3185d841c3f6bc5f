/* attend version, attend --version. */
#include <attend/tools.h>
#include <string.h>

#include "base/pool.h"
#include "cli/command.h"

typedef struct version_state {
    bool verbose;
} version_state;

static const at_option options[] = {
    {.name = "verbose",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(version_state, verbose),
     .def = "false",
     .help = "also the instruction set, threads, libraries",
     .letter = 'v'},
    {0},
};

static at_status print_instruction_set(at_output *output, at_error *err)
{
    const char *names[16], *chosen;
    ATT_TRY(at_instruction_set(&chosen, err));
    const int count = at_instruction_sets(names, 16);
    at_print(output, "instruction set  %s (this processor runs", chosen);
    for (int i = 0; i < count; i++) at_print(output, "%s %s", i > 0 ? "," : "", names[i]);
    at_print(output, ")\n");
    return ATT_OK;
}

static void print_libraries(at_output *output)
{
    at_library list[16];
    const int count = at_libraries(list, 16);
    for (int i = 0; i < count; i++) {
        at_print(output, "%-17s%s%s%s\n", i == 0 ? "libraries" : "", list[i].name, list[i].version[0] ? " " : "",
                 list[i].version);
    }
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const version_state *asked = state;
    at_print(&cli->output, "attend %s\n", at_version());
    if (!asked->verbose) return ATT_OK;
    ATT_TRY(print_instruction_set(&cli->output, err));
    at_print(&cli->output, "threads          %d\n", at_cpu_count());
    at_print(&cli->output, "compiler         %s\n", at_compiler());
    print_libraries(&cli->output);
    return ATT_OK;
}

const at_command at_cmd_version = {
    .name = "version",
    .summary = "what this build is and runs on",
    .description = "Prints the version; with --verbose what a report of a fault should contain: the instruction set "
                   "that products run on, the threads that a command takes by default, and the libraries.",
    .examples = "attend --version\nattend --version --verbose\nATTEND_ISA=portable attend --version --verbose\n",
    .options = options,
    .state_size = sizeof(version_state),
    .run = run,
};
