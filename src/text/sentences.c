/* See sentences.h. */
#include "text/sentences.h"

#include <string.h>

#include "base/utf8.h"

static const char *const abbreviations[] = {
    /* English */ "Mr",
    "Mrs",
    "Ms",
    "Dr",
    "Prof",
    "Sr",
    "Jr",
    "St",
    "Mt",
    "vs",
    "Fig",
    "Figs",
    "Vol",
    "Gen",
    "Col",
    "Capt",
    "Lt",
    "Sgt",
    "Rev",
    "Hon",
    "Gov",
    "Sen",
    "Rep",
    "Jan",
    "Feb",
    "Aug",
    "Sept",
    "Oct",
    "Nov",
    "Dec",
    "cf",
    "ca",
    "approx",
    "al",
    "pp",
    "Nos",
    /* German */ "Nr",
    "Abb",
    "Bd",
    "bzw",
    "evtl",
    "ggf",
    "inkl",
    "Hr",
    "Hrn",
    "Fr",
    "Str",
    "Tel",
    "vgl",
    "Vgl",
    "zzgl",
    "sog",
    "Dipl",
    "Ing",
    "Mio",
    "Mrd",
    "Abs",
    "Kap",
    "Jh",
    /* French, Spanish */ "Mme",
    "Mlle",
    "MM",
    "Sra",
    "Srta",
    "Ud",
    "Uds",
    NULL};

static bool is_one_of(uint32_t code, const uint32_t *set)
{
    while (*set != 0 && *set != code) set++;
    return *set != 0;
}

static bool is_wide_stop(uint32_t code)
{
    static const uint32_t set[] = {0x3002, 0xFF01, 0xFF1F, 0xFF61, 0}; /* 。！？｡ */
    return is_one_of(code, set);
}

static bool is_stop(uint32_t code)
{
    static const uint32_t set[] = {'.', '!', '?', 0x2026, 0x203C, 0x2047, 0x2048, 0x2049, 0x061F, 0x0964, 0};
    return is_one_of(code, set);
}

static bool is_closer(uint32_t code)
{
    static const uint32_t set[] = {'"',    '\'',   ')',    ']',    0x2019, 0x201D, 0x201C, 0xBB,
                                   0x203A, 0x300D, 0x300F, 0xFF09, 0x3011, 0x300B, 0x2033, 0};
    return is_one_of(code, set);
}

static bool is_opener(uint32_t code)
{
    static const uint32_t set[] = {'"',    '\'',   '(',    '[',    '-',    '*',    0xBF,   0xA1, 0xAB,
                                   0x2018, 0x201C, 0x201E, 0x201A, 0x2039, 0x2013, 0x2014, 0};
    return is_one_of(code, set);
}

static bool is_clause_mark(uint32_t code)
{
    static const uint32_t set[] = {',', ';', ':', 0x2014, 0x3001, 0xFF0C, 0xFF1B, 0xFF1A, 0};
    return is_one_of(code, set);
}

bool at_is_cjk(uint32_t code)
{
    return (code >= 0x2E80 && code < 0xAC00) || (code >= 0xF900 && code < 0xFB00) ||
           (code >= 0xFF00 && code < 0xFFF0) || (code >= 0x20000 && code < 0x32000);
}

/* Latin with its first supplements, Greek, Cyrillic. */
static bool is_lower(uint32_t c)
{
    if (c >= 0x100 && c < 0x138) return c % 2 == 1;
    return (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0xFF && c != 0xF7) || (c >= 0x3AC && c <= 0x3CE) ||
           (c >= 0x430 && c <= 0x45F);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint32_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= 0xC0 && c < 0x530 && c != 0xD7 && c != 0xF7);
}

size_t at_space_before(const char *text, size_t len)
{
    size_t at = 0;
    uint32_t code;
    while (at < len) {
        const size_t bytes = at_utf8_next(text + at, len - at, &code);
        if (!at_utf8_is_space(code)) break;
        at += bytes;
    }
    return at;
}

size_t at_without_space_after(const char *text, size_t len)
{
    size_t end = 0;
    uint32_t code;
    for (size_t at = 0; at < len;) {
        at += at_utf8_next(text + at, len - at, &code);
        if (!at_utf8_is_space(code)) end = at;
    }
    return end;
}

