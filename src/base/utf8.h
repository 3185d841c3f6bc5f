/* UTF-8: validation, walking, writing. Unicode 15 section 3.9, table 3-7: no surrogates, no over-long forms.
 */
#ifndef ATT_BASE_UTF8_H
#define ATT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Offset of the first byte that is not valid UTF-8, or len. */
size_t at_utf8_valid(const char *text, size_t len);
/* Decodes the code point at text (len > 0) and returns its number of bytes. A byte that starts no valid sequence
 * counts as U+FFFD, one byte long. */
size_t at_utf8_next(const char *text, size_t len, uint32_t *code);
/* Writes a code point (a Unicode scalar value) and returns its number of bytes, 1 .. 4; no NUL is added. */
size_t at_utf8_put(char text[4], uint32_t code);
/* White space as Python's str.isspace: what str.split and str.strip cut at. */
bool at_utf8_is_space(uint32_t code);
/* Appends the text with U+FFFD in place of each byte that starts no valid sequence. */
at_status at_utf8_mend(const char *text, size_t len, at_buf *out, at_error *err);

#endif
