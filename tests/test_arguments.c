/* The command line's inside: words and recipes to settings, help from rows, output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/arguments.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/recipe.h"

/* ---- two groups: a command's own options, and those a recipe may give ---- */

typedef struct own_options {
    bool dry_run, verbose;
} own_options;

typedef struct run_options {
    char *source, *run, *note;
    int64_t width, must;
    double rate;
    bool tie;
    int norm, positions;
} run_options;

static const char *const norms[] = {"post", "pre", NULL};
static const char *const places[] = {"sinusoidal", "learned", "relative", "none", NULL};

static const at_option own_rows[] = {
    {.name = "dry-run", .type = ATT_OPT_BOOL, .offset = offsetof(own_options, dry_run), .def = "false", .help = "h"},
    {.name = "verbose",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(own_options, verbose),
     .def = "false",
     .help = "h",
     .letter = 'v'},
    {0},
};

static const at_option run_rows[] = {
    {.name = "source", .type = ATT_OPT_PATHS, .offset = offsetof(run_options, source), .help = "h", .letter = 's'},
    {.name = "run", .type = ATT_OPT_PATH, .offset = offsetof(run_options, run), .help = "h", .letter = 'o'},
    {.name = "note", .type = ATT_OPT_TEXT, .offset = offsetof(run_options, note), .help = "h"},
    {.name = "width",
     .type = ATT_OPT_INT,
     .offset = offsetof(run_options, width),
     .def = "512",
     .min = 1,
     .max = 4096,
     .help = "h"},
    {.name = "must", .type = ATT_OPT_INT, .offset = offsetof(run_options, must), .help = "h"},
    {.name = "rate", .type = ATT_OPT_REAL, .offset = offsetof(run_options, rate), .def = "0.1", .help = "h"},
    {.name = "tie-output", .type = ATT_OPT_BOOL, .offset = offsetof(run_options, tie), .def = "true", .help = "h"},
    {.name = "norm",
     .type = ATT_OPT_CHOICE,
     .offset = offsetof(run_options, norm),
     .def = "post",
     .choices = norms,
     .help = "h"},
    {.name = "positions",
     .type = ATT_OPT_CHOICE,
     .offset = offsetof(run_options, positions),
     .def = "none",
     .choices = places,
     .help = "h"},
    {0},
};

typedef struct fixture {
    own_options own;
    run_options run;
    at_arguments args;
    at_error err;
} fixture;

static int open_fixture(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    at_options_defaults(own_rows, &f->own, NULL);
    at_options_defaults(run_rows, &f->run, NULL);
    at_arguments_init(&f->args, "train");
    at_arguments_group(&f->args, "Options", own_rows, &f->own, false);
    at_arguments_group(&f->args, "Run", run_rows, &f->run, true);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    fixture *f = *state;
    at_arguments_free(&f->args);
    at_options_free(run_rows, &f->run);
    free(f);
    return 0;
}

/* Parses words separated by spaces. */
static at_status parse(fixture *f, const char *line)
{
    static char text[400]; /* positional arguments point into it */
    char *words[32];
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) words[count++] = word;
    return at_arguments_parse(&f->args, count, words, &f->err);
}

static at_status recipe(fixture *f, const char *text)
{
    return at_recipe_parse(&f->args, "conf/r.yaml", text, strlen(text), &f->err);
}

/* ---- words ---- */

static void words_become_settings(void **state)
{
    fixture *f = *state;
    assert_int_equal(
        parse(f, "r.yaml --width 256 --rate=-3 -s a -sb --source c -v --no-tie_output --norm pre -- --x -"), ATT_OK);
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OK);
    assert_int_equal(f->run.width, 256);
    assert_true(f->run.rate == -3);
    assert_string_equal(f->run.source, "a\nb\nc");
    assert_true(f->own.verbose && !f->own.dry_run && !f->run.tie);
    assert_int_equal(f->run.norm, 1);
    assert_int_equal(f->args.positional_count, 3);
    assert_string_equal(f->args.positional[0], "r.yaml");
    assert_string_equal(f->args.positional[1], "--x");
    assert_string_equal(f->args.positional[2], "-");
}

