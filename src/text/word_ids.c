/* A hash table with linear probing over copies of the words. See word_ids.h. */
#include "text/word_ids.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/utf8.h"

struct at_word_slot {
    uint64_t hash;
    size_t start, len; /* in the bytes; len 0: a free slot */
    int32_t id;
};

enum { FIRST_CAP = 256 };

void at_words_free(at_words *words)
{
    free(words->slots);
    at_buf_free(&words->bytes);
    *words = (at_words){0};
}

/* The word's slot, or the free one where it belongs. */
static at_word_slot *find(const at_words *words, const char *text, size_t len, uint64_t hash)
{
    size_t at = (size_t)hash & (words->cap - 1);
    for (;; at = (at + 1) & (words->cap - 1)) {
        at_word_slot *slot = &words->slots[at];
        if (slot->len == 0) return slot;
        if (slot->hash != hash || slot->len != len) continue;
        if (memcmp(words->bytes.data + slot->start, text, len) == 0) return slot;
    }
}

/* Doubles the table when it is half full. */
static at_status make_room(at_words *words, at_error *err)
{
    if (2 * (size_t)words->count < words->cap) return ATT_OK;
    const size_t cap = words->cap == 0 ? FIRST_CAP : 2 * words->cap;
    at_word_slot *slots = calloc(cap, sizeof *slots);
    if (slots == NULL) return at_fail_memory(err, cap * sizeof *slots);
    for (size_t i = 0; i < words->cap; i++) {
        if (words->slots[i].len == 0) continue;
        size_t at = (size_t)words->slots[i].hash & (cap - 1);
        while (slots[at].len != 0) at = (at + 1) & (cap - 1);
        slots[at] = words->slots[i];
    }
    free(words->slots);
    words->slots = slots;
    words->cap = cap;
    return ATT_OK;
}

static at_status push_word(at_words *words, const char *text, size_t len, at_ids *out, at_error *err)
{
    ATT_TRY(make_room(words, err));
    const uint64_t hash = XXH3_64bits(text, len);
    at_word_slot *slot = find(words, text, len, hash);
    if (slot->len == 0) {
        const size_t start = words->bytes.len;
        ATT_TRY(at_buf_add(&words->bytes, text, len, err));
        *slot = (at_word_slot){hash, start, len, words->count++};
    }
    return at_ids_push(out, slot->id, err);
}

at_status at_words_read(at_words *words, const char *text, size_t len, at_ids *out, at_error *err)
{
    size_t start = 0; /* of the word under way */
    for (size_t at = 0; at < len;) {
        uint32_t code;
        const size_t count = at_utf8_next(text + at, len - at, &code);
        const bool space = at_utf8_is_space(code);
        if (space && at > start) ATT_TRY(push_word(words, text + start, at - start, out, err));
        at += count;
        if (space) start = at;
    }
    return len > start ? push_word(words, text + start, len - start, out, err) : ATT_OK;
}
