/* A training run from options to files: tokenizer, model, corpora, run folder, then the loop (trainer.h). */
#ifndef ATT_TRAIN_RUN_H
#define ATT_TRAIN_RUN_H

#include "train/trainer.h"

typedef struct at_run_spec {
    const at_train_options *options;
    const char *arch;           /* "transformer" */
    const at_setting *settings; /* the model's options, as text */
    size_t setting_count;
} at_run_spec;

/* Starts the run, or continues the one in the folder. A folder whose recipe differs in an option that decides the result is refused with
 * that option's name. hooks is never NULL, its members may be. */
at_status at_run(const at_run_spec *spec, const at_training_hooks *hooks, at_error *err);

/* The same up to the first update, which runs on the null backend: nothing is computed or written, and what at_run would refuse
 * is refused. Of the hooks (may be NULL), notes are reported, and cancel is looked at. */
at_status at_run_plan(const at_run_spec *spec, const at_training_hooks *hooks, at_training_plan *plan, at_error *err);

#endif
