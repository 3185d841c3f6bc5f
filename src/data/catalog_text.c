/* Messages of programs as plain text. See catalog_text.h. */
#include "data/catalog_text.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "data/text_marks.h"

/* ---- white space ---- */

/* Appends the text with each run of white space and control characters as one space, and none at the ends. */
static at_status add_words(const char *text, at_buf *out, at_error *err)
{
    const size_t len = strlen(text);
    bool space = false;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        const size_t bytes = at_utf8_next(text + at, len - at, &code);
        const bool blank = code < 0x20 || code == 0x7F || at_utf8_is_space(code);
        if (!blank && space && out->len > 0) ATT_TRY(at_buf_add(out, " ", 1, err));
        if (!blank) ATT_TRY(at_buf_add(out, text + at, bytes, err));
        space = blank;
        at += bytes;
    }
    return ATT_OK;
}

/* ---- mnemonics: the letter of a menu entry that is typed to choose it ---- */

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* "amp;" behind a '&' */
static bool is_entity_name(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '#') len++;
    return len > 1 && text[len] == ';';
}

/* The only mnemonic mark in a text; NULL when there is none, or several: then they are something else. */
static const char *find_mnemonic(const char *text, char mark)
{
    const char *found = NULL;
    for (const char *at = strchr(text, mark); at != NULL; at = strchr(at + 1, mark)) {
        if (found != NULL || at[1] == mark) return NULL;
        if (!is_word_byte(at[1]) || (mark == '&' && is_entity_name(at + 1))) return NULL;
        found = at;
    }
    return found;
}

static bool begins_word(const char *text, const char *at)
{
    return at == text || !is_word_byte(at[-1]);
}

static void cut(at_buf *text, size_t at, size_t count)
{
    memmove(text->data + at, text->data + at + count, text->len - at - count + 1);
    text->len -= count;
}

/* Takes the mark out; one in brackets behind the text goes with them. */
static void remove_mnemonic(at_buf *text, const char *mark)
{
    static const char open[] = "\xEF\xBC\x88", close[] = "\xEF\xBC\x89"; /* full-width brackets */
    const size_t at = (size_t)(mark - text->data);
    if (at > 0 && mark[-1] == '(' && mark[1] != '\0' && mark[2] == ')') {
        cut(text, at - 1, 4);
    } else if (at > 2 && strncmp(mark - 3, open, 3) == 0 && mark[1] != '\0' && strncmp(mark + 2, close, 3) == 0) {
        cut(text, at - 3, 8);
    } else {
        cut(text, at, 1);
    }
}

/* Whether the words around two marks are the same: a name such as "max_size". */
static bool in_same_word(const at_buf clean[2], const char *const mark[2])
{
    const char *start[2];
    size_t len[2];
    for (int i = 0; i < 2; i++) {
        start[i] = mark[i];
        while (start[i] > clean[i].data && start[i][-1] != ' ') start[i]--;
        len[i] = strcspn(start[i], " ");
    }
    return len[0] == len[1] && memcmp(start[0], start[1], len[0]) == 0;
}

/* A mark within a word ("E_xit") counts when both sides have one in different words. */
static void remove_mnemonics(at_buf clean[2], char mark)
{
    const char *found[2] = {find_mnemonic(clean[0].data, mark), find_mnemonic(clean[1].data, mark)};
    bool starts[2];
    for (int i = 0; i < 2; i++) starts[i] = found[i] != NULL && begins_word(clean[i].data, found[i]);
    const bool one_starts = starts[0] || starts[1];
    const bool both = found[0] != NULL && found[1] != NULL && (one_starts || !in_same_word(clean, found));
    for (int i = 0; i < 2; i++)
        if (starts[i] || (both && found[i] != NULL)) remove_mnemonic(&clean[i], found[i]);
}

/* ---- places for values ---- */

/* "%s", "%-10.3f", "%1$s", "%(name)s", "%1", "%%" at text; not "50 % of". */
static bool is_percent_format(const char *text)
{
    const char *at = text + 1;
    if (*at == '%' || *at == '(' || *at == '{') return true;
    at += strspn(at, "-+#0'123456789.*$");
    if (at > text + 1 && isdigit((unsigned char)at[-1]) && !isalpha((unsigned char)*at)) return true;
    at += strspn(at, "hlLqjzt");
    return *at != '\0' && strchr("diouxXeEfFgGaAcspnm@", *at) != NULL;
}

/* "{0}", "{name}", "${name}" at text. */
static bool is_brace_format(const char *text)
{
    size_t len = 1;
    while (isalnum((unsigned char)text[len]) || (text[len] != '\0' && strchr("_.:!-", text[len]))) len++;
    return text[len] == '}';
}

static bool has_format(const char *text)
{
    for (; *text; text++) {
        if (*text == '%' && is_percent_format(text)) return true;
        if (*text == '{' && is_brace_format(text)) return true;
    }
    return false;
}

/* ---- a pair ---- */

/* Messages under these names are answered with the translators' own names. */
static bool asks_for_credits(const char *source)
{
    return strstr(source, "translator-credits") != NULL || strstr(source, "translator_credits") != NULL ||
           strcmp(source, "Your names") == 0 || strcmp(source, "Your emails") == 0;
}

static bool is_wanted(const at_buf clean[2], bool formats)
{
    for (int i = 0; i < 2; i++) {
        if (clean[i].len == 0 || !(at_text_marks(clean[i].data, clean[i].len) & ATT_MARK_LETTERS)) return false;
        if (!formats && has_format(clean[i].data)) return false;
    }
    return strcmp(clean[0].data, clean[1].data) != 0 && !asks_for_credits(clean[0].data);
}

at_status at_catalog_clean(const char *source, const char *target, bool formats, at_buf clean[2], bool *wanted,
                           at_error *err)
{
    const char *const text[2] = {source, target};
    for (int i = 0; i < 2; i++) {
        at_buf_clear(&clean[i]);
        ATT_TRY(at_buf_reserve(&clean[i], strlen(text[i]), err));
        ATT_TRY(add_words(text[i], &clean[i], err));
    }
    remove_mnemonics(clean, '_');
    remove_mnemonics(clean, '&');
    *wanted = is_wanted(clean, formats);
    return ATT_OK;
}
