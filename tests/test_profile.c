/* The profile: its account is that of the null backend and sums to the whole, results stay the same to the bit, and its
 * JSON can be read. Costs against numbers counted by hand. The peak is only looked at, not judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cost.h"
#include "backend/profile_backend.h"
#include "bench/bench_products.h"
#include "cli/profile_output.h"
#include "must.h"

enum { STEPS = 3 };

/* A small model on random tokens. */
static at_bench_options small_work(at_task task)
{
    return (at_bench_options){.task = (int)task,
                              .width = 32,
                              .ffn = 48,
                              .heads = 2,
                              .layers = 1,
                              .batch_tokens = 128,
                              .length = 8,
                              .vocab = 60,
                              .steps = STEPS,
                              .dropout = 0.1,
                              .smoothing = 0.1};
}

static at_backend *cpu_backend(void)
{
    at_backend *be;
    at_error err;
    must(at_cpu_backend_new(&be, 2, NULL, &err), &err);
    return be;
}

static at_backend *null_backend(void)
{
    at_backend *be;
    at_error err;
    must(at_null_backend_new(&be, ATT_PRECISION_FLOAT32, &err), &err);
    return be;
}

static at_backend *profiled(at_backend *inner, at_profile_split split)
{
    at_backend *be;
    at_error err;
    must(at_profile_backend_new(&be, inner, split, &err), &err);
    return be;
}

/* Trains STEPS steps; the weights, if anybody wants them: malloc'ed. */
static void train(at_backend *be, at_task task, float **weights, size_t *bytes)
{
    at_bench_work work;
    at_ctx ctx;
    at_error err;
    at_loss loss;
    const at_bench_options options = small_work(task);
    must(at_bench_work_open(&work, &options, be, &err), &err);
    at_ctx_init(&ctx, be);
    for (int i = 0; i < STEPS; i++) must(at_bench_work_step(&work, &ctx, i, &loss, &err), &err);
    if (weights) {
        *bytes = (size_t)work.model->params.floats * sizeof(float);
        *weights = malloc(*bytes);
        memcpy(*weights, work.model->params.data, *bytes);
    }
    at_ctx_free(&ctx);
    at_bench_work_close(&work);
}

static const at_profile_row *find_row(const at_profile *p, const at_profile_row *like)
{
    for (int64_t i = 0; i < p->count; i++) {
        const at_profile_row *row = &p->rows[i];
        if (strcmp(row->op, like->op) == 0 && strcmp(row->direction, like->direction) == 0 && row->m == like->m &&
            row->k == like->k && row->n == like->n)
            return row;
    }
    return NULL;
}

static double total_flop(const at_profile *p)
{
    double flop = 0;
    for (int64_t i = 0; i < p->count; i++) flop += p->rows[i].flop;
    return flop;
}

/* Calls, FLOP and bytes are those of the same steps on a backend that only counts. */
static void account_is_the_null_backends(at_task task)
{
    at_backend *null = null_backend(), *counted = profiled(null, ATT_PROFILE_SHAPES),
               *computed = profiled(cpu_backend(), ATT_PROFILE_SHAPES);
    train(counted, task, NULL, NULL);
    train(computed, task, NULL, NULL);
    const at_profile want = at_profile_backend_read(counted), got = at_profile_backend_read(computed);
    assert_int_equal(got.count, want.count);
    assert_true(want.count > 15);
    for (int64_t i = 0; i < got.count; i++) {
        const at_profile_row *row = find_row(&want, &got.rows[i]);
        assert_non_null(row);
        assert_int_equal(got.rows[i].calls, row->calls);
        assert_true(got.rows[i].flop == row->flop);
        assert_true(got.rows[i].bytes == row->bytes);
    }
    const double flop = at_null_backend_counts(null).flop;
    assert_true(flop > 0 && fabs(total_flop(&got) - flop) <= 1e-9 * flop);
    counted->free(counted);
    computed->free(computed);
}

static void translator_is_counted_right(void **state)
{
    (void)state;
    account_is_the_null_backends(ATT_TASK_TRANSLATION);
}

static void language_model_is_counted_right(void **state)
{
    (void)state;
    account_is_the_null_backends(ATT_TASK_LANGUAGE_MODEL);
}

