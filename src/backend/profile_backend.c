/* See profile_backend.h. Rows 0 .. CALLS - 1 of the account belong to the kinds of calls; what is told apart by shape has
 * rows behind them, in the order of appearance, and goes to the kind's own row once there's no more room. */
#include "backend/profile_backend.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cost.h"
#include "base/clock.h"

/* clang-format off */
#define ATT_PROFILED(X)                                    \
    X(MEMORY, "memory", "")                                \
    X(UPLOAD, "upload", "")                                \
    X(DOWNLOAD, "download", "")                            \
    X(ZERO, "zero", "")                                    \
    X(PACK, "pack", "")                                    \
    X(LINEAR_FWD, "linear", "forward")                     \
    X(LINEAR_BWD, "linear", "backward")                    \
    X(ATTENTION_FWD, "attention", "forward")               \
    X(ATTENTION_BWD, "attention", "backward")              \
    X(LAYER_NORM_FWD, "layer_norm", "forward")             \
    X(LAYER_NORM_BWD, "layer_norm", "backward")            \
    X(DROPOUT_FWD, "dropout", "forward")                   \
    X(DROPOUT_BWD, "dropout", "backward")                  \
    X(SWIGLU_FWD, "swiglu", "forward")                     \
    X(SWIGLU_BWD, "swiglu", "backward")                    \
    X(EMBED_FWD, "embed", "forward")                       \
    X(EMBED_BWD, "embed", "backward")                      \
    X(LOSS, "linear_cross_entropy", "forward")             \
    X(LOSS_AND_GRADIENT, "linear_cross_entropy", "both")   \
    X(AXPY, "axpy", "")                                    \
    X(OPTIMIZE, "optimize", "")                            \
    X(SUM_SQUARES, "sum_squares", "")                      \
    X(COPY_ROWS, "copy_rows", "")                          \
    X(LOG_SOFTMAX, "log_softmax", "forward")               \
    X(TOP_K, "top_k", "forward")
/* clang-format on */

#define ATT_KIND(name, op, direction) name,
typedef enum call { ATT_PROFILED(ATT_KIND) CALLS } call;
#define ATT_NAMES(name, op, direction) {op, direction},
static const char *const names[][2] = {ATT_PROFILED(ATT_NAMES)};

enum { ROWS = 256 };

typedef struct profile_backend {
    at_backend base; /* first, so that at_backend * converts */
    at_backend *inner;
    at_profile_split split;
    double started; /* clock */
    at_profile_row row[ROWS];
    int rows;
    at_profile_row report[ROWS + 1]; /* what was read last: sorted, and with the row of the time outside */
} profile_backend;

static profile_backend *profile_of(at_backend *be)
{
    return (profile_backend *)be;
}

/* Before and after a call: `failed` is sticky, and whoever reports a failure takes it back. */
static at_backend *begin(at_backend *be, double *start)
{
    at_backend *inner = profile_of(be)->inner;
    inner->failed = be->failed;
    *start = at_clock();
    return inner;
}

static void add(at_backend *be, at_profile_row *row, double start, at_cost cost)
{
    row->seconds += at_clock() - start;
    row->calls++;
    row->flop += cost.flop;
    row->bytes += cost.bytes;
    be->failed = profile_of(be)->inner->failed;
}

static void end(at_backend *be, call kind, double start, at_cost cost)
{
    add(be, &profile_of(be)->row[kind], start, cost);
}

/* The row of a product of x (M,K) with that weight. */
static at_profile_row *row_of(profile_backend *p, call kind, int64_t m, const at_weight *w)
{
    if (p->split == ATT_PROFILE_WEIGHTS) m = 0;
    for (int i = CALLS; i < p->rows; i++) {
        at_profile_row *row = &p->row[i];
        if (row->op == names[kind][0] && row->direction == names[kind][1] && row->m == m && row->k == w->k &&
            row->n == w->n)
            return row;
    }
    if (p->rows == ROWS) return &p->row[kind];
    p->row[p->rows] = (at_profile_row){.op = names[kind][0], .direction = names[kind][1], .m = m, .k = w->k, .n = w->n};
    return &p->row[p->rows++];
}

