/* sacreBLEU's tokenizers 13a, intl, zh, char and none (Post 2018), pass by pass.
 *
 * 13a is that of the script mteval-v13a.pl: unescape four entities, then part ASCII punctuation from words. intl is
 * that of mteval-v14.pl: part what Unicode calls punctuation and symbols, save punctuation between digits. zh puts
 * spaces around every Chinese character and then parts as 13a does; char does so around every character. A pass is a
 * regular expression over characters. It scans from the left, and what it has matched it doesn't look at again, which
 * matters in runs such as "...". */
#include "text/bleu_tokenize.h"

#include <stdbool.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

/* A class of characters. */
typedef bool is_kind(uint32_t code);

/* Puts spaces where one character, or two in a row, are of certain kinds. */
typedef struct pass {
    is_kind *first, *second;                          /* second NULL: one character */
    enum { AROUND, BEFORE_BOTH, BEHIND_BOTH } spaces; /* " x ", " x y", "x y " */
} pass;

/* [0-9] */
static bool is_digit(uint32_t code)
{
    return code >= '0' && code <= '9';
}

static bool is_no_digit(uint32_t code)
{
    return !is_digit(code);
}

/* [.,] */
static bool is_stop(uint32_t code)
{
    return code == '.' || code == ',';
}

static bool is_dash(uint32_t code)
{
    return code == '-';
}

/* The ranges {-~  [-`  space-&  (-+  :-@  / of the first pass: all ASCII punctuation but ' , - and . */
static bool is_parted(uint32_t code)
{
    return (code >= '{' && code <= '~') || (code >= '[' && code <= '`') || (code >= ' ' && code <= '&') ||
           (code >= '(' && code <= '+') || (code >= ':' && code <= '@') || code == '/';
}

/* Unicode's general categories P*, S*, N*. */
static bool is_punctuation(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

static bool is_symbol(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO;
}

static bool is_no_number(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category < UTF8PROC_CATEGORY_ND || category > UTF8PROC_CATEGORY_NO;
}

/* Shared by 13a and zh. */
static const pass western[] = {
    {is_parted, NULL, AROUND},
    {is_no_digit, is_stop, BEHIND_BOTH},
    {is_stop, is_no_digit, BEFORE_BOTH},
    {is_digit, is_dash, BEHIND_BOTH},
    {0},
};

static const pass international[] = {
    {is_no_number, is_punctuation, BEHIND_BOTH},
    {is_punctuation, is_no_number, BEFORE_BOTH},
    {is_symbol, NULL, AROUND},
    {0},
};

static at_status put_parted(const pass *p, const char *text, size_t first, size_t second, at_buf *out, at_error *err)
{
    if (p->spaces != BEHIND_BOTH) ATT_TRY(at_buf_add(out, " ", 1, err));
    ATT_TRY(at_buf_add(out, text, first, err));
    if (second > 0) ATT_TRY(at_buf_add(out, " ", 1, err));
    ATT_TRY(at_buf_add(out, text + first, second, err));
    return p->spaces != BEFORE_BOTH ? at_buf_add(out, " ", 1, err) : ATT_OK;
}

static at_status run_pass(const pass *p, const at_buf *in, at_buf *out, at_error *err)
{
    at_buf_clear(out);
    for (size_t i = 0; i < in->len;) {
        uint32_t code;
        const char *text = in->data + i;
        const size_t first = at_utf8_next(text, in->len - i, &code);
        size_t second = 0;
        bool match = p->first(code);
        if (match && p->second != NULL) {
            match = i + first < in->len;
            if (match) second = at_utf8_next(text + first, in->len - i - first, &code);
            match = match && p->second(code);
        }
        ATT_TRY(match ? put_parted(p, text, first, second, out, err) : at_buf_add(out, text, first, err));
        i += match ? first + second : first;
    }
    return ATT_OK;
}

/* From *text to *text. */
static at_status part(const pass *passes, at_buf *text, at_buf *spare, at_error *err)
{
    for (const pass *p = passes; p->first != NULL; p++) {
        ATT_TRY(run_pass(p, text, spare, err));
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
    return part(western, out, spare, err);
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
    return part(western, out, spare, err);
}

static at_status tokenize_intl(at_text line, at_buf *out, at_buf *spare, at_error *err)
{
    ATT_TRY(at_buf_add(out, line.data, line.len, err));
    return part(international, out, spare, err);
}

static at_status tokenize_char(at_text line, at_buf *out, at_error *err)
{
    for (size_t at = 0; at < line.len;) {
        uint32_t code;
        const size_t count = at_utf8_next(line.data + at, line.len - at, &code);
        ATT_TRY(at_buf_add(out, line.data + at, count, err));
        ATT_TRY(at_buf_add(out, " ", 1, err));
        at += count;
    }
    return ATT_OK;
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
    case ATT_TOKENIZE_INTL:
        return tokenize_intl(line, out, spare, err);
    case ATT_TOKENIZE_ZH:
        return tokenize_zh(line, out, spare, err);
    case ATT_TOKENIZE_CHAR:
        return tokenize_char(line, out, err);
    case ATT_TOKENIZE_NONE:
        break;
    }
    return at_buf_add(out, line.data, line.len, err);
}
