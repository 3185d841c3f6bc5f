/* Runs a row of op_cases.h on a backend: fills it with random numbers, records the op, goes backward. For the tests and
 * for the benchmark; works through the backend struct alone, so on any device. */
#ifndef ATT_BENCH_OP_RUN_H
#define ATT_BENCH_OP_RUN_H

#include "bench/op_cases.h"
#include "op/op.h"
#include "tape/params.h"

enum { OP_INPUTS = 3 };

typedef struct op_matrix {
    const char *name; /* NULL: the case has no such input */
    int64_t rows, width;
    bool vector; /* rank 1 */
    float *data;
} op_matrix;

/* A case filled with numbers (host). in[] stands in the order of the op's record. */
typedef struct op_problem {
    const op_case *c;
    op_matrix in[OP_INPUTS],
        out; /* out: the shape, and the gradient that comes from above; empty where the op is the loss */
    int32_t *ids, *positions;    /* embed, and the loss's targets in ids */
    int64_t count, *query, *key; /* attention: B, offsets of the sequences */
    uint64_t rng, draw;          /* key of the step, and of its first op that draws */
    float scale;                 /* of embed, and the gradient's scale of the loss */
} op_problem;

at_status op_problem_new(op_problem **problem, const op_case *c, uint64_t seed, at_error *err);
void op_problem_free(op_problem *p);
/* "layer_norm" */
const char *op_name(op_kind op);
/* "linear 13x17x33 bias gelu" */
void op_case_print(const op_case *c, char *text, int size);

static inline int64_t op_matrix_floats(const op_matrix *m)
{
    return m->name ? m->rows * m->width : 0;
}

/* An op_problem on a backend. Inputs are parameters, so their gradients stay readable: session.in[i]->grad. */
typedef struct op_session {
    const op_problem *problem;
    at_params params;
    at_ctx ctx;
    at_tensor *in[OP_INPUTS], *out;
    at_loss loss;
    float *above;   /* device copy of problem->out.data */
    float *weights; /* host: where attention writes its weights, or NULL */
    int64_t *weight_offset;
} op_session;

/* op_session_free also after a failure. */
at_status op_session_init(op_session *s, at_backend *be, const op_problem *p, at_error *err);
void op_session_free(op_session *s);
/* Begins a step and records the op. */
void op_session_forward(op_session *s);
/* Spreads the gradient; once for each forward. */
void op_session_backward(op_session *s);

#endif
