/* Search over small random models: against argmax and enumeration with the full forward pass, alone and in batches,
 * with any number of threads; limits, flags, cancelling, lack of memory. And the selection of the best ids. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "infer/guard.h"
#include "model/transformer.h"
#include "must.h"
#include "nn/positions.h"

enum { PAD = 0, START = 1, EOS = 2, MOST = 64 };

static at_backend *cpu(int threads)
{
    at_error err;
    at_backend *be = NULL;
    must(at_cpu_backend_new(&be, threads, NULL, &err), &err);
    return be;
}

/* A random model; learned positions where max_positions > 0. */
static at_bundle small_model(at_backend *be, int64_t vocab, int64_t max_positions, uint64_t seed)
{
    at_error err;
    at_bundle bundle = {.tokens = {.target_start = START, .eos = EOS, .pad = PAD}};
    must(at_model_new(&bundle.model, at_arch_find("transformer"), be, &err), &err);
    at_transformer_config *c = bundle.model->config;
    c->source_vocab = c->target_vocab = vocab;
    c->encoder_layers = c->decoder_layers = 2;
    c->width = 24;
    c->heads = 3;
    c->ffn = 40;
    c->output_bias = true;
    if (max_positions > 0) {
        c->positions = ATT_POSITIONS_LEARNED;
        c->max_positions = max_positions;
    }
    must(at_model_build(bundle.model, false, &err), &err);
    must(at_params_draw(&bundle.model->params, seed, &err), &err);
    return bundle;
}

/* Raises or lowers the logit of one token. */
static void set_bias(const at_bundle *bundle, int32_t id, float bias)
{
    const at_params *p = &bundle->model->params;
    p->be->upload(p->be, at_params_find(p, "output.bias")->data + id, &bias, sizeof bias);
}

/* Sentences of 1 to 9 tokens of which the last ends them. */
typedef struct sentences {
    int64_t offset[MOST + 1];
    int32_t ids[MOST * 10];
    at_packed packed;
} sentences;

static void draw_sentences(sentences *s, int64_t count, int64_t vocab, uint64_t seed)
{
    s->offset[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t length = 1 + at_rng_below(seed, (uint64_t)i, 9), first = s->offset[i];
        for (int64_t j = 0; j + 1 < length; j++)
            s->ids[first + j] = (int32_t)(3 + at_rng_below(seed + 1, (uint64_t)(first + j), (uint32_t)vocab - 3));
        s->ids[first + length - 1] = EOS;
        s->offset[i + 1] = first + length;
    }
    s->packed = (at_packed){count, s->offset, s->ids};
}

static void expect_same(const at_hypothesis *a, const at_hypothesis *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->ids, b->ids, (size_t)a->count * sizeof *a->ids);
    assert_memory_equal(&a->log_prob, &b->log_prob, sizeof a->log_prob);
    assert_memory_equal(&a->score, &b->score, sizeof a->score);
    assert_int_equal(a->truncated, b->truncated);
    assert_int_equal(a->looped, b->looped);
}

static void search(const at_bundle *bundle, const at_packed *source, const at_search_options *options,
                   at_hypothesis *best)
{
    at_error err;
    must(at_search(bundle, source, options, best, &err), &err);
}

static void free_all(at_hypothesis *best, int64_t count)
{
    for (int64_t i = 0; i < count; i++) at_hypothesis_free(&best[i]);
}

/* ---- the full forward pass ---- */

/* Log-probabilities of the token after start and ids, by the model's forward pass without cache. */
static void next_log_probs(const at_bundle *bundle, const at_packed *source, const int32_t *ids, int64_t count,
                           float *row)
{
    const at_model *model = bundle->model;
    at_backend *be = model->params.be;
    int32_t input[MOST] = {bundle->tokens.target_start};
    const int64_t offset[] = {0, count + 1};
    const at_packed target = {1, offset, input};
    at_ctx ctx;
    memcpy(input + 1, ids, (size_t)count * sizeof *ids);
    at_ctx_init(&ctx, be);
    at_ctx_begin(&ctx, false, false, 0);
    at_tensor *states = model->arch->encode(&ctx, model, source, NULL);
    at_tensor *logits = model->arch->decode(&ctx, model, states, source, &target, NULL);
    const int64_t v = at_tensor_width(logits);
    be->log_softmax(be, logits->data + count * v, 1, v);
    be->download(be, row, logits->data + count * v, (size_t)v * sizeof *row);
    at_ctx_free(&ctx);
}

