/* Curves in a terminal. A cell is a braille pattern of 2 x 4 dots (U+2800 and on), or one dot of ASCII; letters of
 * points stand on top. A cell's colour is that of the last run drawn into it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "plot/curves.h"

enum { LEFT = 9, ROWS = 14, DOTS_X = 2, DOTS_Y = 4, COLOURS = 6 };

typedef struct cell {
    unsigned char dots; /* braille's bits; ASCII: not 0 */
    char letter;        /* or 0 */
    int run;            /* -1: empty */
} cell;

typedef struct canvas {
    cell *cells; /* (ROWS, columns) */
    int columns;
    bool ascii, colour;
    at_axis x, y;
} canvas;

static char letter_of(int run)
{
    return (char)('a' + run % 26);
}

/* Bits of U+2800: columns of three dots, and a fourth row that came later. */
static unsigned char bit_of(int x, int y)
{
    static const unsigned char bits[DOTS_Y][DOTS_X] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    return bits[y][x];
}

/* Dots across and down; one a cell in ASCII. */
static int dots_x(const canvas *c)
{
    return c->columns * (c->ascii ? 1 : DOTS_X);
}
static int dots_y(const canvas *c)
{
    return ROWS * (c->ascii ? 1 : DOTS_Y);
}

static void set_dot(canvas *c, int x, int y, int run)
{
    const int wide = c->ascii ? 1 : DOTS_X, high = c->ascii ? 1 : DOTS_Y;
    cell *at = &c->cells[y / high * c->columns + x / wide];
    at->dots |= c->ascii ? 1 : bit_of(x % wide, y % high);
    at->run = run;
}

static int column_of(const canvas *c, double x)
{
    return (int)(at_axis_place(&c->x, x) * (dots_x(c) - 1) + 0.5);
}
static int row_of(const canvas *c, double y)
{
    return (int)((1 - at_axis_place(&c->y, y)) * (dots_y(c) - 1) + 0.5);
}

/* A straight line of dots, as many as its longer side has. */
static void draw_line(canvas *c, int x0, int y0, int x1, int y1, int run)
{
    const int wide = abs(x1 - x0), high = abs(y1 - y0), steps = wide > high ? wide : high;
    for (int i = 0; i <= steps; i++) {
        const double share = steps ? (double)i / steps : 0;
        set_dot(c, (int)(x0 + share * (x1 - x0) + 0.5), (int)(y0 + share * (y1 - y0) + 0.5), run);
    }
}

static void put_letter(canvas *c, int x, int y, int run)
{
    cell *at = &c->cells[y / (c->ascii ? 1 : DOTS_Y) * c->columns + x / (c->ascii ? 1 : DOTS_X)];
    at->letter = letter_of(run);
    at->run = run;
}

static void draw_curve(canvas *c, const at_curve_panel *panel, const at_curve *curve)
{
    int x0 = -1, y0 = -1;
    for (size_t i = 0; i < curve->count; i++) {
        if (!at_curve_has(panel, curve, i)) continue;
        const int x = column_of(c, curve->x[i]), y = row_of(c, curve->y[i]);
        if (curve->points)
            put_letter(c, x, y, curve->run);
        else
            draw_line(c, x0 < 0 ? x : x0, x0 < 0 ? y : y0, x, y, curve->run);
        x0 = x;
        y0 = y;
    }
}

/* ---- printing ---- */

static at_status put_colour(at_buf *out, const canvas *c, int run, at_error *err)
{
    if (!c->colour) return ATT_OK;
    return run < 0 ? at_buf_puts(out, "\033[0m", err) : at_buf_printf(out, err, "\033[%dm", 31 + (run + 3) % COLOURS);
}

static at_status put_cell(at_buf *out, const canvas *c, const cell *at, at_error *err)
{
    char bytes[4];
    if (at->letter != 0) return at_buf_add(out, &at->letter, 1, err);
    if (at->dots == 0) return at_buf_puts(out, " ", err);
    if (c->ascii) return at_buf_puts(out, ".", err);
    return at_buf_add(out, bytes, at_utf8_put(bytes, 0x2800u + at->dots), err);
}

/* The cells of a row up to the last one that isn't empty. */
static at_status put_cells(at_buf *out, const canvas *c, int row, at_error *err)
{
    const cell *cells = &c->cells[row * c->columns];
    int end = c->columns, colour = -1;
    while (end > 0 && cells[end - 1].run < 0) end--;
    for (int i = 0; i < end; i++) {
        if (cells[i].run != colour) ATT_TRY(put_colour(out, c, cells[i].run, err));
        colour = cells[i].run;
        ATT_TRY(put_cell(out, c, &cells[i], err));
    }
    return colour >= 0 ? put_colour(out, c, -1, err) : ATT_OK;
}

