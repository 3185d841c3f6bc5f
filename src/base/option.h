/* Options: one row {name, type, default, range, help} describes a field of a plain struct. From the same
 * rows come the command-line parser, recipe validation, --help, the reference page and the JSON form that a
 * model file keeps. No option is looked up by name below cli. */
#ifndef ATT_BASE_OPTION_H
#define ATT_BASE_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

typedef enum at_option_type {
    ATT_OPT_BOOL,  /* bool:    true|false|yes|no|on|off|1|0 */
    ATT_OPT_INT,   /* int64_t: also 4k, 2M, 1G */
    ATT_OPT_REAL,  /* double */
    ATT_OPT_TEXT,  /* char *:  malloc'ed copy, NULL when empty and default is NULL */
    ATT_OPT_PATH,  /* char *:  as text; in a recipe relative to the recipe's folder */
    ATT_OPT_PATHS, /* char *:  several paths joined by '\n' */
    ATT_OPT_CHOICE /* int:     index into choices */
} at_option_type;

typedef struct at_option {
    const char *name; /* "learning-rate": lower case, hyphens; a recipe may write underscores */
    at_option_type type;
    size_t offset;              /* of the field in its struct */
    const char *def;            /* default as text; NULL: required, or no value for text and paths */
    double min, max;            /* inclusive range of numbers; both 0: any */
    const char *const *choices; /* NULL-terminated, for ATT_OPT_CHOICE */
    const char *help;           /* one line, unit first where there is one */
    char letter;                /* short form such as 'm' for -m, or 0 */
} at_option;

/* A table is ended by a row with name NULL. Fields without a default become 0, false or NULL; old values are not freed.
 * On failure nothing is left to free. */
at_status at_options_defaults(const at_option *table, void *object, at_error *err);
void at_options_free(const at_option *table, void *object); /* frees texts and paths */
/* The row of that name ('_' and '-' are equal), or NULL. */
const at_option *at_option_find(const at_option *table, const char *name);
/* The row whose name is nearest to a mistyped one, or NULL when none is near (edit distance > 1/3 of it). */
const at_option *at_option_nearest(const at_option *table, const char *name);
/* Parses text into the field, which keeps its value on failure. `where` names the place for the message: "--beam" or
 * "recipe.yaml:12: beam". */
at_status at_option_set(const at_option *row, void *object, const char *text, const char *where, at_error *err);
/* Appends the field's value as text that at_option_set reads back to the same value (reals shortest form). */
at_status at_option_format(const at_option *row, const void *object, at_buf *out, at_error *err);

#endif