static void beam_one_is_greedy(void **state)
{
    (void)state;
    enum { VOCAB = 30, COUNT = 20, LIMIT = 12 };
    at_backend *be = cpu(2);
    at_bundle bundle = small_model(be, VOCAB, 0, 3);
    set_bias(&bundle, EOS, 1);
    sentences s;
    at_hypothesis best[COUNT];
    int64_t ended = 0;
    draw_sentences(&s, COUNT, VOCAB, 5);
    const at_search_options options = {.beam = 1, .alpha = 0, .max_length = LIMIT};
    search(&bundle, &s.packed, &options, best);
    for (int64_t b = 0; b < COUNT; b++) {
        const at_packed one = {1, (const int64_t[]){0, s.offset[b + 1] - s.offset[b]}, s.ids + s.offset[b]};
        int32_t ids[LIMIT];
        int64_t count = 0;
        double log_prob = 0;
        for (int32_t id = START; id != EOS && count < LIMIT; ids[count++] = id) {
            float row[VOCAB];
            next_log_probs(&bundle, &one, ids, count, row);
            id = START;
            for (int32_t i = START + 1; i < VOCAB; i++)
                if (row[i] > row[id]) id = i;
            log_prob += (double)row[id];
        }
        const bool end = ids[count - 1] == EOS;
        assert_int_equal(best[b].count, count - end);
        assert_memory_equal(best[b].ids, ids, (size_t)(count - end) * sizeof *ids);
        assert_int_equal(best[b].truncated, !end);
        assert_true(fabs(best[b].log_prob - log_prob) < 1e-4 && best[b].score == best[b].log_prob);
        ended += end;
    }
    assert_true(ended > 0 && ended < COUNT);
    free_all(best, COUNT);
    at_bundle_free(&bundle);
    be->free(be);
}

typedef struct enumeration {
    const at_bundle *bundle;
    const at_packed *source;
    const at_search_options *options;
} enumeration;

static double score_of(const at_search_options *o, double log_prob, int64_t length)
{
    return log_prob / pow(o->penalty == ATT_PENALTY_GNMT ? (5.0 + (double)length) / 6 : (double)length, o->alpha);
}

/* The best score of all outputs that begin with ids. */
static double best_score(const enumeration *e, int32_t *ids, int64_t count, double log_prob)
{
    enum { VOCAB = 5 };
    const int64_t limit = e->options->max_length;
    if (count == limit - e->bundle->tokens.final_eos) return score_of(e->options, log_prob, limit);
    float row[VOCAB];
    double best = -DBL_MAX;
    next_log_probs(e->bundle, e->source, ids, count, row);
    for (int32_t id = PAD + 1; id < VOCAB; id++) {
        ids[count] = id;
        const double sum = log_prob + (double)row[id];
        const double score = id == EOS ? score_of(e->options, sum, count + 1) : best_score(e, ids, count + 1, sum);
        if (score > best) best = score;
    }
    return best;
}

static void wide_beam_is_exhaustive(void **state)
{
    (void)state;
    at_backend *be = cpu(1);
    sentences s;
    draw_sentences(&s, 1, 5, 6);
    for (int variant = 0; variant < 8; variant++) {
        at_bundle bundle = small_model(be, 5, variant % 2 ? 16 : 0, (uint64_t)variant);
        const at_search_options options = {
            .beam = 128, .alpha = 0.4 * variant, .penalty = variant / 2 % 2, .max_length = 4};
        const enumeration e = {&bundle, &s.packed, &options};
        int32_t ids[MOST];
        at_hypothesis best;
        bundle.tokens.final_eos = variant / 4;
        search(&bundle, &s.packed, &options, &best);
        assert_true(fabs(best.score - best_score(&e, ids, 0, 0)) < 1e-4);
        at_hypothesis_free(&best);
        at_bundle_free(&bundle);
    }
    be->free(be);
}

/* ---- batches and threads ---- */

static const at_search_options variants[] = {
    {.beam = 1, .max_ratio = 2, .max_extra = 5},
    {.beam = 4, .alpha = 0.6, .max_ratio = 1.5, .max_extra = 3},
    {.beam = 5, .alpha = 1, .penalty = ATT_PENALTY_POWER, .max_length = 17, .early_stop = true},
    {.beam = 3, .alpha = 1, .penalty = ATT_PENALTY_POWER, .max_ratio = 3, .max_length = 20, .no_repeat = 2},
};

enum { VARIANTS = sizeof variants / sizeof *variants };

