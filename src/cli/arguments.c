/* Parsing of command lines, and the list of given settings. See arguments.h. */
#include "cli/arguments.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_CHOICES = 24 }; /* columns of "pre|post" in help */

void at_arguments_init(at_arguments *args, const char *command)
{
    *args = (at_arguments){.command = command};
    at_arena_init(&args->arena, 1 << 16);
}

void at_arguments_free(at_arguments *args)
{
    at_arena_free(&args->arena);
    free(args->given);
    free(args->positional);
    *args = (at_arguments){0};
}

/* ---- rows ---- */

const at_option *at_arguments_find(const at_arguments *args, const char *name, const at_option_group **group)
{
    for (int i = 0; i < args->group_count; i++) {
        const at_option *row = at_option_find(args->group[i].rows, name);
        if (row == NULL) continue;
        if (group != NULL) *group = &args->group[i];
        return row;
    }
    return NULL;
}

static const at_option *find_letter(const at_arguments *args, char letter)
{
    for (int i = 0; i < args->group_count; i++) {
        for (const at_option *row = args->group[i].rows; row->name != NULL; row++) {
            if (row->letter == letter) return row;
        }
    }
    return NULL;
}

static void check_unique(const at_arguments *args, const at_option *row, bool alternative)
{
    const at_option_group *group = NULL;
    const at_option *other = at_arguments_find(args, row->name, &group);
    assert((other == NULL || (alternative && group->alternative && other->type == row->type)) &&
           "one name in two tables");
    assert((row->letter == 0 || find_letter(args, row->letter) == NULL) && "one letter in two tables");
    (void)args, (void)row, (void)alternative, (void)other;
}

static void add_group(at_arguments *args, at_option_group group)
{
    assert(args->group_count < ATT_MAX_GROUPS);
    for (const at_option *row = group.rows; row->name != NULL; row++) check_unique(args, row, group.alternative);
    args->group[args->group_count++] = group;
}

void at_arguments_group(at_arguments *args, const char *title, const at_option *rows, void *object, bool in_recipe)
{
    add_group(args, (at_option_group){title, rows, object, in_recipe, false});
}

void at_arguments_alternative(at_arguments *args, const char *title, const at_option *rows, void *object,
                              bool in_recipe)
{
    add_group(args, (at_option_group){title, rows, object, in_recipe, true});
}

/* One table of all rows, since only within a table the nearest is found. */
const char *at_arguments_nearest(at_arguments *args, const char *name)
{
    size_t count = 2, used = 0; /* help and the end */
    for (int i = 0; i < args->group_count; i++) {
        for (const at_option *row = args->group[i].rows; row->name != NULL; row++) count++;
    }
    at_option *all = at_arena_array(&args->arena, count, sizeof *all);
    if (all == NULL) return NULL;
    for (int i = 0; i < args->group_count; i++) {
        for (const at_option *row = args->group[i].rows; row->name != NULL; row++) all[used++] = *row;
    }
    all[used++] = (at_option){.name = "help"};
    all[used] = (at_option){0};
    const at_option *nearest = at_option_nearest(all, name);
    return nearest != NULL ? nearest->name : NULL;
}

/* The choices with a separator between. */
static at_status join_choices(const at_option *row, const char *separator, at_buf *out, at_error *err)
{
    for (int i = 0; row->choices[i] != NULL; i++) {
        ATT_TRY(at_buf_printf(out, err, "%s%s", i > 0 ? separator : "", row->choices[i]));
    }
    return ATT_OK;
}

bool at_option_has_many(const at_option *row)
{
    size_t len = 0;
    for (int i = 0; row->type == ATT_OPT_CHOICE && row->choices[i] != NULL; i++) len += strlen(row->choices[i]) + 1;
    return len > LONGEST_CHOICES;
}

at_status at_option_placeholder(const at_option *row, at_buf *out, at_error *err)
{
    static const char *const names[] = {
        [ATT_OPT_BOOL] = "",     [ATT_OPT_INT] = "N",      [ATT_OPT_REAL] = "X",     [ATT_OPT_TEXT] = "TEXT",
        [ATT_OPT_PATH] = "PATH", [ATT_OPT_PATHS] = "PATH", [ATT_OPT_CHOICE] = "NAME"};
    if (row->type == ATT_OPT_CHOICE && !at_option_has_many(row)) return join_choices(row, "|", out, err);
    return at_buf_puts(out, names[row->type], err);
}

