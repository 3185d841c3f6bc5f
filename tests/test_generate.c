/* A language model from text to text: trained through the public API on text that it can learn in a second, stopped and
 * resumed, validated over all of its text, and continued. GPT-2 continues as its own program does; for that the answers
 * stand in ${ATTEND_REFERENCE:-../shared/reference}/gpt2, without them the test is skipped. */
#include <attend/train.h>
#include <math.h>

#include "base/file.h"
#include "base/utf8.h"
#include "infer/generate.h"
#include "infer/text_stream.h"
#include "reference_model.h"
#include "tiny_translator.h"
#include "train/show.h"

enum { CONTEXT = 32, LINES = 400, VALID_LINES = 20 };

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static int next;
    char *text = path[next++ % 4];
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

/* Lines of a word said twice: "baum baum". What it is can't be known, the rest can. */
static void write_lines(const char *name, int lines, uint64_t key)
{
    FILE *out = fopen(in_folder(name), "w");
    assert_non_null(out);
    for (int i = 0; i < lines; i++) {
        const char *word = tiny_words[at_rng_below(key, (uint64_t)i, 8)];
        fprintf(out, "%s %s\n", word, word);
    }
    assert_int_equal(fclose(out), 0);
}

static void set(at_training *t, const char *name, const char *value)
{
    at_error err;
    must(at_training_set(t, name, value, &err), &err);
}

static at_training *small_run(const char *run, const char *threads)
{
    static const char *const options[][2] = {{"context", "32"}, /* before the task: the order is free */
                                             {"task", "language-model"},
                                             {"layers", "2"},
                                             {"width", "32"},
                                             {"heads", "2"},
                                             {"subword", "char"},
                                             {"batch-tokens", "128"},
                                             {"accumulate", "2"},
                                             {"steps", "500"},
                                             {"validate-every", "100"},
                                             {"schedule", "cosine"},
                                             {"warmup", "20"},
                                             {"learning-rate", "0.01"},
                                             {"beta2", "0.99"},
                                             {"dropout", "0"},
                                             {"dropout-embedding", "0"},
                                             {"dropout-attention", "0.01"},
                                             {"average", "2"}};
    at_error err;
    at_training *t;
    must(at_training_new(&t, &err), &err);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) set(t, options[i][0], options[i][1]);
    set(t, "text", in_folder("train.txt"));
    set(t, "valid-text", in_folder("valid.txt"));
    set(t, "run", in_folder(run));
    set(t, "threads", threads);
    return t;
}

typedef struct watcher {
    int cancel;
    int64_t stop_at, tokens;
    double loss;
} watcher;

static void watch(void *user, const at_training_event *event)
{
    watcher *w = user;
    w->tokens = event->tokens;
    if (event->kind == ATT_TRAINING_STEP && event->step == w->stop_at) w->cancel = 1;
    if (event->kind == ATT_TRAINING_FINISHED) w->loss = event->loss;
}

static at_status run(const char *name, const char *threads, int64_t stop_at, watcher *w, at_error *err)
{
    *w = (watcher){.stop_at = stop_at};
    const at_training_hooks hooks = {.report = watch, .user = w, .cancel = &w->cancel};
    at_training *t = small_run(name, threads);
    const at_status status = at_training_run(t, &hooks, err);
    at_training_free(t);
    return status;
}

