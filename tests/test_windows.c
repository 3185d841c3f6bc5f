/* A language model's text: one stream of tokens, from which nothing is lost; its windows: every token predicted once an
 * epoch, and all of it a function of the seed and the epoch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/window_batcher.h"
#include "must.h"

/* ---- windows ---- */

enum { MOST = 1000, PER_LINE = 7 };

/* Token i is i; lines of 7. */
static at_corpus counting_corpus(int64_t tokens)
{
    static int32_t ids[MOST];
    static at_corpus_pair lines[MOST];
    const int64_t count = (tokens + PER_LINE - 1) / PER_LINE;
    for (int64_t i = 0; i < tokens; i++) ids[i] = (int32_t)i;
    for (int64_t i = 0; i < count; i++) lines[i] = (at_corpus_pair){i * PER_LINE, 0, PER_LINE, i + 1};
    return (at_corpus){.count = count, .pair = lines, .ids = ids, .id_count = tokens};
}

static at_batcher *open_windows(const at_corpus *corpus, int64_t context, int64_t batch_tokens, uint64_t seed,
                                bool sorted)
{
    at_error err;
    at_batcher *b;
    const at_window_options options = {context, batch_tokens, seed, sorted};
    must(at_window_batcher_new(&b, corpus, &options, &err), &err);
    return b;
}

/* The inputs of an epoch in the order in which they come; returns how many. */
static int64_t epoch_inputs(at_batcher *b, int64_t epoch, int32_t *inputs)
{
    at_error err;
    int64_t batches, n = 0;
    must(at_batcher_start(b, epoch, &batches, &err), &err);
    for (int64_t i = 0; i < batches; i++) {
        at_pair_batch batch;
        must(at_batcher_get(b, i, &batch, &err), &err);
        const int64_t tokens = batch.target_in.offset[batch.target_in.count];
        for (int64_t k = 0; k < tokens; k++) {
            assert_int_equal(batch.target_out.ids[k], batch.target_in.ids[k] + 1);
            inputs[n++] = batch.target_in.ids[k];
        }
        for (int64_t w = 0; w < batch.target_in.count; w++)
            assert_int_equal(batch.line[w], batch.target_in.ids[batch.target_in.offset[w]] / PER_LINE + 1);
    }
    return n;
}

/* No window or batch is larger than it may be, and windows are stretches of the text. */
static void check_sizes(at_batcher *b, int64_t epoch, int64_t context, int64_t batch_tokens)
{
    at_error err;
    int64_t batches;
    must(at_batcher_start(b, epoch, &batches, &err), &err);
    for (int64_t i = 0; i < batches; i++) {
        at_pair_batch batch;
        must(at_batcher_get(b, i, &batch, &err), &err);
        assert_true(batch.target_in.count == 1 || batch.target_in.count * context <= batch_tokens);
        assert_int_equal(batch.source.count, 0);
        for (int64_t w = 0; w < batch.target_in.count; w++) {
            const int64_t from = batch.target_in.offset[w], to = batch.target_in.offset[w + 1];
            assert_true(to > from && to - from <= context);
            for (int64_t k = from; k + 1 < to; k++)
                assert_int_equal(batch.target_in.ids[k + 1], batch.target_in.ids[k] + 1);
        }
    }
}

static void every_token_is_predicted_once(void **state)
{
    (void)state;
    static const int64_t tokens[] = {2, 3, 17, 64, 65, 66, 999}, contexts[] = {1, 3, 16, 17, 64, 5000};
    for (size_t t = 0; t < 7; t++) {
        const at_corpus corpus = counting_corpus(tokens[t]);
        for (size_t c = 0; c < 6; c++) {
            for (int sorted = 0; sorted < 2; sorted++) {
                at_batcher *b = open_windows(&corpus, contexts[c], 40, 5, sorted);
                for (int64_t epoch = 0; epoch < 9; epoch++) {
                    int32_t inputs[MOST];
                    bool seen[MOST] = {false};
                    assert_int_equal(epoch_inputs(b, epoch, inputs), tokens[t] - 1);
                    for (int64_t i = 0; i < tokens[t] - 1; i++) {
                        assert_false(seen[inputs[i]]);
                        seen[inputs[i]] = true;
                        if (sorted) assert_int_equal(inputs[i], i);
                    }
                    check_sizes(b, epoch, contexts[c], 40);
                }
                at_batcher_free(b);
            }
        }
    }
}