at_status at_option_choices(const at_option *row, at_buf *out, at_error *err)
{
    return join_choices(row, ", ", out, err);
}

/* ---- given settings ---- */

static at_status push_given(at_arguments *args, at_given given, at_error *err)
{
    if (args->given_count == args->given_room) {
        const size_t room = args->given_room > 0 ? 2 * args->given_room : 16;
        at_given *more = realloc(args->given, room * sizeof *more);
        if (more == NULL) return at_fail_memory(err, room * sizeof *more);
        args->given = more;
        args->given_room = room;
    }
    args->given[args->given_count++] = given;
    return ATT_OK;
}

/* For every group that has the name. */
static at_status add_row(at_arguments *args, at_origin origin, const at_option *row, const char *text,
                         const char *where, at_error *err)
{
    const char *own_text = at_arena_strdup(&args->arena, text), *own_where = at_arena_strdup(&args->arena, where);
    if (args->arena.failed) return at_fail_memory(err, strlen(text) + strlen(where) + 2);
    for (int i = 0; i < args->group_count; i++) {
        const at_option *own = at_option_find(args->group[i].rows, row->name);
        if (own == NULL) continue;
        ATT_TRY(push_given(args, (at_given){own, args->group[i].object, own_text, own_where, origin}, err));
    }
    return ATT_OK;
}

/* place: of the setting, or NULL on the command line, where names have dashes. */
static at_status fail_unknown(at_arguments *args, const char *place, const char *name, at_error *err)
{
    const char *dashes = place == NULL ? "--" : "", *between = place == NULL ? "" : ": ";
    const char *nearest = at_arguments_nearest(args, name);
    if (place == NULL) place = "";
    if (nearest != NULL) {
        return at_fail(err, ATT_OPTION, "%s%sunknown option %s%.60s; did you mean %s%s?", place, between, dashes, name,
                       dashes, nearest);
    }
    return at_fail(err, ATT_OPTION, "%s%sunknown option %s%.60s; \"attend %s --help\" lists the options", place,
                   between, dashes, name, args->command);
}

at_status at_arguments_add(at_arguments *args, at_origin origin, const char *name, const char *text, const char *place,
                           at_error *err)
{
    const at_option *row = at_arguments_find(args, name, NULL);
    if (row == NULL) return fail_unknown(args, place, name, err);
    at_buf where = {0};
    at_status status = at_buf_printf(&where, err, "%s: %s", place, row->name);
    if (status == ATT_OK) status = add_row(args, origin, row, text, where.data, err);
    at_buf_free(&where);
    return status;
}

/* The last setting of the latest origin, or NULL. */
static const at_given *last_given(const at_arguments *args, const at_option *row)
{
    const at_given *last = NULL;
    for (size_t i = 0; i < args->given_count; i++) {
        const at_given *given = &args->given[i];
        if (given->row == row && (last == NULL || given->origin >= last->origin)) last = given;
    }
    return last;
}

const char *at_arguments_value(const at_arguments *args, const char *name)
{
    const at_option *row = at_arguments_find(args, name, NULL);
    const at_given *given = row != NULL ? last_given(args, row) : NULL;
    return given != NULL ? given->text : NULL;
}

/* All paths that are given for last's option at last's origin. */
static at_status apply_paths(const at_arguments *args, const at_given *last, at_error *err)
{
    at_buf joined = {0};
    at_status status = ATT_OK;
    for (const at_given *given = args->given; given <= last && status == ATT_OK; given++) {
        if (given->row != last->row || given->origin != last->origin) continue;
        status = at_buf_printf(&joined, err, "%s%s", joined.len > 0 ? "\n" : "", given->text);
    }
    if (status == ATT_OK)
        status = at_option_set(last->row, last->object, joined.len > 0 ? joined.data : "", last->where, err);
    at_buf_free(&joined);
    return status;
}

at_status at_arguments_apply_one(const at_arguments *args, const char *name, at_error *err)
{
    const at_option *row = at_arguments_find(args, name, NULL);
    const at_given *given = row != NULL ? last_given(args, row) : NULL;
    return given != NULL ? at_option_set(given->row, given->object, given->text, given->where, err) : ATT_OK;
}

