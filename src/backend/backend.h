/* A backend is one struct of functions on raw device pointers. The CPU fills it, the null backend counts with it, a GPU
 * fills it later; nothing above knows which. All calls of one backend come from one thread at a time.
 *
 * Matrices are row-major float32. Dimensions: N tokens of a packed batch, D width, H heads, K head width, F feed-forward width,
 * V vocabulary; M, N, K in products. A gradient is `d` + name. Every gradient output has a beta: 0 assigns, 1 adds; a NULL
 * gradient output means that nobody wants it. Pointers to row boundaries (at_spans), ids and parameter structs are host
 * memory; everything else is device memory from alloc.
 *
 * Failure is sticky: `failed` is set when an allocation inside a call fails, and the caller checks it once a step. */
#ifndef ATT_BACKEND_BACKEND_H
#define ATT_BACKEND_BACKEND_H

#include <attend/profile.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/act.h"
#include "base/fail.h"

typedef struct at_backend at_backend;

/* A weight as products read it: plain (K,N) row-major, and layouts derived from it (see pack). */
typedef struct at_weight {
    const float *plain;    /* (K,N) row-major, or (N,K) when transposed */
    const float *packed;   /* panels for x W, from pack; NULL when absent */
    const float *packed_t; /* panels for y W^T, from pack; NULL when absent */
    int64_t k, n;          /* logical shape: W is (K,N) */
    bool transposed;       /* plain holds W^T: a tied output table is the embedding (V,D) read as (D,V) */
} at_weight;

/* Rows of each sequence: begin[b] .. end[b]. For a packed batch begin = offset, end = offset + 1. */
typedef struct at_spans {
    const int64_t *begin, *end;
} at_spans;

/* Scaled dot-product attention with H heads (Vaswani et al. 2017, section 3.2) over packed sequences. q, k, v, o are matrices
 * with row strides ldq .. ldo whose columns h*K .. (h+1)*K belong to head h. */
typedef struct at_attention_args {
    int64_t count; /* B sequences */
    at_spans query, key;
    int64_t heads, head_width;
    int64_t ldq, ldk, ldv, ldo;
    float scale; /* of the scores, K^-1/2 */
    bool causal; /* query i of a sequence sees keys 0 .. i + (keys - queries) */
    float dropout;
    uint64_t key_rng;
    /* On request: the weights after softmax, before dropout; sequence b, head h at weights + weight_offset[b] + h * queries * keys. */
    float *weights;
    const int64_t *weight_offset;
} at_attention_args;

typedef enum at_optimizer {
    ATT_OPTIMIZER_ADAM,
    ATT_OPTIMIZER_ADAMW,
    ATT_OPTIMIZER_RMSPROP,
    ATT_OPTIMIZER_SGD
} at_optimizer;

/* One update by an optimizer; formulas and sources are in simd/row_kernels.c. */
typedef struct at_optimize_args {
    at_optimizer optimizer;
    float rate, beta1, beta2, eps; /* beta1: Adam's alone; beta2 and eps: Adam's and RMSProp's */
    int64_t step;                  /* from 1; for Adam's bias correction */
    float gradient_scale;          /* clipping */
    float momentum;                /* RMSProp's and SGD's */
    float decay;                   /* of weights: AdamW's is decoupled, the others add decay * w to the gradient */
} at_optimize_args;

struct at_backend {
    const char *name;
    bool failed;
    bool only_counts; /* the null backend: what is asked for counts as used, so nobody asks for a reserve */
    void (*free)(at_backend *be);

    void *(*alloc)(at_backend *be, size_t bytes); /* 64-byte aligned; NULL when there is none */
    void (*release)(at_backend *be, void *memory, size_t bytes);
    void (*upload)(at_backend *be, void *to, const void *from, size_t bytes);
    void (*download)(at_backend *be, void *to, const void *from, size_t bytes);
    void (*zero)(at_backend *be, float *x, int64_t n);

    /* Floats that a packed copy needs, and the copy: for x W (transposed false) or y W^T (true). */
    int64_t (*pack_size)(at_backend *be, const at_weight *w, bool transposed);
    void (*pack)(at_backend *be, float *packed, const at_weight *w, bool transposed);

