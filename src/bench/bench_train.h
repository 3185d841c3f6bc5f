/* Speed of training steps. */
#ifndef ATT_BENCH_BENCH_TRAIN_H
#define ATT_BENCH_BENCH_TRAIN_H

#include <attend/profile.h>

#include "bench/bench_work.h"

typedef struct at_bench_train_result {
    double target_tokens_per_s; /* over all timed steps; an end token counts, a begin token doesn't */
    double best;                /* of one step */
    double ms_per_step;         /* median */
    double loss;                /* of the last step, nats a token */
    int64_t parameters;
    int64_t peak_mb; /* largest resident size of the process, 10^6 bytes */
    int threads;
    at_profile profile;   /* of the timed steps; no rows where none was asked for */
    at_profile_row *rows; /* malloc'ed: those of the profile */
} at_bench_train_result;

/* Three steps to warm up, then `steps` timed ones. options, of which sizes that are 0 are filled in, see bench_work.h. Free the
 * result's rows. */
at_status at_bench_train(at_bench_options *options, bool profile, at_bench_train_result *result, at_error *err);

#endif