static void batches_do_not_matter(void **state)
{
    (void)state;
    enum { VOCAB = 50, COUNT = 23 };
    at_backend *be = cpu(2);
    at_bundle bundle = small_model(be, VOCAB, 0, 8);
    set_bias(&bundle, EOS, 1);
    sentences s, shuffled;
    draw_sentences(&s, COUNT, VOCAB, 9);
    shuffled.offset[0] = 0;
    for (int64_t i = 0; i < COUNT; i++) { /* 7 and 23 have no common divisor */
        const int64_t from = i * 7 % COUNT, length = s.offset[from + 1] - s.offset[from];
        memcpy(shuffled.ids + shuffled.offset[i], s.ids + s.offset[from], (size_t)length * sizeof *s.ids);
        shuffled.offset[i + 1] = shuffled.offset[i] + length;
    }
    shuffled.packed = (at_packed){COUNT, shuffled.offset, shuffled.ids};
    for (int v = 0; v < VARIANTS; v++) {
        at_hypothesis together[COUNT], mixed[COUNT], alone;
        search(&bundle, &s.packed, &variants[v], together);
        search(&bundle, &shuffled.packed, &variants[v], mixed);
        for (int64_t i = 0; i < COUNT; i++) {
            const at_packed one = {1, (const int64_t[]){0, s.offset[i + 1] - s.offset[i]}, s.ids + s.offset[i]};
            search(&bundle, &one, &variants[v], &alone);
            expect_same(&together[i], &alone);
            at_hypothesis_free(&alone);
            expect_same(&mixed[i], &together[i * 7 % COUNT]);
        }
        free_all(together, COUNT);
        free_all(mixed, COUNT);
    }
    at_bundle_free(&bundle);
    be->free(be);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    enum { VOCAB = 300, COUNT = 17 };
    static const int threads[] = {1, 2, 3, 8};
    at_hypothesis first[VARIANTS][COUNT];
    sentences s;
    draw_sentences(&s, COUNT, VOCAB, 10);
    for (int t = 0; t < 4; t++) {
        at_backend *be = cpu(threads[t]);
        at_bundle bundle = small_model(be, VOCAB, 40, 11);
        set_bias(&bundle, EOS, 2);
        for (int v = 0; v < VARIANTS; v++) {
            at_hypothesis best[COUNT];
            search(&bundle, &s.packed, &variants[v], t == 0 ? first[v] : best);
            for (int64_t i = 0; t > 0 && i < COUNT; i++) expect_same(&best[i], &first[v][i]);
            if (t > 0) free_all(best, COUNT);
        }
        at_bundle_free(&bundle);
        be->free(be);
    }
    for (int v = 0; v < VARIANTS; v++) free_all(first[v], COUNT);
}

/* ---- limits and flags ---- */

static void limits_cut(void **state)
{
    (void)state;
    enum { VOCAB = 20, COUNT = 6 };
    at_backend *be = cpu(1);
    at_bundle bundle = small_model(be, VOCAB, 0, 12);
    set_bias(&bundle, EOS, -100);
    sentences s;
    draw_sentences(&s, COUNT, VOCAB, 13);
    for (int final_eos = 0; final_eos < 2; final_eos++) {
        const at_search_options options = {.beam = 3, .alpha = 1, .max_ratio = 1.5, .max_extra = 2, .max_length = 12};
        at_hypothesis best[COUNT];
        bundle.tokens.final_eos = final_eos;
        search(&bundle, &s.packed, &options, best);
        for (int64_t i = 0; i < COUNT; i++) {
            const int64_t ratio = (int64_t)(1.5 * (double)(s.offset[i + 1] - s.offset[i])) + 2,
                          limit = ratio < 12 ? ratio : 12;
            assert_true(best[i].truncated);
            assert_int_equal(best[i].count, limit - final_eos);
            for (int64_t j = 0; j < best[i].count; j++) assert_true(best[i].ids[j] != PAD && best[i].ids[j] != EOS);
        }
        free_all(best, COUNT);
    }
    at_bundle_free(&bundle);
    be->free(be);
}

static void flags_tell(void **state)
{
    (void)state;
    at_backend *be = cpu(1);
    at_bundle bundle = small_model(be, 20, 0, 14);
    sentences s;
    at_hypothesis best;
    draw_sentences(&s, 1, 20, 15);
    for (int64_t beam = 1; beam < 4; beam++) {
        const at_search_options options = {.beam = beam, .alpha = 1, .max_length = 15};
        set_bias(&bundle, EOS, -100);
        set_bias(&bundle, 7, 50);
        search(&bundle, &s.packed, &options, &best);
        assert_true(best.truncated && best.looped);
        assert_int_equal(best.count, 15);
        at_hypothesis_free(&best);
        set_bias(&bundle, EOS, 100);
        search(&bundle, &s.packed, &options, &best);
        assert_false(best.truncated || best.looped);
        assert_int_equal(best.count, 0);
        assert_non_null(best.ids);
        at_hypothesis_free(&best);
        at_hypothesis_free(&best);
    }
    at_bundle_free(&bundle);
    be->free(be);
}

