/* The token cache, corpora that don't fit in memory, columns, streams, hashes: where the text comes from must not show
 * in the corpus. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/hash_map.h"
#include "data/text_input.h"
#include "data/token_cache.h"

enum { LINES = 300 };

static char folder[64];
static at_tokenizer *tokenizer, *other_tokenizer;

static const char *in_folder(const char *name)
{
    static char paths[64][256]; /* kept for the next 63 calls */
    static int next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_text(const char *path, const at_buf *text)
{
    assert_int_equal(at_file_write(path, text->data, text->len, NULL), ATT_OK);
}

static void add_words(at_buf *text, uint64_t key)
{
    static const char *const words[] = {"haus", "garten", "baum", "katze", "hund", "rot", "blau", "gross"};
    const uint32_t count = 1 + at_rng_below(key, 0, 9);
    for (uint32_t k = 1; k <= count; k++)
        at_buf_puts(text, words[at_rng_below(key, k, 8)], NULL), at_buf_puts(text, " ", NULL);
}

/* a.de, a.en and the same as columns 3 and 1 of a.tsv; every seventh line has an empty side. */
static void write_corpus(void)
{
    at_buf side[2] = {{0}}, columns = {0};
    for (uint64_t i = 0; i < LINES; i++) {
        at_buf text[2] = {{0}};
        for (uint64_t s = 0; s < 2; s++) {
            if (i % 7 != 3 || s == 0) add_words(&text[s], at_rng_key(i, s));
            at_buf_printf(&side[s], NULL, "%s\n", text[s].data ? text[s].data : "");
        }
        at_buf_printf(&columns, NULL, "%s\t%d\t%s\n", text[1].data ? text[1].data : "", (int)i, text[0].data);
        at_buf_free(&text[0]);
        at_buf_free(&text[1]);
    }
    write_text(in_folder("a.de"), &side[0]);
    write_text(in_folder("a.en"), &side[1]);
    write_text(in_folder("a.tsv"), &columns);
    at_buf_free(&side[0]);
    at_buf_free(&side[1]);
    at_buf_free(&columns);
}

static at_tokenizer *train_tokenizer(at_subword model)
{
    const char *path = in_folder("a.de");
    const at_tokenizer_spec spec = {
        .paths = &path, .path_count = 1, .vocab_size = 60, .model = model, .character_coverage = 1};
    at_buf bytes = {0};
    at_tokenizer *made = NULL;
    assert_int_equal(at_tokenizer_train(&spec, &bytes, NULL), ATT_OK);
    assert_int_equal(at_tokenizer_open(&made, bytes.data, bytes.len, "test", NULL), ATT_OK);
    at_buf_free(&bytes);
    return made;
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/attend-corpus-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_corpus();
    tokenizer = train_tokenizer(ATT_SUBWORD_UNIGRAM);
    other_tokenizer = train_tokenizer(ATT_SUBWORD_BPE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    at_tokenizer_free(tokenizer);
    at_tokenizer_free(other_tokenizer);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static at_corpus_spec usual_spec(void)
{
    static char path[2][256];
    static const char *source_path = path[0], *target_path = path[1];
    strcpy(path[0], in_folder("a.de"));
    strcpy(path[1], in_folder("a.en"));
    return (at_corpus_spec){.files = {.sources = &source_path, .targets = &target_path, .count = 1},
                            .judge = {{tokenizer, tokenizer}, {20, 9}}};
}

static at_corpus open_corpus(const at_corpus_spec *spec)
{
    at_corpus corpus;
    at_error err;
    if (at_corpus_open(&corpus, spec, &err) != ATT_OK) fail_msg("%s", err.text);
    return corpus;
}

static void expect_equal(const at_corpus *a, const at_corpus *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->id_count, b->id_count);
    assert_memory_equal(a->pair, b->pair, (size_t)a->count * sizeof *a->pair);
    assert_memory_equal(a->ids, b->ids, (size_t)a->id_count * sizeof *a->ids);
    assert_memory_equal(&a->counts, &b->counts, sizeof a->counts);
    assert_true(a->hash == b->hash);
}

/* Opens what spec says and compares it with the corpus from plain files in memory. */
static void expect_usual(const at_corpus_spec *spec, at_cache_use cache)
{
    const at_corpus_spec usual = usual_spec();
    at_corpus plain = open_corpus(&usual), corpus = open_corpus(spec);
    expect_equal(&plain, &corpus);
    assert_int_equal(corpus.cache, cache);
    at_corpus_free(&plain);
    at_corpus_free(&corpus);
}

static void larger_than_memory(void **state)
{
    (void)state;
    for (size_t memory = 1; memory < 100000; memory = memory * 7 + 1) {
        at_corpus_spec spec = usual_spec();
        spec.memory = memory;
        expect_usual(&spec, ATT_CACHE_NONE);
    }
    at_corpus_spec spec = usual_spec();
    spec.memory = 1000;
    at_corpus corpus = open_corpus(&spec);
    assert_true(corpus.id_spool.on_disk && corpus.index_spool.on_disk);
    assert_int_equal(corpus.counts.skipped[ATT_SKIP_EMPTY], (LINES + 3) / 7);
    at_corpus_free(&corpus);
}

/* The value that checkpoints hold: each side's offsets and ids, hashed as arrays of their own. */
static void hash_is_that_of_arrays(void **state)
{
    (void)state;
    const at_corpus_spec spec = usual_spec();
    at_corpus corpus = open_corpus(&spec);
    uint64_t hash = 0;
    for (int side = 0; side < 2; side++) {
        int64_t *offset = calloc((size_t)corpus.count + 1, sizeof *offset);
        at_ids ids = {0};
        for (int64_t i = 0; i < corpus.count; i++) {
            const at_corpus_pair *pair = &corpus.pair[i];
            at_ids_add(&ids, side ? at_corpus_target(&corpus, i) : at_corpus_source(&corpus, i),
                       side ? pair->target_len : pair->source_len, NULL);
            offset[i + 1] = (int64_t)ids.len;
        }
        hash = XXH3_64bits_withSeed(offset, ((size_t)corpus.count + 1) * sizeof *offset, hash);
        hash = XXH3_64bits_withSeed(ids.data, ids.len * sizeof *ids.data, hash);
        at_ids_free(&ids);
        free(offset);
    }
    assert_true(hash == corpus.hash);
    at_corpus_free(&corpus);
}

static void columns_are_files(void **state)
{
    (void)state;
    const char *path = in_folder("a.tsv");
    at_corpus_spec spec = usual_spec();
    spec.files = (at_text_files){.sources = &path, .count = 1, .column = {3, 1}};
    expect_usual(&spec, ATT_CACHE_NONE);
    spec.files.column[1] = 4;
    at_corpus corpus = open_corpus(&spec);
    assert_int_equal(corpus.count, 0);
    assert_int_equal(corpus.counts.skipped[ATT_SKIP_TORN], LINES);
    at_corpus_free(&corpus);
}

static void columns_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "1", "1,", "0,1", "1,1", "-1,2", "1,2,3", "a,b", "1;2", "1,5000", "1,2 "};
    int column[2];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        at_error err;
        assert_int_equal(at_columns_parse(bad[i], column, &err), ATT_OPTION);
        assert_non_null(strstr(err.text, "such as 1,2"));
    }
    assert_int_equal(at_columns_parse("12,3", column, NULL), ATT_OK);
    assert_true(column[0] == 12 && column[1] == 3);
}

