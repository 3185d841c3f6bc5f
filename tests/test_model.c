/* Invariants of the models, on small random Transformers of every variant: loss, logits and gradients against the
 * double-precision reference; a sentence's result doesn't depend on its batch, an output not on later input, nothing on
 * the number of threads; decoding step by step is the full forward; small batches add up to a large one; a task is
 * learned. */
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
#include "model/transformer.h"
#include "nn/positions.h"
#include "reference_transformer.h"
#include "simd/kernels.h"

enum { MAX_ISAS = 8, SWIGLU = ATT_ACT_SWISH + 1 };
static const char *isas[MAX_ISAS];
static int isa_count;
static double worst_loss, worst_logit, worst_gradient;

static const at_transformer_config variants[] = {
    /* vocabularies, layers, width, heads, head width, ffn, ..., dropout rates, residual, positions every layer */
    {23,   23,   2,     2, 16, 2, 8, 33,   ATT_NORM_POST, ATT_POSITIONS_INTERLEAVED, ATT_ACT_RELU, 64, true,
     true, true, false, 0, 0,  0, 0, true, false},
    {19,    29,   1,    2, 24, 3, 8, 31,   ATT_NORM_PRE, ATT_POSITIONS_HALVES, ATT_ACT_GELU, 64, false,
     false, true, true, 0, 0,  0, 0, true, false},
    {23,    23,   2,     1, 15, 3, 5, 17,   ATT_NORM_POST, ATT_POSITIONS_TENSOR2TENSOR, ATT_ACT_SWISH, 64, true,
     false, true, false, 0, 0,  0, 0, true, false},
    {17,   33,   1,    2, 13, 2, 24, 15,   ATT_NORM_PRE, ATT_POSITIONS_LEARNED, SWIGLU, 64, false,
     true, true, true, 0, 0,  0, 0,  true, false},
    {23,   23,    1,    1, 17, 1, 40, 16,   ATT_NORM_POST, ATT_POSITIONS_NONE, ATT_ACT_GELU_TANH, 64, true,
     true, false, true, 0, 0,  0, 0,  true, false},
    {11,    13,    1,     1, 8, 4, 3, 7,    ATT_NORM_PRE, ATT_POSITIONS_INTERLEAVED, ATT_ACT_NONE, 64, false,
     false, false, false, 0, 0, 0, 0, true, false},
    {23,   23,   2,    2,   16,  2,    8,   33,   ATT_NORM_POST, ATT_POSITIONS_LEARNED, SWIGLU, 64, true,
     true, true, true, 0.1, 0.2, 0.15, 0.3, true, false},
    {23,   23,   1,     2,   16,  2,    8,   33,   ATT_NORM_PRE, ATT_POSITIONS_HALVES, ATT_ACT_RELU, 64, true,
     true, true, false, 0.1, 0.2, 0.15, 0.3, true, false},
    {23,   23,   2,     1, 16, 2, 8, 33,    ATT_NORM_POST, ATT_POSITIONS_INTERLEAVED, ATT_ACT_GELU, 64, true,
     true, true, false, 0, 0,  0, 0, false, true},
    {19,    29,   2,    3, 24, 3, 8, 31,   ATT_NORM_PRE, ATT_POSITIONS_LEARNED, ATT_ACT_GELU, 64, false,
     false, true, true, 0, 0,  0, 0, true, true},
    {23,   23,   3,     2,   16,  2,    8,   33,    ATT_NORM_PRE, ATT_POSITIONS_HALVES, ATT_ACT_RELU, 64, true,
     true, true, false, 0.1, 0.2, 0.15, 0.3, false, true},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static int start(void **state)
{
    (void)state;
    isa_count = at_kernels_names(isas, MAX_ISAS);
    return isa_count > 0 ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    print_message("largest error of a loss %.1e, a logit %.1e, a gradient %.1e\n", worst_loss, worst_logit,
                  worst_gradient);
    return 0;
}

/* A model with random parameters, biases and norms too, which a fresh one has at 0 and 1. */
typedef struct fixture {
    at_backend *be;
    at_model *model;
    at_ctx ctx;
} fixture;

static void shake(at_params *params)
{
    for (int i = 0; i < params->count; i++) {
        at_tensor *t = params->tensor[i];
        const size_t bytes = (size_t)at_tensor_floats(t) * sizeof(float);
        float *x = malloc(bytes);
        params->be->download(params->be, x, t->data, bytes);
        for (int64_t j = 0; j < at_tensor_floats(t); j++)
            x[j] += 0.2f * (float)at_rng_normal(at_rng_key(77, (uint64_t)i), (uint64_t)j);
        params->be->upload(params->be, t->data, x, bytes);
        free(x);
    }
    at_params_changed(params);
}

static void open_model(fixture *f, const at_transformer_config *config, int threads, const char *isa)
{
    at_error err;
    assert_int_equal(at_cpu_backend_new(&f->be, threads, isa, &err), ATT_OK);
    assert_int_equal(at_model_new(&f->model, at_arch_find("transformer"), f->be, &err), ATT_OK);
    memcpy(f->model->config, config, sizeof *config);
    assert_int_equal(at_model_build(f->model, true, &err), ATT_OK);
    assert_int_equal(at_params_draw(&f->model->params, 1, &err), ATT_OK);
    at_ctx_init(&f->ctx, f->be);
}

static void open_shaken(fixture *f, const at_transformer_config *config, int threads, const char *isa)
{
    open_model(f, config, threads, isa);
    shake(&f->model->params);
}

static void close_model(fixture *f)
{
    at_ctx_free(&f->ctx);
    at_model_free(f->model);
    f->be->free(f->be);
}

/* A batch of random tokens; lengths of target_in count its begin token. */
typedef struct pairs {
    at_pair_batch batch;
    int64_t source[16], target[16];
    int32_t source_ids[1024], in_ids[1024], out_ids[1024];
} pairs;

static void fill_pairs(pairs *p, const at_transformer_config *c, int64_t count, const int *source, const int *target,
                       uint64_t seed)
{
    memset(p, 0, sizeof *p);
    for (int64_t b = 0; b < count; b++) {
        p->source[b + 1] = p->source[b] + source[b];
        p->target[b + 1] = p->target[b] + target[b];
    }
    for (int64_t i = 0; i < p->source[count]; i++)
        p->source_ids[i] = (int32_t)at_rng_below(at_rng_key(seed, 1), (uint64_t)i, (uint32_t)c->source_vocab);
    for (int64_t i = 0; i < p->target[count]; i++) {
        p->in_ids[i] = (int32_t)at_rng_below(at_rng_key(seed, 2), (uint64_t)i, (uint32_t)c->target_vocab);
        p->out_ids[i] = (int32_t)at_rng_below(at_rng_key(seed, 3), (uint64_t)i, (uint32_t)c->target_vocab);
    }
    p->batch = (at_pair_batch){
        {count, p->source, p->source_ids}, {count, p->target, p->in_ids}, {count, p->target, p->out_ids}, NULL};
}

static void some_pairs(pairs *p, const at_transformer_config *c)
{
    fill_pairs(p, c, 4, (const int[]){5, 1, 11, 2}, (const int[]){3, 7, 1, 4}, 5);
}

static void more_pairs(pairs *p, const at_transformer_config *c)
{
    fill_pairs(p, c, 6, (const int[]){5, 1, 17, 33, 2, 16}, (const int[]){3, 31, 1, 15, 20, 16}, 6);
}

/* Sentences first .. first + count - 1 of a batch, as a batch of their own. */
static at_packed part_of(const at_packed *all, int64_t first, int64_t count, int64_t *offset)
{
    for (int64_t b = 0; b <= count; b++) offset[b] = all->offset[first + b] - all->offset[first];
    return (at_packed){count, offset, all->ids + all->offset[first]};
}

static bool has_dropout(const at_transformer_config *c)
{
    return c->dropout > 0;
}

enum { RNG = 4242 };

/* Loss with gradients in the parameters, which are cleared first. */
static at_loss step(fixture *f, const at_pair_batch *batch, float smoothing, float scale)
{
    at_params_clear_grad(&f->model->params);
    at_ctx_begin(&f->ctx, true, true, RNG);
    const at_loss loss = f->model->arch->loss(&f->ctx, f->model, batch, smoothing, scale);
    at_backward(&f->ctx);
    at_params_settle_grad(&f->model->params);
    assert_int_equal(at_ctx_check(&f->ctx, NULL), ATT_OK);
    return loss;
}

/* Logits (N,V) of the whole model, copied; without dropout. */
static float *logits_of(fixture *f, const at_packed *source, const at_packed *target)
{
    at_ctx_begin(&f->ctx, false, false, 0);
    at_tensor *states = f->model->arch->encode(&f->ctx, f->model, source, NULL);
    at_tensor *logits = f->model->arch->decode(&f->ctx, f->model, states, source, target, NULL);
    assert_int_equal(at_ctx_check(&f->ctx, NULL), ATT_OK);
    float *copy = malloc((size_t)at_tensor_floats(logits) * sizeof *copy);
    f->be->download(f->be, copy, logits->data, (size_t)at_tensor_floats(logits) * sizeof *copy);
    return copy;
}

static float *download(const at_params *params, const float *from, int64_t n)
{
    float *to = malloc((size_t)n * sizeof *to);
    params->be->download(params->be, to, from, (size_t)n * sizeof *to);
    return to;
}

/* Derivatives of the reference along directions of one tensor: element -1 is all of it with random signs. */
enum { PROBES = 4 };

static double sign_of(int tensor, int probe, int64_t n, int64_t j)
{
    const uint64_t key = at_rng_key(at_rng_key(9, (uint64_t)tensor), (uint64_t)probe);
    if (probe < 2) return 2.0 * at_rng_below(key, (uint64_t)j, 2) - 1;
    return j == at_rng_below(key, 0, (uint32_t)n) ? 1 : 0;
}

static double difference(ref_transformer *r, const at_pair_batch *batch, double smoothing, int tensor, int probe,
                         int64_t n)
{
    const double step = 1e-5 / (probe < 2 ? sqrt((double)n) : 1);
    double *x = r->value[tensor], *kept = malloc((size_t)n * sizeof *kept), loss[2];
    memcpy(kept, x, (size_t)n * sizeof *kept);
    for (int side = 0; side < 2; side++) {
        for (int64_t j = 0; j < n; j++) x[j] = kept[j] + (side ? -step : step) * sign_of(tensor, probe, n, j);
        loss[side] = ref_transformer_loss(r, batch, smoothing, NULL, NULL);
    }
    memcpy(x, kept, (size_t)n * sizeof *kept);
    free(kept);
    return (loss[0] - loss[1]) / (2 * step);
}

static void keep_worst(double error, double tolerance, double *worst, const char *what, int variant, const char *isa)
{
    if (error > *worst) *worst = error;
    if (!(error <= tolerance))
        fail_msg("variant %d on %s: error %.3g of %s, tolerance %.1g", variant, isa, error, what, tolerance);
}

static void check_gradients(fixture *f, double (*want)[PROBES], int variant, const char *isa)
{
    const at_params *params = &f->model->params;
    for (int i = 0; i < params->count; i++) {
        const int64_t n = at_tensor_floats(params->tensor[i]);
        float *grad = download(params, params->tensor[i]->grad, n);
        double square = 0;
        for (int64_t j = 0; j < n; j++) square += (double)grad[j] * grad[j];
        for (int probe = 0; probe < PROBES; probe++) {
            double got = 0;
            for (int64_t j = 0; j < n; j++) got += sign_of(i, probe, n, j) * (double)grad[j];
            keep_worst(fabs(got - want[i][probe]) / fmax(1e-2, sqrt(square)), 1e-5, &worst_gradient,
                       params->tensor[i]->name, variant, isa);
        }
        free(grad);
    }
}

/* What the reference says of a variant. */
typedef struct truth {
    double loss, nll, *logits;    /* (N,V) */
    double (*derivative)[PROBES]; /* of each tensor */
} truth;

static truth truth_of(const at_transformer_config *c, const at_pair_batch *batch, double smoothing)
{
    fixture f;
    open_shaken(&f, c, 1, "portable");
    ref_transformer *r = ref_transformer_new(f.model);
    const at_params *params = &f.model->params;
    const size_t bytes = (size_t)(at_packed_tokens(&batch->target_in) * c->target_vocab) * sizeof(double);
    r->training = has_dropout(c);
    r->rng = RNG;
    truth t = {0, 0, malloc(bytes), calloc((size_t)params->count, sizeof *t.derivative)};
    for (int i = 0; i < params->count; i++)
        for (int probe = 0; probe < PROBES; probe++)
            t.derivative[i][probe] = difference(r, batch, smoothing, i, probe, at_tensor_floats(params->tensor[i]));
    double *logits;
    t.loss = ref_transformer_loss(r, batch, smoothing, &t.nll, &logits);
    memcpy(t.logits, logits, bytes);
    ref_transformer_free(r);
    close_model(&f);
    return t;
}

static void model_matches_reference(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        const at_transformer_config *c = &variants[v];
        const float smoothing = v % 2 ? 0.1f : 0;
        pairs p;
        some_pairs(&p, c);
        const int64_t tokens = at_packed_tokens(&p.batch.target_in);
        const truth t = truth_of(c, &p.batch, smoothing);
        for (int isa = 0; isa < isa_count; isa++) {
            fixture f;
            open_shaken(&f, c, 1, isas[isa]);
            const at_loss loss = step(&f, &p.batch, smoothing, 1);
            assert_int_equal(loss.tokens, tokens);
            keep_worst(fabs(loss.loss / t.loss - 1), 3e-7, &worst_loss, "loss", v, isas[isa]);
            keep_worst(fabs(loss.nll / t.nll - 1), 3e-7, &worst_loss, "nll", v, isas[isa]);
            check_gradients(&f, t.derivative, v, isas[isa]);
            float *logits = has_dropout(c) ? NULL : logits_of(&f, &p.batch.source, &p.batch.target_in);
            for (int64_t i = 0; logits && i < tokens * c->target_vocab; i++)
                keep_worst(fabs((double)logits[i] - t.logits[i]), 1e-5, &worst_logit, "logit", v, isas[isa]);
            free(logits);
            close_model(&f);
        }
        free(t.logits);
        free(t.derivative);
    }
}

