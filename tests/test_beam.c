/* Beam search's books against a made-up model: a table of log-probabilities drawn from the hash of a prefix. Prefixes
 * are kept by slot and copied as the beam asks, so a wrong slot shows as a wrong log-probability. */
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
#include "infer/beam.h"

enum { VOCAB = 6, PAD = 0, EOS = 2, LONGEST = 16, MOST_SLOTS = 2048 };

typedef struct toy {
    uint64_t key;
    float sharpness; /* 0: all tokens are equally likely */
    float bias[VOCAB];
} toy;

static at_beam_rules rules_of(int64_t beam, double alpha, int penalty, bool early, bool final_eos)
{
    return (at_beam_rules){.beam = beam,
                           .alpha = alpha,
                           .penalty = penalty,
                           .early_stop = early,
                           .tokens = {.target_start = 1, .eos = EOS, .pad = PAD, .final_eos = final_eos},
                           .n_best = 1};
}

/* Log-probabilities after a prefix, one row of VOCAB. */
static void toy_row(const toy *model, const int32_t *prefix, int64_t length, float *row)
{
    uint64_t key = model->key;
    double x[VOCAB], sum = 0;
    for (int64_t i = 0; i < length; i++) key = at_rng_key(key, (uint64_t)prefix[i]);
    for (int i = 0; i < VOCAB; i++) {
        x[i] = model->bias[i] + model->sharpness * at_rng_uniform(key, (uint64_t)i);
        sum += exp(x[i]);
    }
    for (int i = 0; i < VOCAB; i++) row[i] = (float)(x[i] - log(sum));
}

static double toy_log_prob(const toy *model, const int32_t *ids, int64_t count)
{
    double sum = 0;
    float row[VOCAB];
    for (int64_t i = 0; i < count; i++) {
        toy_row(model, ids, i, row);
        sum += (double)row[ids[i]];
    }
    return sum;
}

/* The k best of a row, equal ones by ascending id. */
static void best_of(float *row, int64_t k, int32_t *ids, float *log_probs)
{
    for (int64_t j = 0; j < k; j++) {
        int best = 0;
        for (int i = 1; i < VOCAB; i++)
            if (row[i] > row[best]) best = i;
        const bool none = row[best] == -INFINITY;
        ids[j] = none ? -1 : best;
        log_probs[j] = row[best];
        row[best] = -INFINITY;
    }
}

/* Runs all sentences to their end; returns the number of steps. */
static int run(at_beam *beam, const toy *models)
{
    static int32_t prefix[MOST_SLOTS][LONGEST], ids[MOST_SLOTS * VOCAB];
    static float log_probs[MOST_SLOTS * VOCAB];
    int steps = 0;
    for (at_beam_step step = at_beam_next(beam); step.n > 0; step = at_beam_next(beam), steps++) {
        const int64_t k = step.wanted < VOCAB ? step.wanted : VOCAB;
        for (int64_t i = 0; i < step.copy_count; i++)
            memcpy(prefix[step.copies[i].to], prefix[step.copies[i].from],
                   (size_t)step.copies[i].length * sizeof(int32_t));
        for (int64_t i = 0; i < step.n; i++) {
            float row[VOCAB];
            assert_true(step.length[i] < LONGEST && step.slot[i] < MOST_SLOTS);
            prefix[step.slot[i]][step.length[i]] = step.ids[i];
            toy_row(&models[step.source_of[i]], prefix[step.slot[i]] + 1, step.length[i], row);
            best_of(row, k, ids + i * k, log_probs + i * k);
        }
        assert_int_equal(at_beam_advance(beam, ids, log_probs, k, NULL, NULL), ATT_OK);
    }
    return steps;
}

