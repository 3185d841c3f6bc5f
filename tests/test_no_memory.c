/* The n-th allocation fails: public functions return ATT_MEMORY (or get along without), print nothing, end nothing and leak
 * nothing (address sanitizer). The linker sends this program's allocations through the functions below
 * (tests/CMakeLists.txt); of what libraries allocate for themselves only Jansson's is touched, and that where files are
 * read and written. Training: test_train_memory.c. */
#include "tiny_translator.h"
#include "train_help.h"

#include <attend/attend.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/file.h"
#include "bench/op_run.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

static atomic_bool counting;   /* within an attempt */
static atomic_llong number;    /* of the next allocation, from 0 */
static atomic_llong first_bad; /* this one fails; negative: none */
static atomic_bool lasting;    /* and all after it */
static atomic_bool failed;     /* one did */

static bool fails(void)
{
    if (!atomic_load(&counting)) return false;
    const long long n = atomic_fetch_add(&number, 1), bad = atomic_load(&first_bad);
    if (bad < 0 || n < bad || (n > bad && !atomic_load(&lasting))) return false;
    atomic_store(&failed, true);
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __real_realloc(old, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, bytes);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

typedef struct paths {
    char a[40], b[40], language_model[40];
    char exported[80];  /* a, as a folder of another program */
    char tokenizer[80]; /* a's */
    char log[80];       /* of a training */
    char locale[80];    /* with a catalog of German messages */
    char text[2][80];   /* parallel lines */
    char out[2][80];    /* written and replaced */
    char printed[80];
} paths;

static const at_line lines[] = {{"haus baum katze", 15}, {"", 0}, {"hund \xFF rot", 10}, {"blau. gross, rot.", 17}};
static const at_line prefixes[] = {{"haus", 4}, {"", 0}, {"", 0}, {"rot", 3}};

/* What an attempt found wrong, told once its output is no longer caught; NULL: nothing. */
static const char *wrong;

static void expect(bool right, const char *otherwise)
{
    if (!right) wrong = otherwise;
}

static at_status seen(void *arg, int64_t index, const at_translation *t, at_error *err)
{
    (void)err;
    expect(t->text != NULL, "a translation without text");
    *(int64_t *)arg += index;
    return ATT_OK;
}

static at_status scored(void *arg, int64_t index, const at_scored *s, at_error *err)
{
    (void)err;
    (void)s;
    *(int64_t *)arg += index;
    return ATT_OK;
}

/* ---- what is tried; each gives a status and leaves nothing behind ---- */

static at_status try_open(at_translator *unused, const paths *p, at_error *err)
{
    at_translator *t = NULL;
    (void)unused;
    const at_status status = at_translator_open_ensemble(&t, (const char *[]){p->a, p->b}, 2, 1, err);
    if (status == ATT_OK) at_translator_free(t);
    return status;
}

static at_status try_share(at_translator *t, const paths *p, at_error *err)
{
    at_translator *other = NULL;
    (void)p;
    const at_status status = at_translator_share(&other, t, 2, err);
    if (status == ATT_OK) at_translator_free(other);
    return status;
}

static at_status try_translate(at_translator *t, const paths *p, at_error *err)
{
    int64_t sum = 0;
    (void)p;
    at_translate_args args = at_translate_defaults();
    args.n_best = 2;
    args.token_scores = true;
    args.coverage_penalty = 0.2;
    args.no_repeat = 4;
    args.prefixes = prefixes;
    return at_translate(t, lines, 4, &args, seen, &sum, err);
}

static at_status try_sample(at_translator *t, const paths *p, at_error *err)
{
    int64_t sum = 0;
    (void)p;
    at_translate_args args = at_translate_defaults();
    args.sample = args.paragraphs = true;
    args.top_p = 0.8;
    return at_translate(t, lines, 4, &args, seen, &sum, err);
}

static at_status try_score(at_translator *t, const paths *p, at_error *err)
{
    int64_t sum = 0;
    (void)p;
    return at_score(t, lines, lines, 4, NULL, scored, &sum, err);
}

static at_status heard(void *arg, const char *text, size_t len, at_error *err)
{
    (void)err;
    (void)text;
    *(size_t *)arg += len;
    return ATT_OK;
}

/* More tokens than the context has, so that it is moved. */
static at_status try_generate(at_translator *unused, const paths *p, at_error *err)
{
    at_generator *g = NULL;
    at_generation out;
    size_t sum = 0;
    (void)unused;
    at_generate_args args = at_generate_defaults();
    args.max_tokens = 20;
    args.top_p = 0.9;
    ATT_TRY(at_generator_open(&g, p->language_model, 1, err));
    const at_status status = at_generate(g, (at_line){"haus baum \xFF", 11}, &args, heard, &sum, &out, err);
    at_generation_free(&out);
    at_generator_free(g);
    return status;
}

/* A case of attend bench op, as far as it is made ready. */
static at_status make_case(const op_case *c, at_backend *be, at_error *err)
{
    op_problem *problem;
    op_session session;
    ATT_TRY(op_problem_new(&problem, c, 1, err));
    const at_status status = op_session_init(&session, be, problem, err);
    op_session_free(&session);
    op_problem_free(problem);
    return status;
}

static at_status try_cases(at_translator *unused, const paths *p, at_error *err)
{
    static const op_case attention = {.op = OP_attention, .heads = 2, .head_width = 8, .queries = "5 1", .keys = "3 2"},
                         embed = {.op = OP_embed, .n = 3, .d = 8, .f = 5, .positions = true};
    at_backend *be;
    (void)unused;
    (void)p;
    ATT_TRY(at_cpu_backend_new(&be, 1, NULL, err));
    at_status status = make_case(&attention, be, err);
    if (status == ATT_OK) status = make_case(&embed, be, err);
    be->free(be);
    return status;
}

static at_status try_look(at_translator *t, const paths *p, at_error *err)
{
    char *picture = NULL;
    (void)p;
    ATT_TRY(at_look(t, "haus \xFF baum", NULL, ATT_LOOK_HTML, &picture, err));
    expect(picture != NULL, "success without a picture");
    free(picture);
    const at_status status = at_look(t, "hund", "rot blau", ATT_LOOK_SVG, &picture, err);
    expect((picture != NULL) == (status == ATT_OK), "a picture and an error, or neither");
    free(picture);
    return status;
}

static at_status try_nearness(at_translator *t, const paths *p, at_error *err)
{
    static const char *const sentences[] = {"haus baum katze", "", "hund rot"};
    at_nearness nearness;
    (void)p;
    ATT_TRY(at_look_nearness(t, sentences, 3, &nearness, err));
    free(nearness.layer);
    return ATT_OK;
}

static at_status try_import(at_translator *unused, const paths *p, at_error *err)
{
    at_import_check checks[ATT_IMPORT_CHECKS];
    int count;
    (void)unused;
    return at_import_model(p->exported, p->out[0], checks, &count, err);
}

static at_status try_export(at_translator *unused, const paths *p, at_error *err)
{
    char dir[100];
    (void)unused;
    snprintf(dir, sizeof dir, "%s.dir", p->out[0]);
    return at_export_model(p->a, ATT_EXPORT_HF, dir, true, NULL, err);
}

static at_status try_evaluate(at_translator *unused, const paths *p, at_error *err)
{
    const char *const references[] = {p->text[1], p->text[0]}, *const against[] = {p->text[0]};
    at_evaluate_args args = {.hypotheses = p->text[1],
                             .references = references,
                             .reference_count = 2,
                             .against = against,
                             .against_count = 1,
                             .samples = 3};
    at_scores scores[2];
    (void)unused;
    for (int i = 0; i < ATT_EVALUATE_METRICS; i++) args.metric[i] = true;
    return at_evaluate(&args, scores, err);
}

static at_status try_phrases(at_translator *unused, const paths *p, at_error *err)
{
    const at_make_phrases_args args = {.source_path = p->out[0],
                                       .target_path = p->out[1],
                                       .source = ATT_PHRASES_DE,
                                       .target = ATT_PHRASES_ZH,
                                       .pairs = 8,
                                       .distinct = true};
    (void)unused;
    return at_make_phrases(&args, err);
}

static at_status try_catalogs(at_translator *unused, const paths *p, at_error *err)
{
    const at_make_catalogs_args args = {
        .language = "de", .dirs = p->locale, .source_path = p->out[0], .target_path = p->out[1]};
    at_catalogs_result result;
    (void)unused;
    ATT_TRY(at_make_catalogs(&args, &result, err));
    expect(result.pairs == 1, "the catalog was passed over");
    return ATT_OK;
}

static at_status try_check(at_translator *unused, const paths *p, at_error *err)
{
    const at_check_data_args args = {.source = p->text[0], .target = p->text[1], .model = p->a, .output = p->out[0]};
    at_data_report report;
    (void)unused;
    return at_check_data(&args, &report, err);
}

static at_status try_inspect(at_translator *unused, const paths *p, at_error *err)
{
    at_inspection *inspection;
    (void)unused;
    ATT_TRY(at_inspect(&inspection, p->a, err));
    at_inspection_free(inspection);
    return ATT_OK;
}

static at_status try_average(at_translator *unused, const paths *p, at_error *err)
{
    const char *const models[] = {p->a, p->b};
    (void)unused;
    return at_average(models, 2, p->out[0], err);
}

static at_status try_plot(at_translator *unused, const paths *p, at_error *err)
{
    static const at_plot_format formats[] = {ATT_PLOT_HTML, ATT_PLOT_TEXT};
    const char *const runs[] = {p->log};
    (void)unused;
    for (int i = 0; i < 2; i++) {
        const at_plot_curves_args args = {.runs = runs, .count = 1, .format = formats[i], .columns = 60};
        char *text;
        const at_status status = at_plot_curves(&args, &text, err);
        expect((text != NULL) == (status == ATT_OK), "a plot and an error, or neither");
        if (status == ATT_OK && i == 0)
            expect(strstr(text, ", steps 3: 2") != NULL, "the log's last line was passed over");
        free(text);
        ATT_TRY(status);
    }
    return ATT_OK;
}

static at_status plan(at_training *training, const paths *p, at_error *err)
{
    const char *const options[][2] = {{"source", p->text[0]},
                                      {"target", p->text[1]},
                                      {"tokenizer", p->tokenizer},
                                      {"run", p->out[0]},
                                      {"width", "8"},
                                      {"ffn", "8"},
                                      {"encoder-layers", "1"},
                                      {"heads", "2"},
                                      {"decoder-layers", "1"},
                                      {"valid-source", p->text[0]},
                                      {"valid-target", p->text[1]}};
    at_training_plan result;
    ATT_TRY(at_training_preset(training, "tiny", err));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        ATT_TRY(at_training_set(training, options[i][0], options[i][1], err));
    return at_training_dry_run(training, NULL, &result, err);
}

static at_status try_plan(at_translator *unused, const paths *p, at_error *err)
{
    at_training *training;
    (void)unused;
    unlink(p->out[0]);
    ATT_TRY(at_training_new(&training, err));
    const at_status status = plan(training, p, err);
    at_training_free(training);
    return status;
}

/* ---- what is printed ---- */

#if defined(__has_feature)
#define HAS(feature) __has_feature(feature)
#else
#define HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS(address_sanitizer) || HAS(thread_sanitizer)
enum { SANITIZED = true }; /* what a sanitizer tells must be seen, so nothing is caught */
#else
enum { SANITIZED = false };
#endif

static int printed = -1; /* a file */
static int streams[2];   /* standard output and error, while `printed` stands in for them */

static void catch_streams(void)
{
    if (SANITIZED) return;
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        streams[i] = dup(i + 1);
        dup2(printed, i + 1);
    }
}

