/* Translates the lines of standard input in eight threads, which share the weights of one model:
 *
 *   cc translate.c -o translate -pthread $(pkg-config --cflags --libs attend)
 *   ./translate best.safetensors < test.en */
#include <attend/attend.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 8, LINES = 1000, LENGTH = 1000, ROOM = 4 * LENGTH };

static char text[LINES][LENGTH], translation[LINES][ROOM];
static at_line lines[LINES];
static struct worker { /* translates the lines first .. end - 1 with a translator of its own */
    pthread_t thread;
    at_translator *translator;
    int64_t first, end;
    at_status status;
} workers[THREADS];

/* Called once a line; the translation is valid during the call. */
static at_status keep(void *arg, int64_t index, const at_translation *t, at_error *error)
{
    const struct worker *w = arg;
    (void)error;
    snprintf(translation[w->first + index], ROOM, "%s", t->text);
    return ATT_OK;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    at_error error;
    w->status = at_translate(w->translator, lines + w->first, w->end - w->first, NULL, keep, w, &error);
    if (w->status != ATT_OK) fprintf(stderr, "%s\n", error.text);
    return NULL;
}

int main(int argc, char **argv)
{
    int64_t count = 0;
    at_error error = {.text = "usage: translate MODEL"};
    at_status status = argc == 2 ? at_translator_open(&workers[0].translator, argv[1], 1, &error) : ATT_OPTION;
    for (int i = 1; i < THREADS && status == ATT_OK; i++)
        status = at_translator_share(&workers[i].translator, workers[0].translator, 1, &error);
    if (status != ATT_OK) fprintf(stderr, "%s\n", error.text);
    for (; status == ATT_OK && count < LINES && fgets(text[count], LENGTH, stdin); count++)
        lines[count] = (at_line){text[count], strcspn(text[count], "\n")};
    for (int i = 0; i < THREADS && status == ATT_OK; i++) {
        workers[i].first = i * count / THREADS;
        workers[i].end = (i + 1) * count / THREADS;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) return 1;
    }
    for (int i = 0; i < THREADS && status == ATT_OK; i++) pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) at_translator_free(workers[i].translator);
    for (int64_t i = 0; i < count; i++) puts(translation[i]);
    for (int i = 0; i < THREADS && status == ATT_OK; i++) status = workers[i].status;
    return status == ATT_OK ? 0 : 1;
}
