/* Corpora: what is kept, skipped and refused. Batches: every pair once an epoch, budgets, shuffling, shifting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/batcher.h"
#include "data/corpus.h"

/* A folder with a small tokenizer and the two files of a corpus. */
typedef struct scratch {
    char folder[64];
    char source[128], target[128];
    at_tokenizer *tokenizer;
} scratch;

static scratch shared;

static void write_text(const char *path, const char *text, size_t len)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void write_gz(const char *path, const char *text)
{
    gzFile out = gzopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(gzwrite(out, text, (unsigned)strlen(text)), strlen(text));
    assert_int_equal(gzclose(out), Z_OK);
}

/* Sentences of a few made-up words, enough for a vocabulary of 60 pieces. */
static void write_training_text(const char *path)
{
    static const char *const words[] = {"haus", "garten", "baum", "katze", "hund", "rot", "blau", "gross"};
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    for (uint64_t i = 0; i < 400; i++) {
        for (uint64_t k = 0; k < 6; k++) fprintf(out, "%s ", words[at_rng_below(i, k, 8)]);
        fputc('\n', out);
    }
    assert_int_equal(fclose(out), 0);
}

static int make_shared(void **state)
{
    (void)state;
    at_buf model = {0};
    at_error err = {0};
    strcpy(shared.folder, "/tmp/attend-data-XXXXXX");
    if (!mkdtemp(shared.folder)) return -1;
    snprintf(shared.source, sizeof shared.source, "%s/train.de", shared.folder);
    snprintf(shared.target, sizeof shared.target, "%s/train.en", shared.folder);
    write_training_text(shared.source);
    const char *const path = shared.source;
    const at_tokenizer_spec spec = {
        .paths = &path, .path_count = 1, .vocab_size = 60, .model = ATT_SUBWORD_UNIGRAM, .character_coverage = 1};
    at_status status = at_tokenizer_train(&spec, &model, &err);
    if (status == ATT_OK) status = at_tokenizer_open(&shared.tokenizer, model.data, model.len, "test", &err);
    if (status != ATT_OK) print_error("%s\n", err.text);
    at_buf_free(&model);
    return status == ATT_OK ? 0 : -1;
}

static int drop_shared(void **state)
{
    (void)state;
    at_tokenizer_free(shared.tokenizer);
    unlink(shared.source);
    unlink(shared.target);
    return rmdir(shared.folder);
}

static at_status read_corpus(at_corpus *corpus, const char *source, const char *target, const at_corpus_limits *limits,
                             at_error *err)
{
    const at_corpus_spec spec = {.files = {.sources = &source, .targets = &target, .count = 1},
                                 .judge = {{shared.tokenizer, shared.tokenizer}, *limits}};
    return at_corpus_open(corpus, &spec, err);
}

/* Writes both sides and reads them without limits. */
static at_status read_texts(at_corpus *corpus, const char *source, const char *target, at_error *err)
{
    static const at_corpus_limits unlimited = {0};
    write_text(shared.source, source, strlen(source));
    write_text(shared.target, target, strlen(target));
    return read_corpus(corpus, shared.source, shared.target, &unlimited, err);
}

static void expect_side(const int32_t *got, uint32_t len, const char *text)
{
    at_ids ids = {0};
    assert_int_equal(at_tokenizer_encode(shared.tokenizer, text, strlen(text), &ids, NULL), ATT_OK);
    assert_int_equal(len, ids.len);
    assert_memory_equal(got, ids.data, ids.len * sizeof *ids.data);
    at_ids_free(&ids);
}

static void expect_text(const at_corpus *corpus, int64_t pair, const char *source, const char *target)
{
    expect_side(at_corpus_source(corpus, pair), corpus->pair[pair].source_len, source);
    expect_side(at_corpus_target(corpus, pair), corpus->pair[pair].target_len, target);
}