static void restore_streams(void)
{
    if (SANITIZED) return;
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(streams[i], i + 1);
        close(streams[i]);
    }
}

static void assert_nothing_printed(void)
{
    struct stat info;
    char text[200] = "";
    assert_int_equal(fstat(printed, &info), 0);
    if (info.st_size == 0) return;
    if (pread(printed, text, sizeof text - 1, 0) < 0) text[0] = '\0';
    assert_int_equal(ftruncate(printed, 0), 0);
    fail_msg("the library printed: %s", text);
}

/* ---- the attempts ---- */

typedef at_status try_fn(at_translator *t, const paths *p, at_error *err);

/* With allocation n failing, from 0, and with `all` the ones after it; negative: none. */
static at_status attempt_without(long long n, bool all, try_fn *attempt, at_translator *t, const paths *p,
                                 at_error *err)
{
    err->text[0] = '\0';
    wrong = NULL;
    atomic_store(&number, 0);
    atomic_store(&first_bad, n);
    atomic_store(&lasting, all);
    atomic_store(&failed, false);
    catch_streams();
    atomic_store(&counting, true);
    const at_status status = attempt(t, p, err);
    atomic_store(&counting, false);
    restore_streams();
    if (wrong != NULL) fail_msg("%s", wrong);
    assert_nothing_printed();
    return status;
}

