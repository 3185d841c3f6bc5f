/* --help, made of a command's fields and the rows of its options; 80 columns. */
#ifndef ATT_CLI_HELP_H
#define ATT_CLI_HELP_H

#include "cli/command.h"

/* commands: NULL-terminated, in the order of the list. Only those whose name begins with the words of `prefix`. */
void at_help_overview(at_output *output, const at_command *const *commands, const char *prefix);
/* The exit statuses, and where to read on. */
void at_help_closing(at_output *output);
at_status at_help_command(at_output *output, const at_command *command, const at_arguments *args, at_error *err);
/* "attend evaluate [options] HYP REF" */
void at_help_usage(at_output *output, const at_command *command);
/* Whether the words of prefix are the first of name, or all. */
bool at_name_begins(const char *name, const char *prefix);

#endif
