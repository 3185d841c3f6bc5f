/* Tokenizer: a SentencePiece model (unigram or BPE), trained here or given, kept as bytes so that it can live
 * inside the model file. One tokenizer is immutable after opening and may be used from several threads.
 * SentencePiece: Kudo and Richardson 2018, "SentencePiece: A simple and language independent subword
 * tokenizer and detokenizer for neural text processing". */
#ifndef ATT_TEXT_TOKENIZER_H
#define ATT_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

typedef struct at_tokenizer at_tokenizer;

typedef enum at_subword {
    ATT_SUBWORD_UNIGRAM,
    ATT_SUBWORD_BPE,
    ATT_SUBWORD_CHAR /* every character is a piece, white space and the line end too; nothing is normalised */
} at_subword;

/* How to train one. Special ids are fixed: 0 padding, 1 unknown, 2 begin, 3 end. */
typedef struct at_tokenizer_spec {
    const char *const *paths; /* text files, plain or .gz; one sentence a line */
    int path_count;
    int vocab_size;
    at_subword model;          /* ATT_SUBWORD_CHAR: the size is the number of characters, whatever vocab_size says */
    double character_coverage; /* share of characters covered, 0.98 .. 1 */
    bool byte_fallback;        /* unseen characters become bytes instead of unknown */
    uint64_t seed;             /* picks the sample when the text is large */
    int64_t max_sentences;     /* training sample; 0: all */
} at_tokenizer_spec;

/* Appends the trained model's bytes to *model. When the text has too few distinct pieces for vocab_size, the
 * size is lowered to what the text allows (at_tokenizer_size tells). Lines that are empty or not valid UTF-8 are passed
 * over, and lines over 4 KiB count as several. Deterministic. ATT_CANCELLED is not checked: training takes seconds. */
at_status at_tokenizer_train(const at_tokenizer_spec *spec, at_buf *model, at_error *err);

/* Copies the bytes, which may be anything: what is no usable model gives ATT_INPUT. name is used in messages (path of
 * the file the bytes came from). */
at_status at_tokenizer_open(at_tokenizer **out, const void *bytes, size_t size, const char *name, at_error *err);
/* The same from a file. ATT_IO: it can't be read. */
at_status at_tokenizer_open_file(at_tokenizer **out, const char *path, at_error *err);
void at_tokenizer_free(at_tokenizer *tokenizer); /* NULL is fine */

/* A foreign vocabulary that numbers the same pieces otherwise (Hugging Face's vocab.json): pieces[i] is the piece
 * of id i. Pieces of the model that it lacks become unknown; the special ones are found by their names <pad>, <unk>
 * (which there must be), <s> and </s>. Copies the strings. Not to be called while other threads use the tokenizer. */
at_status at_tokenizer_renumber(at_tokenizer *tokenizer, const char *const *pieces, int count, at_error *err);

/* The model's bytes, owned by the tokenizer. */
const void *at_tokenizer_bytes(const at_tokenizer *tokenizer, size_t *size);
/* Whether it has a foreign vocabulary (at_tokenizer_renumber). */
bool at_tokenizer_is_renumbered(const at_tokenizer *tokenizer);
uint64_t at_tokenizer_hash(const at_tokenizer *tokenizer); /* XXH3 over bytes and numbering */
int at_tokenizer_size(const at_tokenizer *tokenizer);
/* -1 where the model has none. */
int32_t at_tokenizer_pad(const at_tokenizer *tokenizer);
int32_t at_tokenizer_unk(const at_tokenizer *tokenizer);
int32_t at_tokenizer_bos(const at_tokenizer *tokenizer);
int32_t at_tokenizer_eos(const at_tokenizer *tokenizer);
/* What ends a line in a stream of text: the piece of the line end where there is one, else the end token. */
int32_t at_tokenizer_line_end(const at_tokenizer *tokenizer);
/* The piece of an id, "▁" for a space; NULL when out of range. */
const char *at_tokenizer_piece(const at_tokenizer *tokenizer, int32_t id);
/* The id of a piece, or the unknown id. */
int32_t at_tokenizer_id(const at_tokenizer *tokenizer, const char *piece);

/* Appends the ids of UTF-8 text; no begin or end token. With a foreign vocabulary that has pieces such as ">>deu<<"
 * (languages of a model with several), such a piece at the very start of the text is one token. */
at_status at_tokenizer_encode(const at_tokenizer *tokenizer, const char *text, size_t len, at_ids *ids, at_error *err);
/* How to draw segmentations. unigram models: one of the `best` most probable ones, with probability proportional to
 * P^alpha (Kudo 2018, "Subword regularization", section 3.1; small alpha: more variety). BPE models: each merge is left
 * out with probability alpha (Provilkov et al. 2020, "BPE-dropout"). */
typedef struct at_subword_sampling {
    double alpha;
    int best;
} at_subword_sampling;

/* Appends another segmentation of the text of ids, drawn by `key` and nothing else. A text with unknown tokens, which
 * can't be read back, keeps its ids. ATT_UNSUPPORTED: a foreign vocabulary. */
at_status at_tokenizer_resample(const at_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                const at_subword_sampling *how, uint64_t key, at_ids *out, at_error *err);
/* Appends the text of ids; control tokens are skipped, the unknown token gives " ⁇ " as in SentencePiece. */
at_status at_tokenizer_decode(const at_tokenizer *tokenizer, const int32_t *ids, size_t count, at_buf *text,
                              at_error *err);

#endif
