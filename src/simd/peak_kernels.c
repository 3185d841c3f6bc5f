/* The kernel of the peak measurement: nothing but fused multiply-adds, in as many independent chains as it takes to keep
 * both units busy through the latency (4 to 5 cycles on today's processors). The portable set has no fused one and
 * multiplies, then adds. Contraction is on here as it is in gemm_kernels.c, whose rate this bounds. */
#include "simd/kernels.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif

#if defined(__AVX512F__)
enum { VL = 16, CHAINS = 20 };
#elif defined(__AVX2__)
enum { VL = 8, CHAINS = 12 };
#else
enum { VL = 4, CHAINS = 10 };
#endif
typedef float lanes __attribute__((vector_size(VL * sizeof(float))));

#define ATT_UNROLL _Pragma("GCC unroll 20")

/* c = c * x + y in each chain, which tends to y / (1 - x): no value grows or becomes denormal. The chains begin with different values
 * that the compiler doesn't know, or it would compute one of them. */
static double fma_chains(float *sink, int64_t rounds)
{
    lanes chain[CHAINS], sum = {0};
    const lanes x = sink[0] - (lanes){0}, y = sink[1] - (lanes){0};
    ATT_UNROLL for (int c = 0; c < CHAINS; c++) chain[c] = sink[c % ATT_PEAK_SINK] * (float)(c + 1) - (lanes){0};
    for (int64_t i = 0; i < rounds; i++) {
        ATT_UNROLL for (int c = 0; c < CHAINS; c++) chain[c] = chain[c] * x + y;
    }
    ATT_UNROLL for (int c = 0; c < CHAINS; c++) sum += chain[c];
    sink[2] = sum[0];
    return 2.0 * VL * CHAINS * (double)rounds;
}

void ATT_GLUE(at_peak_kernels, ATT_ISA)(at_kernels *table)
{
    table->fma_chains = fma_chains;
}