static int decode(const at_beam_rules *rules, const toy *models, const int64_t *limits, int64_t sentences,
                  at_hypothesis *best)
{
    at_beam *beam;
    at_beam_sentence given[16] = {{0}};
    for (int64_t i = 0; i < sentences; i++) given[i].limit = limits[i];
    assert_int_equal(at_beam_new(&beam, rules, given, sentences, NULL), ATT_OK);
    const int steps = run(beam, models);
    for (int64_t i = 0; i < sentences; i++) assert_int_equal(at_beam_best(beam, i, false, &best[i], NULL), ATT_OK);
    at_beam_free(beam);
    return steps;
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

/* What the ids are worth to the toy: log P with the end token where one was chosen, and the score. */
static void expect_consistent(const at_hypothesis *h, const toy *model, const at_beam_rules *rules, int64_t limit)
{
    int32_t ids[LONGEST];
    memcpy(ids, h->ids, (size_t)h->count * sizeof *ids);
    ids[h->count] = EOS;
    const int64_t length = h->truncated ? limit : h->count + 1;
    const double log_prob = toy_log_prob(model, ids, h->truncated ? h->count : h->count + 1);
    assert_int_equal(h->count, h->truncated ? limit - rules->tokens.final_eos : h->count);
    assert_true(length <= limit);
    assert_true(fabs(h->log_prob - log_prob) < 1e-9);
    assert_true(h->score == at_beam_score(rules, h->log_prob, length));
    for (int64_t i = 0; i < h->count; i++) assert_true(h->ids[i] != PAD && h->ids[i] != EOS);
    assert_int_equal(h->looped, at_loops(h->ids, h->count));
}

/* The best score of all outputs that begin with the prefix. */
static double exhaustive(const toy *model, const at_beam_rules *rules, int32_t *ids, int64_t count, double log_prob,
                         int64_t limit)
{
    float row[VOCAB];
    if (count == limit) return at_beam_score(rules, log_prob, limit);
    if (rules->tokens.final_eos && count == limit - 1) return at_beam_score(rules, log_prob, limit);
    double best = -DBL_MAX;
    toy_row(model, ids, count, row);
    for (int32_t id = 0; id < VOCAB; id++) {
        if (id == PAD) continue;
        ids[count] = id;
        const double sum = log_prob + (double)row[id];
        const double score =
            id == EOS ? at_beam_score(rules, sum, count + 1) : exhaustive(model, rules, ids, count + 1, sum, limit);
        if (score > best) best = score;
    }
    return best;
}

static void wide_beam_is_exhaustive(void **state)
{
    (void)state;
    static const double alphas[] = {0, 0.6, 1, 2, -0.5};
    const int64_t limit = 5; /* 4^4 live prefixes, 5 continuations each */
    for (uint64_t seed = 0; seed < 40; seed++) {
        const toy model = {seed, seed % 2 ? 4 : 1, {0}};
        const at_beam_rules rules = rules_of(MOST_SLOTS, alphas[seed % 5], (int)(seed / 5 % 2), false, seed / 10 % 2);
        int32_t ids[LONGEST];
        at_hypothesis best;
        decode(&rules, &model, &limit, 1, &best);
        expect_consistent(&best, &model, &rules, limit);
        assert_true(fabs(best.score - exhaustive(&model, &rules, ids, 0, 0, limit)) < 1e-12);
        at_hypothesis_free(&best);
    }
}

/* Every combination of rules: ids, log P, score and flags belong together. */
static void slots_follow_hypotheses(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        const toy model = {seed, (float)(seed % 5), {[EOS] = -(float)(seed % 3)}};
        at_beam_rules rules =
            rules_of(1 + (int64_t)(seed % 7), 0.5 * (double)(seed % 4), seed % 2, seed / 2 % 2, seed / 4 % 2);
        const int64_t limit = 1 + (int64_t)(seed % LONGEST);
        rules.no_repeat = seed / 8 % 2 ? 3 : 0;
        at_hypothesis best;
        decode(&rules, &model, &limit, 1, &best);
        expect_consistent(&best, &model, &rules, limit);
        at_hypothesis_free(&best);
    }
}

static void sentences_do_not_meet(void **state)
{
    (void)state;
    enum { SENTENCES = 9 };
    for (int variant = 0; variant < 16; variant++) {
        const at_beam_rules rules = rules_of(1 + variant % 4, 1, variant % 2, variant / 4 % 2, variant / 8);
        toy models[SENTENCES];
        int64_t limits[SENTENCES];
        at_hypothesis together[SENTENCES], alone;
        for (int i = 0; i < SENTENCES; i++) {
            models[i] = (toy){(uint64_t)(100 * variant + i), 3, {0}};
            limits[i] = 1 + i * 7 % LONGEST;
        }
        decode(&rules, models, limits, SENTENCES, together);
        for (int i = 0; i < SENTENCES; i++) {
            decode(&rules, &models[i], &limits[i], 1, &alone);
            expect_same(&together[i], &alone);
            at_hypothesis_free(&alone);
            at_hypothesis_free(&together[i]);
        }
    }
}

