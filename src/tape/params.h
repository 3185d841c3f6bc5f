/* Parameters: one block of weights; gradient and optimizer moments share its layout, so the optimizer is one flat loop
 * and a checkpoint one write.
 *
 *   weights   | embedding | encoder.0.attention.qkv.weight | ... |     each tensor starts at a multiple of 16 floats
 *   gradient  |           |                                | ... |
 *   moment 1  |           |                                | ... |     where the optimizer has it (at_params_keep)
 *   moment 2  |           |                                | ... |     where the optimizer has it
 *   average   |           |                                | ... |     of the weights over updates, where it is wanted
 *
 * A model first declares its tensors (at_params_add), then the block is allocated, then initialised or loaded. */
#ifndef ATT_TAPE_PARAMS_H
#define ATT_TAPE_PARAMS_H

#include "backend/backend.h"
#include "base/arena.h"
#include "tape/tensor.h"

typedef enum at_init_kind {
    ATT_INIT_ZERO,
    ATT_INIT_ONE,
    ATT_INIT_NORMAL, /* N(0, scale^2) */
    ATT_INIT_UNIFORM /* U(-scale, scale) */
} at_init_kind;

typedef struct at_init {
    at_init_kind kind;
    float scale;
} at_init;

/* Glorot and Bengio 2010: U(-a, a), a = sqrt(6 / (fan_in + fan_out)). */
at_init at_init_xavier(int64_t fan_in, int64_t fan_out);

typedef struct at_params {
    at_backend *be;
    at_arena arena; /* tensors and names */
    at_tensor **tensor;
    at_init *init;
    int64_t *offset; /* of each tensor in the block, in floats */
    int count, capacity;
    int64_t floats;                     /* size of the block */
    float *data, *grad;                 /* device; the gradient only for training */
    float *moment1, *moment2, *average; /* device; only those that at_params_keep made */
    uint64_t version;                   /* raised by at_params_changed: packed copies of older versions are stale */
    bool failed;
} at_params;

void at_params_init(at_params *params, at_backend *be);
void at_params_free(at_params *params);
/* Declares a tensor of rank 1 (d1 = 0) or 2. Failures are sticky and reported by at_params_allocate. */
at_tensor *at_params_add(at_params *params, at_init init, int64_t d0, int64_t d1, const char *name_format, ...)
    ATT_PRINTF(5, 6);
/* Another rule for a declared tensor before at_params_draw. */
void at_params_set_init(at_params *params, const at_tensor *tensor, at_init init);
at_status at_params_allocate(at_params *params, bool training, at_error *err);
/* What training may keep beside the weights, each a block of their layout, zero at first. */
typedef enum at_params_state { ATT_STATE_MOMENT1 = 1, ATT_STATE_MOMENT2 = 2, ATT_STATE_AVERAGE = 4 } at_params_state;
/* Allocates the blocks that are wanted (at_params_state, joined by |) and not there yet. */
at_status at_params_keep(at_params *params, unsigned wanted, at_error *err);
/* The average takes the weights' place, and the weights the average's; the second call undoes the first. */
void at_params_swap_average(at_params *params);
/* The weights and the gradients exchange their memory, which training that is done doesn't need; the second call undoes the
 * first. */
void at_params_swap_gradient(at_params *params);
/* Draws every tensor from its rule; a function of the seed and of the tensor's name. */
at_status at_params_draw(at_params *params, uint64_t seed, at_error *err);
/* Numbers in all tensors, padding not counted. */
int64_t at_params_count(const at_params *params);
at_tensor *at_params_find(const at_params *params, const char *name);
/* Tells that weights were written: packed copies are made anew. */
void at_params_changed(at_params *params);
/* Gives the packed copies back (tape/weight.h); they are made anew where they are needed. */
void at_params_drop_panels(at_params *params);
/* The next contribution to each gradient assigns. */
void at_params_clear_grad(at_params *params);
/* Sets gradients that no op wrote since at_params_clear_grad to zero. */
void at_params_settle_grad(at_params *params);

#endif