static void expect_skips(const at_corpus *corpus, at_skip kind, int64_t count, int64_t first)
{
    assert_int_equal(corpus->counts.skipped[kind], count);
    assert_int_equal(corpus->counts.first_skipped[kind], first);
}

static void corpus_skips_and_counts(void **state)
{
    (void)state;
    at_corpus corpus;
    assert_int_equal(read_texts(&corpus,
                                "\xEF\xBB\xBFhaus rot\r\n"
                                "\n"
                                "garten\n"
                                "\xFF\n"
                                "baum\n"
                                "  katze hund\n"
                                "hund",
                                "\xEF\xBB\xBFgarten\r\n"
                                "haus\r\n"
                                " \t\r\n"
                                "haus\n"
                                "a\xC3\n"
                                "blau \n"
                                "\xE3\x80\x80\n",
                                NULL),
                     ATT_OK);
    assert_int_equal(corpus.counts.lines, 7);
    assert_int_equal(corpus.count, 2);
    assert_int_equal(corpus.pair[0].line, 1);
    assert_int_equal(corpus.pair[1].line, 6);
    expect_text(&corpus, 0, "haus rot", "garten");
    expect_text(&corpus, 1, "  katze hund", "blau ");
    expect_skips(&corpus, ATT_SKIP_EMPTY, 3, 2); /* the ideographic space of line 7 gives no tokens */
    expect_skips(&corpus, ATT_SKIP_UTF8, 2, 4);
    expect_skips(&corpus, ATT_SKIP_LONG, 0, 0);
    expect_skips(&corpus, ATT_SKIP_LOPSIDED, 0, 0);
    assert_string_equal(at_skip_name[ATT_SKIP_UTF8], "invalid-utf8");
    at_corpus_free(&corpus);
    at_corpus_free(&corpus);
}

/* A line of so many tokens: the same word over and over. */
static void add_line(at_buf *text, int words)
{
    for (int i = 0; i < words; i++) assert_int_equal(at_buf_puts(text, i ? " haus" : "haus", NULL), ATT_OK);
    assert_int_equal(at_buf_puts(text, "\n", NULL), ATT_OK);
}

static void corpus_keeps_limits(void **state)
{
    (void)state;
    static const int words[][2] = {{20, 20}, {21, 20}, {5, 20}, {11, 2}, {10, 1}, {20, 10}, {3, 30}};
    at_buf source = {0}, target = {0};
    at_corpus corpus;
    for (int i = 0; i < 7; i++) {
        add_line(&source, words[i][0]);
        add_line(&target, words[i][1]);
    }
    assert_int_equal(read_texts(&corpus, source.data, target.data, NULL), ATT_OK);
    assert_int_equal(corpus.count, 7);
    const int64_t word = corpus.pair[0].source_len / 20; /* tokens of it */
    assert_int_equal(corpus.pair[0].source_len, 20 * word);
    at_corpus_free(&corpus);

    const at_corpus_limits limits = {.max_tokens = 20 * word, .max_ratio = 3};
    assert_int_equal(read_corpus(&corpus, shared.source, shared.target, &limits, NULL), ATT_OK);
    expect_skips(&corpus, ATT_SKIP_LONG, 2, 2);
    expect_skips(&corpus, ATT_SKIP_LOPSIDED, word == 1 ? 2 : 3, 3);
    assert_int_equal(corpus.count, word == 1 ? 3 : 2);
    int64_t tokens = 0;
    for (int64_t i = 0; i < corpus.count; i++) tokens += corpus.pair[i].source_len;
    assert_int_equal(tokens, (word == 1 ? 50 : 40) * word);
    at_corpus_free(&corpus);
    at_buf_free(&source);
    at_buf_free(&target);
}

