/* See stream.h. Lines are copied behind each other into `text`; `ends` remembers where each one ends, since text moves
 * while it grows. What a pipe gave beyond the last whole line stays in `rest`. */
#include "cli/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { READ_BYTES = 1 << 16 };

struct at_stream {
    at_lines *file; /* NULL: a pipe or terminal */
    const volatile int *cancel;
    at_buf rest;
    size_t used; /* bytes of rest that were returned as lines */
    bool begun, ended;
    at_buf text, ends; /* ends: size_t each */
    at_buf lines;      /* at_line each */
    int64_t count;
};

void at_stream_close(at_stream *stream)
{
    if (stream == NULL) return;
    at_lines_close(stream->file);
    at_buf_free(&stream->rest);
    at_buf_free(&stream->text);
    at_buf_free(&stream->ends);
    at_buf_free(&stream->lines);
    free(stream);
}

static bool is_live(const char *path)
{
    struct stat info;
    return strcmp(path, "-") == 0 && fstat(STDIN_FILENO, &info) == 0 && !S_ISREG(info.st_mode) &&
           !S_ISDIR(info.st_mode);
}

at_status at_stream_open(at_stream **out, const char *path, const volatile int *cancel, at_error *err)
{
    at_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return at_fail_memory(err, sizeof *stream);
    stream->cancel = cancel;
    const at_status status = is_live(path) ? ATT_OK : at_lines_open(&stream->file, path, err);
    if (status == ATT_OK)
        *out = stream;
    else
        at_stream_close(stream);
    return status;
}

/* ---- a pipe or terminal ---- */

/* Reads what is there, waiting for it. */
static at_status read_more(at_stream *stream, at_error *err)
{
    if (stream->used > 0) memmove(stream->rest.data, stream->rest.data + stream->used, stream->rest.len - stream->used);
    stream->rest.len -= stream->used;
    stream->used = 0;
    ATT_TRY(at_buf_reserve(&stream->rest, READ_BYTES, err));
    for (;;) {
        const ssize_t got = read(STDIN_FILENO, stream->rest.data + stream->rest.len, READ_BYTES);
        if (got < 0 && errno == EINTR && !at_cancelled(stream->cancel)) continue;
        if (got < 0 && errno == EINTR) return at_fail(err, ATT_CANCELLED, "cancelled");
        if (got < 0) return at_fail_io(err, "standard input", "can't read");
        stream->rest.len += (size_t)got;
        stream->ended = got == 0;
        return ATT_OK;
    }
}

static bool may_read(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

static at_status check_begin(at_stream *stream, at_error *err)
{
    const char *data = stream->rest.data;
    if (stream->rest.len >= 2 && memcmp(data, "\x1F\x8B", 2) == 0)
        return at_fail(err, ATT_INPUT, "standard input: gzip data through a pipe; use \"zcat FILE |\" or \"< FILE\"");
    if (stream->rest.len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) stream->used = 3;
    stream->begun = true;
    return ATT_OK;
}

/* The next whole line of rest, or at the end of input what is left. */
static bool take_line(at_stream *stream, at_line *line)
{
    if (stream->used == stream->rest.len) return false;
    const char *begin = stream->rest.data + stream->used;
    const size_t left = stream->rest.len - stream->used;
    const char *stop = memchr(begin, '\n', left);
    if (stop == NULL && !stream->ended) return false;
    line->data = begin;
    line->len = stop ? (size_t)(stop - begin) : left;
    stream->used += line->len + (stop != NULL);
    if (stop != NULL && line->len > 0 && begin[line->len - 1] == '\r') line->len--;
    return true;
}

static at_status next_live(at_stream *stream, at_line *line, bool wait, bool *got, at_error *err)
{
    for (;;) {
        *got = stream->begun && take_line(stream, line);
        if (*got || stream->ended || !(wait || may_read())) return ATT_OK;
        ATT_TRY(read_more(stream, err));
        if (!stream->begun) ATT_TRY(check_begin(stream, err));
    }
}

/* ---- both ---- */

static at_status next_line(at_stream *stream, at_line *line, bool wait, bool *got, at_error *err)
{
    if (stream->file) return at_lines_next(stream->file, &line->data, &line->len, got, err);
    return next_live(stream, line, wait, got, err);
}

static at_status list_lines(at_stream *stream, at_error *err)
{
    size_t begin = 0;
    at_buf_clear(&stream->lines);
    for (int64_t i = 0; i < stream->count; i++) {
        size_t end;
        memcpy(&end, stream->ends.data + (size_t)i * sizeof end, sizeof end);
        const at_line line = {stream->text.data ? stream->text.data + begin : "", end - begin};
        ATT_TRY(at_buf_add(&stream->lines, &line, sizeof line, err));
        begin = end;
    }
    return ATT_OK;
}

at_status at_stream_read(at_stream *stream, int64_t most, const at_line **lines, int64_t *count, at_error *err)
{
    at_buf_clear(&stream->text);
    at_buf_clear(&stream->ends);
    stream->count = 0;
    while (stream->count < most) {
        at_line line = {"", 0};
        bool got;
        ATT_TRY(next_line(stream, &line, stream->count == 0, &got, err));
        if (!got) break;
        ATT_TRY(at_buf_add(&stream->text, line.data, line.len, err));
        ATT_TRY(at_buf_add(&stream->ends, &stream->text.len, sizeof stream->text.len, err));
        stream->count++;
    }
    ATT_TRY(list_lines(stream, err));
    *lines = (const at_line *)(const void *)stream->lines.data;
    *count = stream->count;
    return ATT_OK;
}
