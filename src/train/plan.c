/* Memory and work of a run before it runs. See plan.h. */
#include "train/plan.h"

#include "base/resident.h"
#include "data/window_batcher.h"
#include "train/accumulate.h"
#include "train/show.h"

static at_status pair_batcher(at_batcher **batcher, const at_bundle *bundle, const at_corpus *corpus,
                              const at_train_options *o, bool sorted, const at_resampling *resampling, at_error *err)
{
    const at_batcher_options options = {.batch_tokens = o->batch_tokens,
                                        .measure = (at_batch_measure)o->batch_measure,
                                        .seed = (uint64_t)o->seed,
                                        .source_eos = bundle->tokens.eos,
                                        .target_start = bundle->tokens.target_start,
                                        .target_eos = bundle->tokens.eos,
                                        .sorted = sorted,
                                        .resampling = resampling};
    return at_batcher_new(batcher, corpus, &options, err);
}

/* Of a language model. */
static int64_t context_of(const at_bundle *bundle)
{
    return bundle->model->arch->max_tokens(bundle->model);
}

static at_status window_batcher(at_batcher **batcher, const at_bundle *bundle, const at_corpus *corpus,
                                const at_train_options *o, bool sorted, at_error *err)
{
    const at_window_options options = {
        .context = context_of(bundle), .batch_tokens = o->batch_tokens, .seed = (uint64_t)o->seed, .sorted = sorted};
    return at_window_batcher_new(batcher, corpus, &options, err);
}

at_status at_run_batcher(at_batcher **batcher, const at_bundle *bundle, const at_corpus *corpus,
                         const at_train_options *o, bool sorted, const at_resampling *resampling, at_error *err)
{
    return at_is_language_model(o) ? window_batcher(batcher, bundle, corpus, o, sorted, err)
                                   : pair_batcher(batcher, bundle, corpus, o, sorted, resampling, err);
}

static at_backend *backend_of(const at_plan_input *in)
{
    return in->bundle->model->params.be;
}

static at_null_counts counts_of(const at_plan_input *in)
{
    return at_null_backend_counts(backend_of(in));
}

/* What a context's areas hold at most. Their chunks are larger, but pages that are never written take no memory. */
static int64_t area_bytes(const at_ctx *ctx)
{
    return (int64_t)(ctx->outer.peak + ctx->inner.peak);
}

/* Of a long epoch only some batches are looked at, and the last ones, which have the longest sentences: batches fill their
 * budget evenly. */
enum { LOOKED_AT = 512, LONGEST = 16 };

static at_status check_cancel(const at_plan_input *in, at_error *err)
{
    return at_cancelled(in->cancel) ? at_fail(err, ATT_CANCELLED, "interrupted while planning") : ATT_OK;
}

static at_status plan_batches(at_plan *plan, const at_plan_input *in, at_ctx *ctx, at_batcher *batcher, at_error *err)
{
    at_loss sum;
    int64_t looked_at = 0;
    double flop = 0;
    ATT_TRY(at_batcher_start(batcher, 0, &plan->batches, err));
    const int64_t stride = plan->batches / LOOKED_AT + 1;
    for (int64_t i = 0; i < plan->batches; i++) {
        const bool regular = i % stride == 0;
        if (!regular && i < plan->batches - LONGEST) continue;
        ATT_TRY(check_cancel(in, err));
        const double before = counts_of(in).flop;
        at_params_clear_grad(&in->bundle->model->params);
        ATT_TRY(at_accumulate(ctx, in->bundle->model, batcher, i, 1, (float)in->options->smoothing, 0, &sum, err));
        if (regular) flop += counts_of(in).flop - before, looked_at++;
    }
    if (looked_at > 0) plan->flop_per_step = flop * (double)in->options->accumulate / (double)looked_at;
    return ATT_OK;
}

/* base is measured while all is there that the run has, too. */
static at_status plan_update(at_plan *plan, const at_plan_input *in, at_error *err)
{
    at_batcher *batcher = NULL;
    at_ctx ctx;
    ATT_TRY(at_run_batcher(&batcher, in->bundle, in->train, in->options, true, in->resampling, err));
    at_ctx_init(&ctx, backend_of(in));
    ctx.recompute = in->options->recompute;
    const at_status status = plan_batches(plan, in, &ctx, batcher, err);
    plan->update = area_bytes(&ctx);
    plan->base = at_resident_now();
    at_ctx_free(&ctx);
    at_batcher_free(batcher);
    return status;
}

/* Bytes beside the blocks, at most since the last at_null_backend_forget_peak. */
static int64_t beside_blocks(const at_plan *plan, const at_plan_input *in)
{
    return (int64_t)counts_of(in).peak_bytes - plan->blocks;
}

