/* Axes of curves.h. */
#include <math.h>

#include "plot/curves.h"

/* The smallest of 1, 2, 5 times a power of ten that is at least x. */
static double round_up(double x)
{
    const double power = pow(10, floor(log10(x)));
    const double times = x / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static void add_mark(at_axis *axis, double value)
{
    if (axis->marks < ATT_AXIS_MARKS) axis->mark[axis->marks++] = value;
}

/* The range is kept: it need not end at a mark. */
static void mark_linear(at_axis *axis, int wanted)
{
    const double step = round_up((axis->high - axis->low) / wanted);
    for (double n = ceil(axis->low / step); n * step <= axis->high; n++) add_mark(axis, n * step);
}

/* 1, 2 and 5 times powers of ten, and powers alone where those are too many. */
static void mark_logarithmic(at_axis *axis, int wanted)
{
    static const double times[] = {1, 2, 5};
    const bool all = (axis->high - axis->low) * 3 <= 2 * wanted;
    for (double power = floor(axis->low); power <= axis->high; power++)
        for (int i = 0; i < (all ? 3 : 1); i++) {
            const double value = pow(10, power) * times[i];
            if (log10(value) >= axis->low && log10(value) <= axis->high) add_mark(axis, value);
        }
}

at_axis at_axis_make(double low, double high, bool logarithmic, int wanted)
{
    at_axis axis = {logarithmic ? log10(low) : low, logarithmic ? log10(high) : high, logarithmic, {0}, 0};
    const double slack = axis.high > axis.low ? 0 : fmax(fabs(axis.low) * 0.1, 1e-6);
    axis.low -= slack;
    axis.high += slack;
    if (logarithmic)
        mark_logarithmic(&axis, wanted);
    else
        mark_linear(&axis, wanted);
    return axis;
}

double at_axis_place(const at_axis *axis, double value)
{
    return ((axis->logarithmic ? log10(value) : value) - axis->low) / (axis->high - axis->low);
}

bool at_curve_has(const at_curve_panel *panel, const at_curve *curve, size_t i)
{
    return isfinite(curve->x[i]) && isfinite(curve->y[i]) && (!panel->logarithmic || curve->y[i] > 0);
}

/* Widens low .. high by a panel's points. */
static void widen(const at_curve_panel *panel, bool of_x, double *low, double *high)
{
    for (size_t c = 0; c < panel->count; c++)
        for (size_t i = 0; i < panel->curves[c].count; i++) {
            const at_curve *curve = &panel->curves[c];
            if (!at_curve_has(panel, curve, i)) continue;
            *low = fmin(*low, of_x ? curve->x[i] : curve->y[i]);
            *high = fmax(*high, of_x ? curve->x[i] : curve->y[i]);
        }
}

/* Training starts at 0. */
bool at_curves_x_axis(const at_curve_chart *chart, int wanted, at_axis *axis)
{
    double low = 0, high = -INFINITY;
    for (size_t p = 0; p < chart->panel_count; p++) widen(&chart->panels[p], true, &low, &high);
    if (!isfinite(high)) return false;
    *axis = at_axis_make(low, high, false, wanted);
    return true;
}

bool at_curves_y_axis(const at_curve_panel *panel, int wanted, at_axis *axis)
{
    double low = INFINITY, high = -INFINITY;
    widen(panel, false, &low, &high);
    if (!isfinite(high)) return false;
    *axis = at_axis_make(low, high, panel->logarithmic, wanted);
    return true;
}
