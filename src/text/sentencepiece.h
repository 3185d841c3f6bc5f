/* SentencePiece behind a C interface: the only place that knows the library. Ids here are the model's own; the
 * numbering that the rest of the program sees is tokenizer.c's.
 *
 * The library is C++, answers some bad input with exit(), and reads memory beyond the end for others. So a model is
 * checked before the library sees it, training text is chosen so that no such case is met (tokenizer_train.c), and no
 * exception leaves this interface. */
#ifndef ATT_TEXT_SENTENCEPIECE_H
#define ATT_TEXT_SENTENCEPIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/tokenizer.h"

typedef struct at_spm at_spm;

typedef struct at_special_ids { /* -1 where there is none */
    int32_t pad, unk, bos, eos;
} at_special_ids;

/* The next sentence to train on: valid UTF-8, not empty; false at the end. The text is copied. */
typedef bool (*at_next_sentence)(void *arg, const char **text, size_t *len);

/* ATT_INPUT unless the bytes are a model that the library can take: a well-formed protobuf message whose pieces are
 * valid and whose normalisation tables stay within their bounds. */
at_status at_spm_check(const void *bytes, size_t size, const char *name, at_error *err);

/* Opens a model that has passed the check. name is used in messages. */
at_status at_spm_open(at_spm **out, const void *bytes, size_t size, const char *name, at_error *err);
void at_spm_free(at_spm *spm); /* NULL is fine */

int at_spm_size(const at_spm *spm);
at_special_ids at_spm_specials(const at_spm *spm);
/* The piece of an id in range, as long as the model lives. */
const char *at_spm_piece(const at_spm *spm, int32_t id);
/* The id of a piece, -1 when the model lacks it. */
int32_t at_spm_find(const at_spm *spm, const char *piece);

at_status at_spm_encode(const at_spm *spm, const char *text, size_t len, at_ids *ids, at_error *err);
/* Appends the text of pieces; control pieces are skipped, a piece that the model lacks stands for itself. */
at_status at_spm_decode(const at_spm *spm, const char *const *pieces, size_t count, at_buf *text, at_error *err);

/* Whether the model ranks segmentations (unigram); a BPE model has one of each text. */
bool at_spm_is_unigram(const at_spm *spm);
/* Picks one of n segmentations by their log-probabilities, best first. */
typedef size_t (*at_choose_segmentation)(void *arg, const double *log_probs, size_t n);
/* Appends one of the `best` best segmentations of a text. */
at_status at_spm_choose(const at_spm *spm, const char *text, size_t len, int best, at_choose_segmentation choose,
                        void *arg, at_ids *ids, at_error *err);
/* The id of a piece that need not end in NUL, and its score (a merge's rank in a BPE model, the higher the earlier); -1
 * when the model lacks it. */
int32_t at_spm_find_part(const at_spm *spm, const char *piece, size_t len, float *score);
/* See at_tokenizer_resample (subword_sample.c). */
at_status at_spm_resample(const at_spm *spm, const int32_t *ids, size_t count, const at_subword_sampling *how,
                          uint64_t key, at_ids *out, at_error *err);

/* Appends a model's bytes. The paths, sample size and seed of spec are not looked at. */
at_status at_spm_train(const at_tokenizer_spec *spec, at_next_sentence next, void *arg, at_buf *model, at_error *err);

#endif
