/* A map from 64-bit hashes to numbers, for finding what was seen before. Two texts of one hash count as one: among a
 * thousand million texts that happens once in 37 corpora. 32 to 64 bytes a key. */
#ifndef ATT_DATA_HASH_MAP_H
#define ATT_DATA_HASH_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

typedef struct at_hash_slot {
    uint64_t key; /* 0: free */
    int64_t value;
} at_hash_slot;

typedef struct at_hash_map { /* {0} is empty */
    at_hash_slot *slots;
    size_t cap, len; /* cap is 0 or a power of two */
} at_hash_map;

/* The value of a key, or NULL; valid until the next at_hash_map_add. */
int64_t *at_hash_map_find(const at_hash_map *map, uint64_t key);
/* The value of a key, which is added with 0 when it is new. */
at_status at_hash_map_add(at_hash_map *map, uint64_t key, int64_t **value, bool *is_new, at_error *err);
void at_hash_map_free(at_hash_map *map);

#endif
