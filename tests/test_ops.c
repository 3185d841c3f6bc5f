/* Every op of op_list.h on every instruction set: values against the double-precision reference, gradients against
 * central differences of that reference, first contributions (beta 0, onto NaN) and further ones (beta 1), unwanted
 * gradients, and equal bits for any thread count. The cases are the rows of op_cases.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "bench/op_run.h"
#include "reference.h"
#include "simd/kernels.h"

enum { MAX_ISAS = 8, SEED = 7 };
static const int thread_counts[] = {1, 2, 3, 8, 16};
enum { THREADS = sizeof thread_counts / sizeof *thread_counts };

static const char *isas[MAX_ISAS];
static int isa_count;
static at_backend *backends[MAX_ISAS][THREADS];
static double worst_value[OP_KINDS],
    worst_gradient[OP_KINDS]; /* over the tensor's largest value and the case's slack */

#define NAME(name) #name,
static const char *const op_names[] = {ATT_OPS(NAME)};

static int start(void **state)
{
    (void)state;
    isa_count = at_kernels_names(isas, MAX_ISAS);
    for (int i = 0; i < isa_count; i++)
        for (int t = 0; t < THREADS; t++)
            if (at_cpu_backend_new(&backends[i][t], thread_counts[t], isas[i], NULL) != ATT_OK) return -1;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (int i = 0; i < isa_count; i++)
        for (int t = 0; t < THREADS; t++) backends[i][t]->free(backends[i][t]);
    for (int op = 0; op < OP_KINDS; op++)
        print_message("%s: largest error of a value %.1e, of a gradient %.1e\n", op_names[op], worst_value[op],
                      worst_gradient[op]);
    return 0;
}

static void *array(int64_t n, size_t size)
{
    void *data = calloc((size_t)n + 1, size);
    assert_non_null(data);
    return data;
}

/* What the reference says about a case. */
typedef struct probe { /* a derivative: along one element of an input, or (element -1) along a direction of signs */
    int input;
    int64_t element;
    uint64_t direction;
    double want;
} probe;

typedef struct expected {
    double *in[OP_INPUTS], *out, *weights;
    double loss, nll;
    probe *probes;
    int64_t probe_count;
    double largest[OP_INPUTS]; /* of the derivatives */
} expected;

static at_attention_args attention_args(const op_problem *p)
{
    const op_case *c = p->c;
    const int64_t inner = c->heads * c->head_width;
    return (at_attention_args){.count = p->count,
                               .query = {p->query, p->query + 1},
                               .key = {p->key, p->key + 1},
                               .heads = c->heads,
                               .head_width = c->head_width,
                               .ldq = c->keys ? inner : 3 * inner,
                               .ldk = c->keys ? 2 * inner : 3 * inner,
                               .ldv = c->keys ? 2 * inner : 3 * inner,
                               .ldo = inner,
                               .scale = (float)(1 / sqrt((double)c->head_width)),
                               .causal = c->causal,
                               .dropout = c->rate,
                               .key_rng = p->draw};
}

static void reference_attention(const op_problem *p, expected *e)
{
    const op_case *c = p->c;
    const int64_t inner = c->heads * c->head_width;
    const at_attention_args args = attention_args(p);
    const double *base = c->keys ? e->in[1] : e->in[0];
    const double *q = e->in[0] + (c->keys ? 0 : c->swapped ? inner : 0);
    const double *k = base + (c->keys ? (c->swapped ? inner : 0) : c->swapped ? 2 * inner : inner);
    const double *v = base + (c->keys ? (c->swapped ? 0 : inner) : c->swapped ? 0 : 2 * inner);
    ref_attention(e->out, e->weights, q, k, v, &args);
}

static void reference_loss(const op_problem *p, expected *e)
{
    const op_case *c = p->c;
    double *logits = array(c->n * c->f, sizeof *logits);
    ref_linear(logits, e->in[0], e->in[1], c->tied, e->in[2], c->n, c->d, c->f, ATT_ACT_NONE);
    e->loss = e->nll = 0;
    for (int64_t i = 0; i < c->n; i++) {
        double nll;
        e->loss += ref_cross_entropy(&nll, logits + i * c->f, c->f, p->ids[i], c->smoothing);
        e->nll += nll;
    }
    free(logits);
}

