/* at_plot_curves of attend/tools.h: reads the logs of runs (train/train_log.h), and has them drawn (plot/curves.h). */
#include <attend/tools.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "plot/curves.h"

/* What is drawn: a field of an event, in a panel. */
static const struct series_row {
    const char *event, *field;
    int panel;
} rows[] = {{"step", "loss", 0},
            {"validation", "loss", 0},
            {"validation", "perplexity", 1},
            {"validation", "bleu", 2},
            {"validation", "chrf", 3}};
enum { SERIES = sizeof rows / sizeof *rows, PANELS = 4, LEAST_COLUMNS = 40 };

static const struct panel_row {
    const char *title;
    bool logarithmic;
} panel_rows[PANELS] = {{"loss, nats a token", false},
                        {"perplexity of the validation text", true},
                        {"BLEU of the validation text", false},
                        {"chrF of the validation text", false}};

typedef struct series {
    double *x, *y;
    size_t count, room;
} series;

typedef struct plot {
    const at_plot_curves_args *args;
    at_arena arena;
    series *data;       /* (runs, SERIES) */
    const char **names; /* of the runs */
    at_curve *curves;   /* (PANELS, runs, SERIES) at most */
    at_curve_panel panel[PANELS];
    size_t panels;
} plot;

/* ---- reading ---- */

static at_status add_point(series *s, double x, double y, at_error *err)
{
    if (s->count == s->room) {
        const size_t room = s->room ? 2 * s->room : 256;
        double *more_x = realloc(s->x, room * sizeof *more_x);
        if (more_x != NULL) s->x = more_x;
        double *more_y = realloc(s->y, room * sizeof *more_y);
        if (more_y != NULL) s->y = more_y;
        if (more_x == NULL || more_y == NULL) return at_fail_memory(err, room * sizeof *more_x);
        s->room = room;
    }
    s->x[s->count] = x;
    s->y[s->count++] = y;
    return ATT_OK;
}

static at_status add_event(const plot *p, series *of_run, const json_t *event, at_error *err)
{
    const char *kind = json_string_value(json_object_get(event, "event"));
    const json_t *x = json_object_get(event, p->args->minutes ? "seconds" : "step");
    for (int i = 0; i < SERIES && kind && json_is_number(x); i++) {
        const json_t *y = json_object_get(event, rows[i].field);
        if (strcmp(kind, rows[i].event) != 0 || !json_is_number(y)) continue;
        const double at = json_number_value(x) / (p->args->minutes ? 60 : 1);
        ATT_TRY(add_point(&of_run[i], at, json_number_value(y), err));
    }
    return ATT_OK;
}

/* NULL: it is no JSON, or (problem's text is empty) there is no memory. Within a string Jansson takes lack of memory for a
 * fault of the text: a second try tells the two apart. */
static json_t *parse(const char *text, size_t len, json_error_t *problem)
{
    json_t *event = json_loadb(text, len, 0, problem);
    return event == NULL && problem->text[0] != '\0' ? json_loadb(text, len, 0, problem) : event;
}

/* A line that is no JSON may be the last one only: it is being written. */
static at_status read_lines(const plot *p, series *of_run, at_lines *lines, const char *path, at_error *err)
{
    const char *text;
    size_t len;
    bool got;
    for (int64_t number = 1, torn = 0;; number++) {
        ATT_TRY(at_lines_next(lines, &text, &len, &got, err));
        if (!got) return ATT_OK;
        if (torn)
            return at_fail(err, ATT_INPUT, "%s:%" PRId64 ": is no JSON object; name a run folder of attend train", path,
                           torn);
        json_error_t problem;
        json_t *event = parse(text, len, &problem);
        if (event == NULL && problem.text[0] == '\0') return at_fail_memory(err, len);
        if (!json_is_object(event)) torn = number;
        const at_status status = torn ? ATT_OK : add_event(p, of_run, event, err);
        json_decref(event);
        ATT_TRY(status);
    }
}

static at_status read_log(const plot *p, series *of_run, const char *path, at_error *err)
{
    at_lines *lines;
    ATT_TRY(at_lines_open(&lines, path, err));
    const at_status status = read_lines(p, of_run, lines, path, err);
    at_lines_close(lines);
    return status;
}

