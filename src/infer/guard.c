/* See guard.h. The sentences that need it make a batch of their own, which changes no result. */
#include "infer/guard.h"

#include <stdlib.h>

enum { TRIGRAM = 3 };

typedef struct guard { /* one rule */
    bool (*needs)(const at_search_input *input, const at_search_options *options, int64_t sentence,
                  const at_hypothesis *best);
    void (*change)(at_search_options *options);
    bool (*accepts)(const at_hypothesis *second);
    void (*mark)(at_hypothesis *second);
} guard;

typedef struct again { /* the batch of sentences that a guard wants searched again */
    at_search_input input;
    at_packed prefix;
    int64_t *which; /* of input.source.count sentences in the first batch */
    int64_t *offset, *prefix_offset;
    uint64_t *key;
    at_ids ids, prefix_ids;
    at_hypothesis *best;
} again;

/* ---- the two rules ---- */

static bool needs_unlooping(const at_search_input *input, const at_search_options *options, int64_t sentence,
                            const at_hypothesis *best)
{
    const int64_t from = input->source.offset[sentence], to = input->source.offset[sentence + 1];
    if (!best->looped || (options->no_repeat > 0 && options->no_repeat <= TRIGRAM)) return false;
    return at_repetitions(best->ids, best->count, 0) > at_repetitions(input->source.ids + from, to - from, 0);
}

static void forbid_trigrams(at_search_options *options)
{
    options->no_repeat = TRIGRAM;
}

static bool accept_any(const at_hypothesis *second)
{
    (void)second;
    return true;
}

static void mark_unlooped(at_hypothesis *second)
{
    second->unlooped = true;
}

static bool needs_extending(const at_search_input *input, const at_search_options *options, int64_t sentence,
                            const at_hypothesis *best)
{
    (void)input, (void)sentence;
    const bool at_hard_limit = options->max_length > 0 && best->count + 1 >= options->max_length;
    return best->truncated && !best->looped && !best->unlooped && options->max_ratio + (double)options->max_extra > 0 &&
           !at_hard_limit;
}

static void double_limit(at_search_options *options)
{
    options->max_ratio *= 2;
    options->max_extra *= 2;
}

static bool accept_whole(const at_hypothesis *second)
{
    return !second->truncated && !second->looped;
}

static void mark_extended(at_hypothesis *second)
{
    second->extended = true;
}

static const guard guards[] = {{needs_unlooping, forbid_trigrams, accept_any, mark_unlooped},
                               {needs_extending, double_limit, accept_whole, mark_extended}};

/* ---- searching again ---- */

static int64_t n_best_of(const at_search_options *options)
{
    return options->n_best > 1 ? options->n_best : 1;
}

static void again_free(again *a)
{
    free(a->which);
    free(a->offset);
    free(a->prefix_offset);
    free(a->key);
    free(a->best);
    at_ids_free(&a->ids);
    at_ids_free(&a->prefix_ids);
}

static at_status again_reserve(again *a, int64_t sentences, int64_t n_best, at_error *err)
{
    const size_t n = (size_t)sentences + 1;
    a->which = malloc(n * sizeof *a->which);
    a->offset = malloc(n * sizeof *a->offset);
    a->prefix_offset = malloc(n * sizeof *a->prefix_offset);
    a->key = malloc(n * sizeof *a->key);
    a->best = malloc(n * (size_t)n_best * sizeof *a->best);
    if (a->which && a->offset && a->prefix_offset && a->key && a->best) return ATT_OK;
    return at_fail_memory(err, n * (size_t)n_best * sizeof *a->best);
}

static at_status add_tokens(at_ids *ids, const at_packed *from, int64_t sentence, at_error *err)
{
    const int64_t begin = from->offset[sentence];
    return at_ids_add(ids, from->ids + begin, (size_t)(from->offset[sentence + 1] - begin), err);
}

static at_status again_add(again *a, const at_search_input *first, int64_t sentence, at_error *err)
{
    const int64_t n = a->input.source.count++;
    a->which[n] = sentence;
    if (first->key) a->key[n] = first->key[sentence];
    ATT_TRY(add_tokens(&a->ids, &first->source, sentence, err));
    if (first->prefix) ATT_TRY(add_tokens(&a->prefix_ids, first->prefix, sentence, err));
    a->offset[n + 1] = (int64_t)a->ids.len;
    a->prefix_offset[n + 1] = (int64_t)a->prefix_ids.len;
    return ATT_OK;
}

static at_status gather(again *a, const guard *g, const at_search_input *input, const at_search_options *options,
                        const at_hypothesis *best, at_error *err)
{
    const int64_t each = n_best_of(options);
    a->offset[0] = a->prefix_offset[0] = 0;
    for (int64_t i = 0; i < input->source.count; i++)
        if (g->needs(input, options, i, &best[i * each])) ATT_TRY(again_add(a, input, i, err));
    a->input.source = (at_packed){a->input.source.count, a->offset, a->ids.data};
    a->prefix = (at_packed){a->input.source.count, a->prefix_offset, a->prefix_ids.data};
    a->input.prefix = input->prefix ? &a->prefix : NULL;
    a->input.key = input->key ? a->key : NULL;
    return ATT_OK;
}

/* Puts the accepted answers in the place of the first ones; the others are freed. */
static void exchange(again *a, const guard *g, int64_t each, at_hypothesis *best)
{
    for (int64_t i = 0; i < a->input.source.count; i++) {
        const bool accepted = g->accepts(&a->best[i * each]);
        for (int64_t j = 0; j < each; j++) {
            at_hypothesis *first = &best[a->which[i] * each + j], *second = &a->best[i * each + j];
            if (accepted) {
                const at_hypothesis kept = *second;
                *second = *first;
                *first = kept;
                g->mark(first);
            }
            at_hypothesis_free(second);
        }
    }
}

static at_status apply(const guard *g, const at_bundle *const *models, int64_t count, const at_search_input *input,
                       const at_search_options *options, at_hypothesis *best, at_error *err)
{
    again a = {0};
    at_search_options changed = *options;
    g->change(&changed);
    at_status status = again_reserve(&a, input->source.count, n_best_of(options), err);
    if (status == ATT_OK) status = gather(&a, g, input, options, best, err);
    if (status == ATT_OK) status = at_search_all(models, count, &a.input, &changed, a.best, err);
    if (status == ATT_OK) exchange(&a, g, n_best_of(options), best);
    again_free(&a);
    return status;
}

at_status at_search_guarded(const at_bundle *const *models, int64_t count, const at_search_input *input,
                            const at_search_options *options, at_hypothesis *best, at_error *err)
{
    const int64_t all = input->source.count * n_best_of(options);
    ATT_TRY(at_search_all(models, count, input, options, best, err));
    at_status status = ATT_OK;
    for (size_t i = 0; i < sizeof guards / sizeof *guards && status == ATT_OK; i++)
        status = apply(&guards[i], models, count, input, options, best, err);
    for (int64_t i = 0; i < all && status != ATT_OK; i++) at_hypothesis_free(&best[i]);
    return status;
}
