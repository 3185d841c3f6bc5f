/* Drawing segmentations. SentencePiece can, but from a generator of its own that all of a process share; so draws are
 * made here, by key: from the n best of a unigram model, or by BPE with merges left out:
 *
 *   symbols   ▁ | l | o | w | e | r       pair (l, o) is the merge learned earliest: taken, or left out
 *   symbols   ▁ | lo | w | e | r          pairs (▁, lo) and (lo, w) are new
 *
 * as in SentencePiece's own: a pair left out comes back only when a neighbour changes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "text/sentencepiece.h"

typedef struct draw {
    double alpha;
    uint64_t key;
} draw;

/* By P^alpha: scores relative to the best one, so that none underflows. */
static size_t choose(void *arg, const double *log_probs, size_t n)
{
    const draw *d = arg;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += exp(d->alpha * (log_probs[i] - log_probs[0]));
    double left = at_rng_uniform(d->key, 0) * sum;
    for (size_t i = 0; i + 1 < n; i++)
        if ((left -= exp(d->alpha * (log_probs[i] - log_probs[0]))) < 0) return i;
    return n - 1;
}

/* The text that pieces make, spaces as "▁". */
static at_status join(const at_spm *spm, const int32_t *ids, size_t count, at_buf *text, at_error *err)
{
    for (size_t i = 0; i < count; i++) ATT_TRY(at_buf_puts(text, at_spm_piece(spm, ids[i]), err));
    return ATT_OK;
}

static at_status read_back(const at_spm *spm, const int32_t *ids, size_t count, at_buf *text, at_error *err)
{
    const char **pieces = malloc((count + 1) * sizeof *pieces); /* one more, as malloc(0) may be NULL */
    if (pieces == NULL) return at_fail_memory(err, (count + 1) * sizeof *pieces);
    for (size_t i = 0; i < count; i++) pieces[i] = at_spm_piece(spm, ids[i]);
    const at_status status = at_spm_decode(spm, pieces, count, text, err);
    free(pieces);
    return status;
}

static at_status resample_unigram(const at_spm *spm, const int32_t *ids, size_t count, const at_subword_sampling *how,
                                  uint64_t key, at_ids *out, at_error *err)
{
    at_buf text = {0};
    draw d = {how->alpha, key};
    at_status status = read_back(spm, ids, count, &text, err);
    if (status == ATT_OK)
        status = at_spm_choose(spm, text.data ? text.data : "", text.len, how->best, choose, &d, out, err);
    at_buf_free(&text);
    return status;
}

/* ---- BPE ---- */

typedef struct symbol {
    const char *text;
    size_t len;
    bool whole;  /* a piece such as "<0x41>" or "<sep>", which is no text: not part of any merge */
    float score; /* of merging it with the next one; -INFINITY: no such merge, or left out */
} symbol;

typedef struct merging {
    const at_spm *spm;
    symbol *symbols;
    size_t count;
} merging;

static size_t character_length(const char *text)
{
    const unsigned char c = (unsigned char)*text;
    return c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static bool is_whole(const char *piece, size_t len)
{
    return len > 2 && piece[0] == '<' && piece[len - 1] == '>';
}

/* Characters of all pieces; `text` holds the pieces end to end. */
static void split(merging *m, const int32_t *ids, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        const size_t len = strlen(at_spm_piece(m->spm, ids[i]));
        const bool whole = is_whole(text, len);
        for (size_t at = 0; at < len;) {
            size_t step = whole ? len : character_length(text + at);
            if (step > len - at) step = len - at;
            m->symbols[m->count++] = (symbol){text + at, step, whole, -INFINITY};
            at += step;
        }
        text += len;
    }
}

/* Looks up the merge of symbol i with the next one. */
static void rate(merging *m, size_t i)
{
    if (i + 1 >= m->count) return;
    symbol *left = &m->symbols[i];
    const symbol *right = left + 1;
    left->score = -INFINITY;
    if (left->whole || right->whole) return;
    float score;
    if (at_spm_find_part(m->spm, left->text, left->len + right->len, &score) >= 0) left->score = score;
}

/* The pair to merge next: the best score, of equal ones the first. */
static size_t best_pair(const merging *m)
{
    size_t best = 0;
    for (size_t i = 1; i + 1 < m->count; i++)
        if (m->symbols[i].score > m->symbols[best].score) best = i;
    return best;
}

static void merge(merging *m, size_t i)
{
    symbol *s = m->symbols;
    s[i].len += s[i + 1].len;
    s[i].score = -INFINITY;
    memmove(&s[i + 1], &s[i + 2], (m->count - i - 2) * sizeof *s);
    m->count--;
    rate(m, i);
    if (i > 0) rate(m, i - 1);
}

static void merge_all(merging *m, double dropout, uint64_t key)
{
    for (size_t i = 0; i < m->count; i++) rate(m, i);
    for (uint64_t draws = 0; m->count > 1; draws++) {
        const size_t i = best_pair(m);
        if (m->symbols[i].score == -INFINITY) return;
        if (at_rng_uniform(key, draws) < dropout)
            m->symbols[i].score = -INFINITY;
        else
            merge(m, i);
    }
}

/* A character that is no piece of its own, which a merge left out has uncovered, would be unknown: then ids stay as
 * they were. */
static at_status take_symbols(const merging *m, const int32_t *ids, size_t count, at_ids *out, at_error *err)
{
    const size_t before = out->len;
    for (size_t i = 0; i < m->count; i++) {
        float score;
        const int32_t id = at_spm_find_part(m->spm, m->symbols[i].text, m->symbols[i].len, &score);
        if (id < 0) {
            out->len = before;
            return at_ids_add(out, ids, count, err);
        }
        ATT_TRY(at_ids_push(out, id, err));
    }
    return ATT_OK;
}

static at_status resample_bpe(const at_spm *spm, const int32_t *ids, size_t count, const at_subword_sampling *how,
                              uint64_t key, at_ids *out, at_error *err)
{
    at_buf text = {0};
    merging m = {.spm = spm};
    at_status status = join(spm, ids, count, &text, err);
    const size_t bytes = (text.len + 1) * sizeof *m.symbols;
    if (status == ATT_OK && (m.symbols = malloc(bytes)) == NULL) status = at_fail_memory(err, bytes);
    if (status == ATT_OK && text.len > 0) {
        split(&m, ids, count, text.data);
        merge_all(&m, how->alpha, key);
        status = take_symbols(&m, ids, count, out, err);
    }
    free(m.symbols);
    at_buf_free(&text);
    return status;
}

at_status at_spm_resample(const at_spm *spm, const int32_t *ids, size_t count, const at_subword_sampling *how,
                          uint64_t key, at_ids *out, at_error *err)
{
    const int32_t unknown = at_spm_specials(spm).unk;
    for (size_t i = 0; i < count; i++)
        if (ids[i] == unknown) return at_ids_add(out, ids, count, err);
    if (at_spm_is_unigram(spm)) return resample_unigram(spm, ids, count, how, key, out, err);
    return resample_bpe(spm, ids, count, how, key, out, err);
}
