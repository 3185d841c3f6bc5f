/* See attention_page.h. The static drawing is the only one: the script changes the opacity and the number of cells that
 * are already there, and reads both from the same rounded weights, so that page, script and JSON can't differ. */
#include "plot/attention_page.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "plot/attention_style.h"
#include "plot/markup.h"

/* ---- weights ---- */

enum { ONE = 10000, TENTH = ONE / 10 }; /* weights are written in ten-thousandths */

static int units_of(double weight)
{
    return weight >= 1 ? ONE : weight > 0 ? (int)lround(weight * ONE) : 0;
}

/* "0.25", "1", "0": at most four digits behind the point. Room for 8 bytes. */
static void format_units(int units, char text[8])
{
    size_t len = 6;
    text[0] = (char)('0' + units / ONE);
    text[1] = '.';
    for (int i = 5, rest = units % ONE; i > 1; i--, rest /= 10) text[i] = (char)('0' + rest % 10);
    while (text[len - 1] == '0') len--;
    if (text[len - 1] == '.') len--;
    text[len] = '\0';
}

static const float *matrix_of(const at_page_map *map, int64_t layer, int64_t head)
{
    return map->weights[layer] + head * map->row_count * map->column_count;
}

double at_page_map_weight(const at_page_map *map, int64_t layer, int64_t head, int64_t cell)
{
    double sum = 0;
    if (head >= 0) return (double)matrix_of(map, layer, head)[cell];
    for (int64_t h = 0; h < map->heads; h++) sum += (double)matrix_of(map, layer, h)[cell];
    return sum / (double)map->heads;
}

static int units_at(const at_page_map *map, int64_t layer, int64_t head, int64_t cell)
{
    return units_of(at_page_map_weight(map, layer, head, cell));
}

/* The upper end of the mean's colour scale in the last layer: its largest weight, rounded up to tenths. */
static int top_of(const at_page_map *map)
{
    int largest = 1;
    for (int64_t i = 0; i < map->row_count * map->column_count; i++) {
        const int units = units_at(map, map->layers - 1, -1, i);
        if (units > largest) largest = units;
    }
    return (largest + TENTH - 1) / TENTH * TENTH;
}

/* ---- JSON ---- */

static at_status put_strings(at_buf *out, const char *key, const char *const *strings, int64_t count, at_error *err)
{
    ATT_TRY(at_buf_printf(out, err, ",\n\"%s\":[", key));
    for (int64_t i = 0; i < count; i++) {
        if (i > 0) ATT_TRY(at_buf_puts(out, ",", err));
        ATT_TRY(at_markup_json(out, strings[i], err));
    }
    return at_buf_puts(out, "]", err);
}

/* [[row], [row] ..] */
static at_status put_matrix(at_buf *out, const at_page_map *map, int64_t layer, int64_t head, at_error *err)
{
    char text[8];
    for (int64_t row = 0; row < map->row_count; row++) {
        ATT_TRY(at_buf_puts(out, row > 0 ? ",\n[" : "[[", err));
        for (int64_t column = 0; column < map->column_count; column++) {
            format_units(units_at(map, layer, head, row * map->column_count + column), text);
            if (column > 0) ATT_TRY(at_buf_puts(out, ",", err));
            ATT_TRY(at_buf_puts(out, text, err));
        }
        ATT_TRY(at_buf_puts(out, "]", err));
    }
    return at_buf_puts(out, "]", err);
}

static at_status put_heads(at_buf *out, const at_page_map *map, int64_t layer, at_error *err)
{
    ATT_TRY(at_buf_puts(out, "[", err));
    for (int64_t head = 0; head < map->heads; head++) {
        if (head > 0) ATT_TRY(at_buf_puts(out, ",\n", err));
        ATT_TRY(put_matrix(out, map, layer, head, err));
    }
    return at_buf_puts(out, "]", err);
}

