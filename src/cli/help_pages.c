/* See help_pages.h. */
#include "cli/help_pages.h"

#include <attend/tools.h>
#include <attend/train.h>
#include <stdio.h>
#include <string.h>

#include "cli/help.h"

/* ---- the reference page ---- */

static void begin_reference(at_output *output, const at_command *const *commands)
{
    at_print(output, "# Commands\n\n```text\n");
    at_help_overview(output, commands, "");
    at_help_closing(output);
    at_print(output, "```\n");
}

static at_status show_reference(at_output *output, const at_command *command, const at_arguments *args, at_error *err)
{
    at_print(output, "\n## attend %s\n\n```text\n", command->name);
    ATT_TRY(at_help_command(output, command, args, err));
    at_print(output, "```\n");
    return ATT_OK;
}

static void end_nothing(at_output *output, const at_command *const *commands)
{
    (void)output;
    (void)commands;
}

/* ---- recipes ---- */

static void begin_recipes(at_output *output, const at_command *const *commands)
{
    (void)commands;
    at_print(
        output,
        "# Recipes\n\n"
        "A recipe is a YAML file that describes a run: `attend train RECIPE`. Each option below may stand in it, or "
        "on the command line as `--option value`, which overrides the recipe.\n\n"
        "```yaml\n"
        "preset: tiny\n"
        "source: [a.en, b.en.gz]            # paths are relative to the recipe's folder\n"
        "target: [a.de, b.de.gz]\n"
        "run: ${RUNS:-runs}/first           # ${NAME} and ${NAME:-default} are the environment's, $${ is ${\n"
        "model:                             # sections only group: options keep their own names\n"
        "  width: 256\n"
        "  tie_embeddings: yes              # '_' and '-' are equal in names\n"
        "```\n\n"
        "An option that stands nowhere has its default, or the value of the preset. Numbers may be written 4k or "
        "2M.\n\n"
        "This page is made from the program's own tables: `attend help --recipes > docs/recipes.md`.\n");
}

static const char *type_name(at_option_type type)
{
    static const char *const names[] = {
        [ATT_OPT_BOOL] = "yes or no", [ATT_OPT_INT] = "whole number", [ATT_OPT_REAL] = "number",
        [ATT_OPT_TEXT] = "text",      [ATT_OPT_PATH] = "path",        [ATT_OPT_PATHS] = "paths",
        [ATT_OPT_CHOICE] = "choice"};
    return names[type];
}

/* Text of a table's cell; a bar would end it. */
static void print_cell(at_output *output, const char *text)
{
    at_print(output, " ");
    for (; *text != '\0'; text++) at_print(output, *text == '|' ? "\\|" : "%c", *text);
    at_print(output, " |");
}

static at_status print_row(at_output *output, const at_option *row, at_buf *range, at_error *err)
{
    at_buf_clear(range);
    if (row->type == ATT_OPT_CHOICE)
        ATT_TRY(at_option_choices(row, range, err));
    else
        ATT_TRY(at_help_range(row, range, err));
    at_print(output, "| `%s` |", row->name);
    print_cell(output, type_name(row->type));
    print_cell(output, row->def ? row->def : "");
    print_cell(output, range->data ? range->data : "");
    print_cell(output, row->help);
    at_print(output, "\n");
    return ATT_OK;
}

static void print_presets(at_output *output)
{
    const char *preset, *name, *value;
    at_print(output, "\n## Presets\n\n");
    for (int i = 0; (preset = at_preset_name(i)) != NULL; i++) {
        at_print(output, "- `%s`:", preset);
        for (int k = 0; at_preset_setting(preset, k, &name, &value); k++)
            at_print(output, "%s `%s: %s`", k ? "," : "", name, value);
        at_print(output, "\n");
    }
}

