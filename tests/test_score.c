/* Scoring given pairs: against the search's own scores, alone and in batches, alone and in an ensemble; messages. */
#include "tiny_translator.h"

#include <math.h>

#include "infer/score.h"
#include "infer/translate.h"

enum { COUNT = 30 };

typedef struct kept { /* what a callback saw */
    double log_prob[COUNT];
    int64_t pieces[COUNT], seen, stop_at;
    const at_translation *translated; /* compares the pieces with these; NULL: nothing */
} kept;

static at_status keep(void *arg, int64_t index, const at_scored *s, at_error *err)
{
    kept *k = arg;
    double sum = 0;
    assert_int_equal(index, k->seen++);
    for (int64_t i = 0; i < s->piece_count; i++) {
        sum += s->pieces[i].log_prob;
        assert_non_null(s->pieces[i].text);
    }
    assert_true(fabs(sum - s->log_prob) < 1e-9);
    k->log_prob[index] = s->log_prob;
    k->pieces[index] = s->piece_count;
    if (k->translated) { /* which began with the same text: all but the end token */
        const at_candidate *c = &k->translated[index].n_best[0];
        for (int64_t i = 0; i + 1 < s->piece_count; i++) {
            assert_int_equal(s->pieces[i].id, c->pieces[i].id);
            assert_true(s->pieces[i].log_prob == c->pieces[i].log_prob);
        }
    }
    return index == k->stop_at ? at_fail(err, ATT_IO, "enough") : ATT_OK;
}

typedef struct fixture {
    at_backend *be;
    at_bundle bundle, other;
    char texts[COUNT][80];
    at_line source[COUNT];
} fixture;

static int make_fixture(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    at_error err;
    must(at_cpu_backend_new(&f->be, 2, NULL, &err), &err);
    tiny_bundle(&f->bundle, f->be, 1, 5, 0);
    tiny_bundle(&f->other, f->be, 1, 6, 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        for (uint64_t k = 0; k <= at_rng_below(3, i, 7); k++)
            sprintf(f->texts[i] + strlen(f->texts[i]), "%s%s", k ? " " : "", tiny_words[at_rng_below(9 + i, k, 8)]);
        f->source[i] = (at_line){f->texts[i], strlen(f->texts[i])};
    }
    *state = f;
    return 0;
}

static int drop_fixture(void **state)
{
    fixture *f = *state;
    at_bundle_free(&f->bundle);
    at_bundle_free(&f->other);
    f->be->free(f->be);
    free(f);
    return 0;
}

static at_status score(const fixture *f, int64_t models, const at_line *targets, int64_t batch_tokens, kept *k,
                       at_error *err)
{
    const at_bundle *all[] = {&f->bundle, &f->other};
    const at_score_args args = {.batch_tokens = batch_tokens, .first_line = 1};
    k->seen = 0;
    return at_score_lines(all, models, f->source, targets, COUNT, &args, keep, k, err);
}

/* Piece for piece the bits of the cached search that was forced to write the same, for one model and for two. */
static void equals_what_the_search_said(void **state)
{
    const fixture *f = *state;
    at_error err;
    const at_bundle *others[] = {&f->other};
    at_line target[COUNT];
    for (int i = 0; i < COUNT; i++) target[i] = f->source[(i * 11 + 2) % COUNT];
    for (int64_t models = 1; models <= 2; models++) {
        const at_translate_options options = {
            .search = {.beam = 3, .max_ratio = 2, .max_extra = 9, .token_scores = true},
            .batch_sentences = 7,
            .prefixes = target,
            .ensemble = others,
            .ensemble_count = models - 1};
        at_translation out[COUNT];
        kept k = {.stop_at = -1, .translated = out};
        must(at_translate_lines(&f->bundle, f->source, COUNT, &options, out, &err), &err);
        must(score(f, models, target, 100, &k, &err), &err);
        for (int i = 0; i < COUNT; i++) at_translation_free(&out[i]);
    }
}

static void batches_do_not_matter(void **state)
{
    const fixture *f = *state;
    at_error err;
    kept first = {.stop_at = -1}, k = {.stop_at = -1};
    at_line target[COUNT];
    for (int i = 0; i < COUNT; i++) target[i] = f->source[(i * 7 + 3) % COUNT];
    target[4] = (at_line){"", 0};
    must(score(f, 1, target, 1, &first, &err), &err);
    assert_int_equal(first.pieces[4], 1); /* the end token alone */
    for (int64_t tokens = 10; tokens < 2000; tokens *= 5) {
        must(score(f, 1, target, tokens, &k, &err), &err);
        assert_memory_equal(k.log_prob, first.log_prob, sizeof first.log_prob);
    }
}

static void faults_are_told(void **state)
{
    const fixture *f = *state;
    at_error err;
    kept k = {.stop_at = 5};
    assert_int_equal(score(f, 1, f->source, 50, &k, &err), ATT_IO);
    assert_string_equal(err.text, "enough");
    assert_int_equal(k.seen, 6);
    k.stop_at = -1;
    assert_int_equal(score(f, 1, f->source, 0, &k, &err), ATT_OPTION);
    at_bundle small;
    tiny_bundle(&small, f->be, 1, 5, 4);
    const at_bundle *models[] = {&small};
    const at_score_args args = {.batch_tokens = 50, .first_line = 41};
    const at_line source[] = {{"haus", 4}, {"haus", 4}}, target[] = {{"haus", 4}, {"haus baum hund katze rot", 24}};
    k.seen = 0;
    assert_int_equal(at_score_lines(models, 1, source, target, 2, &args, keep, &k, &err), ATT_INPUT);
    assert_memory_equal(err.text, "line 42: the target has ", 24);
    const int cancel = 1;
    const at_score_args stopped = {.batch_tokens = 50, .first_line = 1, .cancel = &cancel};
    assert_int_equal(at_score_lines(models, 1, source, source, 2, &stopped, keep, &k, &err), ATT_CANCELLED);
    at_bundle_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_what_the_search_said),
        cmocka_unit_test(batches_do_not_matter),
        cmocka_unit_test(faults_are_told),
    };
    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