static void flags_take_a_word(void **state)
{
    fixture *f = *state;
    assert_int_equal(parse(f, "--tie-output false --dry-run=yes --verbose true a --rate -1 -o -"), ATT_OK);
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OK);
    assert_true(!f->run.tie && f->own.dry_run && f->own.verbose);
    assert_int_equal(f->args.positional_count, 1);
    assert_true(f->run.rate == -1);
    assert_string_equal(f->run.run, "-");
}

static void the_last_word_counts(void **state)
{
    fixture *f = *state;
    assert_int_equal(parse(f, "--width 1 --width 2 --tie-output --no-tie-output"), ATT_OK);
    assert_string_equal(at_arguments_value(&f->args, "width"), "2");
    assert_null(at_arguments_value(&f->args, "rate"));
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OK);
    assert_int_equal(f->run.width, 2);
    assert_false(f->run.tie);
}

static void help_is_seen(void **state)
{
    fixture *f = *state;
    assert_int_equal(parse(f, "a -h"), ATT_OK);
    assert_true(f->args.help);
}

typedef struct fault {
    const char *text, *message;
} fault;

static void wrong_words(void **state)
{
    fixture *f = *state;
    static const fault faults[] = {
        {"--widht 3", "unknown option --widht; did you mean --width?"},
        {"--hepl", "unknown option --hepl; did you mean --help?"},
        {"--verbos", "unknown option --verbos; did you mean --verbose?"},
        {"--zzzzzz", "unknown option --zzzzzz; \"attend train --help\" lists the options"},
        {"--no-width", "unknown option --no-width; \"attend train --help\" lists the options"},
        {"-x", "unknown option -x; \"attend train --help\" lists the options"},
        {"--width", "--width needs a value; write --width N"},
        {"--run --width 3", "--run needs a value; write --run PATH"},
        {"--norm", "--norm needs a value; write --norm post|pre"},
        {"-vx", "-v takes no value; write -v alone"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        assert_int_equal(parse(f, faults[i].text), ATT_OPTION);
        assert_string_equal(f->err.text, faults[i].message);
    }
}

static void values_name_their_place(void **state)
{
    fixture *f = *state;
    assert_int_equal(parse(f, "--width 5000"), ATT_OK);
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OPTION);
    assert_string_equal(f->err.text, "--width: \"5000\" is out of range; give one from 1 to 4096");
}

static void what_is_missing_is_named(void **state)
{
    fixture *f = *state;
    static const char *const required[] = {"run", NULL};
    assert_int_equal(parse(f, "--must 1"), ATT_OK);
    assert_int_equal(at_arguments_require(&f->args, NULL, &f->err), ATT_OK);
    assert_int_equal(at_arguments_require(&f->args, required, &f->err), ATT_OPTION);
    assert_string_equal(f->err.text, "--run PATH is missing; see \"attend train --help\"");
}

static void numbers_without_default_are_required(void **state)
{
    fixture *f = *state;
    assert_int_equal(at_arguments_require(&f->args, NULL, &f->err), ATT_OPTION);
    assert_string_equal(f->err.text, "--must N is missing; see \"attend train --help\"");
}

/* ---- recipes ---- */

static void recipes_give_settings(void **state)
{
    fixture *f = *state;
    setenv("ATTEND_TEST_DIR", "/data", 1);
    setenv("ATTEND_TEST_EMPTY", "", 1);
    unsetenv("ATTEND_TEST_UNSET");
    assert_int_equal(recipe(f, "# a run\n"
                               "source: [a.zh, /abs/b.zh, '${ATTEND_TEST_DIR}/c.zh', \"-\"]\n"
                               "run: ${ATTEND_TEST_UNSET:-../runs}/x\n"
                               "model:\n"
                               "  width: 1k\n"
                               "  tie_output: no\n"
                               "  norm: pre\n"
                               "rate: 5e-4\n"
                               "note: 'a ${ATTEND_TEST_EMPTY}b${ATTEND_TEST_EMPTY:-c} $5: ${ATTEND_TEST_DIR:-x}'\n"),
                     ATT_OK);
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OK);
    assert_string_equal(f->run.source, "conf/a.zh\n/abs/b.zh\n/data/c.zh\n-");
    assert_string_equal(f->run.run, "conf/../runs/x");
    assert_string_equal(f->run.note, "a bc $5: /data");
    assert_int_equal(f->run.width, 1000);
    assert_true(!f->run.tie && f->run.norm == 1 && f->run.rate == 5e-4);
}

