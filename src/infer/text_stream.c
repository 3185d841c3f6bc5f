/* See text_stream.h. */
#include "infer/text_stream.h"

#include <string.h>

enum { BEFORE = 8 }; /* tokens before the first: more than a character has bytes */

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD: what an incomplete character is decoded to */

at_status at_text_stream_begin(at_text_stream *s, const at_tokenizer *tokenizer, const int32_t *before, size_t count,
                               at_error *err)
{
    const size_t copied = count < BEFORE ? count : BEFORE;
    *s = (at_text_stream){.tokenizer = tokenizer, .read = copied};
    return copied > 0 ? at_ids_add(&s->ids, before + count - copied, copied, err) : ATT_OK;
}

static bool is_torn(const at_buf *text)
{
    const size_t len = sizeof replacement - 1;
    return text->len >= len && memcmp(text->data + text->len - len, replacement, len) == 0;
}

static at_status add_difference(at_text_stream *s, bool whole, at_buf *told, at_buf *now, at_buf *text, at_error *err)
{
    const int32_t *ids = s->ids.data + s->from;
    ATT_TRY(at_tokenizer_decode(s->tokenizer, ids, s->read - s->from, told, err));
    ATT_TRY(at_tokenizer_decode(s->tokenizer, ids, s->ids.len - s->from, now, err));
    if (now->len <= told->len || (whole && is_torn(now))) return ATT_OK;
    s->from = s->read;
    s->read = s->ids.len;
    return at_buf_add(text, now->data + told->len, now->len - told->len, err);
}

static at_status add(at_text_stream *s, bool whole, at_buf *text, at_error *err)
{
    at_buf told = {0}, now = {0};
    const at_status status = add_difference(s, whole, &told, &now, text, err);
    at_buf_free(&told);
    at_buf_free(&now);
    return status;
}

at_status at_text_stream_add(at_text_stream *s, int32_t id, at_buf *text, at_error *err)
{
    ATT_TRY(at_ids_push(&s->ids, id, err));
    return add(s, true, text, err);
}

at_status at_text_stream_end(at_text_stream *s, at_buf *text, at_error *err)
{
    return s->read < s->ids.len ? add(s, false, text, err) : ATT_OK;
}

void at_text_stream_free(at_text_stream *s)
{
    at_ids_free(&s->ids);
}