static void end_product(at_backend *be, call kind, double start, int64_t m, const at_weight *w, at_cost cost)
{
    add(be, row_of(profile_of(be), kind, m, w), start, cost);
}

/* ---- the calls ---- */

static void profile_free(at_backend *be)
{
    at_backend *inner = profile_of(be)->inner;
    inner->free(inner);
    free(be);
}

static void *profile_alloc(at_backend *be, size_t bytes)
{
    double start;
    at_backend *inner = begin(be, &start);
    void *memory = inner->alloc(inner, bytes);
    end(be, MEMORY, start, (at_cost){0, 0});
    return memory;
}

static void profile_release(at_backend *be, void *memory, size_t bytes)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->release(inner, memory, bytes);
    end(be, MEMORY, start, (at_cost){0, 0});
}

static void profile_upload(at_backend *be, void *to, const void *from, size_t bytes)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->upload(inner, to, from, bytes);
    end(be, UPLOAD, start, (at_cost){0, 2 * (double)bytes});
}

static void profile_download(at_backend *be, void *to, const void *from, size_t bytes)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->download(inner, to, from, bytes);
    end(be, DOWNLOAD, start, (at_cost){0, 2 * (double)bytes});
}

static void profile_zero(at_backend *be, float *x, int64_t n)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->zero(inner, x, n);
    end(be, ZERO, start, at_cost_floats(n));
}

static int64_t profile_pack_size(at_backend *be, const at_weight *w, bool transposed)
{
    at_backend *inner = profile_of(be)->inner;
    return inner->pack_size(inner, w, transposed);
}

static void profile_pack(at_backend *be, float *packed, const at_weight *w, bool transposed)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->pack(inner, packed, w, transposed);
    end(be, PACK, start, at_cost_pack(w));
}

static void profile_linear_fwd(at_backend *be, float *y, float *keep, const float *x, const at_weight *w,
                               const float *b, int64_t m, at_act act)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->linear_fwd(inner, y, keep, x, w, b, m, act);
    end_product(be, LINEAR_FWD, start, m, w, at_cost_linear_fwd(keep, w, b, m));
}

static void profile_linear_bwd(at_backend *be, float *dx, float beta_x, float *dw, float beta_w, float *db,
                               float beta_b, float *dy, const float *kept, const float *x, const at_weight *w,
                               int64_t m, at_act act)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->linear_bwd(inner, dx, beta_x, dw, beta_w, db, beta_b, dy, kept, x, w, m, act);
    end_product(be, LINEAR_BWD, start, m, w, at_cost_linear_bwd(dx, beta_x, dw, beta_w, db, w, m, act));
}

static void profile_attention_fwd(at_backend *be, float *o, float *lse, const float *q, const float *k, const float *v,
                                  const at_attention_args *args)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->attention_fwd(inner, o, lse, q, k, v, args);
    end(be, ATTENTION_FWD, start, at_cost_attention_fwd(lse, args));
}

static void profile_attention_bwd(at_backend *be, float *dq, float beta_q, float *dk, float *dv, float beta_kv,
                                  const float *d_o, const float *o, const float *lse, const float *q, const float *k,
                                  const float *v, const at_attention_args *args)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->attention_bwd(inner, dq, beta_q, dk, dv, beta_kv, d_o, o, lse, q, k, v, args);
    end(be, ATTENTION_BWD, start, at_cost_attention_bwd(dq, beta_q, dk, dv, beta_kv, args));
}

static void profile_layer_norm_fwd(at_backend *be, float *y, float *stat, const float *x, const float *gamma,
                                   const float *beta, int64_t n, int64_t d, float eps)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->layer_norm_fwd(inner, y, stat, x, gamma, beta, n, d, eps);
    end(be, LAYER_NORM_FWD, start, at_cost_layer_norm_fwd(stat, n, d));
}