static void learned_positions_limit(void **state)
{
    (void)state;
    at_backend *be = cpu(1);
    at_bundle bundle = small_model(be, 20, 6, 16);
    set_bias(&bundle, EOS, -100);
    const int32_t ids[] = {5, 6, 7, 8, 9, EOS, 4, 5, 6, 7, 8, 9, EOS};
    const at_search_options options = {.beam = 2, .max_length = 50};
    const at_packed short_enough = {1, (const int64_t[]){0, 6}, ids}, too_long = {2, (const int64_t[]){0, 6, 13}, ids};
    at_hypothesis best[2];
    at_error err;
    search(&bundle, &short_enough, &options, best);
    assert_true(best[0].truncated);
    assert_int_equal(best[0].count, 6);
    at_hypothesis_free(best);
    assert_int_equal(at_search(&bundle, &too_long, &options, best, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "sentence 2 has 7 tokens"));
    assert_null(best[0].ids);
    at_bundle_free(&bundle);
    be->free(be);
}

static void refusals(void **state)
{
    (void)state;
    at_backend *be = cpu(1);
    at_bundle bundle = small_model(be, 20, 0, 17);
    sentences s;
    draw_sentences(&s, 4, 20, 18);
    static const at_search_options wrong[] = {
        {.beam = 0, .max_length = 5}, {.beam = 1}, {.beam = 1, .max_length = 5, .no_repeat = -1}};
    at_hypothesis best[4];
    for (int i = 0; i < 3; i++) assert_int_equal(at_search(&bundle, &s.packed, &wrong[i], best, NULL), ATT_OPTION);
    const at_search_options huge = {.beam = 1000, .max_length = 1000000};
    assert_int_equal(at_search(&bundle, &s.packed, &huge, best, NULL), ATT_OPTION);

    const volatile int raised = 1;
    const at_search_options cancelled = {.beam = 2, .max_length = 5, .cancel = &raised};
    assert_int_equal(at_search(&bundle, &s.packed, &cancelled, best, NULL), ATT_CANCELLED);
    for (int i = 0; i < 4; i++) assert_null(best[i].ids);

    const at_packed none = {0, (const int64_t[]){0}, NULL};
    const at_search_options fine = {.beam = 2, .max_length = 5};
    assert_int_equal(at_search(&bundle, &none, &fine, NULL, NULL), ATT_OK);
    set_bias(&bundle, 9, NAN);
    assert_int_equal(at_search(&bundle, &s.packed, &fine, best, NULL), ATT_INPUT);
    at_bundle_free(&bundle);
    be->free(be);
}

/* The backend's alloc, failing from the n-th call on. */
static void *(*real_alloc)(at_backend *be, size_t bytes);
static int allocs_left;

static void *scarce_alloc(at_backend *be, size_t bytes)
{
    if (allocs_left-- > 0) return real_alloc(be, bytes);
    be->failed = true;
    return NULL;
}

static void memory_failures_are_reported(void **state)
{
    (void)state;
    at_backend *be = cpu(1);
    at_bundle bundle = small_model(be, 20, 0, 19);
    sentences s;
    draw_sentences(&s, 4, 20, 20);
    const at_search_options options = {.beam = 2, .max_length = 5};
    at_hypothesis best[4];
    at_status status = ATT_MEMORY;
    real_alloc = be->alloc;
    be->alloc = scarce_alloc;
    int failures = 0;
    for (; status == ATT_MEMORY; failures++) {
        allocs_left = failures;
        status = at_search(&bundle, &s.packed, &options, best, NULL);
        assert_false(be->failed);
    }
    assert_int_equal(status, ATT_OK);
    assert_true(failures > 4);
    free_all(best, 4);
    at_bundle_free(&bundle);
    be->free(be);
}

/* ---- selection ---- */

/* Rows of small integers, so that many are equal, with what can't be chosen among them. */
static void draw_logits(float *x, int64_t n, int64_t v, uint64_t seed)
{
    for (int64_t i = 0; i < n * v; i++) {
        x[i] = (float)at_rng_below(seed, (uint64_t)i, 12) - 3;
        if (at_rng_below(seed + 1, (uint64_t)i, 9) == 0) x[i] = -INFINITY;
    }
}