    /* y = act(x W + b)   x (M,K)  y (M,N)  b (N) or NULL;  keep (M,N) or NULL receives x W + b. Needs w.packed. */
    void (*linear_fwd)(at_backend *be, float *y, float *keep, const float *x, const at_weight *w, const float *b,
                       int64_t m, at_act act);
    /* dy becomes dz = dy * act'(kept) in place; then dx = dz W^T (needs w.packed_t), dW = x^T dz in plain's layout, db = column sums. */
    void (*linear_bwd)(at_backend *be, float *dx, float beta_x, float *dw, float beta_w, float *db, float beta_b,
                       float *dy, const float *kept, const float *x, const at_weight *w, int64_t m, at_act act);

    /* lse (N,H) receives max + log of the sum of exponentials of each row, for the backward. NULL in inference. */
    void (*attention_fwd)(at_backend *be, float *o, float *lse, const float *q, const float *k, const float *v,
                          const at_attention_args *args);
    /* dq, dk, dv have the strides of q, k, v; each is written whole (beta) where not NULL. */
    void (*attention_bwd)(at_backend *be, float *dq, float beta_q, float *dk, float *dv, float beta_kv,
                          const float *d_o, const float *o, const float *lse, const float *q, const float *k,
                          const float *v, const at_attention_args *args);

    /* Layer normalisation over D (Ba et al. 2016); stat (N,2) receives mean and 1/deviation. */
    void (*layer_norm_fwd)(at_backend *be, float *y, float *stat, const float *x, const float *gamma, const float *beta,
                           int64_t n, int64_t d, float eps);
    void (*layer_norm_bwd)(at_backend *be, float *dx, float beta_x, float *dgamma, float beta_gamma, float *dbeta,
                           float beta_beta, const float *dy, const float *x, const float *stat, const float *gamma,
                           int64_t n, int64_t d);

    /* y = residual + dropout(x) over n floats; residual may be NULL. The mask is a function of (key, index). */
    void (*dropout_fwd)(at_backend *be, float *y, const float *residual, const float *x, int64_t n, float rate,
                        uint64_t key);
    void (*dropout_bwd)(at_backend *be, float *dx, float beta, const float *dy, int64_t n, float rate, uint64_t key);

    /* y (N,F) = swish(x[:, :F]) * x[:, F:]   x (N,2F) */
    void (*swiglu_fwd)(at_backend *be, float *y, const float *x, int64_t n, int64_t f);
    void (*swiglu_bwd)(at_backend *be, float *dx, float beta, const float *dy, const float *x, int64_t n, int64_t f);

    /* y (N,D): y[i] = scale * table[ids[i]] + positions[position_of[i]]; positions (P,D) or NULL. */
    void (*embed_fwd)(at_backend *be, float *y, const float *table, const int32_t *ids, float scale,
                      const float *positions, const int32_t *position_of, int64_t n, int64_t d);
    /* dtable[row[i]] (+)= scale * dy[i] in ascending order of i; with beta 0 the whole (V,D) table is assigned. */
    void (*embed_bwd)(at_backend *be, float *dtable, float beta, const float *dy, const int32_t *rows, float scale,
                      int64_t n, int64_t d, int64_t v);

    /* Loss over a vocabulary without storing logits: logits = x W + b in blocks of rows, label-smoothed cross-entropy (smoothing
     * over the whole vocabulary). loss and nll (host, N doubles each; nll may be NULL) are per row, not scaled. Where dx and dw are
     * not NULL they are assigned the gradients of grad_scale * sum(loss): dx (N,D), dW in plain's layout, db. */
    void (*linear_cross_entropy)(at_backend *be, double *loss, double *nll, float *dx, float *dw, float *db,
                                 const float *x, const at_weight *w, const float *b, const int32_t *targets, int64_t n,
                                 float smoothing, float grad_scale);

    /* y = a x + beta y */
    void (*axpy)(at_backend *be, float *y, float beta, const float *x, float a, int64_t n);
    /* Updates n weights in place, and the moments that the optimizer has: m, Adam's first moment or the momentum (NULL:
     * none), and v, Adam's and RMSProp's second moment (SGD: NULL). */
    void (*optimize)(at_backend *be, float *w, float *m, float *v, const float *g, int64_t n,
                     const at_optimize_args *args);
    double (*sum_squares)(at_backend *be, const float *x, int64_t n);
    /* to[to_row[i]] = from[from_row[i]] for n rows of d floats, row strides ld_to and ld_from; a NULL index means i. */
    void (*copy_rows)(at_backend *be, float *to, int64_t ld_to, const int32_t *to_row, const float *from,
                      int64_t ld_from, const int32_t *from_row, int64_t n, int64_t d);
    /* In place, each of n rows of v floats. */
    void (*log_softmax)(at_backend *be, float *x, int64_t n, int64_t v);
    /* The k best (k <= v) of each of n rows of v logits under softmax, best first, equal ones by ascending id: ids and log_probs
     * are host memory, (n,k). Where a row has fewer than k above -inf (none when it holds a NaN), ids end in -1 and log_probs in
     * -inf. The logits are used up. */
    void (*top_k)(at_backend *be, int32_t *ids, float *log_probs, float *logits, int64_t n, int64_t v, int64_t k);
};

