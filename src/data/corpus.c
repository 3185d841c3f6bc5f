/* Reading a parallel corpus: each pair judged, tokenised, and kept or counted as skipped. Read next: token_cache.c,
 * batcher.c. */
#include "data/corpus.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "data/hash_map.h"
#include "data/token_cache.h"

enum { MEMORY = 64 << 20, HASHED_AT_ONCE = 512, HASH_STATE = 576 /* bytes, for messages */ };

typedef struct reader {
    at_corpus *corpus;
    const at_corpus_spec *spec;
    at_ids ids[2]; /* of the current pair */
    int64_t id_count;
} reader;

void at_corpus_free(at_corpus *corpus)
{
    at_spool_free(&corpus->index_spool);
    at_spool_free(&corpus->id_spool);
    at_map_close(&corpus->map);
    free(corpus->cache_note);
    *corpus = (at_corpus){0};
}

/* ---- from text ---- */

static at_status keep(reader *in, int64_t line, at_error *err)
{
    at_corpus *corpus = in->corpus;
    if (in->ids[0].len >= UINT32_MAX || in->ids[1].len >= UINT32_MAX)
        return at_fail(err, ATT_UNSUPPORTED, "line %lld has too many tokens; set max-tokens", (long long)line);
    const at_corpus_pair pair = {in->id_count, (uint32_t)in->ids[0].len, (uint32_t)in->ids[1].len, line};
    ATT_TRY(at_spool_add(&corpus->index_spool, &pair, sizeof pair, err));
    for (int i = 0; i < 2; i++) {
        ATT_TRY(at_spool_add(&corpus->id_spool, in->ids[i].data, in->ids[i].len * sizeof *in->ids[i].data, err));
        in->id_count += (int64_t)in->ids[i].len;
    }
    corpus->count++;
    return ATT_OK;
}

/* In a stream each line is followed by what ends it. A line end that is part of the text stands where the text has one;
 * an end token separates lines, so the last one has it in any case. */
static at_status end_line(reader *in, const at_pair *pair, at_error *err)
{
    const at_tokenizer *tokenizer = in->spec->judge.tokenizer[1];
    const int32_t end = at_tokenizer_line_end(tokenizer);
    const bool is_text = end != at_tokenizer_eos(tokenizer);
    return is_text && !pair->shape[1].ended ? ATT_OK : at_ids_push(&in->ids[1], end, err);
}

static at_status take_pair(reader *in, const at_pair *pair, at_error *err)
{
    at_skip skip;
    at_corpus_counts *counts = &in->corpus->counts;
    counts->lines = pair->line;
    ATT_TRY(at_judge_pair(&in->spec->judge, pair, in->ids, &skip, err));
    if (skip == ATT_SKIP_KINDS && pair->one_side) ATT_TRY(end_line(in, pair, err));
    if (skip == ATT_SKIP_KINDS) return keep(in, pair->line, err);
    if (counts->skipped[skip]++ == 0) counts->first_skipped[skip] = pair->line;
    return ATT_OK;
}

static at_status take_pairs(reader *in, at_pairs *pairs, at_error *err)
{
    const volatile int *cancel = in->spec->cancel;
    for (;;) {
        at_pair pair;
        bool got;
        if (at_cancelled(cancel)) return at_fail(err, ATT_CANCELLED, "interrupted while reading text");
        ATT_TRY(at_pairs_next(pairs, &pair, &got, err));
        if (!got) return ATT_OK;
        ATT_TRY(take_pair(in, &pair, err));
    }
}

/* Over both sides' offsets and tokens in turn, as if each side lay in arrays of its own: the value is part of
 * checkpoints. */
static uint64_t hash_side(const at_corpus *corpus, int side, uint64_t seed, XXH3_state_t *state)
{
    int64_t offset[HASHED_AT_ONCE], end = 0;
    size_t used = 1;
    offset[0] = 0;
    XXH3_64bits_reset_withSeed(state, seed);
    for (int64_t i = 0; i < corpus->count; i++) {
        if (used == HASHED_AT_ONCE) {
            XXH3_64bits_update(state, offset, sizeof offset);
            used = 0;
        }
        end += side == 0 ? corpus->pair[i].source_len : corpus->pair[i].target_len;
        offset[used++] = end;
    }
    XXH3_64bits_update(state, offset, used * sizeof *offset);
    XXH3_64bits_reset_withSeed(state, XXH3_64bits_digest(state));
    for (int64_t i = 0; i < corpus->count; i++) {
        const int32_t *ids = side == 0 ? at_corpus_source(corpus, i) : at_corpus_target(corpus, i);
        const uint32_t len = side == 0 ? corpus->pair[i].source_len : corpus->pair[i].target_len;
        XXH3_64bits_update(state, ids, len * sizeof *ids);
    }
    return XXH3_64bits_digest(state);
}

static at_status finish(reader *in, at_error *err)
{
    at_corpus *corpus = in->corpus;
    ATT_TRY(at_spool_finish(&corpus->index_spool, err));
    ATT_TRY(at_spool_finish(&corpus->id_spool, err));
    corpus->pair = corpus->index_spool.bytes;
    corpus->ids = corpus->id_spool.bytes;
    corpus->id_count = in->id_count;
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) return at_fail_memory(err, HASH_STATE);
    corpus->hash = hash_side(corpus, 1, hash_side(corpus, 0, 0, state), state);
    XXH3_freeState(state);
    return ATT_OK;
}

