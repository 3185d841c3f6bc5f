/* What the kernels must compute, written once more from the formulas in slow double precision, sharing no code with
 * them. */
#ifndef ATT_TESTS_REFERENCE_H
#define ATT_TESTS_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/backend.h"

double ref_act(double x, at_act act);
/* y (M,N) = act(x W + b)   x (M,K)  W (K,N), or (N,K) when transposed  b (N) or NULL */
void ref_linear(double *y, const double *x, const double *w, bool transposed, const double *b, int64_t m, int64_t k,
                int64_t n, at_act act);
/* o = softmax(scale q k^T) v, by the strides, spans, mask and dropout of args; a row that sees nothing is zero. weights
 * (each sequence, head, query, key, one after the other; before dropout) may be NULL. */
void ref_attention(double *o, double *weights, const double *q, const double *k, const double *v,
                   const at_attention_args *args);
void ref_layer_norm(double *y, const double *x, const double *gamma, const double *beta, int64_t n, int64_t d,
                    double eps);
/* Whether the mask of a key drops the element: one hash an element. */
bool ref_drops(uint64_t key, uint64_t index, float rate);
/* y = residual + dropout(x); residual may be NULL. */
void ref_dropout(double *y, const double *residual, const double *x, int64_t n, float rate, uint64_t key);
void ref_swiglu(double *y, const double *x, int64_t n, int64_t f);
void ref_embed(double *y, const double *table, const int32_t *ids, double scale, const double *positions,
               const int32_t *position_of, int64_t n, int64_t d);
/* Label-smoothed loss of one row of V logits; nll (may be NULL) is the plain one. */
double ref_cross_entropy(double *nll, const double *logits, int64_t v, int32_t target, double smoothing);

#endif