/* Where windows begin in epochs, and their order: the same for the same seed and epoch, whatever was asked before. */
static void windows_hang_on_seed_and_epoch(void **state)
{
    (void)state;
    enum { TOKENS = 900, CONTEXT = 32 };
    const at_corpus corpus = counting_corpus(TOKENS);
    int32_t first[MOST], again[MOST];
    at_batcher *a = open_windows(&corpus, CONTEXT, 4 * CONTEXT, 5, false),
               *b = open_windows(&corpus, CONTEXT, 4 * CONTEXT, 5, false),
               *other = open_windows(&corpus, CONTEXT, 4 * CONTEXT, 6, false);
    int offsets[CONTEXT] = {0}, kinds = 0;
    for (int64_t epoch = 0; epoch < 40; epoch++) {
        epoch_inputs(a, epoch, first);
        epoch_inputs(b, 39 - epoch, again);
        epoch_inputs(b, epoch, again);
        assert_memory_equal(first, again, (TOKENS - 1) * sizeof *first);
        epoch_inputs(other, epoch, again);
        assert_memory_not_equal(first, again, (TOKENS - 1) * sizeof *first);
        epoch_inputs(a, epoch + 1, again);
        assert_memory_not_equal(first, again, (TOKENS - 1) * sizeof *first);
        int64_t at = 0; /* a window that doesn't begin the text tells the offset */
        while (first[at] == 0 || first[at] == first[at ? at - 1 : 0] + 1) at++;
        offsets[first[at] % CONTEXT]++;
    }
    for (int i = 0; i < CONTEXT; i++) kinds += offsets[i] > 0;
    assert_true(kinds > CONTEXT / 3);
    at_batcher_free(a);
    at_batcher_free(b);
    at_batcher_free(other);
}

/* ---- text ---- */

static char path[64], second_path[64];

static int make_paths(void **state)
{
    (void)state;
    char *const paths[] = {path, second_path};
    for (int i = 0; i < 2; i++) {
        strcpy(paths[i], "/tmp/attend-windows-XXXXXX");
        const int fd = mkstemp(paths[i]);
        if (fd < 0) return -1;
        close(fd);
    }
    return 0;
}

static int remove_paths(void **state)
{
    (void)state;
    return unlink(path) + unlink(second_path);
}

