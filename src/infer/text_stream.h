/* Text of tokens that come one by one, in whole characters. A token alone has no text: the first piece of a line loses
 * its space, and one character may be several byte tokens. So what a token adds is the difference between two texts:
 *
 *   ids    ... | told before | told last | new
 *              from          read
 *   adds = text(from .. end) without text(from .. read), held back while it ends within a character */
#ifndef ATT_INFER_TEXT_STREAM_H
#define ATT_INFER_TEXT_STREAM_H

#include "text/tokenizer.h"

typedef struct at_text_stream {
    const at_tokenizer *tokenizer;
    at_ids ids;
    size_t from, read;
} at_text_stream;

/* before (count): ids that stand before the first token; the last ones are copied. */
at_status at_text_stream_begin(at_text_stream *stream, const at_tokenizer *tokenizer, const int32_t *before,
                               size_t count, at_error *err);
/* Appends what the token adds to the text: nothing while a character is incomplete. */
at_status at_text_stream_add(at_text_stream *stream, int32_t id, at_buf *text, at_error *err);
/* Appends what was held back, with U+FFFD for bytes that are no character. */
at_status at_text_stream_end(at_text_stream *stream, at_buf *text, at_error *err);
void at_text_stream_free(at_text_stream *stream); /* a zeroed one is fine */

#endif
