/* The phrase corpus: a pure function of (seed, index), a function from each language to each other, clean text, and the
 * grammar's hard places. One sample of 200,000 sentences serves most tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/phrases.h"

enum { SENTENCES = 200000, SEED = 1, LANGUAGES = ATT_PHRASE_LANGUAGES };

typedef struct triple {
    char *text[LANGUAGES];
    int held_out;
} triple;

static triple *sample;

static void make(uint64_t seed, uint64_t index, at_buf out[LANGUAGES])
{
    at_error err;
    assert_int_equal(at_phrase_make(seed, index, out, &err), ATT_OK);
}

static void free_bufs(at_buf bufs[LANGUAGES])
{
    for (size_t i = 0; i < LANGUAGES; i++) at_buf_free(&bufs[i]);
}

static int draw_sample(void **state)
{
    (void)state;
    at_buf out[LANGUAGES] = {{0}};
    sample = calloc(SENTENCES, sizeof *sample);
    if (!sample) return -1;
    for (uint64_t i = 0; i < SENTENCES; i++) {
        make(SEED, i, out);
        for (size_t k = 0; k < LANGUAGES; k++) sample[i].text[k] = strdup(out[k].data);
        sample[i].held_out = at_phrase_held_out(sample[i].text[ATT_ENGLISH]);
    }
    free_bufs(out);
    return 0;
}

static int free_sample(void **state)
{
    (void)state;
    for (size_t i = 0; i < SENTENCES; i++)
        for (size_t k = 0; k < LANGUAGES; k++) free(sample[i].text[k]);
    free(sample);
    return 0;
}

static void test_pure(void **state)
{
    (void)state;
    at_buf first[LANGUAGES] = {{0}}, again[LANGUAGES] = {{0}};
    size_t same_under_other_seed = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        make(SEED, i, first);
        make(SEED, 999 - i, again); /* what was made before must not matter */
        make(SEED, i, again);
        for (size_t k = 0; k < LANGUAGES; k++) assert_string_equal(first[k].data, again[k].data);
        make(SEED + 1, i, again);
        same_under_other_seed += strcmp(first[ATT_ENGLISH].data, again[ATT_ENGLISH].data) == 0;
    }
    assert_true(same_under_other_seed < 20);
    free_bufs(first);
    free_bufs(again);
}

static at_phrase_language sort_language;

static int by_language(const void *a, const void *b)
{
    return strcmp(((const triple *)a)->text[sort_language], ((const triple *)b)->text[sort_language]);
}

/* No sentence of one language has two in another. */
static void test_functions(void **state)
{
    (void)state;
    for (int from = 0; from < LANGUAGES; from++) {
        sort_language = (at_phrase_language)from;
        qsort(sample, SENTENCES, sizeof *sample, by_language);
        for (size_t i = 1; i < SENTENCES; i++) {
            if (by_language(&sample[i - 1], &sample[i]) != 0) continue;
            for (size_t to = 0; to < LANGUAGES; to++) assert_string_equal(sample[i - 1].text[to], sample[i].text[to]);
        }
    }
}

static void test_many_sentences(void **state)
{
    (void)state;
    size_t distinct = 1, held_out = 0;
    sort_language = ATT_ENGLISH;
    qsort(sample, SENTENCES, sizeof *sample, by_language);
    for (size_t i = 1; i < SENTENCES; i++) distinct += by_language(&sample[i - 1], &sample[i]) != 0;
    for (size_t i = 0; i < SENTENCES; i++) held_out += sample[i].held_out != 0;
    print_message("%zu distinct of %d sentences, %.1f %% held out\n", distinct, SENTENCES,
                  100.0 * (double)held_out / SENTENCES);
    assert_true(distinct > 130000);
    assert_in_range(held_out, SENTENCES / 20, SENTENCES * 3 / 20);
}

/* ---- words ---- */

typedef struct word {
    char text[40];
    int held_out;
} word;

static int by_word_and_part(const void *a, const void *b)
{
    const word *x = a, *y = b;
    const int order = strcmp(x->text, y->text);
    return order ? order : x->held_out - y->held_out;
}

/* The length of the word at text: in Chinese a character, else up to a separator. */
static size_t word_length(const char *text, int language)
{
    size_t len = strcspn(text, " ,-");
    if (language != ATT_CHINESE) return len;
    for (len = 1; ((unsigned char)text[len] & 0xC0) == 0x80; len++) continue;
    return len;
}

static size_t collect_words(int language, word *words, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < SENTENCES; i++)
        for (const char *at = sample[i].text[language]; *at;) {
            const size_t len = word_length(at, language);
            if (len > 0) {
                assert_true(count < room && len < sizeof words->text);
                snprintf(words[count].text, sizeof words->text, "%.*s", (int)len, at);
                words[count++].held_out = sample[i].held_out;
            }
            at += len ? len : 1;
        }
    return count;
}

/* Words are few, and those of the held-out part all occur in the other. */
static void test_words(void **state)
{
    (void)state;
    const size_t least[] = {300, 500, 300}, most[] = {400, 800, 500}, room = (size_t)SENTENCES * 16;
    word *words = malloc(room * sizeof *words);
    assert_non_null(words);
    for (int k = 0; k < LANGUAGES; k++) {
        const size_t count = collect_words(k, words, room);
        size_t distinct = 0;
        qsort(words, count, sizeof *words, by_word_and_part);
        for (size_t i = 0; i < count; i++) {
            if (i > 0 && strcmp(words[i - 1].text, words[i].text) == 0) continue;
            if (words[i].held_out) fail_msg("\"%s\" is in the held-out part alone", words[i].text);
            distinct += !isdigit((unsigned char)*words[i].text);
        }
        print_message("%zu words of language %d\n", distinct, k);
        assert_in_range(distinct, least[k], most[k]);
    }
    free(words);
}