static at_status put_layers(at_buf *out, const at_page_map *map, const char *key, bool mean, at_error *err)
{
    ATT_TRY(at_buf_printf(out, err, ",\n\"%s\":[", key));
    for (int64_t layer = 0; layer < map->layers; layer++) {
        if (layer > 0) ATT_TRY(at_buf_puts(out, ",\n", err));
        ATT_TRY(mean ? put_matrix(out, map, layer, -1, err) : put_heads(out, map, layer, err));
    }
    return at_buf_puts(out, "]", err);
}

static at_status put_map_json(at_buf *out, const at_page_map *map, at_error *err)
{
    ATT_TRY(at_buf_printf(out, err, "{\"id\":\"%s\",\"title\":", map->id));
    ATT_TRY(at_markup_json(out, map->title, err));
    ATT_TRY(at_buf_printf(out, err, ",\"layers\":%d,\"heads\":%d", (int)map->layers, (int)map->heads));
    ATT_TRY(put_strings(out, "rows", map->rows, map->row_count, err));
    ATT_TRY(put_strings(out, "columns", map->columns, map->column_count, err));
    ATT_TRY(put_layers(out, map, "mean", true, err));
    ATT_TRY(put_layers(out, map, "weights", false, err));
    return at_buf_puts(out, "}", err);
}

static at_status put_island(at_buf *out, const at_attention_page *page, at_error *err)
{
    ATT_TRY(at_buf_puts(out, "<script type=\"application/json\" id=\"weights\">\n{\"maps\":[", err));
    for (size_t i = 0; i < page->map_count; i++) {
        if (i > 0) ATT_TRY(at_buf_puts(out, ",\n", err));
        ATT_TRY(put_map_json(out, &page->maps[i], err));
    }
    return at_buf_puts(out, "]}\n</script>\n", err);
}

/* ---- labels ---- */

static const double font = 13;    /* pixels */
static const double longest = 12; /* em of a label; the rest is cut */

/* Generous widths in em of a sans-serif face, so that labels fit where room was made for them. */
static double em_of(uint32_t code)
{
    if (code >= 0x1100) return 1.1;               /* East Asian and pictures */
    if (code >= 0x300 && code <= 0x36F) return 0; /* combining accents */
    if (code < 0x80 && strchr("mwMW@%", (int)code) != NULL) return 1;
    if (code < 0x80 && strchr("ijltfr.,:;'|!()[] ", (int)code) != NULL) return 0.4;
    return code >= 'A' && code <= 'Z' ? 0.75 : 0.62;
}

/* Bytes of a label that are shown, and their width in em. */
static size_t measure(const char *text, double *em)
{
    size_t at = 0;
    *em = 0;
    while (text[at] != '\0') {
        uint32_t code;
        const size_t len = at_markup_next(text + at, &code);
        const double wide = em_of(code);
        if (*em + wide > longest) {
            *em += 1;
            return at;
        }
        *em += wide;
        at += len;
    }
    return at;
}

/* A label's text, cut to what has room; the whole then shows when pointed at. */
static at_status put_label(at_buf *out, const char *text, at_error *err)
{
    double em;
    const char *end = text + measure(text, &em);
    for (const char *at = text; at < end;) {
        uint32_t code;
        const size_t len = at_markup_next(at, &code);
        const bool space = code == 0x2581; /* SentencePiece's mark, drawn softly */
        if (space) ATT_TRY(at_buf_puts(out, "<tspan>", err));
        ATT_TRY(at_markup_html_char(out, at, len, code, err));
        if (space) ATT_TRY(at_buf_puts(out, "</tspan>", err));
        at += len;
    }
    if (*end == '\0') return ATT_OK;
    ATT_TRY(at_buf_puts(out, "\xE2\x80\xA6<title>", err));
    ATT_TRY(at_markup_html(out, text, err));
    return at_buf_puts(out, "</title>", err);
}

/* ---- drawing ---- */

