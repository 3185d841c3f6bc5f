/* Matrix products: blocking around the tile kernels of simd/gemm_kernels.c.
 *
 *        N                    A is read where it lies, 14 rows of 256 floats at a time, which stay in L1; rows whose
 *   +----------+              stride would make them collide there, and all rows that are multiplied in bfloat16, are packed
 *   | B panels | K            into a tile of odd stride first. B streams from panels (tape/weight.h); C tiles are read and
 * +-+----------+              written once per 256 words of K (at_product: a word is one float32 or two bfloat16).
 * |A|   C      | M            Own kernels instead of a library's because an output element is then the same sum over K: equal bits
 * +-+----------+              for any thread count, batch and number of rows, training and inference alike. Their rate beside
 *                             oneDNN's stands in docs/performance.md. */
#include <string.h>

#include "cpu/cpu.h"

/* The last `width` columns of C, no whole panels, go by way of `edge`, ATT_EDGE_FLOATS. */
static void edge_tile(void (*product)(const at_tile *), const at_tile *t, int64_t width, float *edge)
{
    const int64_t ld = 2 * ATT_PANEL;
    for (int64_t i = 0; t->accumulate && i < t->rows; i++) {
        memset(edge + i * ld, 0, (size_t)ld * sizeof(float));
        memcpy(edge + i * ld, t->c + i * t->ldc, (size_t)width * sizeof(float));
    }
    at_tile whole = *t;
    whole.c = edge;
    whole.ldc = ld;
    product(&whole);
    for (int64_t i = 0; i < t->rows; i++) memcpy(t->c + i * t->ldc, edge + i * ld, (size_t)width * sizeof(float));
}

/* The tile is passed by pointer because copying what was just written waits for the stores of the tile before. */
void at_tile_rows(void (*tile)(const at_tile *), at_strips a, at_strips b, int64_t rows, int64_t width, int64_t words,
                  at_output c, float *edge)
{
    for (int64_t i = 0; i < rows; i += ATT_TILE_ROWS) {
        at_tile t = {.rows = at_min(ATT_TILE_ROWS, rows - i),
                     .k = words,
                     .a = a.at + i / ATT_TILE_ROWS * a.stride,
                     .lda = a.ld,
                     .ldb = b.ld,
                     .panel_stride = b.stride,
                     .ldc = c.ld,
                     .accumulate = c.accumulate};
        for (int64_t j = 0; j < width; j += 2 * ATT_PANEL) {
            const int64_t rest = width - j;
            t.b = b.at + j / ATT_PANEL * b.stride;
            t.c = c.at + i * c.ld + j;
            t.panels = rest > ATT_PANEL ? 2 : 1;
            if (rest >= 2 * ATT_PANEL || rest == ATT_PANEL)
                tile(&t);
            else
                edge_tile(tile, &t, rest, edge);
        }
    }
}

/* Columns are taken 1024 at a time so that the panels in use stay in L2 while all rows pass by. */
enum { COLUMN_BLOCK = 1024 };

/* Rows of A, in place or as a copy. */
static at_strips tile_of_a(const at_product *product, const float *a, int64_t lda, int64_t rows, int64_t depth,
                           float *copy)
{
    if (product->per_word == 1 && !at_rows_collide(lda)) return (at_strips){a, 0, lda};
    product->pack_rows(copy, ATT_TILE_STRIDE, a, lda, rows, depth);
    return (at_strips){copy, 0, ATT_TILE_STRIDE};
}

void at_gemm_nn(const at_product *product, int64_t m, int64_t n, int64_t depth, const float *a, int64_t lda,
                const float *packed_b, float *c, int64_t ldc, bool accumulate, float *scratch)
{
    const int64_t words = at_words(product, depth), block = ATT_TILE_DEPTH * product->per_word;
    float *edge = scratch + ATT_TILE_ROWS * ATT_TILE_STRIDE;
    for (int64_t j = 0; j < n; j += COLUMN_BLOCK)
        for (int64_t p = 0; p < depth; p += block)
            for (int64_t i = 0; i < m; i += ATT_TILE_ROWS) {
                const int64_t deep = at_min(block, depth - p), rows = at_min(ATT_TILE_ROWS, m - i);
                const at_strips b = {packed_b + j * words + at_words(product, p) * ATT_PANEL, words * ATT_PANEL,
                                     ATT_PANEL};
                at_tile_rows(product->tile, tile_of_a(product, a + i * lda + p, lda, rows, deep, scratch), b, rows,
                             at_min(COLUMN_BLOCK, n - j), at_words(product, deep),
                             (at_output){c + i * ldc + j, ldc, accumulate || p > 0}, edge);
            }
}