/* ---- text ---- */

/* Continuation bytes after a lead byte of well-formed UTF-8 below U+10000, or -1. */
static int continuation(unsigned char lead)
{
    return lead < 0x80 ? 0 : lead >= 0xC2 && lead < 0xE0 ? 1 : lead >= 0xE0 && lead < 0xF0 ? 2 : -1;
}

static void assert_utf8(const char *text)
{
    while (*text) {
        int more = continuation((unsigned char)*text++);
        assert_true(more >= 0);
        for (; more > 0; more--, text++) assert_int_equal((unsigned char)*text & 0xC0, 0x80);
    }
}

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < SENTENCES; i++) {
        size_t spaces = 0;
        for (size_t k = 0; k < LANGUAGES; k++) {
            const char *text = sample[i].text[k];
            assert_utf8(text);
            assert_true(*text && *text != ' ' && text[strlen(text) - 1] != ' ');
            assert_null(strstr(text, "  "));
            assert_null(strpbrk(text, "{}~\n\t?!"));
        }
        assert_null(strchr(sample[i].text[ATT_CHINESE], ' '));
        for (const char *at = sample[i].text[ATT_ENGLISH]; *at; at++) {
            assert_true(islower((unsigned char)*at) || isdigit((unsigned char)*at) || strchr(" -'", *at));
            spaces += *at == ' ';
        }
        assert_in_range(spaces + 1, 1, 14);
    }
}

static size_t count_containing(at_phrase_language language, const char *part)
{
    size_t count = 0;
    for (size_t i = 0; i < SENTENCES; i++) count += strstr(sample[i].text[language], part) != NULL;
    return count;
}

static void test_grammar(void **state)
{
    (void)state;
    const struct {
        at_phrase_language language;
        const char *part;
        int wanted;
    } rows[] = {
        {ATT_GERMAN, "in dem ", 0},
        {ATT_GERMAN, "in das ", 0},
        {ATT_GERMAN, "im Park", 1},
        {ATT_GERMAN, "ins Museum", 1},
        {ATT_GERMAN, "dass das ", 1},
        {ATT_GERMAN, "gelesen hat", 1}, /* verb-final clauses */
        {ATT_GERMAN, "aufgemacht haben", 1},
        {ATT_GERMAN, "auf macht", 0},
        {ATT_GERMAN, "beibringen wird", 1},
        {ATT_GERMAN, "gegangen ist", 1},
        {ATT_GERMAN, "gegangen hat", 0},
        {ATT_GERMAN, "den Kindern", 1}, /* cases */
        {ATT_GERMAN, "einen Student ", 0},
        {ATT_GERMAN, "dem Jungen", 1},
        {ATT_GERMAN, "dem Junge ", 0},
        {ATT_GERMAN, "ein neues Buch", 1}, /* adjectives */
        {ATT_GERMAN, "einen neuen Hut", 1},
        {ATT_GERMAN, "teure ", 1},
        {ATT_GERMAN, "teuere", 0},
        {ATT_GERMAN, "neuronalen Netze", 1},
        {ATT_GERMAN, "~", 0},
        {ATT_GERMAN, "nicht kein", 0},
        {ATT_GERMAN, "einsundzwanzig", 0},
        {ATT_GERMAN, "einundzwanzig Jahre", 1},
        {ATT_ENGLISH, " a a", 0},
        {ATT_ENGLISH, " a e", 0},
        {ATT_ENGLISH, "an old book", 1},
        {ATT_ENGLISH, "i is ", 0},
        {ATT_ENGLISH, "does not want to", 1},
        {ATT_ENGLISH, "is learning machine learning", 1},
        {ATT_CHINESE, "二本", 0}, /* two is 两 before a measure word */
        {ATT_CHINESE, "两本", 1},
        {ATT_CHINESE, "没有读了", 0},
        {ATT_CHINESE, "正在在", 0},
        {ATT_CHINESE, "正在公园里", 1},
        {ATT_CHINESE, "的的", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t count = count_containing(rows[i].language, rows[i].part);
        if ((count > 0) != rows[i].wanted) fail_msg("\"%s\" occurs %zu times", rows[i].part, count);
    }
}

static void assert_occurs(uint64_t seed, const char *chinese, const char *german, const char *english)
{
    at_buf out[LANGUAGES] = {{0}};
    int found = 0;
    for (uint64_t i = 0; i < 20000 && !found; i++) {
        make(seed, i, out);
        found = strcmp(out[ATT_CHINESE].data, chinese) == 0;
    }
    assert_true(found);
    assert_string_equal(out[ATT_GERMAN].data, german);
    assert_string_equal(out[ATT_ENGLISH].data, english);
    assert_false(at_phrase_held_out(english));
    free_bufs(out);
}

static void test_named_phrases(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        assert_occurs(seed, "机器学习", "maschinelles Lernen", "machine learning");
        assert_occurs(seed, "你好，你好吗", "hallo, wie geht es dir", "hi how are you");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pure),          cmocka_unit_test(test_functions), cmocka_unit_test(test_many_sentences),
        cmocka_unit_test(test_words),         cmocka_unit_test(test_text),      cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_named_phrases),
    };
    return cmocka_run_group_tests(tests, draw_sample, free_sample);
}
