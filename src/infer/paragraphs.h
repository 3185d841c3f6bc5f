/* Translation of texts of several sentences a line, with the white space between them kept:
 *
 *   "  Good morning.  How are you?\n"       each line is cut into sentences (text/sentences.h)
 *    ^^^^^^^^^^^^^^^  ^^^^^^^^^^^^          these are translated, all white space stays as it is
 *   "  Guten Morgen.  Wie geht es dir?\n"
 *
 * A line break ends a sentence. Where no space stood between two sentences (Chinese, Japanese) one is put there unless
 * a side of the gap is Chinese or Japanese. A sentence of more tokens than the model reads, or more than
 * ATT_LONG_SENTENCE, is cut at the clause mark nearest to its middle, until the parts fit. */
#ifndef ATT_INFER_PARAGRAPHS_H
#define ATT_INFER_PARAGRAPHS_H

#include "infer/translate.h"

enum { ATT_LONG_SENTENCE = 256 }; /* tokens; models are trained on shorter ones */

/* at_translate_lines for such texts; the same arguments, results and errors, but window counts sentences. options->each
 * gets a line as soon as the sentences of it and of all lines before it are there. ATT_OPTION: n_best over 1, or
 * prefixes. */
at_status at_translate_paragraphs(const at_bundle *bundle, const at_line *lines, int64_t count,
                                  const at_translate_options *options, at_translation *out, at_error *err);

#endif
