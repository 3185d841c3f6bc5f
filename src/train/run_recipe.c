/* See run_recipe.h. One "name: value" line an option, the model's after the run's own. Paths are absolute, but for the
 * run folder itself: so the file is a recipe wherever attend is started from, and the folder may move. */
#include "train/run_recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_dump.h"
#include "base/utf8.h"

enum { PATH_BYTES = 4096 };
static const char run_folder[] = "run"; /* the option whose path the recipe itself lies in */

/* "${" is no variable here. */
static at_status escape_variables(const char *text, at_buf *out, at_error *err)
{
    for (const char *at; (at = strstr(text, "${")) != NULL; text = at + 2) {
        ATT_TRY(at_buf_add(out, text, (size_t)(at - text), err));
        ATT_TRY(at_buf_puts(out, "$${", err));
    }
    return at_buf_puts(out, text, err);
}

/* A path may be no UTF-8, which the recipe, a text for people, must be: bad bytes become U+FFFD. */
static at_status add_quoted(at_buf *text, const at_buf *value, at_error *err)
{
    at_buf valid = {0}, plain = {0};
    at_status status = value->len > 0 ? at_utf8_mend(value->data, value->len, &plain, err) : ATT_OK;
    if (status == ATT_OK && plain.len > 0) status = escape_variables(plain.data, &valid, err);
    json_t *string = json_stringn(valid.len > 0 ? valid.data : "", valid.len);
    char *json = at_json_dump(string, JSON_ENCODE_ANY);
    if (status == ATT_OK) status = json ? at_buf_puts(text, json, err) : at_fail_memory(err, value->len);
    free(json);
    json_decref(string);
    at_buf_free(&valid);
    at_buf_free(&plain);
    return status;
}

/* A path of the command's working folder; "-" and none stay what they are. */
static at_status add_path(at_buf *text, const char *path, size_t len, at_error *err)
{
    char folder[PATH_BYTES];
    at_buf whole = {0};
    const bool relative = len > 0 && path[0] != '/' && !(len == 1 && path[0] == '-');
    at_status status = ATT_OK;
    if (relative && getcwd(folder, sizeof folder) != NULL) status = at_buf_printf(&whole, err, "%s/", folder);
    if (status == ATT_OK) status = at_buf_add(&whole, path, len, err);
    if (status == ATT_OK) status = add_quoted(text, &whole, err);
    at_buf_free(&whole);
    return status;
}

/* Paths joined by '\n': one, or a list. */
static at_status add_paths(at_buf *text, const at_buf *value, at_error *err)
{
    const char *path = value->len > 0 ? value->data : "";
    const bool list = strchr(path, '\n') != NULL;
    if (list) ATT_TRY(at_buf_puts(text, "[", err));
    for (bool more = true; more;) {
        const size_t len = strcspn(path, "\n");
        ATT_TRY(add_path(text, path, len, err));
        more = path[len] == '\n';
        path += len + more;
        if (more) ATT_TRY(at_buf_puts(text, ", ", err));
    }
    return list ? at_buf_puts(text, "]", err) : ATT_OK;
}

static at_status add_value(at_buf *text, const at_option *row, const at_buf *value, at_error *err)
{
    if (strcmp(row->name, run_folder) == 0) return at_buf_puts(text, "\".\"", err);
    if (row->type == ATT_OPT_PATH || row->type == ATT_OPT_PATHS) return add_paths(text, value, err);
    if (row->type == ATT_OPT_TEXT) return add_quoted(text, value, err);
    return at_buf_puts(text, value->data ? value->data : "", err);
}

