/* The token cache's file. Its layout is in token_cache.h. */
#include "data/token_cache.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

enum { VERSION = 1, HASH_STATE = 576 /* bytes, for messages */ };
static const uint64_t magic = 0x316B6F7464747461; /* "attdtok1" on a little-endian machine */

typedef struct header {
    uint64_t magic;
    uint64_t version; /* also of the rules by which pairs are judged */
    at_cache_key key;
    int64_t count, id_count;
    at_corpus_counts counts;
    uint64_t text_hash; /* at_corpus.hash */
    uint64_t data_hash; /* of pairs and ids */
    uint64_t hash;      /* of all before it */
} header;

_Static_assert(sizeof(header) % 8 == 0 && sizeof(at_corpus_pair) == 24, "a layout without holes");

static uint64_t header_hash(const header *h)
{
    return XXH3_64bits(h, offsetof(header, hash));
}

/* ---- the key ---- */

/* What the key is a hash of, besides the texts. */
typedef struct settings {
    uint64_t version, tokenizer[2];
    int64_t max_tokens, columns[2]; /* columns: 0 for two files, -1 for one side alone */
    double max_ratio;
} settings;

static at_status hash_file(XXH3_state_t *state, const char *path, at_error *err)
{
    struct stat info;
    at_map map;
    if (strcmp(path, "-") == 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)))
        return ATT_UNSUPPORTED;
    ATT_TRY(at_map_open(&map, path, err));
    const uint64_t size = map.size;
    XXH3_128bits_update(state, &size, sizeof size);
    if (map.size > 0) XXH3_128bits_update(state, map.data, map.size);
    at_map_close(&map);
    return ATT_OK;
}

static at_status hash_files(XXH3_state_t *state, const at_text_files *files, at_error *err)
{
    for (int i = 0; i < files->count; i++) {
        ATT_TRY(hash_file(state, files->sources[i], err));
        if (files->targets != NULL) ATT_TRY(hash_file(state, files->targets[i], err));
    }
    return ATT_OK;
}

at_status at_token_cache_key(const at_corpus_spec *spec, at_cache_key *key, at_error *err)
{
    const at_judge *judge = &spec->judge;
    const bool columns = spec->files.targets == NULL && !spec->files.one_side;
    const int none = spec->files.one_side ? -1 : 0;
    const settings s = {.version = VERSION,
                        .tokenizer = {at_tokenizer_hash(judge->tokenizer[0]), at_tokenizer_hash(judge->tokenizer[1])},
                        .max_tokens = judge->limits.max_tokens,
                        .columns = {columns ? spec->files.column[0] : none, columns ? spec->files.column[1] : none},
                        .max_ratio = judge->limits.max_ratio};
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) return at_fail_memory(err, HASH_STATE);
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, &s, sizeof s);
    const at_status status = hash_files(state, &spec->files, err);
    const XXH128_hash_t hash = XXH3_128bits_digest(state);
    *key = (at_cache_key){hash.low64, hash.high64};
    XXH3_freeState(state);
    return status;
}

at_status at_token_cache_path(const char *folder, const at_cache_key *key, at_buf *path, at_error *err)
{
    at_buf_clear(path);
    return at_buf_printf(path, err, "%s/tokens-%016" PRIx64 ".cache", folder, key->low);
}

/* ---- opening ---- */

/* The sizes that the header gives must be the file's. */
static bool sizes_fit(const header *h, size_t size)
{
    const size_t rest = size - sizeof *h;
    if (h->count < 0 || h->id_count < 0 || (uint64_t)h->count > rest / sizeof(at_corpus_pair)) return false;
    const size_t ids = rest - (size_t)h->count * sizeof(at_corpus_pair);
    return ids % sizeof(int32_t) == 0 && (uint64_t)h->id_count == ids / sizeof(int32_t);
}

static const char *check_header(const header *h, size_t size, const at_cache_key *key)
{
    if (h->magic != magic) return "not a token cache";
    if (h->version != VERSION) return "of another version";
    if (h->hash != header_hash(h)) return "damaged";
    if (memcmp(&h->key, key, sizeof *key) != 0) return "of another text";
    return sizes_fit(h, size) ? NULL : "cut short";
}