/* One sentence's logits have the same bits in any batch. */
static void sentence_alone_equals_sentence_in_batch(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++)
        for (int isa = 0; isa < isa_count; isa++) {
            const at_transformer_config *c = &variants[v];
            fixture f;
            pairs p;
            open_shaken(&f, c, 2, isas[isa]);
            more_pairs(&p, c);
            float *all = logits_of(&f, &p.batch.source, &p.batch.target_in);
            for (int64_t first = 0; first < p.batch.source.count; first++)
                for (int64_t count = 1; first + count <= p.batch.source.count; count += 2) {
                    int64_t source_offset[16], target_offset[16];
                    const at_packed source = part_of(&p.batch.source, first, count, source_offset);
                    const at_packed target = part_of(&p.batch.target_in, first, count, target_offset);
                    float *some = logits_of(&f, &source, &target);
                    assert_memory_equal(some, all + p.target[first] * c->target_vocab,
                                        (size_t)(at_packed_tokens(&target) * c->target_vocab) * sizeof(float));
                    free(some);
                }
            free(all);
            close_model(&f);
        }
}

/* Changing a target token leaves every earlier output as it was, and changes some later one. */
static void output_does_not_depend_on_later_input(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        const at_transformer_config *c = &variants[v];
        fixture f;
        pairs p;
        open_shaken(&f, c, 1, NULL);
        more_pairs(&p, c);
        const int64_t begin = p.target[1], end = p.target[2];
        float *before = logits_of(&f, &p.batch.source, &p.batch.target_in);
        for (int64_t t = begin; t < end; t++) {
            p.in_ids[t] = (p.in_ids[t] + 1) % (int32_t)c->target_vocab;
            float *after = logits_of(&f, &p.batch.source, &p.batch.target_in);
            const size_t row = (size_t)c->target_vocab * sizeof(float);
            assert_memory_equal(before, after, (size_t)t * row);
            if (c->residual) { /* the one source token is all that cross-attention lets through else */
                assert_memory_not_equal(before + t * c->target_vocab, after + t * c->target_vocab, row);
                assert_memory_not_equal(before + (end - 1) * c->target_vocab, after + (end - 1) * c->target_vocab, row);
            }
            assert_memory_equal(before + end * c->target_vocab, after + end * c->target_vocab,
                                (size_t)(p.target[6] - end) * row);
            free(before);
            before = after;
        }
        free(before);
        close_model(&f);
    }
}

