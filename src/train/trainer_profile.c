/* Training with an account of its time: see trainer.h. The account isn't written into the run folder: it is of this
 * session and this machine, and the run's files are the same with and without it. */
#include "backend/profile_backend.h"
#include "base/clock.h"
#include "train/session.h"

static at_status report_profile(at_trainer *t, at_backend *be, at_error *err)
{
    const int threads = (int)t->options->threads;
    at_profile profile = at_profile_backend_read(be);
    if (t->hooks->report == NULL) return ATT_OK;
    ATT_TRY(at_cpu_peak(&profile.peak, &threads, 1, NULL, err));
    /* The loop's own session is over. */
    const at_session s = {.t = t, .started = at_clock() - profile.seconds, .seconds_before = t->seconds_before};
    at_session_report(&s, (at_training_event){.kind = ATT_TRAINING_PROFILED, .profile = &profile});
    return ATT_OK;
}

at_status at_trainer_run_profiled(at_trainer *t, at_backend *be, at_error *err)
{
    at_profile_backend_restart(be); /* reading the text is not training */
    const at_status status = at_trainer_run(t, err);
    if (status != ATT_OK && status != ATT_CANCELLED) return status;
    at_error lost;
    const at_status reported = report_profile(t, be, &lost);
    return status == ATT_OK && reported != ATT_OK ? at_fail(err, reported, "%s", lost.text) : status;
}
