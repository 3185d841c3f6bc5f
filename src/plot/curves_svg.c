/* SVG of curves.h. Colours are Okabe and Ito's (2008), which colour-blind readers tell apart, a shade darker on white
 * and lighter on black; from the ninth run on lines are dashed. */
#include <stdio.h>

#include "plot/curves.h"
#include "plot/markup.h"

enum { WIDTH = 860, LEFT = 64, RIGHT = 24, TOP = 20, PANEL = 250, GAP = 52, LEGEND_LINE = 22, COLOURS = 8 };

/* Without CSS variables, which viewers other than browsers don't know. */
static const char style[] =
    "<style>\n"
    "text{fill:#1b2330;font:13px system-ui,\"Segoe UI\",Roboto,\"Noto Sans\",\"Noto Sans CJK SC\",sans-serif}\n"
    ".mark{fill:#566273;font-size:12px}.title{font-weight:600}\n"
    "path{fill:none;stroke-linejoin:round}.grid{stroke:#d3dae4}.page,circle{fill:#fff}\n"
    ".line{stroke-width:1.3;stroke-opacity:.75}.points{stroke-width:2}\n"
    ".again{stroke-dasharray:6 4}circle{stroke-width:1.5}\n"
    ".r0{stroke:#0072b2}.r1{stroke:#c04f00}.r2{stroke:#00805c}.r3{stroke:#a8508c}\n"
    ".r4{stroke:#8a6d00}.r5{stroke:#2f8fc4}.r6{stroke:#7a3db8}.r7{stroke:#555555}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e4e9f0}.mark{fill:#9dabbd}.grid{stroke:#344050}\n"
    ".page,circle{fill:#11161d}\n"
    ".r0{stroke:#5ab4f0}.r1{stroke:#ff9a52}.r2{stroke:#3fcf9f}.r3{stroke:#e59ccb}\n"
    ".r4{stroke:#f0e442}.r5{stroke:#a5d8f7}.r6{stroke:#c39bf0}.r7{stroke:#c8c8c8}}\n"
    "</style>\n";

typedef struct drawing {
    at_buf *out;
    const at_curve_chart *chart;
    at_axis x, y;
    int top; /* of the panel */
} drawing;

static double place_x(const drawing *d, double value)
{
    return LEFT + at_axis_place(&d->x, value) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const drawing *d, double value)
{
    return d->top + (1 - at_axis_place(&d->y, value)) * PANEL;
}

/* " class="kind r3"" of a run. */
static at_status put_class(const drawing *d, const char *kind, int run, at_error *err)
{
    return at_buf_printf(d->out, err, " class=\"%s r%d%s\"", kind, run % COLOURS, run >= COLOURS ? " again" : "");
}

static at_status put_text(const drawing *d, double x, double y, const char *attributes, const char *text, at_error *err)
{
    ATT_TRY(at_buf_printf(d->out, err, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes));
    ATT_TRY(at_markup_html(d->out, text, err));
    return at_buf_puts(d->out, "</text>\n", err);
}

/* A column of entries, so that names of any length have room. */
static at_status put_legend(const drawing *d, at_error *err)
{
    for (size_t i = 0; i < d->chart->run_count; i++) {
        const double y = TOP + ((double)i + 0.5) * LEGEND_LINE;
        ATT_TRY(at_buf_puts(d->out, "<path", err));
        ATT_TRY(put_class(d, "points", (int)i, err));
        ATT_TRY(at_buf_printf(d->out, err, " d=\"M%d %.1fh28\"/>\n", LEFT, y));
        ATT_TRY(put_text(d, LEFT + 38, y + 4, "", d->chart->runs[i], err));
    }
    const double y = TOP + ((double)d->chart->run_count + 0.5) * LEGEND_LINE;
    return put_text(d, LEFT, y + 4, " class=\"mark\"", d->chart->note, err);
}