/* Decoding of a batch, step by step: sentence b enters at step b, so that lengths differ within a step. Every third
 * step hypotheses move to other slots, as in beam search, and every other one they come in reverse. */
typedef struct decoding {
    fixture *f;
    const pairs *p;
    at_ctx encoder;
    at_memory *memory;
    at_cache *cache;
    int64_t slot[16], length[16];
} decoding;

static void open_decoding(decoding *d, fixture *f, const pairs *p, int64_t capacity)
{
    memset(d, 0, sizeof *d);
    d->f = f;
    d->p = p;
    at_ctx_init(&d->encoder, f->be);
    at_ctx_begin(&d->encoder, false, false, 0);
    at_tensor *states = f->model->arch->encode(&d->encoder, f->model, &p->batch.source, NULL);
    d->memory = f->model->arch->remember(&d->encoder, f->model, states, &p->batch.source);
    assert_non_null(d->memory);
    assert_int_equal(f->model->arch->cache_new(&d->cache, f->model, 2 * p->batch.source.count, capacity, NULL), ATT_OK);
    for (int64_t b = 0; b < p->batch.source.count; b++) d->slot[b] = 2 * b;
}

static void close_decoding(decoding *d)
{
    at_cache_free(d->cache);
    at_ctx_free(&d->encoder);
}

