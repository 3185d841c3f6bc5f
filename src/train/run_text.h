/* What a run tells of its text: what was left out of it, whether enough is left, and how small the vocabularies are. */
#ifndef ATT_TRAIN_RUN_TEXT_H
#define ATT_TRAIN_RUN_TEXT_H

#include "base/buf.h"
#include "data/corpus.h"
#include "infer/bundle.h"
#include "train/train_options.h"

/* What was left out, for a message, with the first line of each kind: *text is "" when nothing was. */
at_status at_run_describe_skipped(const at_corpus *corpus, at_buf *text, at_error *err);
int64_t at_run_count_skipped(const at_corpus *corpus); /* lines */

/* ATT_INPUT: no sentence pair is left, or of a stream less than a token to predict from and one to predict. path: of the
 * text, for the message. */
at_status at_run_check_left(const at_corpus *corpus, const char *path, const at_train_options *options, at_error *err);

/* Appends which of the vocabularies that were trained are smaller than asked for; nothing when none is. */
at_status at_run_describe_vocabularies(at_buf *text, const at_bundle *bundle, const at_train_options *options,
                                       at_error *err);

#endif
