/* Greedy and beam search: runs the model, one step for all live hypotheses of a batch, and lets beam.h choose.
 *
 * Memory: `kept` holds what the steps read of the encoded sources, `work` the encoder's and then each step's
 * activations. The cache has beam slots a sentence, as long as the longest output that the batch's limits allow. */
#include "infer/search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "infer/beam.h"

typedef struct search {
    const at_model *model;
    const at_search_options *options;
    at_ctx kept, work;
    at_memory *memory;
    at_cache *cache;
    at_beam *beam;
    int64_t *limits; /* B */
    int32_t *ids;    /* (n, k) candidates of a step */
    float *log_probs;
    size_t candidates; /* room in both */
} search;

static at_status check_options(const at_search_options *options, at_error *err)
{
    const bool unlimited = options->max_ratio <= 0 && options->max_extra <= 0;
    if (options->beam < 1)
        return at_fail(err, ATT_OPTION, "beam is %lld; it must be at least 1", (long long)options->beam);
    if (options->max_length < 1 && unlimited)
        return at_fail(err, ATT_OPTION, "the output's length has no limit; set max-length, or max-ratio and max-extra");
    if (options->no_repeat < 0)
        return at_fail(err, ATT_OPTION, "no-repeat is %lld; it must be at least 0", (long long)options->no_repeat);
    return ATT_OK;
}

/* Tokens that the output of `tokens` source tokens may have, end tokens counted. */
static int64_t limit_of(const at_search_options *options, int64_t tokens)
{
    const double unlimited = 1e9;
    double limit = options->max_ratio * (double)tokens + (double)options->max_extra;
    if (options->max_ratio <= 0 && options->max_extra <= 0) limit = unlimited;
    if (options->max_length > 0 && limit > (double)options->max_length) limit = (double)options->max_length;
    if (!(limit >= 1)) return 1;
    return limit < unlimited ? (int64_t)limit : (int64_t)unlimited;
}

static at_status check_source(const at_model *model, const at_packed *source, at_error *err)
{
    const int64_t longest = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    for (int64_t i = 0; i < source->count; i++) {
        const int64_t tokens = source->offset[i + 1] - source->offset[i];
        assert(tokens > 0);
        if (longest > 0 && tokens > longest)
            return at_fail(err, ATT_INPUT, "sentence %lld has %lld tokens, but the model reads at most %lld; split it",
                           (long long)i + 1, (long long)tokens, (long long)longest);
    }
    return ATT_OK;
}

/* The cache, and the limits of all sentences, which learned positions may cut down to its capacity. */
static at_status make_room(search *s, const at_packed *source, at_error *err)
{
    const size_t bytes = (size_t)source->count * sizeof *s->limits;
    int64_t longest = 1;
    s->limits = malloc(bytes);
    if (s->limits == NULL) return at_fail_memory(err, bytes);
    for (int64_t i = 0; i < source->count; i++) {
        s->limits[i] = limit_of(s->options, source->offset[i + 1] - source->offset[i]);
        if (s->limits[i] > longest) longest = s->limits[i];
    }
    const int64_t slots = source->count * s->options->beam;
    if (s->options->beam > INT32_MAX / source->count || longest > INT32_MAX / slots) /* rows of the cache are int32_t */
        return at_fail(err, ATT_OPTION,
                       "%lld sentences x beam %lld x %lld tokens are too many for one batch; use a smaller batch",
                       (long long)source->count, (long long)s->options->beam, (long long)longest);
    ATT_TRY(s->model->arch->cache_new(&s->cache, s->model, slots, longest, err));
    for (int64_t i = 0; i < source->count; i++)
        if (s->limits[i] > s->cache->capacity) s->limits[i] = s->cache->capacity;
    return ATT_OK;
}

static at_status encode(search *s, const at_packed *source, at_error *err)
{
    const at_arch *arch = s->model->arch;
    at_ctx_begin(&s->work, false, false, 0);
    at_ctx_begin(&s->kept, false, false, 0);
    at_tensor *states = arch->encode(&s->work, s->model, source, NULL);
    ATT_TRY(at_ctx_check(&s->work, err));
    s->memory = arch->remember(&s->kept, s->model, states, source);
    return at_ctx_check(&s->kept, err);
}

