/* Context and tape. An op computes at once and, while recording, pushes one record; at_backward() replays the records in
 * reverse. Records are coarse (a few hundred a step), each with a hand-written backward.
 *
 * Memory of a step: `host` holds tensors, records and small arrays; `device` the activations, both reset by at_ctx_begin().
 * Gradients of activations come from a pool inside `device` and return to it once their producer has been replayed:
 *
 *   forward:   x -> [linear] -> h -> [norm] -> y -> [loss]
 *   backward:                        dh <- [norm] <- dy     dy returns to the pool after norm's backward,
 *              dx <- [linear] <- dh                         and may serve as dx
 *
 * First write assigns: a backward asks at_grad() for a buffer and a beta, 0 for the first contribution and 1 after, and writes
 * the whole gradient (beta * old + new). Nothing is cleared beforehand. */
#ifndef ATT_TAPE_TAPE_H
#define ATT_TAPE_TAPE_H

#include "backend/backend.h"
#include "base/arena.h"
#include "tape/tensor.h"

enum { ATT_RECORD_IN = 4, ATT_SPARE_TENSORS = 32 };

typedef struct at_ctx at_ctx;
typedef struct at_record at_record;

typedef struct at_op { /* one a kind of op, in op/ops.c */
    const char *name;
    void (*backward)(at_ctx *ctx, const at_record *record);
} at_op;

struct at_record {
    const at_op *op;
    at_tensor *in[ATT_RECORD_IN]; /* NULL where an optional input is absent */
    at_tensor *out;
    const void *args; /* the op's own, in ctx->host */
    at_record *previous;
};

typedef struct at_device_chunk {
    char *data;
    size_t bytes, used;
    struct at_device_chunk *next;
} at_device_chunk;

typedef struct at_free_block { /* a gradient buffer that waits for reuse */
    float *data;
    int64_t floats;
    struct at_free_block *next;
} at_free_block;

/* Asks one attention, known by what it reads, for its weights: see at_attention_args. Steps of decoding ask so, and no
 * architecture has to hand the request on. */
typedef struct at_attention_watch {
    const at_tensor *kv;
    float *weights;
    const int64_t *offset;
} at_attention_watch;

struct at_ctx {
    at_backend *be;
    const at_attention_watch *watch; /* NULL: nobody asks */
    at_arena host;
    at_device_chunk *chunks, *current;
    at_free_block *free_blocks;
    at_record *last;
    bool recording; /* push records */
    bool training;  /* dropout is on */
    uint64_t rng;   /* key of this micro-batch */
    uint64_t draws; /* number of ops that drew from it: gives each its own key */
    at_tensor spare
        [ATT_SPARE_TENSORS]; /* handed out in turn once memory is lacking, so that callers get shapes to go on with */
    unsigned spares;
};

void at_ctx_init(at_ctx *ctx, at_backend *be);
void at_ctx_free(at_ctx *ctx);
/* Forgets the last step. rng: key mixed from seed, step and micro-batch. */
void at_ctx_begin(at_ctx *ctx, bool recording, bool training, uint64_t rng);
/* ATT_MEMORY when an allocation failed since at_ctx_begin (sticky, checked once a step). */
at_status at_ctx_check(const at_ctx *ctx, at_error *err);
/* A key for one op's random numbers. */
uint64_t at_ctx_draw(at_ctx *ctx);

/* Device memory of this step, uninitialised. */
float *at_ctx_floats(at_ctx *ctx, int64_t floats);
/* Host memory of this step. */
void *at_ctx_host(at_ctx *ctx, size_t bytes);

/* An activation (rows, width); needs_grad is set by at_push. Never NULL: without memory the context's failed flag is raised and
 * data is NULL. */
at_tensor *at_tensor_new(at_ctx *ctx, int64_t rows, int64_t width);
/* A tensor over memory that lives elsewhere (caches, constant tables), without gradient. */
at_tensor *at_tensor_wrap(at_ctx *ctx, float *data, int64_t rows, int64_t width);

/* Records an op, when recording and some input needs a gradient; then out needs one too. Returns whether it was recorded. */
bool at_push(at_ctx *ctx, const at_op *op, at_tensor *out, const void *args, size_t args_bytes, int inputs,
             at_tensor *const *in);

/* Where to write the gradient of t, and whether to assign (beta 0) or add (beta 1). NULL when t (or its gradient) isn't wanted. */
float *at_grad(at_ctx *ctx, at_tensor *t, float *beta);

/* Hands the gradient of a record's output on to an input of the same size instead of copying it; the output has none afterwards,
 * but its values stay until the record's backward returns. False, and nothing done, where the input has a part of its gradient already. */
bool at_grad_pass(at_tensor *out, at_tensor *in);

/* Replays the tape from its last record, whose output is the loss and starts with gradient 1 (folded into its op). */
void at_backward(at_ctx *ctx);

#endif
