/* Lower-casing: the simple mapping of every code point by utf8proc, and the two rules that the Unicode Character
 * Database's SpecialCasing.txt adds for all languages: I with dot above keeps its dot as a combining mark, and a
 * capital sigma that ends a word becomes the final form (Unicode 15 section 3.13, Final_Sigma). */
#include "text/lowercase.h"

#include <stdbool.h>
#include <utf8proc.h>

#include "base/utf8.h"

enum { CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, CAPITAL_I_DOT = 0x130, DOT_ABOVE = 0x307 };

static bool is_cased(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT;
}

/* What may stand between a sigma and the letters of its word: marks, format characters, modifiers, and the
 * punctuation that Unicode lets stand inside words. */
static bool is_case_ignorable(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return code == '\'' || code == '.' || code == ':' || code == 0xB7 || code == 0x2018 || code == 0x2019 ||
               code == 0x2024 || code == 0x2027;
    }
}

/* Whether a cased letter follows, with nothing but ignorable characters between. */
static bool cased_follows(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += at_utf8_next(text + at, len - at, &code);
        if (!is_case_ignorable(code)) return is_cased(code);
    }
    return false;
}

static at_status put(at_buf *out, uint32_t code, at_error *err)
{
    char bytes[4];
    return at_buf_add(out, bytes, at_utf8_put(bytes, code), err);
}

at_status at_lowercase(const char *text, size_t len, at_buf *out, at_error *err)
{
    bool after_cased = false; /* a cased letter stands before, with nothing but ignorable characters between */
    ATT_TRY(at_buf_reserve(out, len, err));
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += at_utf8_next(text + at, len - at, &code);
        if (code == CAPITAL_SIGMA) {
            const bool final = after_cased && !cased_follows(text + at, len - at);
            ATT_TRY(put(out, final ? FINAL_SIGMA : SMALL_SIGMA, err));
        } else if (code == CAPITAL_I_DOT) {
            ATT_TRY(put(out, 'i', err));
            ATT_TRY(put(out, DOT_ABOVE, err));
        } else {
            ATT_TRY(put(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)code), err));
        }
        if (!is_case_ignorable(code)) after_cased = is_cased(code);
    }
    return ATT_OK;
}
