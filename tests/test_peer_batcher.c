/* The benchmark's batches: pairs, cuts and tokens as bench/peers/train_torch.py has them, worked out by hand. */
#include "bench/peer_batcher.h"
#include "must.h"

enum { PAIRS = 6, EOS = 3, BEGIN = 2 };

/* Tokens of pair i are 10 i, 10 i + 1, ... on both sides. */
static void make_corpus(at_corpus *corpus, at_corpus_pair *pairs, int32_t *ids)
{
    static const uint32_t source[PAIRS] = {2, 4, 1, 9, 3, 2}, target[PAIRS] = {2, 3, 2, 4, 3, 2};
    int64_t n = 0;
    for (int i = 0; i < PAIRS; i++) {
        pairs[i] = (at_corpus_pair){.start = n, .source_len = source[i], .target_len = target[i], .line = i + 1};
        for (uint32_t k = 0; k < source[i]; k++) ids[n++] = (int32_t)(10 * i) + (int32_t)k;
        for (uint32_t k = 0; k < target[i]; k++) ids[n++] = (int32_t)(10 * i) + (int32_t)k;
    }
    *corpus = (at_corpus){.count = PAIRS, .pair = pairs, .ids = ids, .id_count = n};
}

/* Batches of at most batch_tokens tokens, the first epoch started. */
static at_batcher *started(const at_corpus *corpus, int64_t batch_tokens, int64_t *batches)
{
    const at_batcher_options options = {
        .batch_tokens = batch_tokens, .source_eos = EOS, .target_start = BEGIN, .target_eos = EOS};
    at_batcher *batcher;
    at_error err;
    must(at_peer_batcher_new(&batcher, corpus, &options, &err), &err);
    must(at_batcher_start(batcher, 0, batches, &err), &err);
    return batcher;
}

static int64_t tokens_of(const at_packed *packed, int64_t b)
{
    return packed->offset[b + 1] - packed->offset[b];
}

/* By target, then source, then place: 2 0 5 | 4 1 | 3. The first three have targets of 2 + 2, so 4 x 3 = 12; with a fourth, of
 * 3 + 2, it would be 20. Then 5 x 2 = 10, and the source of 9 + 1 would make it 30. Shuffled: the second, the first, the third. */
static void batches_are_the_peers(void **state)
{
    (void)state;
    static const int want[3][3] = {{4, 1}, {2, 0, 5}, {3}}, counts[3] = {2, 3, 1};
    at_corpus corpus;
    at_corpus_pair pairs[PAIRS];
    int32_t ids[64];
    at_error err;
    int64_t batches;
    make_corpus(&corpus, pairs, ids);
    at_batcher *batcher = started(&corpus, 12, &batches);
    assert_int_equal(batches, 3);
    for (int64_t i = 0; i < batches; i++) {
        at_pair_batch batch;
        must(at_batcher_get(batcher, i, &batch, &err), &err);
        const int64_t count = batch.source.count;
        const int *expected = want[i];
        assert_int_equal(count, counts[i]);
        assert_int_equal(batch.target_in.count, count);
        assert_int_equal(batch.target_out.count, count);
        for (int64_t b = 0; b < count; b++) {
            const at_corpus_pair *pair = &pairs[expected[b]];
            const int64_t source = tokens_of(&batch.source, b), target = tokens_of(&batch.target_in, b);
            const int32_t *in = batch.target_in.ids + batch.target_in.offset[b],
                          *out = batch.target_out.ids + batch.target_out.offset[b],
                          *from = batch.source.ids + batch.source.offset[b];
            assert_int_equal(source, pair->source_len + 1);
            assert_int_equal(target, pair->target_len + 1);
            assert_memory_equal(from, at_corpus_source(&corpus, expected[b]), pair->source_len * sizeof *from);
            assert_memory_equal(in + 1, at_corpus_target(&corpus, expected[b]), pair->target_len * sizeof *in);
            assert_memory_equal(out, in + 1, pair->target_len * sizeof *out);
            assert_true(from[source - 1] == EOS && in[0] == BEGIN && out[target - 1] == EOS);
        }
    }
    at_batcher_free(batcher);
}

/* A pair that is larger than a batch makes one of its own. The peer's script shuffles six batches to 5 1 3 0 4 2, and does so in
 * every epoch. */
static void nothing_is_left_out(void **state)
{
    (void)state;
    at_corpus corpus;
    at_corpus_pair pairs[PAIRS];
    int32_t ids[64];
    int64_t batches;
    at_error err;
    static const int want[PAIRS] = {3, 0, 4, 2, 1, 5};
    make_corpus(&corpus, pairs, ids);
    at_batcher *batcher = started(&corpus, 1, &batches);
    assert_int_equal(batches, PAIRS);
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        must(at_batcher_start(batcher, epoch, &batches, &err), &err);
        for (int64_t i = 0; i < PAIRS; i++) {
            at_pair_batch batch;
            must(at_batcher_get(batcher, i, &batch, &err), &err);
            assert_int_equal(batch.source.count, 1);
            assert_int_equal(batch.source.ids[0] / 10, want[i]);
        }
    }
    at_batcher_free(batcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_the_peers),
        cmocka_unit_test(nothing_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
