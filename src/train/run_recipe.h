/* The effective recipe of a run, run/recipe.yaml: what it was begun with, and what it must be continued with. It is a
 * recipe itself: `attend train FOLDER/recipe.yaml` continues the run. */
#ifndef ATT_TRAIN_RUN_RECIPE_H
#define ATT_TRAIN_RUN_RECIPE_H

#include "base/buf.h"
#include "train/run.h"

/* Makes the text and compares it with the folder's. ATT_OPTION: it differs in an option that matters, or a file of that
 * name isn't attend's. Nothing is written yet, so that a start that fails for its data binds no one. */
at_status at_run_recipe_settle(at_buf *recipe, const at_run_spec *spec, const at_model *model, at_error *err);
at_status at_run_recipe_write(const at_buf *recipe, const at_run_spec *spec, at_error *err);

#endif
