/* Cutting text into sentences, and sentences into clauses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "text/sentences.h"

/* Writes the sentences of text with '|' between, white space dropped. */
static void split(const char *text, char *out)
{
    size_t len = strlen(text), at = at_space_before(text, len);
    out[0] = '\0';
    while (at < len) {
        const size_t end = at_sentence_end(text + at, len - at);
        assert_true(end > 0 && at + end <= len);
        if (out[0]) strcat(out, "|");
        strncat(out, text + at, end);
        at += end;
        at += at_space_before(text + at, len - at);
    }
}

static void sentences_end_at_their_marks(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "One.|Two.|Three.",
        "No mark at all",
        "Really?!|Yes...|Of course.",
        "\"Stop!\"|He stood still.",
        "\"Stop!\" he said.|Then he went.",
        "He said (loudly.)|Then he left.",
        "Dr. Smith met Mr. J. R. Jones.|They talked.",
        "This is e.g. Berlin.|It is.",
        "The U.S. Army came.|All left.",
        "Am 3. Mai war es kalt.|Es war z.B. Frost, bzw. Eis.",
        "It cost 3.50 dollars.|Then 1,000 more.",
        "See No. 5 and Fig. 7 there.|No.|Never.",
        "In 2020.|The year after.",
        "and so on ... with small letters.|End.",
        "¿Qué tal?|¡Bien!|«Sí.»|Adiós.",
        "Он пришёл.|Потом ушёл.",
        "er sagte. dann ging er.",
        "今天很好。|我们走吧！|真的？|好",
        "「好。」|他说。",
        "Visit example.com today.|Or not.",
        "Wait\xE2\x80\xA6|What?",
        "\xFF bad.|Bytes \xFE.",
        "...",
        "!",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300] = "", out[300];
        for (const char *c = cases[i]; *c; c++) {
            const bool wide = c > cases[i] && (unsigned char)c[-1] >= 0x80 && (unsigned char)c[1] >= 0x80;
            if (*c != '|')
                strncat(text, c, 1);
            else if (!wide)
                strcat(text, i % 2 ? "  " : " ");
        }
        split(text, out);
        assert_string_equal(out, cases[i]);
    }
}

static void white_space_is_measured(void **state)
{
    (void)state;
    assert_int_equal(at_space_before("", 0), 0);
    assert_int_equal(at_space_before(" \t\xC2\xA0x ", 6), 4);
    assert_int_equal(at_space_before("\xE3\x80\x80", 3), 3); /* ideographic space */
    assert_int_equal(at_without_space_after("ab  ", 4), 2);
    assert_int_equal(at_without_space_after("  ", 2), 0);
    assert_int_equal(at_sentence_end("ab  ", 4), 2);
}

static void clauses_are_cut_near_the_middle(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t cut;
    } cases[] = {
        {"one, two three four, five", 20},
        {"aa bb cc dd", 5}, /* before a space */
        {"a, bbbbbbbbbbbbbbbb", 2},
        {"cost 1,000 and more", 10}, /* no clause mark */
        {"abcdef", 3},
        {"\xE4\xB8\x80\xE4\xBA\x8C\xEF\xBC\x8C\xE4\xB8\x89", 9}, /* a fullwidth comma */
        {"\xE4\xB8\x80\xE4\xBA\x8C", 3},
        {"a", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(at_clause_end(cases[i].text, strlen(cases[i].text)), cases[i].cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_end_at_their_marks),
        cmocka_unit_test(white_space_is_measured),
        cmocka_unit_test(clauses_are_cut_near_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