static void rows_sum_to_the_whole(void **state)
{
    (void)state;
    at_backend *be = profiled(cpu_backend(), ATT_PROFILE_WEIGHTS);
    at_profile_backend_restart(be);
    train(be, ATT_TASK_TRANSLATION, NULL, NULL);
    const at_profile p = at_profile_backend_read(be);
    const at_profile_row *outside = find_row(&p, &(at_profile_row){.op = "outside", .direction = ""});
    double sum = 0;
    for (int64_t i = 0; i < p.count; i++) {
        sum += p.rows[i].seconds;
        assert_int_equal(p.rows[i].m, 0);
        if (i > 0) assert_true(p.rows[i].seconds <= p.rows[i - 1].seconds);
    }
    assert_true(fabs(sum - p.seconds) < 1e-9 * (1 + p.seconds));
    assert_non_null(outside);
    assert_true(outside->seconds > 0 && outside->seconds < p.seconds);
    at_profile_backend_restart(be);
    assert_int_equal(at_profile_backend_read(be).count, 1); /* only what is outside */
    be->free(be);
}

static void same_bits_as_without(void **state)
{
    (void)state;
    for (int task = ATT_TASK_TRANSLATION; task <= ATT_TASK_LANGUAGE_MODEL; task++) {
        at_backend *plain = cpu_backend(), *watched = profiled(cpu_backend(), ATT_PROFILE_WEIGHTS);
        float *want, *got;
        size_t bytes, same;
        train(plain, (at_task)task, &want, &bytes);
        train(watched, (at_task)task, &got, &same);
        assert_int_equal(bytes, same);
        assert_memory_equal(want, got, bytes);
        free(want);
        free(got);
        plain->free(plain);
        watched->free(watched);
    }
}

static void *no_memory(at_backend *be, size_t bytes)
{
    (void)bytes;
    be->failed = true;
    return NULL;
}

static void failure_is_passed_on_and_taken_back(void **state)
{
    (void)state;
    at_backend *inner = null_backend(), *be = profiled(inner, ATT_PROFILE_WEIGHTS);
    inner->alloc = no_memory;
    assert_null(be->alloc(be, 64));
    assert_true(be->failed);
    be->failed = false; /* as whoever reports it does */
    be->zero(be, NULL, 0);
    assert_false(be->failed);
    assert_false(inner->failed);
    be->free(be);
}

/* More shapes than there is room for go into one row; no call is lost. */
static void many_shapes_are_counted_together(void **state)
{
    (void)state;
    enum { SHAPES = 500 };
    at_backend *be = profiled(null_backend(), ATT_PROFILE_WEIGHTS);
    for (int64_t k = 1; k <= SHAPES; k++) {
        const at_weight w = {.k = k, .n = 2};
        be->linear_fwd(be, NULL, NULL, NULL, &w, NULL, 3, ATT_ACT_NONE);
        be->linear_fwd(be, NULL, NULL, NULL, &w, NULL, 4, ATT_ACT_NONE);
    }
    const at_profile p = at_profile_backend_read(be);
    int64_t calls = 0;
    for (int64_t i = 0; i < p.count; i++) calls += p.rows[i].calls;
    assert_int_equal(calls, 2 * SHAPES);
    assert_non_null(find_row(&p, &(at_profile_row){.op = "linear", .direction = "forward", .k = 1, .n = 2}));
    assert_true(find_row(&p, &(at_profile_row){.op = "linear", .direction = "forward"})->calls > SHAPES);
    assert_true(total_flop(&p) == 2.0 * 7 * 2 * SHAPES * (SHAPES + 1) / 2);
    be->free(be);
}