static void write_text(const char *to, const char *text, size_t len)
{
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static at_tokenizer *train(at_subword kind, const char *text_path)
{
    at_error err;
    at_buf model = {0};
    at_tokenizer *tokenizer;
    const at_tokenizer_spec spec = {
        .paths = &text_path, .path_count = 1, .vocab_size = 300, .model = kind, .character_coverage = 1};
    must(at_tokenizer_train(&spec, &model, &err), &err);
    must(at_tokenizer_open(&tokenizer, model.data, model.len, "test", &err), &err);
    at_buf_free(&model);
    return tokenizer;
}

static at_corpus read_stream(const at_tokenizer *tokenizer, int files)
{
    at_error err;
    at_corpus corpus;
    const char *const paths[] = {path, second_path};
    const at_corpus_spec spec = {.files = {.sources = paths, .count = files, .one_side = true},
                                 .judge = {.tokenizer = {tokenizer, tokenizer}, .limits = {3, 2}}};
    must(at_corpus_open(&corpus, &spec, &err), &err);
    return corpus;
}

static void expect_stream(const at_tokenizer *tokenizer, const at_corpus *corpus, const char *text)
{
    at_error err;
    at_buf decoded = {0};
    must(at_tokenizer_decode(tokenizer, corpus->ids, (size_t)corpus->id_count, &decoded, &err), &err);
    assert_int_equal(decoded.len, strlen(text));
    assert_memory_equal(decoded.data, text, decoded.len);
    at_buf_free(&decoded);
}

/* White space of every kind comes back, and each character is one token. */
static void characters_are_kept(void **state)
{
    (void)state;
    static const char text[] = "  First\tline,  twice \n\n\nA\xC3\xA9 \xE6\xBC\xA2\xE2\x82\xAC\n \nlast: no end";
    write_text(path, text, sizeof text - 1);
    at_tokenizer *tokenizer = train(ATT_SUBWORD_CHAR, path);
    at_corpus corpus = read_stream(tokenizer, 1);
    expect_stream(tokenizer, &corpus, text);
    assert_int_equal(corpus.id_count, sizeof text - 1 - 1 - 2 - 2); /* bytes of é, 漢, € beyond the first */
    assert_int_equal(corpus.count, 6);
    at_corpus_free(&corpus);
    write_text(second_path, "First\r\nbad \xFF line\nlast\n", 23);
    corpus = read_stream(tokenizer, 2);
    assert_int_equal(corpus.counts.skipped[ATT_SKIP_UTF8], 1);
    assert_int_equal(corpus.counts.first_skipped[ATT_SKIP_UTF8], 8);
    char both[200];
    snprintf(both, sizeof both, "%sFirst\nlast\n", text);
    expect_stream(tokenizer, &corpus, both);
    at_corpus_free(&corpus);
    at_tokenizer_free(tokenizer);
}

/* nanoGPT's text: 65 characters, of which none is lost. */
static void shakespeare_is_kept(void **state)
{
    (void)state;
    enum { SPECIALS = 4, TAB = 1 };
    char train_path[600], valid_path[600];
    const char *data = getenv("ATTEND_DATA");
    snprintf(train_path, sizeof train_path, "%s/tinyshakespeare/train.txt", data && *data ? data : "../shared/data");
    snprintf(valid_path, sizeof valid_path, "%s/tinyshakespeare/val.txt", data && *data ? data : "../shared/data");
    if (access(train_path, R_OK) != 0 || access(valid_path, R_OK) != 0) {
        print_message("skipped: no tinyshakespeare in ../shared/data; set ATTEND_DATA\n");
        skip();
    }
    at_error err;
    at_corpus corpus;
    at_buf text = {0};
    at_tokenizer *tokenizer = train(ATT_SUBWORD_CHAR, train_path);
    assert_int_equal(at_tokenizer_size(tokenizer), 65 + SPECIALS + TAB);
    const char *const paths[] = {valid_path};
    const at_corpus_spec spec = {.files = {.sources = paths, .count = 1, .one_side = true},
                                 .judge = {.tokenizer = {tokenizer, tokenizer}}};
    must(at_corpus_open(&corpus, &spec, &err), &err);
    must(at_file_read(valid_path, &text, &err), &err);
    assert_int_equal(corpus.id_count, text.len);
    expect_stream(tokenizer, &corpus, text.data);
    at_corpus_free(&corpus);
    at_buf_free(&text);
    at_tokenizer_free(tokenizer);
}

/* Where a line end is no piece, the end token stands for it, behind the last line too. */
static void other_vocabularies_end_lines(void **state)
{
    (void)state;
    write_text(path, "eins zwei drei\n\nzwei drei", 25);
    at_tokenizer *tokenizer = train(ATT_SUBWORD_BPE, path);
    const int32_t eos = at_tokenizer_eos(tokenizer);
    assert_int_equal(at_tokenizer_line_end(tokenizer), eos);
    at_corpus corpus = read_stream(tokenizer, 1);
    int64_t ends = 0;
    for (int64_t i = 0; i < corpus.id_count; i++) ends += corpus.ids[i] == eos;
    assert_int_equal(ends, 3);
    assert_int_equal(corpus.ids[corpus.id_count - 1], eos);
    at_corpus_free(&corpus);
    at_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_token_is_predicted_once), cmocka_unit_test(windows_hang_on_seed_and_epoch),
        cmocka_unit_test(characters_are_kept),           cmocka_unit_test(shakespeare_is_kept),
        cmocka_unit_test(other_vocabularies_end_lines),
    };
    return cmocka_run_group_tests(tests, make_paths, remove_paths);
}