static at_status read_run(plot *p, int run, at_error *err)
{
    static const char log[] = "train.jsonl";
    const char *given = p->args->runs[run];
    const size_t room = strlen(given) + sizeof log + 1;
    char *path = at_arena_alloc(&p->arena, room), *name = at_arena_strdup(&p->arena, given);
    if (path == NULL || name == NULL) return at_fail_memory(err, room);
    if (at_path_is_dir(given))
        snprintf(path, room, "%s/%s", given, log);
    else
        snprintf(path, room, "%s", given);
    size_t len = strlen(name);
    if (len > sizeof log && strcmp(name + len - sizeof log + 1, log) == 0) len -= sizeof log - 1;
    while (len > 1 && name[len - 1] == '/') len--;
    name[len] = '\0';
    p->names[run] = name;
    return read_log(p, &p->data[run * SERIES], path, err);
}

/* ---- drawing ---- */

/* A panel with what there is of its series; none when there is nothing. */
static void make_panel(plot *p, int number)
{
    at_curve *curves = &p->curves[(size_t)number * (size_t)p->args->count * SERIES];
    size_t count = 0;
    for (int i = 0; i < SERIES; i++)
        for (int run = 0; run < p->args->count && rows[i].panel == number; run++) {
            const series *s = &p->data[run * SERIES + i];
            const bool points = strcmp(rows[i].event, "validation") == 0;
            if (s->count > 0) curves[count++] = (at_curve){run, points, s->x, s->y, s->count};
        }
    if (count > 0)
        p->panel[p->panels++] =
            (at_curve_panel){panel_rows[number].title, panel_rows[number].logarithmic, curves, count};
}

static at_status draw(const plot *p, const at_curve_chart *chart, at_buf *out, at_error *err)
{
    const at_plot_format format = p->args->format;
    if (format == ATT_PLOT_TEXT || format == ATT_PLOT_ASCII)
        return at_curves_text(out, chart, p->args->columns, format == ATT_PLOT_ASCII, p->args->colour, err);
    if (format == ATT_PLOT_SVG) return at_curves_svg(out, chart, err);
    ATT_TRY(at_buf_puts(out,
                        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                        "<title>Learning curves</title>\n<style>:root{color-scheme:light dark}"
                        "body{margin:24px auto;max-width:900px;background:#fff}"
                        "@media(prefers-color-scheme:dark){body{background:#11161d}}svg{max-width:100%;height:auto}</"
                        "style>\n</head>\n<body>\n",
                        err));
    ATT_TRY(at_curves_svg(out, chart, err));
    return at_buf_puts(out, "</body>\n</html>\n", err);
}

static at_status read_and_draw(plot *p, at_buf *out, at_error *err)
{
    const size_t runs = (size_t)p->args->count;
    p->data = at_arena_zalloc(&p->arena, runs * SERIES * sizeof *p->data);
    p->names = at_arena_zalloc(&p->arena, runs * sizeof *p->names);
    p->curves = at_arena_array(&p->arena, PANELS * runs * SERIES, sizeof *p->curves);
    if (p->data == NULL || p->names == NULL || p->curves == NULL) return at_fail_memory(err, runs * sizeof *p->data);
    for (int run = 0; run < p->args->count; run++) ATT_TRY(read_run(p, run, err));
    for (int i = 0; i < PANELS; i++) make_panel(p, i);
    if (p->panels == 0)
        return at_fail(err, ATT_INPUT, "%s: has nothing to draw yet; wait for its first log line", p->args->runs[0]);
    const at_curve_chart chart = {
        p->args->minutes ? "minutes" : "steps",
        p->names,
        runs,
        p->args->format == ATT_PLOT_SVG || p->args->format == ATT_PLOT_HTML
            ? "thin lines: training; circles: validation, without label smoothing in the perplexity"
            : "lines: training; letters: validation",
        p->panel,
        p->panels};
    return draw(p, &chart, out, err);
}

static void release(plot *p)
{
    for (int i = 0; p->data != NULL && i < p->args->count * SERIES; i++) {
        free(p->data[i].x);
        free(p->data[i].y);
    }
    at_arena_free(&p->arena);
}

at_status at_plot_curves(const at_plot_curves_args *args, char **text, at_error *err)
{
    at_buf out = {0};
    plot p = {.args = args};
    *text = NULL;
    if (args->count < 1) return at_fail(err, ATT_OPTION, "there is no run to draw; name one or more");
    if (args->format >= ATT_PLOT_TEXT && args->columns < LEAST_COLUMNS)
        return at_fail(err, ATT_OPTION, "%d columns are too few for a picture; give at least %d", args->columns,
                       LEAST_COLUMNS);
    at_arena_init(&p.arena, 0);
    const at_status status = read_and_draw(&p, &out, err);
    release(&p);
    if (status == ATT_OK)
        *text = out.data;
    else
        at_buf_free(&out);
    return status;
}
