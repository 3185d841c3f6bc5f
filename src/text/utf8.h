/* UTF-8: validation, walking, writing. Unicode 15 section 3.9, table 3-7: no surrogates, no over-long forms.
 * Read next: lowercase.h. */
#ifndef ATT_TEXT_UTF8_H
#define ATT_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offset of the first byte that is not valid UTF-8, or len. */
size_t at_utf8_valid(const char *text, size_t len);
/* Decodes the code point at text (len > 0) and returns its number of bytes. A byte that starts no valid sequence
 * counts as U+FFFD, one byte long. */
size_t at_utf8_next(const char *text, size_t len, uint32_t *code);
/* Writes a code point (a Unicode scalar value) and returns its number of bytes, 1 .. 4; no NUL is added. */
size_t at_utf8_put(char text[4], uint32_t code);
/* White space as Python's str.isspace: what str.split and str.strip cut at. */
bool at_utf8_is_space(uint32_t code);

#endif
