/* See peer_sgemm.h. */
#include "bench/peer_sgemm.h"

#include <stddef.h>

#ifdef ATTEND_BENCH_ONEDNN
#include <dnnl.h>
#include <omp.h>

const char *at_peer_sgemm_name(void)
{
    return "dnnl_sgemm";
}

void at_peer_sgemm_threads(int threads)
{
    omp_set_num_threads(threads);
}

bool at_peer_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
                   float *c)
{
    return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1, a, transpose_a ? m : k, b,
                      transpose_b ? k : n, 0, c, n) == dnnl_success;
}
#else
const char *at_peer_sgemm_name(void)
{
    return NULL;
}

void at_peer_sgemm_threads(int threads)
{
    (void)threads;
}

bool at_peer_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
                   float *c)
{
    (void)transpose_a, (void)transpose_b, (void)m, (void)n, (void)k, (void)a, (void)b, (void)c;
    return false;
}
#endif