static void check_top_k(at_backend *be, int64_t n, int64_t v, int64_t k, uint64_t seed)
{
    float *x = malloc((size_t)(n * v) * sizeof *x), *y = malloc((size_t)(n * v) * sizeof *y);
    float *best = malloc((size_t)(n * k) * sizeof *best);
    int32_t *ids = malloc((size_t)(n * k) * sizeof *ids);
    draw_logits(x, n, v, seed);
    memcpy(y, x, (size_t)(n * v) * sizeof *x);
    be->log_softmax(be, y, n, v);
    be->top_k(be, ids, best, x, n, v, k);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++) {
            float *row = y + i * v;
            int64_t top = 0;
            for (int64_t c = 1; c < v; c++)
                if (row[c] > row[top]) top = c;
            const bool none = !(row[top] > -INFINITY);
            assert_int_equal(ids[i * k + j], none ? -1 : top);
            assert_true(best[i * k + j] == (none ? -INFINITY : row[top]));
            row[top] = -INFINITY;
        }
    free(x);
    free(y);
    free(best);
    free(ids);
}

static void top_k_selects(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 129, 1000};
    at_backend *be = cpu(3);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t k = 1; k <= sizes[i] && k <= 70; k += 1 + k / 4)
            check_top_k(be, 1 + k % 5, sizes[i], k, (uint64_t)(1000 * i) + (uint64_t)k);
    float broken[] = {1, NAN, 3, INFINITY, 1, 2}, best[6];
    int32_t ids[6];
    be->top_k(be, ids, best, broken, 2, 3, 3);
    for (int i = 0; i < 6; i++) assert_true(ids[i] == -1 && best[i] == -INFINITY);
    be->free(be);
}

/* ---- several models, prefixes, sampling, coverage, guards ---- */

static void search_all(const at_bundle *const *models, int64_t count, const at_search_input *input,
                       const at_search_options *options, at_hypothesis *best)
{
    at_error err;
    must(at_search_all(models, count, input, options, best, &err), &err);
}

/* Twice the same model is that model, to the bit; two models are neither, and order doesn't matter. */
static void ensembles_average(void **state)
{
    (void)state;
    enum { VOCAB = 40, COUNT = 9 };
    at_backend *be = cpu(2);
    at_bundle a = small_model(be, VOCAB, 0, 31), b = small_model(be, VOCAB, 0, 32);
    sentences s;
    at_hypothesis one[COUNT], twice[COUNT], ab[COUNT], ba[COUNT];
    draw_sentences(&s, COUNT, VOCAB, 33);
    const at_search_input input = {.source = s.packed};
    search(&a, &s.packed, &variants[1], one);
    search_all((const at_bundle *[]){&a, &a}, 2, &input, &variants[1], twice);
    search_all((const at_bundle *[]){&a, &b}, 2, &input, &variants[1], ab);
    search_all((const at_bundle *[]){&b, &a}, 2, &input, &variants[1], ba);
    int differ = 0;
    for (int i = 0; i < COUNT; i++) {
        expect_same(&one[i], &twice[i]);
        expect_same(&ab[i], &ba[i]);
        differ += one[i].log_prob != ab[i].log_prob;
    }
    assert_true(differ > 0);
    free_all(one, COUNT);
    free_all(twice, COUNT);
    free_all(ab, COUNT);
    free_all(ba, COUNT);
    at_bundle_free(&a);
    at_bundle_free(&b);
    be->free(be);
}

/* Forcing what greedy search chooses anyway changes nothing, to the bit; forcing something else is obeyed. */
static void forced_prefixes_continue(void **state)
{
    (void)state;
    enum { VOCAB = 40, COUNT = 7, FORCED = 3 };
    at_backend *be = cpu(2);
    at_bundle bundle = small_model(be, VOCAB, 0, 34);
    sentences s;
    at_hypothesis plain[COUNT], forced[COUNT];
    int32_t ids[COUNT * FORCED];
    int64_t offset[COUNT + 1] = {0};
    draw_sentences(&s, COUNT, VOCAB, 35);
    const at_search_options options = {.beam = 1, .max_length = 14, .token_scores = true};
    search(&bundle, &s.packed, &options, plain);
    for (int i = 0; i < COUNT; i++) { /* of different lengths, some none */
        const int64_t n = plain[i].count < i % (FORCED + 1) ? plain[i].count : i % (FORCED + 1);
        memcpy(ids + offset[i], plain[i].ids, (size_t)n * sizeof *ids);
        offset[i + 1] = offset[i] + n;
    }
    const at_packed prefix = {COUNT, offset, ids};
    const at_search_input input = {.source = s.packed, .prefix = &prefix};
    search_all((const at_bundle *[]){&bundle}, 1, &input, &options, forced);
    for (int i = 0; i < COUNT; i++) {
        expect_same(&plain[i], &forced[i]);
        assert_memory_equal(plain[i].token_log_probs, forced[i].token_log_probs,
                            (size_t)(plain[i].count + 1) * sizeof(float));
    }
    free_all(forced, COUNT);
    for (int64_t i = 0; i < offset[COUNT]; i++) ids[i] = (int32_t)(3 + i);
    for (int v = 1; v < VARIANTS; v++) {
        search_all((const at_bundle *[]){&bundle}, 1, &input, &variants[v], forced);
        for (int i = 0; i < COUNT; i++)
            assert_memory_equal(forced[i].ids, ids + offset[i], (size_t)(offset[i + 1] - offset[i]) * sizeof *ids);
        free_all(forced, COUNT);
    }
    const at_search_options tight = {.beam = 2, .max_length = 2};
    at_error err;
    assert_int_equal(at_search_all((const at_bundle *[]){&bundle}, 1, &input, &tight, forced, &err), ATT_INPUT);
    free_all(plain, COUNT);
    at_bundle_free(&bundle);
    be->free(be);
}

