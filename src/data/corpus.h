/* A parallel corpus, or the lines of a language model's text, tokenised: reading, counting what was left out, and the token cache.
 *
 * CR/LF and a byte-order mark are removed; pairs that judge.h refuses are left out and counted by kind. Files of
 * unequal line count are an error that says where each ends.
 *
 * Tokens and index lie in memory while they are few, else in a file that is mapped, so a corpus may be larger than
 * memory: what must be resident is the batcher's 16 bytes a pair (batcher.h). The token cache keeps both between runs;
 * its layout is in token_cache.h.
 *
 * Lines of one side (at_text_files.one_side) are pairs whose source has no tokens, and each target ends in the
 * tokenizer's line end: so `ids` is the whole text as one stream. */
#ifndef ATT_DATA_CORPUS_H
#define ATT_DATA_CORPUS_H

#include <stdint.h>

#include "data/judge.h"
#include "data/pairs.h"
#include "data/spool.h"

/* A kept pair: its source tokens are ids[start] .. and its target tokens follow; no begin or end token. */
typedef struct at_corpus_pair {
    int64_t start;
    uint32_t source_len, target_len;
    int64_t line; /* from 1, counted through all files */
} at_corpus_pair;

/* What was counted while reading. */
typedef struct at_corpus_counts {
    int64_t lines; /* read */
    int64_t skipped[ATT_SKIP_KINDS];
    int64_t first_skipped[ATT_SKIP_KINDS]; /* line number of the first of each kind, 0 when none */
} at_corpus_counts;

/* What became of the token cache. */
typedef enum at_cache_use {
    ATT_CACHE_NONE,    /* not asked for, or not worth it */
    ATT_CACHE_FOUND,   /* the tokens come from it; the text was not tokenised */
    ATT_CACHE_WRITTEN, /* for the next time */
    ATT_CACHE_REBUILT, /* there was one, damaged */
    ATT_CACHE_FAILED   /* it could not be written; the corpus is fine */
} at_cache_use;

typedef struct at_corpus {
    int64_t count;              /* pairs kept */
    const at_corpus_pair *pair; /* (count) */
    const int32_t *ids;
    int64_t id_count;
    at_corpus_counts counts;
    uint64_t hash; /* XXH3 over the kept tokens of both sides and where pairs end */
    at_cache_use cache;
    char *cache_note; /* for the user, or NULL: which file, and what was wrong with it */
    /* What pair and ids point into: spools, or the mapped cache. */
    at_spool index_spool, id_spool;
    at_map map;
} at_corpus;

typedef struct at_corpus_spec {
    at_text_files files;
    at_judge judge;    /* both tokenizers must be there */
    const char *cache; /* folder of the token cache; NULL: none is looked for or written */
    bool
        always_cache; /* also write it for plain text that fits in memory, which is tokenised as fast as it is opened */
    size_t memory;    /* bytes of tokens that are kept in memory; 0: 64 MiB */
    const volatile int *cancel; /* may be NULL */
} at_corpus_spec;

/* Opens the cache or reads the text. On failure *corpus is empty. A corpus without pairs is no failure. The spec is not
 * needed afterwards. */
at_status at_corpus_open(at_corpus *corpus, const at_corpus_spec *spec, at_error *err);
void at_corpus_free(at_corpus *corpus);

static inline const int32_t *at_corpus_source(const at_corpus *corpus, int64_t pair)
{
    return corpus->ids + corpus->pair[pair].start;
}

static inline const int32_t *at_corpus_target(const at_corpus *corpus, int64_t pair)
{
    return corpus->ids + corpus->pair[pair].start + corpus->pair[pair].source_len;
}

/* Pairs of `part` whose tokens on both sides are those of a pair of `whole`: validation text that training has seen. */
at_status at_corpus_shared(const at_corpus *whole, const at_corpus *part, int64_t *count, at_error *err);

#endif