static void later_origins_override(void **state)
{
    fixture *f = *state;
    assert_int_equal(parse(f, "--rate 3 -s c -s d"), ATT_OK);
    assert_int_equal(recipe(f, "source: a\nrate: 2\nwidth: 2\n"), ATT_OK);
    assert_int_equal(at_arguments_add(&f->args, ATT_FROM_PRESET, "width", "1", "preset tiny", &f->err), ATT_OK);
    assert_int_equal(at_arguments_add(&f->args, ATT_FROM_PRESET, "must", "1", "preset tiny", &f->err), ATT_OK);
    assert_string_equal(at_arguments_value(&f->args, "rate"), "3");
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OK);
    assert_true(f->run.rate == 3 && f->run.width == 2 && f->run.must == 1);
    assert_string_equal(f->run.source, "c\nd");
}

static void recipe_values_name_line(void **state)
{
    fixture *f = *state;
    assert_int_equal(recipe(f, "rate: 1\n\nwidth: 0\n"), ATT_OK);
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OPTION);
    assert_string_equal(f->err.text, "conf/r.yaml:3: width: \"0\" is out of range; give one from 1 to 4096");
}

static void wrong_recipes(void **state)
{
    static const fault faults[] = {
        {"", "conf/r.yaml: the recipe is empty; write \"name: value\" lines"},
        {"# nothing\n", "conf/r.yaml: the recipe is empty; write \"name: value\" lines"},
        {"just words\n", "conf/r.yaml:1: a recipe is made of \"name: value\" lines; this is none"},
        {"- a\n", "conf/r.yaml:1: a recipe is made of \"name: value\" lines; this is none"},
        {"rate: 1\nwidht: 3\n", "conf/r.yaml:2: unknown option widht; did you mean width?"},
        {"model:\n  widht: 3\n", "conf/r.yaml:2: unknown option widht; did you mean width?"},
        {"a: b: c\n", "conf/r.yaml:1: not YAML: mapping values are not allowed in this context; write \"name: value\" "
                      "lines"},
        {"rate: 1\nnote: [a\n", "conf/r.yaml:3: not YAML: did not find expected ',' or ']'; write \"name: value\" "
                                "lines"},
        {"rate: 1\nrate: 2\n", "conf/r.yaml:2: rate stands a second time (first: conf/r.yaml:1: rate); remove one"},
        {"dry-run: true\n", "conf/r.yaml:1: dry-run is for the command line only; write --dry-run there"},
        {"width:\n", "conf/r.yaml:1: width has no value; give one, or remove the line"},
        {"width: ~\n", "conf/r.yaml:1: width has no value; give one, or remove the line"},
        {"width: [1, 2]\n", "conf/r.yaml:1: width takes one value, not a list; give one"},
        {"source: [[a]]\n", "conf/r.yaml:1: source is a list of paths; give one path an item"},
        {"a:\n  b:\n    width: 1\n", "conf/r.yaml:2: section b stands within a section; move it out"},
        {"? [a]\n: 1\n", "conf/r.yaml:1: a key is no plain name; write \"name: value\""},
        {"rate: 1\n---\nwidth: 3\n", "conf/r.yaml:3: a second document begins; remove the line \"---\" before it"},
        {"note: \"a\\0b\"\n", "conf/r.yaml:1: note holds a NUL byte; remove it"},
        {"note: ${ATTEND_TEST_UNSET}\n",
         "conf/r.yaml:1: the environment variable ATTEND_TEST_UNSET is not set; set it, "
         "or write ${ATTEND_TEST_UNSET:-default}"},
        {"note: ${9}\n", "conf/r.yaml:1: \"${9}\" is no variable; write ${NAME} or ${NAME:-default}"},
        {"note: ${A\n", "conf/r.yaml:1: \"${A\" is no variable; write ${NAME} or ${NAME:-default}"},
        {"note: ${A-b}\n", "conf/r.yaml:1: \"${A-b}\" is no variable; write ${NAME} or ${NAME:-default}"},
    };
    unsetenv("ATTEND_TEST_UNSET");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        void *own = NULL;
        (void)state;
        open_fixture(&own);
        fixture *f = own;
        assert_int_equal(recipe(f, faults[i].text), ATT_OPTION);
        assert_string_equal(f->err.text, faults[i].message);
        close_fixture(&own);
    }
}

