/* The order of items in an epoch: as they come, or shuffled by a key and nothing else. */
#ifndef ATT_DATA_SHUFFLE_H
#define ATT_DATA_SHUFFLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

/* items (count) receives 0, 1, 2 ..., then, where wanted, shuffled by Fisher and Yates' method. */
static inline void at_lay_out(uint32_t *items, uint32_t count, bool shuffle, uint64_t key)
{
    for (uint32_t i = 0; i < count; i++) items[i] = i;
    if (!shuffle) return;
    for (uint32_t i = count; i > 1; i--) {
        const uint32_t j = at_rng_below(key, i, i), last = items[i - 1];
        items[i - 1] = items[j];
        items[j] = last;
    }
}

#endif
