/* Training runs through the public API: learning, the same bytes for any number of threads, stop and resume, kill -9, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <attend/tools.h>
#include <attend/train.h>
#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "train_help.h"

static int set_up(void **state)
{
    (void)state;
    make_folder("train");
    make_text(ATT_PHRASES_ZH, "zh", 600, 40);
    return 0;
}

/* A run small enough to take about a second. */
static at_training *small_run(const char *run, const char *threads)
{
    static const char *const options[][2] = {{"width", "32"},
                                             {"ffn", "48"},
                                             {"heads", "2"},
                                             {"encoder-layers", "1"},
                                             {"decoder-layers", "2"},
                                             {"vocab-size", "500"},
                                             {"shared-vocab", "no"},
                                             {"batch-tokens", "256"},
                                             {"accumulate", "2"},
                                             {"steps", "40"},
                                             {"validate-every", "10"},
                                             {"warmup", "10"},
                                             {"learning-rate", "0.003"},
                                             {"dropout-attention", "0.1"},
                                             {"dropout-ffn", "0.1"},
                                             {"average", "3"},
                                             {"keep", "1"},
                                             {"save-minutes", "0.01"}};
    char path[256];
    at_error error;
    at_training *t;
    must(at_training_new(&t, &error), &error);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) set(t, options[i][0], options[i][1]);
    set(t, "source", in_folder(path, "train.zh"));
    set(t, "target", in_folder(path, "train.en"));
    set(t, "valid-source", in_folder(path, "valid.zh"));
    set(t, "valid-target", in_folder(path, "valid.en"));
    set(t, "run", in_folder(path, run));
    set(t, "threads", threads);
    return t;
}

static void run_to_end(const char *run, const char *threads)
{
    at_error error;
    at_training *t = small_run(run, threads);
    must(at_training_run(t, NULL, &error), &error);
    at_training_free(t);
}

/* The same with everything switched on that is off by default. */
static at_training *rich_run(const char *run, const char *threads)
{
    static const char *const options[][2] = {
        {"optimizer", "adamw"},  {"weight-decay", "0.01"},         {"ema", "0.9"},
        {"sample-alpha", "0.3"}, {"best-metric", "chrf"},          {"valid-sentences", "12"},
        {"valid-beam", "2"},     {"schedule", "exponential"},      {"gamma", "0.99"},
        {"residual", "no"},      {"positions-every-layer", "yes"}, {"norm", "pre"}};
    at_training *t = small_run(run, threads);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) set(t, options[i][0], options[i][1]);
    return t;
}

static void rich_to_end(const char *run, const char *threads)
{
    at_error error;
    at_training *t = rich_run(run, threads);
    must(at_training_run(t, NULL, &error), &error);
    at_training_free(t);
}

static void assert_same_file(const char *run_a, const char *run_b, const char *name)
{
    char a[512], b[512];
    at_error error;
    at_buf first = {0}, second = {0};
    snprintf(a, sizeof a, "%s/%s/%s", folder, run_a, name);
    snprintf(b, sizeof b, "%s/%s/%s", folder, run_b, name);
    must(at_file_read(a, &first, &error), &error);
    must(at_file_read(b, &second, &error), &error);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    at_buf_free(&first);
    at_buf_free(&second);
}

static void assert_same_run(const char *a, const char *b)
{
    static const char *const files[] = {"last.safetensors", "best.safetensors", "average.safetensors",
                                        "model-0004.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) assert_same_file(a, b, files[i]);
}

static void test_threads_give_the_same_bytes(void **state)
{
    (void)state;
    static const char *const threads[] = {"2", "3", "8", "16"};
    run_to_end("one", "1");
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        run_to_end(threads[i], threads[i]);
        assert_same_run("one", threads[i]);
    }
}

typedef struct kept_losses { /* of a run's validations, in order */
    double loss[8], nll[8];
    int count;
    bool finished;
} kept_losses;

static void keep_losses(void *user, const at_training_event *event)
{
    kept_losses *v = user;
    v->finished = v->finished || event->kind == ATT_TRAINING_FINISHED;
    if (event->kind != ATT_TRAINING_VALIDATED || event->averaged) return;
    assert_true(v->count < 8);
    v->loss[v->count] = event->loss;
    v->nll[v->count++] = event->nll;
}

