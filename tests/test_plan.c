/* Memory as it is predicted beside what a run takes, each in a process of its own; a limit is kept by cutting batches, and
 * one that can't be kept is refused with what could. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <attend/tools.h>
#include <attend/train.h>
#include <cmocka.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "train_help.h"

#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined SANITIZED || defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { MEASURES = 0 }; /* sanitizers keep books of their own */
#else
enum { MEASURES = 1 };
#endif

static int set_up(void **state)
{
    (void)state;
    make_folder("plan");
    make_text(ATT_PHRASES_ZH, "zh", 3000, 300);
    return 0;
}

static const char *const common =
    "width=128 ffn=512 heads=4 encoder-layers=2 decoder-layers=2 vocab-size=600 batch-tokens=8192 "
    "dropout-attention=0.1 steps=3 validate-every=2 threads=2 warmup=10";
static const char *const common_stream =
    "width=128 heads=4 layers=2 context=64 subword=char batch-tokens=770 steps=3 threads=2 warmup=10";

static void set_text(at_training *t, bool stream)
{
    char path[256];
    set(t, stream ? "text" : "source", in_folder(path, "train.zh"));
    set(t, stream ? "valid-text" : "valid-source", in_folder(path, "valid.zh"));
    if (stream) return;
    set(t, "target", in_folder(path, "train.en"));
    set(t, "valid-target", in_folder(path, "valid.en"));
}

/* options: "name=value name=value"; of a language model they begin with its task */
static at_training *training(const char *options)
{
    const bool stream = strncmp(options, "task=language-model", 19) == 0;
    char path[256], text[600];
    at_error error;
    at_training *t;
    must(at_training_new(&t, &error), &error);
    set_text(t, stream);
    set(t, "run", in_folder(path, "run"));
    snprintf(text, sizeof text, "%s %s", stream ? common_stream : common, options);
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        set(t, word, value);
    }
    return t;
}

/* What a child found; status and message of the call. */
typedef struct found {
    at_training_plan plan;
    at_status status;
    char text[sizeof((at_error *)NULL)->text];
} found;

static void work(const char *options, bool dry, int to)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* as the command does */
#endif
    found f = {0};
    at_error error = {0};
    at_training *t = training(options);
    f.status = dry ? at_training_dry_run(t, NULL, &f.plan, &error) : at_training_run(t, NULL, &error);
    memcpy(f.text, error.text, sizeof f.text);
    at_training_free(t);
    _exit(write(to, &f, sizeof f) == sizeof f ? 0 : 1);
}

/* In a process of its own; *peak receives its largest resident size in bytes. */
static found run_apart(const char *options, bool dry, int64_t *peak)
{
    int ends[2], status;
    struct rusage usage;
    found f;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) work(options, dry, ends[1]);
    assert_int_equal(read(ends[0], &f, sizeof f), sizeof f);
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(status, 0);
    *peak = (int64_t)usage.ru_maxrss * 1024;
    return f;
}

static void remove_run(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s/run", folder);
    assert_int_equal(system(command), 0);
}

/* What a prediction may be off: 5 % or 16 MB. */
static int64_t allowance(int64_t bytes)
{
    return bytes / 20 > 16000000 ? bytes / 20 : 16000000;
}

static void assert_near(const char *options, int64_t predicted, int64_t measured)
{
    const int64_t off = predicted > measured ? predicted - measured : measured - predicted;
    print_message("%-60s predicted %lld MB, measured %lld MB\n", options, (long long)(predicted / 1000000),
                  (long long)(measured / 1000000));
    assert_true(off <= allowance(measured));
}

