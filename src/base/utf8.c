/* UTF-8 by the table of well-formed byte sequences:
 *
 *   code points          first byte   second byte   further bytes
 *   U+0000  .. U+007F    00..7F
 *   U+0080  .. U+07FF    C2..DF       80..BF
 *   U+0800  .. U+FFFF    E0..EF       80..BF        80..BF           E0: A0..BF, ED: 80..9F
 *   U+10000 .. U+10FFFF  F0..F4       80..BF        80..BF 80..BF    F0: 90..BF, F4: 80..8F
 *
 * The exceptions of the second byte keep out over-long forms, surrogates and what lies beyond U+10FFFF. */
#include "base/utf8.h"

#include <string.h>

/* Bytes of the sequence that a first byte begins, 0 for none. */
static size_t sequence_bytes(unsigned char first)
{
    if (first < 0x80) return 1;
    if (first < 0xC2) return 0;
    if (first < 0xE0) return 2;
    if (first < 0xF0) return 3;
    return first < 0xF5 ? 4 : 0;
}

static bool second_fits(unsigned char first, unsigned char second)
{
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
}

/* Bytes of the valid sequence at text, 0 when there is none. len > 0 */
static size_t valid_bytes(const unsigned char *text, size_t len)
{
    const size_t count = sequence_bytes(text[0]);
    if (count <= 1) return count;
    if (count > len || !second_fits(text[0], text[1])) return 0;
    for (size_t i = 2; i < count; i++) {
        if ((text[i] & 0xC0) != 0x80) return 0;
    }
    return count;
}

/* Most text is ASCII: eight bytes without a high bit are valid at once. */
static bool eight_ascii(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return (word & 0x8080808080808080u) == 0;
}

size_t at_utf8_valid(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if (len - at >= 8 && eight_ascii(text + at)) {
            at += 8;
            continue;
        }
        const size_t count = valid_bytes((const unsigned char *)text + at, len - at);
        if (count == 0) return at;
        at += count;
    }
    return len;
}

size_t at_utf8_next(const char *text, size_t len, uint32_t *code)
{
    static const unsigned char payload[5] = {0, 0x7F, 0x1F, 0x0F, 0x07}; /* bits of the first byte, by length */
    const unsigned char *bytes = (const unsigned char *)text;
    const size_t count = valid_bytes(bytes, len);
    if (count == 0) {
        *code = 0xFFFD;
        return 1;
    }
    uint32_t value = bytes[0] & payload[count];
    for (size_t i = 1; i < count; i++) value = value << 6 | (bytes[i] & 0x3F);
    *code = value;
    return count;
}

size_t at_utf8_put(char text[4], uint32_t code)
{
    static const unsigned char mark[5] = {0, 0, 0xC0, 0xE0, 0xF0}; /* of the first byte, by length */
    const size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = count - 1; i > 0; i--) {
        text[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    text[0] = (char)(mark[count] | code);
    return count;
}

bool at_utf8_is_space(uint32_t code)
{
    if (code < 0x80) return code == ' ' || (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x1F);
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

at_status at_utf8_mend(const char *text, size_t len, at_buf *out, at_error *err)
{
    for (size_t at = 0; at < len;) {
        const size_t valid = at_utf8_valid(text + at, len - at);
        ATT_TRY(at_buf_add(out, text + at, valid, err));
        at += valid;
        if (at == len) break;
        ATT_TRY(at_buf_add(out, "\xEF\xBF\xBD", 3, err));
        at++;
    }
    return ATT_OK;
}