void at_pack_panels(const at_product *product, float *packed, const float *b, int64_t depth, int64_t n, int64_t ldb,
                    bool transposed, int64_t first, int64_t last)
{
    const int64_t from = first * ATT_PANEL, to = at_min(last * ATT_PANEL, n), words = at_words(product, depth);
    if (!transposed)
        product->pack_strips(packed + from * words, words * ATT_PANEL, ATT_PANEL, b + from, ldb, depth, to - from);
    for (int64_t j = from; transposed && j < to; j += ATT_PANEL)
        product->pack_transposed(packed + j * words, b + j * ldb, ldb, at_min(ATT_PANEL, to - j), depth);
}

at_strips at_strips_of(const at_product *product, float *room, int64_t stride, int64_t width, const float *x,
                       int64_t ld, int64_t depth, int64_t columns)
{
    if (room == NULL) return (at_strips){x, width, ld};
    product->pack_strips(room, stride, width, x, ld, depth, columns);
    return (at_strips){room, stride, width};
}

/* A^T B: the depth is the number of tokens, thousands, and C a weight. Each chunk owns a rectangle of C and walks the depth in
 * blocks, so that a block of both operands stays in L2. Both are read where they lie, or packed: in bfloat16, B where its rows
 * collide in the cache, and where its last panel is not whole. */
enum {
    TN_ROWS = 19 * ATT_TILE_ROWS,
    TN_COLUMNS = 512,
    TN_DEPTH = ATT_GEMM_TN_DEPTH,                /* words */
    STRIP = TN_DEPTH * ATT_TILE_ROWS + ATT_PANEL /* words of a packed strip; the last vectors end behind its rows */
};

typedef struct tn_job {
    at_cpu *cpu;
    int64_t m, n, depth, lda, ldb, ldc, row_chunks, rows, columns;
    const float *a, *b;
    float *c;
    bool accumulate;
} tn_job;

/* Of the largest rectangle. */
int64_t at_cpu_gemm_floats(void)
{
    return at_ceil_div(TN_ROWS, ATT_TILE_ROWS) * STRIP + TN_COLUMNS * TN_DEPTH + ATT_EDGE_FLOATS;
}

static void tn_chunk(void *arg, int64_t chunk, int thread)
{
    const tn_job *job = arg;
    const at_product *product = job->cpu->product;
    const int64_t i = chunk % job->row_chunks * job->rows, j = chunk / job->row_chunks * job->columns;
    const int64_t rows = at_min(job->rows, job->m - i), columns = at_min(job->columns, job->n - j);
    const int64_t strip_floats = at_ceil_div(rows, ATT_TILE_ROWS) * STRIP,
                  panel_floats = at_round_up(columns, 2 * ATT_PANEL) * TN_DEPTH, block = TN_DEPTH * product->per_word;
    float *strips = at_cpu_scratch(job->cpu, thread, strip_floats + panel_floats + ATT_EDGE_FLOATS);
    if (strips == NULL) return;
    float *panels = strips + strip_floats, *edge = panels + panel_floats;
    const bool pack_a = product->per_word > 1, pack_b = pack_a || at_rows_collide(job->ldb) || columns % ATT_PANEL != 0;
    for (int64_t p = 0; p == 0 || p < job->depth; p += block) { /* once for no rows: the product is zero */
        const int64_t depth = at_min(block, job->depth - p), words = at_words(product, depth);
        const float *x = job->a + p * job->lda + i, *y = job->b + p * job->ldb + j;
        const at_strips a = at_strips_of(product, pack_a ? strips : NULL, STRIP, ATT_TILE_ROWS, x, job->lda, depth,
                                         rows),
                        b = at_strips_of(product, pack_b ? panels : NULL, words * ATT_PANEL, ATT_PANEL, y, job->ldb,
                                         depth, columns);
        at_tile_rows(product->tile_t, a, b, rows, columns, words,
                     (at_output){job->c + i * job->ldc + j, job->ldc, p > 0 || job->accumulate}, edge);
    }
}

/* n cut into equal parts of at most `most`, each a multiple of `unit`. */
static int64_t even_part(int64_t n, int64_t most, int64_t unit)
{
    return at_round_up(at_ceil_div(n, at_ceil_div(n, most)), unit);
}

/* Cuts C so that every thread has work: each rectangle reads (and packs, where it must) its operands again, so few large ones are best. */
void at_gemm_tn(at_cpu *cpu, int64_t m, int64_t n, int64_t depth, const float *a, int64_t lda, const float *b,
                int64_t ldb, float *c, int64_t ldc, bool accumulate)
{
    tn_job job = {.cpu = cpu,
                  .m = m,
                  .n = n,
                  .depth = depth,
                  .lda = lda,
                  .ldb = ldb,
                  .ldc = ldc,
                  .rows = even_part(m, TN_ROWS, ATT_TILE_ROWS),
                  .columns = even_part(n, TN_COLUMNS, 2 * ATT_PANEL),
                  .a = a,
                  .b = b,
                  .c = c,
                  .accumulate = accumulate};
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