typedef struct layout { /* pixels */
    int64_t cell, left, top, right, width, height;
} layout;

enum { MAP_SIDE = 560, CELL_LEAST = 24, CELL_MOST = 44, GAP = 8, AXIS = 96, SCALE_WIDTH = 160, SCALE_HEIGHT = 60 };

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Room for row labels on the left; for column labels, which lean by 45 degrees, above and on the right. */
static layout lay_out(const at_page_map *map)
{
    const double lean = font * sqrt(0.5);
    const int64_t longer = map->row_count > map->column_count ? map->row_count : map->column_count;
    layout l = {
        .cell = clamp(MAP_SIDE / longer, CELL_LEAST, CELL_MOST), .left = AXIS, .top = 4 * GAP, .right = 2 * GAP};
    double em;
    for (int64_t i = 0; i < map->row_count; i++) {
        (void)measure(map->rows[i], &em);
        l.left = clamp((int64_t)(em * font) + 2 * GAP, l.left, INT32_MAX);
    }
    for (int64_t i = 0; i < map->column_count; i++) {
        (void)measure(map->columns[i], &em);
        l.top = clamp((int64_t)(em * lean) + 3 * GAP, l.top, INT32_MAX);
        l.right =
            clamp((int64_t)(em * lean) + 2 * GAP - (2 * (map->column_count - i) - 1) * l.cell / 2, l.right, INT32_MAX);
    }
    l.width = clamp(l.left + map->column_count * l.cell + l.right, l.left + 2 * SCALE_WIDTH, INT32_MAX);
    l.height = l.top + map->row_count * l.cell + SCALE_HEIGHT;
    return l;
}

static at_status put_rows(at_buf *out, const at_page_map *map, const layout *l, at_error *err)
{
    ATT_TRY(at_buf_puts(out, "<g class=\"rows\" text-anchor=\"end\">\n", err));
    for (int64_t i = 0; i < map->row_count; i++) {
        ATT_TRY(at_buf_printf(out, err, "<text x=\"%d\" y=\"%d\" dy=\".35em\">", (int)(l->left - GAP),
                              (int)(l->top + i * l->cell + l->cell / 2)));
        ATT_TRY(put_label(out, map->rows[i], err));
        ATT_TRY(at_buf_puts(out, "</text>\n", err));
    }
    return at_buf_puts(out, "</g>\n", err);
}

static at_status put_columns(at_buf *out, const at_page_map *map, const layout *l, at_error *err)
{
    ATT_TRY(at_buf_puts(out, "<g class=\"columns\">\n", err));
    for (int64_t i = 0; i < map->column_count; i++) {
        ATT_TRY(at_buf_printf(out, err, "<text transform=\"translate(%d %d) rotate(-45)\" dy=\".3em\">",
                              (int)(l->left + i * l->cell + l->cell / 2), (int)(l->top - GAP)));
        ATT_TRY(put_label(out, map->columns[i], err));
        ATT_TRY(at_buf_puts(out, "</text>\n", err));
    }
    return at_buf_puts(out, "</g>\n", err);
}

/* What the axes are, in the corner that the leaning labels leave free. */
static at_status put_axes(at_buf *out, const at_page_map *map, const layout *l, at_error *err)
{
    const int x = (int)(l->left - GAP), y = (int)(l->top - GAP);
    ATT_TRY(at_buf_printf(out, err, "<g class=\"axis\" text-anchor=\"end\"><text class=\"axis\" x=\"%d\" y=\"%d\">", x,
                          y - 16));
    ATT_TRY(at_markup_html(out, map->column_axis, err));
    ATT_TRY(at_buf_printf(out, err, " \xE2\x86\x92</text><text class=\"axis\" x=\"%d\" y=\"%d\">", x, y));
    ATT_TRY(at_markup_html(out, map->row_axis, err));
    return at_buf_puts(out, " \xE2\x86\x93</text></g>\n", err);
}