static at_status add_rows(at_buf *text, const at_option *table, const void *object, at_error *err)
{
    for (const at_option *row = table; row->name; row++) {
        ATT_TRY(at_buf_printf(text, err, "%s: ", row->name));
        at_buf value = {0};
        at_status status = at_option_format(row, object, &value, err);
        if (status == ATT_OK) status = add_value(text, row, &value, err);
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

/* Texts of recipes that are compared. */
typedef struct recipes {
    const char *old, *now, *defaults;
} recipes;

/* An option that the old recipe lacks came after it, and had its default. */
static at_status compare_rows(const at_option *table, const recipes *r, const char *run, at_error *err)
{
    for (const at_option *row = table; row->name; row++) {
        size_t a_len = 0, b_len = 0;
        const char *a = recipe_value(r->old, row->name, &a_len), *b = recipe_value(r->now, row->name, &b_len);
        if (a == NULL) a = recipe_value(r->defaults, row->name, &a_len);
        if (!at_train_option_matters(row->name) || (a_len == b_len && memcmp(a, b, a_len) == 0)) continue;
        return at_fail(
            err, ATT_OPTION,
            "%s was begun with %s:%.*s, now it is%.*s; use the old value to continue it, or another run folder", run,
            row->name, (int)a_len, a, (int)b_len, b);
    }
    return ATT_OK;
}

static const char recipe_start[] = "# The effective recipe of this run, written by attend train, which continues it:";
static const char old_start[] = "architecture: "; /* of version 0.1.0, whose recipes were none to start from */

static at_status make_recipe(at_buf *text, const at_run_spec *spec, const at_model *model, at_error *err)
{
    ATT_TRY(at_buf_printf(text, err, "%s attend train FOLDER/recipe.yaml\n", recipe_start));
    ATT_TRY(add_rows(text, at_train_option_table, spec->options, err));
    return add_rows(text, model->arch->options, model->config, err);
}

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Old recipes name the architecture in place of the task. */
static at_status compare_architecture(const char *old, const char *run, const at_model *model, at_error *err)
{
    const char *name = old + strlen(old_start);
    const size_t len = strcspn(name, "\n");
    if (len == strlen(model->arch->name) && memcmp(name, model->arch->name, len) == 0) return ATT_OK;
    return at_fail(err, ATT_OPTION, "%s was begun with architecture %.*s, now it is %s; use another run folder", run,
                   (int)len, name, model->arch->name);
}

/* Of the task at hand, which has been compared by then where the old recipe names none. */
static at_status add_run_defaults(at_buf *text, const at_run_spec *spec, at_error *err)
{
    at_train_options options = {0};
    ATT_TRY(at_options_defaults(at_train_option_table, &options, err));
    options.task = spec->options->task;
    at_train_options_settle(&options);
    const at_status status = add_rows(text, at_train_option_table, &options, err);
    at_options_free(at_train_option_table, &options);
    return status;
}

static at_status add_model_defaults(at_buf *text, const at_arch *arch, at_error *err)
{
    void *config = calloc(1, arch->config_size);
    if (config == NULL) return at_fail_memory(err, arch->config_size);
    at_status status = at_options_defaults(arch->options, config, err);
    if (status == ATT_OK) {
        status = add_rows(text, arch->options, config, err);
        at_options_free(arch->options, config);
    }
    free(config);
    return status;
}

/* A recipe that the user put into the run folder under that name must not be overwritten. */
static at_status check_writer(const char *old, const char *run, at_error *err)
{
    if (!begins(old, recipe_start) && !begins(old, old_start))
        return at_fail(err, ATT_OPTION,
                       "%s/recipe.yaml was not written by attend train, which needs the name; rename it, or give "
                       "another run folder",
                       run);
    return ATT_OK;
}

static at_status compare_recipe(const char *old, const char *now, const at_run_spec *spec, const at_model *model,
                                at_error *err)
{
    const char *run = spec->options->run;
    at_buf defaults = {0};
    ATT_TRY(check_writer(old, run, err));
    if (begins(old, old_start)) ATT_TRY(compare_architecture(old, run, model, err));
    at_status status = add_run_defaults(&defaults, spec, err);
    if (status == ATT_OK) status = add_model_defaults(&defaults, model->arch, err);
    const recipes texts = {old, now, defaults.data};
    if (status == ATT_OK) status = compare_rows(at_train_option_table, &texts, run, err);
    if (status == ATT_OK) status = compare_rows(model->arch->options, &texts, run, err);
    at_buf_free(&defaults);
    return status;
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
    if (status == ATT_OK) status = compare_recipe(old.data ? old.data : "", recipe->data, spec, model, err);
    at_buf_free(&old);
    return status;
}

at_status at_run_recipe_write(const at_buf *recipe, const at_run_spec *spec, at_error *err)
{
    char path[PATH_BYTES];
    recipe_path(spec, path);
    return at_file_write(path, recipe->data, recipe->len, err);
}
