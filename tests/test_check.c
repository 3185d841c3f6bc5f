/* What data check sees in a line, and that its cleaned text appears whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attend/tools.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/text_marks.h"

static void marks_of_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned marks;
    } rows[] = {
        {"", 0},
        {"12 + 3.", 0},
        {"Haus", ATT_MARK_LETTERS},
        {"\346\210\277", ATT_MARK_LETTERS},
        {" a", ATT_MARK_LETTERS | ATT_MARK_SPACE},
        {"a\343\200\200", ATT_MARK_LETTERS | ATT_MARK_SPACE},
        {"1\0012", ATT_MARK_CONTROL},
        {"1\1772", ATT_MARK_CONTROL},
        {"1\302\2002", ATT_MARK_CONTROL},
        {"1\t2", 0},
        {"1\r2", ATT_MARK_RETURN},
        {"1\342\200\2502", ATT_MARK_SEPARATOR},
        {"1\302\2052", ATT_MARK_SEPARATOR},
        {"<b>1</b>", ATT_MARK_MARKUP | ATT_MARK_LETTERS},
        {"<br/>", ATT_MARK_MARKUP | ATT_MARK_LETTERS},
        {"1 < 2 > 0", 0},
        {"<3", 0},
        {"&amp;", ATT_MARK_MARKUP | ATT_MARK_LETTERS},
        {"&#233;", ATT_MARK_MARKUP},
        {"1 & 2; 3", 0},
        {"AT&T", ATT_MARK_LETTERS},
        {"T\303\203\302\274r", ATT_MARK_MOJIBAKE | ATT_MARK_LETTERS},               /* Tür twice */
        {"\303\220\302\264", ATT_MARK_MOJIBAKE | ATT_MARK_LETTERS},                 /* a Cyrillic letter twice */
        {"\303\242\342\202\254\342\204\242", ATT_MARK_MOJIBAKE | ATT_MARK_LETTERS}, /* a curly apostrophe twice */
        {"\303\246\313\206\302\277", ATT_MARK_MOJIBAKE | ATT_MARK_LETTERS},         /* a Chinese character twice */
        {"der Fu\303\237\342\200\234", ATT_MARK_LETTERS},                           /* a quoted word's end */
        {"caf\303\251 \302\253CAF\303\211\302\273", ATT_MARK_LETTERS},
        {"1\357\277\275", ATT_MARK_REPLACEMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const unsigned marks = at_text_marks(rows[i].text, strlen(rows[i].text));
        if (marks != rows[i].marks) fail_msg("row %zu, \"%s\": %u, not %u", i, rows[i].text, marks, rows[i].marks);
    }
}

static void scripts_of_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        at_script script;
    } rows[] = {
        {"", ATT_SCRIPT_NONE},
        {"1, 2", ATT_SCRIPT_NONE},
        {"Stra\303\237e", ATT_SCRIPT_LATIN},
        {"\316\261\316\262", ATT_SCRIPT_GREEK},
        {"\320\264\320\276\320\274 x", ATT_SCRIPT_CYRILLIC},
        {"\327\251\327\234", ATT_SCRIPT_HEBREW},
        {"\330\250\331\212", ATT_SCRIPT_ARABIC},
        {"\340\244\225\340\244\226", ATT_SCRIPT_INDIC},
        {"\340\270\201\340\270\202", ATT_SCRIPT_THAI},
        {"\355\225\234\352\270\200", ATT_SCRIPT_HANGUL},
        {"\346\210\221\346\230\257 A", ATT_SCRIPT_HAN},
        {"\346\227\245\346\234\254\343\201\256", ATT_SCRIPT_JAPANESE},
        {"TokyoTower\343\201\256", ATT_SCRIPT_LATIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const at_script script = at_text_script(rows[i].text, strlen(rows[i].text));
        if (script != rows[i].script) fail_msg("row %zu: %s", i, at_script_name[script]);
    }
}

static void lines_are_cleaned(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"  ", ""},
                                          {"a", "a"},
                                          {" a  b ", "a  b"},
                                          {"\343\200\200a\302\240", "a"},
                                          {"a\001b", "a b"},
                                          {"\001a\001", "a"},
                                          {"a\rb", "a b"},
                                          {"a\342\200\250b", "a b"},
                                          {"a\tb", "a\tb"},
                                          {"\033[0m", "[0m"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        at_buf out = {0};
        at_buf_puts(&out, "x", NULL); /* what is there stays */
        assert_int_equal(at_text_clean(rows[i][0], strlen(rows[i][0]), &out, NULL), ATT_OK);
        assert_string_equal(out.data + 1, rows[i][1]);
        at_buf_free(&out);
    }
}

static const at_data_finding *find(const at_data_report *report, const char *kind)
{
    for (int i = 0; i < report->finding_count; i++)
        if (strcmp(report->findings[i].kind, kind) == 0) return &report->findings[i];
    fail_msg("no %s", kind);
    return NULL;
}

/* Lines of three scripts in turn: those found in several ways are listed in order. */
static void first_lines_are_in_order(void **state)
{
    (void)state;
    static const char *const strange[] = {"\320\264", "\316\261", "\327\251"};
    char source[] = "/tmp/attend-check-XXXXXX", target[64];
    const int fd = mkstemp(source);
    assert_true(fd >= 0);
    FILE *a = fdopen(fd, "w");
    snprintf(target, sizeof target, "%s.t", source);
    FILE *b = fopen(target, "w");
    for (int i = 1; i <= 200; i++) {
        fprintf(a, "%s %d\n", i % 10 == 0 ? strange[i / 10 % 3] : "haus", i);
        fprintf(b, "house %d\n", i);
    }
    fclose(a);
    fclose(b);
    at_data_report report;
    at_error err;
    const at_check_data_args args = {.source = source, .target = target};
    if (at_check_data(&args, &report, &err) != ATT_OK) fail_msg("%s", err.text);
    const at_data_finding *found = find(&report, "other-script");
    assert_int_equal(found->count, 20);
    assert_int_equal(found->line_count, 5);
    for (int i = 0; i < 5; i++) assert_int_equal(found->lines[i], 10 * (i + 1));
    assert_int_equal(report.kept, 200);
    assert_string_equal(report.script[0], "Latin");
    remove(source);
    remove(target);
}

static void bad_arguments(void **state)
{
    (void)state;
    at_data_report report;
    at_error err;
    const at_check_data_args both = {.source = "a", .target = "b", .model = "m", .tokenizer = "t"};
    assert_int_equal(at_check_data(&both, &report, &err), ATT_OPTION);
    const at_check_data_args half = {.source = "a", .target = "b", .target_tokenizer = "t"};
    assert_int_equal(at_check_data(&half, &report, &err), ATT_OPTION);
    const at_check_data_args missing = {.source = "/nowhere/a", .target = "/nowhere/b"};
    assert_int_equal(at_check_data(&missing, &report, &err), ATT_IO);
    assert_non_null(strstr(err.text, "/nowhere/a"));
    assert_int_equal(at_check_data(&missing, &report, NULL), ATT_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_of_lines),    cmocka_unit_test(scripts_of_lines),
        cmocka_unit_test(lines_are_cleaned), cmocka_unit_test(first_lines_are_in_order),
        cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