static void costs_counted_by_hand(void **state)
{
    (void)state;
    const float some = 0;
    const at_weight w = {.k = 3, .n = 5};
    at_cost c = at_cost_linear_fwd(NULL, &w, &some, 2); /* x 6, W 15, b 5, y 10 */
    assert_true(c.flop == 60 && c.bytes == 4 * 36);
    c = at_cost_linear_fwd(&some, &w, NULL, 2);
    assert_true(c.bytes == 4 * 41);
    c = at_cost_linear_bwd(&some, 0, &some, 1, NULL, &w, 2, ATT_ACT_NONE); /* dy 10, W 15, dx 6, x 6, dW 30 */
    assert_true(c.flop == 120 && c.bytes == 4 * 67);
    c = at_cost_linear_bwd(NULL, 0, &some, 0, &some, &w, 2, ATT_ACT_RELU); /* dy 20, y 10, x 6, dW 15, db 5 */
    assert_true(c.flop == 60 && c.bytes == 4 * 56);
    const int64_t query[] = {0, 3}, key[] = {0, 3};
    at_attention_args a = {.count = 1, .query = {query, query + 1}, .key = {key, key + 1}, .heads = 2, .head_width = 4};
    c = at_cost_attention_fwd(NULL, &a); /* 9 pairs, 8 wide, 2 products; q, k, v, o of 3 x 8 */
    assert_true(c.flop == 2 * 2 * 9 * 8 && c.bytes == 4 * 96);
    a.causal = true;
    c = at_cost_attention_fwd(&some, &a); /* 6 pairs; lse of 3 x 2 */
    assert_true(c.flop == 2 * 2 * 6 * 8 && c.bytes == 4 * 102);
    c = at_cost_attention_bwd(&some, 0, &some, &some, 1, &a); /* q, o, do, dq; k, v, dk and dv twice; lse */
    assert_true(c.flop == 5 * 2 * 6 * 8 && c.bytes == 4 * (24 * 4 + 24 * 6 + 6));
    c = at_cost_attention_bwd(&some, 1, NULL, &some, 0, &a); /* scores, dP, dq, dv; q, o, do, dq twice; k, v, dv; lse */
    assert_true(c.flop == 4 * 2 * 6 * 8 && c.bytes == 4 * (24 * 5 + 24 * 3 + 6));
    c = at_cost_attention_bwd(NULL, 0, &some, &some, 0, &a); /* queries that need no gradient */
    assert_true(c.flop == 4 * 2 * 6 * 8 && c.bytes == 4 * (24 * 3 + 24 * 4 + 6));
    c = at_cost_linear_cross_entropy(&some, &some, NULL, &w, NULL, 2); /* x 6, W 15, dx 6, dW 15 */
    assert_true(c.flop == 180 && c.bytes == 4 * 42);
    assert_true(at_cost_optimize(&some, &some, 10).bytes == 4 * 70);
    assert_true(at_cost_embed_bwd(0, 2, 3, 7).bytes == 4 * 27 && at_cost_embed_bwd(1, 2, 3, 7).bytes == 4 * 18);
}

/* The listed products have the FLOP that the step has outside attention. Returns their number. */
static int64_t check_products(bool recompute)
{
    at_error err;
    static at_bench_products products;
    at_bench_options options = small_work(ATT_TASK_TRANSLATION);
    options.recompute = recompute;
    must(at_bench_products_list(&products, &options, &err), &err);
    double listed = 0, want = 0;
    int64_t count = 0;
    int kinds[3] = {0};
    for (int i = 0; i < products.count; i++) {
        const at_bench_product *p = &products.product[i];
        listed += 2.0 * (double)(p->count * p->m * p->k * p->n);
        kinds[p->kind]++;
        count += p->count;
    }
    at_backend *be = profiled(null_backend(), ATT_PROFILE_WEIGHTS);
    at_bench_work work;
    at_ctx ctx;
    at_loss loss;
    must(at_bench_work_open(&work, &options, be, &err), &err);
    at_ctx_init(&ctx, be);
    ctx.recompute = recompute;
    must(at_bench_work_step(&work, &ctx, work.batches / 2, &loss, &err), &err);
    const at_profile p = at_profile_backend_read(be);
    for (int64_t i = 0; i < p.count; i++)
        if (strcmp(p.rows[i].op, "attention") != 0) want += p.rows[i].flop;
    assert_true(listed > 0 && listed == want);
    assert_true(kinds[ATT_PRODUCT_FORWARD] > 0 && kinds[ATT_PRODUCT_INPUT] == kinds[ATT_PRODUCT_FORWARD] &&
                kinds[ATT_PRODUCT_WEIGHT] == kinds[ATT_PRODUCT_FORWARD]);
    at_ctx_free(&ctx);
    at_bench_work_close(&work);
    be->free(be);
    return count;
}

static void products_are_the_steps(void **state)
{
    (void)state;
    const int64_t once = check_products(false);
    assert_true(check_products(true) > once); /* forward products are made again */
}