static void profile_layer_norm_bwd(at_backend *be, float *dx, float beta_x, float *dgamma, float beta_gamma,
                                   float *dbeta, float beta_beta, const float *dy, const float *x, const float *stat,
                                   const float *gamma, int64_t n, int64_t d)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->layer_norm_bwd(inner, dx, beta_x, dgamma, beta_gamma, dbeta, beta_beta, dy, x, stat, gamma, n, d);
    end(be, LAYER_NORM_BWD, start, at_cost_layer_norm_bwd(dx, beta_x, n, d));
}

static void profile_dropout_fwd(at_backend *be, float *y, const float *residual, const float *x, int64_t n, float rate,
                                uint64_t key)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->dropout_fwd(inner, y, residual, x, n, rate, key);
    end(be, DROPOUT_FWD, start, at_cost_dropout_fwd(residual, n));
}

static void profile_dropout_bwd(at_backend *be, float *dx, float beta, const float *dy, int64_t n, float rate,
                                uint64_t key)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->dropout_bwd(inner, dx, beta, dy, n, rate, key);
    end(be, DROPOUT_BWD, start, at_cost_dropout_bwd(beta, n));
}

static void profile_swiglu_fwd(at_backend *be, float *y, const float *x, int64_t n, int64_t f)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->swiglu_fwd(inner, y, x, n, f);
    end(be, SWIGLU_FWD, start, at_cost_swiglu_fwd(n, f));
}

static void profile_swiglu_bwd(at_backend *be, float *dx, float beta, const float *dy, const float *x, int64_t n,
                               int64_t f)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->swiglu_bwd(inner, dx, beta, dy, x, n, f);
    end(be, SWIGLU_BWD, start, at_cost_swiglu_bwd(beta, n, f));
}

static void profile_embed_fwd(at_backend *be, float *y, const float *table, const int32_t *ids, float scale,
                              const float *positions, const int32_t *position_of, int64_t n, int64_t d)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->embed_fwd(inner, y, table, ids, scale, positions, position_of, n, d);
    end(be, EMBED_FWD, start, at_cost_embed_fwd(positions, n, d));
}

static void profile_embed_bwd(at_backend *be, float *dtable, float beta, const float *dy, const int32_t *rows,
                              float scale, int64_t n, int64_t d, int64_t v)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->embed_bwd(inner, dtable, beta, dy, rows, scale, n, d, v);
    end(be, EMBED_BWD, start, at_cost_embed_bwd(beta, n, d, v));
}

static void profile_linear_cross_entropy(at_backend *be, double *loss, double *nll, float *dx, float *dw, float *db,
                                         const float *x, const at_weight *w, const float *b, const int32_t *targets,
                                         int64_t n, float smoothing, float grad_scale)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->linear_cross_entropy(inner, loss, nll, dx, dw, db, x, w, b, targets, n, smoothing, grad_scale);
    end_product(be, dx || dw ? LOSS_AND_GRADIENT : LOSS, start, n, w,
                at_cost_linear_cross_entropy(dx, dw, db, w, b, n));
}

static void profile_axpy(at_backend *be, float *y, float beta, const float *x, float a, int64_t n)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->axpy(inner, y, beta, x, a, n);
    end(be, AXPY, start, at_cost_axpy(beta, n));
}

static void profile_optimize(at_backend *be, float *w, float *m, float *v, const float *g, int64_t n,
                             const at_optimize_args *args)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->optimize(inner, w, m, v, g, n, args);
    end(be, OPTIMIZE, start, at_cost_optimize(m, v, n));
}

static double profile_sum_squares(at_backend *be, const float *x, int64_t n)
{
    double start;
    at_backend *inner = begin(be, &start);
    const double sum = inner->sum_squares(inner, x, n);
    end(be, SUM_SQUARES, start, at_cost_floats(n));
    return sum;
}

