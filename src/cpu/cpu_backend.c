/* The CPU backend: construction, memory, scratch. Its operations are in the other files of this folder. */
#include "cpu/cpu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

/* Large blocks ask for huge pages: matrices are walked by columns too, and small pages would miss the translation buffer at
 * every row. */
static size_t block_unit(size_t bytes)
{
    return bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : LINE;
}

size_t at_cpu_block_bytes(size_t bytes)
{
    const size_t unit = block_unit(bytes);
    return (bytes + unit - 1) / unit * unit;
}

static void *alloc_aligned(size_t bytes)
{
    const size_t unit = block_unit(bytes), whole = at_cpu_block_bytes(bytes);
    void *memory = aligned_alloc(unit, whole);
#ifdef MADV_HUGEPAGE
    if (memory && unit == HUGE_PAGE) (void)madvise(memory, whole, MADV_HUGEPAGE);
#endif
    return memory;
}

static float *grow(at_cpu *cpu, at_scratch *scratch, int64_t floats)
{
    if (scratch->data && floats <= scratch->floats) return scratch->data;
    const int64_t wanted = at_round_up(floats + floats / 4 + 1, ATT_PANEL);
    float *data = alloc_aligned((size_t)wanted * sizeof(float));
    if (data == NULL) {
        cpu->base.failed = true;
        return NULL;
    }
    free(scratch->data);
    scratch->data = data;
    scratch->floats = wanted;
    return data;
}

float *at_cpu_scratch(at_cpu *cpu, int thread, int64_t floats)
{
    return grow(cpu, &cpu->scratch[thread], floats);
}

