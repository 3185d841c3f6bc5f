/* Reading recipes: libyaml makes a document of nodes, this file walks its two levels. See recipe.h. */
#include "cli/recipe.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"

typedef struct recipe {
    at_arguments *args;
    const char *path;
    size_t folder_len; /* of the path, its last '/' included; 0: the working folder */
    yaml_document_t *document;
} recipe;

static int line_of(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* ---- values ---- */

/* The length of a variable's name at text; 0 when there is none. */
static size_t name_length(const char *text)
{
    size_t len = 0;
    if (isdigit((unsigned char)text[0])) return 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_') len++;
    return len;
}

static at_status fail_unset(const char *name, const char *where, at_error *err)
{
    return at_fail(err, ATT_OPTION, "%s: the environment variable %s is not set; set it, or write ${%s:-default}",
                   where, name, name);
}

/* Appends what stands for the variable at *text, which points behind "${", and moves *text behind its '}'. As in the
 * shell, the default also stands for a variable that is set to nothing. */
static at_status expand_variable(const char **text, const char *where, at_buf *out, at_error *err)
{
    char name[128];
    const size_t len = name_length(*text);
    const char *rest = *text + len, *end = strchr(rest, '}');
    const bool has_default = strncmp(rest, ":-", 2) == 0;
    if (len == 0 || len >= sizeof name || end == NULL || (end != rest && !has_default)) {
        return at_fail(err, ATT_OPTION, "%s: \"${%.40s\" is no variable; write ${NAME} or ${NAME:-default}", where,
                       *text);
    }
    memcpy(name, *text, len);
    name[len] = '\0';
    *text = end + 1;
    const char *value = getenv(name);
    if (value != NULL && (value[0] != '\0' || !has_default)) return at_buf_puts(out, value, err);
    return has_default ? at_buf_add(out, rest + 2, (size_t)(end - rest) - 2, err) : fail_unset(name, where, err);
}

/* Appends text with its variables replaced; "$${" stands for "${" itself. */
static at_status expand(const char *text, const char *where, at_buf *out, at_error *err)
{
    for (;;) {
        const char *dollar = strstr(text, "${");
        if (dollar == NULL) return at_buf_puts(out, text, err);
        const bool literal = dollar > text && dollar[-1] == '$';
        ATT_TRY(at_buf_add(out, text, (size_t)(dollar - text) - literal, err));
        text = dollar + 2;
        ATT_TRY(literal ? at_buf_puts(out, "${", err) : expand_variable(&text, where, out, err));
    }
}

static bool is_path(const at_option *row)
{
    return row->type == ATT_OPT_PATH || row->type == ATT_OPT_PATHS;
}

/* "-" is standard input, and an empty path none. */
static bool is_relative(const char *path)
{
    return path[0] != '/' && path[0] != '\0' && strcmp(path, "-") != 0;
}

static at_status add_text(const recipe *from, const at_option *row, const char *text, const char *place, at_error *err)
{
    at_buf path = {0};
    if (!is_path(row) || !is_relative(text)) {
        return at_arguments_add(from->args, ATT_FROM_RECIPE, row->name, text, place, err);
    }
    const bool folder = strcmp(text, ".") == 0 && from->folder_len > 1; /* the recipe's own: without the last '/' */
    at_status status = at_buf_add(&path, from->path, from->folder_len - folder, err);
    if (status == ATT_OK && !folder) status = at_buf_puts(&path, text, err);
    if (status == ATT_OK) status = at_arguments_add(from->args, ATT_FROM_RECIPE, row->name, path.data, place, err);
    at_buf_free(&path);
    return status;
}

/* Plain nothing, ~ and null: a line that was left unfinished. */
static bool is_null(const yaml_node_t *node)
{
    const char *text = text_of(node);
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static at_status add_scalar(const recipe *from, const at_option *row, const yaml_node_t *node, const char *place,
                            at_error *err)
{
    if (is_null(node)) {
        return at_fail(err, ATT_OPTION, "%s: %s has no value; give one, or remove the line", place, row->name);
    }
    if (strlen(text_of(node)) != node->data.scalar.length) {
        return at_fail(err, ATT_OPTION, "%s: %s holds a NUL byte; remove it", place, row->name);
    }
    at_buf text = {0};
    at_status status = expand(text_of(node), place, &text, err);
    if (status == ATT_OK) status = add_text(from, row, text.len > 0 ? text.data : "", place, err);
    at_buf_free(&text);
    return status;
}

static at_status add_sequence(const recipe *from, const at_option *row, const yaml_node_t *node, const char *place,
                              at_error *err)
{
    if (row->type != ATT_OPT_PATHS) {
        return at_fail(err, ATT_OPTION, "%s: %s takes one value, not a list; give one", place, row->name);
    }
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
        const yaml_node_t *value = yaml_document_get_node(from->document, *item);
        if (value->type != YAML_SCALAR_NODE) {
            return at_fail(err, ATT_OPTION, "%s: %s is a list of paths; give one path an item", place, row->name);
        }
        ATT_TRY(add_scalar(from, row, value, place, err));
    }
    return ATT_OK;
}

/* ---- keys ---- */

/* The row that a key names. A name that stands a second time, or is of the command line only, is a failure. */
static at_status find_row(const recipe *from, const char *name, const char *place, const at_option **row, at_error *err)
{
    const at_option_group *group;
    *row = at_arguments_find(from->args, name, &group);
    /* Adding an unknown name gives the message with the nearest known one. */
    if (*row == NULL) return at_arguments_add(from->args, ATT_FROM_RECIPE, name, "", place, err);
    if (!group->in_recipe) {
        return at_fail(err, ATT_OPTION, "%s: %s is for the command line only; write --%s there", place, (*row)->name,
                       (*row)->name);
    }
    for (size_t i = 0; i < from->args->given_count; i++) {
        const at_given *given = &from->args->given[i];
        if (given->row != *row || given->origin != ATT_FROM_RECIPE) continue;
        return at_fail(err, ATT_OPTION, "%s: %s stands a second time (first: %s); remove one", place, (*row)->name,
                       given->where);
    }
    return ATT_OK;
}

static at_status add_pair(const recipe *from, const yaml_node_t *key, const yaml_node_t *value, const char *place,
                          at_error *err)
{
    const at_option *row;
    ATT_TRY(find_row(from, text_of(key), place, &row, err));
    if (value->type == YAML_SCALAR_NODE) return add_scalar(from, row, value, place, err);
    return add_sequence(from, row, value, place, err);
}

static at_status add_mapping(const recipe *from, const yaml_node_t *mapping, bool in_section, at_error *err);

static at_status add_entry(const recipe *from, const yaml_node_pair_t *pair, bool in_section, at_error *err)
{
    const yaml_node_t *key = yaml_document_get_node(from->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(from->document, pair->value);
    char place[400];
    const size_t len = strlen(from->path), skipped = len > 300 ? len - 300 : 0;
    snprintf(place, sizeof place, "%s%s:%d", skipped > 0 ? "..." : "", from->path + skipped, line_of(key));
    if (key->type != YAML_SCALAR_NODE) {
        return at_fail(err, ATT_OPTION, "%s: a key is no plain name; write \"name: value\"", place);
    }
    if (value->type != YAML_MAPPING_NODE) return add_pair(from, key, value, place, err);
    if (!in_section) return add_mapping(from, value, true, err);
    return at_fail(err, ATT_OPTION, "%s: section %.60s stands within a section; move it out", place, text_of(key));
}

static at_status add_mapping(const recipe *from, const yaml_node_t *mapping, bool in_section, at_error *err)
{
    const yaml_node_pair_t *end = mapping->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < end; pair++) {
        ATT_TRY(add_entry(from, pair, in_section, err));
    }
    return ATT_OK;
}

/* ---- the file ---- */

static at_status fail_yaml(const yaml_parser_t *parser, const char *path, at_error *err)
{
    if (parser->error == YAML_MEMORY_ERROR) return at_fail_memory(err, 0);
    return at_fail(err, ATT_OPTION, "%s:%d: not YAML: %s; write \"name: value\" lines", path,
                   (int)parser->problem_mark.line + 1, parser->problem != NULL ? parser->problem : "unreadable text");
}

static at_status add_document(at_arguments *args, const char *path, yaml_document_t *document, at_error *err)
{
    const char *slash = strrchr(path, '/');
    const recipe from = {args, path, slash != NULL ? (size_t)(slash - path) + 1 : 0, document};
    const yaml_node_t *root = yaml_document_get_root_node(document);
    if (root == NULL) return at_fail(err, ATT_OPTION, "%s: the recipe is empty; write \"name: value\" lines", path);
    if (root->type != YAML_MAPPING_NODE) {
        return at_fail(err, ATT_OPTION, "%s:%d: a recipe is made of \"name: value\" lines; this is none", path,
                       line_of(root));
    }
    return add_mapping(&from, root, false, err);
}

/* Nothing may follow the one document: settings behind "---" would be lost unseen. */
static at_status check_end(yaml_parser_t *parser, const char *path, at_error *err)
{
    yaml_document_t more;
    if (!yaml_parser_load(parser, &more)) return fail_yaml(parser, path, err);
    const yaml_node_t *root = yaml_document_get_root_node(&more);
    const int line = root != NULL ? line_of(root) : 0;
    yaml_document_delete(&more);
    if (root == NULL) return ATT_OK;
    return at_fail(err, ATT_OPTION, "%s:%d: a second document begins; remove the line \"---\" before it", path, line);
}

static at_status load(at_arguments *args, yaml_parser_t *parser, const char *path, at_error *err)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) return fail_yaml(parser, path, err);
    at_status status = add_document(args, path, &document, err);
    const bool empty = yaml_document_get_root_node(&document) == NULL;
    yaml_document_delete(&document);
    if (status == ATT_OK && !empty) status = check_end(parser, path, err);
    return status;
}

at_status at_recipe_parse(at_arguments *args, const char *path, const char *bytes, size_t size, at_error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return at_fail_memory(err, sizeof parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
    const at_status status = load(args, &parser, path, err);
    yaml_parser_delete(&parser);
    return status;
}

at_status at_recipe_read(at_arguments *args, const char *path, at_error *err)
{
    at_buf text = {0};
    at_status status = at_file_read(path, &text, err);
    if (status == ATT_OK) status = at_recipe_parse(args, path, text.len > 0 ? text.data : "", text.len, err);
    at_buf_free(&text);
    return status;
}
