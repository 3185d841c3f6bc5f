#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "train/accumulate.h"
#include "train/schedule.h"
#include "train/show.h"

/* After so many updates in a row without a finite gradient the weights are beyond repair. */
enum { SKIPS_IN_A_ROW = 20, PATH_BYTES = 4096 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool cancelled(const volatile int *cancel)
{
    return cancel && *cancel;
}

/* State of one call of at_trainer_run beside the trainer's own. */
typedef struct session {
    at_trainer *t;
    at_ctx ctx;
    double started, saved_at, shown_at; /* clock */
    double seconds_before;              /* trained by earlier sessions */
    int64_t batches;                    /* of this epoch */
    int64_t session_tokens;
} session;

static double trained_seconds(const session *s)
{
    return s->seconds_before + now() - s->started;
}

static void report(const session *s, at_training_event event)
{
    const at_trainer *t = s->t;
    if (t->hooks->report == NULL) return;
    event.step = t->progress.step;
    event.steps = t->options->steps;
    event.epoch = t->progress.epoch;
    event.pairs = t->pairs;
    event.parameters = at_params_count(&t->bundle->model->params);
    event.skipped = t->progress.skipped;
    event.continued = t->continued;
    event.seconds = trained_seconds(s);
    t->hooks->report(t->hooks->user, &event);
}

static void path_in_run(const session *s, char *path, const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", s->t->options->run, name);
}

/* The model of validation number `validation`, from 1. */
static void model_path(const session *s, char *path, int64_t validation)
{
    snprintf(path, PATH_BYTES, "%s/model-%04lld.safetensors", s->t->options->run, (long long)validation);
}

/* Lines of the corpus that the update read, as a JSON array; a batch's worth may be hundreds, all are wanted. */
static json_t *lines_of(session *s, int64_t count)
{
    json_t *lines = json_array();
    for (int64_t i = 0; i < count; i++) {
        at_pair_batch batch;
        if (at_batcher_get(s->t->train, s->t->progress.batch + i, &batch, NULL) != ATT_OK) break;
        for (int64_t b = 0; b < batch.source.count; b++) json_array_append_new(lines, json_integer(batch.line[b]));
    }
    return lines;
}

static at_status skip_update(session *s, int64_t count, at_error *err)
{
    at_progress *p = &s->t->progress;
    char text[160];
    json_t *lines = lines_of(s, count);
    snprintf(text, sizeof text,
             "step %lld skipped: the loss or its gradient is not finite (%zu sentence pairs, first line %lld; all in "
             "train.jsonl)",
             (long long)p->step + 1, json_array_size(lines), (long long)json_integer_value(json_array_get(lines, 0)));
    p->skipped++;
    p->skipped_in_a_row++;
    ATT_TRY(at_train_log_add(
        s->t->log, json_pack("{s:s, s:I, s:o}", "event", "skipped", "step", (json_int_t)(p->step + 1), "lines", lines),
        err));
    report(s, (at_training_event){.kind = ATT_TRAINING_SKIPPED, .text = text});
    if (p->skipped_in_a_row < SKIPS_IN_A_ROW) return ATT_OK;
    return at_fail(
        err, ATT_DIVERGED,
        "training diverged at step %lld: %d updates in a row had no finite gradient; lower learning-rate or set clip 1",
        (long long)p->step + 1, SKIPS_IN_A_ROW);
}

static void apply_update(session *s, double norm)
{
    const at_train_options *o = s->t->options;
    at_progress *p = &s->t->progress;
    at_params *params = &s->t->bundle->model->params;
    const double scale = o->clip > 0 && norm > o->clip ? o->clip / norm : 1.0;
    const at_adam_args adam = {(float)at_schedule_rate(o, p->step + 1),
                               (float)o->beta1,
                               (float)o->beta2,
                               (float)o->eps,
                               p->adam_step + 1,
                               (float)scale};
    params->be->adam(params->be, params->data, params->moment1, params->moment2, params->grad, params->floats, &adam);
    at_params_changed(params);
    p->adam_step++;
    p->skipped_in_a_row = 0;
}

static at_status update(session *s, int64_t count, at_error *err)
{
    at_trainer *t = s->t;
    at_progress *p = &t->progress;
    at_params *params = &t->bundle->model->params;
    at_loss sum;
    at_params_clear_grad(params);
    ATT_TRY(at_accumulate(&s->ctx, t->bundle->model, t->train, p->batch, count, (float)t->options->smoothing,
                          at_rng_key((uint64_t)t->options->seed, (uint64_t)p->step), &sum, err));
    at_params_settle_grad(params);
    const double norm = sqrt(params->be->sum_squares(params->be, params->grad, params->floats));
    if (isfinite(sum.loss) && isfinite(norm)) {
        apply_update(s, norm);
        p->loss += sum.loss;
        p->nll += sum.nll;
        p->norm += norm;
        p->tokens += sum.tokens;
        p->updates++;
    } else {
        ATT_TRY(skip_update(s, count, err));
    }
    s->session_tokens += sum.tokens;
    p->step++;
    p->batch += count;
    return ATT_OK;
}

static at_status log_means(session *s, at_error *err)
{
    at_progress *p = &s->t->progress;
    const double tokens = (double)p->tokens, elapsed = now() - s->started;
    const at_training_event means = {.kind = ATT_TRAINING_LOGGED,
                                     .loss = p->loss / tokens,
                                     .nll = p->nll / tokens,
                                     .norm = p->norm / (double)p->updates,
                                     .rate = at_schedule_rate(s->t->options, p->step),
                                     .tokens_per_s = elapsed > 0 ? (double)s->session_tokens / elapsed : 0};
    p->loss = p->nll = p->norm = 0;
    p->tokens = p->updates = 0;
    if (tokens == 0) return ATT_OK; /* every update since the last line was skipped */
    report(s, means);
    return at_train_log_add(s->t->log,
                            json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "event", "step", "step",
                                      (json_int_t)p->step, "epoch", (json_int_t)p->epoch, "loss", means.loss, "nll",
                                      means.nll, "rate", means.rate, "norm", means.norm, "tokens_per_s",
                                      means.tokens_per_s, "seconds", trained_seconds(s)),
                            err);
}

