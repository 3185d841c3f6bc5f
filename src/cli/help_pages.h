/* Documents made of the commands' fields and the rows of their options, so that they can't fall behind:
 *
 *   attend help --reference     every command's help, Markdown
 *   attend help --recipes       docs/recipes.md: every option of a recipe
 *   attend help --man           attend.1, for man
 *   attend help --completion    completion for bash */
#ifndef ATT_CLI_HELP_PAGES_H
#define ATT_CLI_HELP_PAGES_H

#include "cli/command.h"

typedef struct at_document {
    const char *name;    /* "--man" */
    const char *command; /* the only one that it tells of; NULL: all */
    void (*begin)(at_output *output, const at_command *const *commands);
    at_show_command *show;
    void (*end)(at_output *output, const at_command *const *commands);
} at_document;

/* NULL when there is none of that name. */
const at_document *at_document_find(const char *name);

#endif
