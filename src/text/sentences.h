/* Cutting running text into sentences, for Latin, Cyrillic, Greek, Chinese and Japanese text, without a model.
 *
 * A sentence ends behind 。！？｡ and the closing quotes and brackets that follow, and behind . ! ? … likewise where
 * white space and no small letter comes next. A single full stop ends none behind
 *   - an abbreviation: one of a short list of English, German, French and Spanish ones; one letter ("J. Smith");
 *     letters with stops between them ("z.B.", "U.S.");
 *   - a number of one or two digits ("3. Mai", "1. First").
 * When in doubt it doesn't cut, since two sentences in one translate better than half a one. Known limits: such an
 * abbreviation or number at the end of a sentence joins it with the next; a quoted sentence inside another ends it in
 * Chinese and Japanese; text without these marks (Thai, verse) is one sentence. */
#ifndef ATT_TEXT_SENTENCES_H
#define ATT_TEXT_SENTENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the first sentence of the text, which begins with no white space; what white space follows it isn't counted.
 */
size_t at_sentence_end(const char *text, size_t len);
/* Where to cut a sentence that is too long: behind the clause mark (, ; : — 、，；：) nearest to the middle, else
 * before the white space nearest to it, else between characters; 0 where the text is one character. White space may
 * follow. */
size_t at_clause_end(const char *text, size_t len);
/* The bytes of white space that the text begins with, and its bytes without that at its end. */
size_t at_space_before(const char *text, size_t len);
size_t at_without_space_after(const char *text, size_t len);
/* Whether text in this script is written without spaces between words. */
bool at_is_cjk(uint32_t code);

#endif
