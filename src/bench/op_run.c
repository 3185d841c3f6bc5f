/* See op_run.h. */
#include "bench/op_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

static const char *const act_names[] = {"", " relu", " gelu", " gelu-tanh", " swish"};
#define NAME(name) #name,
static const char *const op_names[] = {ATT_OPS(NAME)};
#undef NAME

const char *op_name(op_kind op)
{
    return op_names[op];
}

void op_case_print(const op_case *c, char *text, int size)
{
    int at = snprintf(text, (size_t)size, "%s", op_names[c->op]);
    if (c->op == OP_attention)
        at += snprintf(text + at, (size_t)(size - at), " heads %dx%d queries %s", (int)c->heads, (int)c->head_width,
                       c->queries);
    else
        at += snprintf(text + at, (size_t)(size - at), " %dx%d", (int)c->n, (int)c->d);
    if (c->f > 0) at += snprintf(text + at, (size_t)(size - at), "x%d", (int)c->f);
    if (c->keys) at += snprintf(text + at, (size_t)(size - at), " keys %s", c->keys);
    at += snprintf(text + at, (size_t)(size - at), "%s%s%s%s%s%s%s", c->bias ? " bias" : "", c->tied ? " tied" : "",
                   act_names[c->act], c->causal ? " causal" : "", c->swapped ? " swapped" : "",
                   c->residual ? " residual" : "", c->positions ? " positions" : "");
    if (c->rate > 0) at += snprintf(text + at, (size_t)(size - at), " rate %g", (double)c->rate);
    if (c->spread > 0) snprintf(text + at, (size_t)(size - at), " spread %g", (double)c->spread);
}

static at_status fill_normal(op_matrix *m, uint64_t key, float mean, float deviation, at_error *err)
{
    const int64_t n = op_matrix_floats(m);
    const size_t bytes = (size_t)(n + 1) * sizeof *m->data;
    m->data = malloc(bytes);
    if (m->data == NULL) return at_fail_memory(err, bytes);
    for (int64_t i = 0; i < n; i++) m->data[i] = mean + deviation * (float)at_rng_normal(key, (uint64_t)i);
    return ATT_OK;
}

static at_status random_below(int32_t **ids, uint64_t key, int64_t n, int64_t below, at_error *err)
{
    const size_t bytes = (size_t)(n + 1) * sizeof **ids;
    *ids = malloc(bytes);
    if (*ids == NULL) return at_fail_memory(err, bytes);
    for (int64_t i = 0; i < n; i++) (*ids)[i] = (int32_t)at_rng_below(key, (uint64_t)i, (uint32_t)below);
    return ATT_OK;
}

/* Offsets from "5 1 17", and the number of sequences. */
static at_status read_lengths(const char *text, int64_t **offset, int64_t *count, at_error *err)
{
    const size_t most = strlen(text) + 2;
    *count = 0;
    *offset = calloc(most, sizeof **offset);
    if (*offset == NULL) return at_fail_memory(err, most * sizeof **offset);
    for (char *end; *text; text = end) {
        (*offset)[*count + 1] = (*offset)[*count] + strtol(text, &end, 10);
        ++*count;
    }
    return ATT_OK;
}

static at_status shape_attention(op_problem *p, at_error *err)
{
    const int64_t inner = p->c->heads * p->c->head_width;
    ATT_TRY(read_lengths(p->c->keys ? p->c->keys : p->c->queries, &p->key, &p->count, err));
    ATT_TRY(read_lengths(p->c->queries, &p->query, &p->count, err));
    const int64_t n = p->query[p->count];
    if (p->c->keys) {
        p->in[0] = (op_matrix){"q", n, inner, false, NULL};
        p->in[1] = (op_matrix){"kv", p->key[p->count], 2 * inner, false, NULL};
    } else {
        p->in[0] = (op_matrix){"qkv", n, 3 * inner, false, NULL};
    }
    p->out = (op_matrix){"o", n, inner, false, NULL};
    return ATT_OK;
}

