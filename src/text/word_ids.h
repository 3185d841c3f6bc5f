/* Numbers for words: equal words have equal numbers, 0, 1, 2 ... in order of appearance. Texts are compared byte by
 * byte, so no two words are ever taken for one. */
#ifndef ATT_TEXT_WORD_IDS_H
#define ATT_TEXT_WORD_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

typedef struct at_word_slot at_word_slot;

/* {0} is empty. */
typedef struct at_words {
    at_word_slot *slots; /* hash table */
    size_t cap;          /* slots there, a power of two or 0 */
    int32_t count;       /* words known */
    at_buf bytes;        /* their texts, end to end */
} at_words;

void at_words_free(at_words *words);
/* Appends the numbers of the words that white space parts (as Python's str.split). Fails only for lack of memory. */
at_status at_words_read(at_words *words, const char *text, size_t len, at_ids *out, at_error *err);

#endif
