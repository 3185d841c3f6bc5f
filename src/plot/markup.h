/* Text that becomes part of HTML, SVG or JSON. Texts are NUL-terminated and may hold any byte: what is no UTF-8, or no
 * character that XML has room for, becomes U+FFFD. */
#ifndef ATT_PLOT_MARKUP_H
#define ATT_PLOT_MARKUP_H

#include "base/buf.h"

/* The code point at text, which isn't at its end; returns its number of bytes. */
size_t at_markup_next(const char *text, uint32_t *code);
/* Appends one character, as at_markup_next gave it, as text of HTML or XML or as part of a quoted attribute. Control
 * characters show as their pictures (U+2400 and on). */
at_status at_markup_html_char(at_buf *out, const char *bytes, size_t len, uint32_t code, at_error *err);
/* The same for a whole text. */
at_status at_markup_html(at_buf *out, const char *text, at_error *err);
/* Appends a JSON string with its quotes; it may stand inside <script>. */
at_status at_markup_json(at_buf *out, const char *text, at_error *err);

#endif
