/* Options: text to field, field to text, and finding rows. The table's rows are the only knowledge here; nothing
 * below cli asks for an option by its name. */
#include "base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LONGEST_NAME = 63, TEXT_SHOWN = 80 };

/* ---- numbers, read and written with '.' whatever locale the embedding program has set ---- */

typedef struct number_locale {
    locale_t plain, before;
} number_locale;

/* Only this thread's locale changes, and only until locale_leave. */
static number_locale locale_enter(void)
{
    number_locale set = {.plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0)};
    if (set.plain != (locale_t)0) set.before = uselocale(set.plain);
    return set;
}

static void locale_leave(number_locale set)
{
    if (set.plain == (locale_t)0) return;
    uselocale(set.before);
    freelocale(set.plain);
}

/* The finite number that is the whole of text; false when text is anything else. */
static bool read_real(const char *text, double *value)
{
    char *end;
    const number_locale set = locale_enter();
    *value = strtod(text, &end);
    locale_leave(set);
    return end != text && *end == '\0' && isfinite(*value);
}

/* A whole number, optionally in thousands (k) or millions (M); false when text is anything else or too large. */
static bool read_int(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (end == text || errno == ERANGE) return false;
    const long long scale = *end == 'k' || *end == 'K' ? 1000 : *end == 'M' ? 1000000 : *end == 'G' ? 1000000000 : 1;
    if (end[scale > 1] != '\0' || number > INT64_MAX / scale || number < INT64_MIN / scale) return false;
    *value = number * scale;
    return true;
}

/* The shortest text that reads back to the same bits; 17 digits always do. room: 32 bytes. */
static void write_real(double value, char *text)
{
    const number_locale set = locale_enter();
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    locale_leave(set);
}

/* ---- messages ---- */

static bool is_bounded(const at_option *row)
{
    return row->min != 0 || row->max != 0;
}

static bool in_range(const at_option *row, double value)
{
    return !is_bounded(row) || (value >= row->min && value <= row->max);
}

static void write_bound(const at_option *row, double bound, char *text)
{
    if (row->type == ATT_OPT_INT) {
        snprintf(text, 32, "%.0f", bound);
    } else {
        write_real(bound, text);
    }
}

/* `<where>: "<text>" <fault>; give one from <min> to <max>`, with an end of the range left out where it is open. */
static at_status fail_number(const at_option *row, const char *text, const char *where, const char *fault,
                             at_error *err)
{
    char min[32], max[32], range[96];
    /* The largest int64_t counts as open too: a range up to it excludes nothing. */
    const bool open = row->max >= 9.2e18;
    write_bound(row, row->min, min);
    if (!open) write_bound(row, row->max, max);
    if (!is_bounded(row)) {
        snprintf(range, sizeof range, "%s", row->type == ATT_OPT_INT ? "one such as 8, 4k or 2M" : "one such as 0.1");
    } else if (open) {
        snprintf(range, sizeof range, "one of at least %s", min);
    } else {
        snprintf(range, sizeof range, "one from %s to %s", min, max);
    }
    return at_fail(err, ATT_OPTION, "%s: \"%.*s\" %s; give %s", where, TEXT_SHOWN, text, fault, range);
}

/* `--norm: "x" is not a choice; give pre, post or none`. */
static at_status fail_choice(const at_option *row, const char *text, const char *where, at_error *err)
{
    at_buf list = {0};
    at_status status = ATT_OK;
    for (size_t i = 0; row->choices[i] != NULL && status == ATT_OK; i++) {
        const char *between = i == 0 ? "" : row->choices[i + 1] != NULL ? ", " : " or ";
        status = at_buf_printf(&list, err, "%s%s", between, row->choices[i]);
    }
    if (status == ATT_OK) {
        status = at_fail(err, ATT_OPTION, "%s: \"%.*s\" is not a choice; give %s", where, TEXT_SHOWN, text, list.data);
    }
    at_buf_free(&list);
    return status;
}

/* ---- finding rows ---- */

static char name_char(char c)
{
    return c == '_' ? '-' : c;
}

static bool names_equal(const char *a, const char *b)
{
    while (*a != '\0' && name_char(*a) == name_char(*b)) {
        a++;
        b++;
    }
    return name_char(*a) == name_char(*b);
}

const at_option *at_option_find(const at_option *table, const char *name)
{
    for (const at_option *row = table; row->name != NULL; row++) {
        if (names_equal(row->name, name)) return row;
    }
    return NULL;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance in its restricted form (Boytsov 2011, "optimal string alignment"): insertions,
 * deletions, substitutions and swaps of neighbours cost 1. Both lengths at most LONGEST_NAME. */
static int name_distance(const char *a, const char *b)
{
    const int m = (int)strlen(a), n = (int)strlen(b);
    int rows[3][LONGEST_NAME + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    for (int j = 0; j <= n; j++) above[j] = j;
    for (int i = 1; i <= m; i++) {
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const bool same = name_char(a[i - 1]) == name_char(b[j - 1]);
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + !same);
            const bool swapped = i > 1 && j > 1 && name_char(a[i - 1]) == name_char(b[j - 2]) &&
                                 name_char(a[i - 2]) == name_char(b[j - 1]);
            if (swapped) row[j] = smaller(row[j], before[j - 2] + 1);
        }
        int *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[n];
}

const at_option *at_option_nearest(const at_option *table, const char *name)
{
    const size_t len = strlen(name);
    if (len > LONGEST_NAME) return NULL;
    int best = (int)len / 3 + 1;
    const at_option *nearest = NULL;
    for (const at_option *row = table; row->name != NULL; row++) {
        if (strlen(row->name) > LONGEST_NAME) continue;
        const int distance = name_distance(row->name, name);
        if (distance >= best) continue;
        best = distance;
        nearest = row;
    }
    return nearest;
}

/* ---- fields ---- */

static bool is_text(const at_option *row)
{
    return row->type == ATT_OPT_TEXT || row->type == ATT_OPT_PATH || row->type == ATT_OPT_PATHS;
}

static void *field_of(const at_option *row, void *object)
{
    return (char *)object + row->offset;
}

static at_status set_bool(bool *field, const char *text, const char *where, at_error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i]) != 0) continue;
        *field = i % 2 == 1;
        return ATT_OK;
    }
    return at_fail(err, ATT_OPTION, "%s: \"%.*s\" is neither true nor false; give true or false", where, TEXT_SHOWN,
                   text);
}