static void decode_step(decoding *d, int64_t now, const float *all)
{
    const at_transformer_config *c = d->f->model->config;
    int64_t slot[16], length[16], sentence[16], n = 0;
    int32_t ids[16];
    for (int64_t i = 0; i < d->p->batch.source.count; i++) {
        const int64_t b = now % 2 ? i : d->p->batch.source.count - 1 - i;
        if (b > now || d->length[b] == d->p->target[b + 1] - d->p->target[b]) continue;
        if (now % 3 == 2) {
            at_cache_copy(d->cache, d->slot[b] ^ 1, d->slot[b], d->length[b]);
            d->slot[b] ^= 1;
        }
        slot[n] = d->slot[b];
        length[n] = d->length[b];
        sentence[n] = b;
        ids[n++] = d->p->in_ids[d->p->target[b] + d->length[b]];
    }
    if (n == 0) return;
    const at_cache_step one = {n, d->cache->capacity, slot, length};
    at_ctx_begin(&d->f->ctx, false, false, 0);
    at_tensor *logits = d->f->model->arch->step(&d->f->ctx, d->f->model, d->memory, d->cache, &one, ids, sentence);
    assert_int_equal(at_ctx_check(&d->f->ctx, NULL), ATT_OK);
    float *got = download(&d->f->model->params, logits->data, at_tensor_floats(logits));
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = d->p->target[sentence[i]] + length[i];
        assert_memory_equal(got + i * c->target_vocab, all + row * c->target_vocab,
                            (size_t)c->target_vocab * sizeof(float));
        d->length[sentence[i]]++;
    }
    free(got);
}