static void corpus_reads_gz_and_several_files(void **state)
{
    (void)state;
    at_corpus corpus;
    write_gz(shared.source, "haus\nbaum\n");
    write_text(shared.target, "hund\n\n", 6);
    const char *const sources[] = {shared.source, shared.target}, *const targets[] = {shared.target, shared.source};
    const at_corpus_spec spec = {.files = {.sources = sources, .targets = targets, .count = 2},
                                 .judge = {.tokenizer = {shared.tokenizer, shared.tokenizer}}};
    assert_int_equal(at_corpus_open(&corpus, &spec, NULL), ATT_OK);
    assert_int_equal(corpus.count, 2);
    assert_int_equal(corpus.counts.lines, 4);
    assert_int_equal(corpus.pair[1].line, 3);
    expect_text(&corpus, 0, "haus", "hund");
    expect_text(&corpus, 1, "hund", "haus");
    expect_skips(&corpus, ATT_SKIP_EMPTY, 2, 2);
    at_corpus_free(&corpus);
}

static void corpus_grows(void **state)
{
    (void)state;
    at_buf text = {0};
    at_corpus corpus;
    for (int i = 0; i < 3000; i++) add_line(&text, 1 + i % 3);
    assert_int_equal(read_texts(&corpus, text.data, text.data, NULL), ATT_OK);
    assert_int_equal(corpus.count, 3000);
    assert_int_equal(corpus.pair[2999].line, 3000);
    expect_text(&corpus, 2999, "haus haus haus", "haus haus haus");
    assert_int_equal(corpus.pair[2999].start + 2 * corpus.pair[2999].source_len, corpus.id_count);
    at_corpus_free(&corpus);
    at_buf_free(&text);
}

static void expect_unequal(const char *source, const char *target, const char *first, const char *part)
{
    at_error err = {0};
    at_corpus corpus;
    assert_int_equal(read_texts(&corpus, source, target, &err), ATT_INPUT);
    assert_int_equal(strncmp(err.text, first, strlen(first)), 0);
    if (!strstr(err.text, part)) fail_msg("%s", err.text);
    assert_null(corpus.pair);
}

static void corpus_refuses_what_is_not_parallel(void **state)
{
    (void)state;
    expect_unequal("haus\nbaum\n", "haus\n\nhund\n", shared.source, "/train.de ends after line 2, but ");
    expect_unequal("haus\nbaum\n", "haus", shared.target, "the files must be parallel");
}

static void corpus_refuses_bad_paths(void **state)
{
    (void)state;
    static const at_corpus_limits unlimited = {0};
    at_error err = {0};
    at_corpus corpus;
    assert_int_equal(read_corpus(&corpus, "/nowhere/train.de", shared.target, &unlimited, &err), ATT_IO);
    assert_non_null(strstr(err.text, "/nowhere/train.de"));
    assert_int_equal(read_corpus(&corpus, shared.source, "/nowhere/train.en", &unlimited, &err), ATT_IO);
    assert_int_equal(read_corpus(&corpus, "-", "-", &unlimited, &err), ATT_OPTION);
    assert_non_null(strstr(err.text, "2 times"));
    const at_corpus_spec nothing = {.files.column = {1, 2}};
    assert_int_equal(at_corpus_open(&corpus, &nothing, &err), ATT_OK);
    assert_int_equal(corpus.count + corpus.id_count, 0);
    at_corpus_free(&corpus);
}

enum { PAIRS = 500, EOS = 3, START = 2, LONGEST = 30 };

