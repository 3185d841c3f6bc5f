/* What the files of api share of a training. */
#ifndef ATT_API_TRAINING_H
#define ATT_API_TRAINING_H

#include <attend/train.h>

#include "train/train_options.h"

/* The options of the run, which belong to the training. */
at_train_options *at_training_run_options(at_training *training);

#endif