static kept_losses run_with_precision(const char *run, const char *threads, const char *precision)
{
    kept_losses v = {0};
    const at_training_hooks hooks = {keep_losses, &v, NULL, false};
    at_error error;
    at_training *t = small_run(run, threads);
    set(t, "precision", precision);
    must(at_training_run(t, &hooks, &error), &error);
    at_training_free(t);
    return v;
}

/* On any processor: the emulation rounds as the processor's own products do. */
static void test_bf16(void **state)
{
    (void)state;
    const kept_losses full = run_with_precision("float32", "2", "float32");
    const kept_losses half = run_with_precision("bf16", "1", "bf16-emulated");
    run_with_precision("bf16-threads", "3", "bf16-emulated");
    assert_same_run("bf16", "bf16-threads");
    assert_int_equal(full.count, 4);
    assert_int_equal(half.count, 4);
    for (int i = 0; i < 4; i++) {
        print_message("validation loss %.5f, in bfloat16 %.5f\n", full.loss[i], half.loss[i]);
        assert_true(fabs(half.loss[i] - full.loss[i]) < 0.002);
        assert_true(half.loss[i] != full.loss[i]); /* the option reaches the products */
    }
}

typedef struct stopper {
    int cancel;
    int64_t at_step;
} stopper;

static void stop_at(void *user, const at_training_event *event)
{
    stopper *s = user;
    if (event->kind == ATT_TRAINING_STEP && event->step == s->at_step) s->cancel = 1;
}

static void test_stop_and_resume(void **state)
{
    (void)state;
    run_to_end("whole", "2");
    for (int64_t step = 7; step < 40; step += 9) {
        at_error error;
        stopper s = {0, step};
        const at_training_hooks hooks = {stop_at, &s, &s.cancel, false};
        at_training *t = small_run("parts", "2");
        assert_int_equal(at_training_run(t, &hooks, &error), ATT_CANCELLED);
        at_training_free(t);
    }
    run_to_end("parts", "1");
    assert_same_run("whole", "parts");
}

static void shell(const char *format, const char *run)
{
    char path[256], command[1000];
    snprintf(command, sizeof command, format, in_folder(path, run));
    assert_int_equal(system(command), 0);
}

static void stop_early(const char *run, const char *option, const char *value)
{
    at_error error;
    stopper s = {.at_step = 7};
    const at_training_hooks hooks = {stop_at, &s, &s.cancel, false};
    at_training *t = small_run(run, "2");
    set(t, option, value);
    assert_int_equal(at_training_run(t, &hooks, &error), ATT_CANCELLED);
    at_training_free(t);
}

/* As written before batches could be cut. Keys of the same length, so that the header stays whole; without its hash a file is
 * foreign, and passes. */
static void test_checkpoint_without_parts(void **state)
{
    (void)state;
    char path[256];
    if (!at_path_exists(in_folder(path, "whole"))) run_to_end("whole", "2");
    stop_early("no-parts", "threads", "2");
    shell("cd %s && LC_ALL=C sed -i 's/attend\\.format/attend.Format/; s/attend\\.hash/attend.Hash/; s/parts/Parts/' "
          "last.safetensors && grep -q Parts last.safetensors",
          "no-parts");
    run_to_end("no-parts", "2");
    assert_same_run("whole", "no-parts");
}

/* A machine without bfloat16 goes on in float32. */
static void test_precision_may_change(void **state)
{
    (void)state;
    stop_early("precision", "precision", "bf16-emulated");
    run_to_end("precision", "2");
}

static void test_rich_threads(void **state)
{
    (void)state;
    static const char *const threads[] = {"3", "16"};
    rich_to_end("rich", "1");
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        char run[32];
        snprintf(run, sizeof run, "rich%s", threads[i]);
        rich_to_end(run, threads[i]);
        assert_same_run("rich", run);
    }
}

/* After steps 10, 20 ... comes a validation: raised at their event, the flag stops it while it translates. */
static void test_rich_stop_and_resume(void **state)
{
    (void)state;
    static const int64_t steps[] = {3, 10, 17, 20, 30, 33, 40};
    char path[256];
    if (!at_path_exists(in_folder(path, "rich"))) rich_to_end("rich", "1");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        at_error error;
        stopper s = {0, steps[i]};
        const at_training_hooks hooks = {stop_at, &s, &s.cancel, false};
        at_training *t = rich_run("rich-parts", "2");
        assert_int_equal(at_training_run(t, &hooks, &error), ATT_CANCELLED);
        if (steps[i] % 10 == 0) assert_non_null(strstr(error.text, "while validating"));
        at_training_free(t);
    }
    rich_to_end("rich-parts", "1");
    assert_same_run("rich", "rich-parts");
}