float *at_cpu_shared(at_cpu *cpu, int64_t floats)
{
    return grow(cpu, &cpu->shared, floats);
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

size_t at_cpu_scratch_bytes(const at_scratch_sizes *s, int threads)
{
    const int64_t own = most(at_cpu_gemm_floats(), at_cpu_attention_floats(s->keys, s->head_width)),
                  shared = most(at_cpu_norm_floats(s->rows, s->width), at_cpu_loss_floats(s->rows, s->vocabulary));
    return (size_t)(own * (threads > 0 ? threads : at_cpu_count()) + shared) * sizeof(float);
}

/* A chunk of a product's rows reads all panels of the weight, so it has many; but no more than so many tiles of them, that its output
 * is still in the cache when bias and activation are applied to it: 252 rows of 512 are half a megabyte. */
enum { CHUNK_TILES = 18 };

int64_t at_cpu_grain(const at_cpu *cpu, int64_t rows, int64_t unit)
{
    const int64_t parts = cpu->threads == 1 ? 1 : 4 * cpu->threads;
    const int64_t grain = rows > 0 ? at_round_up(at_ceil_div(rows, parts), unit) : unit;
    const bool of_product = unit == ATT_TILE_ROWS;
    return of_product ? at_min(grain, CHUNK_TILES * ATT_TILE_ROWS) : grain;
}

static void *cpu_alloc(at_backend *be, size_t bytes)
{
    void *memory = alloc_aligned(bytes);
    if (memory == NULL) be->failed = true;
    return memory;
}

static void cpu_release(at_backend *be, void *memory, size_t bytes)
{
    (void)be, (void)bytes;
    free(memory);
}

static void cpu_copy(at_backend *be, void *to, const void *from, size_t bytes)
{
    (void)be;
    memcpy(to, from, bytes);
}

static void cpu_zero(at_backend *be, float *x, int64_t n)
{
    (void)be;
    memset(x, 0, (size_t)n * sizeof(float));
}

static void cpu_free(at_backend *be)
{
    at_cpu *cpu = at_cpu_of(be);
    at_pool_free(cpu->pool);
    for (int i = 0; cpu->scratch && i < cpu->threads; i++) free(cpu->scratch[i].data);
    free(cpu->scratch);
    free(cpu->shared.data);
    free(cpu);
}

const char *const at_precision_names[] = {[ATT_PRECISION_FLOAT32] = "float32",
                                          [ATT_PRECISION_BF16] = "bf16",
                                          [ATT_PRECISION_BF16_EMULATED] = "bf16-emulated",
                                          NULL};

int at_cpu_isa_list(const char **names, int max)
{
    return at_kernels_names(names, max);
}

at_status at_cpu_kernels(at_kernels *k, const char *isa, at_error *err)
{
    const char *forced = isa != NULL ? isa : getenv("ATTEND_ISA");
    if (forced != NULL && *forced == '\0') forced = NULL;
    if (at_kernels_fill(k, forced)) return ATT_OK;
    return at_fail(err, ATT_UNSUPPORTED,
                   "%s: instruction set \"%s\" is unknown or not run by this processor; try portable",
                   isa != NULL ? "isa" : "ATTEND_ISA", forced);
}

at_status at_cpu_isa_default(const char **name, at_error *err)
{
    at_kernels k;
    ATT_TRY(at_cpu_kernels(&k, NULL, err));
    *name = k.isa;
    return ATT_OK;
}

at_status at_cpu_backend_new(at_backend **be, int threads, const char *isa, at_error *err)
{
    at_cpu *cpu = calloc(1, sizeof *cpu);
    if (cpu == NULL) return at_fail_memory(err, sizeof *cpu);
    cpu->base.name = "cpu";
    cpu->base.free = cpu_free;
    at_status status = at_cpu_kernels(&cpu->k, isa, err);
    if (status == ATT_OK) status = at_pool_new(&cpu->pool, threads, err);
    if (status == ATT_OK) {
        cpu->threads = at_pool_threads(cpu->pool);
        cpu->scratch = calloc((size_t)cpu->threads, sizeof *cpu->scratch);
        if (cpu->scratch == NULL) status = at_fail_memory(err, (size_t)cpu->threads * sizeof *cpu->scratch);
    }
    if (status != ATT_OK) {
        cpu_free(&cpu->base);
        return status;
    }
    cpu->product = &cpu->k.float32;
    cpu->base.alloc = cpu_alloc;
    cpu->base.release = cpu_release;
    cpu->base.upload = cpu_copy;
    cpu->base.download = cpu_copy;
    cpu->base.zero = cpu_zero;
    at_cpu_linear_init(&cpu->base);
    at_cpu_attention_init(&cpu->base);
    at_cpu_row_ops_init(&cpu->base);
    at_cpu_cross_entropy_init(&cpu->base);
    *be = &cpu->base;
    return ATT_OK;
}

at_status at_cpu_backend_with_precision(at_backend **be, int threads, at_precision precision, at_error *err)
{
    ATT_TRY(at_cpu_backend_new(be, threads, NULL, err));
    const at_status status = at_cpu_backend_set_precision(*be, precision, err);
    if (status != ATT_OK) (*be)->free(*be);
    return status;
}

static at_status check_precision(const at_kernels *k, at_precision precision, at_error *err)
{
    if (precision != ATT_PRECISION_BF16 || at_kernels_bf16_native(k)) return ATT_OK;
    return at_fail(err, ATT_UNSUPPORTED,
                   "precision bf16: instruction set %s does not multiply bfloat16, so float32 is faster; try "
                   "precision float32",
                   k->isa);
}

at_status at_cpu_check_precision(at_precision precision, at_error *err)
{
    at_kernels k;
    ATT_TRY(at_cpu_kernels(&k, NULL, err));
    return check_precision(&k, precision, err);
}

at_status at_cpu_backend_set_precision(at_backend *be, at_precision precision, at_error *err)
{
    at_cpu *cpu = at_cpu_of(be);
    ATT_TRY(check_precision(&cpu->k, precision, err));
    cpu->product = precision == ATT_PRECISION_FLOAT32 ? &cpu->k.float32 : &cpu->k.bf16;
    return ATT_OK;
}
