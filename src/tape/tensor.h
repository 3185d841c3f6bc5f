/* Tensor: shape, data, gradient. Plain data in an arena; nothing is freed one by one. float32 on the backend's device. */
#ifndef ATT_TAPE_TENSOR_H
#define ATT_TAPE_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

enum { ATT_MAX_RANK = 4 };

/* Packed copies of a parameter for products, made when first needed after each change of the weights. Slot 0: panels whose
 * columns are columns of the plain matrix; slot 1: panels whose columns are its rows (see at_weight). */
typedef struct at_panels {
    float *data[2];
    int64_t floats[2];
    uint64_t version[2]; /* at_params.version they were made from; 0: never */
} at_panels;

typedef struct at_tensor {
    int rank;
    int64_t dim[ATT_MAX_RANK]; /* outermost first, row-major */
    float *data;
    float *grad;     /* parameters: fixed; activations: NULL until the first contribution */
    bool needs_grad; /* on the path from a parameter to the loss */
    bool grad_set;   /* the gradient holds a contribution: the next one adds */
    bool is_param;
    bool own;                /* its data is memory of the step */
    bool live;               /* its data is read in the backward, see at_backward */
    unsigned char kept;      /* at_reads OUT or SIGN: a backward reads its data, or its sign */
    int64_t segment;         /* where its data lies: number of the segment (tape.h), or 0 */
    at_panels *panels;       /* parameters only */
    const uint64_t *version; /* parameters only: at_params.version */
    const char *name;        /* parameters only */
} at_tensor;

static inline int64_t at_tensor_floats(const at_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

/* Rows of a matrix: all but the last dimension. */
static inline int64_t at_tensor_rows(const at_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < t->rank; i++) n *= t->dim[i];
    return n;
}

static inline int64_t at_tensor_width(const at_tensor *t)
{
    return t->dim[t->rank - 1];
}

#endif