static at_status show_recipes(at_output *output, const at_command *command, const at_arguments *args, at_error *err)
{
    (void)command;
    at_buf range = {0};
    at_status status = ATT_OK;
    for (int i = 0; i < args->group_count; i++) {
        const at_option_group *group = &args->group[i];
        if (!group->in_recipe) continue;
        at_print(output, "\n## %s\n\n| option | type | default | range | what it does |\n|---|---|---|---|---|\n",
                 group->title);
        for (const at_option *row = group->rows; row->name != NULL && status == ATT_OK; row++)
            status = print_row(output, row, &range, err);
    }
    at_buf_free(&range);
    print_presets(output);
    return status;
}

/* ---- man ---- */

/* Text of roff: a backslash, a hyphen that is meant as one, and a period or quote that begins a line. */
static void print_roff(at_output *output, const char *text)
{
    bool start = true;
    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\'')) at_print(output, "\\&");
        start = *text == '\n';
        if (*text == '\\')
            at_print(output, "\\e");
        else if (*text == '-')
            at_print(output, "\\-");
        else
            at_print(output, "%c", *text);
    }
}

static void begin_man(at_output *output, const at_command *const *commands)
{
    at_print(output, ".TH ATTEND 1 \"\" \"attend %s\"\n.SH NAME\nattend \\- train and run Transformers\n",
             at_version());
    at_print(output, ".SH SYNOPSIS\n.B attend\n.I COMMAND\n[options] [arguments]\n.br\n.B attend\n.I COMMAND\n.B "
                     "\\-\\-help\n.br\n.B attend \\-\\-version\n[\\fB\\-\\-verbose\\fR]\n");
    at_print(output, ".SH DESCRIPTION\nTrains and runs Transformers and their family. The commands are:\n");
    for (int i = 0; commands[i] != NULL; i++) {
        at_print(output, ".TP\n.B ");
        print_roff(output, commands[i]->name);
        at_print(output, "\n");
        print_roff(output, commands[i]->summary);
        at_print(output, "\n");
    }
    at_print(output, ".SH COMMANDS\n");
}

static void print_roff_paragraphs(at_output *output, const char *text)
{
    char paragraph[1600];
    for (const char *end = text; *text != '\0'; text = *end ? end + 2 : end) {
        end = strstr(text, "\n\n");
        if (end == NULL) end = text + strlen(text);
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)(end - text), text);
        at_print(output, ".PP\n");
        print_roff(output, paragraph);
        at_print(output, "\n");
    }
}

static void print_roff_entry(at_output *output, const char *left, const char *right)
{
    at_print(output, ".TP\n.B ");
    print_roff(output, left + strspn(left, " "));
    at_print(output, "\n");
    print_roff(output, right);
    at_print(output, "\n");
}

static at_status print_roff_options(at_output *output, const at_command *command, const at_arguments *args,
                                    at_buf buf[2], at_error *err)
{
    for (int i = 0; i < args->group_count; i++) {
        at_print(output, ".PP\n");
        print_roff(output, args->group[i].title);
        at_print(output, "%s:\n", args->group[i].in_recipe ? " (here or in the recipe)" : "");
        for (const at_option *row = args->group[i].rows; row->name != NULL; row++) {
            ATT_TRY(at_help_option(row, command->required, &buf[0], &buf[1], err));
            print_roff_entry(output, buf[0].data, buf[1].data);
        }
    }
    return ATT_OK;
}

static void print_roff_usage(at_output *output, const at_command *command)
{
    at_print(output, ".SS attend ");
    print_roff(output, command->name);
    at_print(output, "\n.B attend ");
    print_roff(output, command->name);
    at_print(output, "\n[options]");
    for (const at_positional *word = command->positionals; word != NULL && word->name != NULL; word++)
        at_print(output,
                 word->count == ATT_OPTIONAL ? " [%s]"
                 : word->count == ATT_ONE    ? " %s"
                                             : " %s ...",
                 word->name);
    at_print(output, "\n");
}

