/* Help pages. See help.h. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, MARGIN = 2, WIDEST_LEFT = 28, OPEN_END = 1000000 };

/* ---- layout ---- */

/* Prints text from column `column` on, wrapped between `indent` and WIDTH; ends with a line end. */
static void print_wrapped(at_output *output, const char *text, int column, int indent)
{
    bool first = true;
    while (*text != '\0') {
        const size_t len = strcspn(text, " ");
        const int columns = at_columns(text, len);
        if (!first && column + 1 + columns > WIDTH) {
            at_print(output, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            at_print(output, " ");
            column++;
        }
        at_print(output, "%.*s", (int)len, text);
        column += columns;
        first = false;
        text += len;
        text += strspn(text, " ");
    }
    at_print(output, "\n");
}

/* A name on the left and its explanation from column `indent` on, in the next line when the name is too long. */
static void print_entry(at_output *output, const char *left, const char *right, int indent)
{
    const int end = MARGIN + at_columns(left, strlen(left));
    at_print(output, "%*s%s", MARGIN, "", left);
    if (end + 2 > indent) {
        at_print(output, "\n%*s", indent, "");
    } else {
        at_print(output, "%*s", indent - end, "");
    }
    print_wrapped(output, right, indent, indent);
}

static void print_paragraphs(at_output *output, const char *text)
{
    char paragraph[1200];
    while (*text != '\0') {
        const char *end = strstr(text, "\n\n");
        const size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)len, text);
        at_print(output, "\n");
        print_wrapped(output, paragraph, 0, 0);
        text += end != NULL ? len + 2 : len;
    }
}

/* ---- the list of commands ---- */

bool at_name_begins(const char *name, const char *prefix)
{
    const size_t len = strlen(prefix);
    return len == 0 || (strncmp(name, prefix, len) == 0 && (name[len] == '\0' || name[len] == ' '));
}

void at_help_overview(at_output *output, const at_command *const *commands, const char *prefix)
{
    at_print(output, "Usage: attend COMMAND [options] [arguments]\n"
                     "       attend COMMAND --help\n"
                     "       attend --version [--verbose]\n\nCommands:\n");
    int indent = 0;
    for (int i = 0; commands[i] != NULL; i++) {
        const int end = MARGIN + (int)strlen(commands[i]->name) + 2;
        if (at_name_begins(commands[i]->name, prefix) && end > indent) indent = end;
    }
    for (int i = 0; commands[i] != NULL; i++) {
        if (!at_name_begins(commands[i]->name, prefix)) continue;
        print_entry(output, commands[i]->name, commands[i]->summary, indent);
    }
}

void at_help_closing(at_output *output)
{
    at_print(output, "\nExit status:\n"
                     "  0    done\n"
                     "  1    the work failed: a file can't be read or written, or its content is wrong\n"
                     "  2    wrong usage: the command line, an option or a recipe\n"
                     "  3    not enough memory\n"
                     "  4    training diverged: the loss is no longer finite\n"
                     "  130  interrupted by Ctrl-C; 143: by a request to end (SIGTERM)\n"
                     "Results go to standard output, messages to standard error.\n"
                     "ATTEND_ISA in the environment forces an instruction set; attend version\n"
                     "--verbose lists those of this machine.\n");
}

/* ---- one command ---- */

void at_help_usage(at_output *output, const at_command *command)
{
    at_print(output, "attend %s [options]", command->name);
    for (const at_positional *word = command->positionals; word != NULL && word->name != NULL; word++) {
        const bool optional = word->count == ATT_OPTIONAL;
        at_print(output, " %s%s%s%s", optional ? "[" : "", word->name, optional ? "]" : "",
                 word->count == ATT_ONE_OR_MORE ? " ..." : "");
    }
    at_print(output, "\n");
}

static void print_positionals(at_output *output, const at_positional *words)
{
    if (words == NULL) return;
    int indent = 0;
    at_print(output, "\nArguments:\n");
    for (const at_positional *word = words; word->name != NULL; word++) {
        const int end = MARGIN + (int)strlen(word->name) + 2;
        if (end > indent) indent = end;
    }
    for (const at_positional *word = words; word->name != NULL; word++) {
        print_entry(output, word->name, word->help, indent);
    }
}

/* "-m, --model PATH", "    --[no-]verbose" */
static at_status format_left(const at_option *row, at_buf *out, at_error *err)
{
    at_buf_clear(out);
    if (row->letter != 0) {
        ATT_TRY(at_buf_printf(out, err, "-%c, ", row->letter));
    } else {
        ATT_TRY(at_buf_puts(out, "    ", err));
    }
    const bool negatable = row->type == ATT_OPT_BOOL && row->def != NULL && strcmp(row->def, "true") == 0;
    ATT_TRY(at_buf_printf(out, err, "--%s%s", negatable ? "[no-]" : "", row->name));
    if (row->type == ATT_OPT_BOOL) return ATT_OK;
    ATT_TRY(at_buf_puts(out, " ", err));
    return at_option_placeholder(row, out, err);
}

