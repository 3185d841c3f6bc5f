/* Option tables: parsing, messages, formatting and finding rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>

#include "base/option.h"

typedef struct settings {
    bool tied;
    int64_t beam, words;
    double rate, scale;
    char *name, *model, *train;
    int norm;
} settings;

enum { TIED, BEAM, WORDS, RATE, SCALE, NAME, MODEL, TRAIN, NORM };

static const char *const norms[] = {"pre", "post", "no-norm", NULL};

static const at_option table[] = {
    [TIED] = {.name = "tied", .type = ATT_OPT_BOOL, .offset = offsetof(settings, tied), .def = "yes"},
    [BEAM] =
        {.name = "beam", .type = ATT_OPT_INT, .offset = offsetof(settings, beam), .def = "4", .min = 1, .max = 1024},
    [WORDS] = {.name = "batch-words", .type = ATT_OPT_INT, .offset = offsetof(settings, words), .def = "4k"},
    [RATE] = {.name = "learning-rate",
              .type = ATT_OPT_REAL,
              .offset = offsetof(settings, rate),
              .def = "3e-4",
              .min = 0,
              .max = 0.5},
    [SCALE] =
        {.name = "scale", .type = ATT_OPT_REAL, .offset = offsetof(settings, scale), .min = 0.25, .max = INFINITY},
    [NAME] = {.name = "name", .type = ATT_OPT_TEXT, .offset = offsetof(settings, name), .def = ""},
    [MODEL] = {.name = "model", .type = ATT_OPT_PATH, .offset = offsetof(settings, model)},
    [TRAIN] = {.name = "train", .type = ATT_OPT_PATHS, .offset = offsetof(settings, train), .def = "a\nb"},
    [NORM] =
        {.name = "norm", .type = ATT_OPT_CHOICE, .offset = offsetof(settings, norm), .def = "post", .choices = norms},
    {0},
};

static void defaults_fill_every_field(void **state)
{
    (void)state;
    settings s;
    memset(&s, 0xA5, sizeof s);
    assert_int_equal(at_options_defaults(table, &s, NULL), ATT_OK);
    assert_true(s.tied);
    assert_int_equal(s.beam, 4);
    assert_int_equal(s.words, 4000);
    assert_true(s.rate == 3e-4 && s.scale == 0);
    assert_string_equal(s.name, "");
    assert_null(s.model);
    assert_string_equal(s.train, "a\nb");
    assert_int_equal(s.norm, 1);
    at_options_free(table, &s);
    assert_null(s.train);
    at_options_free(table, &s);
}

static void bad_default_frees(void **state)
{
    (void)state;
    const at_option bad[] = {
        table[NAME], {.name = "beam", .type = ATT_OPT_INT, .def = "many", .offset = offsetof(settings, beam)}, {0}};
    settings s;
    at_error err;
    assert_int_equal(at_options_defaults(bad, &s, &err), ATT_OPTION);
    assert_null(s.name);
}

static void sets_values(void **state)
{
    (void)state;
    settings s;
    at_options_defaults(table, &s, NULL);
    assert_int_equal(at_option_set(&table[TIED], &s, "Off", "--tied", NULL), ATT_OK);
    assert_false(s.tied);
    assert_int_equal(at_option_set(&table[BEAM], &s, "1k", "--beam", NULL), ATT_OK);
    assert_int_equal(s.beam, 1000);
    assert_int_equal(at_option_set(&table[WORDS], &s, "-2M", "", NULL), ATT_OK);
    assert_int_equal(s.words, -2000000);
    assert_int_equal(at_option_set(&table[WORDS], &s, "9223372036854775807", "", NULL), ATT_OK);
    assert_int_equal(s.words, INT64_MAX);
    assert_int_equal(at_option_set(&table[RATE], &s, ".5", "", NULL), ATT_OK);
    assert_true(s.rate == 0.5);
    assert_int_equal(at_option_set(&table[NORM], &s, "no_norm", "", NULL), ATT_OK);
    assert_int_equal(s.norm, 2);
    s.norm = 0;
    assert_int_equal(at_option_set(&table[NORM], &s, "nn", "", NULL), ATT_OK); /* initials of a name of several words */
    assert_int_equal(s.norm, 2);
    assert_int_equal(at_option_set(&table[NORM], &s, "n", "", NULL), ATT_OPTION);
    assert_int_equal(at_option_set(&table[NORM], &s, "nnn", "", NULL), ATT_OPTION);
    assert_int_equal(at_option_set(&table[NORM], &s, "p", "", NULL), ATT_OPTION);
    assert_int_equal(at_option_set(&table[MODEL], &s, "m.safetensors", "", NULL), ATT_OK);
    assert_string_equal(s.model, "m.safetensors");
    assert_int_equal(at_option_set(&table[MODEL], &s, "", "", NULL), ATT_OK);
    assert_null(s.model);
    at_options_free(table, &s);
}

typedef struct fault {
    int row;
    const char *text, *message;
} fault;

