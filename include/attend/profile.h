/* Where the time of computing goes: what each operation did, and how much of the machine that is.
 *
 * A row is an operation and a direction; products are told apart by the shape of their weight. The rows and the one of
 * what happens outside all operations (reading text, building batches, the tape, writing files) sum to the whole. */
#ifndef ATTEND_PROFILE_H
#define ATTEND_PROFILE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct at_profile_row {
    const char *op;        /* "linear", "attention" ..; "outside": in no operation */
    const char *direction; /* "forward", "backward", "both"; "" where there's no such thing */
    int64_t m, k, n;       /* products: x (M,K) times W (K,N); m 0: batches of any M together. Others: 0 */
    int64_t calls;
    double seconds;
    double flop;  /* of products and attention, multiply and add counted as two */
    double bytes; /* the least that has to move: every input and output once, packed weights as float32 */
} at_profile_row;

/* What the processor can do at most, measured (at_cpu_peak in src/backend/backend.h says how). */
typedef struct at_peak {
    const char *isa; /* instruction set */
    int threads;
    double flop_s, bytes_s; /* fused multiply-adds in float32 as two, and memory; of the best time slice */
    double flop_s_median, bytes_s_median; /* over the time slices */
} at_peak;

typedef struct at_profile {
    const at_profile_row *rows; /* longest first, without those never called */
    int64_t count;
    double seconds; /* the whole: the sum over rows */
    at_peak peak;   /* of as many threads as computed */
} at_profile;

#ifdef __cplusplus
}
#endif
#endif