static const at_search_options drawing = {
    .max_length = 12, .sample = true, .n_best = 3, .sampling = {.temperature = 1}};

/* A draw depends on the sentence's key and the sample's number: not on the batch, nor on threads. */
static void samples_follow_their_key(void **state)
{
    (void)state;
    enum { VOCAB = 40, COUNT = 8, N = 3 };
    static const int threads[] = {1, 3};
    sentences s;
    draw_sentences(&s, COUNT, VOCAB, 36);
    uint64_t key[COUNT];
    at_hypothesis first[COUNT * N];
    for (uint64_t i = 0; i < COUNT; i++) key[i] = at_rng_key(99, i);
    for (int t = 0; t < 2; t++) {
        at_backend *be = cpu(threads[t]);
        at_bundle bundle = small_model(be, VOCAB, 0, 37);
        const at_bundle *models[] = {&bundle};
        at_hypothesis again[COUNT * N];
        search_all(models, 1, &(at_search_input){.source = s.packed, .key = key}, &drawing, t == 0 ? first : again);
        for (int i = 0; i < COUNT; i++) {
            const at_packed one = {1, (const int64_t[]){0, s.offset[i + 1] - s.offset[i]}, s.ids + s.offset[i]};
            at_hypothesis alone[N];
            search_all(models, 1, &(at_search_input){.source = one, .key = &key[i]}, &drawing, alone);
            for (int n = 0; n < N; n++) expect_same(&alone[n], &first[i * N + n]);
            free_all(alone, N);
            for (int n = 0; n < N && t > 0; n++) expect_same(&again[i * N + n], &first[i * N + n]);
        }
        if (t > 0) free_all(again, COUNT * N);
        at_bundle_free(&bundle);
        be->free(be);
    }
    assert_false(first[0].count == first[1].count &&
                 memcmp(first[0].ids, first[1].ids, (size_t)first[0].count * sizeof(int32_t)) == 0);
    free_all(first, COUNT * N);
}

/* One token left to draw from, or a temperature near 0: greedy search. */
static void narrow_sampling_is_greedy(void **state)
{
    (void)state;
    enum { VOCAB = 40, COUNT = 8 };
    static const at_sampling narrow[] = {{1, 1, 1}, {1, 0, 1e-9}, {1e-4, 0, 1}, {2, 1, 0.5}};
    at_backend *be = cpu(1);
    at_bundle bundle = small_model(be, VOCAB, 0, 38);
    const at_bundle *models[] = {&bundle};
    sentences s;
    at_hypothesis greedy[COUNT], drawn[COUNT];
    uint64_t key[COUNT] = {1, 2, 3, 4, 5, 6, 7, 8};
    draw_sentences(&s, COUNT, VOCAB, 39);
    at_search_options options = {.beam = 1, .max_length = 12};
    search(&bundle, &s.packed, &options, greedy);
    options.sample = true;
    for (size_t v = 0; v < sizeof narrow / sizeof *narrow; v++) {
        options.sampling = narrow[v];
        search_all(models, 1, &(at_search_input){.source = s.packed, .key = key}, &options, drawn);
        for (int i = 0; i < COUNT; i++) expect_same(&greedy[i], &drawn[i]);
        free_all(drawn, COUNT);
    }
    options.sampling.temperature = 0;
    assert_int_equal(
        at_search_all(models, 1, &(at_search_input){.source = s.packed, .key = key}, &options, drawn, NULL),
        ATT_OPTION);
    free_all(greedy, COUNT);
    at_bundle_free(&bundle);
    be->free(be);
}