/* Behind the stops and closing marks at text[at]. */
static size_t skip_end_marks(const char *text, size_t len, size_t at)
{
    uint32_t code;
    while (at < len) {
        const size_t bytes = at_utf8_next(text + at, len - at, &code);
        if (!is_stop(code) && !is_wide_stop(code) && !is_closer(code)) break;
        at += bytes;
    }
    return at;
}

/* Where the word begins that ends at `end`: behind the last white space or opening mark. */
static size_t word_before(const char *text, size_t end)
{
    size_t begin = 0;
    uint32_t code;
    for (size_t at = 0; at < end;) {
        at += at_utf8_next(text + at, end - at, &code);
        if (at_utf8_is_space(code) || is_opener(code)) begin = at;
    }
    return begin;
}

static bool is_listed(const char *word, size_t len)
{
    for (int i = 0; abbreviations[i]; i++)
        if (strlen(abbreviations[i]) == len && memcmp(abbreviations[i], word, len) == 0) return true;
    return false;
}

/* One letter, or letters with stops between them: "J", "z.B", "U.S". */
static bool is_initials(const char *word, size_t len)
{
    size_t letters = 0;
    uint32_t code;
    for (size_t at = 0; at < len;) {
        at += at_utf8_next(word + at, len - at, &code);
        if (code == '.') {
            if (letters == 0) return false;
            letters = 0;
        } else if (is_letter(code) && letters < 2) {
            letters++;
        } else {
            return false;
        }
    }
    return letters == 1 || (letters == 2 && memchr(word, '.', len) != NULL);
}

/* Whether a full stop behind the word belongs to it. next: what stands behind the stop and white space. */
static bool owns_its_stop(const char *word, size_t len, char next)
{
    if (len == 0) return false;
    if (len <= 2 && is_digit(word[0]) && is_digit(word[len - 1])) return true;
    if (len == 2 && memcmp(word, "No", 2) == 0) return is_digit(next);
    return is_listed(word, len) || is_initials(word, len);
}

/* Whether a sentence ends with the marks text[stop .. end], of which the first isn't wide. */
static bool ends_here(const char *text, size_t len, size_t stop, size_t end)
{
    uint32_t code = 0;
    const size_t next = end + at_space_before(text + end, len - end);
    if (next == len) return true;
    if (next == end) return false;
    for (size_t at = next; at < len;) {
        at += at_utf8_next(text + at, len - at, &code);
        if (!is_opener(code)) break;
    }
    if (is_lower(code)) return false;
    if (text[stop] != '.' || (end > stop + 1 && text[stop + 1] == '.')) return true;
    const size_t word = word_before(text, stop);
    return !owns_its_stop(text + word, stop - word, text[next]);
}

size_t at_sentence_end(const char *text, size_t len)
{
    uint32_t code;
    for (size_t at = 0; at < len;) {
        const size_t stop = at;
        at += at_utf8_next(text + at, len - at, &code);
        if (!is_stop(code) && !is_wide_stop(code)) continue;
        at = skip_end_marks(text, len, at);
        if (is_wide_stop(code) || ends_here(text, len, stop, at)) return at;
    }
    return at_without_space_after(text, len);
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

static void take_nearer(size_t *best, size_t at, size_t len)
{
    if (at > 0 && at < len && (*best == 0 || distance(2 * at, len) < distance(2 * *best, len))) *best = at;
}

size_t at_clause_end(const char *text, size_t len)
{
    size_t mark = 0, space = 0, any = 0;
    uint32_t code;
    for (size_t at = 0; at < len;) {
        const size_t begin = at;
        at += at_utf8_next(text + at, len - at, &code);
        const bool number = at < len && is_digit(text[at]); /* 1,000 and 12:30 aren't clauses */
        if (is_clause_mark(code) && !number) take_nearer(&mark, at, len);
        if (at_utf8_is_space(code)) take_nearer(&space, begin, len);
        take_nearer(&any, begin, len);
    }
    return mark ? mark : space ? space : any;
}
