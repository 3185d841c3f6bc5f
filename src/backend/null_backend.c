/* The null backend: allocates numbers instead of memory and counts instead of computing. A step run on it tells bytes and FLOP before the
 * first real step, and proves that nothing above the backend looks behind its pointers. */
#include "backend/backend.h"

#include <stdlib.h>

#include "backend/cost.h"

typedef struct null_backend {
    at_backend base;
    at_null_counts counts;
    uintptr_t next;   /* address that the next allocation pretends to be at */
    int64_t per_word; /* elements along the depth of a product in a word of 32 bits */
} null_backend;

static null_backend *null_of(at_backend *be)
{
    return (null_backend *)be;
}

static void count(at_backend *be, at_cost cost)
{
    null_of(be)->counts.flop += cost.flop;
}

static void note_size(int64_t *largest, int64_t size)
{
    if (size > *largest) *largest = size;
}

static void null_free(at_backend *be)
{
    free(be);
}

static void *null_alloc(at_backend *be, size_t bytes)
{
    null_backend *null = null_of(be);
    const uintptr_t at = null->next;
    null->next += (bytes + 63) / 64 * 64;
    null->counts.bytes += at_cpu_block_bytes(bytes);
    if (null->counts.bytes > null->counts.peak_bytes) null->counts.peak_bytes = null->counts.bytes;
    return (void *)at; /* never dereferenced */
}

static void null_release(at_backend *be, void *memory, size_t bytes)
{
    (void)memory;
    null_of(be)->counts.bytes -= at_cpu_block_bytes(bytes);
}

static void null_upload(at_backend *be, void *to, const void *from, size_t bytes)
{
    (void)be, (void)to, (void)from, (void)bytes;
}

/* What is read back from a device that computes nothing is zero. */
static void null_download(at_backend *be, void *to, const void *from, size_t bytes)
{
    (void)be, (void)from;
    for (size_t i = 0; i < bytes; i++) ((char *)to)[i] = 0;
}

static void null_zero(at_backend *be, float *x, int64_t n)
{
    (void)be, (void)x, (void)n;
}

static int64_t null_pack_size(at_backend *be, const at_weight *w, bool transposed)
{
    return at_cpu_pack_floats(w, transposed, null_of(be)->per_word);
}

static void null_pack(at_backend *be, float *packed, const at_weight *w, bool transposed)
{
    (void)be, (void)packed, (void)w, (void)transposed;
}

static void null_linear_fwd(at_backend *be, float *y, float *keep, const float *x, const at_weight *w, const float *b,
                            int64_t m, at_act act)
{
    (void)y, (void)x, (void)act;
    count(be, at_cost_linear_fwd(keep, w, b, m));
}

static void null_linear_bwd(at_backend *be, float *dx, float beta_x, float *dw, float beta_w, float *db, float beta_b,
                            float *dy, const float *kept, const float *x, const at_weight *w, int64_t m, at_act act)
{
    (void)beta_b, (void)dy, (void)kept, (void)x;
    count(be, at_cost_linear_bwd(dx, beta_x, dw, beta_w, db, w, m, act));
}

static void note_keys(at_backend *be, const at_attention_args *a)
{
    at_scratch_sizes *sizes = &null_of(be)->counts.scratch;
    for (int64_t b = 0; b < a->count; b++) note_size(&sizes->keys, a->key.end[b] - a->key.begin[b]);
    note_size(&sizes->head_width, a->head_width);
}

static void null_attention_fwd(at_backend *be, float *o, float *lse, const float *q, const float *k, const float *v,
                               const at_attention_args *args)
{
    (void)o, (void)q, (void)k, (void)v;
    note_keys(be, args);
    count(be, at_cost_attention_fwd(lse, args));
}

static void null_attention_bwd(at_backend *be, float *dq, float beta_q, float *dk, float *dv, float beta_kv,
                               const float *d_o, const float *o, const float *lse, const float *q, const float *k,
                               const float *v, const at_attention_args *args)
{
    (void)d_o, (void)o, (void)lse, (void)q, (void)k, (void)v;
    count(be, at_cost_attention_bwd(dq, beta_q, dk, dv, beta_kv, args));
}

static void null_layer_norm_fwd(at_backend *be, float *y, float *stat, const float *x, const float *gamma,
                                const float *beta, int64_t n, int64_t d, float eps)
{
    (void)y, (void)stat, (void)x, (void)gamma, (void)beta, (void)eps;
    note_size(&null_of(be)->counts.scratch.rows, n);
    note_size(&null_of(be)->counts.scratch.width, d);
}

static void null_layer_norm_bwd(at_backend *be, float *dx, float beta_x, float *dgamma, float beta_gamma, float *dbeta,
                                float beta_beta, const float *dy, const float *x, const float *stat, const float *gamma,
                                int64_t n, int64_t d)
{
    (void)be, (void)dx, (void)beta_x, (void)dgamma, (void)beta_gamma, (void)dbeta, (void)beta_beta, (void)dy, (void)x,
        (void)stat;
    (void)gamma, (void)n, (void)d;
}

static void null_dropout_fwd(at_backend *be, float *y, const float *residual, const float *x, int64_t n, float rate,
                             uint64_t key)
{
    (void)be, (void)y, (void)residual, (void)x, (void)n, (void)rate, (void)key;
}

