/* Options that contradict each other, before anything is read. */
#ifndef ATT_TRAIN_RUN_CHECK_H
#define ATT_TRAIN_RUN_CHECK_H

#include "base/fail.h"
#include "train/train_options.h"

/* ATT_OPTION names the first option that is missing, or that the task or another option has no use for. */
at_status at_run_check_options(const at_train_options *options, at_error *err);

#endif