/* Values from e->in; returns what is differentiated: the sum of the output times the gradient from above, or the scaled
 * loss. */
static double reference(const op_problem *p, expected *e)
{
    const op_case *c = p->c;
    switch (c->op) {
    case OP_embed:
        ref_embed(e->out, e->in[0], p->ids, p->scale, e->in[1], p->positions, c->n, c->d);
        break;
    case OP_linear:
        ref_linear(e->out, e->in[0], e->in[1], c->tied, e->in[2], c->n, c->d, c->f, c->act);
        break;
    case OP_attention:
        reference_attention(p, e);
        break;
    case OP_layer_norm:
        ref_layer_norm(e->out, e->in[0], e->in[1], e->in[2], c->n, c->d, 1e-5f);
        break;
    case OP_dropout:
        ref_dropout(e->out, e->in[0], e->in[1], c->n * c->d, c->rate, p->draw);
        break;
    case OP_swiglu:
        ref_swiglu(e->out, e->in[0], c->n, c->d / 2);
        break;
    case OP_linear_cross_entropy:
        reference_loss(p, e);
        return p->scale * e->loss;
    case OP_KINDS:
        break;
    }
    double sum = 0;
    for (int64_t i = 0; i < op_matrix_floats(&p->out); i++) sum += e->out[i] * p->out.data[i];
    return sum;
}

static double sign_of(const probe *pr, int64_t j)
{
    return pr->element >= 0 ? (j == pr->element) : 2.0 * at_rng_below(pr->direction, (uint64_t)j, 2) - 1;
}

/* Central difference of the reference along a probe. */
static double difference(const op_problem *p, expected *e, const probe *pr)
{
    const int64_t n = op_matrix_floats(&p->in[pr->input]);
    const double step = pr->element >= 0 ? 1e-5 : 1e-5 / sqrt((double)n);
    double *x = e->in[pr->input], *kept = array(n, sizeof *kept), value[2];
    memcpy(kept, x, (size_t)n * sizeof *kept);
    for (int side = 0; side < 2; side++) {
        for (int64_t j = pr->element >= 0 ? pr->element : 0; j < (pr->element >= 0 ? pr->element + 1 : n); j++)
            x[j] = kept[j] + (side ? -step : step) * sign_of(pr, j);
        value[side] = reference(p, e);
    }
    memcpy(x, kept, (size_t)n * sizeof *kept);
    free(kept);
    return (value[0] - value[1]) / (2 * step);
}

/* Multiplications of one evaluation of the reference, roughly. */
static double cost_of(const op_problem *p)
{
    double cost = 20.0 * (double)op_matrix_floats(&p->out) + 100;
    if (p->c->op == OP_linear || p->c->op == OP_linear_cross_entropy)
        cost += 2.0 * (double)(p->c->n * p->c->d * p->c->f);
    for (int64_t b = 0; b < p->count; b++)
        cost += (double)((p->query[b + 1] - p->query[b]) * (p->key[b + 1] - p->key[b]) * p->c->heads *
                         (2 * p->c->head_width + 10));
    return cost;
}

enum { DIRECTIONS = 4, FEWEST = 16 };

/* All elements of an input where that is cheap, else the first, the last and a sample; and directions, which no element
 * escapes. */
static void add_probes(const op_problem *p, expected *e, int input)
{
    const int64_t n = op_matrix_floats(&p->in[input]);
    const int64_t affordable = FEWEST + (int64_t)(3e6 / cost_of(p));
    const int64_t elements = n < affordable ? n : affordable;
    e->probes = realloc(e->probes, (size_t)(e->probe_count + elements + DIRECTIONS + 1) * sizeof *e->probes);
    for (int64_t i = 0; i < elements + (n > 0 ? DIRECTIONS : 0); i++) {
        probe *pr = &e->probes[e->probe_count++];
        *pr = (probe){input, -1, at_rng_key(99, (uint64_t)i), 0};
        if (i < elements)
            pr->element = elements == n ? i : i == 0 ? 0 : i == 1 ? n - 1 : at_rng_below(55, (uint64_t)i, (uint32_t)n);
        pr->want = difference(p, e, pr);
        const double size = fabs(pr->want) / (pr->element >= 0 ? 1 : sqrt((double)n));
        if (size > e->largest[input]) e->largest[input] = size;
    }
}

