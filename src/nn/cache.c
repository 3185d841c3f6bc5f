/* Memory of the decoding cache. See cache.h for its layout. */
#include "nn/cache.h"

#include <stdlib.h>

at_status at_cache_new(at_cache **cache, at_backend *be, int64_t layers, int64_t slots, int64_t capacity, int64_t width,
                       at_error *err)
{
    at_cache *c = calloc(1, sizeof *c);
    float **layer = calloc((size_t)layers, sizeof *layer);
    if (c == NULL || layer == NULL) {
        free(c);
        free(layer);
        return at_fail_memory(err, sizeof *c);
    }
    *c = (at_cache){be, layers, slots, capacity, width, layer};
    const size_t bytes = (size_t)(slots * capacity * width) * sizeof(float);
    for (int64_t i = 0; i < layers; i++)
        if ((layer[i] = be->alloc(be, bytes)) == NULL) {
            at_cache_free(c);
            return at_fail_memory(err, bytes);
        }
    *cache = c;
    return ATT_OK;
}

void at_cache_free(at_cache *cache)
{
    if (cache == NULL) return;
    const size_t bytes = (size_t)(cache->slots * cache->capacity * cache->width) * sizeof(float);
    for (int64_t i = 0; i < cache->layers; i++)
        if (cache->layer[i]) cache->be->release(cache->be, cache->layer[i], bytes);
    free(cache->layer);
    free(cache);
}

void at_cache_copy(at_cache *cache, int64_t to, int64_t from, int64_t length)
{
    const int64_t slot = cache->capacity * cache->width;
    for (int64_t i = 0; i < cache->layers; i++)
        cache->be->copy_rows(cache->be, cache->layer[i] + to * slot, cache->width, NULL, cache->layer[i] + from * slot,
                             cache->width, NULL, length, cache->width);
}
