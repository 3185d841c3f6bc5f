/* Greedy and beam search and sampling: runs the models, one step for all live hypotheses of a batch, and lets beam.h
 * choose. Sampling is a beam of one per sample, fed with the token that was drawn.
 *
 * Memory of each model: `kept` holds what the steps read of the encoded sources, `work` the encoder's and then each
 * step's activations. The cache has a slot a hypothesis, as long as the longest output that the batch's limits allow.
 */
#include "infer/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "infer/beam.h"

typedef struct member { /* a model at work */
    const at_model *model;
    at_ctx kept, work;
    at_memory *memory;
    at_cache *cache;
} member;

typedef struct coverage { /* what a step's attention goes into; arrays NULL without the penalty */
    float *weights;       /* (n, H, S) packed, of one model */
    int64_t *offset;      /* n */
    float *mean;          /* (n, longest source) over heads and models */
    int64_t longest;
} coverage;

typedef struct search {
    const at_search_options *options;
    const at_search_input *input;
    member *members;
    int64_t member_count;
    int64_t each; /* sequences of the beam a sentence: samples, or 1 */
    at_beam *beam;
    at_sampler *sampler;
    at_beam_sentence *sentences; /* (B, each) */
    int64_t *source_of;          /* of each row of a step, (B, each, beam) */
    int32_t *ids;                /* (n, k) candidates of a step */
    float *log_probs;
    size_t candidates;  /* room in both */
    float *row;         /* (V) log-probabilities of one row */
    float *forced_prob; /* of each row of a step */
    coverage coverage;
} search;

static int64_t n_best_of(const at_search_options *options)
{
    return options->n_best > 1 ? options->n_best : 1;
}

static int64_t beam_of(const at_search_options *options)
{
    return options->sample ? 1 : options->beam;
}

/* ---- options and limits ---- */

static at_status check_sampling(const at_search_options *options, at_error *err)
{
    const at_sampling *s = &options->sampling;
    if (!(s->temperature > 0)) return at_fail(err, ATT_OPTION, "temperature is %g; it must be over 0", s->temperature);
    if (s->top_k < 0) return at_fail(err, ATT_OPTION, "top-k is %lld; it must be at least 0", (long long)s->top_k);
    if (!(s->top_p >= 0 && s->top_p <= 1))
        return at_fail(err, ATT_OPTION, "top-p is %g; it must be between 0 and 1", s->top_p);
    return ATT_OK;
}

static at_status check_options(const at_search_options *options, at_error *err)
{
    const bool unlimited = options->max_ratio <= 0 && options->max_extra <= 0;
    if (options->sample) ATT_TRY(check_sampling(options, err));
    if (!options->sample && options->beam < 1)
        return at_fail(err, ATT_OPTION, "beam is %lld; it must be at least 1", (long long)options->beam);
    if (options->max_length < 1 && unlimited)
        return at_fail(err, ATT_OPTION, "the output's length has no limit; set max-length, or max-ratio and max-extra");
    if (options->no_repeat < 0)
        return at_fail(err, ATT_OPTION, "no-repeat is %lld; it must be at least 0", (long long)options->no_repeat);
    if (!options->sample && options->n_best > options->beam)
        return at_fail(err, ATT_OPTION, "n-best is %lld, but a beam of %lld keeps at most so many; use a larger beam",
                       (long long)options->n_best, (long long)options->beam);
    if (options->min_length < 0 || (options->max_length > 0 && options->min_length >= options->max_length))
        return at_fail(err, ATT_OPTION, "min-length is %lld; it must be at least 0 and less than max-length",
                       (long long)options->min_length);
    if (!(options->coverage >= 0))
        return at_fail(err, ATT_OPTION, "coverage-penalty is %g; it must be at least 0", options->coverage);
    return ATT_OK;
}

/* Tokens that the output of `tokens` source tokens may have behind `prefix` forced ones, end tokens counted. */
static int64_t limit_of(const at_search_options *options, int64_t tokens, int64_t prefix)
{
    const double unlimited = 1e9;
    double limit = options->max_ratio * (double)tokens + (double)options->max_extra + (double)prefix;
    if (options->max_ratio <= 0 && options->max_extra <= 0) limit = unlimited;
    if (options->max_length > 0 && limit > (double)options->max_length) limit = (double)options->max_length;
    if (!(limit >= 1)) return 1;
    return limit < unlimited ? (int64_t)limit : (int64_t)unlimited;
}

static int64_t tokens_of(const at_packed *packed, int64_t i)
{
    return packed->offset[i + 1] - packed->offset[i];
}