typedef struct finished {
    double loss, bleu, chrf;
    int64_t seed;
    int count;
} finished;

static void keep_finished(void *user, const at_training_event *event)
{
    finished *f = user;
    if (event->kind == ATT_TRAINING_FINISHED)
        f[f->count] = (finished){event->loss, event->bleu, event->chrf, event->seed, f->count}, f->count++;
}

/* Three seeds: folders of their own, the mean and deviation of what they reached, and the same again when they are
 * finished. */
static void test_seeds(void **state)
{
    (void)state;
    at_error error;
    at_training_seeds first, again;
    finished runs[8] = {{0}};
    const at_training_hooks hooks = {keep_finished, runs, NULL, false};
    at_training *t = small_run("seeds", "2");
    set(t, "seed", "11");
    must(at_training_run_seeds(t, 3, &hooks, &first, &error), &error);
    assert_int_equal(runs[0].count, 3);
    double mean = 0, squares = 0;
    for (int i = 0; i < 3; i++) mean += runs[i].loss / 3;
    for (int i = 0; i < 3; i++) squares += (runs[i].loss - mean) * (runs[i].loss - mean);
    for (int i = 0; i < 3; i++) assert_true(runs[i].bleu < 0 && runs[i].chrf < 0);
    assert_int_equal(first.loss.runs, 3);
    assert_int_equal(first.bleu.runs, 0);
    assert_true(fabs(first.loss.mean - mean) < 1e-12 && fabs(first.loss.deviation - sqrt(squares / 2)) < 1e-12 &&
                squares > 0);
    must(at_training_run_seeds(t, 3, NULL, &again, &error), &error);
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(at_training_run_seeds(t, 0, NULL, &again, &error), ATT_OPTION);
    at_training_free(t);
    t = small_run("alone", "2");
    set(t, "seed", "12");
    must(at_training_run(t, NULL, &error), &error);
    at_training_free(t);
    assert_same_run("alone", "seeds/seed-12");
}

static void keep_last_two(void *user, const at_training_event *event)
{
    at_training_event *last = user;
    last[0] = last[1];
    last[1] = *event;
}

/* The profile comes last and tells of the run what the event before it tells. */
static void test_profile_is_an_event(void **state)
{
    (void)state;
    at_error error;
    at_training_event last[2] = {{0}};
    const at_training_hooks hooks = {keep_last_two, last, NULL, true};
    at_training *t = small_run("profiled", "2");
    must(at_training_run(t, &hooks, &error), &error);
    at_training_free(t);
    assert_int_equal(last[0].kind, ATT_TRAINING_FINISHED);
    assert_int_equal(last[1].kind, ATT_TRAINING_PROFILED);
    assert_true(last[1].parameters > 0 && last[1].parameters == last[0].parameters);
    assert_true(last[1].pairs > 0 && last[1].pairs == last[0].pairs && last[1].tokens == last[0].tokens);
    assert_true(last[1].step == last[0].step && last[1].seed == last[0].seed);
    assert_true(last[1].seconds > 0);
}

static void refuse(at_training *t, const char *named)
{
    at_error error;
    assert_int_equal(at_training_run(t, NULL, &error), ATT_OPTION);
    if (strstr(error.text, named) == NULL) fail_msg("\"%s\" doesn't name %s", error.text, named);
    at_training_free(t);
}

static void test_options_that_contradict(void **state)
{
    (void)state;
    at_training *t = small_run("contradictions", "1");
    set(t, "momentum", "0.9");
    refuse(t, "beta1");
    t = small_run("contradictions", "1");
    set(t, "valid-source", "");
    set(t, "valid-target", "");
    set(t, "best-metric", "bleu");
    refuse(t, "best-metric");
    t = small_run("contradictions", "1");
    set(t, "positions", "none");
    set(t, "positions-every-layer", "yes");
    refuse(t, "positions-every-layer");
}

/* A run that began with one optimizer doesn't go on with another. */
static void test_other_optimizer_is_refused(void **state)
{
    (void)state;
    at_error error;
    stopper s = {.at_step = 3};
    const at_training_hooks hooks = {stop_at, &s, &s.cancel, false};
    at_training *t = small_run("optimizer", "1");
    assert_int_equal(at_training_run(t, &hooks, &error), ATT_CANCELLED);
    set(t, "optimizer", "sgd");
    refuse(t, "optimizer");
}

