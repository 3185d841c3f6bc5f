/* A growing byte buffer, always NUL-terminated when data is not NULL.
 * {0} is an empty buffer. Functions return ATT_MEMORY when growth fails and
 * leave the content as it was. */
#ifndef ATT_BASE_BUF_H
#define ATT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"

typedef struct at_buf {
    char *data;
    size_t len;
    size_t cap;
} at_buf;

void at_buf_free(at_buf *buf);
void at_buf_clear(at_buf *buf); /* len = 0, memory kept */
at_status at_buf_reserve(at_buf *buf, size_t extra, at_error *err);
at_status at_buf_add(at_buf *buf, const void *bytes, size_t count, at_error *err);
at_status at_buf_puts(at_buf *buf, const char *text, at_error *err);
at_status at_buf_printf(at_buf *buf, at_error *err, const char *format, ...) ATT_PRINTF(3, 4);

/* Growing list of token ids; same rules. */
typedef struct at_ids {
    int32_t *data;
    size_t len;
    size_t cap;
} at_ids;

void at_ids_free(at_ids *ids);
at_status at_ids_push(at_ids *ids, int32_t id, at_error *err);
at_status at_ids_add(at_ids *ids, const int32_t *more, size_t count, at_error *err);

#endif
