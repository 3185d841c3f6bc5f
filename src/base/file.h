/* Files: reading whole, mapping, atomic writing, lines of plain or gzipped text.
 * Errors name the path, the system's reason and what mends it. */
#ifndef ATT_BASE_FILE_H
#define ATT_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

/* A file's bytes, mapped read-only (or read into memory where mapping fails). */
typedef struct at_map {
    const uint8_t *data; /* NULL for an empty file */
    size_t size;
    bool mapped;
} at_map;

at_status at_map_open(at_map *map, const char *path, at_error *err);
void at_map_close(at_map *map);
/* Mapped pages that were read leave the process' memory; the next read brings them back. */
void at_map_forget(const at_map *map);

bool at_path_exists(const char *path);
/* Whether the path has that ending, and something before it. */
bool at_path_ends_with(const char *path, const char *ending);
bool at_path_is_dir(const char *path);
/* Whether it gives the same bytes when it is opened again: not standard input ("-"), a pipe or a device. */
bool at_path_can_reread(const char *path);
/* Makes the folder and its parents; an existing one is fine. */
at_status at_path_make_dirs(const char *path, at_error *err);
/* Replaces out's content by the file's bytes; out is empty on failure. Pipes and terminals are read to their end; other
 * devices, which may have none, are refused. */
at_status at_file_read(const char *path, at_buf *out, at_error *err);
/* at_fail() with ATT_IO from errno: "<path>: <what>: <reason>; <mend>". `what` is such as "can't open". */
at_status at_fail_io(at_error *err, const char *path, const char *what);

/* Atomic writer: bytes go to "<path>.tmp<process id>", commit syncs it, renames it over path and syncs the folder;
 * abort removes it. The old file stays whole until commit. A failed write makes every later call fail with its reason,
 * commit included. One process may have one writer a path. */
typedef struct at_writer at_writer;
at_status at_writer_open(at_writer **writer, const char *path, at_error *err);
at_status at_writer_write(at_writer *writer, const void *bytes, size_t count, at_error *err);
/* Overwrites bytes already written, for headers whose content comes last. */
at_status at_writer_patch(at_writer *writer, uint64_t offset, const void *bytes, size_t count, at_error *err);
/* Everything to the file, so that of several files none is committed when one has no room. */
at_status at_writer_flush(at_writer *writer, at_error *err);
at_status at_writer_commit(at_writer *writer, at_error *err); /* frees the writer, also on failure */
void at_writer_abort(at_writer *writer);                      /* NULL is fine */
at_status at_file_write(const char *path, const void *bytes, size_t count, at_error *err); /* all of the above */

/* Lines of a text, plain or gzipped, "-" for standard input. The line end (LF, CRLF) is not part of the line; a UTF-8
 * byte-order mark at the start of the file is skipped, one of UTF-16 is ATT_INPUT. A line may hold NUL bytes. */
typedef struct at_lines at_lines;
at_status at_lines_open(at_lines **lines, const char *path, at_error *err);
/* *text points into the reader until the next call; *got is false at the end of the file. */
at_status at_lines_next(at_lines *lines, const char **text, size_t *len, bool *got, at_error *err);
void at_lines_close(at_lines *lines); /* NULL is fine */

/* What a line had that its text doesn't show. */
typedef struct at_line_shape {
    bool byte_order_mark; /* the file began with one */
    bool carriage_return; /* the last line that was read ended in CR LF */
    bool ended;           /* it had a line end at all */
} at_line_shape;
at_line_shape at_lines_shape(const at_lines *lines);

#endif
