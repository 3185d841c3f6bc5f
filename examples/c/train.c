/* Trains a small model on two parallel files, and stops cleanly on Ctrl-C; started again, it continues:
 *
 *   cc train.c -o train $(pkg-config --cflags --libs attend)
 *   ./train train.en train.de valid.en valid.de runs/first 2000        the model: runs/first/best.safetensors */
#include <attend/train.h>
#include <signal.h>
#include <stdio.h>

static volatile int cancel;

static void on_interrupt(int signal)
{
    (void)signal;
    cancel = 1;
}

static void report(void *user, const at_training_event *e)
{
    FILE *out = user;
    if (e->kind == ATT_TRAINING_LOGGED)
        fprintf(out, "update %lld of %lld: loss %.3f\n", (long long)e->step, (long long)e->steps, e->loss);
    if (e->kind == ATT_TRAINING_FINISHED) fprintf(out, "done: %s\n", e->text ? e->text : "");
}

/* The options that the words of the command line stand for; `attend train --help` lists them all. */
static const char *const names[] = {"source", "target", "valid-source", "valid-target", "run", "steps"};
enum { COUNT = sizeof names / sizeof *names };

static at_status set_all(at_training *run, char **words, at_error *error)
{
    at_status status = at_training_preset(run, "tiny", error);
    for (int i = 0; i < COUNT && status == ATT_OK; i++) status = at_training_set(run, names[i], words[i], error);
    return status == ATT_OK ? at_training_set(run, "log-every", "1", error) : status;
}

int main(int argc, char **argv)
{
    at_training *run;
    at_error error;
    const at_training_hooks hooks = {.report = report, .user = stdout, .cancel = &cancel};
    if (argc != COUNT + 1) {
        fprintf(stderr, "usage: train SOURCE TARGET VALID-SOURCE VALID-TARGET RUN UPDATES\n");
        return 2;
    }
    at_status status = at_training_new(&run, &error);
    if (status != ATT_OK) return 1;
    signal(SIGINT, on_interrupt);
    status = set_all(run, argv + 1, &error);
    if (status == ATT_OK) status = at_training_run(run, &hooks, &error);
    if (status != ATT_OK) fprintf(stderr, "%s\n", error.text);
    at_training_free(run);
    return status == ATT_OK ? 0 : 1;
}
