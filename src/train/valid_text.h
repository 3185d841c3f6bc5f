/* Validation sentences as text, to be translated and scored at each validation. */
#ifndef ATT_TRAIN_VALID_TEXT_H
#define ATT_TRAIN_VALID_TEXT_H

#include <attend/attend.h> /* at_line */

#include "data/pairs.h"
#include "infer/bundle.h"
#include "text/metrics.h"
#include "train/train_options.h"

typedef struct at_valid_text {
    at_buf bytes; /* of all lines */
    at_line *source;
    at_text *reference;
    int64_t count;
} at_valid_text;

typedef struct at_valid_scores {
    double bleu, chrf; /* percent */
} at_valid_scores;

/* Whether the options ask for translations. */
bool at_valid_text_wanted(const at_train_options *options);

/* Reads the first pairs of the files (options->valid_sentences; 0: all), those passed over that can't be translated or
 * scored: an empty side, no UTF-8, longer than the model can read. ATT_INPUT: no pair is left, or the files differ in
 * length. On failure *text is empty. */
at_status at_valid_text_read(at_valid_text *text, const at_bundle *bundle, const at_text_files *files, int64_t limit,
                             at_error *err);
void at_valid_text_free(at_valid_text *text);

/* Translates the sources by beam search (options->valid_beam; 1: greedy) and scores the detokenised translations.
 * cancel stops it: ATT_CANCELLED; may be NULL. */
at_status at_valid_text_score(const at_valid_text *text, const at_bundle *bundle, const at_train_options *options,
                              const volatile int *cancel, at_valid_scores *scores, at_error *err);

#endif
