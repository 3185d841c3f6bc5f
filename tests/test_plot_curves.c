/* Learning curves: what is drawn is what the log says. */
#include <attend/tools.h>
#include <math.h>

#include "plot/curves.h"
#include "text_help.h"

static const char log_text[] =
    "{\"event\":\"step\",\"step\":100,\"loss\":4,\"seconds\":60}\n"
    "{\"event\":\"validation\",\"step\":100,\"loss\":5,\"perplexity\":100,\"seconds\":60}\n"
    "{\"event\":\"skipped\",\"step\":150,\"lines\":[1]}\n"
    "{\"event\":\"step\",\"step\":200,\"loss\":2,\"seconds\":240}\n"
    "{\"event\":\"validation\",\"step\":200,\"loss\":1,\"perplexity\":10,\"bleu\":20.5,\"seconds\":240}\n"
    "{\"event\":\"average\",\"step\":200,\"loss\":0.5}\n";

static char *plot(const char *text, at_plot_format format, bool minutes, at_status expected, at_error *err)
{
    const char *const runs[] = {write_file("train.jsonl", text, strlen(text))};
    const at_plot_curves_args args = {.runs = runs, .count = 1, .minutes = minutes, .format = format, .columns = 50};
    char *picture;
    const at_status status = at_plot_curves(&args, &picture, err);
    if (status != expected) fail_msg("%s: %s", at_status_name(status), status ? err->text : "");
    return picture;
}

static int count(const char *text, const char *part)
{
    int found = 0;
    for (; (text = strstr(text, part)) != NULL; text++) found++;
    return found;
}

/* The panel is 250 high and 772 wide from (64,top); steps run from 0 to 200, the loss from 1 to 5. */
static void svg_places_points(void **state)
{
    (void)state;
    at_error err;
    char *svg = plot(log_text, ATT_PLOT_SVG, false, ATT_OK, &err);
    double x, y, x1, y1;
    const char *line = strstr(svg, "<path class=\"line r0\" d=\"M");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "<path class=\"line r0\" d=\"M%lf %lfL%lf %lf", &x, &y, &x1, &y1), 4);
    assert_true(fabs(x - (64 + 386)) < 0.1 && fabs(x1 - (64 + 772)) < 0.1);
    assert_true(fabs(y1 - y - 125) < 0.11);     /* from 4 to 2 of 1 .. 5 */
    assert_int_equal(count(svg, "<circle"), 5); /* loss 2, perplexity 2, BLEU 1 */
    assert_int_equal(count(svg, "class=\"title\""), 3);
    assert_non_null(strstr(svg, ", steps 200: 20.5</title>"));
    assert_null(strstr(svg, "http://www.w3.org/1999"));
    free(svg);
    svg = plot(log_text, ATT_PLOT_SVG, true, ATT_OK, &err);
    assert_int_equal(sscanf(strstr(svg, "<path class=\"line r0\""), "<path class=\"line r0\" d=\"M%lf", &x), 1);
    assert_true(fabs(x - (64 + 193)) < 0.1); /* minute 1 of 4 */
    free(svg);
    char *html = plot(log_text, ATT_PLOT_HTML, false, ATT_OK, &err);
    assert_true(strncmp(html, "<!DOCTYPE html>", 15) == 0 && strstr(html, "</svg>\n</body>") != NULL);
    free(html);
}

static const char ascii_panel[] = "loss, nats a token\n"
                                  "      5 |                    a\n"
                                  "        |\n"
                                  "        |\n"
                                  "      4 |                    ..\n"
                                  "        |                      ...\n"
                                  "        |                         ...\n"
                                  "        |                            ..\n"
                                  "      3 |                              ...\n"
                                  "        |                                 ...\n"
                                  "        |                                    ...\n"
                                  "      2 |                                       ..\n"
                                  "        |\n"
                                  "        |\n"
                                  "      1 |                                        a\n"
                                  "        +-----------------------------------------\n"
                                  "         0                  100              steps\n";

static void text_is_exact(void **state)
{
    (void)state;
    at_error err;
    char *text = plot(log_text, ATT_PLOT_ASCII, false, ATT_OK, &err);
    if (strncmp(text, ascii_panel, strlen(ascii_panel)) != 0) fail_msg("\n%s", text);
    assert_int_equal(count(text, "\033"), 0);
    free(text);
    text = plot(log_text, ATT_PLOT_TEXT, false, ATT_OK, &err);
    assert_non_null(strstr(text, "\u2514\u2500"));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        int columns = 0;
        for (size_t i = 0; i < strcspn(line, "\n"); i++) columns += ((unsigned char)line[i] & 0xC0) != 0x80;
        assert_true(columns <= 50);
    }
    free(text);
}

/* A line that is being written ends the log; a foreign one in between is no log. */
static void logs_in_any_state(void **state)
{
    (void)state;
    at_error err;
    char text[800];
    snprintf(text, sizeof text, "%s{\"event\":\"st", log_text);
    free(plot(text, ATT_PLOT_SVG, false, ATT_OK, &err));
    snprintf(text, sizeof text, "no\n%s", log_text);
    assert_null(plot(text, ATT_PLOT_SVG, false, ATT_INPUT, &err));
    assert_non_null(strstr(err.text, "train.jsonl:1"));
    assert_null(plot("", ATT_PLOT_TEXT, false, ATT_INPUT, &err));
    assert_null(plot("{}\n[]\n{}\n", ATT_PLOT_TEXT, false, ATT_INPUT, &err));
    free(plot("{\"event\":\"step\",\"step\":1,\"loss\":3}\n", ATT_PLOT_SVG, false, ATT_OK, &err));
    free(plot("{\"event\":\"step\",\"step\":1,\"loss\":0}\n", ATT_PLOT_ASCII, false, ATT_OK, &err));
    assert_null(plot("{\"event\":\"step\",\"step\":1,\"loss\":3}\n", ATT_PLOT_SVG, true, ATT_INPUT, &err));
}

static void axes(void **state)
{
    (void)state;
    at_axis axis = at_axis_make(0, 4321, false, 8);
    assert_int_equal(axis.marks, 5);
    assert_true(axis.mark[4] == 4000 && at_axis_place(&axis, 0) == 0 && at_axis_place(&axis, 4321) == 1);
    axis = at_axis_make(3, 2000, true, 6);
    assert_true(axis.mark[0] == 5 && axis.mark[axis.marks - 1] == 2000);
    axis = at_axis_make(1, 1e9, true, 6);
    assert_true(axis.marks == 10 && axis.mark[9] == 1e9);
    axis = at_axis_make(7, 7, false, 5);
    assert_true(at_axis_place(&axis, 7) == 0.5);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {CASE(svg_places_points), CASE(text_is_exact), CASE(logs_in_any_state),
                                       CASE(axes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
