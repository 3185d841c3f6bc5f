/* A picture of attention: one HTML page with heat maps in SVG, which any browser shows without network.
 *
 *   facts: sentence, translation, model
 *   +----------------------------+   +---------------------+
 *   |      columns: tokens read  |   | mean  1   2   3  .. |   overview, made by the script: a small map
 *   | rows  .  .  #  .           |   |  ▒    ▒   ▒   ▒     |   of every layer and head; a click shows it large
 *   |       .  #  .  .           |   |  ▒    ▒   ▒   ▒     |
 *   +----------------------------+   +---------------------+
 *
 * Without script the page shows the mean over heads of the last layer, of every map. All weights stand in the page as
 * JSON, rounded to ten-thousandths, in an element with id "weights":
 *
 *   {"maps": [{"id": .., "title": .., "layers": L, "heads": H, "rows": [piece ..], "columns": [piece ..],
 *              "mean": [layer][row][column], "weights": [layer][head][row][column]}, ..]}
 *
 * A cell's opacity is its weight over the largest one of its map, that one rounded up to tenths; its colours run from
 * --plate to --ink, one hue whose steps of equal weight look equal (their distances in OKLab differ by at most 4 % in
 * the light theme, 16 % in the dark). Texts may hold any byte: what is no UTF-8 shows as U+FFFD. */
#ifndef ATT_PLOT_ATTENTION_PAGE_H
#define ATT_PLOT_ATTENTION_PAGE_H

#include "base/buf.h"

typedef struct at_page_fact {
    const char *name, *text;
} at_page_fact;

typedef struct at_page_map {                  /* one kind of attention */
    const char *id;                           /* of lower-case letters, unique in the page: "cross" */
    const char *title;                        /* "Cross-attention" */
    const char *about;                        /* a sentence or two on what rows and columns are */
    const char *row_axis, *column_axis;       /* a word each: "written", "source" */
    const char *const *rows, *const *columns; /* labels */
    int64_t row_count, column_count;          /* at least 1, as layers and heads */
    int64_t layers, heads;
    const float *const *weights; /* [layers], each heads x rows x columns; 0 .. 1 */
} at_page_map;

typedef struct at_attention_page {
    const char *subject;       /* ends the page's title: "a dog runs" */
    const at_page_fact *facts; /* stand above the maps */
    size_t fact_count;
    const at_page_fact *details; /* the same, folded up */
    size_t detail_count;
    const at_page_map *maps; /* the first is shown first */
    size_t map_count;
} at_attention_page;

/* Weight number `cell`, row by row, of a layer; head -1: the mean over heads. */
double at_page_map_weight(const at_page_map *map, int64_t layer, int64_t head, int64_t cell);

/* Appends the page. After a failure (ATT_MEMORY) html holds a part of it. */
at_status at_attention_page_write(at_buf *html, const at_attention_page *page, at_error *err);

/* Appends small maps of all layers and heads as one SVG, for a paper or a document (attention_overview.c). Likewise. */
at_status at_attention_overview_write(at_buf *svg, const at_attention_page *page, at_error *err);

#endif
