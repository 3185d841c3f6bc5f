/* What a SentencePiece model must satisfy before the library sees it. The library's own parser finds most faults, but
 * it trusts the following, and a broken or hostile file makes it read beyond its arrays:
 *
 *   - a piece is not empty, holds no NUL and is not too long (its tries are built by recursion over the bytes)
 *   - at most 64 user-defined pieces are prefixes of one another (a fixed array takes the matches)
 *   - the normalisation table, which it uses in place:
 *
 *       +--------------+------------------------+-----------------------------------+
 *       | trie bytes   | double array: units    | replacements, each ended by a NUL |
 *       | 4 bytes      | of 4 bytes             |                                   |
 *       +--------------+------------------------+-----------------------------------+
 *
 * The message is sentencepiece_model.proto of SentencePiece 0.1.97 in protobuf's wire format; numbers are
 * little-endian. The double array is Darts-clone's (Yata et al. 2007): a unit holds a label, the XOR distance to the
 * block of its children, and whether a leaf with a value stands at the block's head. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/sentencepiece.h"

enum {
    LARGEST_MODEL = 1 << 30, /* bytes; the parser counts in int */
    LONGEST_PIECE = 4096,    /* bytes */
    MOST_NESTED_PIECES = 64, /* kResultSize of PrefixMatcher::PrefixMatch */
    MOST_NESTED_RULES = 32,  /* kMaxTrieResultsSize of normalizer::Normalizer */
    LONGEST_RULE = 1024,     /* bytes of a key of the normalisation table */
    TRIE_BLOCK = 256         /* units: the children of one unit lie within a block */
};

