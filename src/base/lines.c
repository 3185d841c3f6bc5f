/* Lines of plain or gzipped text (gunzip.h reads both).
 *
 *   +-----------+------------+-------------------+------+
 *   | returned  | the line   | read, not yet cut | free |
 *   +-----------+------------+-------------------+------+
 *   data        start        scanned             end    cap
 *
 * When no line end is left the rest moves to the front and the free part is filled again; the buffer doubles for a
 * line longer than it. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/gunzip.h"

enum { FIRST_CAP = 1 << 18 };

struct at_lines {
    at_gunzip *file;
    char *path;
    char *data;
    size_t cap;
    size_t start; /* of the next line */
    size_t end;   /* of the bytes read */
    long number;  /* lines returned so far, for messages */
    bool ended;   /* the file has no more bytes */
    at_line_shape shape;
};

void at_lines_close(at_lines *lines)
{
    if (lines == NULL) return;
    at_gunzip_free(lines->file);
    free(lines->path);
    free(lines->data);
    free(lines);
}

/* A reader without a file yet, or NULL. */
static at_lines *lines_new(const char *path)
{
    at_lines *lines = calloc(1, sizeof *lines);
    if (lines == NULL) return NULL;
    lines->cap = FIRST_CAP;
    lines->path = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    lines->data = malloc(FIRST_CAP);
    if (lines->path != NULL && lines->data != NULL) return lines;
    at_lines_close(lines);
    return NULL;
}

/* Standard input is duplicated, so that closing the reader leaves it open. */
static at_status open_file(at_lines *lines, const char *path, at_error *err)
{
    const bool standard = strcmp(path, "-") == 0;
    const int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return at_fail_io(err, lines->path, "can't open");
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        close(fd);
        errno = EISDIR;
        return at_fail_io(err, lines->path, "can't read");
    }
    lines->file = at_gunzip_new(fd);
    if (lines->file != NULL) return ATT_OK;
    close(fd);
    return at_fail_memory(err, FIRST_CAP);
}

/* Reads more bytes behind end; raises `ended` when there are none. */
static at_status fill(at_lines *lines, at_error *err)
{
    size_t got = 0;
    const char *damage = "";
    const at_status status =
        at_gunzip_read(lines->file, lines->data + lines->end, lines->cap - lines->end, &got, &damage);
    if (status == ATT_IO) return at_fail_io(err, lines->path, "can't read");
    if (status == ATT_MEMORY) return at_fail_memory(err, lines->cap);
    if (status != ATT_OK) {
        return at_fail(err, ATT_INPUT, "%s:%ld: damaged gzip data (%s); get or compress the file again", lines->path,
                       lines->number + 1, damage);
    }
    lines->end += got;
    lines->ended = got == 0;
    return ATT_OK;
}

/* Brings the unread bytes to the front, doubles a full buffer and fills it. */
static at_status refill(at_lines *lines, at_error *err)
{
    if (lines->start > 0) {
        memmove(lines->data, lines->data + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->end == lines->cap) {
        char *data = lines->cap <= SIZE_MAX / 2 ? realloc(lines->data, lines->cap * 2) : NULL;
        if (data == NULL) return at_fail_memory(err, lines->cap);
        lines->data = data;
        lines->cap *= 2;
    }
    return fill(lines, err);
}

/* Looks at the first bytes: UTF-8's mark is passed over, UTF-16's (either byte order) refused. Read as UTF-8, such text
 * would be lines full of NUL characters. */
static at_status check_byte_order_mark(at_lines *lines, at_error *err)
{
    while (lines->end < 3 && !lines->ended) ATT_TRY(fill(lines, err));
    const char *data = lines->data;
    if (lines->end >= 2 && (memcmp(data, "\xFF\xFE", 2) == 0 || memcmp(data, "\xFE\xFF", 2) == 0)) {
        return at_fail(err, ATT_INPUT, "%s: UTF-16 text; write it as UTF-8: iconv -f UTF-16 -t UTF-8 OLD >NEW",
                       lines->path);
    }
    lines->shape.byte_order_mark = lines->end >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0;
    lines->start = lines->shape.byte_order_mark ? 3 : 0;
    return ATT_OK;
}

at_status at_lines_open(at_lines **lines, const char *path, at_error *err)
{
    *lines = NULL;
    at_lines *made = lines_new(path);
    if (made == NULL) return at_fail_memory(err, FIRST_CAP);
    at_status status = open_file(made, path, err);
    if (status == ATT_OK) status = check_byte_order_mark(made, err);
    if (status != ATT_OK) {
        at_lines_close(made);
        return status;
    }
    *lines = made;
    return ATT_OK;
}

at_status at_lines_next(at_lines *lines, const char **text, size_t *len, bool *got, at_error *err)
{
    size_t scanned = 0; /* bytes of the line known to hold no line end */
    const char *stop = NULL;
    *got = false;
    for (;;) {
        const char *line = lines->data + lines->start;
        const size_t count = lines->end - lines->start;
        stop = count > scanned ? memchr(line + scanned, '\n', count - scanned) : NULL;
        if (stop != NULL || lines->ended) break;
        scanned = count;
        ATT_TRY(refill(lines, err));
    }
    if (stop == NULL && lines->start == lines->end) return ATT_OK;
    *text = lines->data + lines->start;
    *len = stop != NULL ? (size_t)(stop - *text) : lines->end - lines->start;
    lines->start += *len + (stop != NULL);
    lines->shape.ended = stop != NULL;
    lines->shape.carriage_return = stop != NULL && *len > 0 && (*text)[*len - 1] == '\r';
    if (lines->shape.carriage_return) (*len)--;
    lines->number++;
    *got = true;
    return ATT_OK;
}

at_line_shape at_lines_shape(const at_lines *lines)
{
    return lines->shape;
}
