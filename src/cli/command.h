/* What a command of `attend` is. To add one: a file cmd_<name>.c that ends in
 *
 *   const at_command at_cmd_<name> = {.name = "...", ...};
 *
 * and a row in main.c's list. main.c does the rest in this order:
 *
 *   state    zeroed, filled with the defaults of .options
 *   .bind    may add groups of options that other tables describe (at_arguments_group)
 *   parse    the words of the command line; --help ends here
 *   .prepare may add settings of lower rank: a preset, a recipe (at_arguments_add, at_recipe_read)
 *   apply    settings to fields: preset, then recipe, then command line; then what is missing is checked
 *   .run     does the work and prints results
 *   .close   frees what bind and run left in the state; texts of .options are freed by main.c
 *
 * A failure anywhere ends in one line on standard error and the exit status of its at_status (output.h). */
#ifndef ATT_CLI_COMMAND_H
#define ATT_CLI_COMMAND_H

#include "cli/arguments.h"
#include "cli/output.h"

typedef enum at_positional_count { ATT_ONE, ATT_OPTIONAL, ATT_ONE_OR_MORE } at_positional_count;

/* An argument without a name, such as FILE. ATT_OPTIONAL and ATT_ONE_OR_MORE only come last. */
typedef struct at_positional {
    const char *name; /* as usage shows it: "HYP" */
    const char *help;
    at_positional_count count;
} at_positional;

typedef struct at_cli at_cli;

typedef struct at_command {
    const char *name;                 /* one or more words: "data make phrases" */
    const char *summary;              /* for the list of commands, at most 60 characters */
    const char *description;          /* for --help: paragraphs separated by "\n\n" */
    const char *examples;             /* for --help: lines as they are typed, each ended by '\n' */
    const at_positional *positionals; /* ended by a row with name NULL; NULL: none */
    const at_option *options;         /* rows of the state; NULL: none */
    const char *const *required;      /* names of texts and paths that must be given, NULL-terminated; NULL: none */
    size_t state_size;
    bool interruptible; /* watches cli->interrupted, so that Ctrl-C lets it tidy up; a second one ends it at once */
    at_status (*bind)(at_cli *cli, void *state, at_error *err); /* may be NULL, as may prepare and close */
    at_status (*prepare)(at_cli *cli, void *state, at_error *err);
    at_status (*run)(at_cli *cli, void *state, at_error *err);
    void (*close)(void *state);
} at_command;

/* How --help shows a command: as help.h does, or as a part of a generated document (help_pages.h). */
typedef at_status at_show_command(at_output *output, const at_command *command, const at_arguments *args,
                                  at_error *err);

struct at_cli {
    const at_command *command;
    at_show_command *show;
    at_arguments arguments;
    at_output output;
    const volatile int *interrupted; /* not 0 once a signal asked the command to stop: pass it as `cancel` */
};

#endif