/* Instruction sets: those that this build has and this processor runs, best last (returns their number, at most max), and the
 * one that a backend made with isa NULL would use. ATT_UNSUPPORTED when ATTEND_ISA names none of them. */
int at_cpu_isa_list(const char **names, int max);
at_status at_cpu_isa_default(const char **name, at_error *err);

/* The CPU backend. threads 0: see at_cpu_count. isa NULL: what the environment variable ATTEND_ISA
 * names, else the best this processor has; "portable", "avx2", "avx512", "avx512_bf16". */
at_status at_cpu_backend_new(at_backend **be, int threads, const char *isa, at_error *err);

/* Measures what the processor can do at most, with each of `count` numbers of threads (0: at_cpu_count) in turn, slice by slice, so
 * that a drift of the machine meets all of them alike: fused multiply-adds in registers, and memory by adding one array to
 * another in place, 75 MB together. Takes some 0.1 s a number. isa as in at_cpu_backend_new. */
at_status at_cpu_peak(at_peak *peak, const int *threads, int count, const char *isa, at_error *err);

/* The largest sizes of calls that decide how much memory a backend takes for itself. */
typedef struct at_scratch_sizes {
    int64_t keys, head_width; /* of an attention */
    int64_t rows, width;      /* of a norm */
    int64_t vocabulary;       /* of a loss */
} at_scratch_sizes;

/* Bytes that the CPU backend takes for itself with so many threads (0: the default). */
size_t at_cpu_scratch_bytes(const at_scratch_sizes *sizes, int threads);
/* Bytes that a block of its memory takes: whole cache lines, or whole huge pages where it is large. */
size_t at_cpu_block_bytes(size_t bytes);
/* Floats of its packed copy of w, for x W or y W^T (transposed); per_word: elements along the depth in 32 bits. */
int64_t at_cpu_pack_floats(const at_weight *w, bool transposed, int64_t per_word);

/* How linear layers and the loss multiply, forward and backward: in float32, or with operands rounded to bfloat16 and sums in
 * float32 (mixed precision; Kalamkar et al. 2019, A Study of BFLOAT16 for Deep Learning Training). Matrices stay float32, only packed
 * weights take half the memory. */
typedef enum at_precision { ATT_PRECISION_FLOAT32, ATT_PRECISION_BF16, ATT_PRECISION_BF16_EMULATED } at_precision;
extern const char *const at_precision_names[]; /* ended by NULL */

/* Precision of a CPU backend, float32 at first. To be called before any weight is packed. ATT_UNSUPPORTED: BF16 on an
 * instruction set without bfloat16 products; BF16_EMULATED does the same there, with float32 arithmetic: for tests. */
at_status at_cpu_backend_set_precision(at_backend *be, at_precision precision, at_error *err);
/* Both: the default instruction set in that precision. */
at_status at_cpu_backend_with_precision(at_backend **be, int threads, at_precision precision, at_error *err);
/* Whether there is such a backend, without making it: ATT_UNSUPPORTED as above, or for ATTEND_ISA. */
at_status at_cpu_check_precision(at_precision precision, at_error *err);

/* What the null backend counted. Its pointers must not be read. */
typedef struct at_null_counts {
    size_t bytes, peak_bytes; /* device memory held now, and at most since the last at_null_backend_forget_peak */
    at_scratch_sizes scratch;
    double flop; /* of products and attention, multiply and add counted as two */
} at_null_counts;
/* The backend counts for one of this precision. */
at_status at_null_backend_new(at_backend **be, at_precision precision, at_error *err);
at_null_counts at_null_backend_counts(const at_backend *be);
void at_null_backend_forget_peak(at_backend *be);

#endif