static at_status check_source(const at_model *model, const at_packed *source, at_error *err)
{
    const int64_t longest = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    if (model->arch->encode == NULL) return ATT_OK; /* it reads no source */
    for (int64_t i = 0; i < source->count; i++) {
        const int64_t tokens = tokens_of(source, i);
        assert(tokens > 0);
        if (longest > 0 && tokens > longest)
            return at_fail(err, ATT_INPUT, "sentence %lld has %lld tokens, but the model reads at most %lld; split it",
                           (long long)i + 1, (long long)tokens, (long long)longest);
    }
    return ATT_OK;
}

/* ---- preparing ---- */

static at_status describe_sentences(search *s, at_error *err)
{
    const at_packed *source = &s->input->source, *prefix = s->input->prefix;
    const size_t bytes = (size_t)(source->count * s->each) * sizeof *s->sentences;
    s->sentences = malloc(bytes);
    if (s->sentences == NULL) return at_fail_memory(err, bytes);
    for (int64_t i = 0; i < source->count; i++) {
        at_beam_sentence one = {.source = tokens_of(source, i)};
        if (prefix) one.prefix_count = tokens_of(prefix, i);
        if (one.prefix_count > 0) one.prefix = prefix->ids + prefix->offset[i];
        one.limit = limit_of(s->options, one.source, one.prefix_count);
        for (int64_t j = 0; j < s->each; j++) s->sentences[i * s->each + j] = one;
    }
    return ATT_OK;
}

static int64_t longest_limit(const search *s)
{
    int64_t longest = 1;
    for (int64_t i = 0; i < s->input->source.count * s->each; i++)
        if (s->sentences[i].limit > longest) longest = s->sentences[i].limit;
    return longest;
}

/* A model's cache, whose capacity learned positions may cut down; the limits follow. */
static at_status make_cache(search *s, member *m, int64_t longest, at_error *err)
{
    const int64_t sequences = s->input->source.count * s->each, beam = beam_of(s->options);
    if (beam > INT32_MAX / sequences || longest > INT32_MAX / (sequences * beam)) /* rows of the cache are int32_t */
        return at_fail(err, ATT_OPTION,
                       "%lld sentences x beam %lld x %lld tokens are too many for one batch; use a smaller batch",
                       (long long)sequences, (long long)beam, (long long)longest);
    ATT_TRY(m->model->arch->cache_new(&m->cache, m->model, sequences * beam, longest, err));
    for (int64_t i = 0; i < sequences; i++)
        if (s->sentences[i].limit > m->cache->capacity) s->sentences[i].limit = m->cache->capacity;
    return ATT_OK;
}

static at_status check_prefixes(const search *s, at_error *err)
{
    for (int64_t i = 0; i < s->input->source.count; i++) {
        const at_beam_sentence *one = &s->sentences[i * s->each];
        if (one->prefix_count > 0 && one->prefix_count >= one->limit)
            return at_fail(err, ATT_INPUT,
                           "the forced prefix of sentence %lld has %lld tokens, but its output may have %lld; shorten "
                           "it or raise max-length",
                           (long long)i + 1, (long long)one->prefix_count, (long long)one->limit);
    }
    return ATT_OK;
}

static at_status encode(member *m, const at_packed *source, at_error *err)
{
    const at_arch *arch = m->model->arch;
    if (arch->encode == NULL) return ATT_OK;
    at_ctx_begin(&m->work, false, false, 0);
    at_ctx_begin(&m->kept, false, false, 0);
    at_tensor *states = arch->encode(&m->work, m->model, source, NULL);
    ATT_TRY(at_ctx_check(&m->work, err));
    m->memory = arch->remember(&m->kept, m->model, states, source);
    return at_ctx_check(&m->kept, err);
}

static void shape_of(const member *m, int64_t *layers, int64_t *heads)
{
    int64_t encoder_layers;
    m->model->arch->shape(m->model, &encoder_layers, layers, heads);
}