/* Appends "1 to 1024", "at least 1", or nothing where the range says nothing. */
at_status at_help_range(const at_option *row, at_buf *out, at_error *err)
{
    const bool number = row->type == ATT_OPT_INT || row->type == ATT_OPT_REAL;
    if (!number || (row->min == 0 && row->max == 0)) return ATT_OK;
    if (row->max < OPEN_END) return at_buf_printf(out, err, "%.9g to %.9g", row->min, row->max);
    return row->min != 0 ? at_buf_printf(out, err, "at least %.9g", row->min) : ATT_OK;
}

static bool is_listed(const char *const *names, const char *name)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(*names, name) == 0) return true;
    }
    return false;
}

/* Appends "default 4", "required" ..., or nothing. */
static at_status format_default(const at_option *row, const char *const *required, at_buf *out, at_error *err)
{
    const bool text = row->type == ATT_OPT_TEXT || row->type == ATT_OPT_PATH || row->type == ATT_OPT_PATHS;
    if (is_listed(required, row->name)) return at_buf_puts(out, "required", err);
    if (row->type == ATT_OPT_BOOL) return ATT_OK;
    if (row->def == NULL) return text ? ATT_OK : at_buf_puts(out, "required", err);
    return row->def[0] != '\0' ? at_buf_printf(out, err, "default %s", row->def) : ATT_OK;
}

/* Appends part to out behind a separator, when there is one. */
static at_status append_note(at_buf *out, const at_buf *part, int *count, at_error *err)
{
    if (part->len == 0) return ATT_OK;
    ATT_TRY(at_buf_puts(out, *count == 0 ? " [" : "; ", err));
    (*count)++;
    return at_buf_puts(out, part->data, err);
}

/* Appends what else the row says about its values. */
static at_status format_kind(const at_option *row, at_buf *out, at_error *err)
{
    if (row->type == ATT_OPT_PATHS) return at_buf_puts(out, "may be repeated", err);
    return at_option_has_many(row) ? at_option_choices(row, out, err) : at_help_range(row, out, err);
}

/* The help line with what the row says besides: "beam width [1 to 64; default 4]". */
static at_status format_right(const at_option *row, const char *const *required, at_buf *out, at_buf *part,
                              at_error *err)
{
    int notes = 0;
    at_buf_clear(out);
    ATT_TRY(at_buf_puts(out, row->help, err));
    at_buf_clear(part);
    ATT_TRY(format_kind(row, part, err));
    ATT_TRY(append_note(out, part, &notes, err));
    at_buf_clear(part);
    ATT_TRY(format_default(row, required, part, err));
    ATT_TRY(append_note(out, part, &notes, err));
    return notes > 0 ? at_buf_puts(out, "]", err) : ATT_OK;
}

at_status at_help_option(const at_option *row, const char *const *required, at_buf *left, at_buf *right, at_error *err)
{
    at_buf part = {0};
    at_status status = format_left(row, left, err);
    if (status == ATT_OK) status = format_right(row, required, right, &part, err);
    at_buf_free(&part);
    return status;
}

/* The column where explanations start: behind the longest left side that isn't too long. */
static at_status find_indent(const at_option *rows, at_buf *left, int *indent, at_error *err)
{
    for (const at_option *row = rows; row->name != NULL; row++) {
        ATT_TRY(format_left(row, left, err));
        const int end = MARGIN + (int)left->len + 2;
        if (end > *indent && (int)left->len <= WIDEST_LEFT) *indent = end;
    }
    return ATT_OK;
}

/* One column for all groups of a page. */
static at_status print_groups(at_output *output, const at_command *command, const at_arguments *args, at_buf buf[2],
                              at_error *err)
{
    static const at_option help_row = {.name = "help", .type = ATT_OPT_BOOL, .help = "this text", .letter = 'h'};
    int indent = 16;
    for (int i = 0; i < args->group_count; i++) ATT_TRY(find_indent(args->group[i].rows, &buf[0], &indent, err));
    if (args->group_count == 0) at_print(output, "\nOptions:\n");
    for (int i = 0; i < args->group_count; i++) {
        const at_option_group *group = &args->group[i];
        at_print(output, "\n%s%s:\n", group->title, group->in_recipe ? " (here or in the recipe)" : "");
        for (const at_option *row = group->rows; row->name != NULL; row++) {
            ATT_TRY(at_help_option(row, command->required, &buf[0], &buf[1], err));
            print_entry(output, buf[0].data, buf[1].data, indent);
        }
    }
    ATT_TRY(format_left(&help_row, &buf[0], err));
    print_entry(output, buf[0].data, help_row.help, indent);
    return ATT_OK;
}

static void print_examples(at_output *output, const char *lines)
{
    if (lines == NULL) return;
    at_print(output, "\nExamples:\n");
    while (*lines != '\0') {
        const size_t len = strcspn(lines, "\n");
        at_print(output, "%*s%.*s\n", MARGIN, "", (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}

at_status at_help_command(at_output *output, const at_command *command, const at_arguments *args, at_error *err)
{
    at_print(output, "Usage: ");
    at_help_usage(output, command);
    print_paragraphs(output, command->description);
    print_positionals(output, command->positionals);
    at_buf buf[2] = {{0}};
    const at_status status = print_groups(output, command, args, buf, err);
    for (int i = 0; i < 2; i++) at_buf_free(&buf[i]);
    ATT_TRY(status);
    print_examples(output, command->examples);
    return ATT_OK;
}
