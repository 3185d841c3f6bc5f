/* Whether training takes a pair. The one place that decides it: corpora (corpus.h) and `attend data check` ask it. */
#ifndef ATT_DATA_JUDGE_H
#define ATT_DATA_JUDGE_H

#include "data/pairs.h"
#include "text/tokenizer.h"

/* Why a pair is left out: the first of these that applies. */
typedef enum at_skip {
    ATT_SKIP_TORN,  /* its line lacks a column */
    ATT_SKIP_EMPTY, /* a side is white space, or has no tokens */
    ATT_SKIP_UTF8,
    ATT_SKIP_NUL, /* a NUL character, which no text has: UTF-16 without its mark, or binary data */
    ATT_SKIP_LONG,
    ATT_SKIP_LOPSIDED,
    ATT_SKIP_KINDS
} at_skip;

/* "missing-column", "empty", "invalid-utf8", "nul", "too-long", "lopsided" */
extern const char *const at_skip_name[ATT_SKIP_KINDS];

typedef struct at_corpus_limits {
    int64_t max_tokens; /* tokens of either side, end token not counted; 0: off */
    double max_ratio;   /* longer side / shorter side in tokens, applied when the longer one has more than 10; 0: off */
} at_corpus_limits;

typedef struct at_judge {
    const at_tokenizer *tokenizer[2]; /* of source and target; NULL: lengths are counted in characters, and a ratio
                                         applies from 40 on */
    at_corpus_limits limits;
} at_judge;

/* A line without source (one_side) may be empty and of any length: it is part of a stream.
 * Replaces ids by the tokens of both sides where a pair comes so far. *skip is ATT_SKIP_KINDS for a pair that is kept.
 */
at_status at_judge_pair(const at_judge *judge, const at_pair *pair, at_ids ids[2], at_skip *skip, at_error *err);

#endif