static at_status make_coverage(search *s, at_error *err)
{
    coverage *c = &s->coverage;
    if (s->options->coverage == 0) return ATT_OK;
    int64_t most_heads = 1;
    for (int64_t i = 0; i < s->member_count; i++) {
        int64_t layers, heads;
        if (s->members[i].model->arch->shape == NULL)
            return at_fail(err, ATT_UNSUPPORTED,
                           "architecture %s has no attention for the coverage penalty; set it to 0",
                           s->members[i].model->arch->name);
        shape_of(&s->members[i], &layers, &heads);
        if (heads > most_heads) most_heads = heads;
    }
    const at_packed *source = &s->input->source;
    for (int64_t i = 0; i < source->count; i++)
        if (tokens_of(source, i) > c->longest) c->longest = tokens_of(source, i);
    const size_t rows = (size_t)(source->count * s->each * beam_of(s->options)), floats = rows * (size_t)c->longest;
    c->weights = malloc(floats * (size_t)most_heads * sizeof *c->weights);
    c->mean = malloc(floats * sizeof *c->mean);
    c->offset = malloc(rows * sizeof *c->offset);
    if (c->weights && c->mean && c->offset) return ATT_OK;
    return at_fail_memory(err, floats * (size_t)most_heads * sizeof *c->weights);
}

static at_status make_rows(search *s, at_error *err)
{
    const size_t rows = (size_t)(s->input->source.count * s->each * beam_of(s->options));
    s->source_of = malloc(rows * sizeof *s->source_of);
    s->forced_prob = malloc(rows * sizeof *s->forced_prob);
    if (s->source_of == NULL || s->forced_prob == NULL) return at_fail_memory(err, rows * sizeof *s->source_of);
    return ATT_OK;
}

static at_status prepare(search *s, const at_stored_tokens *tokens, at_error *err)
{
    const at_search_options *o = s->options;
    const at_beam_rules rules = {.beam = beam_of(o),
                                 .alpha = o->alpha,
                                 .penalty = o->penalty,
                                 .early_stop = o->early_stop,
                                 .no_repeat = o->no_repeat,
                                 .tokens = *tokens,
                                 .n_best = o->sample ? 1 : n_best_of(o),
                                 .min_length = o->min_length,
                                 .coverage = o->coverage};
    ATT_TRY(describe_sentences(s, err));
    const int64_t longest = longest_limit(s);
    for (int64_t i = 0; i < s->member_count; i++) {
        ATT_TRY(check_source(s->members[i].model, &s->input->source, err));
        ATT_TRY(make_cache(s, &s->members[i], longest, err));
    }
    ATT_TRY(check_prefixes(s, err));
    ATT_TRY(make_rows(s, err));
    ATT_TRY(make_coverage(s, err));
    ATT_TRY(at_beam_new(&s->beam, &rules, s->sentences, s->input->source.count * s->each, err));
    for (int64_t i = 0; i < s->member_count; i++) ATT_TRY(encode(&s->members[i], &s->input->source, err));
    return ATT_OK;
}

/* ---- a step of the models ---- */

/* Adds the mean over heads of each row's weights to coverage.mean, shared among the models. */
static void add_attention(search *s, const at_beam_step *next, int64_t heads)
{
    coverage *c = &s->coverage;
    const float share = 1.0f / (float)(heads * s->member_count);
    for (int64_t i = 0; i < next->n; i++) {
        const int64_t tokens = tokens_of(&s->input->source, s->source_of[i]);
        const float *weights = c->weights + c->offset[i];
        float *mean = c->mean + i * c->longest;
        for (int64_t h = 0; h < heads; h++)
            for (int64_t j = 0; j < tokens; j++) mean[j] += share * weights[h * tokens + j];
    }
}

static void place_weights(search *s, const at_beam_step *next, int64_t heads)
{
    int64_t at = 0;
    for (int64_t i = 0; i < next->n; i++) {
        s->coverage.offset[i] = at;
        at += heads * tokens_of(&s->input->source, s->source_of[i]);
    }
}

static at_tensor *feed(search *s, member *m, const at_beam_step *next)
{
    const at_cache_step step = {next->n, m->cache->capacity, next->slot, next->length};
    for (int64_t i = 0; i < next->copy_count; i++)
        at_cache_copy(m->cache, next->copies[i].to, next->copies[i].from, next->copies[i].length);
    at_ctx_begin(&m->work, false, false, 0);
    return m->model->arch->step(&m->work, m->model, m->memory, m->cache, &step, next->ids, s->source_of);
}

static at_tensor *feed_watched(search *s, member *m, const at_beam_step *next)
{
    int64_t layers, heads;
    if (s->coverage.mean == NULL) return feed(s, m, next);
    shape_of(m, &layers, &heads);
    const at_attention_watch watch = {m->memory->kv[layers - 1], s->coverage.weights, s->coverage.offset};
    place_weights(s, next, heads);
    m->work.watch = &watch;
    at_tensor *logits = feed(s, m, next);
    m->work.watch = NULL;
    if (at_ctx_check(&m->work, NULL) == ATT_OK) add_attention(s, next, heads);
    return logits;
}

