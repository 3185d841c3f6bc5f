/* See bench_train.h. */
#include "bench/bench_train.h"

#include <stdlib.h>
#include <string.h>

#include "backend/profile_backend.h"
#include "base/clock.h"
#include "base/median.h"
#include "base/pool.h"
#include "base/resident.h"

enum { WARM_UP = 3 };

static at_status time_steps(at_bench_work *w, at_ctx *ctx, bool profile, double *took, at_bench_train_result *r,
                            at_error *err)
{
    int64_t tokens = 0;
    double seconds = 0;
    for (int64_t i = 0; i < WARM_UP + w->options->steps; i++) {
        at_loss loss;
        if (profile && i == WARM_UP) at_profile_backend_restart(ctx->be);
        const double start = at_clock();
        ATT_TRY(at_bench_work_step(w, ctx, i, &loss, err));
        const double one = at_clock() - start, rate = (double)loss.tokens / one;
        r->loss = loss.loss / (double)loss.tokens;
        if (i < WARM_UP) continue;
        took[i - WARM_UP] = one;
        tokens += loss.tokens;
        seconds += one;
        if (rate > r->best) r->best = rate;
    }
    r->target_tokens_per_s = (double)tokens / seconds;
    r->ms_per_step = 1e3 * at_median(took, w->options->steps);
    return ATT_OK;
}

/* The account, with rows that outlive the backend. */
static at_status keep_profile(at_backend *be, at_bench_train_result *r, at_error *err)
{
    r->profile = at_profile_backend_read(be);
    const size_t bytes = (size_t)r->profile.count * sizeof *r->rows;
    r->rows = malloc(bytes);
    if (r->rows == NULL) return at_fail_memory(err, bytes);
    memcpy(r->rows, r->profile.rows, bytes);
    r->profile.rows = r->rows;
    return ATT_OK;
}

static at_status run(at_bench_work *w, bool profile, at_bench_train_result *r, at_error *err)
{
    at_ctx ctx;
    double *took = malloc((size_t)w->options->steps * sizeof *took);
    if (took == NULL) return at_fail_memory(err, (size_t)w->options->steps * sizeof *took);
    at_ctx_init(&ctx, w->model->params.be);
    ctx.recompute = w->options->recompute;
    at_status status = time_steps(w, &ctx, profile, took, r, err);
    if (status == ATT_OK && profile) status = keep_profile(ctx.be, r, err);
    r->parameters = at_params_count(&w->model->params);
    r->peak_mb = at_resident_peak() / 1000000;
    at_ctx_free(&ctx);
    free(took);
    return status;
}

at_status at_bench_train(at_bench_options *o, bool profile, at_bench_train_result *r, at_error *err)
{
    at_bench_work work;
    at_backend *be;
    *r = (at_bench_train_result){.threads = o->threads > 0 ? (int)o->threads : at_cpu_count()};
    at_bench_shape(o);
    ATT_TRY(at_cpu_backend_with_precision(&be, r->threads, (at_precision)o->precision, err));
    if (profile) ATT_TRY(at_profile_backend_new(&be, be, ATT_PROFILE_WEIGHTS, err));
    at_status status = at_bench_work_open(&work, o, be, err);
    if (status == ATT_OK) status = run(&work, profile, r, err);
    at_bench_work_close(&work);
    be->free(be);
    if (status == ATT_OK && profile) status = at_cpu_peak(&r->profile.peak, &r->threads, 1, NULL, err);
    return status;
}