static at_status prepare(search *s, const at_stored_tokens *tokens, const at_packed *source, at_error *err)
{
    const at_search_options *o = s->options;
    const at_beam_rules rules = {o->beam, o->alpha, o->penalty, o->early_stop, o->no_repeat, *tokens};
    ATT_TRY(check_options(o, err));
    ATT_TRY(check_source(s->model, source, err));
    ATT_TRY(make_room(s, source, err));
    ATT_TRY(at_beam_new(&s->beam, &rules, s->limits, source->count, err));
    return encode(s, source, err);
}

/* Room for `count` candidates in ids and log_probs, whose content is lost. */
static at_status reserve_candidates(search *s, size_t count, at_error *err)
{
    if (count <= s->candidates) return ATT_OK;
    free(s->ids);
    free(s->log_probs);
    s->ids = malloc(count * sizeof *s->ids);
    s->log_probs = malloc(count * sizeof *s->log_probs);
    s->candidates = s->ids && s->log_probs ? count : 0;
    return s->candidates ? ATT_OK : at_fail_memory(err, count * (sizeof *s->ids + sizeof *s->log_probs));
}

static at_status run_step(search *s, const at_beam_step *next, at_error *err)
{
    at_backend *be = s->work.be;
    const at_cache_step step = {next->n, s->cache->capacity, next->slot, next->length};
    for (int64_t i = 0; i < next->copy_count; i++)
        at_cache_copy(s->cache, next->copies[i].to, next->copies[i].from, next->copies[i].length);
    at_ctx_begin(&s->work, false, false, 0);
    at_tensor *logits =
        s->model->arch->step(&s->work, s->model, s->memory, s->cache, &step, next->ids, next->source_of);
    ATT_TRY(at_ctx_check(&s->work, err));
    const int64_t v = at_tensor_width(logits), k = next->wanted < v ? next->wanted : v;
    ATT_TRY(reserve_candidates(s, (size_t)(next->n * k), err));
    be->top_k(be, s->ids, s->log_probs, logits->data, next->n, v, k);
    ATT_TRY(at_ctx_check(&s->work, err));
    return at_beam_advance(s->beam, s->ids, s->log_probs, k, err);
}

static at_status run(search *s, at_error *err)
{
    for (at_beam_step next = at_beam_next(s->beam); next.n > 0; next = at_beam_next(s->beam)) {
        if (s->options->cancel && *s->options->cancel) return at_fail(err, ATT_CANCELLED, "cancelled");
        ATT_TRY(run_step(s, &next, err));
    }
    return ATT_OK;
}

static at_status collect(const search *s, at_hypothesis *best, int64_t count, at_error *err)
{
    at_status status = ATT_OK;
    for (int64_t i = 0; i < count && status == ATT_OK; i++) status = at_beam_best(s->beam, i, &best[i], err);
    for (int64_t i = 0; i < count && status != ATT_OK; i++) at_hypothesis_free(&best[i]);
    return status;
}

static void release(search *s)
{
    at_beam_free(s->beam);
    at_cache_free(s->cache);
    at_ctx_free(&s->work);
    at_ctx_free(&s->kept);
    free(s->limits);
    free(s->ids);
    free(s->log_probs);
}

at_status at_search(const at_bundle *bundle, const at_packed *source, const at_search_options *options,
                    at_hypothesis *best, at_error *err)
{
    search s = {.model = bundle->model, .options = options};
    at_backend *be = bundle->model->params.be;
    if (source->count == 0) return ATT_OK;
    memset(best, 0, (size_t)source->count * sizeof *best);
    at_ctx_init(&s.kept, be);
    at_ctx_init(&s.work, be);
    at_status status = prepare(&s, &bundle->tokens, source, err);
    if (status == ATT_OK) status = run(&s, err);
    if (status == ATT_OK) status = collect(&s, best, source->count, err);
    release(&s);
    if (status == ATT_MEMORY) be->failed = false; /* it has been reported, and what was too much is released */
    return status;
}