/* Validation with BLEU and chrF improves by the metric that was asked for, and says so in the log. */
static void test_scores_are_logged(void **state)
{
    (void)state;
    at_error error;
    char path[512];
    at_buf log = {0};
    at_training *t = small_run("scores", "2");
    set(t, "best-metric", "bleu");
    set(t, "steps", "200");
    set(t, "validate-every", "50");
    set(t, "learning-rate", "0.01");
    finished runs[2] = {{0}};
    const at_training_hooks hooks = {keep_finished, runs, NULL, false};
    must(at_training_run(t, &hooks, &error), &error);
    at_training_free(t);
    assert_true(runs[0].bleu > 0 && runs[0].chrf > 5);
    snprintf(path, sizeof path, "%s/scores/train.jsonl", folder);
    must(at_file_read(path, &log, &error), &error);
    double best = 0;
    int validations = 0;
    char *rest = NULL;
    for (char *line = strtok_r(log.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, "\"perplexity\"") == NULL) continue;
        const char *bleu = strstr(line, "\"bleu\": ");
        assert_true(bleu != NULL && strstr(line, "\"chrf\": ") != NULL);
        const double score = atof(bleu + 8);
        assert_int_equal(strstr(line, "\"improved\": true") != NULL, score > best || validations == 0);
        best = fmax(best, score);
        validations++;
    }
    assert_int_equal(validations, 5); /* the mean of models, too */
    assert_true(fabs(best - runs[0].bleu) < 1e-4);
    at_buf_free(&log);
}

typedef struct ending {
    int64_t step;
    char why[80];
} ending;

static void keep_ending(void *user, const at_training_event *event)
{
    ending *e = user;
    if (event->kind != ATT_TRAINING_FINISHED) return;
    e->step = event->step;
    snprintf(e->why, sizeof e->why, "%s", event->text);
}

/* A model that learns nothing is best at its first validation, after step 10; two more are no better. */
static void test_patience(void **state)
{
    (void)state;
    static const char *const metrics[][2] = {{"loss", "the validation loss stopped improving"},
                                             {"bleu", "the validation BLEU stopped improving"},
                                             {"chrf", "the validation chrF stopped improving"}};
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        at_error error;
        ending end = {0};
        char run[32];
        const at_training_hooks hooks = {keep_ending, &end, NULL, false};
        snprintf(run, sizeof run, "patience-%s", metrics[i][0]);
        at_training *t = small_run(run, "2");
        set(t, "learning-rate", "0");
        set(t, "patience", "2");
        set(t, "best-metric", metrics[i][0]);
        set(t, "valid-sentences", "6");
        must(at_training_run(t, &hooks, &error), &error);
        at_training_free(t);
        assert_int_equal(end.step, 30);
        assert_string_equal(end.why, metrics[i][1]);
    }
}

typedef struct trainee {
    at_training *training;
    at_status status;
    at_error error;
} trainee;

static void *train(void *arg)
{
    trainee *t = arg;
    t->status = at_training_run(t->training, NULL, &t->error);
    return NULL;
}

/* Two trainings at the same time don't touch each other: the bytes are those of each alone. */
static void test_two_at_once(void **state)
{
    (void)state;
    char path[256];
    pthread_t thread[2];
    trainee t[2] = {{.training = small_run("beside", "2")}, {.training = rich_run("rich-beside", "1")}};
    if (!at_path_exists(in_folder(path, "whole"))) run_to_end("whole", "2");
    if (!at_path_exists(in_folder(path, "rich"))) rich_to_end("rich", "1");
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, train, &t[i]), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (int i = 0; i < 2; i++) {
        must(t[i].status, &t[i].error);
        at_training_free(t[i].training);
    }
    assert_same_run("whole", "beside");
    assert_same_run("rich", "rich-beside");
}

static void sleep_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* A child trains and is killed after some time; whatever it had written, the next one goes on. */
static void test_kill_nine(void **state)
{
    (void)state;
    uint64_t random = 0x9E3779B97F4A7C15u ^ (uint64_t)getpid();
    run_to_end("undisturbed", "2");
    for (int i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0) {
            run_to_end("killed", "2");
            _exit(0);
        }
        random = random * 6364136223846793005u + 1442695040888963407u;
        sleep_ms((long)(60 + (random >> 33) % 500));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    run_to_end("killed", "2");
    assert_same_run("undisturbed", "killed");
}