/* Shares of 20000 draws against the distribution, within five standard deviations. */
static void draws_have_the_right_shares(void **state)
{
    (void)state;
    enum { VOCAB = 5, DRAWS = 20000 };
    static const double p[VOCAB] = {0.4, 0.3, 0.15, 0.1, 0.05};
    static const struct {
        at_sampling sampling;
        double share[VOCAB];
    } cases[] = {
        {{1, 0, 1}, {0.4, 0.3, 0.15, 0.1, 0.05}},
        {{1, 2, 1}, {4 / 7.0, 3 / 7.0, 0, 0, 0}},
        {{1, 0, 0.69}, {4 / 7.0, 3 / 7.0, 0, 0, 0}},
        {{1, 0, 0.71}, {0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0}},
        {{0.5, 0, 1}, {0.16 / 0.285, 0.09 / 0.285, 0.0225 / 0.285, 0.01 / 0.285, 0.0025 / 0.285}},
    };
    float row[VOCAB];
    for (int i = 0; i < VOCAB; i++) row[i] = (float)log(p[i]);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int counts[VOCAB] = {0};
        at_sampler *sampler;
        assert_int_equal(at_sampler_new(&sampler, &cases[c].sampling, VOCAB, NULL), ATT_OK);
        for (int i = 0; i < DRAWS; i++) counts[at_sample(sampler, row, 5, i)]++;
        for (int i = 0; i < VOCAB; i++) {
            const double share = cases[c].share[i], sigma = sqrt(share * (1 - share) / DRAWS);
            assert_true(fabs(counts[i] / (double)DRAWS - share) <= 5 * sigma);
        }
        const float none[VOCAB] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
        assert_int_equal(at_sample(sampler, none, 1, 1), -1);
        at_sampler_free(sampler);
    }
}

/* The score's coverage against the weights of the full forward pass; and batches don't matter to it. */
static void coverage_reads_the_attention(void **state)
{
    (void)state;
    enum { VOCAB = 40, COUNT = 6, HEADS = 3, LAYERS = 2 };
    at_backend *be = cpu(2);
    at_bundle bundle = small_model(be, VOCAB, 0, 40);
    set_bias(&bundle, EOS, 2);
    sentences s;
    at_hypothesis best[COUNT];
    draw_sentences(&s, COUNT, VOCAB, 41);
    const at_search_options options = {.beam = 4, .alpha = 0.6, .max_length = 9, .coverage = 0.3};
    search(&bundle, &s.packed, &options, best);
    for (int i = 0; i < COUNT; i++) {
        const int64_t n = s.offset[i + 1] - s.offset[i], steps = best[i].count + !best[i].truncated;
        int32_t in[MOST] = {START};
        float weights[HEADS * MOST * 10], *layer[LAYERS] = {NULL, weights};
        const at_packed one = {1, (const int64_t[]){0, n}, s.ids + s.offset[i]},
                        target = {1, (const int64_t[]){0, steps}, in};
        const int64_t start = 0;
        const at_attention_map map = {.cross = layer, .cross_offset = &start};
        at_ctx ctx;
        at_hypothesis alone;
        memcpy(in + 1, best[i].ids, (size_t)(steps - 1) * sizeof *in);
        at_ctx_init(&ctx, be);
        at_ctx_begin(&ctx, false, false, 0);
        at_tensor *states = bundle.model->arch->encode(&ctx, bundle.model, &one, NULL);
        bundle.model->arch->decode(&ctx, bundle.model, states, &one, &target, &map);
        double penalty = 0;
        for (int64_t k = 0; k < n; k++) {
            double covered = 0;
            for (int64_t r = 0; r < HEADS * steps; r++) covered += (double)weights[r * n + k] / HEADS;
            penalty += log(fmin(covered, 1));
        }
        const double plain = best[i].log_prob / pow((5.0 + (double)steps) / 6, 0.6);
        assert_true(fabs(best[i].score - (plain + 0.3 * penalty)) < 1e-4);
        at_ctx_free(&ctx);
        search(&bundle, &one, &options, &alone);
        expect_same(&alone, &best[i]);
        at_hypothesis_free(&alone);
    }
    free_all(best, COUNT);
    at_bundle_free(&bundle);
    be->free(be);
}

static void guarded(const at_bundle *bundle, const at_packed *source, const at_search_options *options,
                    at_hypothesis *best)
{
    at_error err;
    const at_search_input input = {.source = *source};
    must(at_search_guarded(&bundle, 1, &input, options, best, &err), &err);
}