static at_status shape(op_problem *p, at_error *err)
{
    const op_case *c = p->c;
    const op_matrix none = {0};
    switch (c->op) {
    case OP_linear:
    case OP_linear_cross_entropy:
        p->in[0] = (op_matrix){"x", c->n, c->d, false, NULL};
        p->in[1] = c->tied ? (op_matrix){"w", c->f, c->d, false, NULL} : (op_matrix){"w", c->d, c->f, false, NULL};
        p->in[2] = c->bias ? (op_matrix){"b", 1, c->f, true, NULL} : none;
        p->out = c->op == OP_linear ? (op_matrix){"y", c->n, c->f, false, NULL} : none;
        break;
    case OP_attention:
        return shape_attention(p, err);
    case OP_layer_norm:
        p->in[0] = (op_matrix){"x", c->n, c->d, false, NULL};
        p->in[1] = (op_matrix){"gamma", 1, c->d, true, NULL};
        p->in[2] = (op_matrix){"beta", 1, c->d, true, NULL};
        p->out = (op_matrix){"y", c->n, c->d, false, NULL};
        break;
    case OP_dropout:
        p->in[0] = c->residual ? (op_matrix){"residual", c->n, c->d, false, NULL} : none;
        p->in[1] = (op_matrix){"x", c->n, c->d, false, NULL};
        p->out = (op_matrix){"y", c->n, c->d, false, NULL};
        break;
    case OP_swiglu:
        p->in[0] = (op_matrix){"x", c->n, c->d, false, NULL};
        p->out = (op_matrix){"y", c->n, c->d / 2, false, NULL};
        break;
    case OP_embed:
        p->in[0] = (op_matrix){"table", c->f, c->d, false, NULL};
        p->in[1] = c->positions ? (op_matrix){"positions", c->n + 3, c->d, false, NULL} : none;
        p->out = (op_matrix){"y", c->n, c->d, false, NULL};
        break;
    case OP_KINDS:
        break;
    }
    return ATT_OK;
}

/* Inputs have the case's spread, weights that over the square root of their depth. */
static at_status fill(op_problem *p, uint64_t seed, at_error *err)
{
    const op_case *c = p->c;
    const float spread = c->spread > 0 ? c->spread : 1;
    const bool product = c->op == OP_linear || c->op == OP_linear_cross_entropy;
    for (int i = 0; i < OP_INPUTS; i++) {
        const bool is_x = i == 0 || c->op == OP_dropout || c->op == OP_attention;
        const float deviation = product && i == 1 ? 1 / sqrtf((float)c->d) : is_x ? spread : 1;
        ATT_TRY(fill_normal(&p->in[i], at_rng_key(seed, (uint64_t)i), is_x ? c->offset : 0, deviation, err));
    }
    ATT_TRY(fill_normal(&p->out, at_rng_key(seed, 10), 0, 1, err));
    if (c->op == OP_embed || c->op == OP_linear_cross_entropy)
        ATT_TRY(random_below(&p->ids, at_rng_key(seed, 11), c->n, c->f, err));
    if (c->positions) ATT_TRY(random_below(&p->positions, at_rng_key(seed, 12), c->n, c->n + 3, err));
    p->scale = c->op == OP_embed ? 1.7f : 0.3f;
    p->rng = at_rng_key(seed, 13);
    p->draw = at_rng_key(p->rng, 0);
    return ATT_OK;
}

at_status op_problem_new(op_problem **problem, const op_case *c, uint64_t seed, at_error *err)
{
    op_problem *p = calloc(1, sizeof *p);
    if (p == NULL) return at_fail_memory(err, sizeof *p);
    p->c = c;
    at_status status = shape(p, err);
    if (status == ATT_OK) status = fill(p, seed, err);
    if (status == ATT_OK)
        *problem = p;
    else
        op_problem_free(p);
    return status;
}

void op_problem_free(op_problem *p)
{
    for (int i = 0; i < OP_INPUTS; i++) free(p->in[i].data);
    free(p->out.data);
    free(p->ids);
    free(p->positions);
    free(p->query);
    free(p->key);
    free(p);
}

static at_tensor *declare(at_params *params, const op_matrix *m)
{
    const at_init none = {ATT_INIT_ZERO, 0};
    if (m->name == NULL) return NULL;
    return m->vector ? at_params_add(params, none, m->width, 0, "%s", m->name)
                     : at_params_add(params, none, m->rows, m->width, "%s", m->name);
}

static void upload(at_backend *be, float *to, const op_matrix *m)
{
    if (op_matrix_floats(m) > 0) be->upload(be, to, m->data, (size_t)op_matrix_floats(m) * sizeof(float));
}

