/* The loop: epochs of updates, and what comes after each. Read next: session.h, validation.c. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "train/accumulate.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/session.h"
#include "train/show.h"

/* After so many updates in a row without a finite gradient the weights are beyond repair. */
enum { SKIPS_IN_A_ROW = 20 };

/* Lines of the corpus that the update read, as a JSON array; a batch's worth may be hundreds, all are wanted. */
static json_t *lines_of(at_session *s, int64_t count)
{
    json_t *lines = json_array();
    for (int64_t i = 0; i < count; i++) {
        at_pair_batch batch;
        if (at_batcher_get(s->t->train, s->t->progress.batch + i, &batch, NULL) != ATT_OK) break;
        for (int64_t b = 0; b < batch.target_out.count; b++) json_array_append_new(lines, json_integer(batch.line[b]));
    }
    return lines;
}

static at_status skip_update(at_session *s, int64_t count, at_error *err)
{
    at_progress *p = &s->t->progress;
    char text[160];
    json_t *lines = lines_of(s, count);
    snprintf(text, sizeof text,
             "step %lld skipped: the loss or its gradient is not finite (%zu %s, first line %lld; all in "
             "train.jsonl)",
             (long long)p->step + 1, json_array_size(lines), s->t->tokens > 0 ? "windows" : "sentence pairs",
             (long long)json_integer_value(json_array_get(lines, 0)));
    p->skipped++;
    p->skipped_in_a_row++;
    ATT_TRY(at_train_log_add(
        s->t->log, json_pack("{s:s, s:I, s:o}", "event", "skipped", "step", (json_int_t)(p->step + 1), "lines", lines),
        err));
    at_session_report(s, (at_training_event){.kind = ATT_TRAINING_SKIPPED, .text = text});
    if (p->skipped_in_a_row < SKIPS_IN_A_ROW) return ATT_OK;
    return at_fail(
        err, ATT_DIVERGED,
        "training diverged at step %lld: %d updates in a row had no finite gradient; lower learning-rate or set clip 1",
        (long long)p->step + 1, SKIPS_IN_A_ROW);
}

static at_status update(at_session *s, int64_t count, at_error *err)
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
        at_optimizer_apply(t->options, params, p->step + 1, ++p->adam_step, norm);
        p->skipped_in_a_row = 0;
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

static at_status log_means(at_session *s, at_error *err)
{
    at_progress *p = &s->t->progress;
    const double tokens = (double)p->tokens, elapsed = at_clock() - s->started;
    const at_training_event means = {.kind = ATT_TRAINING_LOGGED,
                                     .loss = p->loss / tokens,
                                     .nll = p->nll / tokens,
                                     .norm = p->norm / (double)p->updates,
                                     .rate = at_schedule_rate(s->t->options, p->step),
                                     .tokens_per_s = elapsed > 0 ? (double)s->session_tokens / elapsed : 0};
    p->loss = p->nll = p->norm = 0;
    p->tokens = p->updates = 0;
    if (tokens == 0) return ATT_OK; /* every update since the last line was skipped */
    at_session_report(s, means);
    return at_train_log_add(s->t->log,
                            json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "event", "step", "step",
                                      (json_int_t)p->step, "epoch", (json_int_t)p->epoch, "loss", means.loss, "nll",
                                      means.nll, "rate", means.rate, "norm", means.norm, "tokens_per_s",
                                      means.tokens_per_s, "seconds", at_session_seconds(s)),
                            err);
}

static void report_shown(void *arg, const char *text)
{
    at_session_report(arg, (at_training_event){.kind = ATT_TRAINING_SHOWN, .text = text});
}

static at_status show(at_session *s, at_error *err)
{
    const at_train_options *o = s->t->options;
    if (o->show == NULL || at_clock() - s->shown_at < o->show_seconds) return ATT_OK;
    s->shown_at = at_clock();
    at_session_make_room(s);
    at_session_take_average(s);
    at_error why;
    const at_status status = at_show(s->t->bundle, o->show, report_shown, s, &why);
    at_session_take_average(s);
    at_session_make_room(s);
    if (status == ATT_MEMORY) return at_fail(err, status, "%s", why.text);
    /* Watching must not end what is watched. */
    if (status != ATT_OK) at_session_report(s, (at_training_event){.kind = ATT_TRAINING_NOTED, .text = why.text});
    return ATT_OK;
}

static const char *const no_better[] = {[ATT_BEST_LOSS] = "the validation loss stopped improving",
                                        [ATT_BEST_BLEU] = "the validation BLEU stopped improving",
                                        [ATT_BEST_CHRF] = "the validation chrF stopped improving"};

/* Why training is over, or NULL. */
static const char *reason_to_stop(const at_session *s)
{
    const at_train_options *o = s->t->options;
    const at_progress *p = &s->t->progress;
    if (p->step >= o->steps) return "all steps done";
    if (o->epochs > 0 && p->epoch >= o->epochs) return "all epochs done";
    if (o->patience > 0 && p->bad_validations >= o->patience) return no_better[o->best_metric];
    if (o->minutes > 0 && at_session_seconds(s) >= 60 * o->minutes) return "the time is up";
    return NULL;
}