static void prediction_is_what_a_run_takes(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "recompute=yes",
        "threads=1 norm=pre activation=gelu",
        "ema=0.99 activation=swiglu dropout-ffn=0.1",
        "width=256 recompute=yes encoder-layers=4 optimizer=sgd",
        "best-metric=chrf valid-sentences=100 batch-tokens=4096",
        "batch-tokens=16384 batch-measure=packed accumulate=2 average=2 keep=2 validate-every=1",
        "width=512 precision=bf16-emulated batch-tokens=2048",
        "sample-alpha=0.1 sample-best=64 batch-tokens=16384",
        "best-metric=bleu valid-beam=16 valid-sentences=100 width=64 ffn=8192 batch-tokens=256",
        "task=language-model width=256 layers=4 context=128 batch-tokens=4096",
        "task=language-model width=512 subword=bpe vocab-size=4000 recompute=yes accumulate=2 batch-tokens=4096",
    };
    if (!MEASURES) skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t own, measured;
        const found plan = run_apart(cases[i], true, &own), done = run_apart(cases[i], false, &measured);
        if (plan.status != ATT_OK || done.status != ATT_OK) fail_msg("%s%s", plan.text, done.text);
        assert_near(cases[i], plan.plan.peak_bytes, measured);
        remove_run();
    }
}

/* Two thirds of what it would take: cut batches, the same tokens an update, and no more memory than allowed. */
static void a_limit_is_kept(void **state)
{
    (void)state;
    char options[100];
    int64_t own, measured;
    if (!MEASURES) skip();
    const int64_t whole = run_apart("", true, &own).plan.peak_bytes, limit = whole * 2 / 3;
    snprintf(options, sizeof options, "steps=50 epochs=1 memory=%lld", (long long)limit);
    const at_training_plan plan = run_apart(options, true, &own).plan;
    assert_true(plan.accumulate > 1 && plan.batch_tokens * plan.accumulate == 8192 && plan.peak_bytes <= limit);
    const found done = run_apart(options, false, &measured);
    if (done.status != ATT_OK) fail_msg("%s", done.text);
    assert_near(options, plan.peak_bytes, measured);
    assert_true(measured <= limit + allowance(limit));
    const at_training_plan begun = run_apart("steps=50 epochs=2 memory=0", true, &own).plan;
    assert_true(begun.accumulate == plan.accumulate && begun.batch_tokens == plan.batch_tokens);
    const found again = run_apart("steps=50 epochs=2 memory=0", false, &measured); /* the batches that it began with */
    assert_int_equal(again.status, ATT_OK);
    assert_near("as it was begun", begun.peak_bytes, measured);
    assert_true(measured < whole - (whole - plan.peak_bytes) / 2);
    remove_run();
}

/* Down to one window a batch, and the same number of windows an update. */
static void a_stream_is_cut_by_windows(void **state)
{
    (void)state;
    char options[100];
    int64_t own;
    if (!MEASURES) skip();
    const found least = run_apart("task=language-model batch-tokens=64", true, &own);
    if (least.status != ATT_OK) fail_msg("%s", least.text);
    snprintf(options, sizeof options, "task=language-model memory=%lld", (long long)least.plan.peak_bytes + 500000);
    const found cut = run_apart(options, true, &own);
    if (cut.status != ATT_OK) fail_msg("%s", cut.text);
    assert_int_equal(cut.plan.batch_tokens, 64); /* 770 / 12 */
    assert_int_equal(cut.plan.accumulate, 12);
}

static void what_cannot_fit_is_refused(void **state)
{
    (void)state;
    at_error error;
    at_training_plan plan;
    at_training *t = training("memory=9M");
    assert_int_equal(at_training_run(t, NULL, &error), ATT_OPTION);
    assert_non_null(strstr(error.text, "memory 9M is too little"));
    assert_int_equal(at_training_dry_run(t, NULL, &plan, &error), ATT_OPTION);
    at_training_free(t);
    remove_run();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prediction_is_what_a_run_takes),
        cmocka_unit_test(a_limit_is_kept),
        cmocka_unit_test(a_stream_is_cut_by_windows),
        cmocka_unit_test(what_cannot_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