/* A corpus without text: token j of pair i is 10 + i, so that every row tells where it came from. */
static void make_corpus(at_corpus *corpus, int64_t pairs)
{
    int64_t start = 0;
    *corpus = (at_corpus){.count = pairs};
    at_spool_init(&corpus->index_spool, NULL, SIZE_MAX / 2);
    at_spool_init(&corpus->id_spool, NULL, SIZE_MAX / 2);
    for (int64_t i = 0; i < pairs; i++) {
        const uint32_t source_len = 1 + at_rng_below(1, (uint64_t)i, LONGEST);
        const uint32_t target_len = 1 + (source_len + at_rng_below(2, (uint64_t)i, 5)) % LONGEST;
        const at_corpus_pair pair = {start, source_len, target_len, 2 * i + 1};
        const int32_t id = (int32_t)(10 + i);
        at_spool_add(&corpus->index_spool, &pair, sizeof pair, NULL);
        for (uint32_t j = 0; j < source_len + target_len; j++) at_spool_add(&corpus->id_spool, &id, sizeof id, NULL);
        start += source_len + target_len;
    }
    at_spool_finish(&corpus->index_spool, NULL);
    at_spool_finish(&corpus->id_spool, NULL);
    corpus->pair = corpus->index_spool.bytes;
    corpus->ids = corpus->id_spool.bytes;
    corpus->id_count = start;
}

static at_batcher_options usual_options(void)
{
    return (at_batcher_options){
        .batch_tokens = 200, .seed = 7, .source_eos = EOS, .target_start = START, .target_eos = EOS};
}

static at_batcher *new_batcher(const at_corpus *corpus, const at_batcher_options *options)
{
    at_batcher *batcher;
    at_error err = {0};
    if (at_batcher_new(&batcher, corpus, options, &err) != ATT_OK) fail_msg("%s", err.text);
    return batcher;
}

