/* Growing arrays of bytes and of token ids. Both double, so that n appended items cost O(n). */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 64 }; /* items of a first allocation */

/* The capacity for `wanted` items, doubled from `cap`. Callers want at most half of what size_t counts in bytes. */
static size_t grown(size_t cap, size_t wanted)
{
    size_t next = cap < SMALLEST ? SMALLEST : cap;
    while (next < wanted) next *= 2;
    return next;
}

void at_buf_free(at_buf *buf)
{
    free(buf->data);
    *buf = (at_buf){0};
}

void at_buf_clear(at_buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL) buf->data[0] = '\0';
}

/* After it `extra` bytes and a NUL can be appended without growth. */
at_status at_buf_reserve(at_buf *buf, size_t extra, at_error *err)
{
    if (extra >= SIZE_MAX / 2 - buf->len) return at_fail_memory(err, SIZE_MAX);
    const size_t wanted = buf->len + extra + 1;
    if (wanted <= buf->cap) return ATT_OK;
    const size_t cap = grown(buf->cap, wanted);
    char *data = realloc(buf->data, cap);
    if (data == NULL) return at_fail_memory(err, cap);
    data[buf->len] = '\0';
    buf->data = data;
    buf->cap = cap;
    return ATT_OK;
}

/* `bytes` may be NULL when count is 0; it must not lie in the buffer itself, which may move. */
at_status at_buf_add(at_buf *buf, const void *bytes, size_t count, at_error *err)
{
    ATT_TRY(at_buf_reserve(buf, count, err));
    if (count > 0) memcpy(buf->data + buf->len, bytes, count);
    buf->len += count;
    buf->data[buf->len] = '\0';
    return ATT_OK;
}

at_status at_buf_puts(at_buf *buf, const char *text, at_error *err)
{
    return at_buf_add(buf, text, strlen(text), err);
}

at_status at_buf_printf(at_buf *buf, at_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int wanted = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (wanted < 0) return at_fail_memory(err, SIZE_MAX);
    ATT_TRY(at_buf_reserve(buf, (size_t)wanted, err));
    va_start(args, format);
    vsnprintf(buf->data + buf->len, (size_t)wanted + 1, format, args);
    va_end(args);
    buf->len += (size_t)wanted;
    return ATT_OK;
}

void at_ids_free(at_ids *ids)
{
    free(ids->data);
    *ids = (at_ids){0};
}

/* After it `extra` ids can be appended without growth. */
static at_status ids_reserve(at_ids *ids, size_t extra, at_error *err)
{
    if (extra > SIZE_MAX / 2 / sizeof *ids->data - ids->len) return at_fail_memory(err, SIZE_MAX);
    if (ids->len + extra <= ids->cap) return ATT_OK;
    const size_t cap = grown(ids->cap, ids->len + extra);
    int32_t *data = realloc(ids->data, cap * sizeof *data);
    if (data == NULL) return at_fail_memory(err, cap * sizeof *data);
    ids->data = data;
    ids->cap = cap;
    return ATT_OK;
}

at_status at_ids_push(at_ids *ids, int32_t id, at_error *err)
{
    ATT_TRY(ids_reserve(ids, 1, err));
    ids->data[ids->len++] = id;
    return ATT_OK;
}

/* `more` may be NULL when count is 0; it must not lie in the list itself. */
at_status at_ids_add(at_ids *ids, const int32_t *more, size_t count, at_error *err)
{
    if (count == 0) return ATT_OK;
    ATT_TRY(ids_reserve(ids, count, err));
    memcpy(ids->data + ids->len, more, count * sizeof *more);
    ids->len += count;
    return ATT_OK;
}