static void recipe_file_is_read(void **state)
{
    fixture *f = *state;
    char folder[] = "/tmp/attend-recipe-XXXXXX", path[80], expected[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.yaml", folder);
    snprintf(expected, sizeof expected, "%s/here", folder);
    assert_int_equal(at_file_write(path, "run: here\n", 10, NULL), ATT_OK);
    assert_int_equal(at_recipe_read(&f->args, path, &f->err), ATT_OK);
    assert_int_equal(at_arguments_apply(&f->args, &f->err), ATT_OK);
    assert_string_equal(f->run.run, expected);
    unlink(path);
    assert_int_equal(at_recipe_read(&f->args, path, &f->err), ATT_IO);
    rmdir(folder);
}

/* Aliases that would unfold to a billion nodes are a mapping in a section, or a list in a list: refused at once. */
static void alias_bombs_are_refused(void **state)
{
    fixture *f = *state;
    assert_int_equal(recipe(f, "source: &a [&b [x, x], *a]\n"), ATT_OPTION);
    assert_int_equal(recipe(f, "s: &s\n  t: *s\n"), ATT_OPTION);
}

/* ---- help and output ---- */

typedef struct page {
    char *text;
    size_t len;
    FILE *file;
    at_output output;
} page;

static void page_open(page *p)
{
    *p = (page){0};
    p->file = open_memstream(&p->text, &p->len);
    at_output_init(&p->output, p->file, stderr);
}

static void page_close(page *p)
{
    fclose(p->file);
    free(p->text);
}

static void help_lists_rows(void **state)
{
    fixture *f = *state;
    static const at_positional positionals[] = {{"RECIPE", "a file", ATT_OPTIONAL}, {0}};
    const at_command command = {
        .name = "train", .description = "Trains.", .examples = "attend train r.yaml\n", .positionals = positionals};
    page p;
    page_open(&p);
    assert_int_equal(at_help_command(&p.output, &command, &f->args, &f->err), ATT_OK);
    assert_int_equal(at_output_close(&p.output, &f->err), ATT_OK);
    assert_string_equal(p.text, "Usage: attend train [options] [RECIPE]\n"
                                "\n"
                                "Trains.\n"
                                "\n"
                                "Arguments:\n"
                                "  RECIPE  a file\n"
                                "\n"
                                "Options:\n"
                                "      --dry-run          h\n"
                                "  -v, --verbose          h\n"
                                "\n"
                                "Run (here or in the recipe):\n"
                                "  -s, --source PATH      h [may be repeated]\n"
                                "  -o, --run PATH         h\n"
                                "      --note TEXT        h\n"
                                "      --width N          h [1 to 4096; default 512]\n"
                                "      --must N           h [required]\n"
                                "      --rate X           h [default 0.1]\n"
                                "      --[no-]tie-output  h\n"
                                "      --norm post|pre    h [default post]\n"
                                "      --positions NAME   h [sinusoidal, learned, relative, none; default none]\n"
                                "  -h, --help             this text\n"
                                "\n"
                                "Examples:\n"
                                "  attend train r.yaml\n");
    page_close(&p);
}

static void json_keeps_bytes(void **state)
{
    (void)state;
    page p;
    page_open(&p);
    at_error err;
    json_t *object =
        json_pack("[o, o, o]", at_json_bytes("a\0\xC3\xA9", 4), at_json_bytes("a\0\xFF", 3), at_json_text("\xC3"));
    assert_int_equal(at_print_json(&p.output, object, &err), ATT_OK);
    assert_string_equal(p.text, "[\"a\\u0000\xC3\xA9\",\"a\\u0000?\",\"?\"]\n");
    page_close(&p);
}

static void failed_writes_are_told(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) skip();
    at_output output;
    at_error err;
    at_output_init(&output, full, stderr);
    at_print(&output, "text");
    assert_int_equal(at_output_close(&output, &err), ATT_IO);
    assert_string_equal(err.text,
                        "standard output: can't write: No space left on device; write to another disk or file");
    fclose(full);
}

