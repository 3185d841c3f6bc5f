/* Lines of plain or gzipped text. zlib's gz functions read both.
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
#include <zlib.h>

enum { FIRST_CAP = 1 << 18, LARGEST_READ = 1 << 30 };

struct at_lines {
    gzFile gz;
    char *path;
    char *data;
    size_t cap;
    size_t start; /* of the next line */
    size_t end;   /* of the bytes read */
    long number;  /* lines returned so far, for messages */
    bool ended;   /* the file has no more bytes */
};

void at_lines_close(at_lines *lines)
{
    if (lines == NULL) return;
    if (lines->gz != NULL) gzclose_r(lines->gz);
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
static at_status open_gz(at_lines *lines, const char *path, at_error *err)
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
    lines->gz = gzdopen(fd, "rb");
    if (lines->gz == NULL) {
        close(fd);
        return at_fail_memory(err, FIRST_CAP);
    }
    gzbuffer(lines->gz, FIRST_CAP / 2);
    return ATT_OK;
}

/* The message for what zlib found; damaged data is told apart from a disk that fails. */
static at_status read_failed(const at_lines *lines, at_error *err)
{
    int code = Z_OK;
    const char *reason = gzerror(lines->gz, &code);
    if (code == Z_ERRNO) return at_fail_io(err, lines->path, "can't read");
    if (code == Z_MEM_ERROR) return at_fail_memory(err, lines->cap);
    return at_fail(err, ATT_INPUT, "%s:%ld: damaged gzip data (%s); get or compress the file again", lines->path,
                   lines->number + 1, code == Z_BUF_ERROR ? "it ends too early" : reason);
}

/* Reads more bytes behind end; raises `ended` when there are none. */
static at_status fill(at_lines *lines, at_error *err)
{
    const size_t room = lines->cap - lines->end;
    errno = 0;
    const int got = gzread(lines->gz, lines->data + lines->end, room < LARGEST_READ ? (unsigned)room : LARGEST_READ);
    int code = Z_OK;
    if (got == 0) gzerror(lines->gz, &code);
    /* A gzip file cut short ends like a whole one, save for this code. */
    if (got < 0 || code != Z_OK) return read_failed(lines, err);
    lines->end += (size_t)got;
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

static at_status skip_byte_order_mark(at_lines *lines, at_error *err)
{
    static const char mark[] = "\xEF\xBB\xBF";
    while (lines->end < 3 && !lines->ended) ATT_TRY(fill(lines, err));
    if (lines->end >= 3 && memcmp(lines->data, mark, 3) == 0) lines->start = 3;
    return ATT_OK;
}

at_status at_lines_open(at_lines **lines, const char *path, at_error *err)
{
    *lines = NULL;
    at_lines *made = lines_new(path);
    if (made == NULL) return at_fail_memory(err, FIRST_CAP);
    at_status status = open_gz(made, path, err);
    if (status == ATT_OK) status = skip_byte_order_mark(made, err);
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
    if (stop != NULL && *len > 0 && (*text)[*len - 1] == '\r') (*len)--;
    lines->number++;
    *got = true;
    return ATT_OK;
}