static expected expect(const op_problem *p)
{
    expected e = {0};
    for (int i = 0; i < OP_INPUTS; i++) {
        const int64_t n = op_matrix_floats(&p->in[i]);
        e.in[i] = p->in[i].name ? array(n, sizeof(double)) : NULL;
        for (int64_t j = 0; j < n; j++) e.in[i][j] = p->in[i].data[j];
    }
    e.out = array(op_matrix_floats(&p->out), sizeof(double));
    for (int i = 0; i < OP_INPUTS; i++)
        if (p->in[i].name) add_probes(p, &e, i);
    reference(p, &e);
    return e;
}

static void expected_free(expected *e)
{
    for (int i = 0; i < OP_INPUTS; i++) free(e->in[i]);
    free(e->out);
    free(e->weights);
    free(e->probes);
}

/* What a backend says about it. */
typedef struct result {
    float *out, *grad[OP_INPUTS];
    double loss, nll;
} result;

enum { NOBODY = -1 };

/* Before the backward a gradient holds NaN (beta 0: it must not be read), or numbers to which the backward adds (beta
 * 1). */
static float preset(int input, int64_t i, float beta)
{
    return beta == 0 ? NAN : (float)at_rng_normal(at_rng_key(31, (uint64_t)input), (uint64_t)i);
}

static void preset_gradients(op_session *s, float beta)
{
    for (int i = 0; i < OP_INPUTS; i++) {
        const int64_t n = op_matrix_floats(&s->problem->in[i]);
        if (n == 0) continue;
        float *values = array(n, sizeof *values);
        for (int64_t j = 0; j < n; j++) values[j] = preset(i, j, beta);
        s->ctx.be->upload(s->ctx.be, s->in[i]->grad, values, (size_t)n * sizeof *values);
        s->in[i]->grad_set = beta != 0;
        free(values);
    }
}

static float *fetch(at_backend *be, const float *from, int64_t n)
{
    float *to = array(n, sizeof *to);
    if (n > 0) be->download(be, to, from, (size_t)n * sizeof *to);
    return to;
}

/* unwanted: the input whose gradient nobody wants, or NOBODY. */
static result run(at_backend *be, const op_problem *p, float beta, int unwanted)
{
    op_session s;
    result r = {0};
    assert_int_equal(op_session_init(&s, be, p, NULL), ATT_OK);
    if (unwanted != NOBODY) s.in[unwanted]->needs_grad = false;
    preset_gradients(&s, beta);
    op_session_forward(&s);
    op_session_backward(&s);
    assert_int_equal(at_ctx_check(&s.ctx, NULL), ATT_OK);
    r.loss = s.loss.loss;
    r.nll = s.loss.nll;
    if (p->out.name) r.out = fetch(be, s.out->data, op_matrix_floats(&p->out));
    for (int i = 0; i < OP_INPUTS; i++)
        if (p->in[i].name) r.grad[i] = fetch(be, s.in[i]->grad, op_matrix_floats(&p->in[i]));
    op_session_free(&s);
    return r;
}

static void result_free(result *r)
{
    free(r->out);
    for (int i = 0; i < OP_INPUTS; i++) free(r->grad[i]);
}

static void check(const op_case *c, const char *isa, const char *what, int64_t index, double got, double want,
                  double scale, double *worst)
{
    const double slack = c->slack > 0 ? c->slack : 1, error = fabs(got - want) / scale,
                 tolerance = c->tolerance * slack;
    if (error / slack > *worst) *worst = error / slack;
    if (error <= tolerance) return;
    char text[200];
    op_case_print(c, text, sizeof text);
    fail_msg("%s on %s: %s[%lld] is %.9g, should be %.9g: error %.2g, tolerance %.2g", text, isa, what,
             (long long)index, got, want, error, tolerance);
}

static double largest_of(const double *x, int64_t n)
{
    double largest = 1e-3;
    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i]) > largest) largest = fabs(x[i]);
    return largest;
}

static void check_values(const op_problem *p, const expected *e, const result *r, const char *isa)
{
    const op_case *c = p->c;
    const int64_t n = op_matrix_floats(&p->out);
    const double scale = largest_of(e->out, n);
    for (int64_t i = 0; i < n; i++) check(c, isa, "value", i, r->out[i], e->out[i], scale, &worst_value[c->op]);
    if (c->op != OP_linear_cross_entropy) return;
    check(c, isa, "loss", 0, r->loss, e->loss, fmax(1, fabs(e->loss)), &worst_value[c->op]);
    check(c, isa, "nll", 0, r->nll, e->nll, fmax(1, fabs(e->nll)), &worst_value[c->op]);
}