/* Whether the object is of an alternative group other than the chosen one. */
static bool is_left_out(const at_arguments *args, const void *object, const void *chosen)
{
    for (int i = 0; i < args->group_count; i++)
        if (args->group[i].object == object) return args->group[i].alternative && object != chosen;
    return false;
}

static bool has_twin(const at_arguments *args, const at_given *given, const void *chosen)
{
    for (size_t i = 0; i < args->given_count; i++)
        if (args->given[i].object == chosen && strcmp(args->given[i].row->name, given->row->name) == 0) return true;
    return false;
}

at_status at_arguments_choose(at_arguments *args, const void *object, const char *why, at_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < args->given_count; i++) {
        const at_given *given = &args->given[i];
        if (is_left_out(args, given->object, object) && !has_twin(args, given, object))
            return at_fail(err, ATT_OPTION, "%s is no option %s", given->where, why);
    }
    for (size_t i = 0; i < args->given_count; i++)
        if (!is_left_out(args, args->given[i].object, object)) args->given[kept++] = args->given[i];
    args->given_count = kept;
    return ATT_OK;
}

/* Every value is checked, also one that is overridden: a mistake in a recipe shows whatever the command line says. */
at_status at_arguments_apply(at_arguments *args, at_error *err)
{
    for (int origin = 0; origin < ATT_ORIGINS; origin++) {
        for (size_t i = 0; i < args->given_count; i++) {
            const at_given *given = &args->given[i];
            if ((int)given->origin != origin || given->row->type == ATT_OPT_PATHS) continue;
            ATT_TRY(at_option_set(given->row, given->object, given->text, given->where, err));
        }
    }
    for (size_t i = 0; i < args->given_count; i++) {
        const at_given *given = &args->given[i];
        if (given->row->type != ATT_OPT_PATHS || last_given(args, given->row) != given) continue;
        ATT_TRY(apply_paths(args, given, err));
    }
    return ATT_OK;
}

static at_status fail_missing(const at_arguments *args, const at_option *row, at_error *err)
{
    at_buf value = {0};
    at_status status = at_option_placeholder(row, &value, err);
    if (status == ATT_OK) {
        status = at_fail(err, ATT_OPTION, "--%s %s is missing; see \"attend %s --help\"", row->name, value.data,
                         args->command);
    }
    at_buf_free(&value);
    return status;
}

/* An empty text counts as none: a command that requires one may take the field as there. */
static at_status fail_empty(const at_arguments *args, const at_given *given, at_error *err)
{
    return at_fail(err, ATT_OPTION, "%s is empty; give one, or see \"attend %s --help\"", given->where, args->command);
}

static bool needs_value(const at_option *row)
{
    return row->def == NULL && (row->type == ATT_OPT_INT || row->type == ATT_OPT_REAL || row->type == ATT_OPT_CHOICE);
}

at_status at_arguments_require(const at_arguments *args, const char *const *names, at_error *err)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        const at_option *row = at_arguments_find(args, names[i], NULL);
        assert(row != NULL && "a required option that isn't in the tables");
        const at_given *given = last_given(args, row);
        if (given == NULL) return fail_missing(args, row, err);
        if (given->text[0] == '\0') return fail_empty(args, given, err);
    }
    for (int i = 0; i < args->group_count; i++) {
        for (const at_option *row = args->group[i].rows; row->name != NULL; row++) {
            if (needs_value(row) && last_given(args, row) == NULL) return fail_missing(args, row, err);
        }
    }
    return ATT_OK;
}

/* ---- command lines ---- */

typedef struct cursor {
    char **words;
    int count, next;
} cursor;

static at_status add_positional(at_arguments *args, const char *word, at_error *err)
{
    const size_t bytes = (size_t)(args->positional_count + 1) * sizeof *args->positional;
    const char **more = realloc(args->positional, bytes);
    if (more == NULL) return at_fail_memory(err, bytes);
    args->positional = more;
    args->positional[args->positional_count++] = word;
    return ATT_OK;
}

/* Adds a setting with "--name" as its place. */
static at_status add_word(at_arguments *args, const at_option *row, const char *text, at_error *err)
{
    char where[80] = "--";
    strncat(where, row->name, sizeof where - 3);
    return add_row(args, ATT_FROM_COMMAND_LINE, row, text, where, err);
}