static void equal_candidates_rank_by_index(void **state)
{
    (void)state;
    const toy even = {1, 0, {0}};
    const int64_t limit = 3;
    at_beam_rules rules = rules_of(2, 0, ATT_PENALTY_GNMT, true, false);
    rules.tokens.eos = VOCAB - 1;
    at_hypothesis best;
    decode(&rules, &even, &limit, 1, &best);
    assert_int_equal(best.count, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(best.ids[i], 1);
    assert_true(best.truncated);
    at_hypothesis_free(&best);
}

static void padding_is_never_chosen(void **state)
{
    (void)state;
    const toy model = {1, 1, {[PAD] = 20}};
    const int64_t limit = 9;
    for (int64_t beam = 1; beam < 6; beam++) {
        const at_beam_rules rules = rules_of(beam, 1, ATT_PENALTY_POWER, false, false);
        at_hypothesis best;
        decode(&rules, &model, &limit, 1, &best);
        expect_consistent(&best, &model, &rules, limit);
        at_hypothesis_free(&best);
    }
}

static bool repeats(const at_hypothesis *h, int64_t n)
{
    for (int64_t i = 0; i + n <= h->count; i++)
        for (int64_t j = i + 1; j + n <= h->count; j++)
            if (memcmp(h->ids + i, h->ids + j, (size_t)n * sizeof *h->ids) == 0) return true;
    return false;
}

static void no_repeat_holds(void **state)
{
    (void)state;
    const toy model = {1, 1, {[3] = 4, [EOS] = -8}};
    const int64_t limit = 12;
    for (int64_t n = 0; n <= 3; n++)
        for (int64_t beam = 1; beam < 5; beam++) {
            at_beam_rules rules = rules_of(beam, 1, ATT_PENALTY_POWER, false, false);
            rules.no_repeat = n;
            at_hypothesis best;
            decode(&rules, &model, &limit, 1, &best);
            expect_consistent(&best, &model, &rules, limit);
            assert_int_equal(n == 0 ? repeats(&best, 3) : !repeats(&best, n), true);
            if (n == 1) assert_int_equal(best.count, 4); /* all but padding and end token, then the end */
            at_hypothesis_free(&best);
        }
}

/* Token 3 is nearly certain for ever; only cutting it ends it. */
static void looping_cut_is_a_last_resort(void **state)
{
    (void)state;
    const toy may_end = {1, 0, {[3] = 6, [EOS] = 2}}, never_ends = {1, 0, {[3] = 6, [EOS] = -50}};
    const int64_t limit = 12;
    const at_beam_rules rules = rules_of(2, 0, ATT_PENALTY_GNMT, false, false);
    at_hypothesis best;
    decode(&rules, &may_end, &limit, 1, &best);
    assert_false(best.truncated);
    assert_int_equal(best.count, 0);
    at_hypothesis_free(&best);
    decode(&rules, &never_ends, &limit, 1, &best);
    assert_true(best.truncated && best.looped);
    assert_int_equal(best.count, limit);
    at_hypothesis_free(&best);
}

static void early_stop_counts_the_ended(void **state)
{
    (void)state;
    const toy model = {1, 0, {[3] = 8, [EOS] = 7}}; /* one hypothesis ends at each step */
    const int64_t limit = LONGEST;
    at_hypothesis best;
    for (int64_t beam = 1; beam < 5; beam++) {
        const at_beam_rules rules = rules_of(beam, 3, ATT_PENALTY_POWER, true, false);
        const int steps = decode(&rules, &model, &limit, 1, &best);
        if (beam == 1)
            assert_int_equal(steps, limit); /* greedy follows token 3 */
        else
            assert_int_equal(steps, beam);
        at_hypothesis_free(&best);
    }
}

static void hopeless_hypotheses_are_dropped(void **state)
{
    (void)state;
    const toy model = {1, 0.5, {[EOS] = 9}};
    const int64_t limit = LONGEST;
    at_hypothesis best;
    const at_beam_rules rules = rules_of(4, 0.6, ATT_PENALTY_GNMT, false, false);
    assert_int_equal(decode(&rules, &model, &limit, 1, &best), 1);
    assert_int_equal(best.count, 0);
    assert_false(best.truncated);
    at_hypothesis_free(&best);
}

static void forced_end_at_limit_one(void **state)
{
    (void)state;
    const toy model = {1, 1, {0}};
    const int64_t limits[] = {1, 1};
    const at_beam_rules rules = rules_of(3, 1, ATT_PENALTY_POWER, true, true);
    at_hypothesis best[2];
    assert_int_equal(decode(&rules, &model, limits, 2, best), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(best[i].count, 0);
        assert_true(best[i].truncated);
        assert_true(best[i].log_prob == 0);
        at_hypothesis_free(&best[i]);
    }
}

static void no_candidate_is_an_error(void **state)
{
    (void)state;
    const at_beam_sentence given[] = {{.limit = 5}, {.limit = 5}};
    const at_beam_rules rules = rules_of(2, 1, ATT_PENALTY_POWER, false, false);
    const int32_t ids[] = {3, 4, -1, -1};
    const float log_probs[] = {-1, -2, -INFINITY, -INFINITY};
    at_error err;
    at_beam *beam;
    assert_int_equal(at_beam_new(&beam, &rules, given, 2, NULL), ATT_OK);
    assert_int_equal(at_beam_advance(beam, ids, log_probs, 2, NULL, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "damaged"));
    at_beam_free(beam);
}

static void scores(void **state)
{
    (void)state;
    const at_beam_rules gnmt = rules_of(1, 0.6, ATT_PENALTY_GNMT, false, false),
                        power = rules_of(1, 1, ATT_PENALTY_POWER, false, false);
    assert_true(fabs(at_beam_score(&gnmt, -3, 1) + 3) < 1e-12);
    assert_true(fabs(at_beam_score(&gnmt, -3, 13) + 3 / pow(3, 0.6)) < 1e-12);
    assert_true(fabs(at_beam_score(&power, -3, 4) + 0.75) < 1e-12);
    const at_beam_rules none = rules_of(1, 0, ATT_PENALTY_POWER, false, false);
    assert_true(at_beam_score(&none, -3, 4) == -3);
}

static void loops_at_the_tail(void **state)
{
    (void)state;
    static const struct {
        const char *ids; /* a letter a token */
        bool looped;
    } cases[] = {
        {"", false},
        {"aaaaaaa", false}, /* seven are not eight */
        {"aaaaaaaa", true},
        {"xyzaaaaaaaa", true},
        {"aaaaaaaax", false}, /* not at the tail */
        {"abababa", false},
        {"abababab", true},
        {"babababab", true}, /* begins within a period */
        {"abcabcab", false}, /* eight, but not three periods */
        {"abcabcabc", true},
        {"xabcdefghabcdefghabcdefg", false},
        {"xabcdefghabcdefghabcdefgh", true},
        {"abcdefghiabcdefghiabcdefghi", false}, /* a period of nine */
        {"aabaabaab", true},
        {"abcdefghijklmnopqrstuvwxyz", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t ids[32];
        const int64_t count = (int64_t)strlen(cases[i].ids);
        for (int64_t j = 0; j < count; j++) ids[j] = cases[i].ids[j];
        assert_int_equal(at_tail_loops(ids, count), cases[i].looped);
    }
}

/* ---- what the rules add ---- */

typedef struct list { /* scores of all outputs */
    double *score;
    int64_t count;
} list;

static void enumerate(const toy *model, const at_beam_rules *rules, int32_t *ids, int64_t count, double log_prob,
                      int64_t limit, list *all)
{
    float row[VOCAB];
    if (count == limit) {
        all->score[all->count++] = at_beam_score(rules, log_prob, limit);
        return;
    }
    toy_row(model, ids, count, row);
    for (int32_t id = 0; id < VOCAB; id++) {
        if (id == PAD || (id == EOS && count < rules->min_length)) continue;
        ids[count] = id;
        const double sum = log_prob + (double)row[id];
        if (id == EOS)
            all->score[all->count++] = at_beam_score(rules, sum, count + 1);
        else
            enumerate(model, rules, ids, count + 1, sum, limit, all);
    }
}

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static void n_best_of_wide_beam_are_the_best(void **state)
{
    (void)state;
    enum { N = 12 };
    static double scores[4096];
    const at_beam_sentence given = {.limit = 4};
    for (uint64_t seed = 0; seed < 20; seed++) {
        const toy model = {seed, 2, {0}};
        at_beam_rules rules = rules_of(MOST_SLOTS, 0.5 * (double)(seed % 3), (int)(seed % 2), false, false);
        rules.n_best = N;
        rules.min_length = (int64_t)(seed % 4);
        list all = {scores, 0};
        int32_t ids[LONGEST];
        at_hypothesis best[N];
        at_beam *beam;
        assert_int_equal(at_beam_new(&beam, &rules, &given, 1, NULL), ATT_OK);
        run(beam, &model);
        assert_int_equal(at_beam_best(beam, 0, true, best, NULL), ATT_OK);
        at_beam_free(beam);
        enumerate(&model, &rules, ids, 0, 0, given.limit, &all);
        qsort(scores, (size_t)all.count, sizeof *scores, falling);
        for (int i = 0; i < N; i++) {
            double sum = 0;
            assert_true(fabs(best[i].score - scores[i]) < 1e-12);
            for (int64_t k = 0; k <= best[i].count; k++) sum += (double)best[i].token_log_probs[k];
            assert_true(fabs(sum - best[i].log_prob) < 1e-6);
            assert_true(best[i].truncated || best[i].count >= rules.min_length);
            for (int j = 0; j < i; j++)
                assert_false(best[i].count == best[j].count &&
                             memcmp(best[i].ids, best[j].ids, (size_t)best[i].count * sizeof *best[i].ids) == 0);
        }
        for (int i = 0; i < N; i++) at_hypothesis_free(&best[i]);
    }
}

/* Fewer hypotheses than asked for: the rest is empty. */
static void n_best_may_be_fewer(void **state)
{
    (void)state;
    const toy model = {1, 1, {[PAD] = -60, [1] = -60, [3] = -60, [4] = -60}};
    const at_beam_sentence given = {.limit = 1};
    at_beam_rules rules = rules_of(4, 0, ATT_PENALTY_GNMT, false, true);
    rules.n_best = 4;
    at_hypothesis best[4];
    at_beam *beam;
    assert_int_equal(at_beam_new(&beam, &rules, &given, 1, NULL), ATT_OK);
    run(beam, &model);
    assert_int_equal(at_beam_best(beam, 0, false, best, NULL), ATT_OK);
    assert_non_null(best[0].ids);
    assert_null(best[0].token_log_probs);
    for (int i = 1; i < 4; i++) assert_null(best[i].ids);
    at_hypothesis_free(&best[0]);
    at_beam_free(beam);
}

static void rules_may_leave_nothing(void **state)
{
    (void)state;
    const toy model = {1, 1, {0}};
    const at_beam_sentence given = {.limit = 12};
    for (int64_t width = 1; width < 4; width++) {
        at_beam_rules rules = rules_of(width, 0, ATT_PENALTY_GNMT, false, false);
        rules.no_repeat = 1;
        rules.min_length = 10; /* but there are four tokens */
        at_hypothesis best;
        at_beam *beam;
        assert_int_equal(at_beam_new(&beam, &rules, &given, 1, NULL), ATT_OK);
        run(beam, &model);
        assert_int_equal(at_beam_best(beam, 0, false, &best, NULL), ATT_OK);
        assert_true(best.truncated);
        assert_int_equal(best.count, VOCAB - 2);
        at_hypothesis_free(&best);
        at_beam_free(beam);
    }
}

/* Two steps with known attention: log P and coverage by hand. */
static void coverage_is_equation_14(void **state)
{
    (void)state;
    enum { SOURCE = 3 };
    const at_beam_sentence given = {.limit = 9, .source = SOURCE};
    at_beam_rules rules = rules_of(1, 0.6, ATT_PENALTY_GNMT, false, false);
    rules.coverage = 0.7;
    static const float first[SOURCE] = {0.6f, 0.3f, 0.1f}, second[SOURCE] = {0.5f, 0.1f, 0.4f};
    const int32_t ids[] = {3, EOS};
    const float log_probs[] = {-0.5f, -0.25f};
    at_hypothesis best;
    at_beam *beam;
    assert_int_equal(at_beam_new(&beam, &rules, &given, 1, NULL), ATT_OK);
    assert_int_equal(at_beam_advance(beam, &ids[0], &log_probs[0], 1, first, NULL), ATT_OK);
    assert_int_equal(at_beam_advance(beam, &ids[1], &log_probs[1], 1, second, NULL), ATT_OK);
    assert_int_equal(at_beam_next(beam).n, 0);
    assert_int_equal(at_beam_best(beam, 0, false, &best, NULL), ATT_OK);
    const double penalty = 0.7 * (log(0.4) + log(0.5)); /* the first token is covered 1.1 times */
    assert_true(fabs(best.score - (-0.75 / pow(7.0 / 6, 0.6) + penalty)) < 1e-6);
    at_hypothesis_free(&best);
    at_beam_free(beam);
}

static void prefixes_are_forced(void **state)
{
    (void)state;
    static const int32_t prefix[] = {3, 3, 1};
    const toy model = {7, 3, {[EOS] = 2}};
    for (int64_t width = 1; width < 5; width++) {
        const at_beam_rules rules = rules_of(width, 1, ATT_PENALTY_GNMT, false, false);
        const at_beam_sentence given[] = {{.limit = 8, .prefix = prefix, .prefix_count = 3}, {.limit = 8}};
        at_beam *beam;
        assert_int_equal(at_beam_new(&beam, &rules, given, 2, NULL), ATT_OK);
        for (int step = 0; step < 3; step++) {
            const at_beam_step next = at_beam_next(beam);
            int32_t ids[5 * VOCAB];
            float log_probs[5 * VOCAB];
            assert_int_equal(next.source_of[0], 0);
            assert_int_equal(next.forced[0], prefix[step]);
            assert_true(at_beam_bans(beam, 0, EOS) && !at_beam_bans(beam, 0, prefix[step]));
            for (int64_t i = 0; i < next.n; i++)
                for (int64_t k = 0; k < 3; k++) {
                    const int32_t free_id = k == 0 ? 4 : k == 1 ? 3 : 1;
                    assert_int_equal(next.forced[i], i == 0 ? prefix[step] : -1);
                    ids[i * 3 + k] = i > 0 ? free_id : k == 0 ? prefix[step] : -1;
                    log_probs[i * 3 + k] = -1.0f - (float)k;
                }
            assert_int_equal(at_beam_advance(beam, ids, log_probs, 3, NULL, NULL), ATT_OK);
        }
        run(beam, (const toy[]){model, model});
        at_hypothesis best;
        assert_int_equal(at_beam_best(beam, 0, false, &best, NULL), ATT_OK);
        assert_true(best.count >= 3 && best.count <= 8);
        assert_memory_equal(best.ids, prefix, sizeof prefix);
        at_hypothesis_free(&best);
        at_beam_free(beam);
    }
}

static void repetitions_anywhere(void **state)
{
    (void)state;
    static const struct {
        const char *ids;
        int64_t least, repetitions;
    } cases[] = {{"", 0, 0},          {"aaaaaaaa", 8, 8},    {"aaaaaaaaz", 8, 8}, {"xaaaaaaaz", 8, 0},
                 {"xaaaaaaaz", 0, 7}, {"aabb", 0, 0},        {"aaab", 0, 3},      {"ababab", 0, 3},
                 {"abababab", 8, 4},  {"xabcabcabcz", 8, 3}, {"abcdefgh", 0, 0},  {"hahaha.", 0, 3},
                 {"aabaab", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t ids[32];
        const int64_t count = (int64_t)strlen(cases[i].ids);
        for (int64_t j = 0; j < count; j++) ids[j] = cases[i].ids[j];
        assert_int_equal(at_repetitions(ids, count, cases[i].least), cases[i].repetitions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_beam_is_exhaustive),
        cmocka_unit_test(slots_follow_hypotheses),
        cmocka_unit_test(sentences_do_not_meet),
        cmocka_unit_test(equal_candidates_rank_by_index),
        cmocka_unit_test(padding_is_never_chosen),
        cmocka_unit_test(no_repeat_holds),
        cmocka_unit_test(looping_cut_is_a_last_resort),
        cmocka_unit_test(early_stop_counts_the_ended),
        cmocka_unit_test(hopeless_hypotheses_are_dropped),
        cmocka_unit_test(forced_end_at_limit_one),
        cmocka_unit_test(no_candidate_is_an_error),
        cmocka_unit_test(scores),
        cmocka_unit_test(loops_at_the_tail),
        cmocka_unit_test(n_best_of_wide_beam_are_the_best),
        cmocka_unit_test(n_best_may_be_fewer),
        cmocka_unit_test(rules_may_leave_nothing),
        cmocka_unit_test(coverage_is_equation_14),
        cmocka_unit_test(prefixes_are_forced),
        cmocka_unit_test(repetitions_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
