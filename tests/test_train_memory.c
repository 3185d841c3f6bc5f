/* Lack of memory while training: the n-th allocation fails, alone or with all that follow, for n spread over a whole
 * small run. Each time a status comes back, and the run folder goes on to the end of the undisturbed run. The program
 * is linked so that every allocation of the library passes here (tests/CMakeLists.txt). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <attend/tools.h>
#include <attend/train.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train_help.h"

enum { SAMPLES = 60 };

static atomic_llong allocations; /* since the run began */
static atomic_llong failing;     /* this one fails; 0: none */
static atomic_bool following;    /* and all after it */
static int reported;             /* runs that ended in ATT_MEMORY */

static bool fails(void)
{
    const long long n = atomic_fetch_add(&allocations, 1) + 1, at = atomic_load(&failing);
    return at > 0 && (n == at || (n > at && atomic_load(&following)));
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

static int set_up(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc, free); /* the JSON library's, too */
    make_folder("memory");
    make_text(ATT_PHRASES_DE, "de", 60, 6);
    return 0;
}

static void remove_run(const char *run)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s/%s", folder, run);
    assert_int_equal(system(command), 0);
}

/* Passes through all that training may do: sampling, averages, translations, several validations, the mean of models.
 */
static at_status set_all(at_training *t, const char *run, at_error *error)
{
    char source[256], target[256], valid_source[256], valid_target[256], path[256];
    const char *const options[][2] = {{"width", "16"},
                                      {"ffn", "16"},
                                      {"heads", "2"},
                                      {"encoder-layers", "1"},
                                      {"decoder-layers", "1"},
                                      {"vocab-size", "120"},
                                      {"batch-tokens", "200"},
                                      {"steps", "6"},
                                      {"validate-every", "3"},
                                      {"warmup", "2"},
                                      {"optimizer", "adamw"},
                                      {"weight-decay", "0.01"},
                                      {"ema", "0.9"},
                                      {"sample-alpha", "0.3"},
                                      {"best-metric", "chrf"},
                                      {"average", "2"},
                                      {"save-minutes", "0.01"},
                                      {"log-every", "2"},
                                      {"threads", "1"},
                                      {"source", in_folder(source, "train.de")},
                                      {"target", in_folder(target, "train.en")},
                                      {"valid-source", in_folder(valid_source, "valid.de")},
                                      {"valid-target", in_folder(valid_target, "valid.en")},
                                      {"run", in_folder(path, run)}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const at_status status = at_training_set(t, options[i][0], options[i][1], error);
        if (status != ATT_OK) return status;
    }
    return ATT_OK;
}

/* From options to the end, with allocation `n` failing. */
static at_status train(const char *run, long long n, bool all, at_error *error)
{
    at_training *t;
    atomic_store(&allocations, 0);
    atomic_store(&following, all);
    atomic_store(&failing, n);
    at_status status = at_training_new(&t, error);
    if (status == ATT_OK) {
        status = set_all(t, run, error);
        if (status == ATT_OK) status = at_training_run(t, NULL, error);
        at_training_free(t);
    }
    atomic_store(&failing, 0);
    return status;
}

static void assert_same_file(const char *run, const char *name)
{
    char a[512], b[512];
    at_error error;
    at_buf first = {0}, second = {0};
    snprintf(a, sizeof a, "%s/whole/%s", folder, name);
    snprintf(b, sizeof b, "%s/%s/%s", folder, run, name);
    must(at_file_read(a, &first, &error), &error);
    must(at_file_read(b, &second, &error), &error);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    at_buf_free(&first);
    at_buf_free(&second);
}

/* Whether the run's log says that it ended. */
static bool has_ended(const char *run)
{
    char path[512];
    at_error error;
    at_buf log = {0};
    snprintf(path, sizeof path, "%s/%s/train.jsonl", folder, run);
    must(at_file_read(path, &log, &error), &error);
    const bool ended = strstr(log.data, "\"event\": \"end\"") != NULL;
    at_buf_free(&log);
    return ended;
}

/* The JSON library doesn't always tell lack of memory from bad text, and copes with some failures itself: so any
 * failure will do, and success where the run is whole. */
static void fail_and_go_on(long long n, bool all)
{
    at_error error = {.text = ""};
    remove_run("cut");
    const at_status status = train("cut", n, all, &error);
    if (status == ATT_OK && !has_ended("cut"))
        fail_msg("allocation %lld failed, and the run went on without what it lacked", n);
    if (status != ATT_OK && error.text[0] == '\0') fail_msg("allocation %lld: no message", n);
    reported += status == ATT_MEMORY;
    const at_status again = train("cut", 0, false, &error);
    if (again != ATT_OK) fail_msg("after allocation %lld failed: %s", n, error.text);
    assert_same_file("cut", "last.safetensors");
    assert_same_file("cut", "best.safetensors");
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    at_error error;
    must(train("whole", 0, false, &error), &error);
    const long long total = atomic_load(&allocations);
    print_message("%lld allocations in a run of six updates\n", total);
    assert_true(total > 1000);
    for (int i = 0; i < SAMPLES; i++) fail_and_go_on(1 + total * i / SAMPLES, i % 2 == 1);
    for (long long n = 2; n < 40; n += 3) fail_and_go_on(n, false);         /* options */
    for (long long n = 0; n < 40; n += 3) fail_and_go_on(total - n, false); /* the end */
    assert_true(reported > SAMPLES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
