/* The words of a command line, and the settings they and a recipe make.
 *
 *   command line -> parse --.
 *   recipe file  -> add ----+--> given settings --> apply --> fields of the groups' structs
 *   preset       -> add ----'    (a later origin overrides an earlier one)
 *
 * Names are checked when a setting is given, values when all are applied. Options of a command may come from several
 * tables, a group each: its own, a training run's, a model's. Read next: command.h. */
#ifndef ATT_CLI_ARGUMENTS_H
#define ATT_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/option.h"

/* A table and the struct that its rows describe. */
typedef struct at_option_group {
    const char *title; /* heading in --help */
    const at_option *rows;
    void *object;
    bool in_recipe;   /* may stand in a recipe */
    bool alternative; /* one of several, of which at_arguments_choose leaves one: names may stand in each of them */
} at_option_group;

/* Later ones override earlier ones. */
typedef enum at_origin { ATT_FROM_PRESET, ATT_FROM_RECIPE, ATT_FROM_COMMAND_LINE, ATT_ORIGINS } at_origin;

typedef struct at_given {
    const at_option *row;
    void *object;
    const char *text;
    const char *where; /* for messages: "--beam" or "recipe.yaml:12: beam" */
    at_origin origin;
} at_given;

enum { ATT_MAX_GROUPS = 8 };

typedef struct at_arguments {
    const char *command; /* its name, for messages */
    at_arena arena;      /* owns all texts */
    at_option_group group[ATT_MAX_GROUPS];
    int group_count;
    at_given *given; /* in order of appearance */
    size_t given_count, given_room;
    const char **positional;
    int positional_count;
    bool help; /* -h or --help was there */
} at_arguments;

void at_arguments_init(at_arguments *args, const char *command);
void at_arguments_free(at_arguments *args); /* the groups' objects stay */
/* Adds a group, whose object already holds its defaults. Names and letters must be unique among all groups, but a name
 * may stand in several alternative ones, with one type: a setting is then given for each. */
void at_arguments_group(at_arguments *args, const char *title, const at_option *rows, void *object, bool in_recipe);
void at_arguments_alternative(at_arguments *args, const char *title, const at_option *rows, void *object,
                              bool in_recipe);
/* Of the alternative groups, that of `object` counts: settings of the others are dropped. ATT_OPTION: one is given that
 * only stands in the others; `why` ends the message, such as "of task translation". Call it before apply. */
at_status at_arguments_choose(at_arguments *args, const void *object, const char *why, at_error *err);

/* Reads words: --name value, --name=value, -n value, -nvalue, --flag, --no-flag, --flag=false; "--" ends options, and
 * "-" is a positional argument. */
at_status at_arguments_parse(at_arguments *args, int count, char **words, at_error *err);
/* A setting from elsewhere. place: for messages, such as "recipe.yaml:12" or "preset tiny". */
at_status at_arguments_add(at_arguments *args, at_origin origin, const char *name, const char *text, const char *place,
                           at_error *err);
/* Sets the fields. Of several values for one option the last one counts; ATT_OPT_PATHS joins those of the latest
 * origin. */
at_status at_arguments_apply(at_arguments *args, at_error *err);
/* The same for the settings of one option, which decides about others; at_arguments_apply sets it again. */
at_status at_arguments_apply_one(const at_arguments *args, const char *name, at_error *err);
/* ATT_OPTION when a number without default, or one of the named options (NULL-terminated; may be NULL), isn't given. */
at_status at_arguments_require(const at_arguments *args, const char *const *names, at_error *err);

/* The row of a name and its group; NULL when unknown. */
const at_option *at_arguments_find(const at_arguments *args, const char *name, const at_option_group **group);
/* The name nearest to a mistyped one, or NULL. Valid as long as args. */
const char *at_arguments_nearest(at_arguments *args, const char *name);
/* What is given for an option, before it is applied; NULL when nothing is. */
const char *at_arguments_value(const at_arguments *args, const char *name);

/* Appends what stands for a value in help and messages: "N", "PATH", "pre|post"; "NAME" where there are too many
 * choices to stand there, nothing for a flag. */
at_status at_option_placeholder(const at_option *row, at_buf *out, at_error *err);
bool at_option_has_many(const at_option *row);
/* Appends "pre, post". */
at_status at_option_choices(const at_option *row, at_buf *out, at_error *err);

#endif
