/* The mean of models: the weights' mean, and nothing else changes; other kinds are refused. */
#include <attend/tools.h>
#include <math.h>

#include "model_help.h"

static at_status average(const char *a, const char *b, const char *to, at_error *err)
{
    const char *models[] = {path_of(a), path_of(b)};
    return at_average(models, 2, path_of(to), err);
}

static void mean_of_two(void **state)
{
    (void)state;
    at_error err;
    at_stored_model a, b, mean;
    at_backend *be = new_backend();
    write_model(be, path_of("a"), "output-bias=true", 1, false);
    write_model(be, path_of("b"), "output-bias=true", 2, false);
    must(average("a", "b", "mean", &err), &err);
    must(at_stored_model_open(&a, path_of("a"), &err), &err);
    must(at_stored_model_open(&b, path_of("b"), &err), &err);
    must(at_stored_model_open(&mean, path_of("mean"), &err), &err);
    assert_int_equal(mean.tensor_count, a.tensor_count);
    for (size_t i = 0; i < a.tensor_count; i++) {
        const float *x = a.tensors[i].data, *y = b.tensors[i].data, *z = mean.tensors[i].data;
        assert_string_equal(mean.tensors[i].name, a.tensors[i].name);
        for (size_t j = 0; j < a.tensors[i].bytes / sizeof *x; j++)
            assert_true(z[j] == (float)(((double)x[j] + (double)y[j]) / 2));
    }
    assert_int_equal(mean.tokenizer[0].size, a.tokenizer[0].size);
    assert_memory_equal(mean.tokenizer[0].bytes, a.tokenizer[0].bytes, a.tokenizer[0].size);
    assert_int_equal(mean.setting_count, a.setting_count);
    assert_non_null(strstr(mean.info, "\"first\":{\"step\":7}"));
    assert_non_null(strstr(mean.info, path_of("b")));
    at_stored_model_close(&a);
    at_stored_model_close(&b);
    at_stored_model_close(&mean);
    be->free(be);
}

static void other_kinds_are_refused(void **state)
{
    (void)state;
    at_error err;
    at_backend *be = new_backend();
    write_model(be, path_of("a"), "tie-embeddings=false", 1, false);
    static const struct {
        const char *options, *word;
        bool two_vocabularies;
    } cases[] = {{"tie-embeddings=false width=24", "width is 24, but 12", false},
                 {"tie-embeddings=false activation=gelu", "activation is gelu, but relu", false},
                 {"tie-embeddings=true", "tie-embeddings", false},
                 {"tie-embeddings=false", "target-vocab", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_model(be, path_of("b"), cases[i].options, 2, cases[i].two_vocabularies);
        assert_int_equal(average("a", "b", "mean", &err), ATT_INPUT);
        if (strstr(err.text, cases[i].word) == NULL || strstr(err.text, path_of("b")) == NULL) fail_msg("%s", err.text);
        assert_false(at_path_exists(path_of("mean")));
    }
    assert_int_equal(average("a", "none", "mean", &err), ATT_IO);
    assert_int_equal(average("b", "a", "a", &err), ATT_OPTION);
    assert_int_equal(at_average(NULL, 0, path_of("mean"), &err), ATT_OPTION);
    be->free(be);
}

/* The same sizes, other pieces. */
static void other_vocabularies_are_refused(void **state)
{
    (void)state;
    at_error err;
    at_stored_model b;
    at_backend *be = new_backend();
    write_model(be, path_of("a"), "", 1, false);
    must(at_stored_model_open(&b, path_of("a"), &err), &err);
    at_tokenizer *other = tokenizer_of(60, 9);
    b.tokenizer[0].bytes = at_tokenizer_bytes(other, &b.tokenizer[0].size);
    must(at_stored_model_write(&b, path_of("b"), NULL, 0, NULL, 0, &err), &err);
    assert_int_equal(average("a", "b", "mean", &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "vocabulary"));
    at_tokenizer_free(other);
    at_stored_model_close(&b);
    be->free(be);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {CASE(mean_of_two), CASE(other_kinds_are_refused),
                                       CASE(other_vocabularies_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