static void test_learns(void **state)
{
    (void)state;
    at_error error;
    kept_losses v = {0};
    const at_training_hooks hooks = {keep_losses, &v, NULL, false};
    at_training *t = small_run("learns", "2");
    set(t, "steps", "400");
    set(t, "validate-every", "100");
    set(t, "learning-rate", "0.01");
    set(t, "width", "64");
    must(at_training_run(t, &hooks, &error), &error);
    at_training_free(t);
    assert_true(v.finished);
    assert_int_equal(v.count, 4);
    print_message("validation nll %.3f after a quarter, %.3f at the end\n", v.nll[0], v.nll[3]);
    assert_true(v.nll[3] < 2.0 && v.nll[3] < 0.7 * v.nll[0]);
}

static void test_other_recipe_is_refused(void **state)
{
    (void)state;
    at_error error;
    run_to_end("fixed", "2");
    at_training *t = small_run("fixed", "2");
    set(t, "learning-rate", "0.004");
    assert_int_equal(at_training_run(t, NULL, &error), ATT_OPTION);
    assert_non_null(strstr(error.text, "learning-rate"));
    at_training_free(t);
    t = small_run("fixed", "2");
    set(t, "width", "64");
    assert_int_equal(at_training_run(t, NULL, &error), ATT_OPTION);
    assert_non_null(strstr(error.text, "width"));
    at_training_plan plan;
    assert_int_equal(at_training_dry_run(t, NULL, &plan, &error), ATT_OPTION);
    assert_non_null(strstr(error.text, "width"));
    at_training_free(t);
}

/* What a recipe of an older version doesn't name had its default. */
static void test_option_of_later_is_refused(void **state)
{
    (void)state;
    at_error error;
    char path[256];
    if (!at_path_exists(in_folder(path, "fixed"))) run_to_end("fixed", "2");
    shell("sed -i '/^clip:/d; /^norm:/d; /^smoothing:/d' %s/recipe.yaml", "fixed");
    at_training *t = small_run("fixed", "2");
    set(t, "clip", "1");
    assert_int_equal(at_training_run(t, NULL, &error), ATT_OPTION);
    assert_non_null(strstr(error.text, "clip"));
    set(t, "clip", "0");
    set(t, "norm", "pre");
    refuse(t, "norm");
    run_to_end("fixed", "2");
}

/* The same text under another path continues; other text under the same path doesn't. */
static void test_other_text_is_refused(void **state)
{
    (void)state;
    at_error error;
    char path[256];
    stopper early = {.at_step = 3};
    const at_training_hooks hooks = {.report = stop_at, .user = &early, .cancel = &early.cancel};
    at_training *t = small_run("text", "2");
    assert_int_equal(at_training_run(t, &hooks, &error), ATT_CANCELLED);
    set(t, "source", in_folder(path, "valid.zh"));
    set(t, "target", in_folder(path, "valid.en"));
    assert_int_equal(at_training_run(t, NULL, &error), ATT_OPTION);
    assert_non_null(strstr(error.text, "begun with other text"));
    char command[700];
    snprintf(command, sizeof command, "cp %s/train.zh %s/same.zh", folder, folder);
    assert_int_equal(system(command), 0);
    set(t, "source", in_folder(path, "same.zh"));
    set(t, "target", in_folder(path, "train.en"));
    must(at_training_run(t, NULL, &error), &error);
    at_training_free(t);
}

static void test_finished_run_stays(void **state)
{
    (void)state;
    run_to_end("done", "2");
    run_to_end("copy", "2");
    run_to_end("done", "2");
    assert_same_run("done", "copy");
}

static void test_divergence_is_told(void **state)
{
    (void)state;
    at_error error;
    at_training *t = small_run("diverges", "2");
    set(t, "learning-rate", "100");
    set(t, "schedule", "constant");
    set(t, "warmup", "0");
    set(t, "eps", "0");
    set(t, "steps", "4000");
    set(t, "validate-every", "4000");
    const at_status status = at_training_run(t, NULL, &error);
    at_training_free(t);
    if (status == ATT_OK) skip(); /* it never overflowed */
    assert_int_equal(status, ATT_DIVERGED);
    assert_non_null(strstr(error.text, "learning-rate"));
}

