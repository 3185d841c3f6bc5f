/* See bench_products.h. */
#include "bench/bench_products.h"

#include <stdlib.h>
#include <string.h>

#include "backend/profile_backend.h"
#include "base/clock.h"
#include "base/median.h"
#include "base/pool.h"
#include "bench/peer_sgemm.h"

/* The batch whose step is taken, of medium length among random ones. */
static int64_t middle_batch(const at_bench_work *w)
{
    return w->batches / 2;
}

/* ---- which products ---- */

static at_status add_product(at_bench_products *p, at_product_kind kind, const at_profile_row *row, double count,
                             at_error *err)
{
    if (count < 0.5) return ATT_OK;
    if (p->count == ATT_BENCH_MOST_PRODUCTS)
        return at_fail(err, ATT_UNSUPPORTED, "a step with more than %d shapes of products", ATT_BENCH_MOST_PRODUCTS);
    p->product[p->count++] = (at_bench_product){kind, row->m, row->k, row->n, (int64_t)(count + 0.5)};
    return ATT_OK;
}

/* How many products a row's calls made follows from its FLOP. A backward makes that of the weight, and mostly that of the
 * input. */
static at_status add_row(at_bench_products *p, const at_profile_row *row, at_error *err)
{
    const bool loss = strcmp(row->op, "linear_cross_entropy") == 0, linear = strcmp(row->op, "linear") == 0;
    if (!(loss || linear) || row->m * row->k * row->n == 0) return ATT_OK;
    const double calls = (double)row->calls, all = row->flop / (2.0 * (double)row->m * (double)row->k * (double)row->n);
    const double forward = loss || strcmp(row->direction, "forward") == 0 ? calls : 0;
    const double weight = strcmp(row->direction, "forward") == 0 ? 0 : calls;
    ATT_TRY(add_product(p, ATT_PRODUCT_FORWARD, row, forward, err));
    ATT_TRY(add_product(p, ATT_PRODUCT_WEIGHT, row, weight, err));
    return add_product(p, ATT_PRODUCT_INPUT, row, all - forward - weight, err);
}

/* By the weight's shape, then by direction. */
static int compare_products(const void *a, const void *b)
{
    const at_bench_product *x = a, *y = b;
    const int64_t of_x[] = {x->k, x->n, x->kind, x->m}, of_y[] = {y->k, y->n, y->kind, y->m};
    for (int i = 0; i < 4; i++)
        if (of_x[i] != of_y[i]) return of_x[i] < of_y[i] ? -1 : 1;
    return 0;
}

static at_status list_from(at_bench_products *p, at_bench_work *w, at_backend *be, at_error *err)
{
    at_ctx ctx;
    at_loss loss;
    at_ctx_init(&ctx, be);
    ctx.recompute = w->options->recompute;
    at_profile_backend_restart(be);
    at_status status = at_bench_work_step(w, &ctx, middle_batch(w), &loss, err);
    const at_profile profile = at_profile_backend_read(be);
    for (int64_t i = 0; i < profile.count && status == ATT_OK; i++) status = add_row(p, &profile.rows[i], err);
    qsort(p->product, (size_t)p->count, sizeof *p->product, compare_products);
    at_ctx_free(&ctx);
    return status;
}

at_status at_bench_products_list(at_bench_products *p, const at_bench_options *o, at_error *err)
{
    at_bench_work work;
    at_backend *be;
    *p = (at_bench_products){.count = 0};
    ATT_TRY(at_null_backend_new(&be, (at_precision)o->precision, err));
    ATT_TRY(at_profile_backend_new(&be, be, ATT_PROFILE_SHAPES, err));
    at_status status = at_bench_work_open(&work, o, be, err);
    if (status == ATT_OK) status = list_from(p, &work, be, err);
    at_bench_work_close(&work);
    be->free(be);
    return status;
}

/* ---- their time ---- */

/* Operands, shared by all products: x (M,K), w (K,N), y (M,N) of the largest each, and packed copies of w for each product. */
typedef struct operands {
    at_backend *be;
    float *x, *w, *y;
    int64_t x_floats, w_floats, y_floats;
    at_weight weight[ATT_BENCH_MOST_PRODUCTS];
    float *packed[ATT_BENCH_MOST_PRODUCTS];
} operands;

static float *ones(int64_t floats)
{
    float *data = aligned_alloc(64, ((size_t)floats * sizeof(float) + 63) / 64 * 64);
    for (int64_t i = 0; data && i < floats; i++) data[i] = 1;
    return data;
}

static void keep_larger(int64_t *most, int64_t floats)
{
    if (floats > *most) *most = floats;
}

static bool pack_weight(operands *o, const at_bench_product *product, int i)
{
    at_weight *w = &o->weight[i];
    const bool transposed = product->kind == ATT_PRODUCT_INPUT;
    *w = (at_weight){.plain = o->w, .k = product->k, .n = product->n};
    o->packed[i] = ones(o->be->pack_size(o->be, w, transposed));
    if (o->packed[i] == NULL) return false;
    o->be->pack(o->be, o->packed[i], w, transposed);
    *(transposed ? &w->packed_t : &w->packed) = o->packed[i];
    return true;
}

static void operands_free(operands *o)
{
    free(o->x);
    free(o->w);
    free(o->y);
    for (int i = 0; i < ATT_BENCH_MOST_PRODUCTS; i++) free(o->packed[i]);
}