static void live_line_is_redrawn(void **state)
{
    (void)state;
    page p;
    page_open(&p);
    p.output.err = p.file; /* all in one stream, as on a terminal */
    p.output.terminal = true;
    at_live(&p.output, "step %d %s", 1,
            "a text of more than eighty columns: 学习 学习 学习 学习 学习 学习 学习 学习 学习 学习 学习");
    at_live(&p.output, "too soon");
    at_note(&p.output, "note");
    p.output.shown = 0;
    at_live(&p.output, "step 2");
    at_live_end(&p.output);
    at_live_end(&p.output);
    fflush(p.file);
    assert_string_equal(p.text, "\rstep 1 a text of more than eighty columns: 学习 学习 学习 学习 学习 学习 学习 \033[K"
                                "\r\033[Knote\n"
                                "\rstep 2\033[K\n");
    page_close(&p);
}

static void live_lines_are_plain_elsewhere(void **state)
{
    (void)state;
    page p;
    page_open(&p);
    p.output.err = p.file;
    p.output.terminal = false;
    at_live(&p.output, "step 1");
    at_live(&p.output, "too soon");
    at_note(&p.output, "note");
    at_live_end(&p.output);
    fflush(p.file);
    assert_string_equal(p.text, "step 1\nnote\n");
    page_close(&p);
}

static void durations_and_columns(void **state)
{
    (void)state;
    char text[32];
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0.2, "0 s"},         {59.4, "59 s"}, {59.6, "1 min 00 s"}, {3599.4, "59 min 59 s"},
                 {3900, "1 h 05 min"}, {-1, "0 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        at_duration(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
    assert_int_equal(at_columns("aé中\xF0\x9F\x98\x80", 10), 6);
    assert_int_equal(at_columns("", 0), 0);
}

static void json_is_one_line(void **state)
{
    (void)state;
    page p;
    at_error err;
    page_open(&p);
    assert_int_equal(at_print_json(&p.output, json_pack("{so sf}", "path", at_json_text("a\xFFz"), "x", 0.1), &err),
                     ATT_OK);
    assert_int_equal(at_print_json(&p.output, NULL, &err), ATT_MEMORY);
    fflush(p.file);
    assert_string_equal(p.text, "{\"path\":\"a?z\",\"x\":0.1}\n");
    page_close(&p);
}

static void statuses_become_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(at_exit_status(ATT_OK, 2), 0);
    assert_int_equal(at_exit_status(ATT_INPUT, 0), 1);
    assert_int_equal(at_exit_status(ATT_OPTION, 0), 2);
    assert_int_equal(at_exit_status(ATT_MEMORY, 0), 3);
    assert_int_equal(at_exit_status(ATT_DIVERGED, 0), 4);
    assert_int_equal(at_exit_status(ATT_CANCELLED, 2), 130);
    assert_int_equal(at_exit_status(ATT_IO, 15), 143);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(words_become_settings),
        WITH_FIXTURE(flags_take_a_word),
        WITH_FIXTURE(the_last_word_counts),
        WITH_FIXTURE(help_is_seen),
        WITH_FIXTURE(wrong_words),
        WITH_FIXTURE(values_name_their_place),
        WITH_FIXTURE(what_is_missing_is_named),
        WITH_FIXTURE(numbers_without_default_are_required),
        WITH_FIXTURE(recipes_give_settings),
        WITH_FIXTURE(later_origins_override),
        WITH_FIXTURE(recipe_values_name_line),
        cmocka_unit_test(wrong_recipes),
        WITH_FIXTURE(recipe_file_is_read),
        WITH_FIXTURE(alias_bombs_are_refused),
        WITH_FIXTURE(help_lists_rows),
        cmocka_unit_test(failed_writes_are_told),
        cmocka_unit_test(live_line_is_redrawn),
        cmocka_unit_test(live_lines_are_plain_elsewhere),
        cmocka_unit_test(durations_and_columns),
        cmocka_unit_test(json_is_one_line),
        cmocka_unit_test(json_keeps_bytes),
        cmocka_unit_test(statuses_become_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
