/* The n-th allocation fails, for every n: public functions return ATT_MEMORY (or get along without), print nothing, end
 * nothing and leak nothing (address sanitizer). The linker sends this program's allocations through the functions below
 * (tests/CMakeLists.txt); what libraries allocate for themselves isn't touched. */
#include "tiny_translator.h"

#include <attend/attend.h>

#include "bench/op_run.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);

static int64_t left = -1; /* allocations that succeed yet; negative: all do */
static bool failed;

static bool fails(void)
{
    if (left < 0) return false;
    if (left-- > 0) return false;
    left = -1; /* one only */
    failed = true;
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

typedef struct paths {
    char a[40], b[40], language_model[40];
} paths;

static const at_line lines[] = {{"haus baum katze", 15}, {"", 0}, {"hund \xFF rot", 10}, {"blau. gross, rot.", 17}};
static const at_line prefixes[] = {{"haus", 4}, {"", 0}, {"", 0}, {"rot", 3}};

static at_status seen(void *arg, int64_t index, const at_translation *t, at_error *err)
{
    (void)err;
    assert_non_null(t->text);
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

typedef at_status try_fn(at_translator *t, const paths *p, at_error *err);

/* With `fresh` a new translator for each n, so that what it keeps (packed weights, scratch) is allocated within. */
static void fail_each(try_fn *attempt, const paths *p, bool fresh)
{
    at_translator *t = NULL;
    at_error err;
    int64_t n = 0, refused = 0;
    do {
        if (t == NULL) must(at_translator_open(&t, p->a, 1, &err), &err);
        failed = false;
        left = n++;
        err.text[0] = '\0';
        const at_status status = attempt(t, p, &err);
        left = -1;
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

static int make_files(void **state)
{
    paths *p = calloc(1, sizeof *p);
    strcpy(p->a, "/tmp/attend-memory-XXXXXX");
    strcpy(p->b, "/tmp/attend-memory-XXXXXX");
    tiny_file(p->a, 1, 5);
    tiny_file(p->b, 1, 6);
    strcpy(p->language_model, "/tmp/attend-memory-XXXXXX");
    tiny_language_model_file(p->language_model);
    *state = p;
    return 0;
}

static int drop_files(void **state)
{
    paths *p = *state;
    unlink(p->a);
    unlink(p->b);
    unlink(p->language_model);
    free(p);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),       cmocka_unit_test(sharing), cmocka_unit_test(translating),
        cmocka_unit_test(sampling),      cmocka_unit_test(scoring), cmocka_unit_test(generating),
        cmocka_unit_test(filling_cases),
    };
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
