/* Filling an at_error, and the names of the status codes. See attend/status.h for what an error holds. */
#include "base/fail.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[] = {
    [ATT_OK] = "ok",
    [ATT_INPUT] = "input",
    [ATT_OPTION] = "option",
    [ATT_IO] = "io",
    [ATT_MEMORY] = "memory",
    [ATT_CANCELLED] = "cancelled",
    [ATT_UNSUPPORTED] = "unsupported",
    [ATT_DIVERGED] = "diverged",
};

/* The status as one lower-case word; "unknown" for a number that is none. */
const char *at_status_name(at_status status)
{
    const size_t index = (size_t)status;
    return index < sizeof status_names / sizeof status_names[0] ? status_names[index] : "unknown";
}

/* Keeps the text one line of whole UTF-8 characters: line ends become spaces, and a character that the cut split
 * goes as a whole. */
static void tidy(char *text, size_t len, bool cut)
{
    if (cut) {
        while (len > 0 && ((unsigned char)text[len - 1] & 0xC0) == 0x80) len--;
        if (len > 0 && (unsigned char)text[len - 1] >= 0xC0) len--;
        text[len] = '\0';
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' || text[i] == '\r') text[i] = ' ';
    }
}

/* Formats beside err first, so that err->text may itself be an argument: a caller wraps an error in more context. */
at_status at_fail(at_error *err, at_status status, const char *format, ...)
{
    if (err == NULL) return status;
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    const int wanted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (wanted < 0) text[0] = '\0';
    tidy(text, strlen(text), wanted >= (int)sizeof text);
    memcpy(err->text, text, strlen(text) + 1);
    err->status = status;
    return status;
}

at_status at_fail_memory(at_error *err, size_t bytes)
{
    return at_fail(err, ATT_MEMORY, "out of memory: %zu bytes were wanted; close other programs or use smaller sizes",
                   bytes);
}