/* The only cache in the folder, and how many there are. */
static int find_caches(char path[256])
{
    char command[128];
    int count = 0;
    snprintf(command, sizeof command, "ls %s/cache/tokens-*.cache 2>/dev/null", folder);
    FILE *list = popen(command, "r");
    assert_non_null(list);
    for (char line[256]; fgets(line, sizeof line, list); count++) {
        line[strcspn(line, "\n")] = '\0';
        strcpy(path, line);
    }
    pclose(list);
    return count;
}

/* A new cache of the usual corpus in an empty folder. */
static at_corpus_spec make_cache(char path[256])
{
    static char cache[256];
    char command[256];
    at_corpus_spec spec = usual_spec();
    strcpy(cache, in_folder("cache"));
    spec.cache = cache;
    spec.always_cache = true;
    snprintf(command, sizeof command, "rm -rf %s/cache && mkdir %s/cache", folder, folder);
    assert_int_equal(system(command), 0);
    expect_usual(&spec, ATT_CACHE_WRITTEN);
    assert_int_equal(find_caches(path), 1);
    return spec;
}

static void cache_is_found(void **state)
{
    (void)state;
    char path[256], command[256];
    const at_corpus_spec spec = make_cache(path);
    expect_usual(&spec, ATT_CACHE_FOUND);
    /* neither path nor time counts */
    snprintf(command, sizeof command, "cp %s/a.de %s/copy.de; touch %s/a.de", folder, folder, folder);
    assert_int_equal(system(command), 0);
    at_corpus_spec moved = spec;
    const char *copy = in_folder("copy.de");
    moved.files.sources = &copy;
    expect_usual(&moved, ATT_CACHE_FOUND);
    assert_int_equal(find_caches(path), 1);
}

