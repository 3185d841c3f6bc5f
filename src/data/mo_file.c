/* Reading gettext's .mo files. See mo_file.h for the layout. */
#include "data/mo_file.h"

#include <ctype.h>
#include <string.h>

enum { HEADER_BYTES = 20, ENTRY_BYTES = 8, CONTEXT_END = 4 };
static const uint32_t magic = 0x950412DE, swapped_magic = 0xDE120495;

/* The number at an offset within the file. */
static uint32_t number_at(const at_mo *mo, size_t offset)
{
    uint32_t n;
    memcpy(&n, mo->data + offset, sizeof n);
    if (!mo->swapped) return n;
    return n >> 24 | (n >> 8 & 0xFF00) | (n << 8 & 0xFF0000) | n << 24;
}

/* String i of a table; only for one that has been checked. */
static at_mo_text string_at(const at_mo *mo, uint32_t table, uint32_t i)
{
    const size_t entry = (size_t)table + (size_t)i * ENTRY_BYTES;
    return (at_mo_text){(const char *)mo->data + number_at(mo, entry + 4), number_at(mo, entry)};
}

/* All strings of a table lie in the file and end in NUL. */
static bool table_fits(const at_mo *mo, uint32_t table)
{
    if (table > mo->size || mo->count > (mo->size - table) / ENTRY_BYTES) return false;
    for (uint32_t i = 0; i < mo->count; i++) {
        const size_t entry = (size_t)table + (size_t)i * ENTRY_BYTES;
        const size_t len = number_at(mo, entry), offset = number_at(mo, entry + 4);
        if (offset >= mo->size || len >= mo->size - offset || mo->data[offset + len] != 0) return false;
    }
    return true;
}

/* Both sides hold text alone, or the header's lines. */
static void read_charset(at_mo *mo)
{
    static const char key[] = "charset=";
    for (uint32_t i = 0; i < mo->count && mo->charset[0] == '\0'; i++) {
        if (string_at(mo, mo->originals, i).len > 0) continue;
        const char *value = strstr(string_at(mo, mo->translations, i).text, key);
        if (value == NULL) return;
        value += sizeof key - 1;
        for (size_t n = 0;
             n + 1 < sizeof mo->charset && (isalnum((unsigned char)value[n]) || strchr("-_.:", value[n])) && value[n];
             n++) {
            mo->charset[n] = (char)toupper((unsigned char)value[n]);
            mo->charset[n + 1] = '\0';
        }
    }
}

at_status at_mo_open(at_mo *mo, const void *bytes, size_t size, const char *name, at_error *err)
{
    *mo = (at_mo){.data = bytes, .size = size};
    const uint32_t first = size >= HEADER_BYTES ? number_at(mo, 0) : 0;
    if (first != magic && first != swapped_magic)
        return at_fail(err, ATT_INPUT, "%s: no message catalog (.mo); give another file", name);
    mo->swapped = first == swapped_magic;
    if (number_at(mo, 4) >> 16 > 1)
        return at_fail(err, ATT_UNSUPPORTED, "%s: a message catalog of a newer version", name);
    mo->count = number_at(mo, 8);
    mo->originals = number_at(mo, 12);
    mo->translations = number_at(mo, 16);
    if (!table_fits(mo, mo->originals) || !table_fits(mo, mo->translations))
        return at_fail(err, ATT_INPUT, "%s: a damaged message catalog: it points outside of the file", name);
    read_charset(mo);
    return ATT_OK;
}

/* What stands behind the first NUL within a string of `len` bytes, or NULL. */
static at_mo_text behind_nul(at_mo_text all)
{
    const size_t first = strlen(all.text);
    if (first >= all.len) return (at_mo_text){NULL, 0};
    return (at_mo_text){all.text + first + 1, strlen(all.text + first + 1)};
}

static at_mo_text without_context(at_mo_text original)
{
    const char *end = memchr(original.text, CONTEXT_END, original.len);
    if (end == NULL) return original;
    return (at_mo_text){end + 1, original.len - (size_t)(end + 1 - original.text)};
}

at_mo_message at_mo_get(const at_mo *mo, uint32_t i)
{
    const at_mo_text original = without_context(string_at(mo, mo->originals, i));
    const at_mo_text forms = string_at(mo, mo->translations, i);
    at_mo_message message = {.singular = {original.text, strlen(original.text)},
                             .plural = behind_nul(original),
                             .first = {forms.text, strlen(forms.text)}};
    message.last = message.first;
    while ((size_t)(message.last.text - forms.text) + message.last.len < forms.len) {
        message.last.text += message.last.len + 1;
        message.last.len = strlen(message.last.text);
    }
    return message;
}
