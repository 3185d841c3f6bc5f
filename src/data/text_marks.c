/* Signs that a line of text is not what it should be. See text_marks.h. */
#include "data/text_marks.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

const char *const at_script_name[ATT_SCRIPTS] = {"no letters", "Latin",  "Greek", "Cyrillic", "Armenian",
                                                 "Hebrew",     "Arabic", "Indic", "Thai",     "Georgian",
                                                 "Ethiopic",   "Hangul", "Han",   "Japanese", "other script"};

static bool is_letter(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

static bool is_separator(uint32_t code)
{
    return code == 0x2028 || code == 0x2029 || code == 0x85;
}

static bool is_control(uint32_t code)
{
    return code != '\t' && code != '\r' && code != 0x85 && (code < 0x20 || (code >= 0x7F && code < 0xA0));
}

/* ---- markup ---- */

/* "&amp;", "&#233;", "&#xe9;" at text. */
static bool is_entity(const char *text, size_t len)
{
    size_t at = 1;
    if (at < len && text[at] == '#') at++;
    const size_t name = at;
    while (at < len && at < name + 10 &&
           ((text[at] >= '0' && text[at] <= '9') || ((text[at] | 32) >= 'a' && (text[at] | 32) <= 'z')))
        at++;
    return at > name + 1 && at < len && text[at] == ';';
}

/* "<b>", "</p>", "<br/>", "<!--" at text; not "a < b > c". */
static bool is_tag(const char *text, size_t len)
{
    size_t at = 1;
    if (at < len && (text[at] == '/' || text[at] == '!')) at++;
    if (at >= len || !(((text[at] | 32) >= 'a' && (text[at] | 32) <= 'z') || text[at] == '-')) return false;
    const char *end = memchr(text + at, '>', len - at), *again = memchr(text + at, '<', len - at);
    return end != NULL && (again == NULL || end < again);
}

/* ---- double encoding ---- */

/* The byte that Windows-1252 or Latin-1 reads as the code point, -1 when none. */
static int byte_of(uint32_t code)
{
    static const uint16_t windows[32] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                         0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                         0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                         0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
    if (code < 0x100) return (int)code;
    for (int i = 0; i < 32; i++)
        if (windows[i] == code) return 0x80 + i;
    return -1;
}

/* First bytes of two that are common in doubly encoded text: Latin, Greek and Cyrillic letters. Others would suspect
 * honest neighbours, such as the end of a quoted "Fuß". */
static bool begins_two(int byte)
{
    return (byte >= 0xC2 && byte <= 0xC5) || byte == 0xCE || byte == 0xCF || byte == 0xD0 || byte == 0xD1;
}

/* Whether the characters at text, read as bytes, are a UTF-8 sequence of two or more. */
static bool is_double_encoded(const char *text, size_t len)
{
    char bytes[4];
    size_t count = 0;
    for (size_t at = 0; at < len && count < 4;) {
        uint32_t code;
        at += at_utf8_next(text + at, len - at, &code);
        const int byte = byte_of(code);
        if (byte < 0x80) break;
        bytes[count++] = (char)byte;
    }
    uint32_t code;
    const size_t taken = count > 0 ? at_utf8_next(bytes, count, &code) : 0;
    return taken > 2 || (taken == 2 && begins_two((unsigned char)bytes[0]));
}

/* ---- a line ---- */

static unsigned marks_of(uint32_t code, const char *text, size_t len)
{
    if (code < 0x80) {
        if (code == '&') return is_entity(text, len) ? ATT_MARK_MARKUP : 0;
        if (code == '<') return is_tag(text, len) ? ATT_MARK_MARKUP : 0;
        if (code == '\r') return ATT_MARK_RETURN;
        if (is_control(code)) return ATT_MARK_CONTROL;
        return (code | 32) >= 'a' && (code | 32) <= 'z' ? ATT_MARK_LETTERS : 0;
    }
    unsigned marks = is_letter(code) ? ATT_MARK_LETTERS : 0;
    if (is_separator(code)) marks |= ATT_MARK_SEPARATOR;
    if (is_control(code)) marks |= ATT_MARK_CONTROL;
    if (code == 0xFFFD) marks |= ATT_MARK_REPLACEMENT;
    if (code >= 0xC2 && code <= 0xF4 && is_double_encoded(text, len)) marks |= ATT_MARK_MOJIBAKE;
    return marks;
}

unsigned at_text_marks(const char *text, size_t len)
{
    unsigned marks = 0;
    bool space = false; /* the character before was white space */
    for (size_t at = 0; at < len;) {
        uint32_t code;
        const size_t bytes = at_utf8_next(text + at, len - at, &code);
        space = at_utf8_is_space(code);
        if (space && at == 0) marks |= ATT_MARK_SPACE;
        marks |= marks_of(code, text + at, len - at);
        at += bytes;
    }
    return space ? marks | ATT_MARK_SPACE : marks;
}

at_status at_text_clean(const char *text, size_t len, at_buf *out, at_error *err)
{
    const size_t start = out->len;
    size_t end = start; /* of what is no white space */
    for (size_t at = 0; at < len;) {
        uint32_t code;
        const size_t bytes = at_utf8_next(text + at, len - at, &code);
        const bool blank = at_utf8_is_space(code) || is_control(code);
        const bool kept = !is_separator(code) && !is_control(code) && code != '\r';
        if (!blank || out->len > start) ATT_TRY(at_buf_add(out, kept ? text + at : " ", kept ? bytes : 1, err));
        if (!blank) end = out->len;
        at += bytes;
    }
    out->len = end;
    if (out->data != NULL) out->data[end] = '\0';
    return ATT_OK;
}

/* ---- scripts ---- */

static at_script script_of(uint32_t code)
{
    static const struct range {
        uint32_t first, last;
        at_script script;
    } ranges[] = {
        {0x41, 0x24F, ATT_SCRIPT_LATIN},       {0x250, 0x2AF, ATT_SCRIPT_LATIN},
        {0x370, 0x3FF, ATT_SCRIPT_GREEK},      {0x400, 0x52F, ATT_SCRIPT_CYRILLIC},
        {0x530, 0x58F, ATT_SCRIPT_ARMENIAN},   {0x590, 0x5FF, ATT_SCRIPT_HEBREW},
        {0x600, 0x77F, ATT_SCRIPT_ARABIC},     {0x900, 0xDFF, ATT_SCRIPT_INDIC},
        {0xE00, 0xEFF, ATT_SCRIPT_THAI},       {0x1000, 0x109F, ATT_SCRIPT_THAI},
        {0x10A0, 0x10FF, ATT_SCRIPT_GEORGIAN}, {0x1100, 0x11FF, ATT_SCRIPT_HANGUL},
        {0x1200, 0x139F, ATT_SCRIPT_ETHIOPIC}, {0x1780, 0x17FF, ATT_SCRIPT_THAI},
        {0x1E00, 0x1EFF, ATT_SCRIPT_LATIN},    {0x1F00, 0x1FFF, ATT_SCRIPT_GREEK},
        {0x3005, 0x3007, ATT_SCRIPT_HAN},      {0x3040, 0x30FF, ATT_SCRIPT_JAPANESE},
        {0x3130, 0x318F, ATT_SCRIPT_HANGUL},   {0x31F0, 0x31FF, ATT_SCRIPT_JAPANESE},
        {0x3400, 0x9FFF, ATT_SCRIPT_HAN},      {0xAC00, 0xD7FF, ATT_SCRIPT_HANGUL},
        {0xF900, 0xFAFF, ATT_SCRIPT_HAN},      {0xFB50, 0xFEFF, ATT_SCRIPT_ARABIC},
        {0xFF21, 0xFF5A, ATT_SCRIPT_LATIN},    {0xFF66, 0xFF9F, ATT_SCRIPT_JAPANESE},
        {0x20000, 0x3FFFF, ATT_SCRIPT_HAN},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return ranges[i].script;
    return ATT_SCRIPT_OTHER;
}

at_script at_text_script(const char *text, size_t len)
{
    size_t letters[ATT_SCRIPTS] = {0};
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += at_utf8_next(text + at, len - at, &code);
        if (is_letter(code)) letters[script_of(code)]++;
    }
    if (letters[ATT_SCRIPT_JAPANESE] > 0 &&
        letters[ATT_SCRIPT_JAPANESE] + letters[ATT_SCRIPT_HAN] > letters[ATT_SCRIPT_LATIN])
        return ATT_SCRIPT_JAPANESE;
    at_script most = ATT_SCRIPT_NONE;
    for (at_script i = ATT_SCRIPT_LATIN; i < ATT_SCRIPTS; i++)
        if (letters[i] > letters[most]) most = i;
    return most;
}