static void faults_say_what_to_give(void **state)
{
    (void)state;
    static const fault faults[] = {
        {BEAM, "x", "--o: \"x\" is not a whole number; give one from 1 to 1024"},
        {BEAM, "", "--o: \"\" is not a whole number; give one from 1 to 1024"},
        {BEAM, "2.5", "--o: \"2.5\" is not a whole number; give one from 1 to 1024"},
        {BEAM, "4 ", "--o: \"4 \" is not a whole number; give one from 1 to 1024"},
        {BEAM, "2k", "--o: \"2k\" is out of range; give one from 1 to 1024"},
        {WORDS, "1kk", "--o: \"1kk\" is not a whole number; give one such as 8, 4k or 2M"},
        {WORDS, "9223372036854775807k",
         "--o: \"9223372036854775807k\" is not a whole number; give one such as 8, 4k or 2M"},
        {RATE, "fast", "--o: \"fast\" is not a number; give one from 0 to 0.5"},
        {RATE, "0.6", "--o: \"0.6\" is out of range; give one from 0 to 0.5"},
        {RATE, "nan", "--o: \"nan\" is not a number; give one from 0 to 0.5"},
        {SCALE, "inf", "--o: \"inf\" is not a number; give one of at least 0.25"},
        {TIED, "maybe", "--o: \"maybe\" is neither true nor false; give true or false"},
        {NORM, "pos", "--o: \"pos\" is not a choice; give pre, post or no-norm"},
    };
    settings s, before;
    at_options_defaults(table, &s, NULL);
    memcpy(&before, &s, sizeof s); /* padding too, for the comparison of bytes */
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        at_error err;
        assert_int_equal(at_option_set(&table[faults[i].row], &s, faults[i].text, "--o", &err), ATT_OPTION);
        assert_string_equal(err.text, faults[i].message);
        assert_memory_equal(&s, &before, sizeof s);
    }
    at_options_free(table, &s);
}

static void assert_format(int row, const settings *s, const char *expected)
{
    at_buf out = {0};
    assert_int_equal(at_option_format(&table[row], s, &out, NULL), ATT_OK);
    assert_string_equal(out.data, expected);
    at_buf_free(&out);
}

static void formats_values(void **state)
{
    (void)state;
    settings s = {.tied = true, .beam = 8, .words = INT64_MIN, .name = "n", .train = "a\nb", .norm = 2};
    assert_format(TIED, &s, "true");
    assert_format(BEAM, &s, "8");
    assert_format(WORDS, &s, "-9223372036854775808");
    assert_format(NAME, &s, "n");
    assert_format(MODEL, &s, "");
    assert_format(TRAIN, &s, "a\nb");
    assert_format(NORM, &s, "no-norm");
}

static void reals_round_trip(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},    {3e-4, "0.0003"}, {4000, "4000"}, {0.98, "0.98"}, {1.0 / 3, "0.3333333333333333"},
        {1e-9, "1e-09"}, {-2.5, "-2.5"},
    };
    static const double more[] = {DBL_MAX, DBL_MIN, DBL_EPSILON, 0.1 + 0.2, 5e-324, -0.0, 1234567.891};
    settings s = {0};
    const at_option any = {.name = "scale", .type = ATT_OPT_REAL, .offset = offsetof(settings, scale)};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s.scale = cases[i].value;
        assert_format(SCALE, &s, cases[i].text);
    }
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        at_buf out = {0};
        s.scale = more[i];
        assert_int_equal(at_option_format(&any, &s, &out, NULL), ATT_OK);
        assert_int_equal(at_option_set(&any, &s, out.data, "", NULL), ATT_OK);
        assert_memory_equal(&s.scale, &more[i], sizeof(double));
        at_buf_free(&out);
    }
}

/* An embedding program may run under a locale with a decimal comma. */
static void numbers_ignore_locale(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) skip();
    settings s = {0};
    assert_int_equal(at_option_set(&table[RATE], &s, "0.25", "", NULL), ATT_OK);
    assert_format(RATE, &s, "0.25");
    setlocale(LC_ALL, "C");
}

static void finds_rows(void **state)
{
    (void)state;
    assert_ptr_equal(at_option_find(table, "learning-rate"), &table[RATE]);
    assert_ptr_equal(at_option_find(table, "learning_rate"), &table[RATE]);
    assert_null(at_option_find(table, "learning"));
    assert_null(at_option_find(table, "beams"));
    assert_ptr_equal(at_option_nearest(table, "baem"), &table[BEAM]);
    assert_ptr_equal(at_option_nearest(table, "beams"), &table[BEAM]);
    assert_ptr_equal(at_option_nearest(table, "lerning_rat"), &table[RATE]);
    assert_ptr_equal(at_option_nearest(table, "norm"), &table[NORM]);
    assert_null(at_option_nearest(table, "zebra"));
    assert_null(at_option_nearest(table, ""));
    char longest[200] = "";
    memset(longest, 'x', sizeof longest - 1);
    assert_null(at_option_nearest(table, longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_every_field),
        cmocka_unit_test(bad_default_frees),
        cmocka_unit_test(sets_values),
        cmocka_unit_test(faults_say_what_to_give),
        cmocka_unit_test(formats_values),
        cmocka_unit_test(reals_round_trip),
        cmocka_unit_test(numbers_ignore_locale),
        cmocka_unit_test(finds_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
