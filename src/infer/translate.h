/* Translation of lines of text: tokens, batches of like length, search, text again, in the order of the lines.
 *
 * Lines are sorted by length within windows, so that the sentences of a batch end together; results don't depend on it.
 * A line without tokens (empty, or white space alone) gives an empty text. Bytes that are no UTF-8 become U+FFFD before
 * the line is tokenised. Read next: search.h, guard.h; for texts of several sentences a line: paragraphs.h. */
#ifndef ATT_INFER_TRANSLATE_H
#define ATT_INFER_TRANSLATE_H

#include <attend/attend.h> /* at_line, at_translation */

#include "infer/search.h"

typedef struct at_translate_options {
    at_search_options search;
    int64_t batch_tokens;    /* source tokens of a batch, end tokens counted; 0: no such limit */
    int64_t batch_sentences; /* 0: no such limit. A batch holds at least one line */
    int64_t window;          /* lines sorted together; the first results come after one window. 0: all lines */
    int64_t first_line;      /* number of the first line in messages */
    at_translated_fn *each;  /* may be NULL */
    void *arg;
    bool guard;                       /* search broken outputs again: guard.h */
    uint64_t seed;                    /* of sampling: a line's key is (seed, its number) */
    const uint64_t *keys;             /* of each line, in place of that; NULL: seed */
    const at_line *prefixes;          /* texts that the translations begin with, one a line; NULL: none */
    const at_bundle *const *ensemble; /* further models, which agree with the first; NULL: none */
    int64_t ensemble_count;
} at_translate_options;

/* Translates `count` lines into out[count], which the caller frees one by one. On failure nothing is left to free;
 * lines that options->each has seen are lost too. It may free the records that it has been given, each of which is then
 * empty in out. search.cancel stops between steps of the search: ATT_CANCELLED.
 * ATT_INPUT: a line is longer than the model's positions. ATT_OPTION: wrong options, or a model without tokenizer. */
at_status at_translate_lines(const at_bundle *bundle, const at_line *lines, int64_t count,
                             const at_translate_options *options, at_translation *out, at_error *err);
void at_translation_free(at_translation *translation); /* empties it; freeing twice is fine */
/* Appends the ids of text, with U+FFFD for bytes that are no UTF-8; *mended tells whether there were any. */
at_status at_encode_mended(const at_tokenizer *tokenizer, at_line text, at_ids *ids, bool *mended, at_error *err);

#endif
