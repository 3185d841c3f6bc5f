/* Results, messages, the live line. See output.h. */
#include "cli/output.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_dump.h"

enum { DEFAULT_WIDTH = 80, LIVE_TEXT = 512 };

static const double redraw_seconds = 0.1, plain_seconds = 10;

int at_exit_status(at_status status, int signal)
{
    /* Whatever failed then: a read that the signal ended, say. */
    if (status != ATT_OK && signal != 0) return ATT_EXIT_SIGNAL + signal;
    switch (status) {
    case ATT_OK:
        return ATT_EXIT_OK;
    case ATT_OPTION:
        return ATT_EXIT_USAGE;
    case ATT_MEMORY:
        return ATT_EXIT_MEMORY;
    case ATT_DIVERGED:
        return ATT_EXIT_DIVERGED;
    case ATT_INPUT:
    case ATT_IO:
    case ATT_CANCELLED:
    case ATT_UNSUPPORTED:
        break;
    }
    return ATT_EXIT_FAILED;
}

/* ---- results ---- */

static bool can_redraw(FILE *file)
{
    const char *term = getenv("TERM");
    return isatty(fileno(file)) && term != NULL && strcmp(term, "dumb") != 0;
}

void at_output_init(at_output *output, FILE *out, FILE *err)
{
    *output = (at_output){.out = out, .err = err, .terminal = can_redraw(err)};
}

static void remember_failure(at_output *output)
{
    if (output->write_error == 0) output->write_error = errno != 0 ? errno : EIO;
}

at_status at_output_check(const at_output *output, at_error *err)
{
    if (output->write_error == 0) return ATT_OK;
    if (output->write_error == EPIPE) {
        return at_fail(err, ATT_IO, "standard output: the program that reads it ended before all was written");
    }
    char reason[128] = "unknown reason";
    (void)strerror_r(output->write_error, reason, sizeof reason);
    return at_fail(err, ATT_IO, "standard output: can't write: %s; write to another disk or file", reason);
}

at_status at_output_close(at_output *output, at_error *err)
{
    if (fflush(output->out) != 0 || ferror(output->out)) remember_failure(output);
    return at_output_check(output, err);
}

void at_print(at_output *output, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int written = vfprintf(output->out, format, args);
    va_end(args);
    if (written < 0) remember_failure(output);
}

void at_flush(at_output *output)
{
    if (fflush(output->out) != 0) remember_failure(output);
}

at_status at_print_json(at_output *output, json_t *object, at_error *err)
{
    char *text = object != NULL ? at_json_dump(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (text == NULL) return at_fail(err, ATT_MEMORY, "out of memory for JSON output; close other programs");
    at_print(output, "%s\n", text);
    free(text);
    at_flush(output); /* whoever reads events waits for each */
    return ATT_OK;
}

json_t *at_json_bytes(const char *text, size_t len)
{
    json_t *string = json_stringn(text, len);
    char *ascii = string == NULL ? malloc(len + 1) : NULL;
    if (ascii == NULL) return string;
    for (size_t i = 0; i < len; i++) ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    string = json_stringn(ascii, len);
    free(ascii);
    return string;
}

json_t *at_json_text(const char *text)
{
    return at_json_bytes(text, strlen(text));
}

json_t *at_json_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

/* ---- messages and the live line ---- */

/* Gives up the live line's place, so that a message doesn't mix with it. */
static void clear_live(at_output *output)
{
    if (output->live) fputs("\r\033[K", output->err);
    output->live = false;
}

void at_note(at_output *output, const char *format, ...)
{
    va_list args;
    clear_live(output);
    va_start(args, format);
    vfprintf(output->err, format, args);
    va_end(args);
    fputc('\n', output->err);
    fflush(output->err);
}

void at_complain(at_output *output, const at_error *err)
{
    at_live_end(output);
    at_note(output, "attend: %s", err->text);
}

/* Columns of the terminal less one, since a full line would wrap. */
static int room_of(const at_output *output)
{
    struct winsize size;
    const bool known = ioctl(fileno(output->err), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return (known ? size.ws_col : DEFAULT_WIDTH) - 1;
}

static bool starts_character(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

int at_columns(const char *text, size_t len)
{
    int columns = 0;
    for (size_t i = 0; i < len; i++) {
        /* U+1100 is E1 84 80: no shorter sequence and none that sorts before it is wide. */
        const bool wide = (unsigned char)text[i] > 0xE1 ||
                          ((unsigned char)text[i] == 0xE1 && i + 1 < len && (unsigned char)text[i + 1] >= 0x84);
        if (starts_character(text[i])) columns += wide ? 2 : 1;
    }
    return columns;
}

/* Cuts whole characters off the end until the text fits. */
static void cut_to(char *text, int room)
{
    size_t len = strlen(text);
    while (len > 0 && at_columns(text, len) > room) {
        do len--;
        while (len > 0 && !starts_character(text[len]));
    }
    text[len] = '\0';
}

void at_live(at_output *output, const char *format, ...)
{
    const double time = at_clock();
    if (output->shown > 0 && time - output->shown < (output->terminal ? redraw_seconds : plain_seconds)) return;
    char text[LIVE_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    output->shown = time;
    if (output->terminal) {
        cut_to(text, room_of(output));
        fprintf(output->err, "\r%s\033[K", text);
    } else {
        fprintf(output->err, "%s\n", text);
    }
    output->live = output->terminal;
    fflush(output->err);
}

void at_live_end(at_output *output)
{
    if (output->live) fputc('\n', output->err);
    output->live = false;
}

void at_duration(double seconds, char text[32])
{
    if (!(seconds >= 0) || seconds > 1e9) seconds = 0;
    const int whole = (int)(seconds + 0.5);
    if (whole < 60) {
        snprintf(text, 32, "%d s", whole);
    } else if (whole < 3600) {
        snprintf(text, 32, "%d min %02d s", whole / 60, whole % 60);
    } else {
        snprintf(text, 32, "%d h %02d min", whole / 3600, whole / 60 % 60);
    }
}
