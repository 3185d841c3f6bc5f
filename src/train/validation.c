/* What happens at each validation and at the end: measuring, choosing the best model, keeping the last ones, their
 * mean. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_dump.h"
#include "train/average.h"
#include "train/session.h"

enum { PATH_BYTES = 4096 };

double at_session_seconds(const at_session *s)
{
    return s->seconds_before + at_clock() - s->started;
}

void at_session_report(const at_session *s, at_training_event event)
{
    const at_trainer *t = s->t;
    if (t->hooks->report == NULL) return;
    event.step = t->progress.step;
    event.steps = t->options->steps;
    event.epoch = t->progress.epoch;
    event.seed = t->options->seed;
    event.pairs = t->pairs;
    event.tokens = t->tokens;
    event.parameters = at_params_count(&t->bundle->model->params);
    event.skipped = t->progress.skipped;
    event.continued = t->continued;
    event.seconds = at_session_seconds(s);
    t->hooks->report(t->hooks->user, &event);
}

void at_session_make_room(at_session *s)
{
    at_ctx_trim(&s->ctx);
    at_params_drop_panels(&s->t->bundle->model->params);
}

void at_session_take_average(at_session *s)
{
    at_params *p = &s->t->bundle->model->params;
    if (p->average) at_params_swap_average(p);
}

/* ---- files ---- */

static void path_in_run(const at_session *s, char *path, const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", s->t->options->run, name);
}

/* The model of validation number `validation`, from 1. */
static void model_path(const at_session *s, char *path, int64_t validation)
{
    snprintf(path, PATH_BYTES, "%s/model-%04lld.safetensors", s->t->options->run, (long long)validation);
}

static at_status save_model(const at_session *s, const char *path, at_error *err)
{
    return at_bundle_save(s->t->bundle, path, NULL, NULL, 0, NULL, 0, err);
}

static at_status save_best(const at_session *s, at_error *err)
{
    char path[PATH_BYTES];
    path_in_run(s, path, "best.safetensors");
    return save_model(s, path, err);
}

at_status at_session_save(at_session *s, at_error *err)
{
    const at_trainer *t = s->t;
    char path[PATH_BYTES];
    path_in_run(s, path, "last.safetensors");
    ATT_TRY(at_checkpoint_save(t->bundle, &t->progress, (at_optimizer)t->options->optimizer, path, err));
    s->saved_at = at_clock();
    at_session_report(s, (at_training_event){.kind = ATT_TRAINING_SAVED, .text = path});
    return ATT_OK;
}

static int64_t models_kept(const at_session *s)
{
    const at_train_options *o = s->t->options;
    return o->average > o->keep ? o->average : o->keep;
}

/* All older ones are tried, so that files a killed run left are removed too. */
static void remove_old_models(const at_session *s)
{
    char path[PATH_BYTES];
    for (int64_t i = 1; i <= s->t->progress.validations - models_kept(s); i++) {
        model_path(s, path, i);
        unlink(path);
    }
}

/* ---- what a validation found ---- */

static double mean_loss(const at_measure *m)
{
    return m->loss.loss / (double)m->loss.tokens;
}

/* The less the better. */
static double badness(const at_session *s, double loss, at_valid_scores score)
{
    switch ((at_best_metric)s->t->options->best_metric) {
    case ATT_BEST_BLEU:
        return -score.bleu;
    case ATT_BEST_CHRF:
        return -score.chrf;
    case ATT_BEST_LOSS:
        break;
    }
    return loss;
}

/* A loss that is no number is no better than any; best_step 0: none was finite so far. */
static bool is_best(const at_session *s, const at_measure *m)
{
    const at_progress *p = &s->t->progress;
    const at_valid_scores best = {p->best_bleu, p->best_chrf};
    return isfinite(mean_loss(m)) &&
           (p->best_step == 0 || badness(s, mean_loss(m), m->score) < badness(s, p->best_loss, best));
}

static void remember_best(at_progress *p, const at_measure *m)
{
    p->best_loss = mean_loss(m);
    p->best_bleu = fmax(0, m->score.bleu);
    p->best_chrf = fmax(0, m->score.chrf);
}

static at_status measure(at_session *s, at_measure *m, at_error *err)
{
    const at_trainer *t = s->t;
    m->score = (at_valid_scores){-1, -1};
    at_session_make_room(s);
    ATT_TRY(at_sum_loss(&s->ctx, t->bundle->model, t->valid, (float)t->options->smoothing, &m->loss, err));
    at_ctx_trim(&s->ctx);
    return t->valid_text ? at_valid_text_score(t->valid_text, t->bundle, t->options, t->hooks->cancel, &m->score, err)
                         : ATT_OK;
}

/* null where JSON has no word for it. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* Adds the scores, where there are any, to an object that tells of a validation. */
static void add_scores(json_t *object, const at_measure *m)
{
    if (m->score.bleu < 0) return;
    json_object_set_new(object, "bleu", json_real(m->score.bleu));
    json_object_set_new(object, "chrf", json_real(m->score.chrf));
}

