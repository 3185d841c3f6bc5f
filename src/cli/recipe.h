/* Recipes: a YAML file that gives options their values.
 *
 *   source: [../data/a.zh.gz, ../data/b.zh.gz]   paths are relative to the recipe's folder
 *   run: ${RUNS:-runs}/first                     ${NAME} and ${NAME:-default} are the environment's, $${ is ${
 *   model:                                       sections only group: keys keep their own names
 *     width: 256
 *     tie_embeddings: yes                        '_' and '-' are equal in names
 *
 * Every option stands at most once; a list is for options that take several paths. */
#ifndef ATT_CLI_RECIPE_H
#define ATT_CLI_RECIPE_H

#include "cli/arguments.h"

/* Adds the recipe's settings to args. Messages name file, line and option. */
at_status at_recipe_read(at_arguments *args, const char *path, at_error *err);
/* The same from memory; path names it and decides what its paths are relative to. */
at_status at_recipe_parse(at_arguments *args, const char *path, const char *bytes, size_t size, at_error *err);

#endif