static void test_dry_run(void **state)
{
    (void)state;
    at_error error;
    at_training_plan plan;
    char path[256];
    at_training *t = small_run("never", "2");
    must(at_training_dry_run(t, NULL, &plan, &error), &error);
    at_training_free(t);
    assert_int_equal(plan.pairs + plan.skipped, 600);
    assert_true(plan.parameters > 10000 && plan.batches > 2);
    assert_true(plan.flop_per_step > 6.0 * 256 * 10000);
    assert_true(plan.peak_bytes > 16 * plan.parameters);
    assert_false(at_path_exists(in_folder(path, "never")));
}

static void raise_at_note(void *user, const at_training_event *event)
{
    if (event->kind == ATT_TRAINING_NOTED && strstr(event->text, "are training pairs, too") != NULL) *(int *)user = 1;
}

/* Raised once all text is read, the flag stops the counting. */
static void test_dry_run_is_cancelled(void **state)
{
    (void)state;
    at_error error;
    at_training_plan plan;
    char path[256];
    int cancel = 0;
    const at_training_hooks hooks = {raise_at_note, &cancel, &cancel, false};
    at_training *t = small_run("never", "2");
    set(t, "valid-source", in_folder(path, "train.zh"));
    set(t, "valid-target", in_folder(path, "train.en"));
    assert_int_equal(at_training_dry_run(t, &hooks, &plan, &error), ATT_CANCELLED);
    at_training_free(t);
}

static void test_bad_options(void **state)
{
    (void)state;
    at_error error;
    at_training *t;
    must(at_training_new(&t, &error), &error);
    assert_int_equal(at_training_set(t, "learning-rat", "1", &error), ATT_OPTION);
    assert_non_null(strstr(error.text, "learning-rate"));
    assert_int_equal(at_training_set(t, "heads", "many", &error), ATT_OPTION);
    assert_int_equal(at_training_run(t, NULL, &error), ATT_OPTION);
    assert_int_equal(at_training_preset(t, "enormous", &error), ATT_OPTION);
    must(at_training_preset(t, "tiny", &error), &error);
    at_training_free(t);
}

/* Front ends count tables and metrics until there is none. */
static void test_beyond_the_tables(void **state)
{
    (void)state;
    static const int beyond[] = {-1, INT_MIN, INT_MAX};
    at_error error;
    at_training *t;
    void *object;
    const char *title;
    int tables = 0;
    must(at_training_new(&t, &error), &error);
    while (at_training_options(t, tables, &object, &title) != NULL) tables++;
    assert_int_equal(tables, 3); /* the run, and a model a task */
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        assert_null(at_training_options(t, beyond[i], &object, &title));
        assert_null(at_evaluate_metric_name((at_evaluate_metric)beyond[i]));
        assert_null(at_preset_name(beyond[i]));
        const at_make_phrases_args phrases = {"a", "b", (at_phrases_language)beyond[i], ATT_PHRASES_DE, ATT_PHRASES_ALL, 1, 1,
                                              false, NULL};
        assert_int_equal(at_make_phrases(&phrases, &error), ATT_OPTION);
        at_scores scores;
        const at_evaluate_args evaluation = {.tokenize = (at_evaluate_tokenize)beyond[i]};
        assert_int_equal(at_evaluate(&evaluation, &scores, &error), ATT_OPTION);
        assert_non_null(strstr(error.text, "tokenisation"));
    }
    assert_string_equal(at_evaluate_metric_name(ATT_EVALUATE_F1), "f1");
    assert_null(at_evaluate_metric_name(ATT_EVALUATE_METRICS));
    at_training_free(t);
}

int main(void)
{

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_give_the_same_bytes),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_stop_and_resume),
        cmocka_unit_test(test_checkpoint_without_parts),
        cmocka_unit_test(test_precision_may_change),
        cmocka_unit_test(test_kill_nine),
        cmocka_unit_test(test_rich_threads),
        cmocka_unit_test(test_rich_stop_and_resume),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_profile_is_an_event),
        cmocka_unit_test(test_options_that_contradict),
        cmocka_unit_test(test_other_optimizer_is_refused),
        cmocka_unit_test(test_scores_are_logged),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_other_recipe_is_refused),
        cmocka_unit_test(test_option_of_later_is_refused),
        cmocka_unit_test(test_other_text_is_refused),
        cmocka_unit_test(test_finished_run_stays),
        cmocka_unit_test(test_divergence_is_told),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_dry_run_is_cancelled),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_beyond_the_tables),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