static void cached_decoding_equals_the_full_forward(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++)
        for (int isa = 0; isa < isa_count; isa++) {
            fixture f;
            pairs p;
            decoding d;
            open_shaken(&f, &variants[v], 1 + isa, isas[isa]);
            more_pairs(&p, &variants[v]);
            float *all = logits_of(&f, &p.batch.source, &p.batch.target_in);
            open_decoding(&d, &f, &p, 37);
            for (int64_t now = 0; now < 40; now++) decode_step(&d, now, all);
            for (int64_t b = 0; b < p.batch.source.count; b++)
                assert_int_equal(d.length[b], p.target[b + 1] - p.target[b]);
            close_decoding(&d);
            free(all);
            close_model(&f);
        }
}

/* Beyond one tile of 256 keys, in the source and in the cache. */
static void long_sentences_decode_alike(void **state)
{
    (void)state;
    at_transformer_config c = variants[0];
    c.encoder_layers = c.decoder_layers = 1;
    fixture f;
    pairs p;
    decoding d;
    open_shaken(&f, &c, 1, NULL);
    fill_pairs(&p, &c, 2, (const int[]){300, 3}, (const int[]){270, 5}, 8);
    float *all = logits_of(&f, &p.batch.source, &p.batch.target_in);
    open_decoding(&d, &f, &p, 280);
    for (int64_t now = 0; now < 272; now++) decode_step(&d, now, all);
    assert_int_equal(d.length[0], 270);
    close_decoding(&d);
    free(all);
    close_model(&f);
}