static void other_settings_have_their_own(void **state)
{
    (void)state;
    char path[256];
    const at_corpus_spec spec = make_cache(path);
    at_corpus_spec other[4] = {spec, spec, spec, spec};
    const char *swapped = in_folder("a.en");
    other[0].judge.tokenizer[1] = other_tokenizer;
    other[1].judge.limits.max_tokens = 19;
    other[2].judge.limits.max_ratio = 8;
    other[3].files.sources = &swapped;
    for (int i = 0; i < 4; i++) {
        at_corpus corpus = open_corpus(&other[i]);
        assert_int_equal(corpus.cache, ATT_CACHE_WRITTEN);
        at_corpus_free(&corpus);
    }
    assert_int_equal(find_caches(path), 5);
}

/* Text of the same size, written at the same time as far as the file tells. */
static void changed_text_is_seen(void **state)
{
    (void)state;
    char path[256];
    at_buf text = {0};
    struct stat before;
    at_corpus_spec spec = make_cache(path);
    assert_int_equal(at_file_read(in_folder("a.de"), &text, NULL), ATT_OK);
    write_text(in_folder("b.de"), &text);
    const char *changing = in_folder("b.de");
    spec.files.sources = &changing;
    assert_int_equal(stat(changing, &before), 0);
    expect_usual(&spec, ATT_CACHE_FOUND);
    text.data[1] = text.data[1] == 'a' ? 'o' : 'a';
    write_text(changing, &text);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, changing, times, 0), 0);
    at_corpus corpus = open_corpus(&spec);
    assert_int_equal(corpus.cache, ATT_CACHE_WRITTEN);
    at_corpus_free(&corpus);
    at_buf_free(&text);
}

static void damaged_cache_is_made_again(void **state)
{
    (void)state;
    char path[256];
    const at_corpus_spec spec = make_cache(path);
    at_buf whole = {0}, again = {0};
    assert_int_equal(at_file_read(path, &whole, NULL), ATT_OK);
    for (size_t at = 0; at < whole.len; at += 1 + at / 37) {
        for (int cut = 0; cut < 2; cut++) {
            whole.data[at] ^= 0x10;
            assert_int_equal(at_file_write(path, whole.data, cut ? at : whole.len, NULL), ATT_OK);
            whole.data[at] ^= 0x10;
            expect_usual(&spec, ATT_CACHE_REBUILT);
        }
    }
    assert_int_equal(at_file_read(path, &again, NULL), ATT_OK);
    assert_int_equal(again.len, whole.len);
    assert_memory_equal(again.data, whole.data, whole.len);
    at_buf_puts(&again, "more", NULL);
    write_text(path, &again);
    expect_usual(&spec, ATT_CACHE_REBUILT);
    at_buf_free(&whole);
    at_buf_free(&again);
}

/* One whose sums are right, but with ids that the vocabulary lacks. */
static void foreign_tokens_are_refused(void **state)
{
    (void)state;
    char path[256];
    const at_corpus_spec spec = make_cache(path);
    const int small[2] = {5, 5}, right[2] = {60, 60};
    at_cache_key key;
    at_corpus corpus;
    assert_int_equal(at_token_cache_key(&spec, &key, NULL), ATT_OK);
    assert_int_equal(at_token_cache_open(&corpus, path, &key, small, NULL), ATT_INPUT);
    assert_null(corpus.pair);
    assert_int_equal(at_token_cache_open(&corpus, path, &key, right, NULL), ATT_OK);
    at_corpus_free(&corpus);
}

static void unwritable_cache_is_no_failure(void **state)
{
    (void)state;
    at_corpus_spec spec = usual_spec();
    spec.cache = in_folder("not/there");
    spec.always_cache = true;
    at_corpus corpus = open_corpus(&spec);
    assert_int_equal(corpus.cache, ATT_CACHE_FAILED);
    assert_non_null(strstr(corpus.cache_note, "not/there"));
    assert_true(corpus.count > 0);
    at_corpus_free(&corpus);
}

static void packed_text_is_cached(void **state)
{
    (void)state;
    char path[256], command[256];
    at_corpus_spec spec = make_cache(path);
    spec.always_cache = false;
    unlink(path);
    expect_usual(&spec, ATT_CACHE_NONE);
    snprintf(command, sizeof command, "gzip -kf %s/a.en", folder);
    assert_int_equal(system(command), 0);
    const char *packed = in_folder("a.en.gz");
    spec.files.targets = &packed;
    expect_usual(&spec, ATT_CACHE_WRITTEN);
    expect_usual(&spec, ATT_CACHE_FOUND);
}

