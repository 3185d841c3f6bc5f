/* What the model in training makes of a few sentences, to watch it learn. */
#ifndef ATT_TRAIN_SHOW_H
#define ATT_TRAIN_SHOW_H

#include "infer/bundle.h"

/* Translates each line of `sentences` greedily, or with a language model continues it, and hands "sentence TAB result" to
 * `each`. Training is not touched. */
at_status at_show(const at_bundle *bundle, const char *sentences, void (*each)(void *arg, const char *text), void *arg,
                  at_error *err);

#endif