/* The word after an option is its value unless it is another option: "--model --beam 4" is a slip. "-" and "-3" are
 * values. */
static const char *next_value(cursor *at)
{
    if (at->next >= at->count) return NULL;
    const char *word = at->words[at->next];
    if (word[0] == '-' && word[1] == '-' && word[2] != '\0') return NULL;
    at->next++;
    return word;
}

static at_status add_next_value(at_arguments *args, const at_option *row, cursor *at, at_error *err)
{
    const char *text = next_value(at);
    if (text != NULL) return add_word(args, row, text, err);
    at_buf value = {0};
    at_status status = at_option_placeholder(row, &value, err);
    if (status == ATT_OK) {
        status = at_fail(err, ATT_OPTION, "--%s needs a value; write --%s %s", row->name, row->name, value.data);
    }
    at_buf_free(&value);
    return status;
}

/* A flag may be followed by the word true or false, so that every option can be written as --key value. */
static at_status add_flag(at_arguments *args, const at_option *row, cursor *at, at_error *err)
{
    const char *next = at->next < at->count ? at->words[at->next] : "";
    const bool follows = strcmp(next, "true") == 0 || strcmp(next, "false") == 0;
    if (follows) at->next++;
    return add_word(args, row, follows ? next : "true", err);
}

static at_status add_bare(at_arguments *args, const at_option *row, cursor *at, at_error *err)
{
    return row->type == ATT_OPT_BOOL ? add_flag(args, row, at, err) : add_next_value(args, row, at, err);
}

/* The flag that --no-NAME turns off, or NULL. */
static const at_option *find_negated(const at_arguments *args, const char *name)
{
    if (strncmp(name, "no-", 3) != 0) return NULL;
    const at_option *row = at_arguments_find(args, name + 3, NULL);
    return row != NULL && row->type == ATT_OPT_BOOL ? row : NULL;
}

/* word: what follows the two dashes */
static at_status parse_long(at_arguments *args, const char *word, cursor *at, at_error *err)
{
    const size_t len = strcspn(word, "=");
    const char *value = word[len] == '=' ? word + len + 1 : NULL;
    char *name = at_arena_strdup(&args->arena, word);
    if (name == NULL) return at_fail_memory(err, strlen(word) + 1);
    name[len] = '\0';
    const at_option *row = at_arguments_find(args, name, NULL);
    if (row != NULL) return value != NULL ? add_word(args, row, value, err) : add_bare(args, row, at, err);
    row = find_negated(args, name);
    if (row != NULL && value == NULL) return add_word(args, row, "false", err);
    if (strcmp(name, "help") != 0 || value != NULL) return fail_unknown(args, NULL, name, err);
    args->help = true;
    return ATT_OK;
}

/* word: what follows the dash */
static at_status parse_short(at_arguments *args, const char *word, cursor *at, at_error *err)
{
    const at_option *row = find_letter(args, word[0]);
    if (row == NULL && strcmp(word, "h") == 0) {
        args->help = true;
        return ATT_OK;
    }
    if (row == NULL) {
        return at_fail(err, ATT_OPTION, "unknown option -%.60s; \"attend %s --help\" lists the options", word,
                       args->command);
    }
    if (word[1] == '\0') return add_bare(args, row, at, err);
    if (row->type != ATT_OPT_BOOL) return add_word(args, row, word + 1, err);
    return at_fail(err, ATT_OPTION, "-%c takes no value; write -%c alone", word[0], word[0]);
}

at_status at_arguments_parse(at_arguments *args, int count, char **words, at_error *err)
{
    cursor at = {words, count, 0};
    bool only_positional = false;
    while (at.next < at.count) {
        const char *word = at.words[at.next++];
        if (only_positional || word[0] != '-' || word[1] == '\0') {
            ATT_TRY(add_positional(args, word, err));
        } else if (strcmp(word, "--") == 0) {
            only_positional = true;
        } else if (word[1] == '-') {
            ATT_TRY(parse_long(args, word + 2, &at, err));
        } else {
            ATT_TRY(parse_short(args, word + 1, &at, err));
        }
    }
    return ATT_OK;
}