static at_translator *open_first(const paths *p)
{
    at_translator *t;
    at_error err;
    must(at_translator_open(&t, p->a, 1, &err), &err);
    return t;
}

/* Every n. With `fresh` a new translator for each, so that what it keeps (packed weights, scratch) is allocated within. */
static void fail_each(try_fn *attempt, const paths *p, bool fresh)
{
    at_translator *t = NULL;
    at_error err;
    int64_t refused = 0;
    long long n = 0;
    do {
        if (t == NULL) t = open_first(p);
        const at_status status = attempt_without(n++, false, attempt, t, p, &err);
        if (status != ATT_OK) {
            assert_true(failed);
            assert_int_equal(status, ATT_MEMORY);
            assert_true(err.text[0] != '\0');
            refused++;
            must(attempt(t, p, &err), &err); /* and it works again */
        }
        if (fresh) {
            at_translator_free(t);
            t = NULL;
        }
    } while (failed);
    at_translator_free(t);
    assert_true(refused > 5);
}

enum { EACH = 50, STEP = 7, SAMPLES = 40 };

/* The first ones each, then every STEP-th or, of very many, some SAMPLES. */
static long long after(long long n, long long total)
{
    const long long step = total / SAMPLES > STEP ? total / SAMPLES : STEP;
    return n < EACH ? n + 1 : n + step;
}

