/* at_translator of attend/attend.h: open, share, translate, score. */
#include "api/translator.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "infer/paragraphs.h"
#include "infer/score.h"

enum { MOST_MODELS = 64 };

struct at_models {
    atomic_int users;
    at_backend *be; /* holds the weights; computes nothing */
    at_bundle *bundles;
    int64_t count;
};

/* ---- opening ---- */

static void release_models(at_models *models)
{
    if (models == NULL || atomic_fetch_sub(&models->users, 1) > 1) return;
    for (int64_t i = 0; i < models->count; i++) at_bundle_free(&models->bundles[i]);
    free(models->bundles);
    if (models->be) models->be->free(models->be);
    free(models);
}

static at_status check_models(const at_models *models, const char *const *paths, at_error *err)
{
    const at_bundle *all[MOST_MODELS];
    for (int64_t i = 0; i < models->count; i++)
        if (models->bundles[i].model->arch->encode == NULL)
            return at_fail(err, ATT_OPTION, "%s is a language model, which has no source; use attend generate",
                           paths[i]);
    if (models->count == 1) return ATT_OK;
    for (int64_t i = 0; i < models->count; i++) all[i] = &models->bundles[i];
    return at_bundles_agree(all, paths, models->count, err);
}

static at_status fill_models(at_models *models, const char *const *paths, int count, at_error *err)
{
    models->bundles = calloc((size_t)count, sizeof *models->bundles);
    if (models->bundles == NULL) return at_fail_memory(err, (size_t)count * sizeof *models->bundles);
    ATT_TRY(at_cpu_backend_new(&models->be, 1, NULL, err));
    for (; models->count < count; models->count++)
        ATT_TRY(at_bundle_open(&models->bundles[models->count], paths[models->count], models->be, false, err));
    return check_models(models, paths, err);
}

static at_status open_models(at_models **out, const char *const *paths, int count, at_error *err)
{
    at_models *models = calloc(1, sizeof *models);
    if (models == NULL) return at_fail_memory(err, sizeof *models);
    atomic_init(&models->users, 1);
    const at_status status = fill_models(models, paths, count, err);
    if (status == ATT_OK)
        *out = models;
    else
        release_models(models);
    return status;
}

static at_status fill_views(at_translator *t, int threads, at_error *err)
{
    t->ensemble = calloc((size_t)t->models->count, sizeof *t->ensemble);
    if (t->ensemble == NULL) return at_fail_memory(err, (size_t)t->models->count * sizeof *t->ensemble);
    ATT_TRY(at_cpu_backend_new(&t->be, threads, NULL, err));
    for (; t->count < t->models->count; t->count++)
        ATT_TRY(at_bundle_share(&t->ensemble[t->count], &t->models->bundles[t->count], t->be, err));
    t->bundle = t->ensemble[0];
    return ATT_OK;
}

/* Takes over the caller's use of the models, also on failure. */
static at_status make_translator(at_translator **out, at_models *models, int threads, at_error *err)
{
    at_translator *t = calloc(1, sizeof *t);
    if (t == NULL) {
        release_models(models);
        return at_fail_memory(err, sizeof *t);
    }
    t->models = models;
    const at_status status = fill_views(t, threads, err);
    if (status == ATT_OK)
        *out = t;
    else
        at_translator_free(t);
    return status;
}

at_status at_translator_open_ensemble(at_translator **translator, const char *const *paths, int count, int threads,
                                      at_error *err)
{
    at_models *models = NULL;
    if (count < 1 || count > MOST_MODELS)
        return at_fail(err, ATT_OPTION, "%d models; an ensemble has 1 to %d", count, MOST_MODELS);
    ATT_TRY(open_models(&models, paths, count, err));
    return make_translator(translator, models, threads, err);
}

at_status at_translator_open(at_translator **translator, const char *path, int threads, at_error *err)
{
    return at_translator_open_ensemble(translator, &path, 1, threads, err);
}