/* A model that would write token 7 for ever. */
static void guards_unloop(void **state)
{
    (void)state;
    enum { VOCAB = 20, COUNT = 4 };
    at_backend *be = cpu(1);
    at_bundle bundle = small_model(be, VOCAB, 0, 42);
    set_bias(&bundle, 7, 6);
    const int64_t offset[COUNT + 1] = {0, 2, 5, 17,
                                       29}; /* a number, a name in brackets, twelve times one word, commas */
    int32_t ids[29] = {4, EOS, 5, 6, EOS};
    for (int i = 5; i < 16; i++) ids[i] = 9;
    for (int i = 17; i < 28; i++) ids[i] = (int32_t)(10 + i % 2);
    ids[16] = ids[28] = EOS;
    const at_packed source = {COUNT, offset, ids};
    at_search_options options = {.beam = 4, .alpha = 0.6, .max_ratio = 2, .max_extra = 20, .n_best = 2};
    at_hypothesis plain[2 * COUNT], best[2 * COUNT];
    search(&bundle, &source, &options, plain);
    guarded(&bundle, &source, &options, best);
    int unlooped = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_true(plain[2 * i].looped); /* never unflagged without guards either */
        assert_int_equal(best[2 * i].looped, at_loops(best[2 * i].ids, best[2 * i].count));
        const int64_t theirs = at_repetitions(ids + offset[i], offset[i + 1] - offset[i], 0);
        assert_int_equal(best[2 * i].unlooped, at_repetitions(plain[2 * i].ids, plain[2 * i].count, 0) > theirs);
        assert_false(best[2 * i].unlooped && best[2 * i].looped);
        unlooped += best[2 * i].unlooped;
        if (best[2 * i].unlooped) assert_true(best[2 * i + 1].unlooped);
    }
    assert_true(unlooped >= 2);
    free_all(plain, 2 * COUNT);
    free_all(best, 2 * COUNT);
    options.no_repeat = 2; /* asked for already: nothing is left to do */
    guarded(&bundle, &source, &options, best);
    for (int i = 0; i < COUNT; i++) assert_false(best[2 * i].looped || best[2 * i].unlooped);
    free_all(best, 2 * COUNT);
    at_bundle_free(&bundle);
    be->free(be);
}

/* Outputs that end behind the limit, but before twice of it, are had whole; how many of a model's are. */
static int extend(at_backend *be, uint64_t seed)
{
    enum { VOCAB = 30, COUNT = 12, LIMIT = 4 };
    at_bundle bundle = small_model(be, VOCAB, 0, seed);
    set_bias(&bundle, EOS, 0.5f);
    sentences s;
    at_hypothesis cut[COUNT], longer[COUNT], best[COUNT];
    draw_sentences(&s, COUNT, VOCAB, seed + 1);
    at_search_options options = {.beam = 2, .alpha = 1, .max_extra = LIMIT};
    const at_search_options twice = {.beam = 2, .alpha = 1, .max_extra = 2 * LIMIT};
    search(&bundle, &s.packed, &options, cut);
    search(&bundle, &s.packed, &twice, longer);
    guarded(&bundle, &s.packed, &options, best);
    int extended = 0;
    for (int i = 0; i < COUNT; i++) {
        const bool wanted = cut[i].truncated && !cut[i].looped && !longer[i].truncated && !longer[i].looped;
        assert_int_equal(best[i].extended, wanted);
        if (!best[i].unlooped) expect_same(&best[i], wanted ? &longer[i] : &cut[i]);
        extended += wanted;
    }
    free_all(best, COUNT);
    options.max_length = LIMIT; /* a hard limit stays */
    guarded(&bundle, &s.packed, &options, best);
    for (int i = 0; i < COUNT; i++) assert_true(!best[i].extended && best[i].count <= LIMIT);
    free_all(best, COUNT);
    free_all(cut, COUNT);
    free_all(longer, COUNT);
    at_bundle_free(&bundle);
    return extended;
}

static void guards_extend(void **state)
{
    (void)state;
    at_backend *be = cpu(1);
    int extended = 0;
    for (uint64_t seed = 0; seed < 12; seed++) extended += extend(be, seed);
    assert_true(extended > 0);
    be->free(be);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beam_one_is_greedy),
        cmocka_unit_test(wide_beam_is_exhaustive),
        cmocka_unit_test(batches_do_not_matter),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(limits_cut),
        cmocka_unit_test(flags_tell),
        cmocka_unit_test(learned_positions_limit),
        cmocka_unit_test(refusals),
        cmocka_unit_test(memory_failures_are_reported),
        cmocka_unit_test(top_k_selects),
        cmocka_unit_test(ensembles_average),
        cmocka_unit_test(forced_prefixes_continue),
        cmocka_unit_test(samples_follow_their_key),
        cmocka_unit_test(narrow_sampling_is_greedy),
        cmocka_unit_test(draws_have_the_right_shares),
        cmocka_unit_test(coverage_reads_the_attention),
        cmocka_unit_test(guards_unloop),
        cmocka_unit_test(guards_extend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
