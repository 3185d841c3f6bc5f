/* Open addressing with linear steps; half full at most, so a search ends soon. */
#include "data/hash_map.h"

#include <stdlib.h>

enum { FIRST_CAP = 4096 };

/* The slot of a key, or the free one where it belongs. Hash 0 shares the slot of 1. */
static at_hash_slot *slot_of(const at_hash_map *map, uint64_t key)
{
    size_t at = (size_t)key & (map->cap - 1);
    while (map->slots[at].key != 0 && map->slots[at].key != key) at = (at + 1) & (map->cap - 1);
    return &map->slots[at];
}

static at_status grow(at_hash_map *map, at_error *err)
{
    at_hash_map larger = {.cap = map->cap > 0 ? 2 * map->cap : FIRST_CAP, .len = map->len};
    larger.slots = calloc(larger.cap, sizeof *larger.slots);
    if (larger.slots == NULL) return at_fail_memory(err, larger.cap * sizeof *larger.slots);
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].key != 0) *slot_of(&larger, map->slots[i].key) = map->slots[i];
    }
    free(map->slots);
    *map = larger;
    return ATT_OK;
}

int64_t *at_hash_map_find(const at_hash_map *map, uint64_t key)
{
    if (map->cap == 0) return NULL;
    at_hash_slot *slot = slot_of(map, key != 0 ? key : 1);
    return slot->key != 0 ? &slot->value : NULL;
}

at_status at_hash_map_add(at_hash_map *map, uint64_t key, int64_t **value, bool *is_new, at_error *err)
{
    if (key == 0) key = 1;
    if (2 * map->len >= map->cap) ATT_TRY(grow(map, err));
    at_hash_slot *slot = slot_of(map, key);
    *is_new = slot->key == 0;
    map->len += *is_new;
    slot->key = key;
    *value = &slot->value;
    return ATT_OK;
}

void at_hash_map_free(at_hash_map *map)
{
    free(map->slots);
    *map = (at_hash_map){0};
}