static at_status read_text(at_corpus *corpus, const at_corpus_spec *spec, at_error *err)
{
    const size_t memory = spec->memory > 0 ? spec->memory : MEMORY;
    reader in = {.corpus = corpus, .spec = spec};
    at_pairs *pairs;
    ATT_TRY(at_pairs_open(&pairs, &spec->files, err));
    at_spool_init(&corpus->index_spool, spec->cache, memory);
    at_spool_init(&corpus->id_spool, spec->cache, memory);
    at_status status = take_pairs(&in, pairs, err);
    if (status == ATT_OK) status = finish(&in, err);
    at_pairs_close(pairs);
    at_ids_free(&in.ids[0]);
    at_ids_free(&in.ids[1]);
    return status;
}

/* ---- with the cache ---- */

/* Text that costs more than a look at a file: packed, or too much for memory. */
static bool is_worth_caching(const at_corpus *corpus, const at_corpus_spec *spec)
{
    if (spec->always_cache || corpus->id_spool.on_disk) return true;
    for (int i = 0; i < spec->files.count; i++) {
        for (int side = 0; side < (spec->files.targets != NULL ? 2 : 1); side++) {
            const char *path = side == 0 ? spec->files.sources[i] : spec->files.targets[i];
            if (at_path_ends_with(path, ".gz")) return true;
        }
    }
    return false;
}

static at_status note(at_corpus *corpus, at_cache_use use, const char *text, at_error *err)
{
    corpus->cache = use;
    free(corpus->cache_note);
    corpus->cache_note = strdup(text);
    return corpus->cache_note != NULL ? ATT_OK : at_fail_memory(err, strlen(text));
}

/* The text is read, since there is no cache or no good one, and kept for the next time. */
static at_status read_and_cache(at_corpus *corpus, const at_corpus_spec *spec, const char *path,
                                const at_cache_key *key, const char *damage, at_error *err)
{
    at_error failure;
    ATT_TRY(read_text(corpus, spec, err));
    if (damage == NULL && !is_worth_caching(corpus, spec)) return ATT_OK;
    const at_status status = at_token_cache_write(corpus, path, key, &failure);
    if (status == ATT_MEMORY) return at_fail_memory(err, 0);
    if (status != ATT_OK) return note(corpus, ATT_CACHE_FAILED, failure.text, err);
    return damage != NULL ? note(corpus, ATT_CACHE_REBUILT, damage, err) : note(corpus, ATT_CACHE_WRITTEN, path, err);
}

static at_status open_with_cache(at_corpus *corpus, const at_corpus_spec *spec, const at_cache_key *key, at_buf *path,
                                 at_error *err)
{
    const int vocabulary[2] = {at_tokenizer_size(spec->judge.tokenizer[0]),
                               at_tokenizer_size(spec->judge.tokenizer[1])};
    at_error damage;
    ATT_TRY(at_token_cache_path(spec->cache, key, path, err));
    if (!at_path_exists(path->data)) return read_and_cache(corpus, spec, path->data, key, NULL, err);
    if (at_token_cache_open(corpus, path->data, key, vocabulary, &damage) == ATT_OK)
        return note(corpus, ATT_CACHE_FOUND, path->data, err);
    return read_and_cache(corpus, spec, path->data, key, damage.text, err);
}

at_status at_corpus_open(at_corpus *corpus, const at_corpus_spec *spec, at_error *err)
{
    at_cache_key key;
    at_buf path = {0};
    *corpus = (at_corpus){0};
    at_status status = spec->cache != NULL ? at_token_cache_key(spec, &key, err) : ATT_UNSUPPORTED;
    if (status == ATT_OK)
        status = open_with_cache(corpus, spec, &key, &path, err);
    else if (status == ATT_UNSUPPORTED)
        status = read_text(corpus, spec, err);
    at_buf_free(&path);
    if (status != ATT_OK) at_corpus_free(corpus);
    return status;
}

/* ---- comparing ---- */

static uint64_t hash_pair(const at_corpus *corpus, int64_t i)
{
    const at_corpus_pair *pair = &corpus->pair[i];
    const size_t count = (size_t)pair->source_len + pair->target_len;
    return XXH3_64bits_withSeed(corpus->ids + pair->start, count * sizeof *corpus->ids, pair->source_len);
}

static at_status count_hashes(at_hash_map *map, const at_corpus *corpus, at_error *err)
{
    for (int64_t i = 0; i < corpus->count; i++) {
        int64_t *value;
        bool is_new;
        ATT_TRY(at_hash_map_add(map, hash_pair(corpus, i), &value, &is_new, err));
        (*value)++;
    }
    return ATT_OK;
}

at_status at_corpus_shared(const at_corpus *whole, const at_corpus *part, int64_t *count, at_error *err)
{
    at_hash_map map = {0};
    const at_status status = count_hashes(&map, part, err);
    *count = 0;
    for (int64_t i = 0; i < whole->count && status == ATT_OK; i++) {
        int64_t *value = at_hash_map_find(&map, hash_pair(whole, i));
        if (value == NULL) continue;
        *count += *value;
        *value = 0;
    }
    at_hash_map_free(&map);
    return status;
}
