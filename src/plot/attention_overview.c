/* See attention_page.h: all layers and heads of the maps at a glance, as one SVG without script.
 *
 *                   mean    1     2    ..        a column a head
 *   layer 1          ▒      ▒     ▒              rows and columns of a small map: tokens, as in the page
 *   layer 2          ▒      ▒     ▒
 *
 * Opacity is the weight itself, 0 to 1, so pictures of several models can be compared. Cells of one opacity are one path. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

/* Steps of opacity of a small map's cells. */
typedef struct shades {
    unsigned char *level; /* row by row */
    bool used[LEVELS + 1];
} shades;

static void shade(shades *s, const at_page_map *map, int64_t layer, int64_t head)
{
    memset(s->used, 0, sizeof s->used);
    for (int64_t i = 0; i < map->row_count * map->column_count; i++) {
        s->level[i] = (unsigned char)lround(at_page_map_weight(map, layer, head, i) * LEVELS);
        s->used[s->level[i]] = true;
    }
}

/* The cells of a level, neighbours in a row joined. */
static at_status put_level(at_buf *out, const at_page_map *map, const shades *s, int level, int x, int y, at_error *err)
{
    const int64_t columns = map->column_count;
    const int cell = grid_of(map).cell;
    ATT_TRY(at_buf_printf(out, err, "<path fill-opacity=\"%.2f\" d=\"", (double)level / LEVELS));
    for (int64_t i = 0, run; i<map->row_count * columns; i += run> 0 ? run : 1) {
        for (run = 0; i % columns + run < columns && s->level[i + run] == level;) run++;
        if (run > 0)
            ATT_TRY(at_buf_printf(out, err, "M%d %dh%dv%dh-%dz", x + (int)(i % columns) * cell,
                                  y + (int)(i / columns) * cell, (int)run * cell, cell, (int)run * cell));
    }
    return at_buf_puts(out, "\"/>\n", err);
}

static at_status put_small(at_buf *out, const at_page_map *map, const shades *s, int x, int y, at_error *err)
{
    const grid g = grid_of(map);
    ATT_TRY(at_buf_printf(out, err, "<rect class=\"plate\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", x, y,
                          g.width, g.height));
    for (int level = 1; level <= LEVELS; level++)
        if (s->used[level]) ATT_TRY(put_level(out, map, s, level, x, y, err));
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

static at_status put_layer(at_buf *out, const at_page_map *map, int64_t layer, int top, shades *s, at_error *err)
{
    const grid g = grid_of(map);
    ATT_TRY(at_buf_printf(out, err, "<text class=\"soft\" x=\"%d\" y=\"%d\">layer %d</text>\n<g class=\"cells\">\n",
                          GAP, top + g.height / 2, (int)layer + 1));
    for (int64_t head = -1; head < map->heads; head++) {
        shade(s, map, layer, head);
        ATT_TRY(put_small(out, map, s, LEFT + (int)(head + 1) * (g.width + GAP), top, err));
    }
    return at_buf_puts(out, "</g>\n", err);
}

static at_status put_map(at_buf *out, const at_page_map *map, int y, at_error *err)
{
    const size_t cells = (size_t)(map->row_count * map->column_count);
    shades s = {.level = malloc(cells)};
    at_status status = s.level ? put_heads(out, map, y, err) : at_fail_memory(err, cells);
    for (int64_t layer = 0; layer < map->layers && status == ATT_OK; layer++)
        status = put_layer(out, map, layer, y + HEAD + (int)layer * (grid_of(map).height + GAP), &s, err);
    free(s.level);
    return status;
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
