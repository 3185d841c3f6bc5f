/* See attention_page.h: all layers and heads of the maps at a glance, as one SVG without script.
 *
 *                   mean    1     2    ..        a column a head
 *   layer 1          ▒      ▒     ▒              rows and columns of a small map: tokens, as in the page
 *   layer 2          ▒      ▒     ▒
 *
 * Opacity is the weight itself, 0 to 1, so pictures of several models can be compared. Cells of one opacity are one path. */
#include <math.h>
#include <stdbool.h>

#include "plot/attention_page.h"
#include "plot/markup.h"

static const char style[] =
    "<style>\n"
    "text{fill:#1b2330;font:13px system-ui,\"Segoe UI\",Roboto,\"Noto Sans\",\"Noto Sans CJK SC\",sans-serif}\n"
    ".soft{fill:#566273;font-size:12px}.title{font-weight:600}.page{fill:#fff}.plate{fill:#eef2f7}.cells{fill:#0b3d91}"
    "\n"
    "@media (prefers-color-scheme:dark){text{fill:#e4e9f0}.soft{fill:#9dabbd}.page{fill:#11161d}\n"
    ".plate{fill:#1b2430}.cells{fill:#8ec5ff}}\n"
    "</style>\n";

enum { SIDE = 110, CELL_LEAST = 2, GAP = 10, LEFT = 70, LINE = 20, HEAD = 3 * LINE, TITLE = 2 * LINE, LEVELS = 50 };

typedef struct grid {        /* of one map; pixels */
    int cell, width, height; /* of a cell, and of a small map */
} grid;

static grid grid_of(const at_page_map *map)
{
    const int64_t longer = map->row_count > map->column_count ? map->row_count : map->column_count;
    const int cell = SIDE / (int)longer > CELL_LEAST ? SIDE / (int)longer : CELL_LEAST;
    return (grid){cell, cell * (int)map->column_count, cell * (int)map->row_count};
}

static int height_of(const at_page_map *map)
{
    return HEAD + (int)map->layers * (grid_of(map).height + GAP) + GAP;
}

static int level_at(const at_page_map *map, int64_t layer, int64_t head, int64_t cell)
{
    return (int)lround(at_page_map_weight(map, layer, head, cell) * LEVELS);
}

/* The cells of a level, neighbours in a row joined; nothing where there are none. */
static at_status put_level(at_buf *out, const at_page_map *map, int64_t layer, int64_t head, int level, int x, int y,
                           at_error *err)
{
    const int64_t columns = map->column_count;
    const int cell = grid_of(map).cell;
    bool begun = false;
    for (int64_t i = 0, run; i < map->row_count * columns; i += run) {
        for (run = 0; i % columns + run < columns && level_at(map, layer, head, i + run) == level;) run++;
        if (run > 0) {
            if (!begun) ATT_TRY(at_buf_printf(out, err, "<path fill-opacity=\"%.2f\" d=\"", (double)level / LEVELS));
            ATT_TRY(at_buf_printf(out, err, "M%d %dh%dv%dh-%dz", x + (int)(i % columns) * cell,
                                  y + (int)(i / columns) * cell, (int)run * cell, cell, (int)run * cell));
            begun = true;
        } else {
            run = 1;
        }
    }
    return begun ? at_buf_puts(out, "\"/>\n", err) : ATT_OK;
}

static at_status put_small(at_buf *out, const at_page_map *map, int64_t layer, int64_t head, int x, int y,
                           at_error *err)
{
    const grid g = grid_of(map);
    ATT_TRY(at_buf_printf(out, err, "<rect class=\"plate\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", x, y,
                          g.width, g.height));
    for (int level = 1; level <= LEVELS; level++) ATT_TRY(put_level(out, map, layer, head, level, x, y, err));
    return ATT_OK;
}

static at_status put_heads(at_buf *out, const at_page_map *map, int y, at_error *err)
{
    const grid g = grid_of(map);
    ATT_TRY(at_buf_printf(out, err, "<text class=\"title\" x=\"%d\" y=\"%d\">", GAP, y + LINE));
    ATT_TRY(at_markup_html(out, map->title, err));
    ATT_TRY(at_buf_puts(out, "</text>\n", err));
    for (int64_t head = -1; head < map->heads; head++) {
        const int x = LEFT + (int)(head + 1) * (g.width + GAP);
        if (head < 0)
            ATT_TRY(at_buf_printf(out, err, "<text class=\"soft\" x=\"%d\" y=\"%d\">mean</text>\n", x, y + HEAD - 6));
        else
            ATT_TRY(at_buf_printf(out, err, "<text class=\"soft\" x=\"%d\" y=\"%d\">head %d</text>\n", x, y + HEAD - 6,
                                  (int)head + 1));
    }
    return ATT_OK;
}

static at_status put_map(at_buf *out, const at_page_map *map, int y, at_error *err)
{
    const grid g = grid_of(map);
    ATT_TRY(put_heads(out, map, y, err));
    for (int64_t layer = 0; layer < map->layers; layer++) {
        const int top = y + HEAD + (int)layer * (g.height + GAP);
        ATT_TRY(at_buf_printf(out, err, "<text class=\"soft\" x=\"%d\" y=\"%d\">layer %d</text>\n<g class=\"cells\">\n",
                              GAP, top + g.height / 2, (int)layer + 1));
        for (int64_t head = -1; head < map->heads; head++)
            ATT_TRY(put_small(out, map, layer, head, LEFT + (int)(head + 1) * (g.width + GAP), top, err));
        ATT_TRY(at_buf_puts(out, "</g>\n", err));
    }
    return ATT_OK;
}

at_status at_attention_overview_write(at_buf *svg, const at_attention_page *page, at_error *err)
{
    int width = 0, height = TITLE, y = TITLE;
    for (size_t i = 0; i < page->map_count; i++) {
        const int wide = LEFT + (int)(page->maps[i].heads + 1) * (grid_of(&page->maps[i]).width + GAP);
        if (wide > width) width = wide;
        height += height_of(&page->maps[i]);
    }
    ATT_TRY(at_buf_printf(svg, err,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                          "role=\"img\">\n<title>Attention: ",
                          width, height, width, height));
    ATT_TRY(at_markup_html(svg, page->subject, err));
    ATT_TRY(at_buf_puts(svg, "</title>\n", err));
    ATT_TRY(at_buf_puts(svg, style, err));
    ATT_TRY(at_buf_printf(svg, err, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n<text x=\"%d\" y=\"%d\">",
                          width, height, GAP, LINE + GAP / 2));
    ATT_TRY(at_markup_html(svg, page->subject, err));
    ATT_TRY(at_buf_puts(svg, "</text>\n", err));
    for (size_t i = 0; i < page->map_count; i++) {
        ATT_TRY(put_map(svg, &page->maps[i], y, err));
        y += height_of(&page->maps[i]);
    }
    return at_buf_puts(svg, "</svg>\n", err);
}