/* The allocations of the JSON library (2.14), but for the growth of its buffer for a token (2^5, 2^6 ... bytes): without that
 * it ends the program by an assertion of its own. */
static void *json_malloc(size_t bytes)
{
    const bool grows = bytes >= 32 && (bytes & (bytes - 1)) == 0;
    return grows ? __real_malloc(bytes) : malloc(bytes);
}

/* The JSON library doesn't always tell lack of memory from bad text, and copes with some failures itself: so any failure
 * will do, if it is told, and success. */
static at_status fail_one(long long n, bool all, try_fn *attempt, at_translator *t, const paths *p)
{
    at_error err;
    const at_status status = attempt_without(n, all, attempt, t, p, &err);
    if (!failed) fail_msg("allocation %lld didn't come", n);
    if (status != ATT_OK && err.text[0] == '\0') fail_msg("allocation %lld: no message", n);
    const at_status again = attempt(t, p, &err);
    if (again != ATT_OK) fail_msg("after allocation %lld failed: %s", n, err.text);
    return status;
}

/* Some n of all allocations, the JSON library's too: alone, and with all that follow. With `fresh` as in fail_each; else
 * there is no translator. */
static void fail_some(try_fn *attempt, const paths *p, bool fresh)
{
    at_error err;
    int64_t refused = 0;
    json_set_alloc_funcs(json_malloc, free);
    at_translator *t = fresh ? open_first(p) : NULL;
    must(attempt_without(-1, false, attempt, t, p, &err), &err);
    at_translator_free(t);
    const long long total = atomic_load(&number);
    for (int all = 0; all < 2; all++)
        for (long long n = 0; n < total; n = after(n, total)) {
            t = fresh ? open_first(p) : NULL;
            refused += fail_one(n, all, attempt, t, p) == ATT_MEMORY;
            at_translator_free(t);
        }
    assert_true(refused > 5);
}

static void opening(void **state)
{
    fail_each(try_open, *state, false);
}

static void sharing(void **state)
{
    fail_each(try_share, *state, true);
}

static void translating(void **state)
{
    fail_each(try_translate, *state, true);
    fail_each(try_translate, *state, false);
}

static void sampling(void **state)
{
    fail_each(try_sample, *state, true);
}

static void scoring(void **state)
{
    fail_each(try_score, *state, true);
}

static void generating(void **state)
{
    fail_each(try_generate, *state, false);
}

static void filling_cases(void **state)
{
    fail_each(try_cases, *state, false);
}

static void looking(void **state)
{
    fail_some(try_look, *state, true);
    fail_some(try_nearness, *state, true);
}

static void importing(void **state)
{
    fail_some(try_import, *state, false);
}

static void exporting(void **state)
{
    fail_some(try_export, *state, false);
}

static void evaluating(void **state)
{
    fail_some(try_evaluate, *state, false);
}

static void making_text(void **state)
{
    fail_some(try_phrases, *state, false);
    fail_some(try_catalogs, *state, false);
}

static void checking(void **state)
{
    fail_some(try_check, *state, false);
}

static void inspecting(void **state)
{
    fail_some(try_inspect, *state, false);
}

static void averaging(void **state)
{
    const paths *p = *state;
    at_error err;
    assert_int_equal(at_average((const char *const[]){p->a, "\xFF"}, 2, p->out[0], &err), ATT_OPTION);
    assert_non_null(strstr(err.text, "UTF-8"));
    fail_some(try_average, *state, false);
}

