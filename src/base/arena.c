/* The arena: a list of chunks, filled one after another. A chunk is a 64-byte header followed by its bytes:
 *
 *   | next size used .. | block | block | block |   free   |
 *   0                   64                             64 + size
 *
 * Chunks behind `current` are empty whatever their `used` says: it is set to 0 when they become current. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, HEADER = 64, DEFAULT_CHUNK = 1 << 20 };

struct at_arena_chunk {
    at_arena_chunk *next;
    size_t size; /* bytes behind the header */
    size_t used;
};

_Static_assert(sizeof(at_arena_chunk) <= HEADER, "the header fits before the first block");

void at_arena_init(at_arena *arena, size_t chunk_bytes)
{
    *arena = (at_arena){.chunk_bytes = chunk_bytes > 0 ? chunk_bytes : DEFAULT_CHUNK};
}

/* Returns all memory to the system; the arena is then as after at_arena_init. */
void at_arena_free(at_arena *arena)
{
    for (at_arena_chunk *chunk = arena->first; chunk != NULL;) {
        at_arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    at_arena_init(arena, arena->chunk_bytes);
}

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* A new empty chunk of at least `size` bytes (a multiple of ALIGN), or NULL. */
static at_arena_chunk *chunk_new(const at_arena *arena, size_t size)
{
    if (size < arena->chunk_bytes) size = round_up(arena->chunk_bytes);
    at_arena_chunk *chunk = aligned_alloc(ALIGN, HEADER + size);
    if (chunk != NULL) *chunk = (at_arena_chunk){.size = size};
    return chunk;
}

/* Makes current a chunk with `size` free bytes: the first kept one that is large enough moves up behind current,
 * else a new one is put there. False when memory is out. */
static bool advance(at_arena *arena, size_t size)
{
    at_arena_chunk **behind = arena->current != NULL ? &arena->current->next : &arena->first;
    at_arena_chunk **link = behind;
    while (*link != NULL && (*link)->size < size) link = &(*link)->next;
    at_arena_chunk *chunk = *link;
    if (chunk != NULL) {
        *link = chunk->next;
    } else {
        chunk = chunk_new(arena, size);
        if (chunk == NULL) return false;
    }
    chunk->next = *behind;
    chunk->used = 0;
    *behind = chunk;
    arena->current = chunk;
    return true;
}

void *at_arena_alloc(at_arena *arena, size_t bytes)
{
    /* The bound leaves room for rounding and the header in size_t arithmetic. */
    const bool sane = bytes <= SIZE_MAX / 2;
    const size_t size = sane ? round_up(bytes > 0 ? bytes : 1) : 0;
    const at_arena_chunk *current = arena->current;
    const bool fits = current != NULL && size <= current->size - current->used;
    if (!sane || (!fits && !advance(arena, size))) {
        arena->failed = true;
        return NULL;
    }
    char *block = (char *)arena->current + HEADER + arena->current->used;
    arena->current->used += size;
    arena->used += size;
    if (arena->used > arena->peak) arena->peak = arena->used;
    return block;
}

void *at_arena_zalloc(at_arena *arena, size_t bytes)
{
    void *block = at_arena_alloc(arena, bytes);
    if (block != NULL) memset(block, 0, bytes);
    return block;
}

void *at_arena_array(at_arena *arena, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        arena->failed = true;
        return NULL;
    }
    return at_arena_alloc(arena, count * size);
}

char *at_arena_strdup(at_arena *arena, const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = at_arena_alloc(arena, bytes);
    if (copy != NULL) memcpy(copy, text, bytes);
    return copy;
}

at_arena_mark at_arena_save(const at_arena *arena)
{
    return (at_arena_mark){
        .chunk = arena->current,
        .chunk_used = arena->current != NULL ? arena->current->used : 0,
        .used = arena->used,
    };
}

void at_arena_restore(at_arena *arena, at_arena_mark mark)
{
    arena->current = mark.chunk;
    arena->used = mark.used;
    if (mark.chunk != NULL) mark.chunk->used = mark.chunk_used;
}

void at_arena_reset(at_arena *arena)
{
    at_arena_restore(arena, (at_arena_mark){0});
    arena->failed = false;
}
