/* A library's matrix product to compare with: oneDNN's dnnl_sgemm in a build with ATTEND_BENCH_ONEDNN, else none. */
#ifndef ATT_BENCH_PEER_SGEMM_H
#define ATT_BENCH_PEER_SGEMM_H

#include <stdbool.h>
#include <stdint.h>

/* "dnnl_sgemm", or NULL: this build has none. */
const char *at_peer_sgemm_name(void);
/* Threads that its calls from this thread use from now on. */
void at_peer_sgemm_threads(int threads);
/* C (M,N) = A' B', all row-major; A is (K,M) where transpose_a, B is (N,K) where transpose_b. False: it failed, or there is none. */
bool at_peer_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float *a, const float *b,
                   float *c);

#endif