/* Runs one step of every model, so that all weights are packed and later passes only read them. */
static at_status pack_weights(const at_translator *t, at_error *err)
{
    for (int64_t i = 0; i < t->count; i++) {
        const at_bundle *b = &t->ensemble[i];
        const at_packed source = {1, (const int64_t[]){0, 1}, &b->tokens.eos};
        const at_search_options options = {.beam = 1, .max_length = 2};
        at_hypothesis best;
        at_status status = at_search(b, &source, &options, &best, err);
        if (status == ATT_OK) at_hypothesis_free(&best);
        if (status != ATT_OK && status != ATT_INPUT) return status; /* what computes NaN is told when it translates */
    }
    return ATT_OK;
}

at_status at_translator_share(at_translator **translator, at_translator *with, int threads, at_error *err)
{
    ATT_TRY(pack_weights(with, err));
    atomic_fetch_add(&with->models->users, 1);
    return make_translator(translator, with->models, threads, err);
}

void at_translator_free(at_translator *translator)
{
    if (translator == NULL) return;
    for (int64_t i = 0; i < translator->count; i++) at_bundle_unshare(&translator->ensemble[i]);
    free(translator->ensemble);
    release_models(translator->models);
    if (translator->be) translator->be->free(translator->be);
    free(translator);
}

/* ---- translating ---- */

at_translate_args at_translate_defaults(void)
{
    return (at_translate_args){.beam = 4,
                               .length_penalty = 0.6,
                               .max_ratio = 2,
                               .max_extra = 20,
                               .batch = 64,
                               .first_line = 1,
                               .n_best = 1,
                               .guard = true,
                               .temperature = 1,
                               .top_p = 1};
}

static at_search_options search_options(const at_translate_args *a)
{
    return (at_search_options){.beam = a->beam,
                               .alpha = a->length_penalty,
                               .penalty = ATT_PENALTY_GNMT,
                               .max_ratio = a->max_ratio,
                               .max_extra = a->max_extra,
                               .max_length = a->max_length,
                               .no_repeat = a->no_repeat,
                               .cancel = a->cancel,
                               .coverage = a->coverage_penalty,
                               .min_length = a->min_length,
                               .n_best = a->n_best,
                               .token_scores = a->token_scores,
                               .sample = a->sample,
                               .sampling = {a->temperature, a->top_k, a->top_p}};
}

/* Lines (with paragraphs sentences) are sorted by length within so many batches; a result waits for the windows up to its
 * own at most. */
enum { WINDOW_BATCHES = 16 };

at_status at_translate(at_translator *translator, const at_line *lines, int64_t count, const at_translate_args *args,
                       at_translated_fn *each, void *arg, at_error *err)
{
    const at_translate_args a = args ? *args : at_translate_defaults();
    if (a.batch < 1) return at_fail(err, ATT_OPTION, "batch must be at least 1");
    const at_bundle *others[MOST_MODELS];
    for (int64_t i = 1; i < translator->count; i++) others[i - 1] = &translator->ensemble[i];
    const at_translate_options options = {.search = search_options(&a),
                                          .batch_sentences = a.batch,
                                          .window = WINDOW_BATCHES * a.batch,
                                          .first_line = a.first_line,
                                          .each = each,
                                          .arg = arg,
                                          .guard = a.guard,
                                          .seed = a.seed,
                                          .prefixes = a.prefixes,
                                          .ensemble = others,
                                          .ensemble_count = translator->count - 1};
    at_translation *out = calloc((size_t)count + 1, sizeof *out);
    if (out == NULL) return at_fail_memory(err, (size_t)count * sizeof *out);
    const at_status status = (a.paragraphs ? at_translate_paragraphs : at_translate_lines)(&translator->bundle, lines,
                                                                                           count, &options, out, err);
    for (int64_t i = 0; status == ATT_OK && i < count; i++) at_translation_free(&out[i]);
    free(out);
    return status;
}

/* ---- scoring ---- */

at_score_args at_score_defaults(void)
{
    return (at_score_args){.batch_tokens = 1024, .first_line = 1};
}

at_status at_score(at_translator *translator, const at_line *sources, const at_line *targets, int64_t count,
                   const at_score_args *args, at_scored_fn *each, void *arg, at_error *err)
{
    const at_score_args a = args ? *args : at_score_defaults();
    const at_bundle *models[MOST_MODELS];
    for (int64_t i = 0; i < translator->count; i++) models[i] = &translator->ensemble[i];
    return at_score_lines(models, translator->count, sources, targets, count, &a, each, arg, err);
}
