/* attend/train.h: one recipe with several seeds. */
#include <attend/train.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/training.h"
#include "base/fail.h"

/* Running mean and sum of squared deviations (Welford 1962). */
typedef struct spread {
    int64_t n;
    double mean, squares;
} spread;

static void add(spread *s, double value)
{
    if (value < 0) return; /* not measured */
    const double off = value - s->mean;
    s->n++;
    s->mean += off / (double)s->n;
    s->squares += off * (value - s->mean);
}

static at_training_spread settle(const spread *s)
{
    return (at_training_spread){s->n, s->mean, s->n > 1 ? sqrt(s->squares / (double)(s->n - 1)) : 0};
}

typedef struct watcher {
    const at_training_hooks *outer;
    spread loss, bleu, chrf;
} watcher;

static void watch(void *user, const at_training_event *event)
{
    watcher *w = user;
    if (event->kind == ATT_TRAINING_FINISHED) {
        add(&w->loss, event->loss);
        add(&w->bleu, event->bleu);
        add(&w->chrf, event->chrf);
    }
    if (w->outer && w->outer->report) w->outer->report(w->outer->user, event);
}

/* With the run folder and seed of one run in the options. */
static at_status run_seed(at_training *training, const char *folder, int64_t seed, const at_training_hooks *hooks,
                          at_error *err)
{
    at_train_options *o = at_training_run_options(training);
    const size_t room = strlen(folder) + 32;
    o->run = malloc(room);
    if (o->run == NULL) return at_fail_memory(err, room);
    snprintf(o->run, room, "%s/seed-%" PRId64, folder, seed);
    o->seed = seed;
    const at_status status = at_training_run(training, hooks, err);
    free(o->run);
    return status;
}

at_status at_training_run_seeds(at_training *training, int64_t count, const at_training_hooks *hooks,
                                at_training_seeds *seeds, at_error *err)
{
    at_train_options *o = at_training_run_options(training);
    char *const folder = o->run;
    const int64_t first = o->seed;
    watcher w = {.outer = hooks};
    const at_training_hooks own = {watch, &w, hooks ? hooks->cancel : NULL, hooks && hooks->profile};
    if (count < 1) return at_fail(err, ATT_OPTION, "seeds %" PRId64 ": give at least 1", count);
    if (folder == NULL) return at_fail(err, ATT_OPTION, "no run folder; give run: FOLDER or -o FOLDER");
    at_status status = ATT_OK;
    for (int64_t i = 0; i < count && status == ATT_OK; i++) status = run_seed(training, folder, first + i, &own, err);
    o->run = folder;
    o->seed = first;
    *seeds = (at_training_seeds){settle(&w.loss), settle(&w.bleu), settle(&w.chrf)};
    return status;
}