static void threads_give_equal_bits(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 3, 8, 16};
    for (int v = 0; v < VARIANTS; v++)
        for (int isa = 0; isa < isa_count; isa++) {
            float *first = NULL;
            at_loss loss = {0};
            for (int t = 0; t < 5; t++) {
                fixture f;
                pairs p;
                open_shaken(&f, &variants[v], threads[t], isas[isa]);
                more_pairs(&p, &variants[v]);
                const at_loss now = step(&f, &p.batch, 0.1f, 1.0f / 86);
                float *grad = download(&f.model->params, f.model->params.grad, f.model->params.floats);
                if (t > 0) {
                    assert_true(now.loss == loss.loss && now.nll == loss.nll);
                    assert_memory_equal(grad, first, (size_t)f.model->params.floats * sizeof(float));
                    free(grad);
                } else {
                    first = grad;
                    loss = now;
                }
                close_model(&f);
            }
            free(first);
        }
}

/* Gradients of k small batches add up to those of the one large: to rounding, 2e-6 of the tensor's largest. */
static void small_batches_add_up(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        const at_transformer_config *c = &variants[v];
        if (has_dropout(c)) continue;
        fixture f;
        pairs p;
        open_shaken(&f, c, 1, NULL);
        more_pairs(&p, c);
        at_params *params = &f.model->params;
        const at_loss whole = step(&f, &p.batch, 0.1f, 0.01f);
        float *large = download(params, params->grad, params->floats);
        at_loss sum = {0};
        at_params_clear_grad(params);
        for (int64_t b = 0; b < 6; b += 2) {
            int64_t source_offset[16], in_offset[16], out_offset[16];
            const at_pair_batch part = {part_of(&p.batch.source, b, 2, source_offset),
                                        part_of(&p.batch.target_in, b, 2, in_offset),
                                        part_of(&p.batch.target_out, b, 2, out_offset), NULL};
            at_ctx_begin(&f.ctx, true, true, RNG + (uint64_t)b);
            const at_loss loss = f.model->arch->loss(&f.ctx, f.model, &part, 0.1f, 0.01f);
            at_backward(&f.ctx);
            sum.loss += loss.loss;
            sum.tokens += loss.tokens;
        }
        at_params_settle_grad(params);
        float *small = download(params, params->grad, params->floats);
        assert_int_equal(sum.tokens, whole.tokens);
        assert_true(fabs(sum.loss / whole.loss - 1) < 1e-12);
        for (int i = 0; i < params->count; i++) {
            const int64_t n = at_tensor_floats(params->tensor[i]), from = params->offset[i];
            float largest = 1e-4f;
            for (int64_t j = from; j < from + n; j++) largest = fmaxf(largest, fabsf(large[j]));
            for (int64_t j = from; j < from + n; j++)
                if (!(fabsf(large[j] - small[j]) <= 2e-6f * largest))
                    fail_msg("variant %d: %s: %.9g and %.9g", v, params->tensor[i]->name, (double)large[j],
                             (double)small[j]);
        }
        free(large);
        free(small);
        close_model(&f);
    }
}