static at_status put_marks(const drawing *d, bool titled, at_error *err)
{
    char text[32];
    for (int i = 0; i < d->y.marks; i++) {
        const double y = place_y(d, d->y.mark[i]);
        snprintf(text, sizeof text, "%.6g", d->y.mark[i]);
        ATT_TRY(at_buf_printf(d->out, err, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", LEFT, y, WIDTH - RIGHT));
        ATT_TRY(put_text(d, LEFT - 8, y + 4, " class=\"mark\" text-anchor=\"end\"", text, err));
    }
    for (int i = 0; i < d->x.marks; i++) {
        const double x = place_x(d, d->x.mark[i]);
        snprintf(text, sizeof text, "%.6g", d->x.mark[i]);
        ATT_TRY(at_buf_printf(d->out, err, "<path class=\"grid\" d=\"M%.1f %dv%d\"/>\n", x, d->top, PANEL));
        ATT_TRY(put_text(d, x, d->top + PANEL + 18, " class=\"mark\" text-anchor=\"middle\"", text, err));
    }
    if (!titled) return ATT_OK;
    return put_text(d, WIDTH - RIGHT, d->top + PANEL + 36, " class=\"mark\" text-anchor=\"end\"", d->chart->x_title,
                    err);
}

static at_status put_line(const drawing *d, const at_curve_panel *panel, const at_curve *curve, at_error *err)
{
    bool drawn = false;
    ATT_TRY(at_buf_puts(d->out, "<path", err));
    ATT_TRY(put_class(d, curve->points ? "points" : "line", curve->run, err));
    ATT_TRY(at_buf_puts(d->out, " d=\"", err));
    for (size_t i = 0; i < curve->count; i++) {
        if (!at_curve_has(panel, curve, i)) continue;
        ATT_TRY(at_buf_printf(d->out, err, "%c%.1f %.1f", drawn ? 'L' : 'M', place_x(d, curve->x[i]),
                              place_y(d, curve->y[i])));
        drawn = true;
    }
    return at_buf_puts(d->out, "\"/>\n", err);
}

/* A browser shows the title of a point under the pointer. */
static at_status put_points(const drawing *d, const at_curve_panel *panel, const at_curve *curve, at_error *err)
{
    for (size_t i = 0; i < curve->count; i++) {
        if (!at_curve_has(panel, curve, i)) continue;
        ATT_TRY(at_buf_puts(d->out, "<circle", err));
        ATT_TRY(put_class(d, "point", curve->run, err));
        ATT_TRY(at_buf_printf(d->out, err, " cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>", place_x(d, curve->x[i]),
                              place_y(d, curve->y[i])));
        ATT_TRY(at_markup_html(d->out, d->chart->runs[curve->run], err));
        ATT_TRY(at_buf_printf(d->out, err, ", %s %.6g: %.5g</title></circle>\n", d->chart->x_title, curve->x[i],
                              curve->y[i]));
    }
    return ATT_OK;
}

static at_status put_panel(drawing *d, const at_curve_panel *panel, bool last, at_error *err)
{
    if (!at_curves_y_axis(panel, 6, &d->y)) return ATT_OK;
    ATT_TRY(put_text(d, LEFT, d->top - 10, " class=\"title\"", panel->title, err));
    ATT_TRY(put_marks(d, last, err));
    for (size_t i = 0; i < panel->count; i++) ATT_TRY(put_line(d, panel, &panel->curves[i], err));
    for (size_t i = 0; i < panel->count; i++)
        if (panel->curves[i].points) ATT_TRY(put_points(d, panel, &panel->curves[i], err));
    return ATT_OK;
}

at_status at_curves_svg(at_buf *svg, const at_curve_chart *chart, at_error *err)
{
    drawing d = {.out = svg, .chart = chart};
    if (!at_curves_x_axis(chart, 8, &d.x)) return at_fail(err, ATT_INPUT, "there is nothing to draw");
    const int first = TOP + ((int)chart->run_count + 1) * LEGEND_LINE + GAP / 2 + 10;
    const int height = first + (int)chart->panel_count * (PANEL + GAP);
    ATT_TRY(
        at_buf_printf(svg, err,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
                      "<title>Learning curves</title>\n%s",
                      WIDTH, height, WIDTH, height, style));
    ATT_TRY(at_buf_puts(svg, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n", err));
    ATT_TRY(put_legend(&d, err));
    for (size_t i = 0; i < chart->panel_count; i++) {
        d.top = first + (int)i * (PANEL + GAP);
        ATT_TRY(put_panel(&d, &chart->panels[i], i + 1 == chart->panel_count, err));
    }
    return at_buf_puts(svg, "</svg>\n", err);
}