static int64_t longest_of(const at_packed *packed)
{
    int64_t longest = 0;
    for (int64_t i = 0; i < packed->count; i++) {
        const int64_t len = packed->offset[i + 1] - packed->offset[i];
        if (len > longest) longest = len;
    }
    return longest;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t cost_of(const at_pair_batch *batch, at_batch_measure measure)
{
    if (measure == ATT_BATCH_PACKED) {
        return larger(at_packed_tokens(&batch->source), at_packed_tokens(&batch->target_out));
    }
    return batch->source.count * larger(longest_of(&batch->source), longest_of(&batch->target_out));
}

/* Checks the rows of pair b of a batch against the corpus and returns its number in the corpus. */
static int64_t check_pair(const at_corpus *corpus, const at_pair_batch *batch, int64_t b, bool source_eos)
{
    const int64_t pair = (batch->line[b] - 1) / 2;
    const int64_t source_len = corpus->pair[pair].source_len;
    const int64_t target_len = corpus->pair[pair].target_len;
    const int32_t *source = batch->source.ids + batch->source.offset[b];
    const int32_t *in = batch->target_in.ids + batch->target_in.offset[b];
    const int32_t *out = batch->target_out.ids + batch->target_out.offset[b];
    assert_int_equal(batch->source.offset[b + 1] - batch->source.offset[b], source_len + source_eos);
    assert_int_equal(batch->target_in.offset[b + 1] - batch->target_in.offset[b], target_len + 1);
    assert_int_equal(batch->target_out.offset[b + 1] - batch->target_out.offset[b], target_len + 1);
    for (int64_t j = 0; j < source_len; j++) assert_int_equal(source[j], 10 + pair);
    if (source_eos) assert_int_equal(source[source_len], EOS);
    assert_int_equal(in[0], START);
    for (int64_t j = 0; j < target_len; j++) {
        assert_int_equal(out[j], 10 + pair);
        assert_int_equal(in[j + 1], out[j]);
    }
    assert_int_equal(out[target_len], EOS);
    return pair;
}

/* Goes through an epoch: each pair once, in right rows, within the budget. Returns the number of batches. */
static int64_t check_epoch(const at_corpus *corpus, const at_batcher_options *options, int64_t epoch)
{
    at_batcher *batcher = new_batcher(corpus, options);
    int64_t batches = -1;
    char seen[PAIRS] = {0};
    assert_int_equal(at_batcher_start(batcher, epoch, &batches, NULL), ATT_OK);
    for (int64_t i = 0; i < batches; i++) {
        at_pair_batch batch;
        assert_int_equal(at_batcher_get(batcher, i, &batch, NULL), ATT_OK);
        assert_true(batch.source.count > 0);
        assert_int_equal(batch.source.offset[0] + batch.target_in.offset[0], 0);
        if (batch.source.count > 1) assert_true(cost_of(&batch, options->measure) <= options->batch_tokens);
        for (int64_t b = 0; b < batch.source.count; b++)
            seen[check_pair(corpus, &batch, b, options->source_eos >= 0)]++;
    }
    for (int64_t i = 0; i < corpus->count; i++) assert_int_equal(seen[i], 1);
    at_batcher_free(batcher);
    return batches;
}

static void every_pair_comes_once(void **state)
{
    (void)state;
    at_corpus corpus;
    make_corpus(&corpus, PAIRS);
    at_batcher_options options = usual_options();
    const int64_t padded = check_epoch(&corpus, &options, 1);
    options.measure = ATT_BATCH_PACKED;
    const int64_t packed = check_epoch(&corpus, &options, 1);
    assert_true(packed <= padded);
    options.source_eos = -1;
    check_epoch(&corpus, &options, 2);
    options.sorted = true;
    check_epoch(&corpus, &options, 2);
    options.batch_tokens = 1; /* every pair is larger */
    assert_int_equal(check_epoch(&corpus, &options, 3), PAIRS);
    options.batch_tokens = INT64_MAX;
    assert_int_equal(check_epoch(&corpus, &options, 3), 1);
    at_corpus_free(&corpus);
}

static void batches_have_little_padding(void **state)
{
    (void)state;
    at_corpus corpus;
    make_corpus(&corpus, PAIRS);
    at_batcher_options options = usual_options();
    options.batch_tokens = 1000;
    int64_t ideal = 0; /* tokens if every pair were alone in a batch of its length */
    for (int64_t i = 0; i < PAIRS; i++) {
        ideal += larger(corpus.pair[i].source_len, corpus.pair[i].target_len) + 1;
    }
    const int64_t batches = check_epoch(&corpus, &options, 1);
    assert_true((double)(batches * options.batch_tokens) < 1.2 * (double)ideal); /* shuffled only: 1.8 */
    at_corpus_free(&corpus);
}

/* The line numbers of an epoch in order, each batch ended by a 0. */
static size_t epoch_lines(at_batcher *batcher, int64_t epoch, int64_t lines[2 * PAIRS])
{
    int64_t batches = 0;
    size_t len = 0;
    assert_int_equal(at_batcher_start(batcher, epoch, &batches, NULL), ATT_OK);
    for (int64_t i = 0; i < batches; i++) {
        at_pair_batch batch;
        assert_int_equal(at_batcher_get(batcher, i, &batch, NULL), ATT_OK);
        for (int64_t b = 0; b < batch.source.count; b++) lines[len++] = batch.line[b];
        lines[len++] = 0;
    }
    return len;
}

static void epochs_are_pure_functions(void **state)
{
    (void)state;
    at_corpus corpus;
    make_corpus(&corpus, PAIRS);
    at_batcher_options options = usual_options();
    at_batcher *first = new_batcher(&corpus, &options), *second = new_batcher(&corpus, &options);
    options.seed++;
    at_batcher *other = new_batcher(&corpus, &options);
    int64_t a[2 * PAIRS], b[2 * PAIRS], c[2 * PAIRS], d[2 * PAIRS];
    const size_t len = epoch_lines(first, 5, a);
    epoch_lines(second, 9, b); /* what was started before doesn't matter */
    assert_int_equal(epoch_lines(second, 5, b), len);
    assert_memory_equal(a, b, len * sizeof *a);
    epoch_lines(first, 6, c);
    epoch_lines(other, 5, d);
    assert_memory_not_equal(a, c, len * sizeof *a);
    assert_memory_not_equal(a, d, len * sizeof *a);
    at_batcher_free(first);
    at_batcher_free(second);
    at_batcher_free(other);
    at_corpus_free(&corpus);
}

/* Pairs of equal lengths must meet other neighbours in another epoch, not only come in another order. */
static void neighbours_change(void **state)
{
    (void)state;
    at_corpus corpus;
    at_batcher_options options = usual_options();
    make_corpus(&corpus, PAIRS);
    at_corpus_pair *pair = (void *)corpus.index_spool.buffer.data; /* all of one length */
    for (int64_t i = 0; i < PAIRS; i++) pair[i].source_len = pair[i].target_len = 1;
    options.batch_tokens = 4; /* two pairs of 1 token and the end token */
    at_batcher *batcher = new_batcher(&corpus, &options);
    int64_t lines[2 * PAIRS], partner[2 * PAIRS + 2] = {0}, same = 0;
    assert_int_equal(epoch_lines(batcher, 0, lines), PAIRS / 2 * 3);
    for (size_t i = 0; i < PAIRS / 2 * 3; i += 3) partner[lines[i]] = lines[i + 1], partner[lines[i + 1]] = lines[i];
    assert_int_equal(epoch_lines(batcher, 1, lines), PAIRS / 2 * 3);
    for (size_t i = 0; i < PAIRS / 2 * 3; i += 3) same += partner[lines[i]] == lines[i + 1];
    assert_true(same < 10); /* half a pair is expected by chance */
    at_batcher_free(batcher);
    at_corpus_free(&corpus);
}

static void sorted_is_by_length(void **state)
{
    (void)state;
    at_corpus corpus;
    at_batcher_options options = usual_options();
    int64_t first[2 * PAIRS], second[2 * PAIRS], before = 0;
    make_corpus(&corpus, PAIRS);
    options.sorted = true;
    at_batcher *batcher = new_batcher(&corpus, &options);
    const size_t len = epoch_lines(batcher, 0, first);
    assert_int_equal(epoch_lines(batcher, 1, second), len);
    assert_memory_equal(first, second, len * sizeof *first);
    for (size_t i = 0; i < len; i++) {
        if (first[i] == 0) continue;
        const int64_t pair = (first[i] - 1) / 2;
        const int64_t source = corpus.pair[pair].source_len;
        const int64_t target = corpus.pair[pair].target_len;
        const int64_t rank = larger(source, target) * PAIRS + pair;
        assert_true(rank > before);
        before = rank;
    }
    at_batcher_free(batcher);
    at_corpus_free(&corpus);
}

static void batcher_of_nothing(void **state)
{
    (void)state;
    at_corpus corpus;
    at_error err = {0};
    at_batcher *batcher;
    at_batcher_options options = usual_options();
    make_corpus(&corpus, 0);
    assert_int_equal(check_epoch(&corpus, &options, 0), 0);
    options.batch_tokens = 0;
    assert_int_equal(at_batcher_new(&batcher, &corpus, &options, &err), ATT_OPTION);
    assert_null(batcher);
    assert_non_null(strstr(err.text, "batch_tokens"));
    at_batcher_free(NULL);
    at_corpus_free(&corpus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_skips_and_counts),
        cmocka_unit_test(corpus_keeps_limits),
        cmocka_unit_test(corpus_reads_gz_and_several_files),
        cmocka_unit_test(corpus_grows),
        cmocka_unit_test(corpus_refuses_what_is_not_parallel),
        cmocka_unit_test(corpus_refuses_bad_paths),
        cmocka_unit_test(every_pair_comes_once),
        cmocka_unit_test(batches_have_little_padding),
        cmocka_unit_test(epochs_are_pure_functions),
        cmocka_unit_test(neighbours_change),
        cmocka_unit_test(sorted_is_by_length),
        cmocka_unit_test(batcher_of_nothing),
    };
    return cmocka_run_group_tests(tests, make_shared, drop_shared);
}
