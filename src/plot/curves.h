/* Learning curves: panels above one another that share their x axis, as SVG or as text for a terminal.
 *
 *   legend: one entry a run
 *   +-------------------------+
 *   | loss       ~~ lines: training, o-o points: validation
 *   +-------------------------+
 *   | BLEU                    |
 *   +-------------------------+
 *    0      1000     2000  steps
 *
 * A run has one colour in all panels. Points that are not finite are left out. */
#ifndef ATT_PLOT_CURVES_H
#define ATT_PLOT_CURVES_H

#include <stdbool.h>

#include "base/buf.h"

typedef struct at_curve {
    int run;     /* index of its run: its colour and letter */
    bool points; /* few values, shown one by one; else a plain line */
    const double *x, *y;
    size_t count; /* may be 0 */
} at_curve;

typedef struct at_curve_panel {
    const char *title; /* "loss, nats a token" */
    bool logarithmic;  /* y axis, for values above 0; 1, 2 and 5 times powers of ten are named */
    const at_curve *curves;
    size_t count;
} at_curve_panel;

typedef struct at_curve_chart {
    const char *x_title;     /* "steps" */
    const char *const *runs; /* their names */
    size_t run_count;
    const char *note; /* what lines and points are; stands behind the legend */
    const at_curve_panel *panels;
    size_t panel_count;
} at_curve_chart;

/* Range of an axis and its marks, at round numbers. */
enum { ATT_AXIS_MARKS = 16 };
typedef struct at_axis {
    double low, high; /* of what is drawn; logarithms where logarithmic */
    bool logarithmic;
    double mark[ATT_AXIS_MARKS]; /* values, in ascending order */
    int marks;
} at_axis;

/* Axis for values low .. high with about `wanted` marks. */
at_axis at_axis_make(double low, double high, bool logarithmic, int wanted);
/* 0 .. 1 along the axis. */
double at_axis_place(const at_axis *axis, double value);
/* Axes of a panel: its y, and the x of all panels. False when there is nothing to draw. */
bool at_curves_x_axis(const at_curve_chart *chart, int wanted, at_axis *axis);
bool at_curves_y_axis(const at_curve_panel *panel, int wanted, at_axis *axis);
/* Whether a point can be drawn. */
bool at_curve_has(const at_curve_panel *panel, const at_curve *curve, size_t i);

/* Appends a picture that needs nothing else and follows the reader's light or dark theme. */
at_status at_curves_svg(at_buf *svg, const at_curve_chart *chart, at_error *err);
/* Appends lines of at most `columns` (at least 40): lines in braille, or of dots where `ascii`; points as the letter of
 * their run; `colour`: ANSI colours. */
at_status at_curves_text(at_buf *text, const at_curve_chart *chart, int columns, bool ascii, bool colour,
                         at_error *err);

#endif
