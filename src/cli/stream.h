/* Lines of text as they come, some at a time: a whole window of a file, but of a pipe or a terminal what is there, so
 * that a line typed has its answer before the next one.
 *
 *   at_stream_read(stream, 1024, ...)     waits for one line; takes up to 1023 more that can be had without waiting
 *
 * Files may be gzipped, standard input too where it is a file; through a pipe it must be plain. A byte-order mark at
 * the start and CR before a line end are no part of a line, as in base/file.h. */
#ifndef ATT_CLI_STREAM_H
#define ATT_CLI_STREAM_H

#include <attend/attend.h>

#include "base/fail.h"

typedef struct at_stream at_stream;

/* path "-": standard input. cancel: ends the wait for input with ATT_CANCELLED; may be NULL. */
at_status at_stream_open(at_stream **stream, const char *path, const volatile int *cancel, at_error *err);
/* Up to `most` lines, at least one before the end, none at the end. They are the stream's until the next call. */
at_status at_stream_read(at_stream *stream, int64_t most, const at_line **lines, int64_t *count, at_error *err);
void at_stream_close(at_stream *stream); /* NULL is fine */

#endif