static at_status operands_make(operands *o, const at_bench_products *p, at_backend *be, at_error *err)
{
    *o = (operands){.be = be};
    for (int i = 0; i < p->count; i++) {
        const at_bench_product *product = &p->product[i];
        keep_larger(&o->x_floats, product->m * product->k);
        keep_larger(&o->w_floats, product->k * product->n);
        keep_larger(&o->y_floats, product->m * product->n);
    }
    o->x = ones(o->x_floats);
    o->w = ones(o->w_floats);
    o->y = ones(o->y_floats);
    bool made = o->x && o->w && o->y;
    for (int i = 0; i < p->count && made; i++) made = pack_weight(o, &p->product[i], i);
    return made ? ATT_OK : at_fail_memory(err, (size_t)o->y_floats * sizeof(float));
}

static void own_product(const operands *o, const at_bench_product *p, const at_weight *w)
{
    at_backend *be = o->be;
    if (p->kind == ATT_PRODUCT_FORWARD)
        be->linear_fwd(be, o->y, NULL, o->x, w, NULL, p->m, ATT_ACT_NONE);
    else if (p->kind == ATT_PRODUCT_INPUT)
        be->linear_bwd(be, o->x, 0, NULL, 0, NULL, 0, o->y, NULL, NULL, w, p->m, ATT_ACT_NONE);
    else
        be->linear_bwd(be, NULL, 0, o->w, 0, NULL, 0, o->y, NULL, o->x, w, p->m, ATT_ACT_NONE);
}

static bool peer_product(const operands *o, const at_bench_product *p)
{
    if (p->kind == ATT_PRODUCT_FORWARD) return at_peer_sgemm(false, false, p->m, p->n, p->k, o->x, o->w, o->y);
    if (p->kind == ATT_PRODUCT_INPUT) return at_peer_sgemm(false, true, p->m, p->k, p->n, o->y, o->w, o->x);
    return at_peer_sgemm(true, false, p->k, p->n, p->m, o->x, o->y, o->w);
}

static double time_own(const operands *o, const at_bench_products *p)
{
    const double start = at_clock();
    for (int i = 0; i < p->count; i++)
        for (int64_t c = 0; c < p->product[i].count; c++) own_product(o, &p->product[i], &o->weight[i]);
    return at_clock() - start;
}

static at_status time_peer(const operands *o, const at_bench_products *p, double *seconds, at_error *err)
{
    const double start = at_clock();
    bool done = true;
    for (int i = 0; i < p->count; i++)
        for (int64_t c = 0; c < p->product[i].count; c++) done = peer_product(o, &p->product[i]) && done;
    *seconds = at_clock() - start;
    return done ? ATT_OK : at_fail(err, ATT_UNSUPPORTED, "%s failed", at_peer_sgemm_name());
}

static at_status time_step(at_bench_work *w, at_ctx *ctx, double *seconds, at_error *err)
{
    at_loss loss;
    const double start = at_clock();
    ATT_TRY(at_bench_work_step(w, ctx, middle_batch(w), &loss, err));
    *seconds = at_clock() - start;
    return ATT_OK;
}

enum { WARM_UP = 2, SERIES = 3 }; /* series: steps, own products, the library's */

static at_status take_turns(const operands *o, const at_bench_products *p, at_bench_work *w, double *series,
                            at_error *err)
{
    const int64_t rounds = w->options->steps;
    at_ctx ctx;
    at_ctx_init(&ctx, o->be);
    ctx.recompute = w->options->recompute;
    at_status status = ATT_OK;
    for (int64_t i = -WARM_UP; i < rounds && status == ATT_OK; i++) {
        const int64_t at = i < 0 ? 0 : i;
        status = time_step(w, &ctx, &series[at], err);
        series[rounds + at] = time_own(o, p);
        if (status == ATT_OK && at_peer_sgemm_name()) status = time_peer(o, p, &series[2 * rounds + at], err);
    }
    at_ctx_free(&ctx);
    return status;
}

static double product_flop(const at_bench_products *p)
{
    double flop = 0;
    for (int i = 0; i < p->count; i++) {
        const at_bench_product *one = &p->product[i];
        flop += 2.0 * (double)one->count * (double)one->m * (double)one->k * (double)one->n;
    }
    return flop;
}

static at_status measure(at_bench_products *p, at_bench_work *w, at_backend *be, int threads, at_error *err)
{
    operands o;
    const int64_t rounds = w->options->steps;
    double *series = calloc((size_t)(SERIES * rounds), sizeof *series);
    at_status status = operands_make(&o, p, be, err);
    if (status == ATT_OK && series == NULL) status = at_fail_memory(err, (size_t)rounds * sizeof *series);
    if (status == ATT_OK) status = take_turns(&o, p, w, series, err);
    if (status == ATT_OK)
        p->result[p->results++] = (at_bench_products_result){.threads = threads,
                                                             .step_ms = 1e3 * at_median(series, rounds),
                                                             .own_ms = 1e3 * at_median(series + rounds, rounds),
                                                             .peer_ms = 1e3 * at_median(series + 2 * rounds, rounds),
                                                             .flop = product_flop(p)};
    operands_free(&o);
    free(series);
    return status;
}

static at_status run_with(at_bench_products *p, const at_bench_options *options, int threads, at_error *err)
{
    at_bench_work work;
    at_backend *be;
    ATT_TRY(at_cpu_backend_with_precision(&be, threads, (at_precision)options->precision, err));
    at_peer_sgemm_threads(threads);
    at_status status = at_bench_work_open(&work, options, be, err);
    if (status == ATT_OK) status = measure(p, &work, be, threads, err);
    at_bench_work_close(&work);
    be->free(be);
    return status;
}

at_status at_bench_products_run(at_bench_products *p, at_bench_options *options, at_error *err)
{
    const int threads = options->threads > 0 ? (int)options->threads : at_cpu_count();
    at_bench_shape(options);
    ATT_TRY(at_bench_products_list(p, options, err));
    ATT_TRY(run_with(p, options, 1, err));
    return threads > 1 ? run_with(p, options, threads, err) : ATT_OK;
}
