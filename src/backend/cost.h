/* What a call of a backend costs: floating-point operations, and the bytes that it has to move at least. The one place
 * of these formulas; the null backend and the profile count with them.
 *
 * FLOP are those of products and attention, a multiply and an add counted as two; row operations are bound by memory
 * and count none. Bytes are inputs and outputs, each once: an output that is added to (beta 1) is read and written.
 * All count as float32, packed weights too, which take half of that in bfloat16.
 * Arguments are those of the call (backend.h). */
#ifndef ATT_BACKEND_COST_H
#define ATT_BACKEND_COST_H

#include "backend/backend.h"

typedef struct at_cost {
    double flop, bytes;
} at_cost;

/* Of memory alone: so many floats read or written. */
at_cost at_cost_floats(int64_t floats);
at_cost at_cost_pack(const at_weight *w);
at_cost at_cost_linear_fwd(const float *keep, const at_weight *w, const float *b, int64_t m);
at_cost at_cost_linear_bwd(const float *dx, float beta_x, const float *dw, float beta_w, const float *db,
                           const at_weight *w, int64_t m, at_act act);
at_cost at_cost_attention_fwd(const float *lse, const at_attention_args *args);
at_cost at_cost_attention_bwd(const float *dq, float beta_q, const float *dk, const float *dv, float beta_kv,
                              const at_attention_args *args);
at_cost at_cost_layer_norm_fwd(const float *stat, int64_t n, int64_t d);
at_cost at_cost_layer_norm_bwd(const float *dx, float beta_x, int64_t n, int64_t d);
at_cost at_cost_dropout_fwd(const float *residual, int64_t n);
at_cost at_cost_dropout_bwd(float beta, int64_t n);
at_cost at_cost_swiglu_fwd(int64_t n, int64_t f);
at_cost at_cost_swiglu_bwd(float beta, int64_t n, int64_t f);
at_cost at_cost_embed_fwd(const float *positions, int64_t n, int64_t d);
at_cost at_cost_embed_bwd(float beta, int64_t n, int64_t d, int64_t v);
at_cost at_cost_linear_cross_entropy(const float *dx, const float *dw, const float *db, const at_weight *w,
                                     const float *b, int64_t n);
at_cost at_cost_axpy(float beta, int64_t n);
at_cost at_cost_optimize(const float *m, const float *v, int64_t n);

#endif