static at_status show_man(at_output *output, const at_command *command, const at_arguments *args, at_error *err)
{
    at_buf buf[2] = {{0}};
    print_roff_usage(output, command);
    print_roff_paragraphs(output, command->description);
    for (const at_positional *word = command->positionals; word != NULL && word->name != NULL; word++)
        print_roff_entry(output, word->name, word->help);
    const at_status status = print_roff_options(output, command, args, buf, err);
    for (int i = 0; i < 2; i++) at_buf_free(&buf[i]);
    if (status == ATT_OK && command->examples != NULL) {
        at_print(output, ".PP\nExamples:\n.PP\n.nf\n");
        print_roff(output, command->examples);
        at_print(output, ".fi\n");
    }
    return status;
}

static void end_man(at_output *output, const at_command *const *commands)
{
    (void)commands;
    at_print(output, ".SH EXIT STATUS AND ENVIRONMENT\n.nf\n");
    at_help_closing(output);
    at_print(output, ".fi\n");
}

/* ---- completion ---- */

/* Commands of several words are completed word by word: of those that begin with what is typed, the next word. */
static void begin_completion(at_output *output, const at_command *const *commands)
{
    at_print(output, "# bash completion for attend, made by `attend help --completion`\n_attend() {\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= values= name\n"
                     "    local typed=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
                     "    typed=${typed:+$typed }\n    COMPREPLY=()\n"
                     "    for name in");
    for (int i = 0; commands[i] != NULL; i++) at_print(output, " \"%s\"", commands[i]->name);
    at_print(output, " help; do\n"
                     "        if [[ \"$name \" == \"$typed\"* && \"$name \" != \"$typed\" ]]; then\n"
                     "            name=${name#\"$typed\"} name=${name%%%% *}\n"
                     "            [[ \"$words \" == *\" $name \"* ]] || words+=\" $name\"\n        fi\n    done\n"
                     "    case $typed in\n");
}

/* "a|b) values='...' ;;" of the options that take one of some words. */
static void print_values(at_output *output, const at_option *row)
{
    if (row->letter)
        at_print(output, "        --%s|-%c) values='", row->name, row->letter);
    else
        at_print(output, "        --%s) values='", row->name);
    for (int i = 0; row->choices[i] != NULL; i++) at_print(output, "%s%s", i ? " " : "", row->choices[i]);
    at_print(output, "' ;;\n");
}

/* A name may stand in several alternative groups. */
static bool stands_first(const at_arguments *args, const at_option *row)
{
    return at_arguments_find(args, row->name, NULL) == row;
}

static at_status show_completion(at_output *output, const at_command *command, const at_arguments *args, at_error *err)
{
    (void)err;
    at_print(output, "    \"%s \"*)\n        words='--help", command->name);
    for (int i = 0; i < args->group_count; i++)
        for (const at_option *row = args->group[i].rows; row->name != NULL; row++)
            if (stands_first(args, row)) at_print(output, " --%s", row->name);
    at_print(output, "'\n        case $prev in\n");
    for (int i = 0; i < args->group_count; i++)
        for (const at_option *row = args->group[i].rows; row->name != NULL; row++)
            if (row->type == ATT_OPT_CHOICE && stands_first(args, row)) print_values(output, row);
    at_print(output, "        esac\n        [[ $cur == -* || -n $values ]] || return ;;\n");
    return ATT_OK;
}

/* An empty reply leaves the word to bash, which completes paths. */
static void end_completion(at_output *output, const at_command *const *commands)
{
    (void)commands;
    at_print(output, "    esac\n    COMPREPLY=($(compgen -W \"${values:-$words}\" -- \"$cur\"))\n}\n"
                     "complete -o default -F _attend attend\n");
}

/* ---- the list ---- */

static const at_document documents[] = {
    {"--reference", NULL, begin_reference, show_reference, end_nothing},
    {"--recipes", "train", begin_recipes, show_recipes, end_nothing},
    {"--man", NULL, begin_man, show_man, end_man},
    {"--completion", NULL, begin_completion, show_completion, end_completion},
};

const at_document *at_document_find(const char *name)
{
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        if (strcmp(documents[i].name, name) == 0) return &documents[i];
    return NULL;
}