static void null_dropout_bwd(at_backend *be, float *dx, float beta, const float *dy, int64_t n, float rate,
                             uint64_t key)
{
    (void)be, (void)dx, (void)beta, (void)dy, (void)n, (void)rate, (void)key;
}

static void null_swiglu_fwd(at_backend *be, float *y, const float *x, int64_t n, int64_t f)
{
    (void)be, (void)y, (void)x, (void)n, (void)f;
}

static void null_swiglu_bwd(at_backend *be, float *dx, float beta, const float *dy, const float *x, int64_t n,
                            int64_t f)
{
    (void)be, (void)dx, (void)beta, (void)dy, (void)x, (void)n, (void)f;
}

static void null_embed_fwd(at_backend *be, float *y, const float *table, const int32_t *ids, float scale,
                           const float *positions, const int32_t *position_of, int64_t n, int64_t d)
{
    (void)be, (void)y, (void)table, (void)ids, (void)scale, (void)positions, (void)position_of, (void)n, (void)d;
}

static void null_embed_bwd(at_backend *be, float *dtable, float beta, const float *dy, const int32_t *rows, float scale,
                           int64_t n, int64_t d, int64_t v)
{
    (void)be, (void)dtable, (void)beta, (void)dy, (void)rows, (void)scale, (void)n, (void)d, (void)v;
}

static void null_linear_cross_entropy(at_backend *be, double *loss, double *nll, float *dx, float *dw, float *db,
                                      const float *x, const at_weight *w, const float *b, const int32_t *targets,
                                      int64_t n, float smoothing, float grad_scale)
{
    (void)x, (void)targets, (void)smoothing, (void)grad_scale;
    note_size(&null_of(be)->counts.scratch.vocabulary, w->n);
    for (int64_t i = 0; i < n; i++) loss[i] = 0;
    for (int64_t i = 0; nll && i < n; i++) nll[i] = 0;
    count(be, at_cost_linear_cross_entropy(dx, dw, db, w, b, n));
}

static void null_axpy(at_backend *be, float *y, float beta, const float *x, float a, int64_t n)
{
    (void)be, (void)y, (void)beta, (void)x, (void)a, (void)n;
}

static void null_optimize(at_backend *be, float *w, float *m, float *v, const float *g, int64_t n,
                          const at_optimize_args *args)
{
    (void)be, (void)w, (void)m, (void)v, (void)g, (void)n, (void)args;
}

static double null_sum_squares(at_backend *be, const float *x, int64_t n)
{
    (void)be, (void)x, (void)n;
    return 0;
}

static void null_copy_rows(at_backend *be, float *to, int64_t ld_to, const int32_t *to_row, const float *from,
                           int64_t ld_from, const int32_t *from_row, int64_t n, int64_t d)
{
    (void)be, (void)to, (void)ld_to, (void)to_row, (void)from, (void)ld_from, (void)from_row, (void)n, (void)d;
}

static void null_log_softmax(at_backend *be, float *x, int64_t n, int64_t v)
{
    (void)be, (void)x, (void)n, (void)v;
}

/* The last ids: end tokens are among the first, and what is planned is a search that none of them ends. */
static void null_top_k(at_backend *be, int32_t *ids, float *log_probs, float *logits, int64_t n, int64_t v, int64_t k)
{
    (void)be, (void)logits;
    for (int64_t i = 0; i < n * k; i++) {
        ids[i] = (int32_t)(v - 1 - i % k);
        log_probs[i] = 0;
    }
}

at_status at_null_backend_new(at_backend **be, at_precision precision, at_error *err)
{
    null_backend *null = calloc(1, sizeof *null);
    if (null == NULL) return at_fail_memory(err, sizeof *null);
    null->next = 4096;
    null->per_word = precision == ATT_PRECISION_FLOAT32 ? 1 : 2;
    null->base = (at_backend){.name = "null",
                              .only_counts = true,
                              .free = null_free,
                              .alloc = null_alloc,
                              .release = null_release,
                              .upload = null_upload,
                              .download = null_download,
                              .zero = null_zero,
                              .pack_size = null_pack_size,
                              .pack = null_pack,
                              .linear_fwd = null_linear_fwd,
                              .linear_bwd = null_linear_bwd,
                              .attention_fwd = null_attention_fwd,
                              .attention_bwd = null_attention_bwd,
                              .layer_norm_fwd = null_layer_norm_fwd,
                              .layer_norm_bwd = null_layer_norm_bwd,
                              .dropout_fwd = null_dropout_fwd,
                              .dropout_bwd = null_dropout_bwd,
                              .swiglu_fwd = null_swiglu_fwd,
                              .swiglu_bwd = null_swiglu_bwd,
                              .embed_fwd = null_embed_fwd,
                              .embed_bwd = null_embed_bwd,
                              .linear_cross_entropy = null_linear_cross_entropy,
                              .axpy = null_axpy,
                              .optimize = null_optimize,
                              .sum_squares = null_sum_squares,
                              .copy_rows = null_copy_rows,
                              .log_softmax = null_log_softmax,
                              .top_k = null_top_k};
    *be = &null->base;
    return ATT_OK;
}

at_null_counts at_null_backend_counts(const at_backend *be)
{
    return ((const null_backend *)be)->counts;
}

void at_null_backend_forget_peak(at_backend *be)
{
    null_of(be)->counts.peak_bytes = null_of(be)->counts.bytes;
}