static at_status put_cell(at_buf *out, const at_page_map *map, const layout *l, int64_t cell, int top, at_error *err)
{
    const int64_t row = cell / map->column_count, column = cell % map->column_count;
    const int units = units_at(map, map->layers - 1, -1, cell), thousandths = (units + 5) / 10;
    ATT_TRY(at_buf_printf(out, err, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill-opacity=\"%.4f\"><title>",
                          (int)(l->left + column * l->cell), (int)(l->top + row * l->cell), (int)l->cell, (int)l->cell,
                          (double)units / top));
    ATT_TRY(at_markup_html(out, map->columns[column], err));
    ATT_TRY(at_buf_puts(out, " \xE2\x86\x92 ", err));
    ATT_TRY(at_markup_html(out, map->rows[row], err));
    return at_buf_printf(out, err, ": %d.%03d</title></rect>\n", thousandths / 1000, thousandths % 1000);
}

static at_status put_cells(at_buf *out, const at_page_map *map, const layout *l, at_error *err)
{
    const int top = top_of(map);
    ATT_TRY(at_buf_printf(out, err, "<rect class=\"plate\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                          (int)l->left, (int)l->top, (int)(map->column_count * l->cell),
                          (int)(map->row_count * l->cell)));
    ATT_TRY(at_buf_puts(out, "<g class=\"cells\">\n", err));
    for (int64_t i = 0; i < map->row_count * map->column_count; i++) ATT_TRY(put_cell(out, map, l, i, top, err));
    return at_buf_puts(out, "</g>\n", err);
}

/* The colour scale below the map. */
static at_status put_scale(at_buf *out, const at_page_map *map, const layout *l, at_error *err)
{
    const int x = (int)l->left, y = (int)(l->height - SCALE_HEIGHT) + 2 * GAP, top = top_of(map);
    ATT_TRY(at_buf_printf(out, err,
                          "<linearGradient id=\"scale-%s\"><stop offset=\"0\" stop-opacity=\"0\"/>"
                          "<stop offset=\"1\"/></linearGradient>\n",
                          map->id));
    ATT_TRY(at_buf_printf(out, err,
                          "<g class=\"scale\"><rect class=\"plate\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"10\"/>"
                          "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"10\" fill=\"url(#scale-%s)\"/>\n",
                          x, y, SCALE_WIDTH, x, y, SCALE_WIDTH, map->id));
    ATT_TRY(at_buf_printf(out, err,
                          "<text x=\"%d\" y=\"%d\">0</text><text class=\"middle\" x=\"%d\" y=\"%d\" "
                          "text-anchor=\"middle\">%.2f</text>",
                          x, y + 25, x + SCALE_WIDTH / 2, y + 25, (double)top / (2 * ONE)));
    return at_buf_printf(out, err,
                         "<text class=\"top\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%.1f</text>"
                         "<text x=\"%d\" y=\"%d\">attention weight</text></g>\n",
                         x + SCALE_WIDTH, y + 25, (double)top / ONE, x + SCALE_WIDTH + 12, y + 10);
}

static at_status put_svg(at_buf *out, const at_page_map *map, at_error *err)
{
    const layout l = lay_out(map);
    ATT_TRY(at_buf_printf(out, err,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                          "role=\"img\" aria-labelledby=\"title-%s\">\n",
                          (int)l.width, (int)l.height, (int)l.width, (int)l.height, map->id));
    ATT_TRY(put_axes(out, map, &l, err));
    ATT_TRY(put_columns(out, map, &l, err));
    ATT_TRY(put_rows(out, map, &l, err));
    ATT_TRY(put_cells(out, map, &l, err));
    ATT_TRY(put_scale(out, map, &l, err));
    return at_buf_puts(out, "</svg>\n", err);
}

/* ---- page ---- */

