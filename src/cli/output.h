/* What the command writes: results to standard output, messages and the live line to standard error, and the exit
 * status. Results that can't be written are a failure (at_output_close), not a matter of luck. */
#ifndef ATT_CLI_OUTPUT_H
#define ATT_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fail.h"

typedef struct at_output {
    FILE *out, *err;
    int write_error; /* errno of the first failed write to out */
    bool terminal;   /* err can redraw a line */
    bool live;       /* a live line stands there */
    double shown;    /* time of the last live line, seconds */
} at_output;

/* Exit statuses; `attend --help` documents them. An interrupted command exits with 128 + the signal. */
enum { ATT_EXIT_OK, ATT_EXIT_FAILED, ATT_EXIT_USAGE, ATT_EXIT_MEMORY, ATT_EXIT_DIVERGED, ATT_EXIT_SIGNAL = 128 };
int at_exit_status(at_status status, int signal);

void at_output_init(at_output *output, FILE *out, FILE *err);
/* Flushes; ATT_IO when anything written since init didn't arrive. */
at_status at_output_close(at_output *output, at_error *err);
/* The same without flushing: for long work that nobody reads any more. */
at_status at_output_check(const at_output *output, at_error *err);

void at_print(at_output *output, const char *format, ...) ATT_PRINTF(2, 3);
/* Hands on what was printed, to a reader who waits for it. */
void at_flush(at_output *output);
/* One line of JSON, handed on at once. Takes over `object`; NULL is reported as lack of memory, so json_pack's result can be passed. */
at_status at_print_json(at_output *output, json_t *object, at_error *err);
/* A JSON string of bytes that may be no UTF-8; such bytes become '?'. */
json_t *at_json_text(const char *text);
/* The same of `len` bytes, NUL among them. */
json_t *at_json_bytes(const char *text, size_t len);
/* null where the number is infinite or none, for which JSON has no word. */
json_t *at_json_number(double number);

/* A line on standard error that stays. */
void at_note(at_output *output, const char *format, ...) ATT_PRINTF(2, 3);
/* "attend: <text>" */
void at_complain(at_output *output, const at_error *err);
/* The live line: on a terminal it is redrawn in place, ten times a second at most; elsewhere it is a plain line, each
 * ten seconds at most. at_live_end leaves the last one standing. */
void at_live(at_output *output, const char *format, ...) ATT_PRINTF(2, 3);
void at_live_end(at_output *output);

/* "52 s", "3 min 20 s", "1 h 05 min": room for 32 bytes. */
void at_duration(double seconds, char text[32]);
/* Columns that UTF-8 text takes on a terminal: 2 a character from U+1100 on (East Asian and most pictures). */
int at_columns(const char *text, size_t len);

#endif