/* A derivative along a direction sums the errors of n elements, which are as good as random. */
static void check_gradients(const op_problem *p, const expected *e, const result *r, float beta, const char *isa)
{
    for (int64_t k = 0; k < e->probe_count; k++) {
        const probe *pr = &e->probes[k];
        const int64_t n = op_matrix_floats(&p->in[pr->input]), first = pr->element >= 0 ? pr->element : 0;
        const int64_t last = pr->element >= 0 ? pr->element + 1 : n;
        double got = 0, scale = fmax(e->largest[pr->input], 1e-3) + beta;
        for (int64_t j = first; j < last; j++)
            got +=
                sign_of(pr, j) * ((double)r->grad[pr->input][j] - (beta != 0 ? (double)preset(pr->input, j, beta) : 0));
        if (pr->element < 0) scale *= sqrt((double)n);
        check(p->c, isa, p->in[pr->input].name, pr->element, got, pr->want, scale, &worst_gradient[p->c->op]);
    }
}

static void check_equal(const op_problem *p, const char *what, int number, const float *a, const float *b, int64_t n)
{
    if (n == 0 || memcmp(a, b, (size_t)n * sizeof *a) == 0) return;
    char text[200];
    op_case_print(p->c, text, sizeof text);
    fail_msg("%s: %s differs with %d threads", text, what, number);
}

static void check_threads(const op_problem *p, const result *one, int isa)
{
    for (int t = 1; t < THREADS; t++) {
        result r = run(backends[isa][t], p, 0, NOBODY);
        check_equal(p, "value", thread_counts[t], r.out, one->out, op_matrix_floats(&p->out));
        assert_true(r.loss == one->loss && r.nll == one->nll);
        for (int i = 0; i < OP_INPUTS; i++)
            check_equal(p, p->in[i].name, thread_counts[t], r.grad[i], one->grad[i], op_matrix_floats(&p->in[i]));
        result_free(&r);
    }
}

/* A gradient that nobody wants isn't touched, and the others don't change. */
static void check_unwanted(const op_problem *p, const result *all, int isa)
{
    for (int unwanted = 0; unwanted < OP_INPUTS; unwanted++) {
        if (p->in[unwanted].name == NULL) continue;
        result r = run(backends[isa][0], p, 0, unwanted);
        bool others = false;
        for (int i = 0; i < OP_INPUTS; i++) others = others || (i != unwanted && p->in[i].name);
        for (int i = 0; i < OP_INPUTS; i++)
            if (i != unwanted) check_equal(p, p->in[i].name, 1, r.grad[i], all->grad[i], op_matrix_floats(&p->in[i]));
        for (int64_t j = 0; j < op_matrix_floats(&p->in[unwanted]); j++) assert_true(isnan(r.grad[unwanted][j]));
        result_free(&r);
    }
}

/* Ops without products give the same bits on every instruction set. */
static bool has_product(op_kind op)
{
    return op == OP_linear || op == OP_attention || op == OP_linear_cross_entropy;
}

static op_problem *problem_of(const op_case *c, uint64_t seed)
{
    op_problem *p = NULL;
    assert_int_equal(op_problem_new(&p, c, seed, NULL), ATT_OK);
    return p;
}

static void check_case(const op_case *c)
{
    op_problem *p = problem_of(c, at_rng_key(SEED, (uint64_t)(c - op_cases)));
    expected e = expect(p);
    result first = {0};
    for (int isa = 0; isa < isa_count; isa++) {
        result assigned = run(backends[isa][0], p, 0, NOBODY), added = run(backends[isa][0], p, 1, NOBODY);
        check_values(p, &e, &assigned, isas[isa]);
        check_gradients(p, &e, &assigned, 0, isas[isa]);
        check_gradients(p, &e, &added, 1, isas[isa]);
        check_threads(p, &assigned, isa);
        check_unwanted(p, &assigned, isa);
        if (isa > 0 && !has_product(c->op)) {
            check_equal(p, "value on another instruction set", 1, assigned.out, first.out, op_matrix_floats(&p->out));
            for (int i = 0; i < OP_INPUTS; i++)
                check_equal(p, p->in[i].name, 1, assigned.grad[i], first.grad[i], op_matrix_floats(&p->in[i]));
        }
        result_free(&added);
        if (isa == 0)
            first = assigned;
        else
            result_free(&assigned);
    }
    result_free(&first);
    expected_free(&e);
    op_problem_free(p);
}