static at_status set_int(const at_option *row, int64_t *field, const char *text, const char *where, at_error *err)
{
    int64_t value;
    if (!read_int(text, &value)) return fail_number(row, text, where, "is not a whole number", err);
    if (!in_range(row, (double)value)) return fail_number(row, text, where, "is out of range", err);
    *field = value;
    return ATT_OK;
}

static at_status set_real(const at_option *row, double *field, const char *text, const char *where, at_error *err)
{
    double value;
    if (!read_real(text, &value)) return fail_number(row, text, where, "is not a number", err);
    if (!in_range(row, value)) return fail_number(row, text, where, "is out of range", err);
    *field = value;
    return ATT_OK;
}

static at_status set_text(const at_option *row, char **field, const char *text, at_error *err)
{
    char *copy = NULL;
    if (text[0] != '\0' || row->def != NULL) {
        copy = strdup(text);
        if (copy == NULL) return at_fail_memory(err, strlen(text) + 1);
    }
    free(*field);
    *field = copy;
    return ATT_OK;
}

/* Whether text is the initials of a name of several words: lm for language-model. */
static bool is_initials(const char *name, const char *text)
{
    if (strchr(name, '-') == NULL) return false;
    for (const char *c = name; *c != '\0'; c++) {
        if (c != name && c[-1] != '-') continue;
        if (*text++ != *c) return false;
    }
    return *text == '\0';
}

static at_status set_choice(const at_option *row, int *field, const char *text, const char *where, at_error *err)
{
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (!names_equal(row->choices[i], text) && !is_initials(row->choices[i], text)) continue;
        *field = i;
        return ATT_OK;
    }
    return fail_choice(row, text, where, err);
}

at_status at_option_set(const at_option *row, void *object, const char *text, const char *where, at_error *err)
{
    void *field = field_of(row, object);
    switch (row->type) {
    case ATT_OPT_BOOL:
        return set_bool(field, text, where, err);
    case ATT_OPT_INT:
        return set_int(row, field, text, where, err);
    case ATT_OPT_REAL:
        return set_real(row, field, text, where, err);
    case ATT_OPT_CHOICE:
        return set_choice(row, field, text, where, err);
    case ATT_OPT_TEXT:
    case ATT_OPT_PATH:
    case ATT_OPT_PATHS:
        break;
    }
    return set_text(row, field, text, err);
}

at_status at_option_format(const at_option *row, const void *object, at_buf *out, at_error *err)
{
    const void *field = (const char *)object + row->offset;
    char number[32];
    switch (row->type) {
    case ATT_OPT_BOOL:
        return at_buf_puts(out, *(const bool *)field ? "true" : "false", err);
    case ATT_OPT_INT:
        return at_buf_printf(out, err, "%" PRId64, *(const int64_t *)field);
    case ATT_OPT_REAL:
        write_real(*(const double *)field, number);
        return at_buf_puts(out, number, err);
    case ATT_OPT_CHOICE:
        return at_buf_puts(out, row->choices[*(const int *)field], err);
    case ATT_OPT_TEXT:
    case ATT_OPT_PATH:
    case ATT_OPT_PATHS:
        break;
    }
    const char *text = *(char *const *)field;
    return at_buf_puts(out, text != NULL ? text : "", err);
}

static void set_zero(const at_option *row, void *object)
{
    void *field = field_of(row, object);
    switch (row->type) {
    case ATT_OPT_BOOL:
        *(bool *)field = false;
        break;
    case ATT_OPT_INT:
        *(int64_t *)field = 0;
        break;
    case ATT_OPT_REAL:
        *(double *)field = 0;
        break;
    case ATT_OPT_CHOICE:
        *(int *)field = 0;
        break;
    case ATT_OPT_TEXT:
    case ATT_OPT_PATH:
    case ATT_OPT_PATHS:
        *(char **)field = NULL;
        break;
    }
}

at_status at_options_defaults(const at_option *table, void *object, at_error *err)
{
    for (const at_option *row = table; row->name != NULL; row++) set_zero(row, object);
    for (const at_option *row = table; row->name != NULL; row++) {
        const at_status status = row->def != NULL ? at_option_set(row, object, row->def, row->name, err) : ATT_OK;
        if (status == ATT_OK) continue;
        at_options_free(table, object);
        return status;
    }
    return ATT_OK;
}

void at_options_free(const at_option *table, void *object)
{
    for (const at_option *row = table; row->name != NULL; row++) {
        if (!is_text(row)) continue;
        char **field = field_of(row, object);
        free(*field);
        *field = NULL;
    }
}
