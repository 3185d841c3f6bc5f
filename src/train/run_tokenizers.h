/* The tokenizers of a run: given as files, or trained on its text. */
#ifndef ATT_TRAIN_RUN_TOKENIZERS_H
#define ATT_TRAIN_RUN_TOKENIZERS_H

#include "data/text_input.h"
#include "infer/bundle.h"
#include "train/train_options.h"

/* Sets the bundle's tokenizers: one for both sides where the vocabulary is shared, as a language model's is. folder: for
 * temporary copies of text, see at_text_input_side. On failure the bundle's owner frees what is there. */
at_status at_run_tokenizers(at_bundle *bundle, const at_train_options *options, at_text_input *text, const char *folder,
                            at_error *err);
/* Sets the bundle's tokens from its tokenizers. ATT_INPUT: they lack a common end token. */
at_status at_run_special_tokens(at_bundle *bundle, const at_train_options *options, at_error *err);

#endif