static bool ids_fit(const int32_t *ids, uint32_t count, int vocabulary)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary) return false;
    return true;
}

/* Every pair lies behind the one before it and has known tokens. */
static bool pairs_fit(const at_corpus *corpus, const int vocabulary[2])
{
    int64_t end = 0;
    for (int64_t i = 0; i < corpus->count; i++) {
        const at_corpus_pair *pair = &corpus->pair[i];
        if (pair->start != end) return false;
        end += (int64_t)pair->source_len + pair->target_len;
        if (end > corpus->id_count || !ids_fit(at_corpus_source(corpus, i), pair->source_len, vocabulary[0]) ||
            !ids_fit(at_corpus_target(corpus, i), pair->target_len, vocabulary[1])) {
            return false;
        }
    }
    return end == corpus->id_count;
}

/* Points the corpus into its map; tells what is wrong, or NULL. */
static const char *use_map(at_corpus *corpus, const at_cache_key *key, const int vocabulary[2])
{
    const at_map *map = &corpus->map;
    const header *h = (const void *)map->data;
    if (map->size < sizeof *h) return "cut short";
    const char *wrong = check_header(h, map->size, key);
    if (wrong != NULL) return wrong;
    const uint8_t *data = map->data + sizeof *h;
    if (XXH3_64bits(data, map->size - sizeof *h) != h->data_hash) return "damaged";
    corpus->count = h->count;
    corpus->id_count = h->id_count;
    corpus->pair = (const void *)data;
    corpus->ids = (const void *)(data + (size_t)h->count * sizeof *corpus->pair);
    corpus->counts = h->counts;
    corpus->hash = h->text_hash;
    return pairs_fit(corpus, vocabulary) ? NULL : "damaged";
}

at_status at_token_cache_open(at_corpus *corpus, const char *path, const at_cache_key *key, const int vocabulary[2],
                              at_error *err)
{
    *corpus = (at_corpus){0};
    ATT_TRY(at_map_open(&corpus->map, path, err));
    const char *wrong = use_map(corpus, key, vocabulary);
    if (wrong == NULL) return ATT_OK;
    at_corpus_free(corpus);
    return at_fail(err, ATT_INPUT, "%s: the token cache is %s; it is made again", path, wrong);
}

/* ---- writing ---- */

static at_status hash_data(const at_corpus *corpus, uint64_t *hash, at_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) return at_fail_memory(err, HASH_STATE);
    XXH3_64bits_reset(state);
    if (corpus->count > 0) {
        XXH3_64bits_update(state, corpus->pair, (size_t)corpus->count * sizeof *corpus->pair);
        XXH3_64bits_update(state, corpus->ids, (size_t)corpus->id_count * sizeof *corpus->ids);
    }
    *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return ATT_OK;
}

static at_status write_parts(at_writer *writer, const header *h, const at_corpus *corpus, at_error *err)
{
    ATT_TRY(at_writer_write(writer, h, sizeof *h, err));
    ATT_TRY(at_writer_write(writer, corpus->pair, (size_t)corpus->count * sizeof *corpus->pair, err));
    return at_writer_write(writer, corpus->ids, (size_t)corpus->id_count * sizeof *corpus->ids, err);
}

at_status at_token_cache_write(const at_corpus *corpus, const char *path, const at_cache_key *key, at_error *err)
{
    header h = {.magic = magic,
                .version = VERSION,
                .key = *key,
                .count = corpus->count,
                .id_count = corpus->id_count,
                .counts = corpus->counts,
                .text_hash = corpus->hash};
    at_writer *writer;
    ATT_TRY(hash_data(corpus, &h.data_hash, err));
    h.hash = header_hash(&h);
    ATT_TRY(at_writer_open(&writer, path, err));
    const at_status status = write_parts(writer, &h, corpus, err);
    if (status == ATT_OK) return at_writer_commit(writer, err);
    at_writer_abort(writer);
    return status;
}