/* Logits (n,V) of the next tokens: of the one model, or the mean of all. */
static at_status feed_all(search *s, const at_beam_step *next, at_tensor **logits, at_error *err)
{
    at_backend *be = s->members[0].work.be;
    const float share = 1.0f / (float)s->member_count;
    if (s->coverage.mean) memset(s->coverage.mean, 0, (size_t)(next->n * s->coverage.longest) * sizeof(float));
    for (int64_t i = 0; i < next->n; i++) s->source_of[i] = next->source_of[i] / s->each;
    for (int64_t i = 0; i < s->member_count; i++) {
        at_tensor *own = feed_watched(s, &s->members[i], next);
        ATT_TRY(at_ctx_check(&s->members[i].work, err));
        if (i == 0) *logits = own;
        if (s->member_count > 1) be->axpy(be, (*logits)->data, i > 0, own->data, share, at_tensor_floats(own));
    }
    return ATT_OK;
}

/* ---- choosing ---- */

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

static at_status reserve_row(search *s, int64_t vocab, at_error *err)
{
    if (s->row) return ATT_OK;
    s->row = malloc((size_t)vocab * sizeof *s->row);
    return s->row ? ATT_OK : at_fail_memory(err, (size_t)vocab * sizeof *s->row);
}

/* The log-probability of the token that a row is forced to, by the softmax of at_backend.top_k, which uses logits up.
 */
static at_status price_forced(search *s, const at_beam_step *next, const at_tensor *logits, at_error *err)
{
    at_ctx *ctx = &s->members[0].work;
    at_backend *be = ctx->be;
    const int64_t v = at_tensor_width(logits);
    if (next->forced == NULL) return ATT_OK;
    ATT_TRY(reserve_row(s, v, err));
    float *copy = at_ctx_floats(ctx, v);
    ATT_TRY(at_ctx_check(ctx, err));
    for (int64_t i = 0; i < next->n; i++) {
        if (next->forced[i] < 0) continue;
        assert(next->forced[i] < v);
        be->copy_rows(be, copy, v, NULL, logits->data + i * v, v, NULL, 1, v);
        be->log_softmax(be, copy, 1, v);
        be->download(be, s->row, copy, (size_t)v * sizeof *s->row);
        s->forced_prob[i] = s->row[next->forced[i]];
    }
    return ATT_OK;
}

/* A forced token is its row's only candidate. */
static void force(search *s, const at_beam_step *next, int64_t k)
{
    for (int64_t i = 0; next->forced && i < next->n; i++) {
        if (next->forced[i] < 0) continue;
        for (int64_t j = 0; j < k; j++) s->ids[i * k + j] = -1;
        s->ids[i * k] = next->forced[i];
        s->log_probs[i * k] = s->forced_prob[i];
    }
}

static at_status choose_best(search *s, const at_beam_step *next, at_tensor *logits, int64_t *k, at_error *err)
{
    at_backend *be = s->members[0].work.be;
    const int64_t v = at_tensor_width(logits);
    *k = next->wanted < v ? next->wanted : v;
    ATT_TRY(reserve_candidates(s, (size_t)(next->n * *k), err));
    ATT_TRY(price_forced(s, next, logits, err));
    be->top_k(be, s->ids, s->log_probs, logits->data, next->n, v, *k);
    ATT_TRY(at_ctx_check(&s->members[0].work, err));
    force(s, next, *k);
    return ATT_OK;
}

static int32_t draw(search *s, const at_beam_step *next, int64_t i)
{
    const int64_t sequence = next->source_of[i];
    const uint64_t key = at_rng_key(s->input->key[sequence / s->each], (uint64_t)(sequence % s->each));
    return at_sample(s->sampler, s->row, key, next->length[i]);
}

static at_status choose_drawn(search *s, const at_beam_step *next, at_tensor *logits, at_error *err)
{
    at_backend *be = s->members[0].work.be;
    const int64_t v = at_tensor_width(logits);
    ATT_TRY(reserve_candidates(s, (size_t)next->n, err));
    ATT_TRY(reserve_row(s, v, err));
    if (s->sampler == NULL) ATT_TRY(at_sampler_new(&s->sampler, &s->options->sampling, v, err));
    be->log_softmax(be, logits->data, next->n, v);
    for (int64_t i = 0; i < next->n; i++) {
        be->download(be, s->row, logits->data + i * v, (size_t)v * sizeof *s->row);
        for (int32_t id = 0; id < v; id++)
            if (at_beam_bans(s->beam, i, id)) s->row[id] = -INFINITY;
        s->ids[i] = draw(s, next, i);
        if (s->ids[i] < 0 && !isnan(s->row[0])) s->ids[i] = 0; /* all are forbidden, this one too: the beam cuts */
        s->log_probs[i] = s->ids[i] >= 0 ? s->row[s->ids[i]] : -INFINITY;
    }
    return ATT_OK;
}

