/* Lower-casing of whole texts, as Python's str.lower. */
#ifndef ATT_TEXT_LOWERCASE_H
#define ATT_TEXT_LOWERCASE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/fail.h"

/* Appends the lower-case form of a text to *out. Bytes that are not valid UTF-8 become U+FFFD. */
at_status at_lowercase(const char *text, size_t len, at_buf *out, at_error *err);

#endif
