/* Translates the lines of standard input with a model of attend, the two best translations a line:
 *
 *   cc translate.c -o translate $(pkg-config --cflags --libs attend)
 *   ./translate best.safetensors < test.en */
#include <attend/attend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Called once a line, in order. */
static at_status print(void *arg, int64_t index, const at_translation *t, at_error *error)
{
    FILE *out = arg;
    (void)error;
    fprintf(out, "%lld: %s%s\n", (long long)index + 1, t->text, t->looped || t->truncated ? "  (doubtful)" : "");
    for (int64_t i = 1; i < t->n_best_count; i++) fprintf(out, "   or: %s\n", t->n_best[i].text);
    return ATT_OK;
}

enum { LINES = 100, LENGTH = 1000 };

int main(int argc, char **argv)
{
    static char text[LINES][LENGTH];
    at_line lines[LINES];
    int64_t count = 0;
    at_translator *translator;
    at_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: translate MODEL\n");
        return 2;
    }
    while (count < LINES && fgets(text[count], LENGTH, stdin)) {
        lines[count] = (at_line){text[count], strcspn(text[count], "\n")};
        count++;
    }
    if (at_translator_open(&translator, argv[1], 0, &error) != ATT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    at_translate_args args = at_translate_defaults();
    args.n_best = 2;
    const at_status status = at_translate(translator, lines, count, &args, print, stdout, &error);
    if (status != ATT_OK) fprintf(stderr, "%s\n", error.text);
    at_translator_free(translator);
    return status == ATT_OK ? 0 : 1;
}