static at_status save_checkpoint(session *s, at_error *err)
{
    char path[PATH_BYTES];
    path_in_run(s, path, "last.safetensors");
    ATT_TRY(at_checkpoint_save(s->t->bundle, &s->t->progress, path, err));
    s->saved_at = now();
    report(s, (at_training_event){.kind = ATT_TRAINING_SAVED, .text = path});
    return ATT_OK;
}

static int64_t models_kept(const session *s)
{
    const at_train_options *o = s->t->options;
    return o->average > o->keep ? o->average : o->keep;
}

/* All older ones are tried, so that files a killed run left are removed too. */
static void remove_old_models(const session *s)
{
    char path[PATH_BYTES];
    for (int64_t i = 1; i <= s->t->progress.validations - models_kept(s); i++) {
        model_path(s, path, i);
        unlink(path);
    }
}

/* What a model file says of its origin. */
static at_status set_info(session *s, const at_loss *valid, int64_t averaged, at_error *err)
{
    const at_progress *p = &s->t->progress;
    json_t *info = json_pack("{s:s, s:I, s:I, s:I}", "program", "attend train", "step", (json_int_t)p->step, "epoch",
                             (json_int_t)p->epoch, "seed", (json_int_t)s->t->options->seed);
    if (valid) json_object_set_new(info, "validation_loss", json_real(valid->loss / (double)valid->tokens));
    if (averaged) json_object_set_new(info, "mean_of_models", json_integer(averaged));
    char *text = json_dumps(info, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    json_decref(info);
    if (text == NULL) return at_fail_memory(err, 256);
    free(s->t->bundle->info);
    s->t->bundle->info = text;
    return ATT_OK;
}

/* null where JSON has no word for it. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static at_status log_validation(session *s, const at_loss *sum, bool improved, int64_t averaged, at_error *err)
{
    const at_progress *p = &s->t->progress;
    const double loss = sum->loss / (double)sum->tokens, nll = sum->nll / (double)sum->tokens;
    report(
        s,
        (at_training_event){
            .kind = ATT_TRAINING_VALIDATED, .loss = loss, .nll = nll, .improved = improved, .averaged = averaged > 0});
    json_t *line =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:b, s:f}", "event", averaged ? "average" : "validation", "step",
                  (json_int_t)p->step, "epoch", (json_int_t)p->epoch, "loss", number(loss), "nll", number(nll),
                  "perplexity", number(exp(nll)), "improved", improved, "seconds", trained_seconds(s));
    if (averaged) json_object_set_new(line, "models", json_integer(averaged));
    return at_train_log_add(s->t->log, line, err);
}

/* A loss that is no number is no better than any; best_step 0: none was finite so far. */
static bool is_better(const at_progress *p, double loss)
{
    return isfinite(loss) && (p->best_step == 0 || loss < p->best_loss);
}

/* Validation is not interruptible: it takes seconds, and a checkpoint taken inside it would have to remember that it is
 * due. */
static at_status validate(session *s, at_error *err)
{
    at_trainer *t = s->t;
    at_progress *p = &t->progress;
    at_loss sum;
    char path[PATH_BYTES];
    ATT_TRY(at_sum_loss(t->bundle->model, t->valid, (float)t->options->smoothing, &sum, err));
    const double loss = sum.loss / (double)sum.tokens;
    const bool improved = is_better(p, loss);
    p->validations++;
    p->bad_validations = improved ? 0 : p->bad_validations + 1;
    if (improved) p->best_loss = loss, p->best_step = p->step;
    ATT_TRY(set_info(s, &sum, 0, err));
    if (models_kept(s) > 0) {
        model_path(s, path, p->validations);
        ATT_TRY(at_bundle_save(t->bundle, path, NULL, NULL, 0, NULL, 0, err));
    }
    path_in_run(s, path, "best.safetensors");
    if (improved) ATT_TRY(at_bundle_save(t->bundle, path, NULL, NULL, 0, NULL, 0, err));
    ATT_TRY(log_validation(s, &sum, improved, 0, err));
    ATT_TRY(save_checkpoint(s, err));
    remove_old_models(s);
    return ATT_OK;
}

/* Without validation text the newest model is the best one. */
static at_status save_newest(session *s, at_error *err)
{
    char path[PATH_BYTES];
    ATT_TRY(set_info(s, NULL, 0, err));
    path_in_run(s, path, "best.safetensors");
    ATT_TRY(at_bundle_save(s->t->bundle, path, NULL, NULL, 0, NULL, 0, err));
    return save_checkpoint(s, err);
}

static at_status end_of_interval(session *s, at_error *err)
{
    return s->t->valid ? validate(s, err) : save_newest(s, err);
}

static at_status save_average(session *s, int64_t count, at_error *err)
{
    at_trainer *t = s->t;
    at_loss sum;
    char path[PATH_BYTES];
    ATT_TRY(at_sum_loss(t->bundle->model, t->valid, (float)t->options->smoothing, &sum, err));
    const bool improved = is_better(&t->progress, sum.loss / (double)sum.tokens);
    ATT_TRY(set_info(s, &sum, count, err));
    path_in_run(s, path, "average.safetensors");
    ATT_TRY(at_bundle_save(t->bundle, path, NULL, NULL, 0, NULL, 0, err));
    path_in_run(s, path, "best.safetensors");
    if (improved) ATT_TRY(at_bundle_save(t->bundle, path, NULL, NULL, 0, NULL, 0, err));
    return log_validation(s, &sum, improved, count, err);
}

static at_status mean_weights(session *s, int64_t count, float *mean, at_error *err)
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

/* The mean takes the weights' place while it is validated and written; then they come back, for the checkpoint. */
static at_status average(session *s, at_error *err)
{
    at_params *p = &s->t->bundle->model->params;
    const int64_t have = s->t->progress.validations,
                  count = s->t->options->average < have ? s->t->options->average : have;
    if (s->t->valid == NULL || count < 2) return ATT_OK;
    const size_t bytes = (size_t)p->floats * sizeof(float);
    float *own = malloc(2 * bytes);
    if (own == NULL) return at_fail_memory(err, 2 * bytes);
    p->be->download(p->be, own, p->data, bytes);
    at_status status = mean_weights(s, count, own + p->floats, err);
    if (status == ATT_OK) {
        p->be->upload(p->be, p->data, own + p->floats, bytes);
        at_params_changed(p);
        status = save_average(s, count, err);
        p->be->upload(p->be, p->data, own, bytes);
        at_params_changed(p);
    }
    free(own);
    return status;
}

static void report_shown(void *arg, const char *text)
{
    report(arg, (at_training_event){.kind = ATT_TRAINING_SHOWN, .text = text});
}

static at_status show(session *s, at_error *err)
{
    const at_train_options *o = s->t->options;
    if (o->show == NULL || now() - s->shown_at < o->show_seconds) return ATT_OK;
    s->shown_at = now();
    return at_show(s->t->bundle, o->show, report_shown, s, err);
}

/* Why training is over, or NULL. */
static const char *reason_to_stop(const session *s)
{
    const at_train_options *o = s->t->options;
    const at_progress *p = &s->t->progress;
    if (p->step >= o->steps) return "all steps done";
    if (o->epochs > 0 && p->epoch >= o->epochs) return "all epochs done";
    if (o->patience > 0 && p->bad_validations >= o->patience) return "the validation loss stopped improving";
    if (o->minutes > 0 && trained_seconds(s) >= 60 * o->minutes) return "the time is up";
    return NULL;
}

static double seconds_left(const session *s)
{
    const at_train_options *o = s->t->options;
    const at_progress *p = &s->t->progress;
    const double done = trained_seconds(s);
    double left = p->step > 0 ? done / (double)p->step * (double)(o->steps - p->step) : 0;
    if (o->epochs > 0 && s->batches > 0) {
        const double epochs = (double)p->epoch + (double)p->batch / (double)s->batches;
        if (epochs > 0) left = fmin(left, done / epochs * ((double)o->epochs - epochs));
    }
    return o->minutes > 0 ? fmin(left, 60 * o->minutes - done) : left;
}

static at_status after_update(session *s, at_error *err)
{
    const at_train_options *o = s->t->options;
    const at_progress *p = &s->t->progress;
    const double elapsed = now() - s->started;
    report(s, (at_training_event){.kind = ATT_TRAINING_STEP,
                                  .loss = p->tokens ? p->loss / (double)p->tokens : 0,
                                  .nll = p->tokens ? p->nll / (double)p->tokens : 0,
                                  .rate = at_schedule_rate(o, p->step),
                                  .tokens_per_s = elapsed > 0 ? (double)s->session_tokens / elapsed : 0,
                                  .seconds_left = seconds_left(s)});
    if (p->step % o->log_every == 0) ATT_TRY(log_means(s, err));
    ATT_TRY(show(s, err));
    if (o->validate_every > 0 && p->step % o->validate_every == 0) return end_of_interval(s, err);
    return now() - s->saved_at >= 60 * o->save_minutes ? save_checkpoint(s, err) : ATT_OK;
}

static at_status epoch(session *s, at_error *err)
{
    at_trainer *t = s->t;
    at_progress *p = &t->progress;
    ATT_TRY(at_batcher_start(t->train, p->epoch, &s->batches, err));
    while (p->batch < s->batches && reason_to_stop(s) == NULL) {
        if (cancelled(t->hooks->cancel)) {
            ATT_TRY(save_checkpoint(s, err));
            return at_fail(err, ATT_CANCELLED, "stopped after step %lld; the same command continues",
                           (long long)p->step);
        }
        const int64_t left = s->batches - p->batch;
        ATT_TRY(update(s, left < t->options->accumulate ? left : t->options->accumulate, err));
        ATT_TRY(after_update(s, err));
    }
    if (p->batch < s->batches) return ATT_OK;
    p->epoch++;
    p->batch = 0;
    return t->options->validate_every == 0 ? end_of_interval(s, err) : ATT_OK;
}

static at_status finish(session *s, const char *why, at_error *err)
{
    at_progress *p = &s->t->progress;
    const bool validated =
        s->t->options->validate_every == 0 ? p->batch == 0 : p->step % s->t->options->validate_every == 0;
    if (!validated) ATT_TRY(end_of_interval(s, err));
    if (s->t->valid && p->best_step == 0)
        return at_fail(err, ATT_DIVERGED,
                       "no validation had a finite loss, so there is no best model; lower learning-rate or set clip 1");
    ATT_TRY(average(s, err));
    p->finished = true;
    ATT_TRY(set_info(s, NULL, 0, err));
    ATT_TRY(save_checkpoint(s, err));
    report(s, (at_training_event){.kind = ATT_TRAINING_FINISHED, .text = why});
    return at_train_log_add(s->t->log,
                            json_pack("{s:s, s:I, s:s, s:f, s:I}", "event", "end", "step", (json_int_t)p->step, "why",
                                      why, "seconds", trained_seconds(s), "skipped", (json_int_t)p->skipped),
                            err);
}

at_status at_trainer_run(at_trainer *t, at_error *err)
{
    session s = {.t = t, .started = now(), .seconds_before = t->seconds_before};
    s.saved_at = s.shown_at = s.started;
    report(&s, (at_training_event){.kind = ATT_TRAINING_STARTED, .text = t->notes});
    if (t->progress.finished) {
        report(&s, (at_training_event){.kind = ATT_TRAINING_FINISHED, .text = "this run was finished before"});
        return ATT_OK;
    }
    at_ctx_init(&s.ctx, t->bundle->model->params.be);
    at_status status = ATT_OK;
    const char *why = NULL;
    while (status == ATT_OK && (why = reason_to_stop(&s)) == NULL) status = epoch(&s, err);
    if (status == ATT_OK) status = finish(&s, why, err);
    at_ctx_free(&s.ctx);
    return status;
}
