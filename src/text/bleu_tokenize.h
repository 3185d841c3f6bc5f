/* The tokenizers of BLEU: text in, text out whose tokens are parted by white space. */
#ifndef ATT_TEXT_BLEU_TOKENIZE_H
#define ATT_TEXT_BLEU_TOKENIZE_H

#include "base/buf.h"
#include "base/fail.h"
#include "text/metrics.h"

/* Puts the tokenised line into *out, whose content is lost; *spare is room to work in, kept between calls.
 * Fails only for lack of memory. */
at_status at_bleu_tokenize_line(at_text line, at_bleu_tokenize tokenize, at_buf *out, at_buf *spare, at_error *err);

#endif