static void profile_copy_rows(at_backend *be, float *to, int64_t ld_to, const int32_t *to_row, const float *from,
                              int64_t ld_from, const int32_t *from_row, int64_t n, int64_t d)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->copy_rows(inner, to, ld_to, to_row, from, ld_from, from_row, n, d);
    end(be, COPY_ROWS, start, at_cost_floats(2 * n * d));
}

static void profile_log_softmax(at_backend *be, float *x, int64_t n, int64_t v)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->log_softmax(inner, x, n, v);
    end(be, LOG_SOFTMAX, start, at_cost_floats(2 * n * v));
}

static void profile_top_k(at_backend *be, int32_t *ids, float *log_probs, float *logits, int64_t n, int64_t v,
                          int64_t k)
{
    double start;
    at_backend *inner = begin(be, &start);
    inner->top_k(inner, ids, log_probs, logits, n, v, k);
    end(be, TOP_K, start, at_cost_floats(n * v));
}

/* ---- making and reading ---- */

at_status at_profile_backend_new(at_backend **be, at_backend *inner, at_profile_split split, at_error *err)
{
    profile_backend *p = calloc(1, sizeof *p);
    if (p == NULL) {
        inner->free(inner);
        return at_fail_memory(err, sizeof *p);
    }
    p->inner = inner;
    p->split = split;
    p->base = (at_backend){.name = inner->name,
                           .free = profile_free,
                           .alloc = profile_alloc,
                           .release = profile_release,
                           .upload = profile_upload,
                           .download = profile_download,
                           .zero = profile_zero,
                           .pack_size = profile_pack_size,
                           .pack = profile_pack,
                           .linear_fwd = profile_linear_fwd,
                           .linear_bwd = profile_linear_bwd,
                           .attention_fwd = profile_attention_fwd,
                           .attention_bwd = profile_attention_bwd,
                           .layer_norm_fwd = profile_layer_norm_fwd,
                           .layer_norm_bwd = profile_layer_norm_bwd,
                           .dropout_fwd = profile_dropout_fwd,
                           .dropout_bwd = profile_dropout_bwd,
                           .swiglu_fwd = profile_swiglu_fwd,
                           .swiglu_bwd = profile_swiglu_bwd,
                           .embed_fwd = profile_embed_fwd,
                           .embed_bwd = profile_embed_bwd,
                           .linear_cross_entropy = profile_linear_cross_entropy,
                           .axpy = profile_axpy,
                           .optimize = profile_optimize,
                           .sum_squares = profile_sum_squares,
                           .copy_rows = profile_copy_rows,
                           .log_softmax = profile_log_softmax,
                           .top_k = profile_top_k};
    at_profile_backend_restart(&p->base);
    *be = &p->base;
    return ATT_OK;
}

void at_profile_backend_restart(at_backend *be)
{
    profile_backend *p = profile_of(be);
    for (int i = 0; i < CALLS; i++) p->row[i] = (at_profile_row){.op = names[i][0], .direction = names[i][1]};
    p->rows = CALLS;
    p->started = at_clock();
}

/* Longest first; the time outside stands with the others. Names decide between equal ones, such as the null backend's. */
static int compare_rows(const void *a, const void *b)
{
    const at_profile_row *x = a, *y = b;
    if (x->seconds != y->seconds) return x->seconds < y->seconds ? 1 : -1;
    return strcmp(x->op, y->op);
}

at_profile at_profile_backend_read(at_backend *be)
{
    profile_backend *p = profile_of(be);
    at_profile profile = {.rows = p->report, .seconds = at_clock() - p->started};
    at_profile_row outside = {.op = "outside", .direction = "", .seconds = profile.seconds};
    for (int i = 0; i < p->rows; i++) {
        if (p->row[i].calls == 0) continue;
        p->report[profile.count++] = p->row[i];
        outside.seconds -= p->row[i].seconds;
    }
    p->report[profile.count++] = outside;
    qsort(p->report, (size_t)profile.count, sizeof *p->report, compare_rows);
    return profile;
}
