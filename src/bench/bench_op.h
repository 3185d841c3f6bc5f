/* Speed of single ops: the rows of op_cases.h that have a `repeat`, with so many times their rows. */
#ifndef ATT_BENCH_BENCH_OP_H
#define ATT_BENCH_BENCH_OP_H

#include <attend/profile.h>

#include "base/option.h"

typedef struct at_bench_op_options {
    char *op;       /* only cases of this op; NULL: all */
    double seconds; /* of each case, at least */
    int64_t threads;
} at_bench_op_options;

extern const at_option at_bench_op_table[];

/* One direction of a case. */
typedef struct at_bench_op_row {
    char name[160]; /* "linear 2x512x2048 bias relu, x 1024" */
    at_profile_row cost;
} at_bench_op_row;

enum { ATT_BENCH_OP_ROWS = 128 };

typedef struct at_bench_ops {
    at_bench_op_row row[ATT_BENCH_OP_ROWS];
    int count;
    at_peak peak;
} at_bench_ops;

/* ATT_OPTION: no case of that op. */
at_status at_bench_op_run(at_bench_ops *ops, const at_bench_op_options *options, at_error *err);

#endif
