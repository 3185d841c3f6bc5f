/* attend plot: learning curves of runs. */
#include <attend/tools.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/command.h"

typedef struct plot_state {
    char *output;
    int x;
    int64_t width;
    bool ascii;
} plot_state;

#define FIELD(name) offsetof(plot_state, name)

enum { STEPS, MINUTES };
static const char *const x_names[] = {"steps", "minutes", NULL};

static const at_option options[] = {
    {.name = "output",
     .type = ATT_OPT_PATH,
     .offset = FIELD(output),
     .help = "the picture to write, .svg or .html; without it, text for the terminal",
     .letter = 'o'},
    {.name = "x",
     .type = ATT_OPT_CHOICE,
     .offset = FIELD(x),
     .def = "steps",
     .choices = x_names,
     .help = "what runs along the x axis: updates, or the time of training"},
    {.name = "ascii",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(ascii),
     .def = "false",
     .help = "text of ASCII alone, for terminals without braille"},
    {.name = "width",
     .type = ATT_OPT_INT,
     .offset = FIELD(width),
     .def = "0",
     .max = 1000,
     .help = "columns of the text; 0: the terminal's, or 80"},
    {0},
};

static const at_positional positionals[] = {
    {"RUN", "run folders of attend train; they may be going on", ATT_ONE_OR_MORE},
    {0},
};

/* SVG or HTML by the name's end. */
static at_status choose_picture(const char *path, at_plot_format *format, at_error *err)
{
    *format = at_path_ends_with(path, ".html") ? ATT_PLOT_HTML : ATT_PLOT_SVG;
    if (*format == ATT_PLOT_HTML || at_path_ends_with(path, ".svg")) return ATT_OK;
    return at_fail(err, ATT_OPTION, "%s: is no name of a picture; end it in .svg or .html", path);
}

static int terminal_columns(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const plot_state *s = state;
    const bool terminal = isatty(fileno(cli->output.out)) && getenv("NO_COLOR") == NULL;
    at_plot_curves_args args = {.runs = cli->arguments.positional,
                                .count = cli->arguments.positional_count,
                                .minutes = s->x == MINUTES,
                                .format = s->ascii ? ATT_PLOT_ASCII : ATT_PLOT_TEXT,
                                .columns = s->width ? (int)s->width : terminal_columns(cli->output.out),
                                .colour = terminal};
    char *text;
    if (s->output != NULL) ATT_TRY(choose_picture(s->output, &args.format, err));
    ATT_TRY(at_plot_curves(&args, &text, err));
    at_status status = ATT_OK;
    if (s->output != NULL)
        status = at_file_write(s->output, text, strlen(text), err);
    else
        at_print(&cli->output, "%s", text);
    free(text);
    return status;
}

const at_command at_cmd_plot = {
    .name = "plot",
    .summary = "draw the learning curves of runs",
    .description =
        "Draws loss, perplexity and, where validation translated, BLEU and chrF of one or several runs: as a "
        "picture, or in the terminal.",
    .examples = "attend plot runs/first\n"
                "attend plot runs/first runs/second --x minutes -o curves.svg\n",
    .positionals = positionals,
    .options = options,
    .state_size = sizeof(plot_state),
    .run = run,
};
