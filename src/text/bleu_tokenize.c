/* sacreBLEU's tokenizers 13a, zh and none (Post 2018), pass by pass.
 *
 * 13a is that of the script mteval-v13a.pl: unescape four entities, then part ASCII punctuation from words. zh puts
 * spaces around every Chinese character and then parts as 13a does. The passes are regular expressions over
 * characters; as each looks for ASCII only, running them over bytes finds the same. A pass scans from the left, and
 * what it has matched it doesn't look at again, which matters in runs such as "...". */
#include "text/bleu_tokenize.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_stop(char c)
{
    return c == '.' || c == ',';
}

/* The ranges {-~  [-`  space-&  (-+  :-@  / of the first pass: all ASCII punctuation but ' , - and . */
static bool is_parted(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
           (c >= ':' && c <= '@') || c == '/';
}

/* ([\{-\~\[-\` -\&\(-\+\:-\@\/])  ->  " \1 " */
static at_status part_punctuation(const at_buf *in, at_buf *out, at_error *err)
{
    for (size_t i = 0; i < in->len; i++) {
        const char c = in->data[i];
        const char parted[] = {' ', c, ' '};
        ATT_TRY(is_parted(c) ? at_buf_add(out, parted, 3, err) : at_buf_add(out, &c, 1, err));
    }
    return ATT_OK;
}

/* ([^0-9])([\.,])  ->  "\1 \2 " */
static at_status part_stop_after_text(const at_buf *in, at_buf *out, at_error *err)
{
    size_t i = 0;
    while (i < in->len) {
        const char c = in->data[i];
        const char next = i + 1 < in->len ? in->data[i + 1] : '0';
        const char parted[] = {c, ' ', next, ' '};
        const bool match = !is_digit(c) && is_stop(next);
        ATT_TRY(at_buf_add(out, parted, match ? 4 : 1, err));
        i += match ? 2 : 1;
    }
    return ATT_OK;
}

/* ([\.,])([^0-9])  ->  " \1 \2" */
static at_status part_stop_before_text(const at_buf *in, at_buf *out, at_error *err)
{
    size_t i = 0;
    while (i < in->len) {
        const char c = in->data[i];
        const char next = i + 1 < in->len ? in->data[i + 1] : '0';
        const char parted[] = {' ', c, ' ', next};
        const bool match = is_stop(c) && !is_digit(next);
        ATT_TRY(match ? at_buf_add(out, parted, 4, err) : at_buf_add(out, &c, 1, err));
        i += match ? 2 : 1;
    }
    return ATT_OK;
}

/* ([0-9])(-)  ->  "\1 \2 " */
static at_status part_dash(const at_buf *in, at_buf *out, at_error *err)
{
    size_t i = 0;
    while (i < in->len) {
        const char c = in->data[i];
        const bool match = is_digit(c) && i + 1 < in->len && in->data[i + 1] == '-';
        const char parted[] = {c, ' ', '-', ' '};
        ATT_TRY(at_buf_add(out, parted, match ? 4 : 1, err));
        i += match ? 2 : 1;
    }
    return ATT_OK;
}

/* The four passes that 13a and zh share; from *text to *text. */
static at_status part(at_buf *text, at_buf *spare, at_error *err)
{
    typedef at_status pass(const at_buf *in, at_buf *out, at_error *err);
    static pass *const passes[] = {part_punctuation, part_stop_after_text, part_stop_before_text, part_dash};
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        at_buf_clear(spare);
        ATT_TRY(passes[i](text, spare, err));
        const at_buf swap = *text;
        *text = *spare;
        *spare = swap;
    }
    return ATT_OK;
}