static int set_up(void **state)
{
    (void)state;
    at_error err;
    watcher w;
    strcpy(folder, "/tmp/attend-generate-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_lines("train.txt", LINES, 1);
    write_lines("valid.txt", VALID_LINES, 2);
    must(run("whole", "1", -1, &w, &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void expect_same_file(const char *a, const char *b)
{
    at_error err;
    at_buf first = {0}, second = {0};
    must(at_file_read(in_folder(a), &first, &err), &err);
    must(at_file_read(in_folder(b), &second, &err), &err);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    at_buf_free(&first);
    at_buf_free(&second);
}

static at_bundle open_trained(at_backend **be)
{
    at_error err;
    at_bundle bundle;
    must(at_cpu_backend_new(be, 2, NULL, &err), &err);
    must(at_bundle_open(&bundle, in_folder("whole/best.safetensors"), *be, false, &err), &err);
    return bundle;
}

/* ---- training ---- */

/* Of a line only the first word is uncertain, by log 8 nats; and what a window begins with, by little more. */
static void words_are_learned(void **state)
{
    (void)state;
    at_error err;
    watcher w;
    at_buf text = {0};
    must(run("whole", "2", -1, &w, &err), &err); /* it is finished, and says what it reached */
    must(at_file_read(in_folder("valid.txt"), &text, &err), &err);
    const double unknown = VALID_LINES * log(8) / (double)(text.len - 1);
    print_message("  validation: %.4f nats a character, %.4f cannot be known\n", w.loss, unknown);
    assert_true(w.loss > 0.8 * unknown && w.loss < unknown + 0.2);
    at_buf_free(&text);
    must(at_file_read(in_folder("train.txt"), &text, &err), &err);
    assert_int_equal(w.tokens, text.len);
    at_buf_free(&text);
}

static void stop_and_resume_give_the_same_bytes(void **state)
{
    (void)state;
    static const int64_t stops[] = {1, 33, 100, 277}; /* an epoch has some 17 updates */
    at_error err;
    watcher w;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        assert_int_equal(run("parts", i % 2 ? "1" : "3", stops[i], &w, &err), ATT_CANCELLED);
    must(run("parts", "2", -1, &w, &err), &err);
    expect_same_file("whole/last.safetensors", "parts/last.safetensors");
    expect_same_file("whole/best.safetensors", "parts/best.safetensors");
    expect_same_file("whole/average.safetensors", "parts/average.safetensors");
}

static double log_prob(const float *row, int64_t vocab, int32_t id)
{
    double sum = 0;
    for (int64_t i = 0; i < vocab; i++) sum += exp((double)row[i]);
    return (double)row[id] - log(sum);
}

/* The loss that training reports is the mean over all characters but the first, in windows of the context. */
static void validation_reads_all_text(void **state)
{
    (void)state;
    at_error err;
    at_backend *be;
    at_bundle bundle = open_trained(&be);
    at_buf text = {0};
    at_ids ids = {0};
    at_ctx ctx;
    watcher w;
    must(run("whole", "1", -1, &w, &err), &err);
    must(at_file_read(in_folder("valid.txt"), &text, &err), &err);
    must(at_tokenizer_encode(bundle.target, text.data, text.len, &ids, &err), &err);
    assert_int_equal(ids.len, text.len);
    at_ctx_init(&ctx, be);
    double sum = 0;
    for (int64_t from = 0; from + 1 < (int64_t)ids.len; from += CONTEXT) {
        const int64_t rest = (int64_t)ids.len - 1 - from, offset[2] = {0, rest < CONTEXT ? rest : CONTEXT};
        at_ctx_begin(&ctx, false, false, 0);
        const at_tensor *logits =
            bundle.model->arch->decode(&ctx, bundle.model, NULL, NULL, &(at_packed){1, offset, ids.data + from}, NULL);
        must(at_ctx_check(&ctx, &err), &err);
        const int64_t vocab = at_tensor_width(logits);
        for (int64_t i = 0; i < offset[1]; i++)
            sum -= log_prob(logits->data + i * vocab, vocab, ids.data[from + i + 1]);
    }
    assert_true(fabs(sum / (double)(ids.len - 1) - w.loss) < 1e-5);
    at_ctx_free(&ctx);
    at_ids_free(&ids);
    at_buf_free(&text);
    at_bundle_free(&bundle);
    be->free(be);
}

static void expect_refused(const char *name, const char *value, const char *part)
{
    at_error err = {0};
    at_training *t = small_run("refused", "1");
    set(t, name, value);
    assert_int_equal(at_training_run(t, NULL, &err), ATT_OPTION);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    at_training_free(t);
    assert_false(at_path_exists(in_folder("refused/last.safetensors")));
}

static void options_of_the_other_task_are_refused(void **state)
{
    (void)state;
    expect_refused("source", "a", "source is no option of task language-model");
    expect_refused("valid-sentences", "3", "valid-sentences");
    expect_refused("best-metric", "bleu", "loss alone");
    expect_refused("encoder-layers", "2", "encoder-layers");
    expect_refused("task", "translation", "context");
    at_error err;
    at_training *t = small_run("whole", "1");
    set(t, "width", "64");
    assert_int_equal(at_training_run(t, NULL, &err), ATT_OPTION);
    assert_non_null(strstr(err.text, "width"));
    at_training_free(t);
}

/* ---- generating ---- */

/* The most probable next id after (count) ids, by the full forward pass. */
static int32_t argmax_after(const at_bundle *bundle, at_ctx *ctx, const int32_t *ids, int64_t count)
{
    at_error err;
    const int64_t offset[2] = {0, count};
    at_ctx_begin(ctx, false, false, 0);
    const at_tensor *logits =
        bundle->model->arch->decode(ctx, bundle->model, NULL, NULL, &(at_packed){1, offset, ids}, NULL);
    must(at_ctx_check(ctx, &err), &err);
    const int64_t vocab = at_tensor_width(logits);
    const float *row = logits->data + (count - 1) * vocab;
    int32_t best = 0;
    for (int32_t i = 0; i < vocab; i++)
        if (row[i] > row[best] && i != bundle->tokens.pad) best = i;
    return best;
}

/* Also when the context is full: from then on the last half of it counts. */
static void greedy_is_the_argmax(void **state)
{
    (void)state;
    enum { NEW = 3 * CONTEXT };
    static const int64_t prompts[] = {0, 1, 3, CONTEXT - 1, CONTEXT, CONTEXT + 1, 2 * CONTEXT};
    static const char text[] = "hund hund\nkatze katze\ngross gross\nrot rot\nblau blau\nbaum baum\nhaus haus";
    at_error err;
    at_backend *be;
    at_bundle bundle = open_trained(&be);
    at_ids given = {0};
    at_ctx ctx;
    at_ctx_init(&ctx, be);
    must(at_tokenizer_encode(bundle.target, text, sizeof text - 1, &given, &err), &err);
    for (size_t p = 0; p < sizeof prompts / sizeof *prompts; p++) {
        at_continuation made;
        const at_generate_options options = {.max_tokens = NEW};
        must(at_generate_ids(&bundle, given.data, prompts[p], &options, &made, &err), &err);
        assert_int_equal(made.ids.len, NEW);
        assert_false(made.ended);
        at_ids all = {0};
        must(at_ids_add(&all, prompts[p] ? given.data : &bundle.tokens.target_start,
                        prompts[p] ? (size_t)prompts[p] : 1, &err),
             &err);
        int64_t first = 0;
        for (int64_t i = 0; i < NEW; i++) {
            const int64_t count = (int64_t)all.len;
            if (count - first > CONTEXT) first = count - CONTEXT / 2;
            const int32_t id = argmax_after(&bundle, &ctx, all.data + first, count - first);
            assert_int_equal(made.ids.data[i], id);
            must(at_ids_push(&all, id, &err), &err);
        }
        at_ids_free(&all);
        at_continuation_free(&made);
    }
    at_ctx_free(&ctx);
    at_ids_free(&given);
    at_bundle_free(&bundle);
    be->free(be);
}

/* at_show's each */
static void keep_shown(void *arg, const char *text)
{
    char *shown = arg;
    strcat(strcat(shown, text), "|");
}

static void prompts_are_shown(void **state)
{
    (void)state;
    at_error err;
    at_backend *be;
    at_bundle bundle = open_trained(&be);
    char shown[1000] = "";
    must(at_show(&bundle, "blau blau\nkatze k", keep_shown, shown, &err), &err);
    assert_ptr_equal(strstr(shown, "blau blau\t "), shown);
    assert_non_null(strstr(shown, "|katze k\tatze "));
    assert_null(strchr(shown, '\n'));
    at_bundle_free(&bundle);
    be->free(be);
}

typedef struct collector {
    at_buf text;
    int calls, most;
} collector;

static at_status collect(void *arg, const char *text, size_t len, at_error *err)
{
    collector *c = arg;
    if (++c->calls > c->most) return at_fail(err, ATT_IO, "enough");
    return at_buf_add(&c->text, text, len, err);
}

static at_generation generate(at_generator *g, const char *prompt, const at_generate_args *args)
{
    at_error err;
    at_generation made;
    collector c = {.most = 1 << 20};
    must(at_generate(g, (at_line){prompt, strlen(prompt)}, args, collect, &c, &made, &err), &err);
    assert_int_equal(c.text.len, made.len);
    assert_memory_equal(c.text.data, made.text, made.len);
    assert_true(c.calls > 1);
    at_buf_free(&c.text);
    return made;
}

static void text_is_continued(void **state)
{
    (void)state;
    at_error err;
    at_generator *g;
    must(at_generator_open(&g, in_folder("whole/best.safetensors"), 3, &err), &err);
    at_generate_args args = at_generate_defaults();
    args.greedy = true;
    args.max_tokens = 11;
    at_generation made = generate(g, "rot rot\nblau blau\nkatze k", &args);
    made.text[5] = '\0';
    assert_string_equal(made.text, "atze\n");
    assert_int_equal(made.tokens, 11);
    assert_int_equal(made.prompt_tokens, 25);
    assert_true(made.log_prob < 0 && made.log_prob > -20);
    assert_false(made.ended || made.mended || made.unknown_tokens);
    at_generation_free(&made);
    made = generate(g, "\xFF~ katze k", &args);
    assert_true(made.mended && made.unknown_tokens == 1);
    at_generation_free(&made);
    at_generator_free(g);
}

static void draws_hang_on_seed_and_line(void **state)
{
    (void)state;
    at_error err;
    at_generation made[5];
    at_generate_args args = at_generate_defaults();
    args.max_tokens = 100;
    for (int i = 0; i < 5; i++) {
        at_generator *g;
        must(at_generator_open(&g, in_folder("whole/best.safetensors"), 1 + i, &err), &err);
        args.seed = i == 2 ? 8 : 7;
        args.line = i == 3 ? 2 : 1;
        args.temperature = i == 4 ? 0.001 : 1;
        made[i] = generate(g, "", &args);
        at_generator_free(g);
    }
    assert_string_equal(made[0].text, made[1].text);
    for (int i = 2; i < 5; i++) assert_string_not_equal(made[0].text, made[i].text);
    assert_true(made[0].log_prob == made[1].log_prob);
    for (int i = 0; i < 5; i++) at_generation_free(&made[i]);
}

static void work_can_be_ended(void **state)
{
    (void)state;
    at_error err;
    at_generator *g;
    at_generation made;
    int cancel = 1;
    at_generate_args args = at_generate_defaults();
    collector c = {.most = 5};
    must(at_generator_open(&g, in_folder("whole/best.safetensors"), 1, &err), &err);
    assert_int_equal(at_generate(g, (at_line){"a", 1}, &args, collect, &c, &made, &err), ATT_IO);
    assert_null(made.text);
    assert_int_equal(c.calls, 6);
    at_buf_free(&c.text);
    args.cancel = &cancel;
    assert_int_equal(at_generate(g, (at_line){"a", 1}, &args, NULL, NULL, &made, &err), ATT_CANCELLED);
    args = at_generate_defaults();
    args.max_tokens = 0;
    assert_int_equal(at_generate(g, (at_line){"a", 1}, &args, NULL, NULL, &made, &err), ATT_OPTION);
    args = at_generate_defaults();
    args.temperature = 0;
    assert_int_equal(at_generate(g, (at_line){"a", 1}, &args, NULL, NULL, &made, &err), ATT_OPTION);
    at_generator_free(g);
}

static void other_kinds_are_refused(void **state)
{
    (void)state;
    at_error err;
    at_generator *g = NULL;
    at_translator *t = NULL;
    char path[] = "/tmp/attend-translator-XXXXXX";
    tiny_file(path, 0, 1);
    assert_int_equal(at_generator_open(&g, path, 1, &err), ATT_OPTION);
    assert_non_null(strstr(err.text, "attend translate"));
    assert_int_equal(at_translator_open(&t, in_folder("whole/best.safetensors"), 1, &err), ATT_OPTION);
    assert_non_null(strstr(err.text, "attend generate"));
    assert_null(g);
    assert_null(t);
    unlink(path);
}

/* Characters of several byte tokens come whole, and together the pieces are the text. */
static void pieces_are_whole_characters(void **state)
{
    (void)state;
    static const char text[] = "haus \xE6\xBC\xA2\xF0\x9F\x98\x80 baum \xC3\xA9\xC3\xA9 rot";
    at_error err;
    at_tokenizer *tokenizer;
    at_buf model = {0}, told = {0};
    at_ids ids = {0};
    write_lines("bytes.txt", LINES, 3);
    const char *const path = in_folder("bytes.txt");
    const at_tokenizer_spec spec = {.paths = &path,
                                    .path_count = 1,
                                    .vocab_size = 320,
                                    .model = ATT_SUBWORD_BPE,
                                    .byte_fallback = true,
                                    .character_coverage = 1};
    must(at_tokenizer_train(&spec, &model, &err), &err);
    must(at_tokenizer_open(&tokenizer, model.data, model.len, "test", &err), &err);
    must(at_tokenizer_encode(tokenizer, text, sizeof text - 1, &ids, &err), &err);
    for (size_t before = 0; before < 3; before++) {
        at_text_stream stream;
        at_buf head = {0};
        must(at_tokenizer_decode(tokenizer, ids.data, before, &head, &err), &err);
        must(at_text_stream_begin(&stream, tokenizer, ids.data, before, &err), &err);
        at_buf_clear(&told);
        for (size_t i = before; i < ids.len; i++) {
            must(at_text_stream_add(&stream, ids.data[i], &told, &err), &err);
            assert_int_equal(at_utf8_valid(told.data ? told.data : "", told.len), told.len);
            assert_null(told.data ? strstr(told.data, "\xEF\xBF\xBD") : NULL);
        }
        must(at_text_stream_end(&stream, &told, &err), &err);
        assert_string_equal(told.data, text + head.len);
        at_text_stream_free(&stream);
        at_buf_free(&head);
    }
    at_text_stream torn;
    must(at_text_stream_begin(&torn, tokenizer, NULL, 0, &err), &err);
    at_buf_clear(&told);
    for (size_t i = 0; i + 1 < ids.len && strchr(at_tokenizer_piece(tokenizer, ids.data[i]), '<') == NULL; i++)
        must(at_text_stream_add(&torn, ids.data[i], &told, &err), &err);
    must(at_text_stream_add(&torn, at_tokenizer_id(tokenizer, "<0xE6>"), &told, &err), &err);
    const size_t len = told.len;
    must(at_text_stream_end(&torn, &told, &err), &err);
    assert_string_equal(told.data + len, "\xEF\xBF\xBD");
    at_text_stream_free(&torn);
    at_ids_free(&ids);
    at_buf_free(&told);
    at_buf_free(&model);
    at_tokenizer_free(tokenizer);
}

/* ---- GPT-2 ---- */

static int open_gpt2(void **state)
{
    return reference_model_open(state, "gpt2");
}

static void gpt2_continues_as_it_does(void **state)
{
    enum { PROMPT = 12, NEW = 20 };
    reference_model *r = *state;
    reference_model_need(r);
    at_error err;
    at_safetensors *answers;
    must(at_safetensors_open(&answers, path_in(r->reference, "expected.safetensors"), &err), &err);
    at_bundle bundle = reference_model_import(r, r->reference, false);
    for (int row = 0; row < 2; row++) {
        int32_t ids[PROMPT];
        at_continuation made;
        for (int i = 0; i < PROMPT; i++) ids[i] = (int32_t)answer_integer(answers, "tokens", row * PROMPT + i);
        const at_generate_options options = {.max_tokens = NEW};
        must(at_generate_ids(&bundle, ids, PROMPT, &options, &made, &err), &err);
        assert_true(made.ended || made.ids.len == NEW);
        for (size_t i = 0; i < made.ids.len; i++)
            assert_int_equal(made.ids.data[i],
                             answer_integer(answers, "greedy", row * (PROMPT + NEW) + PROMPT + (int64_t)i));
        at_continuation_free(&made);
    }
    at_bundle_free(&bundle);
    at_safetensors_close(answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_learned),
        cmocka_unit_test(stop_and_resume_give_the_same_bytes),
        cmocka_unit_test(validation_reads_all_text),
        cmocka_unit_test(options_of_the_other_task_are_refused),
        cmocka_unit_test(greedy_is_the_argmax),
        cmocka_unit_test(prompts_are_shown),
        cmocka_unit_test(text_is_continued),
        cmocka_unit_test(draws_hang_on_seed_and_line),
        cmocka_unit_test(work_can_be_ended),
        cmocka_unit_test(other_kinds_are_refused),
        cmocka_unit_test(pieces_are_whole_characters),
        cmocka_unit_test_setup_teardown(gpt2_continues_as_it_does, open_gpt2, reference_model_close),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
