/* --help, made of a command's fields and the rows of its options; 80 columns. */
#ifndef ATT_CLI_HELP_H
#define ATT_CLI_HELP_H

#include "cli/command.h"

/* commands: NULL-terminated, in the order of the list. Only those whose name begins with the words of `prefix`. */
void at_help_overview(at_output *output, const at_command *const *commands, const char *prefix);
/* The exit statuses, and where to read on. */
void at_help_closing(at_output *output);
at_status at_help_command(at_output *output, const at_command *command, const at_arguments *args, at_error *err);
/* What --help shows of an option: "-m, --model PATH" and "beam width [1 to 64; default 4]". Both buffers are cleared
 * first. */
at_status at_help_option(const at_option *row, const char *const *required, at_buf *left, at_buf *right, at_error *err);
/* Appends the range, "1 to 1024", "at least 1" or nothing; and the default, "default 4", "required" or nothing. */
at_status at_help_range(const at_option *row, at_buf *out, at_error *err);
/* "attend evaluate [options] HYP REF" */
void at_help_usage(at_output *output, const at_command *command);
/* Whether the words of prefix are the first of name, or all. */
bool at_name_begins(const char *name, const char *prefix);

#endif
