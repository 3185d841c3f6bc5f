/* Eight translators of one model in eight threads, and the public functions around them: shared, in ensembles, freed in
 * any order. Run it under the thread sanitizer too. */
#include "tiny_translator.h"

#include <attend/attend.h>
#include <pthread.h>

enum { CONTEXTS = 8, COUNT = 24 };

typedef struct worker {
    at_translator *translator;
    const at_line *lines;
    char *text[COUNT];
    double score[COUNT], forced[COUNT];
    at_status status;
    int number;
} worker;

static at_status keep(void *arg, int64_t index, const at_translation *t, at_error *err)
{
    worker *w = arg;
    (void)err;
    w->text[index] = strdup(t->text);
    w->score[index] = t->score;
    return ATT_OK;
}

static at_status keep_score(void *arg, int64_t index, const at_scored *s, at_error *err)
{
    (void)err;
    ((worker *)arg)->forced[index] = s->log_prob;
    return ATT_OK;
}

static void *work(void *arg)
{
    worker *w = arg;
    at_translate_args args = at_translate_defaults();
    args.batch = 1 + w->number; /* no matter */
    args.coverage_penalty = 0.1;
    char *html = NULL;
    w->status = at_translate(w->translator, w->lines, COUNT, &args, keep, w, NULL);
    if (w->status == ATT_OK) w->status = at_score(w->translator, w->lines, w->lines, COUNT, NULL, keep_score, w, NULL);
    if (w->status == ATT_OK) w->status = at_look(w->translator, "haus baum", NULL, ATT_LOOK_HTML, &html, NULL);
    free(html);
    return NULL;
}

static void run_contexts(at_translator *first, const at_line *lines)
{
    static worker workers[CONTEXTS];
    pthread_t threads[CONTEXTS];
    at_error err;
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < CONTEXTS; i++) {
        workers[i] = (worker){.lines = lines, .number = i};
        must(at_translator_share(&workers[i].translator, first, 1 + i % 2, &err), &err);
    }
    at_translator_free(first); /* the others keep the weights */
    for (int i = 0; i < CONTEXTS; i++) assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (int i = 0; i < CONTEXTS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < CONTEXTS; i++) {
        assert_int_equal(workers[i].status, ATT_OK);
        for (int k = 0; k < COUNT; k++) {
            assert_string_equal(workers[i].text[k], workers[0].text[k]);
            assert_true(workers[i].score[k] == workers[0].score[k] && workers[i].forced[k] == workers[0].forced[k]);
        }
        at_translator_free(workers[i].translator);
    }
    for (int i = 0; i < CONTEXTS; i++)
        for (int k = 0; k < COUNT; k++) free(workers[i].text[k]);
}

static void eight_threads(void **state)
{
    (void)state;
    char a[] = "/tmp/attend-context-XXXXXX", b[] = "/tmp/attend-context-XXXXXX", other[] = "/tmp/attend-context-XXXXXX";
    static char texts[COUNT][80];
    at_line lines[COUNT];
    at_error err;
    at_translator *t;
    tiny_file(a, 1, 5);
    tiny_file(b, 1, 6);
    tiny_file(other, 2, 7);
    for (uint64_t i = 0; i < COUNT; i++) {
        for (uint64_t k = 0; k <= i % 6; k++)
            sprintf(texts[i] + strlen(texts[i]), "%s ", tiny_words[at_rng_below(i, k, 8)]);
        lines[i] = (at_line){texts[i], strlen(texts[i])};
    }
    must(at_translator_open(&t, a, 1, &err), &err);
    run_contexts(t, lines);
    const char *const both[] = {a, b}, *const wrong[] = {a, other};
    must(at_translator_open_ensemble(&t, both, 2, 1, &err), &err);
    run_contexts(t, lines);
    assert_int_equal(at_translator_open_ensemble(&t, wrong, 2, 1, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "vocabulary differs"));
    assert_int_equal(at_translator_open_ensemble(&t, both, 0, 1, &err), ATT_OPTION);
    unlink(a);
    unlink(b);
    unlink(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(eight_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
