/* The token cache: a tokenised corpus in a file "tokens-<key>.cache", mapped instead of tokenised again.
 *
 *   +--------+---------------------+---------------------------+
 *   | header | pairs (24 B each)   | ids (int32): s0 t0 s1 t1..|
 *   +--------+---------------------+---------------------------+
 *
 * The key is a hash of everything that decides the tokens: version, tokenizers, limits, columns, and every text's size
 * and content. Not its path nor its time, so that a copied text finds its cache and a changed one never does. The
 * header holds the key again, sizes, counts, and XXH3 sums of itself and of what follows. A file that differs in one
 * bit is not used. Written to a temporary name and renamed. */
#ifndef ATT_DATA_TOKEN_CACHE_H
#define ATT_DATA_TOKEN_CACHE_H

#include "data/corpus.h"

typedef struct at_cache_key {
    uint64_t low, high;
} at_cache_key;

/* Reads every byte of the texts. A text that can't be read twice (a pipe) is ATT_UNSUPPORTED. */
at_status at_token_cache_key(const at_corpus_spec *spec, at_cache_key *key, at_error *err);
/* The file's path in a folder. */
at_status at_token_cache_path(const char *folder, const at_cache_key *key, at_buf *path, at_error *err);
/* Fills *corpus from the file, or says what is wrong with it; *corpus is empty then. vocabulary: sizes of source's and
 * target's, which no id reaches. */
at_status at_token_cache_open(at_corpus *corpus, const char *path, const at_cache_key *key, const int vocabulary[2],
                              at_error *err);
at_status at_token_cache_write(const at_corpus *corpus, const char *path, const at_cache_key *key, at_error *err);

#endif
