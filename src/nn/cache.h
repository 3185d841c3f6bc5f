/* Cache of keys and values for decoding, one matrix a layer:
 *
 *              0      1      2     ...   capacity - 1     time
 *   slot 0   [k|v]  [k|v]  [k|v]
 *   slot 1   [k|v]  [k|v]                                 row = slot * capacity + time, 2 H K floats
 *   ...
 *
 * A hypothesis owns a slot. When beam search keeps several continuations of one hypothesis, one takes the slot over and the
 * others get copies in free slots. */
#ifndef ATT_NN_CACHE_H
#define ATT_NN_CACHE_H

#include "backend/backend.h"
#include "tape/tape.h"

typedef struct at_cache {
    at_backend *be;
    int64_t layers, slots, capacity, width; /* width: floats of a row, 2 H K */
    float **layer;
} at_cache;

/* What one step of decoding reads and writes: n hypotheses, each with its slot and length (tokens already in the cache). */
typedef struct at_cache_step {
    int64_t n, capacity;
    const int64_t *slot;   /* n */
    const int64_t *length; /* n */
} at_cache_step;

at_status at_cache_new(at_cache **cache, at_backend *be, int64_t layers, int64_t slots, int64_t capacity, int64_t width,
                       at_error *err);
void at_cache_free(at_cache *cache); /* NULL is fine */
/* Copies the first `length` rows of a slot in every layer. */
void at_cache_copy(at_cache *cache, int64_t to, int64_t from, int64_t length);

#endif
