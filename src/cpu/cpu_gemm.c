/* Matrix products: blocking around the tile kernels of simd/gemm_kernels.c.
 *
 *        N                    A rows are copied into a tile of fixed stride (ATT_TILE_STRIDE), 14 x 256 floats = 15 KB in
 *   +----------+              L1, whose odd stride keeps rows of power-of-two width from colliding; B streams from panels
 *   | B panels | K            packed once a step; C tiles are read and written once per 256 of K.
 * +-+----------+
 * |A|   C      | M            Own kernels instead of a library's because an output element is then one chain over K: equal bits
 * +-+----------+              for any thread count, batch and number of rows, training and inference alike. They reach 92-100 %
 *                             of oneDNN's rate at the shapes of docs/performance.md. */
#include <string.h>

#include "cpu/cpu.h"

/* One tile row of C: 14 rows at most, all panels of [first, n) columns, two at a time. */
typedef struct tile_row {
    const at_kernels *k;
    const float *a, *packed;
    int64_t rows, depth, panel_stride, n;
    float *c;
    int64_t ldc;
    bool accumulate;
    float *edge; /* ATT_TILE_ROWS x 32, for the last columns when n is no multiple of 16 */
} tile_row;

static void edge_tile(const tile_row *t, int64_t column)
{
    const int64_t width = t->n - column, ld = 2 * ATT_PANEL;
    if (t->accumulate)
        for (int64_t i = 0; i < t->rows; i++) {
            memset(t->edge + i * ld, 0, (size_t)ld * sizeof(float));
            memcpy(t->edge + i * ld, t->c + i * t->ldc + column, (size_t)width * sizeof(float));
        }
    t->k->gemm_tile(t->rows, at_ceil_div(width, ATT_PANEL), t->depth, t->a, t->packed + column / ATT_PANEL * t->panel_stride,
                    t->panel_stride, t->edge, ld, t->accumulate);
    for (int64_t i = 0; i < t->rows; i++)
        memcpy(t->c + i * t->ldc + column, t->edge + i * ld, (size_t)width * sizeof(float));
}

static void run_tile_row(const tile_row *t)
{
    int64_t column = 0;
    for (; column + 2 * ATT_PANEL <= t->n; column += 2 * ATT_PANEL)
        t->k->gemm_tile(t->rows, 2, t->depth, t->a, t->packed + column / ATT_PANEL * t->panel_stride, t->panel_stride,
                        t->c + column, t->ldc, t->accumulate);
    if (t->n - column == ATT_PANEL)
        t->k->gemm_tile(t->rows, 1, t->depth, t->a, t->packed + column / ATT_PANEL * t->panel_stride, t->panel_stride,
                        t->c + column, t->ldc, t->accumulate);
    else if (column < t->n)
        edge_tile(t, column);
}

/* Columns are taken 1024 at a time so that the panels in use stay in L2 while all rows pass by. */
enum { COLUMN_BLOCK = 1024 };

void at_gemm_nn(const at_kernels *k, int64_t m, int64_t n, int64_t depth, const float *a, int64_t lda, const float *packed_b, float *c,
                int64_t ldc, bool accumulate, float *scratch)
{
    float *edge = scratch + ATT_TILE_ROWS * ATT_TILE_STRIDE;
    for (int64_t j = 0; j < n; j += COLUMN_BLOCK)
        for (int64_t p = 0; p < depth; p += ATT_TILE_DEPTH)
            for (int64_t i = 0; i < m; i += ATT_TILE_ROWS) {
                const int64_t rows = at_min(ATT_TILE_ROWS, m - i), d = at_min(ATT_TILE_DEPTH, depth - p);
                for (int64_t r = 0; r < rows; r++)
                    memcpy(scratch + r * ATT_TILE_STRIDE, a + (i + r) * lda + p, (size_t)d * sizeof(float));
                const tile_row t = {k, scratch, packed_b + j * depth + p * ATT_PANEL, rows, d, depth * ATT_PANEL,
                                    at_min(COLUMN_BLOCK, n - j), c + i * ldc + j, ldc, accumulate || p > 0, edge};
                run_tile_row(&t);
            }
}

static void pack_panel(float *panel, const float *b, int64_t depth, int64_t columns, int64_t ldb)
{
    for (int64_t p = 0; p < depth; p++) {
        memcpy(panel + p * ATT_PANEL, b + p * ldb, (size_t)columns * sizeof(float));
        memset(panel + p * ATT_PANEL + columns, 0, (size_t)(ATT_PANEL - columns) * sizeof(float));
    }
}

void at_pack_panels(const at_kernels *k, float *packed, const float *b, int64_t depth, int64_t n, int64_t ldb, bool transposed,
                    int64_t first, int64_t last)
{
    for (int64_t j = first; j < last; j++) {
        const int64_t column = j * ATT_PANEL, columns = at_min(ATT_PANEL, n - column);
        if (transposed)
            k->pack_transposed(packed + column * depth, b + column * ldb, ldb, columns, depth);
        else
            pack_panel(packed + column * depth, b + column, depth, columns, ldb);
    }
}