static void check_cases(op_kind op)
{
    int count = 0;
    for (int i = 0; i < OP_CASES; i++)
        if (op_cases[i].op == op) check_case(&op_cases[i]), count++;
    assert_true(count > 0);
}

#define CASES_OF(name)                        \
    static void cases_of_##name(void **state) \
    {                                         \
        (void)state;                          \
        check_cases(OP_##name);               \
    }
ATT_OPS(CASES_OF)

/* The weights that a picture asks for. */
static void attention_gives_its_weights(void **state)
{
    (void)state;
    for (int i = 0; i < OP_CASES; i++) {
        if (op_cases[i].op != OP_attention) continue;
        op_problem *p = problem_of(&op_cases[i], SEED);
        int64_t *offset = array(p->count + 1, sizeof *offset);
        for (int64_t b = 0; b < p->count; b++)
            offset[b + 1] = offset[b] + p->c->heads * (p->query[b + 1] - p->query[b]) * (p->key[b + 1] - p->key[b]);
        expected e = {0};
        for (int k = 0; k < OP_INPUTS; k++) {
            e.in[k] = array(op_matrix_floats(&p->in[k]), sizeof(double));
            for (int64_t j = 0; j < op_matrix_floats(&p->in[k]); j++) e.in[k][j] = p->in[k].data[j];
        }
        e.out = array(op_matrix_floats(&p->out), sizeof(double));
        e.weights = array(offset[p->count], sizeof(double));
        reference(p, &e);
        for (int isa = 0; isa < isa_count; isa++) {
            op_session s;
            assert_int_equal(op_session_init(&s, backends[isa][1], p, NULL), ATT_OK);
            s.weights = array(offset[p->count], sizeof(float));
            s.weight_offset = offset;
            for (int64_t j = 0; j < offset[p->count]; j++) s.weights[j] = NAN;
            op_session_forward(&s);
            for (int64_t j = 0; j < offset[p->count]; j++)
                check(p->c, isas[isa], "weight", j, s.weights[j], e.weights[j], 1, &worst_value[OP_attention]);
            free(s.weights);
            op_session_free(&s);
        }
        expected_free(&e);
        free(offset);
        op_problem_free(p);
    }
}

/* Row i of causal attention over 300 tokens has the bits that it has in a sequence that ends at i, and that one query
 * has alone: decoding with a cache rests on it. */
static void check_rows_stand_alone(int64_t head_width)
{
    enum { N = 300, H = 2, MOST = 32 };
    const int64_t inner = H * head_width;
    const op_case c = {.op = OP_attention, .heads = H, .head_width = head_width, .queries = "300", .causal = true};
    op_problem *p = problem_of(&c, SEED);
    for (int isa = 0; isa < isa_count; isa++) {
        at_backend *be = backends[isa][0];
        static float all[N * H * MOST], some[N * H * MOST];
        const float *qkv = p->in[0].data;
        int64_t queries[] = {0, N}, keys[] = {0, N};
        at_attention_args args = attention_args(p);
        args.query = (at_spans){queries, queries + 1};
        args.key = (at_spans){keys, keys + 1};
        be->attention_fwd(be, all, NULL, qkv, qkv + inner, qkv + 2 * inner, &args);
        for (int64_t n = 1; n <= N; n += n < 70 || n > 250 ? 1 : 13) {
            keys[1] = n;
            queries[0] = 0, queries[1] = n;
            be->attention_fwd(be, some, NULL, qkv, qkv + inner, qkv + 2 * inner, &args);
            assert_memory_equal(some, all, (size_t)(n * inner) * sizeof(float));
            queries[0] = n - 1;
            be->attention_fwd(be, some, NULL, qkv, qkv + inner, qkv + 2 * inner, &args);
            assert_memory_equal(some + (n - 1) * inner, all + (n - 1) * inner, (size_t)inner * sizeof(float));
        }
    }
    op_problem_free(p);
}

static void attention_rows_stand_alone(void **state)
{
    (void)state;
    check_rows_stand_alone(24);
    check_rows_stand_alone(32); /* whole panels: read in place where a sequence is short */
}

/* A row of x W + b has the same bits whatever other rows are multiplied with it. */
static void linear_rows_stand_alone(void **state)
{
    (void)state;
    enum { M = 100, K = 300, N = 75 };
    const op_case c = {.op = OP_linear, .n = M, .d = K, .f = N, .bias = true};
    op_problem *p = problem_of(&c, SEED);
    static float all[M * N], some[M * N];
    for (int isa = 0; isa < isa_count; isa++) {
        at_backend *be = backends[isa][0];
        at_weight w = {p->in[1].data, NULL, NULL, K, N, false};
        float *packed = be->alloc(be, (size_t)be->pack_size(be, &w, false) * sizeof(float));
        be->pack(be, packed, &w, false);
        w.packed = packed;
        be->linear_fwd(be, all, NULL, p->in[0].data, &w, p->in[2].data, M, ATT_ACT_GELU);
        for (int64_t m = 1; m <= 30; m++)
            for (int64_t from = 0; from + m <= M; from += m + 7) {
                be->linear_fwd(be, some, NULL, p->in[0].data + from * K, &w, p->in[2].data, m, ATT_ACT_GELU);
                assert_memory_equal(some, all + from * N, (size_t)(m * N) * sizeof(float));
            }
        be->release(be, packed, 0);
    }
    op_problem_free(p);
}

/* Exactly the elements that the hash of their index drops, at the rate asked for, and independent of their neighbours.
 */
static void dropout_mask_is_the_hash(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    float *x = array(N, sizeof *x), *y = array(N, sizeof *y);
    for (int64_t i = 0; i < N; i++) x[i] = 1;
    for (int isa = 0; isa < isa_count; isa++)
        for (int k = 0; k < 4; k++) {
            const float rate = (const float[]){0.1f, 0.5f, 0.9f, 0.001f}[k];
            const uint64_t key = at_rng_key(12345, (uint64_t)k);
            at_backend *be = backends[isa][1];
            be->dropout_fwd(be, y, NULL, x, N, rate, key);
            int64_t dropped = 0, both = 0;
            for (int64_t i = 0; i < N; i++) {
                assert_true(y[i] == (ref_drops(key, (uint64_t)i, rate) ? 0 : 1 / (1 - rate)));
                dropped += y[i] == 0;
                both += i > 0 && y[i] == 0 && y[i - 1] == 0;
            }
            const double deviation = sqrt(N * (double)rate * (1 - rate)), pair = (double)rate * rate;
            assert_true(fabs((double)dropped - N * (double)rate) < 5 * deviation);
            assert_true(fabs((double)both - N * pair) < 5 * sqrt(3 * N * pair) + 5);
        }
    free(x);
    free(y);
}

/* The whole backend's Adam and sum of squares over several chunks of work, with any number of threads. */
static void optimizer_is_the_same_for_any_threads(void **state)
{
    (void)state;
    enum { N = 50001 };
    float *first[3] = {0};
    double square = 0;
    for (int isa = 0; isa < isa_count; isa++)
        for (int t = 0; t < THREADS; t++) {
            at_backend *be = backends[isa][t];
            float *w[3], *g = array(N, sizeof *g);
            for (int k = 0; k < 3; k++) w[k] = array(N, sizeof **w);
            for (int64_t i = 0; i < N; i++)
                w[0][i] = (float)at_rng_normal(1, (uint64_t)i), g[i] = (float)at_rng_normal(2, (uint64_t)i);
            for (int step = 1; step <= 3; step++)
                be->optimize(be, w[0], w[1], w[2], g, N,
                             &(at_optimize_args){.optimizer = ATT_OPTIMIZER_ADAM,
                                                 .rate = 1e-2f,
                                                 .beta1 = 0.9f,
                                                 .beta2 = 0.98f,
                                                 .eps = 1e-9f,
                                                 .step = step,
                                                 .gradient_scale = 0.5f});
            const double sum = be->sum_squares(be, w[0], N);
            if (isa == 0 && t == 0) {
                double want = 0;
                for (int64_t i = 0; i < N; i++) want += (double)w[0][i] * w[0][i];
                assert_true(fabs(sum / want - 1) < 1e-6);
            } else {
                assert_true(sum == square);
            }
            square = sum;
            for (int k = 0; k < 3; k++) {
                if (first[k]) assert_memory_equal(first[k], w[k], N * sizeof(float));
                free(first[k]);
                first[k] = w[k];
            }
            free(g);
        }
    for (int k = 0; k < 3; k++) free(first[k]);
}

static at_tensor *parameter(at_params *params, const char *name, int64_t rows, int64_t width)
{
    return at_params_add(params, (at_init){ATT_INIT_NORMAL, 1}, rows, width, "%s", name);
}

/* A tensor used three times gets the sum of its gradients; an op whose output nobody uses is skipped, and what it read
 * ends up with gradient zero. */
static void tape_sums_what_is_used_and_skips_the_rest(void **state)
{
    (void)state;
    enum { N = 5, D = 7, V = 9 };
    static const int32_t targets[N] = {1, 8, 0, 3, 3};
    at_backend *be = backends[isa_count - 1][0];
    at_params params;
    at_ctx ctx;
    at_params_init(&params, be);
    at_ctx_init(&ctx, be);
    at_tensor *x = parameter(&params, "x", N, D), *w = parameter(&params, "w", D, V),
              *unused = parameter(&params, "unused", D, D);
    assert_int_equal(at_params_allocate(&params, true, NULL), ATT_OK);
    assert_int_equal(at_params_draw(&params, SEED, NULL), ATT_OK);
    assert_ptr_equal(at_params_find(&params, "w"), w);
    assert_null(at_params_find(&params, "v"));
    for (int64_t i = 0; i < params.floats; i++) params.grad[i] = NAN;
    float once[N * D], thrice[N * D];
    for (int run = 0; run < 2; run++) { /* the loss of 3 x, and of x + (x + x) */
        at_params_clear_grad(&params);
        at_ctx_begin(&ctx, true, true, 1);
        at_tensor *sum = run ? at_dropout(&ctx, x, at_dropout(&ctx, x, x, 0), 0) : at_tensor_new(&ctx, N, D);
        if (run == 0) be->axpy(be, sum->data, 0, x->data, 3, N * D);
        sum->needs_grad = true;
        at_linear(&ctx, x, unused, NULL, ATT_ACT_SWISH);
        at_linear_cross_entropy(&ctx, sum, w, false, NULL, targets, 0, 1);
        at_backward(&ctx);
        at_params_settle_grad(&params);
        if (run == 0) memcpy(once, sum->grad, sizeof once);
        for (int64_t i = 0; i < D * D; i++) assert_true(unused->grad[i] == 0);
    }
    memcpy(thrice, x->grad, sizeof thrice);
    for (int64_t i = 0; i < N * D; i++)
        assert_true(fabsf(thrice[i] - 3 * once[i]) <= 1e-6f * fmaxf(1, fabsf(thrice[i])));
    at_ctx_begin(&ctx, false, true, 1);
    at_linear(&ctx, x, unused, NULL, ATT_ACT_SWISH);
    assert_null(ctx.last); /* nothing is recorded when nobody asks */
    at_ctx_free(&ctx);
    at_params_free(&params);
}

static void unknown_instruction_sets_are_refused(void **state)
{
    (void)state;
    at_backend *be = NULL;
    at_error err;
    assert_int_equal(at_cpu_backend_new(&be, 1, "abacus", &err), ATT_UNSUPPORTED);
    assert_non_null(strstr(err.text, "abacus"));
    assert_null(be);
}

int main(void)
{
#define CASES_TEST(name) cmocka_unit_test(cases_of_##name),
    const struct CMUnitTest tests[] = {
        ATT_OPS(CASES_TEST) cmocka_unit_test(attention_gives_its_weights),
        cmocka_unit_test(attention_rows_stand_alone),
        cmocka_unit_test(linear_rows_stand_alone),
        cmocka_unit_test(dropout_mask_is_the_hash),
        cmocka_unit_test(optimizer_is_the_same_for_any_threads),
        cmocka_unit_test(tape_sums_what_is_used_and_skips_the_rest),
        cmocka_unit_test(unknown_instruction_sets_are_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