static void plotting(void **state)
{
    fail_some(try_plot, *state, false);
}

static void planning(void **state)
{
    fail_some(try_plan, *state, false);
}

/* ---- files ---- */

static void write_file(const char *path, const char *bytes, size_t len)
{
    at_error err;
    must(at_file_write(path, bytes, len, &err), &err);
}

/* One message, in Latin-1, in the byte order of this machine:
 *
 *   | head, 28 bytes | originals: 2 x (length, offset) | translations | texts, from 60 on | */
static void write_catalog(const char *locale)
{
    static const char header[] = "Content-Type: text/plain; charset=ISO-8859-1\n";
    enum { TEXTS = 60, DOOR = TEXTS + 1, HEADER = DOOR + 5, TUER = HEADER + sizeof header };
    const uint32_t numbers[] = {0x950412DE, 0, 2, 28, 44, 0, 0, 0, TEXTS, 4, DOOR, sizeof header - 1, HEADER, 3, TUER};
    char bytes[200] = "", path[160];
    at_error err;
    memcpy(bytes, numbers, sizeof numbers);
    memcpy(bytes + DOOR, "door", 5);
    memcpy(bytes + HEADER, header, sizeof header);
    memcpy(bytes + TUER, "T\374r", 4);
    snprintf(path, sizeof path, "%s/de/LC_MESSAGES", locale);
    must(at_path_make_dirs(path, &err), &err);
    snprintf(path, sizeof path, "%s/de/LC_MESSAGES/x.mo", locale);
    write_file(path, bytes, TUER + 4);
}

static void write_tokenizer(const char *path)
{
    at_tokenizer *tokenizer = tiny_tokenizer(1);
    size_t size;
    const void *bytes = at_tokenizer_bytes(tokenizer, &size);
    write_file(path, bytes, size);
    at_tokenizer_free(tokenizer);
}

static void make_tools_files(paths *p)
{
    static const char log[] = "{\"event\":\"step\",\"step\":1,\"loss\":4,\"seconds\":6}\n"
                              "{\"event\":\"step\",\"step\":2,\"loss\":3,\"seconds\":12}\n"
                              "{\"event\":\"validation\",\"step\":3,\"loss\":2,\"bleu\":20.5,\"seconds\":18}\n";
    at_error err;
    make_folder("memory");
    make_text(ATT_PHRASES_DE, "de", 12, 1);
    const struct {
        char *path;
        const char *name;
    } names[] = {{p->exported, "exported"}, {p->tokenizer, "tokenizer"}, {p->log, "train.jsonl"},
                 {p->locale, "locale"},     {p->text[0], "train.de"},    {p->text[1], "train.en"},
                 {p->out[0], "out.0"},      {p->out[1], "out.1"},        {p->printed, "printed"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        snprintf(names[i].path, sizeof p->log, "%s/%s", folder, names[i].name);
    must(at_export_model(p->a, ATT_EXPORT_HF, p->exported, false, NULL, &err), &err);
    write_tokenizer(p->tokenizer);
    write_file(p->log, log, sizeof log - 1);
    write_catalog(p->locale);
}

static int make_files(void **state)
{
    paths *p = calloc(1, sizeof *p);
    strcpy(p->a, "/tmp/attend-memory-XXXXXX");
    strcpy(p->b, "/tmp/attend-memory-XXXXXX");
    tiny_file(p->a, 1, 5);
    tiny_file(p->b, 1, 6);
    strcpy(p->language_model, "/tmp/attend-memory-XXXXXX");
    tiny_language_model_file(p->language_model);
    make_tools_files(p);
    printed = open(p->printed, O_RDWR | O_CREAT | O_APPEND, 0600);
    assert_true(printed >= 0);
    *state = p;
    return 0;
}

static int drop_files(void **state)
{
    paths *p = *state;
    unlink(p->a);
    unlink(p->b);
    unlink(p->language_model);
    close(printed);
    free(p);
    return remove_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),       cmocka_unit_test(sharing),    cmocka_unit_test(translating),
        cmocka_unit_test(sampling),      cmocka_unit_test(scoring),    cmocka_unit_test(generating),
        cmocka_unit_test(filling_cases), cmocka_unit_test(looking),    cmocka_unit_test(importing),
        cmocka_unit_test(exporting),     cmocka_unit_test(evaluating), cmocka_unit_test(making_text),
        cmocka_unit_test(checking),      cmocka_unit_test(inspecting), cmocka_unit_test(averaging),
        cmocka_unit_test(plotting),      cmocka_unit_test(planning),
    };
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