at_status at_session_describe(at_session *s, const at_measure *m, int64_t averaged, at_error *err)
{
    const at_progress *p = &s->t->progress;
    json_t *info = json_pack("{s:s, s:I, s:I, s:I}", "program", "attend train", "step", (json_int_t)p->step, "epoch",
                             (json_int_t)p->epoch, "seed", (json_int_t)s->t->options->seed);
    if (m) json_object_set_new(info, "validation_loss", number(mean_loss(m)));
    if (m) add_scores(info, m);
    if (averaged) json_object_set_new(info, "mean_of_models", json_integer(averaged));
    char *text = at_json_dump(info, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    json_decref(info);
    if (text == NULL) return at_fail_memory(err, 256);
    free(s->t->bundle->info);
    s->t->bundle->info = text;
    return ATT_OK;
}

static at_status log_validation(at_session *s, const at_measure *m, bool improved, int64_t averaged, at_error *err)
{
    const at_progress *p = &s->t->progress;
    const double loss = mean_loss(m), nll = m->loss.nll / (double)m->loss.tokens;
    at_session_report(s, (at_training_event){.kind = ATT_TRAINING_VALIDATED,
                                             .loss = loss,
                                             .nll = nll,
                                             .bleu = m->score.bleu,
                                             .chrf = m->score.chrf,
                                             .improved = improved,
                                             .averaged = averaged > 0});
    json_t *line =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:b, s:f}", "event", averaged ? "average" : "validation", "step",
                  (json_int_t)p->step, "epoch", (json_int_t)p->epoch, "loss", number(loss), "nll", number(nll),
                  "perplexity", number(exp(nll)), "improved", improved, "seconds", at_session_seconds(s));
    add_scores(line, m);
    if (averaged) json_object_set_new(line, "models", json_integer(averaged));
    return at_train_log_add(s->t->log, line, err);
}

/* ---- validation ---- */

/* With the average in the weights' place. */
static at_status keep_models(at_session *s, bool improved, at_error *err)
{
    char path[PATH_BYTES];
    model_path(s, path, s->t->progress.validations);
    if (models_kept(s) > 0) ATT_TRY(save_model(s, path, err));
    return improved ? save_best(s, err) : ATT_OK;
}

static at_status measure_and_keep(at_session *s, at_error *err)
{
    at_progress *p = &s->t->progress;
    at_measure m;
    ATT_TRY(measure(s, &m, err));
    const bool improved = is_best(s, &m);
    p->validations++;
    p->bad_validations = improved ? 0 : p->bad_validations + 1;
    if (improved) remember_best(p, &m), p->best_step = p->step;
    ATT_TRY(at_session_describe(s, &m, 0, err));
    ATT_TRY(keep_models(s, improved, err));
    return log_validation(s, &m, improved, 0, err);
}

/* Without validation text the newest model is the best one. */
static at_status keep_newest(at_session *s, at_error *err)
{
    ATT_TRY(at_session_describe(s, NULL, 0, err));
    return save_best(s, err);
}

/* Only the translating of a validation is interrupted: nothing has been counted by then. */
static at_status leave_due(at_session *s, at_error *err)
{
    s->t->progress.due = 1;
    ATT_TRY(at_session_save(s, err));
    return at_fail(err, ATT_CANCELLED, "stopped while validating after step %lld; the same command continues",
                   (long long)s->t->progress.step);
}

at_status at_session_validate(at_session *s, at_error *err)
{
    at_progress *p = &s->t->progress;
    at_session_take_average(s);
    const at_status status = s->t->valid ? measure_and_keep(s, err) : keep_newest(s, err);
    at_session_take_average(s);
    at_session_make_room(s);
    if (status == ATT_CANCELLED) return leave_due(s, err);
    ATT_TRY(status);
    p->validated_step = p->step;
    p->due = 0;
    ATT_TRY(at_session_save(s, err));
    remove_old_models(s);
    return ATT_OK;
}

/* ---- the mean of the last models ---- */

static at_status save_average(at_session *s, int64_t count, at_error *err)
{
    at_measure m;
    char path[PATH_BYTES];
    ATT_TRY(measure(s, &m, err));
    const bool improved = is_best(s, &m);
    ATT_TRY(at_session_describe(s, &m, count, err));
    path_in_run(s, path, "average.safetensors");
    ATT_TRY(save_model(s, path, err));
    if (improved) ATT_TRY(save_best(s, err));
    ATT_TRY(log_validation(s, &m, improved, count, err));
    if (improved) remember_best(&s->t->progress, &m);
    return ATT_OK;
}

static at_status mean_weights(at_session *s, int64_t count, float *mean, at_error *err)
{
    char(*path)[PATH_BYTES] = malloc((size_t)count * sizeof *path);
    const char **paths = malloc((size_t)count * sizeof *paths);
    at_status status = ATT_OK;
    if (path == NULL || paths == NULL) status = at_fail_memory(err, (size_t)count * sizeof *path);
    for (int64_t i = 0; i < count && status == ATT_OK; i++) {
        model_path(s, path[i], s->t->progress.validations - count + 1 + i);
        paths[i] = path[i];
    }
    if (status == ATT_OK) status = at_average_models(s->t->bundle, paths, (int)count, mean, err);
    free(path);
    free(paths);
    return status;
}

/* The mean takes the weights' place while it is validated and written, in the gradients' memory, which no update needs any
 * more; then they come back, for the checkpoint. */
static at_status average_with(at_session *s, int64_t count, float *mean, at_error *err)
{
    at_params *p = &s->t->bundle->model->params;
    ATT_TRY(mean_weights(s, count, mean, err));
    p->be->upload(p->be, p->grad, mean, (size_t)p->floats * sizeof *mean);
    at_params_swap_gradient(p);
    const at_status status = save_average(s, count, err);
    at_params_swap_gradient(p);
    return status;
}

at_status at_session_average(at_session *s, at_error *err)
{
    const at_params *p = &s->t->bundle->model->params;
    const int64_t have = s->t->progress.validations,
                  count = s->t->options->average < have ? s->t->options->average : have;
    if (s->t->valid == NULL || count < 2) return ATT_OK;
    at_session_make_room(s);
    float *mean = malloc((size_t)p->floats * sizeof *mean);
    if (mean == NULL) return at_fail_memory(err, (size_t)p->floats * sizeof *mean);
    const at_status status = average_with(s, count, mean, err);
    free(mean);
    at_session_make_room(s);
    return status;
}