/* Attention weights for pictures are rows of probabilities, and asking for them changes nothing. */
static void attention_maps_are_probabilities(void **state)
{
    (void)state;
    const at_transformer_config *c = &variants[1];
    fixture f;
    pairs p;
    open_shaken(&f, c, 2, NULL);
    some_pairs(&p, c);
    float *plain = logits_of(&f, &p.batch.source, &p.batch.target_in);
    int64_t self[5] = {0}, masked[5] = {0}, cross[5] = {0};
    for (int b = 0; b < 4; b++) {
        const int64_t s = p.source[b + 1] - p.source[b], t = p.target[b + 1] - p.target[b];
        self[b + 1] = self[b] + c->heads * s * s;
        masked[b + 1] = masked[b] + c->heads * t * t;
        cross[b + 1] = cross[b] + c->heads * t * s;
    }
    float *weights[5]; /* encoder, decoder 0 and 1, cross 0 and 1 */
    for (int i = 0; i < 5; i++) weights[i] = calloc(4096, sizeof **weights);
    const at_attention_map map = {&weights[0], &weights[1], &weights[3], self, masked, cross};
    at_ctx_begin(&f.ctx, false, false, 0);
    at_tensor *states = f.model->arch->encode(&f.ctx, f.model, &p.batch.source, &map);
    at_tensor *logits = f.model->arch->decode(&f.ctx, f.model, states, &p.batch.source, &p.batch.target_in, &map);
    float *with = download(&f.model->params, logits->data, at_tensor_floats(logits));
    assert_memory_equal(with, plain, (size_t)at_tensor_floats(logits) * sizeof(float));
    for (int i = 0; i < 5; i++) {
        const float *at = weights[i];
        for (int b = 0; b < 4; b++) {
            const int64_t s = p.source[b + 1] - p.source[b], t = p.target[b + 1] - p.target[b];
            const int64_t queries = i == 0 ? s : t, keys = i == 0 || i >= 3 ? s : t;
            for (int64_t row = 0; row < c->heads * queries; row++, at += keys) {
                double sum = 0;
                for (int64_t j = 0; j < keys; j++) {
                    assert_true(at[j] >= 0 && at[j] <= 1.000001f);
                    if ((i == 1 || i == 2) && j > row % queries) assert_true(at[j] == 0);
                    sum += at[j];
                }
                assert_true(fabs(sum - 1) < 1e-5);
            }
        }
        free(weights[i]);
    }
    free(plain);
    free(with);
    close_model(&f);
}

/* Whichever allocation of a step fails, the step ends and reports it. */
static int allocations_left;
static void *(*true_alloc)(at_backend *be, size_t bytes);

static void *rationed_alloc(at_backend *be, size_t bytes)
{
    if (allocations_left-- > 0) return true_alloc(be, bytes);
    be->failed = true;
    return NULL;
}

static void lack_of_memory_is_reported(void **state)
{
    (void)state;
    bool enough = false;
    for (int n = 0; !enough; n++) {
        fixture f;
        pairs p;
        open_shaken(&f, &variants[3], 1, NULL);
        some_pairs(&p, &variants[3]);
        true_alloc = f.be->alloc;
        f.be->alloc = rationed_alloc;
        allocations_left = n;
        at_ctx_begin(&f.ctx, true, true, RNG);
        f.model->arch->loss(&f.ctx, f.model, &p.batch, 0.1f, 1);
        at_backward(&f.ctx);
        at_error err;
        enough = allocations_left >= 0;
        assert_int_equal(at_ctx_check(&f.ctx, &err), enough ? ATT_OK : ATT_MEMORY);
        f.be->alloc = true_alloc;
        close_model(&f);
        assert_true(n < 1000);
    }
}

/* The task: a sentence of 1 to 6 letters comes back in reverse, or as it is. Tokens 0 begin, 1 end, 2 .. letters. */
enum { LETTERS = 8, LONGEST = 6, SENTENCES = 40 };

typedef struct task {
    at_pair_batch batch;
    int64_t offset[SENTENCES + 1];
    int32_t source[SENTENCES * (LONGEST + 1)], in[SENTENCES * (LONGEST + 1)], out[SENTENCES * (LONGEST + 1)];
} task;

static void fill_task(task *t, bool reverse, uint64_t seed)
{
    uint64_t draw = 0;
    t->offset[0] = 0;
    for (int b = 0; b < SENTENCES; b++) {
        const int64_t at = t->offset[b], n = 1 + at_rng_below(seed, draw++, LONGEST);
        for (int64_t i = 0; i < n; i++) t->source[at + i] = 2 + (int32_t)at_rng_below(seed, draw++, LETTERS);
        for (int64_t i = 0; i < n; i++)
            t->out[at + i] = t->in[at + i + 1] = t->source[reverse ? at + n - 1 - i : at + i];
        t->in[at] = 0;
        t->source[at + n] = t->out[at + n] = 1;
        t->offset[b + 1] = at + n + 1;
    }
    t->batch = (at_pair_batch){
        {SENTENCES, t->offset, t->source}, {SENTENCES, t->offset, t->in}, {SENTENCES, t->offset, t->out}, NULL};
}