/* Bytes that a step of a language model takes for activations and their gradients, in batches of TOKENS. */
static size_t step_bytes(int64_t length, bool recompute)
{
    enum { TOKENS = 16384 };
    at_backend *be = null_backend();
    at_bench_work work;
    at_ctx ctx;
    at_error err;
    at_loss loss;
    at_bench_options options = small_work(ATT_TASK_LANGUAGE_MODEL);
    options.layers = 2;
    options.batch_tokens = TOKENS;
    options.length = length;
    must(at_bench_work_open(&work, &options, be, &err), &err);
    at_ctx_init(&ctx, be);
    ctx.recompute = recompute;
    must(at_bench_work_step(&work, &ctx, 0, &loss, &err), &err);
    assert_int_equal(loss.tokens, TOKENS);
    const size_t bytes = ctx.outer.peak + ctx.inner.peak;
    at_ctx_free(&ctx);
    at_bench_work_close(&work);
    be->free(be);
    return bytes;
}

/* No matrix of scores is kept: the same number of tokens takes the same memory, however long their sequences are. */
static void memory_is_linear_in_length(void **state)
{
    (void)state;
    for (int recompute = 0; recompute < 2; recompute++) {
        const double few = (double)step_bytes(512, recompute), many = (double)step_bytes(16384, recompute);
        assert_true(few > 0 && fabs(many - few) <= 0.1 * few);
    }
}

static void peak_of_each_instruction_set(void **state)
{
    (void)state;
    const char *isas[8];
    const int threads[] = {1, 2}, count = at_cpu_isa_list(isas, 8);
    at_error err;
    for (int i = 0; i < count; i++) {
        at_peak peak[2];
        must(at_cpu_peak(peak, threads, 2, isas[i], &err), &err);
        for (int t = 0; t < 2; t++) {
            assert_string_equal(peak[t].isa, isas[i]);
            assert_int_equal(peak[t].threads, threads[t]);
            assert_true(peak[t].flop_s_median > 0 && peak[t].flop_s >= peak[t].flop_s_median);
            assert_true(peak[t].bytes_s_median > 0 && peak[t].bytes_s >= peak[t].bytes_s_median);
        }
    }
    at_peak peak;
    assert_int_equal(at_cpu_peak(&peak, threads, 1, "z80", &err), ATT_UNSUPPORTED);
    assert_int_equal(at_cpu_peak(&peak, &(int){-1}, 1, NULL, &err), ATT_OPTION);
}

static void json_can_be_read(void **state)
{
    (void)state;
    at_backend *be = profiled(cpu_backend(), ATT_PROFILE_WEIGHTS);
    train(be, ATT_TASK_TRANSLATION, NULL, NULL);
    at_profile p = at_profile_backend_read(be);
    p.peak = (at_peak){"some", 2, 2e9, 1e9, 1e9, 5e8};
    json_t *made = at_profile_json(&p);
    char *text = json_dumps(made, 0);
    json_t *read = json_loads(text, 0, NULL), *rows = json_object_get(read, "rows");
    assert_non_null(read);
    assert_int_equal(json_array_size(rows), p.count);
    double share = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const double flop_s = p.rows[i].flop / p.rows[i].seconds, bytes_s = p.rows[i].bytes / p.rows[i].seconds;
        assert_string_equal(json_string_value(json_object_get(row, "op")), p.rows[i].op);
        assert_int_equal(json_integer_value(json_object_get(row, "calls")), p.rows[i].calls);
        share += json_number_value(json_object_get(row, "share"));
        const double of_peak = json_number_value(json_object_get(row, "of_peak")),
                     want = fmax(flop_s / 2e9, bytes_s / 1e9);
        assert_true(fabs(of_peak - want) <= 1e-9 * want);
    }
    assert_true(fabs(share - 1) < 1e-6);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(read, "peak"), "threads")), 2);
    json_decref(made);
    json_decref(read);
    free(text);
    be->free(be);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_counted_by_hand),
        cmocka_unit_test(translator_is_counted_right),
        cmocka_unit_test(language_model_is_counted_right),
        cmocka_unit_test(rows_sum_to_the_whole),
        cmocka_unit_test(same_bits_as_without),
        cmocka_unit_test(failure_is_passed_on_and_taken_back),
        cmocka_unit_test(many_shapes_are_counted_together),
        cmocka_unit_test(products_are_the_steps),
        cmocka_unit_test(memory_is_linear_in_length),
        cmocka_unit_test(peak_of_each_instruction_set),
        cmocka_unit_test(json_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
