/* See run_recipe.h. One "name: value" line an option, the model's after the run's own. */
#include "train/run_recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_dump.h"
#include "base/utf8.h"

enum { PATH_BYTES = 4096 };

/* A path may be no UTF-8, which the recipe, a text for people, must be: bad bytes become U+FFFD. */
static at_status add_quoted(at_buf *text, const at_buf *value, at_error *err)
{
    at_buf valid = {0};
    at_status status = value->len > 0 ? at_utf8_mend(value->data, value->len, &valid, err) : ATT_OK;
    json_t *string = json_stringn(valid.len > 0 ? valid.data : "", valid.len);
    char *json = at_json_dump(string, JSON_ENCODE_ANY);
    if (status == ATT_OK) status = json ? at_buf_puts(text, json, err) : at_fail_memory(err, value->len);
    free(json);
    json_decref(string);
    at_buf_free(&valid);
    return status;
}

static at_status add_rows(at_buf *text, const at_option *table, const void *object, at_error *err)
{
    for (const at_option *row = table; row->name; row++) {
        ATT_TRY(at_buf_printf(text, err, "%s: ", row->name));
        const bool quoted = row->type == ATT_OPT_TEXT || row->type == ATT_OPT_PATH || row->type == ATT_OPT_PATHS;
        at_buf value = {0};
        at_status status = at_option_format(row, object, &value, err);
        if (status == ATT_OK && quoted) {
            status = add_quoted(text, &value, err);
        } else if (status == ATT_OK && value.data) {
            status = at_buf_puts(text, value.data, err);
        }
        at_buf_free(&value);
        ATT_TRY(status);
        ATT_TRY(at_buf_puts(text, "\n", err));
    }
    return ATT_OK;
}

/* The line of an option in a recipe text, its value without the line end. */
static const char *recipe_value(const char *text, const char *name, size_t *len)
{
    const size_t n = strlen(name);
    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n');
        if (strncmp(line, name, n) == 0 && line[n] == ':') {
            *len = (end ? (size_t)(end - line) : strlen(line)) - n - 1;
            return line + n + 1;
        }
        line = end ? end + 1 : NULL;
    }
    return NULL;
}

static at_status compare_rows(const at_option *table, const char *old, const char *now, const char *run, at_error *err)
{
    for (const at_option *row = table; row->name; row++) {
        size_t a_len = 0, b_len = 0;
        const char *a = recipe_value(old, row->name, &a_len), *b = recipe_value(now, row->name, &b_len);
        if (!at_train_option_matters(row->name) || a == NULL || b == NULL ||
            (a_len == b_len && memcmp(a, b, a_len) == 0))
            continue;
        return at_fail(
            err, ATT_OPTION,
            "%s was begun with %s:%.*s, now it is%.*s; use the old value to continue it, or another run folder", run,
            row->name, (int)a_len, a, (int)b_len, b);
    }
    return ATT_OK;
}

static const char recipe_start[] = "architecture: ";

static at_status make_recipe(at_buf *text, const at_run_spec *spec, const at_model *model, at_error *err)
{
    ATT_TRY(at_buf_printf(text, err, "%s%s\n", recipe_start, spec->arch));
    ATT_TRY(add_rows(text, at_train_option_table, spec->options, err));
    return add_rows(text, model->arch->options, model->config, err);
}

/* A recipe that the user put into the run folder under that name must not be overwritten. */
static at_status compare_recipe(const char *old, const char *now, const char *run, const at_model *model, at_error *err)
{
    if (strncmp(old, recipe_start, sizeof recipe_start - 1) != 0)
        return at_fail(err, ATT_OPTION,
                       "%s/recipe.yaml was not written by attend train, which needs the name; rename it, or give "
                       "another run folder",
                       run);
    ATT_TRY(compare_rows(at_train_option_table, old, now, run, err));
    return compare_rows(model->arch->options, old, now, run, err);
}

static void recipe_path(const at_run_spec *spec, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/recipe.yaml", spec->options->run);
}

at_status at_run_recipe_settle(at_buf *recipe, const at_run_spec *spec, const at_model *model, at_error *err)
{
    char path[PATH_BYTES];
    at_buf old = {0};
    recipe_path(spec, path);
    ATT_TRY(make_recipe(recipe, spec, model, err));
    if (!at_path_exists(path)) return ATT_OK;
    at_status status = at_file_read(path, &old, err);
    if (status == ATT_OK)
        status = compare_recipe(old.data ? old.data : "", recipe->data, spec->options->run, model, err);
    at_buf_free(&old);
    return status;
}

at_status at_run_recipe_write(const at_buf *recipe, const at_run_spec *spec, at_error *err)
{
    char path[PATH_BYTES];
    recipe_path(spec, path);
    return at_file_write(path, recipe->data, recipe->len, err);
}
