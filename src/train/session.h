/* One call of at_trainer_run: what trainer.c, the loop, and validation.c share. */
#ifndef ATT_TRAIN_SESSION_H
#define ATT_TRAIN_SESSION_H

#include "train/accumulate.h"
#include "train/trainer.h"
#include "train/valid_text.h"

typedef struct at_session {
    at_trainer *t;
    at_ctx ctx;
    double started, saved_at, shown_at; /* at_clock */
    double seconds_before;              /* trained by earlier sessions */
    int64_t batches;                    /* of this epoch */
    int64_t session_tokens;
} at_session;

/* What a validation found. */
typedef struct at_measure {
    at_loss loss;          /* sums */
    at_valid_scores score; /* negative where nothing was translated */
} at_measure;

/* Before and after work that is no update: gives the memory of updates back, and then what that work needed, so that the
 * two are never there at once. */
void at_session_make_room(at_session *session);
/* Seconds of training, over all sessions of the run. */
double at_session_seconds(const at_session *session);
/* Completes the event with what all kinds tell, and hands it to the hook. */
void at_session_report(const at_session *session, at_training_event event);

/* The average of the weights, where there is one, takes their place: for validating, showing and saving models. The
 * second call undoes the first. */
void at_session_take_average(at_session *session);
/* Writes the model's account of its origin: step, epoch, and where given what a validation found and of how many models
 * it is the mean. */
at_status at_session_describe(at_session *session, const at_measure *found, int64_t averaged, at_error *err);
/* Writes the checkpoint. */
at_status at_session_save(at_session *session, at_error *err);
/* Validates, keeps the model when it is the best one, writes the checkpoint; without validation text the newest model
 * counts as the best one. ATT_CANCELLED leaves a checkpoint from which the validation is done again. */
at_status at_session_validate(at_session *session, at_error *err);
/* The mean of the last models at the end of the run (option average). */
at_status at_session_average(at_session *session, at_error *err);

#endif