/* The y mark that belongs to a row, or nothing. */
static void label_row(const canvas *c, int row, char text[32])
{
    text[0] = '\0';
    for (int i = 0; i < c->y.marks; i++)
        if (row_of(c, c->y.mark[i]) / (c->ascii ? 1 : DOTS_Y) == row) snprintf(text, 32, "%.5g", c->y.mark[i]);
}

static at_status put_rows(at_buf *out, const canvas *c, at_error *err)
{
    char label[32];
    for (int row = 0; row < ROWS; row++) {
        label_row(c, row, label);
        ATT_TRY(at_buf_printf(out, err, "%*s %s", LEFT - 2, label, c->ascii ? "|" : label[0] ? "┤" : "│"));
        ATT_TRY(put_cells(out, c, row, err));
        ATT_TRY(at_buf_puts(out, "\n", err));
    }
    return ATT_OK;
}

/* The x axis: a rule, and numbers under their places where they have room; the title ends the line. */
static at_status put_x_axis(at_buf *out, const canvas *c, const char *title, at_error *err)
{
    ATT_TRY(at_buf_printf(out, err, "%*s%s", LEFT - 1, "", c->ascii ? "+" : "└"));
    for (int i = 0; i < c->columns; i++) ATT_TRY(at_buf_puts(out, c->ascii ? "-" : "─", err));
    ATT_TRY(at_buf_puts(out, "\n", err));
    const int room = LEFT + c->columns - (int)strlen(title) - 1;
    int used = 0;
    for (int i = 0; i < c->x.marks; i++) {
        char text[32];
        const int length = snprintf(text, sizeof text, "%.6g", c->x.mark[i]);
        const int at = LEFT + column_of(c, c->x.mark[i]) / (c->ascii ? 1 : DOTS_X) - length / 2;
        if (at < used + (used > 0) || at + length > room) continue;
        ATT_TRY(at_buf_printf(out, err, "%*s%s", at - used, "", text));
        used = at + length;
    }
    return at_buf_printf(out, err, "%*s\n", LEFT + c->columns - used, title);
}

static at_status put_panel(at_buf *out, canvas *c, const at_curve_chart *chart, const at_curve_panel *panel,
                           at_error *err)
{
    if (!at_curves_y_axis(panel, 5, &c->y)) return ATT_OK;
    for (int i = 0; i < ROWS * c->columns; i++) c->cells[i] = (cell){0, 0, -1};
    for (size_t i = 0; i < panel->count; i++) draw_curve(c, panel, &panel->curves[i]);
    ATT_TRY(at_buf_printf(out, err, "%s\n", panel->title));
    ATT_TRY(put_rows(out, c, err));
    ATT_TRY(put_x_axis(out, c, chart->x_title, err));
    return at_buf_puts(out, "\n", err);
}

static at_status put_legend(at_buf *out, const canvas *c, const at_curve_chart *chart, at_error *err)
{
    for (int i = 0; i < (int)chart->run_count; i++) {
        ATT_TRY(put_colour(out, c, i, err));
        ATT_TRY(at_buf_printf(out, err, "%c", letter_of(i)));
        ATT_TRY(put_colour(out, c, -1, err));
        ATT_TRY(at_buf_printf(out, err, "  %s\n", chart->runs[i]));
    }
    return at_buf_printf(out, err, "%s\n", chart->note);
}

at_status at_curves_text(at_buf *text, const at_curve_chart *chart, int columns, bool ascii, bool colour, at_error *err)
{
    canvas c = {.columns = columns - LEFT, .ascii = ascii, .colour = colour};
    if (!at_curves_x_axis(chart, c.columns / 12, &c.x)) return at_fail(err, ATT_INPUT, "there is nothing to draw");
    const size_t bytes = (size_t)(ROWS * c.columns) * sizeof *c.cells;
    c.cells = malloc(bytes);
    if (c.cells == NULL) return at_fail_memory(err, bytes);
    at_status status = ATT_OK;
    for (size_t i = 0; i < chart->panel_count && status == ATT_OK; i++)
        status = put_panel(text, &c, chart, &chart->panels[i], err);
    if (status == ATT_OK) status = put_legend(text, &c, chart, err);
    free(c.cells);
    return status;
}
