/* See markup.h. */
#include "plot/markup.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

/* The code point at text, which isn't at its end, and its number of bytes. U+FFFD, one byte long, for a byte that
 * starts no valid UTF-8; also for what XML has no room for. */
size_t at_markup_next(const char *text, uint32_t *code)
{
    const size_t count = at_utf8_next(text, strnlen(text, 4), code);
    const bool unknown_to_xml = *code == 0xFFFE || *code == 0xFFFF || (*code >= 0x80 && *code <= 0x9F);
    if (unknown_to_xml) *code = 0xFFFD;
    return count;
}

static at_status put_code(at_buf *out, uint32_t code, at_error *err)
{
    char bytes[4];
    return at_buf_add(out, bytes, at_utf8_put(bytes, code), err);
}

/* One character of text or of an attribute's value. Control characters show as their pictures, U+2400 and on. */
at_status at_markup_html_char(at_buf *out, const char *bytes, size_t len, uint32_t code, at_error *err)
{
    switch (code) {
    case '<':
        return at_buf_puts(out, "&lt;", err);
    case '>':
        return at_buf_puts(out, "&gt;", err);
    case '&':
        return at_buf_puts(out, "&amp;", err);
    case '"':
        return at_buf_puts(out, "&quot;", err);
    case '\'':
        return at_buf_puts(out, "&#39;", err);
    case 0x7F:
        return put_code(out, 0x2421, err);
    case 0xFFFD:
        return put_code(out, code, err);
    default:
        return code < 0x20 ? put_code(out, 0x2400 + code, err) : at_buf_add(out, bytes, len, err);
    }
}

at_status at_markup_html(at_buf *out, const char *text, at_error *err)
{
    while (*text != '\0') {
        uint32_t code;
        const size_t len = at_markup_next(text, &code);
        ATT_TRY(at_markup_html_char(out, text, len, code, err));
        text += len;
    }
    return ATT_OK;
}

/* A JSON string inside <script>: no '<' may stand there. */
at_status at_markup_json(at_buf *out, const char *text, at_error *err)
{
    ATT_TRY(at_buf_puts(out, "\"", err));
    while (*text != '\0') {
        uint32_t code;
        const size_t len = at_markup_next(text, &code);
        if (code == 0xFFFD) {
            ATT_TRY(put_code(out, code, err));
        } else if (code < 0x20 || code == '"' || code == '\\' || code == '<') {
            ATT_TRY(at_buf_printf(out, err, "\\u%04x", (unsigned)code));
        } else {
            ATT_TRY(at_buf_add(out, text, len, err));
        }
        text += len;
    }
    return at_buf_puts(out, "\"", err);
}
