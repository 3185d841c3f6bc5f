/* See markup.h. */
#include "plot/markup.h"

#include <stdbool.h>

/* The code point at text, which isn't at its end, and its number of bytes. U+FFFD, one byte long, for a byte that
 * starts no valid UTF-8; also for what XML has no room for. */
size_t at_markup_next(const char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)text;
    const size_t len = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    uint32_t c = len == 1 ? s[0] : s[0] & (0x7Fu >> len);
    bool valid = len > 0;
    for (size_t i = 1; i < len && valid; i++) {
        valid = (s[i] & 0xC0) == 0x80; /* the ending NUL is none */
        c = c << 6 | (s[i] & 0x3Fu);
    }
    valid = valid && c >= least[len] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
    *code = valid && c != 0xFFFE && c != 0xFFFF && (c < 0x80 || c > 0x9F) ? c : 0xFFFD;
    return valid ? len : 1;
}

/* Appends valid UTF-8 of a code point from U+0080 to U+FFFF. */
static at_status put_code(at_buf *out, uint32_t c, at_error *err)
{
    const unsigned char two[] = {(unsigned char)(0xC0 | c >> 6), (unsigned char)(0x80 | (c & 0x3F))};
    const unsigned char three[] = {(unsigned char)(0xE0 | c >> 12), (unsigned char)(0x80 | (c >> 6 & 0x3F)), two[1]};
    return c < 0x800 ? at_buf_add(out, two, 2, err) : at_buf_add(out, three, 3, err);
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