static double seconds_left(const at_session *s)
{
    const at_train_options *o = s->t->options;
    const at_progress *p = &s->t->progress;
    const double done = at_session_seconds(s);
    double left = p->step > 0 ? done / (double)p->step * (double)(o->steps - p->step) : 0;
    if (o->epochs > 0 && s->batches > 0) {
        const double epochs = (double)p->epoch + (double)p->batch / (double)s->batches;
        if (epochs > 0) left = fmin(left, done / epochs * ((double)o->epochs - epochs));
    }
    return o->minutes > 0 ? fmin(left, 60 * o->minutes - done) : left;
}

/* The end of an epoch, before any checkpoint: none stands between two epochs, and one that is written before the validation is
 * done remembers that it is due. */
static void roll_over(at_session *s)
{
    at_progress *p = &s->t->progress;
    if (p->batch < s->batches) return;
    p->epoch++;
    p->batch = 0;
    p->due = s->t->options->validate_every == 0;
}

static at_status after_update(at_session *s, at_error *err)
{
    const at_train_options *o = s->t->options;
    const at_progress *p = &s->t->progress;
    const double elapsed = at_clock() - s->started;
    at_session_report(s, (at_training_event){.kind = ATT_TRAINING_STEP,
                                             .loss = p->tokens ? p->loss / (double)p->tokens : 0,
                                             .nll = p->tokens ? p->nll / (double)p->tokens : 0,
                                             .rate = at_schedule_rate(o, p->step),
                                             .tokens_per_s = elapsed > 0 ? (double)s->session_tokens / elapsed : 0,
                                             .seconds_left = seconds_left(s)});
    if (p->step % o->log_every == 0) ATT_TRY(log_means(s, err));
    roll_over(s);
    ATT_TRY(show(s, err));
    if (p->due || (o->validate_every > 0 && p->step % o->validate_every == 0)) return at_session_validate(s, err);
    return at_clock() - s->saved_at >= 60 * o->save_minutes ? at_session_save(s, err) : ATT_OK;
}

static at_status epoch(at_session *s, at_error *err)
{
    at_trainer *t = s->t;
    at_progress *p = &t->progress;
    ATT_TRY(at_batcher_start(t->train, p->epoch, &s->batches, err));
    const int64_t number = p->epoch;
    while (p->epoch == number && reason_to_stop(s) == NULL) {
        if (at_cancelled(t->hooks->cancel)) {
            ATT_TRY(at_session_save(s, err));
            return at_fail(err, ATT_CANCELLED, "stopped after step %lld; the same command continues",
                           (long long)p->step);
        }
        const int64_t left = s->batches - p->batch;
        ATT_TRY(update(s, left < t->options->accumulate ? left : t->options->accumulate, err));
        ATT_TRY(after_update(s, err));
    }
    return ATT_OK;
}

static void report_finished(const at_session *s, const char *why)
{
    const at_progress *p = &s->t->progress;
    const at_trainer *t = s->t;
    at_session_report(s, (at_training_event){.kind = ATT_TRAINING_FINISHED,
                                             .text = why,
                                             .loss = p->validations > 0 ? p->best_loss : -1,
                                             .bleu = t->valid_text ? p->best_bleu : -1,
                                             .chrf = t->valid_text ? p->best_chrf : -1});
}

static at_status finish(at_session *s, const char *why, at_error *err)
{
    at_progress *p = &s->t->progress;
    if (p->validated_step != p->step) ATT_TRY(at_session_validate(s, err));
    if (s->t->valid && p->best_step == 0)
        return at_fail(err, ATT_DIVERGED,
                       "no validation had a finite loss, so there is no best model; lower learning-rate or set clip 1");
    ATT_TRY(at_session_average(s, err));
    p->finished = true;
    ATT_TRY(at_session_describe(s, NULL, 0, err));
    ATT_TRY(at_session_save(s, err));
    report_finished(s, why);
    return at_train_log_add(s->t->log,
                            json_pack("{s:s, s:I, s:s, s:f, s:I}", "event", "end", "step", (json_int_t)p->step, "why",
                                      why, "seconds", at_session_seconds(s), "skipped", (json_int_t)p->skipped),
                            err);
}

at_status at_trainer_run(at_trainer *t, at_error *err)
{
    at_session s = {.t = t, .started = at_clock(), .seconds_before = t->seconds_before};
    s.saved_at = s.shown_at = s.started;
    at_session_report(&s, (at_training_event){.kind = ATT_TRAINING_STARTED});
    /* Other limits may have been given than those that ended it. */
    if (t->progress.finished && reason_to_stop(&s) != NULL) {
        report_finished(&s, "this run was finished before");
        return ATT_OK;
    }
    t->progress.finished = false;
    at_ctx_init(&s.ctx, t->bundle->model->params.be);
    s.ctx.recompute = t->options->recompute;
    at_status status = ATT_OK;
    const char *why = NULL;
    if (t->progress.due) status = at_session_validate(&s, err);
    while (status == ATT_OK && (why = reason_to_stop(&s)) == NULL) status = epoch(&s, err);
    if (status == ATT_OK) status = finish(&s, why, err);
    at_ctx_free(&s.ctx);
    return status;
}