/* Replaces in place; `to` is no longer than `from`. */
static void replace_all(at_buf *text, const char *from, const char *to)
{
    const size_t from_len = strlen(from), to_len = strlen(to);
    size_t kept = 0;
    for (size_t i = 0; i < text->len;) {
        if (text->len - i >= from_len && memcmp(text->data + i, from, from_len) == 0) {
            memcpy(text->data + kept, to, to_len);
            kept += to_len;
            i += from_len;
        } else {
            text->data[kept++] = text->data[i++];
        }
    }
    text->len = kept;
}

static at_status tokenize_13a(at_text line, at_buf *out, at_buf *spare, at_error *err)
{
    ATT_TRY(at_buf_add(out, " ", 1, err));
    ATT_TRY(at_buf_add(out, line.data, line.len, err));
    ATT_TRY(at_buf_add(out, " ", 1, err));
    replace_all(out, "<skipped>", "");
    if (memchr(out->data, '&', out->len) != NULL) { /* one after the other: &amp;lt; ends as < */
        replace_all(out, "&quot;", "\"");
        replace_all(out, "&amp;", "&");
        replace_all(out, "&lt;", "<");
        replace_all(out, "&gt;", ">");
    }
    return part(out, spare, err);
}

/* What sacreBLEU's zh holds to be Chinese. Its list names Extension B and the supplement as '\u20000'-'\u2a6d6' and
 * '\u2f800'-'\u2fa1d', which Python reads as a character and a digit; so it compares as U+2001-U+2A6D (quotation
 * marks, dashes, arrows, mathematics) and U+2F81-U+2FA1, and scores depend on that. */
static bool is_chinese(uint32_t code)
{
    static const uint16_t ranges[][2] = {
        {0x3400, 0x4DB5}, {0x4E00, 0x9FA5}, {0x9FA6, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9},
        {0x2001, 0x2A6D}, {0x2F81, 0x2FA1}, {0xFF00, 0xFFEF}, {0x2E80, 0x2EFF}, {0x3000, 0x303F}, {0x31C0, 0x31EF},
        {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3100, 0x312F}, {0x31A0, 0x31BF}, {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F},
        {0x2600, 0x26FF}, {0x2700, 0x27BF}, {0x3200, 0x32FF}, {0x3300, 0x33FF},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1]) return true;
    }
    return false;
}

static at_text skip_leading_space(at_text line)
{
    while (line.len > 0) {
        uint32_t code;
        const size_t count = at_utf8_next(line.data, line.len, &code);
        if (!at_utf8_is_space(code)) break;
        line.data += count;
        line.len -= count;
    }
    return line;
}

static at_status tokenize_zh(at_text line, at_buf *out, at_buf *spare, at_error *err)
{
    line = skip_leading_space(line);
    for (size_t at = 0; at < line.len;) {
        uint32_t code;
        const size_t count = at_utf8_next(line.data + at, line.len - at, &code);
        const bool chinese = is_chinese(code);
        if (chinese) ATT_TRY(at_buf_add(out, " ", 1, err));
        ATT_TRY(at_buf_add(out, line.data + at, count, err));
        if (chinese) ATT_TRY(at_buf_add(out, " ", 1, err));
        at += count;
    }
    return part(out, spare, err);
}

/* str.rstrip. The end of the last character that is no white space. */
static size_t stripped_length(at_text line)
{
    size_t end = 0;
    for (size_t at = 0; at < line.len;) {
        uint32_t code;
        at += at_utf8_next(line.data + at, line.len - at, &code);
        if (!at_utf8_is_space(code)) end = at;
    }
    return end;
}

at_status at_bleu_tokenize_line(at_text line, at_bleu_tokenize tokenize, at_buf *out, at_buf *spare, at_error *err)
{
    line.len = stripped_length(line);
    at_buf_clear(out);
    switch (tokenize) {
    case ATT_TOKENIZE_13A:
        return tokenize_13a(line, out, spare, err);
    case ATT_TOKENIZE_ZH:
        return tokenize_zh(line, out, spare, err);
    case ATT_TOKENIZE_NONE:
        break;
    }
    return at_buf_add(out, line.data, line.len, err);
}
