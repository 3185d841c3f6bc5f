/* The CPU backend's own state, shared by the files of this folder: kernel table, thread pool, per-thread scratch.
 *
 * Work is cut into chunks (rows of a matrix, panels of a weight, sequence-head pairs); every output element is computed by one
 * chunk as one chain, so bits depend on neither the number of threads nor the cut. */
#ifndef ATT_CPU_CPU_H
#define ATT_CPU_CPU_H

#include "backend/backend.h"
#include "base/pool.h"
#include "base/rng.h"
#include "simd/kernels.h"

typedef struct at_scratch { /* grows to the largest request and stays */
    float *data;
    int64_t floats;
} at_scratch;

typedef struct at_cpu {
    at_backend base; /* first, so that at_backend * converts */
    at_kernels k;
    const at_product *product; /* of linear layers and the loss: k.float32 or k.bf16; attention's are always float32 */
    at_pool *pool;
    int threads;
    at_scratch *scratch; /* one a thread */
    at_scratch shared;   /* filled by one phase, read by the next */
} at_cpu;

static inline at_cpu *at_cpu_of(at_backend *be)
{
    return (at_cpu *)be;
}

/* Scratch of at least that many floats, 64-byte aligned, content undefined; NULL (and be->failed) without memory. */
float *at_cpu_scratch(at_cpu *cpu, int thread, int64_t floats);
float *at_cpu_shared(at_cpu *cpu, int64_t floats);

static inline int64_t at_round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

static inline int64_t at_ceil_div(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static inline int64_t at_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The table of isa, or of what ATTEND_ISA names where isa is NULL, else the best. An empty ATTEND_ISA counts as unset. */
at_status at_cpu_kernels(at_kernels *k, const char *isa, at_error *err);

/* How many rows a chunk gets so that every thread has about four, in multiples of `unit`. The rows of a product, whose unit is
 * ATT_TILE_ROWS, are cut into more chunks where those would be large (cpu_backend.c). */
int64_t at_cpu_grain(const at_cpu *cpu, int64_t rows, int64_t unit);

/* Words that n elements along K take. */
static inline int64_t at_words(const at_product *product, int64_t n)
{
    return at_ceil_div(n, product->per_word);
}

/* Products on one thread (cpu_gemm.c).
 *
 * An operand in strips of ATT_TILE_ROWS or ATT_PANEL columns, packed or where it lies: row p of strip s begins at
 * at[s * stride + p * ld]. */
typedef struct at_strips {
    const float *at;
    int64_t stride, ld;
} at_strips;

/* The columns of x (depth, columns), rows ld apart, as strips of `width` columns: packed into `room`, `stride` words apart, or where
 * they lie when room is NULL (float32 only; the last strip is then read whole, so it must be whole). */
at_strips at_strips_of(const at_product *product, float *room, int64_t stride, int64_t width, const float *x,
                       int64_t ld, int64_t depth, int64_t columns);

/* A matrix to be written, or added to. */
typedef struct at_output {
    float *at;
    int64_t ld;
    bool accumulate;
} at_output;

/* Room for a tile of C whose columns are no whole panels. */
enum { ATT_EDGE_FLOATS = ATT_TILE_ROWS * 2 * ATT_PANEL };

/* C (rows, width) = A B over so many words, tile by tile: `tile` is a product's tile or tile_t, A has strips of ATT_TILE_ROWS rows
 * as that wants them, B panels. edge: ATT_EDGE_FLOATS. */
void at_tile_rows(void (*tile)(const at_tile *), at_strips a, at_strips b, int64_t rows, int64_t width, int64_t words,
                  at_output c, float *edge);

/* Whether rows so many floats apart fall into few sets of L1; others are read where they lie. */
static inline bool at_rows_collide(int64_t ld)
{
    return ld % 512 == 0;
}

/* Packed B: [ceil(N/16)][words of K][16].
 * C (M,N) (+)= A (M,K) B; scratch: ATT_GEMM_SCRATCH floats. */
void at_gemm_nn(const at_product *product, int64_t m, int64_t n, int64_t depth, const float *a, int64_t lda,
                const float *packed_b, float *c, int64_t ldc, bool accumulate, float *scratch);
enum { ATT_GEMM_SCRATCH = ATT_TILE_ROWS * ATT_TILE_STRIDE + ATT_EDGE_FLOATS };
/* Panels of B from row-major (K,N), or from its transpose (N,K): panels first .. last. */
void at_pack_panels(const at_product *product, float *packed, const float *b, int64_t depth, int64_t n, int64_t ldb,
                    bool transposed, int64_t first, int64_t last);
/* C (M,N) (+)= A^T B in the backend's precision, over all threads, K in blocks of ATT_GEMM_TN_DEPTH words. A (K,M), B (K,N) row-major. */
enum { ATT_GEMM_TN_DEPTH = 384 };
void at_gemm_tn(at_cpu *cpu, int64_t m, int64_t n, int64_t depth, const float *a, int64_t lda, const float *b,
                int64_t ldb, float *c, int64_t ldc, bool accumulate);

/* Scratch that operations ask for, in floats: a thread's own, and the shared one. */
int64_t at_cpu_gemm_floats(void);
int64_t at_cpu_attention_floats(int64_t keys, int64_t head_width);
int64_t at_cpu_loss_floats(int64_t rows, int64_t vocabulary);
int64_t at_cpu_norm_floats(int64_t rows, int64_t width);

/* Fill their parts of the backend struct. */
void at_cpu_linear_init(at_backend *be);
void at_cpu_attention_init(at_backend *be);
void at_cpu_row_ops_init(at_backend *be);
void at_cpu_cross_entropy_init(at_backend *be);

#endif