at_status op_session_init(op_session *s, at_backend *be, const op_problem *p, at_error *err)
{
    memset(s, 0, sizeof *s);
    s->problem = p;
    at_params_init(&s->params, be);
    at_ctx_init(&s->ctx, be);
    for (int i = 0; i < OP_INPUTS; i++) s->in[i] = declare(&s->params, &p->in[i]);
    ATT_TRY(at_params_allocate(&s->params, true, err));
    for (int i = 0; i < OP_INPUTS; i++)
        if (s->in[i]) upload(be, s->in[i]->data, &p->in[i]);
    at_params_changed(&s->params);
    s->above = be->alloc(be, (size_t)(op_matrix_floats(&p->out) + 1) * sizeof(float));
    if (s->above == NULL) return at_fail(err, ATT_MEMORY, "no memory for the case");
    upload(be, s->above, &p->out);
    return ATT_OK;
}

void op_session_free(op_session *s)
{
    at_backend *be = s->ctx.be;
    if (s->above) be->release(be, s->above, (size_t)(op_matrix_floats(&s->problem->out) + 1) * sizeof(float));
    at_ctx_free(&s->ctx);
    at_params_free(&s->params);
}

static at_tensor *record_attention(op_session *s)
{
    const op_problem *p = s->problem;
    const op_case *c = p->c;
    const int64_t inner = c->heads * c->head_width;
    const at_attention_spec spec = {.count = p->count,
                                    .query = {p->query, p->query + 1},
                                    .key = {p->key, p->key + 1},
                                    .heads = c->heads,
                                    .head_width = c->head_width,
                                    .causal = c->causal,
                                    .dropout = c->rate,
                                    .weights = s->weights,
                                    .weight_offset = s->weight_offset};
    if (c->keys)
        return at_attention(&s->ctx, s->in[0], 0, s->in[1], c->swapped ? inner : 0, c->swapped ? 0 : inner, &spec);
    return at_attention(&s->ctx, s->in[0], c->swapped ? inner : 0, s->in[0], c->swapped ? 2 * inner : inner,
                        c->swapped ? 0 : 2 * inner, &spec);
}

void op_session_forward(op_session *s)
{
    const op_problem *p = s->problem;
    const op_case *c = p->c;
    at_tensor *const *in = s->in;
    at_ctx_begin(&s->ctx, true, true, p->rng);
    switch (c->op) {
    case OP_embed:
        s->out = at_embed(&s->ctx, in[0], p->ids, c->n, p->scale, in[1], p->positions);
        break;
    case OP_linear:
        s->out =
            c->tied ? at_linear_tied(&s->ctx, in[0], in[1], in[2]) : at_linear(&s->ctx, in[0], in[1], in[2], c->act);
        break;
    case OP_attention:
        s->out = record_attention(s);
        break;
    case OP_layer_norm:
        s->out = at_layer_norm(&s->ctx, in[0], in[1], in[2], 1e-5f);
        break;
    case OP_dropout:
        s->out = at_dropout(&s->ctx, in[0], in[1], c->rate);
        break;
    case OP_swiglu:
        s->out = at_swiglu(&s->ctx, in[0]);
        break;
    case OP_linear_cross_entropy:
        s->loss = at_linear_cross_entropy(&s->ctx, in[0], in[1], c->tied, in[2], p->ids, c->smoothing, p->scale);
        break;
    case OP_KINDS:
        break;
    }
}

/* loss = sum of out * above, whose gradient is `above`: the end of a tape for ops that aren't a loss. */
static void project_bwd(at_ctx *ctx, const at_record *record)
{
    const float *const *above = record->args;
    float beta;
    float *grad = at_grad(ctx, record->in[0], &beta);
    if (grad) ctx->be->axpy(ctx->be, grad, beta, *above, 1, at_tensor_floats(record->in[0]));
}

static const at_op op_project = {"project", NULL, project_bwd};

void op_session_backward(op_session *s)
{
    if (s->problem->c->op != OP_linear_cross_entropy) {
        at_tensor *loss = at_tensor_wrap(&s->ctx, NULL, 0, 0);
        at_apply(&s->ctx, &(at_record){.op = &op_project, .in = {s->out}, .out = loss}, &s->above, sizeof s->above);
    }
    at_backward(&s->ctx);
}