static at_status run_step(search *s, const at_beam_step *next, at_error *err)
{
    at_tensor *logits = NULL;
    int64_t k = 1;
    ATT_TRY(feed_all(s, next, &logits, err));
    if (s->options->sample)
        ATT_TRY(choose_drawn(s, next, logits, err));
    else
        ATT_TRY(choose_best(s, next, logits, &k, err));
    return at_beam_advance(s->beam, s->ids, s->log_probs, k, s->coverage.mean, err);
}

static at_status tell(const search *s, const at_beam_step *next, at_error *err)
{
    const at_search_options *o = s->options;
    for (int64_t i = 0; o->chosen != NULL && i < next->n; i++)
        ATT_TRY(o->chosen(o->chosen_arg, next->source_of[i], next->length[i] - 1, next->ids[i], err));
    return ATT_OK;
}

static at_status run(search *s, at_error *err)
{
    for (at_beam_step next = at_beam_next(s->beam); next.n > 0; next = at_beam_next(s->beam)) {
        if (at_cancelled(s->options->cancel)) return at_fail(err, ATT_CANCELLED, "cancelled");
        if (next.length[0] > 0) ATT_TRY(tell(s, &next, err));
        ATT_TRY(run_step(s, &next, err));
    }
    return ATT_OK;
}

static at_status collect(const search *s, at_hypothesis *best, at_error *err)
{
    const int64_t sequences = s->input->source.count * s->each, a_sequence = n_best_of(s->options) / s->each;
    at_status status = ATT_OK;
    for (int64_t i = 0; i < sequences && status == ATT_OK; i++)
        status = at_beam_best(s->beam, i, s->options->token_scores, best + i * a_sequence, err);
    for (int64_t i = 0; i < sequences * a_sequence && status != ATT_OK; i++) at_hypothesis_free(&best[i]);
    return status;
}

static void release(search *s)
{
    at_beam_free(s->beam);
    at_sampler_free(s->sampler);
    for (int64_t i = 0; i < s->member_count; i++) {
        at_cache_free(s->members[i].cache);
        at_ctx_free(&s->members[i].work);
        at_ctx_free(&s->members[i].kept);
    }
    free(s->members);
    free(s->sentences);
    free(s->source_of);
    free(s->ids);
    free(s->log_probs);
    free(s->row);
    free(s->forced_prob);
    free(s->coverage.weights);
    free(s->coverage.mean);
    free(s->coverage.offset);
}

static at_status make_members(search *s, const at_bundle *const *models, int64_t count, at_error *err)
{
    s->members = calloc((size_t)count, sizeof *s->members);
    if (s->members == NULL) return at_fail_memory(err, (size_t)count * sizeof *s->members);
    s->member_count = count;
    for (int64_t i = 0; i < count; i++) {
        s->members[i].model = models[i]->model;
        at_ctx_init(&s->members[i].kept, models[i]->model->params.be);
        at_ctx_init(&s->members[i].work, models[i]->model->params.be);
    }
    return ATT_OK;
}

at_status at_search_all(const at_bundle *const *models, int64_t count, const at_search_input *input,
                        const at_search_options *options, at_hypothesis *best, at_error *err)
{
    ATT_TRY(check_options(options, err));
    if (input->source.count == 0) return ATT_OK;
    search s = {.options = options, .input = input, .each = options->sample ? n_best_of(options) : 1};
    memset(best, 0, (size_t)(input->source.count * n_best_of(options)) * sizeof *best);
    at_status status = make_members(&s, models, count, err);
    if (status == ATT_OK) status = prepare(&s, &models[0]->tokens, err);
    if (status == ATT_OK) status = run(&s, err);
    if (status == ATT_OK) status = collect(&s, best, err);
    release(&s);
    for (int64_t i = 0; i < count && status == ATT_MEMORY; i++)
        models[i]->model->params.be->failed = false; /* it has been reported, and what was too much is released */
    return status;
}

at_status at_search(const at_bundle *bundle, const at_packed *source, const at_search_options *options,
                    at_hypothesis *best, at_error *err)
{
    const at_search_input input = {.source = *source};
    return at_search_all(&bundle, 1, &input, options, best, err);
}
