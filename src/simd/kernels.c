/* Which instruction sets this processor runs, and their tables. */
#include "simd/kernels.h"

#include <string.h>

enum { FILES = 5 };

typedef struct isa {
    const char *name;
    void (*fill[FILES])(at_kernels *);
} isa;

#define ATT_FILLS(isa)                                                                                    \
    {                                                                                                     \
#isa,                                                                                             \
        {                                                                                                 \
            at_gemm_kernels_##isa, at_pack_kernels_##isa, at_row_kernels_##isa, at_softmax_kernels_##isa, \
                at_peak_kernels_##isa                                                                     \
        }                                                                                                 \
    }

static const isa sets[] = {
    ATT_FILLS(portable),
#if defined(__x86_64__)
    ATT_FILLS(avx2),
    ATT_FILLS(avx512),
    ATT_FILLS(avx512_bf16),
#endif
};

enum { SETS = sizeof sets / sizeof *sets };

static bool runs_here(const char *name)
{
#if defined(__x86_64__)
    if (strcmp(name, "avx2") == 0) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(name, "avx512_bf16") == 0) return runs_here("avx512") && __builtin_cpu_supports("avx512bf16");
    if (strcmp(name, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
    return strcmp(name, "portable") == 0;
}

bool at_kernels_fill(at_kernels *table, const char *name)
{
    const isa *chosen = NULL;
    for (int i = 0; i < SETS; i++)
        if ((name == NULL || strcmp(name, sets[i].name) == 0) && runs_here(sets[i].name)) chosen = &sets[i];
    if (chosen == NULL) return false;
    memset(table, 0, sizeof *table);
    table->isa = chosen->name;
    for (int i = 0; i < FILES; i++) chosen->fill[i](table);
    return true;
}

int at_kernels_names(const char **names, int max)
{
    int count = 0;
    for (int i = 0; i < SETS && count < max; i++)
        if (runs_here(sets[i].name)) names[count++] = sets[i].name;
    return count;
}

bool at_kernels_bf16_native(const at_kernels *table)
{
    return strcmp(table->isa, "avx512_bf16") == 0;
}