/* The packed copies of weights stay while the validation text is read. */
static at_status plan_validation(at_plan *plan, const at_plan_input *in, at_error *err)
{
    at_batcher *batcher = NULL;
    at_ctx ctx;
    at_loss sum;
    if (in->valid == NULL) return ATT_OK;
    ATT_TRY(at_run_batcher(&batcher, in->bundle, in->valid, in->options, true, NULL, err));
    at_ctx_init(&ctx, backend_of(in));
    const at_status status = at_sum_loss(&ctx, in->bundle->model, batcher, (float)in->options->smoothing, &sum, err);
    plan->validation = area_bytes(&ctx);
    at_ctx_free(&ctx);
    plan->validation += (int64_t)counts_of(in).bytes - plan->blocks;
    at_batcher_free(batcher);
    return status;
}

static void ignore(void *arg, const char *text)
{
    (void)arg, (void)text;
}

/* On the null backend no hypothesis ends before its limit, as with a model that has learned nothing yet. */
static at_status plan_translation(at_plan *plan, const at_plan_input *in, at_error *err)
{
    const at_train_options *o = in->options;
    at_valid_scores scores;
    at_null_backend_forget_peak(backend_of(in));
    if (in->valid_text) ATT_TRY(at_valid_text_score(in->valid_text, in->bundle, o, in->cancel, &scores, err));
    if (o->show) ATT_TRY(at_show(in->bundle, o->show, ignore, NULL, err));
    plan->translation = in->valid_text || o->show ? beside_blocks(plan, in) : 0;
    return ATT_OK;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Sums in double precision and a mapped file; or the mean, beside a validation of it. */
static int64_t average_bytes(const at_plan *plan, const at_plan_input *in)
{
    const int64_t block = in->bundle->model->params.floats * (int64_t)sizeof(float);
    if (in->options->average < 2 || in->valid == NULL) return 0;
    return most(3 * block, block + most(plan->validation, plan->translation));
}

at_status at_plan_make(at_plan *plan, const at_plan_input *in, at_error *err)
{
    *plan = (at_plan){.blocks = (int64_t)counts_of(in).bytes};
    ATT_TRY(plan_update(plan, in, err));
    ATT_TRY(plan_validation(plan, in, err));
    ATT_TRY(plan_translation(plan, in, err));
    at_params_drop_panels(&in->bundle->model->params);
    plan->average = average_bytes(plan, in);
    const at_scratch_sizes scratch = counts_of(in).scratch;
    plan->scratch = (int64_t)at_cpu_scratch_bytes(&scratch, (int)in->options->threads);
    const int64_t phase = most(most(plan->update, plan->validation), most(plan->translation, plan->average));
    plan->peak = most(at_resident_peak(), plan->base + plan->blocks + phase + plan->scratch);
    return ATT_OK;
}

/* ---- a limit ---- */

at_train_options at_plan_cut(const at_train_options *options, int64_t parts)
{
    at_train_options cut = *options;
    cut.batch_tokens /= parts;
    cut.accumulate *= parts;
    return cut;
}

/* The next number of parts that divides the batch, or of a language model its windows; or 0: smaller batches would hold one
 * pair or window and be no smaller. */
static int64_t next_parts(const at_plan_input *in, int64_t parts)
{
    const at_train_options *o = in->options;
    const bool windows = at_is_language_model(o);
    const int64_t whole = windows ? o->batch_tokens / context_of(in->bundle) : o->batch_tokens;
    const int64_t least = windows ? 1 : o->max_tokens + 1;
    for (parts++; whole / parts >= least; parts++)
        if (whole % parts == 0) return parts;
    return 0;
}

/* Millions, rounded up: as option values are written. */
static long long millions(int64_t bytes)
{
    return (long long)((bytes + 999999) / 1000000);
}

/* `least` is the plan of the smallest batches. */
static at_status fail_no_fit(const at_plan *least, const at_plan_input *in, int64_t limit, at_error *err)
{
    at_train_options with = *in->options;
    at_plan_input again = *in;
    at_plan recomputed = *least;
    with.recompute = true;
    again.options = &with;
    if (!in->options->recompute) ATT_TRY(at_plan_make(&recomputed, &again, err));
    if (recomputed.peak < least->peak)
        return at_fail(
            err, ATT_OPTION,
            "memory %lldM is too little: with batches of %lld tokens this run takes %lldM, with recompute %lldM; "
            "give so much, or train a smaller model",
            millions(limit), (long long)in->options->batch_tokens, millions(least->peak), millions(recomputed.peak));
    return at_fail(
        err, ATT_OPTION,
        "memory %lldM is too little: with batches of %lld tokens this run takes %lldM; give so much, or train a "
        "smaller model",
        millions(limit), (long long)in->options->batch_tokens, millions(least->peak));
}

at_status at_plan_fit(int64_t *parts, at_plan *plan, const at_plan_input *in, int64_t limit, at_error *err)
{
    at_train_options cut;
    at_plan_input with = *in;
    with.options = &cut;
    for (int64_t next = *parts = 1; next > 0; next = next_parts(in, next)) {
        *parts = next;
        cut = at_plan_cut(in->options, next);
        ATT_TRY(at_plan_make(plan, &with, err));
        if (plan->peak <= limit) return ATT_OK;
    }
    return fail_no_fit(plan, &with, limit, err);
}