enum { MODEL_PIECE = 1, MODEL_NORMALIZER = 3, MODEL_DENORMALIZER = 5 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { NORMALIZER_TABLE = 2 };
enum { TYPE_USER_DEFINED = 4 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct span {
    const uint8_t *data;
    size_t len;
} span;

typedef struct field {
    uint32_t number, type;
    uint64_t value; /* of WIRE_VARINT and WIRE_32 */
    span bytes;     /* of WIRE_BYTES */
} field;

typedef struct spans { /* the user-defined pieces */
    span *items;
    size_t count, cap;
} spans;

static bool take(span *from, size_t count, span *out)
{
    if (count > from->len) return false;
    *out = (span){from->data, count};
    from->data += count;
    from->len -= count;
    return true;
}

static bool take_varint(span *from, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        span byte;
        if (!take(from, 1, &byte)) return false;
        *out |= (uint64_t)(byte.data[0] & 0x7F) << shift;
        if (byte.data[0] < 0x80) return true;
    }
    return false;
}

static uint32_t little_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* The next field of a message that is not at its end; false when it is malformed. Groups, which the format has given
 * up, count as malformed. */
static bool take_field(span *from, field *out)
{
    uint64_t tag, len;
    span word;
    *out = (field){0};
    if (!take_varint(from, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) return false;
    out->number = (uint32_t)(tag >> 3);
    out->type = (uint32_t)(tag & 7);
    switch (out->type) {
    case WIRE_VARINT:
        return take_varint(from, &out->value);
    case WIRE_64:
        return take(from, 8, &word);
    case WIRE_BYTES:
        return take_varint(from, &len) && len <= SIZE_MAX && take(from, (size_t)len, &out->bytes);
    case WIRE_32:
        if (!take(from, 4, &word)) return false;
        out->value = little_endian(word.data);
        return true;
    default:
        return false;
    }
}

static bool is_number(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return !isnan(value);
}

static bool text_is_sane(span text)
{
    return text.len > 0 && text.len <= LONGEST_PIECE && memchr(text.data, 0, text.len) == NULL &&
           at_utf8_valid((const char *)text.data, text.len) == text.len;
}

static at_status keep(spans *list, span item, at_error *err)
{
    if (list->count == list->cap) {
        const size_t cap = list->cap == 0 ? 64 : 2 * list->cap;
        span *items = realloc(list->items, cap * sizeof *items);
        if (items == NULL) return at_fail_memory(err, cap * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = item;
    return ATT_OK;
}

/* *reason is set when the piece is bad. Of a repeated field the last value holds, as for the library. */
static at_status check_piece(span message, spans *user_defined, const char **reason, at_error *err)
{
    span text = {0};
    bool is_user_defined = false;
    while (message.len > 0 && *reason == NULL) {
        field f;
        if (!take_field(&message, &f)) *reason = "a piece is cut short or damaged";
        if (*reason != NULL) return ATT_OK;
        if (f.number == PIECE_TEXT && f.type == WIRE_BYTES) text = f.bytes;
        is_user_defined |= f.number == PIECE_TYPE && (uint32_t)f.value == TYPE_USER_DEFINED;
        if (f.number == PIECE_SCORE && f.type == WIRE_32 && !is_number((uint32_t)f.value)) {
            *reason = "the score of a piece is not a number";
        }
    }
    if (!text_is_sane(text)) *reason = "a piece is empty, too long or not valid UTF-8";
    return is_user_defined ? keep(user_defined, text, err) : ATT_OK;
}

static int compare_spans(const void *a, const void *b)
{
    const span *x = a, *y = b;
    const int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static bool is_prefix(span prefix, span of)
{
    return prefix.len <= of.len && memcmp(prefix.data, of.data, prefix.len) == 0;
}

/* In sorted order the prefixes of a piece are a stack: what isn't a prefix of this one isn't one of a later one. */
static bool nesting_is_sane(spans *pieces)
{
    span stack[MOST_NESTED_PIECES];
    size_t depth = 0;
    if (pieces->count > 0) qsort(pieces->items, pieces->count, sizeof *pieces->items, compare_spans);
    for (size_t i = 0; i < pieces->count; i++) {
        while (depth > 0 && !is_prefix(stack[depth - 1], pieces->items[i])) depth--;
        if (depth == MOST_NESTED_PIECES) return false;
        stack[depth++] = pieces->items[i];
    }
    return true;
}

static uint32_t unit_at(span trie, size_t index)
{
    return little_endian(trie.data + 4 * index);
}

static uint32_t unit_label(uint32_t unit)
{
    return unit & (1u << 31 | 0xFF);
}

/* The head of the block that holds a unit's children. */
static size_t unit_children(size_t index, uint32_t unit)
{
    return index ^ ((size_t)(unit >> 10) << ((unit & 1u << 9) >> 6));
}

static bool unit_has_value(uint32_t unit)
{
    return (unit >> 8 & 1) != 0;
}

/* No step from any unit leaves the array, and every value lies within the replacements. */
static bool steps_are_sane(span trie, size_t units, size_t replacement_bytes)
{
    for (size_t i = 0; i < units; i++) {
        const uint32_t unit = unit_at(trie, i);
        if (unit_label(unit) > 0xFF) continue; /* a leaf: only its value is read */
        const size_t children = unit_children(i, unit);
        if ((children | (TRIE_BLOCK - 1)) >= units) return false;
        if (unit_has_value(unit) && (unit_at(trie, children) & 0x7FFFFFFFu) >= replacement_bytes) return false;
    }
    return true;
}

/* One sweep over the units: nested[b], the largest number of values on a way from the root to the block b, -1 where
 * there is none, moves on to each unit's children. Returns whether anything changed; *most is the largest number. */
static bool spread(span trie, size_t units, int8_t *nested, int *most)
{
    bool changed = false;
    for (size_t i = 0; i < units && *most <= MOST_NESTED_RULES; i++) {
        const uint32_t unit = unit_at(trie, i), label = unit_label(unit);
        if (label > 0xFF || nested[i ^ label] < 0) continue;
        const int count = nested[i ^ label] + unit_has_value(unit);
        int8_t *next = &nested[unit_children(i, unit)];
        if (count <= *next) continue;
        *next = (int8_t)count;
        if (count > *most) *most = count;
        changed = true;
    }
    return changed;
}

/* The library keeps the values met along one key in an array of fixed size. A sweep moves every way on by one byte at
 * least, so there are no more sweeps than the longest key has bytes; a ring of units either adds no value or exceeds
 * the limit. */
static at_status check_nesting(span trie, size_t units, bool *sane, at_error *err)
{
    int8_t *nested = malloc(units);
    if (nested == NULL) return at_fail_memory(err, units);
    memset(nested, -1, units);
    nested[unit_children(0, unit_at(trie, 0))] = 0;
    int most = 0, sweeps = 0;
    while (sweeps < LONGEST_RULE && spread(trie, units, nested, &most)) sweeps++;
    *sane = most <= MOST_NESTED_RULES && sweeps < LONGEST_RULE;
    free(nested);
    return ATT_OK;
}

static at_status check_table(span table, bool *sane, at_error *err)
{
    span head, trie;
    *sane = table.len == 0;
    if (!take(&table, 4, &head) || !take(&table, little_endian(head.data), &trie)) return ATT_OK;
    if (trie.len == 0 || trie.len % (4 * TRIE_BLOCK) != 0 || unit_label(unit_at(trie, 0)) != 0) return ATT_OK;
    if (table.len == 0 || table.data[table.len - 1] != 0) return ATT_OK;
    const size_t units = trie.len / 4;
    if (!steps_are_sane(trie, units, table.len)) return ATT_OK;
    return check_nesting(trie, units, sane, err);
}

static at_status check_normalizer(span message, const char **reason, at_error *err)
{
    while (message.len > 0 && *reason == NULL) {
        field f;
        bool sane = true;
        if (!take_field(&message, &f)) {
            *reason = "the normaliser is cut short or damaged";
        } else if (f.number == NORMALIZER_TABLE && f.type == WIRE_BYTES) {
            ATT_TRY(check_table(f.bytes, &sane, err));
            if (!sane) *reason = "the normalisation table is damaged";
        }
    }
    return ATT_OK;
}

static at_status check_message(span message, spans *user_defined, const char **reason, at_error *err)
{
    size_t pieces = 0;
    while (message.len > 0 && *reason == NULL) {
        field f;
        if (!take_field(&message, &f)) {
            *reason = pieces == 0 ? "it is no protobuf message" : "it is cut short or damaged";
        } else if (f.number == MODEL_PIECE && f.type == WIRE_BYTES) {
            pieces++;
            ATT_TRY(check_piece(f.bytes, user_defined, reason, err));
        } else if ((f.number == MODEL_NORMALIZER || f.number == MODEL_DENORMALIZER) && f.type == WIRE_BYTES) {
            ATT_TRY(check_normalizer(f.bytes, reason, err));
        }
    }
    if (*reason == NULL && pieces == 0) *reason = "it has no pieces";
    if (*reason == NULL && !nesting_is_sane(user_defined)) *reason = "too many of its pieces begin one another";
    return ATT_OK;
}

at_status at_spm_check(const void *bytes, size_t size, const char *name, at_error *err)
{
    spans user_defined = {0};
    const char *reason = size > LARGEST_MODEL ? "it is too large" : NULL;
    const at_status status = check_message((span){bytes, size}, &user_defined, &reason, err);
    free(user_defined.items);
    if (status != ATT_OK || reason == NULL) return status;
    return at_fail(err, ATT_INPUT, "%s: not a SentencePiece model: %s; get the file again", name, reason);
}
