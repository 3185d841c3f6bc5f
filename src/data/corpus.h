/* A parallel corpus, tokenised: reading, checking, counting what was skipped.
 *
 * CR/LF and a byte-order mark are removed; pairs with an empty side, invalid UTF-8, a side over max_tokens or a
 * lopsided length ratio are skipped and counted by kind. Files of unequal line count are an error that says where
 * each ends. Paths may be plain or .gz, or "-" for standard input, once. */
#ifndef ATT_DATA_CORPUS_H
#define ATT_DATA_CORPUS_H

#include <stdint.h>

#include "base/fail.h"
#include "text/tokenizer.h"

/* Why a pair was skipped: the first of these that applies. */
typedef enum at_skip {
    ATT_SKIP_EMPTY, /* a side is white space, or has no tokens */
    ATT_SKIP_UTF8,
    ATT_SKIP_LONG,
    ATT_SKIP_LOPSIDED,
    ATT_SKIP_KINDS
} at_skip;

extern const char *const at_skip_name[ATT_SKIP_KINDS]; /* "empty", "invalid-utf8", "too-long", "lopsided" */

typedef struct at_corpus_limits {
    int64_t max_tokens; /* tokens of either side, end token not counted; 0: off */
    double max_ratio;   /* longer side / shorter side in tokens, applied when the longer one has more than 10; 0: off */
} at_corpus_limits;

/* Sequences of one side: ids of pair i are ids[offset[i]] .. ids[offset[i + 1]]; no begin or end token. */
typedef struct at_side {
    int32_t *ids;
    int64_t *offset;
} at_side;

typedef struct at_corpus {
    int64_t count; /* pairs kept */
    at_side source, target;
    int64_t *line; /* line number of each pair, from 1, counted through all files */
    int64_t lines; /* lines read */
    int64_t skipped[ATT_SKIP_KINDS];
    int64_t first_skipped[ATT_SKIP_KINDS]; /* line number of the first of each kind, 0 when none */
    uint64_t hash;                         /* XXH3 over the kept tokens of both sides and where pairs end */
} at_corpus;

/* sources and targets: equally many paths, read one after the other. On failure *corpus is empty. A corpus without
 * pairs is no failure. */
at_status at_corpus_read(at_corpus *corpus, const char *const *sources, const char *const *targets, int path_count,
                         const at_tokenizer *source_tokenizer, const at_tokenizer *target_tokenizer,
                         const at_corpus_limits *limits, at_error *err);
void at_corpus_free(at_corpus *corpus);

#endif
