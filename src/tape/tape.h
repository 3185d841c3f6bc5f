/* Context and tape. An op computes at once and, while recording, pushes one record; at_backward() goes through the records in
 * reverse. Records are coarse (a few hundred a step), each with a hand-written backward.
 *
 * Memory of a step: `host` holds tensors, records and small arrays; the device areas the activations; all are reset by
 * at_ctx_begin(). Gradients of activations come from a pool inside `outer` and return to it once their producer has been
 * gone through, and so does the activation itself, which nobody reads any more:
 *
 *   forward:   x -> [linear] -> h -> [norm] -> y -> [loss]
 *   backward:                        dh <- [norm] <- dy     dy and y return to the pool after norm's backward,
 *              dx <- [linear] <- dh                         and may serve as dx
 *
 * First write assigns: a backward asks at_grad() for a buffer and a beta, 0 for the first contribution and 1 after, and writes
 * the whole gradient (beta * old + new). Nothing is cleared beforehand.
 *
 * Recomputation of activations (Chen et al. 2016, section 4): what is computed between at_segment_begin() and
 * at_segment_end(), a segment, lies in the area `inner`, which the next segment takes over. Only the segment's output is
 * copied to `outer`. The records stay, and when at_backward() comes to them it runs their forwards again, those whose
 * results a backward reads, from arguments and keys of random numbers as they were: the same bits.
 *
 *   outer   | x0 | x1 | x2 | ... | states | loss          a layer's output each, then gradients
 *   inner   | norm qkv attention ... of one layer   |     reset by each segment, filled again by each replay  */
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
    /* Writes the data of record->out and record->side; also called again, see above. NULL for an op that ends a tape and is
     * computed by its caller. */
    void (*forward)(at_ctx *ctx, const at_record *record);
    void (*backward)(at_ctx *ctx, const at_record *record);
} at_op;

/* What a backward reads of the forward's data, joined by |: inputs 0 to 3, the output, its sign alone (the slope of ReLU
 * survives a dropout that is written over it), and side. */
typedef enum at_reads {
    ATT_READS_IN0 = 1,
    ATT_READS_IN1 = 2,
    ATT_READS_OUT = 16,
    ATT_READS_SIGN = 32,
    ATT_READS_SIDE = 64
} at_reads;

struct at_record {
    const at_op *op;
    at_tensor *in[ATT_RECORD_IN]; /* NULL where an optional input is absent */
    at_tensor *out;
    at_tensor *side;  /* what the forward keeps for the backward beside its output; NULL: nothing */
    at_tensor *over;  /* the input whose memory out takes; NULL: out has its own */
    const void *args; /* the op's own, in ctx->host */
    unsigned reads;   /* at_reads */
    at_record *previous;
};

typedef struct at_device_chunk {
    char *data;
    size_t bytes, used;
    struct at_device_chunk *next;
} at_device_chunk;

/* Device memory that is handed out in order and taken back all at once, or down to a mark. */
typedef struct at_device_area {
    at_device_chunk *chunks, *current;
    size_t used, peak; /* bytes handed out, now and at most */
} at_device_area;

typedef struct at_device_mark {
    at_device_chunk *chunk;
    size_t chunk_used, used;
} at_device_mark;

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
    at_device_area outer, inner; /* see above */
    at_device_area *area;        /* the one that activations come from now */
    at_free_block *free_blocks;  /* in outer */
    at_record *last;
    bool recompute;    /* whoever owns the context sets it: segments are computed again while recording */
    bool recording;    /* push records */
    bool training;     /* dropout is on */
    int64_t segment;   /* number of the open segment, from 1; 0: none */
    int64_t segments;  /* opened so far */
    at_record *before; /* of the open segment: the last record outside */
    int64_t held;      /* number of the segment whose data lie in inner; 0: none */
    uint64_t rng;      /* key of this micro-batch */
    uint64_t draws;    /* number of ops that drew from it: gives each its own key */
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

/* Device memory of this step, uninitialised; NULL (and a failed context) without memory. */
float *at_ctx_floats(at_ctx *ctx, int64_t floats);
/* What was taken after the mark is given back: for memory that an op needs only while it runs. Nothing that stays may have
 * been taken in between. */
at_device_mark at_ctx_save(const at_ctx *ctx);
void at_ctx_restore(at_ctx *ctx, at_device_mark mark);
/* Memory from outside of segments that nobody reads any more: it may serve as a gradient. */
void at_ctx_reuse(at_ctx *ctx, float *data, int64_t floats);
/* Gives all memory back to the backend, until the next at_ctx_begin(). */
void at_ctx_trim(at_ctx *ctx);
/* Host memory of this step. */
void *at_ctx_host(at_ctx *ctx, size_t bytes);

/* An activation (rows, width); at_apply sets needs_grad. Never NULL: without memory the context's failed flag is raised and data
 * is NULL. */
at_tensor *at_tensor_new(at_ctx *ctx, int64_t rows, int64_t width);
/* A tensor over memory that lives elsewhere (caches, constant tables), without gradient. */
at_tensor *at_tensor_wrap(at_ctx *ctx, float *data, int64_t rows, int64_t width);

/* Runs the op's forward and records it, when recording and some input needs a gradient; then out needs one too. args is
 * copied. Does nothing once the context has failed. Returns record->out. */
at_tensor *at_apply(at_ctx *ctx, const at_record *record, const void *args, size_t args_bytes);

/* Around a layer: its activations are given back at its end, and computed again when the backward needs them. Does nothing
 * while recording without ctx->recompute; without recording, the memory of one layer serves all. x: the layer's output,
 * which the returned tensor stands for from here on; of what lies between, nothing else may be used outside. Segments don't
 * nest. */
void at_segment_begin(at_ctx *ctx);
at_tensor *at_segment_end(at_ctx *ctx, at_tensor *x);

/* A tensor of x's shape in x's memory, for an op that writes over x: its record names x in `over`. */
at_tensor *at_tensor_over(at_ctx *ctx, const at_tensor *x);
/* Whether an op may write its output over x, which it reads for the last time. sign_stays: the output's sign is x's, or it is
 * zero with a gradient of zero. */
bool at_may_overwrite(const at_ctx *ctx, const at_tensor *x, bool sign_stays);

/* Where to write the gradient of t, and whether to assign (beta 0) or add (beta 1). NULL when t (or its gradient) isn't wanted. */
float *at_grad(at_ctx *ctx, at_tensor *t, float *beta);

/* Hands the gradient of a record's output on to an input of the same size instead of copying it; the output has none afterwards,
 * but its values stay until the record's backward returns. False, and nothing done, where the input has a part of its gradient already. */
bool at_grad_pass(at_tensor *out, at_tensor *in);

/* Goes back from the last record, whose output is the loss and starts with gradient 1 (folded into its op). */
void at_backward(at_ctx *ctx);

#endif