static void streams_become_files(void **state)
{
    (void)state;
    char fifo[256], names[600], command[600];
    snprintf(fifo, sizeof fifo, "%s", in_folder("pipe"));
    snprintf(names, sizeof names, "%s", fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    snprintf(command, sizeof command, "cat %s/a.de >%s &", folder, fifo);
    assert_int_equal(system(command), 0);
    const at_text_names named = {.source = names, .target = in_folder("a.en"), .prefix = ""};
    at_text_input input;
    assert_int_equal(at_text_input_make(&input, &named, NULL), ATT_OK);
    assert_int_equal(at_text_input_spool(&input, folder, NULL, NULL), ATT_OK);
    assert_true(input.spooled);
    at_corpus_spec spec = usual_spec();
    spec.files = input.files;
    expect_usual(&spec, ATT_CACHE_NONE);
    char copy[256];
    snprintf(copy, sizeof copy, "%s", input.files.sources[0]);
    assert_true(at_path_exists(copy));
    at_text_input_free(&input);
    assert_false(at_path_exists(copy));
}

static void sides_of_columns(void **state)
{
    (void)state;
    char tsv[256];
    snprintf(tsv, sizeof tsv, "%s", in_folder("a.tsv"));
    const at_text_names named = {.tsv = tsv, .columns = "3,1", .prefix = ""};
    at_text_input input;
    at_buf paths = {0}, got = {0}, want = {0};
    assert_int_equal(at_text_input_make(&input, &named, NULL), ATT_OK);
    assert_int_equal(at_text_input_side(&input, 1, folder, &paths, NULL), ATT_OK);
    assert_int_equal(at_file_read(paths.data, &got, NULL), ATT_OK);
    assert_int_equal(at_file_read(in_folder("a.en"), &want, NULL), ATT_OK);
    assert_string_equal(got.data, want.data);
    at_text_input_free(&input);
    assert_false(at_path_exists(paths.data));
    at_buf_free(&paths);
    at_buf_free(&got);
    at_buf_free(&want);
}

static void names_must_fit(void **state)
{
    (void)state;
    static const at_text_names bad[] = {{.source = "a", .prefix = "valid-"},
                                        {.source = "a\nb", .target = "c", .prefix = ""},
                                        {.source = "a", .target = "b", .tsv = "c", .prefix = ""},
                                        {.tsv = "c", .columns = "x", .prefix = ""}};
    static const char *const part[] = {"valid-target", "2 files", "tsv holds both", "columns"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        at_error err;
        at_text_input input;
        assert_int_equal(at_text_input_make(&input, &bad[i], &err), ATT_OPTION);
        if (!strstr(err.text, part[i])) fail_msg("%s", err.text);
    }
}

static void shared_pairs_are_counted(void **state)
{
    (void)state;
    const at_corpus_spec spec = usual_spec();
    at_corpus whole = open_corpus(&spec), part = open_corpus(&spec);
    int64_t count;
    assert_int_equal(at_corpus_shared(&whole, &part, &count, NULL), ATT_OK);
    assert_int_equal(count, whole.count);
    part.count = 10;
    assert_int_equal(at_corpus_shared(&whole, &part, &count, NULL), ATT_OK);
    assert_int_equal(count, 10);
    whole.count = 5;
    assert_int_equal(at_corpus_shared(&whole, &part, &count, NULL), ATT_OK);
    assert_int_equal(count, 5);
    whole.count = 0;
    assert_int_equal(at_corpus_shared(&whole, &part, &count, NULL), ATT_OK);
    assert_int_equal(count, 0);
    at_corpus_free(&whole);
    at_corpus_free(&part);
}

static void map_keeps_what_it_gets(void **state)
{
    (void)state;
    at_hash_map map = {0};
    int64_t *value;
    bool is_new;
    assert_null(at_hash_map_find(&map, 0));
    for (uint64_t i = 0; i < 20000; i++) {
        assert_int_equal(at_hash_map_add(&map, at_rng_mix(i), &value, &is_new, NULL), ATT_OK);
        assert_true(is_new && *value == 0);
        *value = (int64_t)i;
    }
    for (uint64_t i = 0; i < 20000; i++) assert_int_equal(*at_hash_map_find(&map, at_rng_mix(i)), i);
    assert_int_equal(at_hash_map_add(&map, at_rng_mix(7), &value, &is_new, NULL), ATT_OK);
    assert_true(!is_new && *value == 7);
    assert_null(at_hash_map_find(&map, at_rng_mix(20001)));
    at_hash_map_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_than_memory),
        cmocka_unit_test(hash_is_that_of_arrays),
        cmocka_unit_test(columns_are_files),
        cmocka_unit_test(columns_are_checked),
        cmocka_unit_test(cache_is_found),
        cmocka_unit_test(other_settings_have_their_own),
        cmocka_unit_test(changed_text_is_seen),
        cmocka_unit_test(damaged_cache_is_made_again),
        cmocka_unit_test(foreign_tokens_are_refused),
        cmocka_unit_test(unwritable_cache_is_no_failure),
        cmocka_unit_test(packed_text_is_cached),
        cmocka_unit_test(streams_become_files),
        cmocka_unit_test(sides_of_columns),
        cmocka_unit_test(names_must_fit),
        cmocka_unit_test(shared_pairs_are_counted),
        cmocka_unit_test(map_keeps_what_it_gets),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