/* A^T B: the depth is the number of tokens, thousands, and C a weight. Each chunk owns a rectangle of C and walks the depth in blocks,
 * so that a block of both operands, packed, stays in L2. */
enum { TN_ROWS = 32 * ATT_TILE_ROWS, TN_COLUMNS = 256, TN_DEPTH = 256 };

typedef struct tn_job {
    at_cpu *cpu;
    int64_t m, n, depth, lda, ldb, ldc, row_chunks, rows, columns;
    const float *a, *b;
    float *c;
    bool accumulate;
} tn_job;

static void tn_tiles(const tn_job *job, const float *strips, const float *panels, int64_t rows, int64_t columns, int64_t depth,
                     float *c, bool accumulate, float *edge)
{
    const at_kernels *k = &job->cpu->k;
    for (int64_t i = 0; i < rows; i += ATT_TILE_ROWS)
        for (int64_t j = 0; j < columns; j += 2 * ATT_PANEL) {
            const int64_t r = at_min(ATT_TILE_ROWS, rows - i), width = at_min(2 * ATT_PANEL, columns - j);
            const float *strip = strips + i * depth, *panel = panels + j * depth;
            float *to = c + i * job->ldc + j;
            if (width % ATT_PANEL == 0) {
                k->gemm_tile_t(r, width / ATT_PANEL, depth, strip, ATT_TILE_ROWS, panel, depth * ATT_PANEL, to, job->ldc, accumulate);
                continue;
            }
            const int64_t ld = 2 * ATT_PANEL;
            for (int64_t s = 0; accumulate && s < r; s++) memcpy(edge + s * ld, to + s * job->ldc, (size_t)width * sizeof(float));
            k->gemm_tile_t(r, at_ceil_div(width, ATT_PANEL), depth, strip, ATT_TILE_ROWS, panel, depth * ATT_PANEL, edge, ld, accumulate);
            for (int64_t s = 0; s < r; s++) memcpy(to + s * job->ldc, edge + s * ld, (size_t)width * sizeof(float));
        }
}

static void tn_chunk(void *arg, int64_t chunk, int thread)
{
    const tn_job *job = arg;
    const int64_t i = chunk % job->row_chunks * job->rows, j = chunk / job->row_chunks * job->columns;
    const int64_t rows = at_min(job->rows, job->m - i), columns = at_min(job->columns, job->n - j);
    const int64_t strip_floats = at_round_up(rows, ATT_TILE_ROWS) * TN_DEPTH + ATT_PANEL, panel_floats = at_round_up(columns, 2 * ATT_PANEL) * TN_DEPTH;
    float *strips = at_cpu_scratch(job->cpu, thread, strip_floats + panel_floats + ATT_TILE_ROWS * 2 * ATT_PANEL);
    if (strips == NULL) return;
    float *panels = strips + strip_floats, *edge = panels + panel_floats;
    for (int64_t p = 0; p == 0 || p < job->depth; p += TN_DEPTH) { /* once for no rows: the product is zero */
        const int64_t depth = at_min(TN_DEPTH, job->depth - p);
        job->cpu->k.pack_strips(strips, job->a + p * job->lda + i, job->lda, depth, rows);
        at_pack_panels(&job->cpu->k, panels, job->b + p * job->ldb + j, depth, columns, job->ldb, false, 0, at_ceil_div(columns, ATT_PANEL));
        tn_tiles(job, strips, panels, rows, columns, depth, job->c + i * job->ldc + j, p > 0 || job->accumulate, edge);
    }
}

/* n cut into equal parts of at most `most`, each a multiple of `unit`. */
static int64_t even_part(int64_t n, int64_t most, int64_t unit)
{
    return at_round_up(at_ceil_div(n, at_ceil_div(n, most)), unit);
}

/* Cuts C so that every thread has work: packing is repeated per rectangle, so few large ones are best. */
void at_gemm_tn(at_cpu *cpu, int64_t m, int64_t n, int64_t depth, const float *a, int64_t lda, const float *b, int64_t ldb, float *c,
                int64_t ldc, bool accumulate)
{
    tn_job job = {cpu, m, n, depth, lda, ldb, ldc, 0, even_part(m, TN_ROWS, ATT_TILE_ROWS), even_part(n, TN_COLUMNS, 2 * ATT_PANEL),
                  a, b, c, accumulate};
    while (at_ceil_div(m, job.rows) * at_ceil_div(n, job.columns) < cpu->threads) {
        if (job.columns > 2 * ATT_PANEL && 2 * job.columns >= job.rows)
            job.columns = at_round_up(job.columns / 2, 2 * ATT_PANEL);
        else if (job.rows > ATT_TILE_ROWS)
            job.rows = at_round_up(job.rows / 2, ATT_TILE_ROWS);
        else
            break;
    }
    job.row_chunks = at_ceil_div(m, job.rows);
    at_pool_run(cpu->pool, job.row_chunks * at_ceil_div(n, job.columns), tn_chunk, &job);
}
