/* A weight as a product reads it: with its packed copies. While recording, weights change with every step, so a copy is made
 * where it is used, in memory of the step; else it stays with the parameter until the weights change. */
#ifndef ATT_TAPE_WEIGHT_H
#define ATT_TAPE_WEIGHT_H

#include "tape/params.h"
#include "tape/tape.h"

typedef enum at_pack { ATT_PACK_FORWARD = 1, ATT_PACK_BACKWARD = 2 } at_pack; /* x W, y W^T */

/* w with the copies that `packs` names, joined by |. transposed: the tensor is (N,K). Call at_ctx_save() before and
 * at_ctx_restore() after the product. Without memory the context has failed. */
at_weight at_param_weight(at_ctx *ctx, at_tensor *w, bool transposed, unsigned packs);

#endif
