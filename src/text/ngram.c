/* N-grams by naming (Karp, Miller, Rosenberg 1972, "Rapid identification of repeated patterns in strings, trees and
 * arrays"): equal n-grams of the reference get equal names, and an n-gram's name follows from a pair of numbers,
 *
 *   name(x[i .. i+n])  <-  ( name(x[i .. i+n-1]), x[i+n-1] )
 *
 * So a table from pairs to names serves every order, a look-up costs the same for any n, and no two n-grams are ever
 * taken for one. An n-gram of the hypothesis that the reference lacks gets no name, nor does any that begins so. */
#include "text/ngram.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

struct at_ngram_slot {
    uint64_t key;  /* name of the first n - 1 units << 32 | the last unit */
    int32_t name;  /* from 1; 0 marks a free slot */
    int32_t count; /* most occurrences in one reference, less those that hypothesis n-grams have matched */
    int32_t here;  /* occurrences in the reference that `reference` numbers */
    int32_t reference;
};

enum { NAMELESS = 0 };

void at_ngrams_free(at_ngrams *ngrams)
{
    free(ngrams->slots);
    free(ngrams->hypothesis_names);
    free(ngrams->reference_names);
    *ngrams = (at_ngrams){0};
}

/* Names of n-grams of length 0: all equal. */
static at_status names_reset(int32_t **names, size_t *cap, size_t len, at_error *err)
{
    if (len > *cap) {
        int32_t *more = realloc(*names, len * sizeof *more);
        if (more == NULL) return at_fail_memory(err, len * sizeof *more);
        *names = more;
        *cap = len;
    }
    for (size_t i = 0; i < len; i++) (*names)[i] = 1;
    return ATT_OK;
}

/* Room for `len` pairs at a load of at most one half. */
static at_status slots_reserve(at_ngrams *ngrams, size_t len, at_error *err)
{
    size_t cap = 64;
    while (cap < 2 * len) cap *= 2;
    if (cap <= ngrams->cap) return ATT_OK;
    free(ngrams->slots);
    ngrams->slots = malloc(cap * sizeof *ngrams->slots);
    ngrams->cap = ngrams->slots != NULL ? cap : 0;
    return ngrams->slots != NULL ? ATT_OK : at_fail_memory(err, cap * sizeof *ngrams->slots);
}

/* The slot of a key, or the free one where it belongs. mask: slots in use - 1 */
static at_ngram_slot *find(at_ngram_slot *slots, size_t mask, uint64_t key)
{
    size_t at = (size_t)at_rng_mix(key) & mask;
    while (slots[at].name != NAMELESS && slots[at].key != key) at = (at + 1) & mask;
    return &slots[at];
}

/* Names and counts one reference's n-grams; names (len) hold those of order n - 1 and get those of order n. used: names
 * given so far; returns those given now. */
static int32_t count_reference(at_ngram_slot *slots, size_t mask, const int32_t *last, size_t count, int32_t number,
                               int32_t used, int32_t *names)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t key = (uint64_t)(uint32_t)names[i] << 32 | (uint32_t)last[i];
        at_ngram_slot *slot = find(slots, mask, key);
        if (slot->name == NAMELESS) *slot = (at_ngram_slot){key, ++used, 0, 0, number};
        slot->here = slot->reference == number ? slot->here + 1 : 1;
        slot->reference = number;
        if (slot->here > slot->count) slot->count = slot->here;
        names[i] = slot->name;
    }
    return used;
}

/* The references' n-grams of order n; returns how many kinds there are. */
static int32_t count_references(at_ngrams *ngrams, size_t mask, const at_ids *references, size_t reference_count, int n)
{
    int32_t used = 0;
    size_t start = 0; /* of a reference's names */
    for (size_t i = 0; i < reference_count; i++) {
        const size_t count = (size_t)at_ngram_count(references[i].len, n);
        if (count > 0) {
            used = count_reference(ngrams->slots, mask, references[i].data + n - 1, count, (int32_t)i, used,
                                   ngrams->reference_names + start);
        }
        start += references[i].len;
    }
    return used;
}

/* Looks the hypothesis's n-grams up, each match using up one occurrence; returns the number of matches. */
static int64_t match_hypothesis(at_ngram_slot *slots, size_t mask, const int32_t *last, size_t count, int32_t *names)
{
    int64_t matches = 0;
    for (size_t i = 0; i < count; i++) {
        if (names[i] == NAMELESS) continue;
        at_ngram_slot *slot = find(slots, mask, (uint64_t)(uint32_t)names[i] << 32 | (uint32_t)last[i]);
        names[i] = slot->name;
        if (slot->name == NAMELESS || slot->count == 0) continue;
        slot->count--;
        matches++;
    }
    return matches;
}

at_status at_ngrams_match(at_ngrams *ngrams, const at_ids *hypothesis, const at_ids *references, size_t reference_count,
                          int orders, int64_t *matches, at_error *err)
{
    size_t len = 0, mask = 63; /* a short segment clears little of a large table */
    for (size_t i = 0; i < reference_count; i++) len += references[i].len;
    while (mask + 1 < 2 * len) mask = 2 * mask + 1;
    ATT_TRY(names_reset(&ngrams->hypothesis_names, &ngrams->hypothesis_cap, hypothesis->len, err));
    ATT_TRY(names_reset(&ngrams->reference_names, &ngrams->reference_cap, len, err));
    ATT_TRY(slots_reserve(ngrams, len, err));
    for (int n = 1; n <= orders; n++) {
        const size_t tries = (size_t)at_ngram_count(hypothesis->len, n);
        if (tries == 0) return ATT_OK;
        memset(ngrams->slots, 0, (mask + 1) * sizeof *ngrams->slots);
        if (count_references(ngrams, mask, references, reference_count, n) == 0) return ATT_OK;
        matches[n - 1] +=
            match_hypothesis(ngrams->slots, mask, hypothesis->data + n - 1, tries, ngrams->hypothesis_names);
    }
    return ATT_OK;
}