/* Part of the tokens of unseen sentences that the model finds most probable itself. */
static double accuracy(fixture *f, bool reverse)
{
    const int64_t vocabulary = LETTERS + 2;
    int64_t right = 0, tokens = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        task t;
        fill_task(&t, reverse, at_rng_key(1000, seed));
        float *logits = logits_of(f, &t.batch.source, &t.batch.target_in);
        for (int64_t i = 0; i < t.offset[SENTENCES]; i++) {
            int64_t best = 0;
            for (int64_t j = 1; j < vocabulary; j++)
                if (logits[i * vocabulary + j] > logits[i * vocabulary + best]) best = j;
            right += best == t.out[i];
        }
        tokens += t.offset[SENTENCES];
        free(logits);
    }
    return (double)right / (double)tokens;
}

static void check_learning(const at_transformer_config *c, bool reverse, int steps)
{
    fixture f;
    open_model(&f, c, 2, NULL);
    at_params *params = &f.model->params;
    assert_int_equal(at_params_keep(params, ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2, NULL), ATT_OK);
    double first = 0, last = 0;
    for (int s = 1; s <= steps; s++) {
        task t;
        fill_task(&t, reverse, at_rng_key(2000, (uint64_t)s));
        const float tokens = (float)t.offset[SENTENCES];
        at_params_clear_grad(params);
        at_ctx_begin(&f.ctx, true, true, at_rng_key(3000, (uint64_t)s));
        const at_loss loss = f.model->arch->loss(&f.ctx, f.model, &t.batch, 0.1f, 1 / tokens);
        at_backward(&f.ctx);
        at_params_settle_grad(params);
        const float warm = s < 30 ? (float)s / 30 : 1,
                    cool = s > steps * 2 / 3 ? 3 * (1 - (float)s / (float)(steps + 1)) : 1;
        f.be->optimize(f.be, params->data, params->moment1, params->moment2, params->grad, params->floats,
                       &(at_optimize_args){.optimizer = ATT_OPTIMIZER_ADAM,
                                           .rate = 4e-3f * warm * cool,
                                           .beta1 = 0.9f,
                                           .beta2 = 0.98f,
                                           .eps = 1e-9f,
                                           .step = s,
                                           .gradient_scale = 1});
        at_params_changed(params);
        if (s == 1) first = loss.nll / (double)loss.tokens;
        last = loss.nll / (double)loss.tokens;
    }
    assert_int_equal(at_ctx_check(&f.ctx, NULL), ATT_OK);
    const double score = accuracy(&f, reverse);
    print_message("%s: nll %.3f -> %.3f nats, %.2f %% of unseen tokens right\n", reverse ? "reverse" : "copy", first,
                  last, 100 * score);
    assert_true(score >= 0.99);
    close_model(&f);
}

static void reversing_is_learned(void **state)
{
    (void)state;
    const at_transformer_config post = {LETTERS + 2,
                                        LETTERS + 2,
                                        1,
                                        1,
                                        32,
                                        4,
                                        8,
                                        64,
                                        ATT_NORM_POST,
                                        ATT_POSITIONS_INTERLEAVED,
                                        ATT_ACT_RELU,
                                        16,
                                        true,
                                        true,
                                        true,
                                        false,
                                        0,
                                        0,
                                        0,
                                        0,
                                        true,
                                        false};
    check_learning(&post, true, 400);
}

static void copying_is_learned(void **state)
{
    (void)state;
    const at_transformer_config pre = {
        LETTERS + 2, LETTERS + 2, 1,     1,     32,   2,    16,   48,   ATT_NORM_PRE, ATT_POSITIONS_LEARNED,
        SWIGLU,      16,          false, false, true, true, 0.05, 0.05, 0.05,         0.05,
        true,        false};
    check_learning(&pre, false, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_matches_reference),
        cmocka_unit_test(sentence_alone_equals_sentence_in_batch),
        cmocka_unit_test(output_does_not_depend_on_later_input),
        cmocka_unit_test(cached_decoding_equals_the_full_forward),
        cmocka_unit_test(long_sentences_decode_alike),
        cmocka_unit_test(threads_give_equal_bits),
        cmocka_unit_test(small_batches_add_up),
        cmocka_unit_test(attention_maps_are_probabilities),
        cmocka_unit_test(lack_of_memory_is_reported),
        cmocka_unit_test(reversing_is_learned),
        cmocka_unit_test(copying_is_learned),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