static at_status put_section(at_buf *out, const at_page_map *map, at_error *err)
{
    ATT_TRY(at_buf_printf(out, err, "<section id=\"%s\">\n<h2 id=\"title-%s\">", map->id, map->id));
    ATT_TRY(at_markup_html(out, map->title, err));
    ATT_TRY(at_buf_puts(out, "</h2>\n<p>", err));
    ATT_TRY(at_markup_html(out, map->about, err));
    ATT_TRY(at_buf_printf(
        out, err,
        "</p>\n<div class=\"views\">\n<figure>\n<figcaption class=\"what\">Layer %d of %d, mean over "
        "heads</figcaption>\n"
        "<output class=\"readout script\">Point at a cell to read its weight.</output>\n<div class=\"wide\">\n",
        (int)map->layers, (int)map->layers));
    ATT_TRY(put_svg(out, map, err));
    return at_buf_puts(out, "</div>\n</figure>\n<div class=\"overview script\"></div>\n</div>\n</section>\n", err);
}

static at_status put_facts(at_buf *out, const at_page_fact *facts, size_t count, at_error *err)
{
    ATT_TRY(at_buf_puts(out, "<dl>\n", err));
    for (size_t i = 0; i < count; i++) {
        ATT_TRY(at_buf_puts(out, "<dt>", err));
        ATT_TRY(at_markup_html(out, facts[i].name, err));
        ATT_TRY(at_buf_puts(out, "</dt><dd dir=\"auto\">", err));
        ATT_TRY(at_markup_html(out, facts[i].text, err));
        ATT_TRY(at_buf_puts(out, "</dd>\n", err));
    }
    return at_buf_puts(out, "</dl>\n", err);
}

static at_status put_header(at_buf *out, const at_attention_page *page, at_error *err)
{
    ATT_TRY(at_buf_puts(out, head_start, err));
    ATT_TRY(at_buf_puts(out, "<title>Attention: ", err));
    ATT_TRY(at_markup_html(out, page->subject, err));
    ATT_TRY(at_buf_puts(out, "</title>\n", err));
    ATT_TRY(at_buf_puts(out, style, err));
    ATT_TRY(at_buf_puts(out, "</head>\n<body>\n<header>\n<h1>Attention</h1>\n", err));
    ATT_TRY(put_facts(out, page->facts, page->fact_count, err));
    if (page->detail_count > 0) {
        ATT_TRY(at_buf_puts(out, "<details>\n<summary>All options of the model</summary>\n", err));
        ATT_TRY(put_facts(out, page->details, page->detail_count, err));
        ATT_TRY(at_buf_puts(out, "</details>\n", err));
    }
    return at_buf_puts(out, "</header>\n", err);
}

static at_status put_choice(at_buf *out, const at_attention_page *page, at_error *err)
{
    ATT_TRY(at_buf_puts(out, "<nav>\n", err));
    for (size_t i = 0; i < page->map_count; i++) {
        ATT_TRY(at_buf_printf(out, err, "<a href=\"#%s\">", page->maps[i].id));
        ATT_TRY(at_markup_html(out, page->maps[i].title, err));
        ATT_TRY(at_buf_puts(out, "</a>\n", err));
    }
    return at_buf_puts(out,
                       "<label class=\"script\"><input type=\"checkbox\" id=\"one-scale\"/> one colour scale, 0 to 1, "
                       "for all maps</label>\n</nav>\n",
                       err);
}

at_status at_attention_page_write(at_buf *html, const at_attention_page *page, at_error *err)
{
    ATT_TRY(put_header(html, page, err));
    ATT_TRY(put_choice(html, page, err));
    ATT_TRY(at_buf_puts(html, "<main>\n", err));
    for (size_t i = 0; i < page->map_count; i++) ATT_TRY(put_section(html, &page->maps[i], err));
    ATT_TRY(at_buf_puts(html, "</main>\n", err));
    ATT_TRY(put_island(html, page, err));
    ATT_TRY(at_buf_puts(html, script, err));
    return at_buf_puts(html, script_end, err);
}
