/* Arena: many allocations, one release. The step arena of training, scratch of
 * kernels and everything that lives as long as a model are arenas.
 *
 *   chunk 0                  chunk 1
 *   +----+------+---+-----+  +---------+--------------+
 *   | a  |  b   | c | pad |  |    d    |     free     |
 *   +----+------+---+-----+  +---------+--------------+
 *                                      ^ used
 *
 * Blocks are 64-byte aligned (one cache line, one AVX-512 vector). A failed
 * allocation returns NULL and raises `failed`, which stays up until reset, so
 * that a step checks once at its end. Not thread-safe: one arena, one thread. */
#ifndef ATT_BASE_ARENA_H
#define ATT_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct at_arena_chunk at_arena_chunk;

typedef struct at_arena {
    at_arena_chunk *first; /* chunks in order of allocation */
    at_arena_chunk *current;
    size_t chunk_bytes; /* size of a new chunk; larger requests get their own */
    size_t used;        /* bytes handed out, padding included */
    size_t peak;        /* largest `used` since init */
    bool failed;        /* sticky: an allocation returned NULL */
} at_arena;

typedef struct at_arena_mark {
    at_arena_chunk *chunk;
    size_t chunk_used;
    size_t used;
} at_arena_mark;

/* chunk_bytes 0 takes the default of 1 MiB. Allocates nothing yet. */
void at_arena_init(at_arena *arena, size_t chunk_bytes);
void at_arena_free(at_arena *arena);

/* Uninitialised memory, 64-byte aligned; bytes 0 gives a unique pointer too. */
void *at_arena_alloc(at_arena *arena, size_t bytes);
void *at_arena_zalloc(at_arena *arena, size_t bytes);
/* count * size with overflow check. */
void *at_arena_array(at_arena *arena, size_t count, size_t size);
char *at_arena_strdup(at_arena *arena, const char *text);

/* Everything allocated after the mark is given back; chunks are kept. */
at_arena_mark at_arena_save(const at_arena *arena);
void at_arena_restore(at_arena *arena, at_arena_mark mark);
/* Gives everything back, keeps the chunks, lowers `failed`. */
void at_arena_reset(at_arena *arena);

#endif
