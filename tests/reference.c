#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

double ref_act(double x, at_act act)
{
    switch (act) {
    case ATT_ACT_NONE:
        return x;
    case ATT_ACT_RELU:
        return x > 0 ? x : 0;
    case ATT_ACT_GELU:
        return x * 0.5 * erfc(-x / sqrt(2));
    case ATT_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case ATT_ACT_SWISH:
        return x / (1 + exp(-x));
    }
    return NAN;
}

void ref_linear(double *y, const double *x, const double *w, bool transposed, const double *b, int64_t m, int64_t k,
                int64_t n, at_act act)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = b ? b[j] : 0;
            for (int64_t p = 0; p < k; p++) sum += x[i * k + p] * (transposed ? w[j * k + p] : w[p * n + j]);
            y[i * n + j] = ref_act(sum, act);
        }
}

/* One query of one head: nk scores in p become weights, of which the first `visible` count. */
static void attend(double *o, double *p, const double *q, const double *k, const double *v, int64_t visible,
                   const at_attention_args *args)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < visible; j++) {
        p[j] = 0;
        for (int64_t c = 0; c < args->head_width; c++) p[j] += q[c] * k[j * args->ldk + c];
        p[j] *= args->scale;
        max = fmax(max, p[j]);
    }
    for (int64_t j = 0; j < visible; j++) sum += p[j] = exp(p[j] - max);
    for (int64_t j = 0; j < visible; j++) p[j] /= sum;
    for (int64_t c = 0; c < args->head_width; c++) {
        o[c] = 0;
        for (int64_t j = 0; j < visible; j++) o[c] += p[j] * v[j * args->ldv + c];
    }
}

/* As attend, with a mask on the weights: element (i, j) of a head's matrix has index i * keys + j. */
static void attend_masked(double *o, const double *p, const double *v, int64_t visible, const at_attention_args *args,
                          uint64_t key, uint64_t index)
{
    for (int64_t c = 0; c < args->head_width; c++) {
        o[c] = 0;
        for (int64_t j = 0; j < visible; j++)
            if (!ref_drops(key, index + (uint64_t)j, args->dropout))
                o[c] += p[j] / (1 - (double)args->dropout) * v[j * args->ldv + c];
    }
}

void ref_attention(double *o, double *weights, const double *q, const double *k, const double *v,
                   const at_attention_args *args)
{
    for (int64_t b = 0; b < args->count; b++)
        for (int64_t h = 0; h < args->heads; h++) {
            const int64_t q0 = args->query.begin[b], k0 = args->key.begin[b], column = h * args->head_width;
            const int64_t nq = args->query.end[b] - q0, nk = args->key.end[b] - k0;
            const uint64_t key = at_rng_key(args->key_rng, (uint64_t)(b * args->heads + h));
            double *p = calloc((size_t)nk + 1, sizeof *p);
            for (int64_t i = 0; i < nq; i++) {
                int64_t visible = args->causal ? i + 1 + nk - nq : nk;
                if (visible < 0) visible = 0;
                for (int64_t j = 0; j < nk; j++) p[j] = 0;
                double *to = o + (q0 + i) * args->ldo + column;
                attend(to, p, q + (q0 + i) * args->ldq + column, k + k0 * args->ldk + column,
                       v + k0 * args->ldv + column, visible, args);
                for (int64_t j = 0; weights && j < nk; j++) *weights++ = p[j];
                if (args->dropout > 0)
                    attend_masked(to, p, v + k0 * args->ldv + column, visible, args, key, (uint64_t)(i * nk));
            }
            free(p);
        }
}

void ref_layer_norm(double *y, const double *x, const double *gamma, const double *beta, int64_t n, int64_t d,
                    double eps)
{
    for (int64_t i = 0; i < n; i++, x += d, y += d) {
        double mean = 0, variance = 0;
        for (int64_t j = 0; j < d; j++) mean += x[j] / (double)d;
        for (int64_t j = 0; j < d; j++) variance += (x[j] - mean) * (x[j] - mean) / (double)d;
        for (int64_t j = 0; j < d; j++) y[j] = (x[j] - mean) / sqrt(variance + eps) * gamma[j] + beta[j];
    }
}

bool ref_drops(uint64_t key, uint64_t index, float rate)
{
    uint32_t h = ((uint32_t)index * 0x9E3779B9u) ^ (uint32_t)key;
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h += (uint32_t)(key >> 32);
    h *= 0xC2B2AE35u;
    h ^= h >> 16;
    return (double)h < floor((double)rate * 4294967296.0);
}

void ref_dropout(double *y, const double *residual, const double *x, int64_t n, float rate, uint64_t key)
{
    for (int64_t i = 0; i < n; i++) {
        const double kept = rate > 0 ? (ref_drops(key, (uint64_t)i, rate) ? 0 : x[i] / (1 - (double)rate)) : x[i];
        y[i] = (residual ? residual[i] : 0) + kept;
    }
}

void ref_swiglu(double *y, const double *x, int64_t n, int64_t f)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < f; j++) y[i * f + j] = ref_act(x[i * 2 * f + j], ATT_ACT_SWISH) * x[i * 2 * f + f + j];
}

void ref_embed(double *y, const double *table, const int32_t *ids, double scale, const double *positions,
               const int32_t *position_of, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            y[i * d + j] = scale * table[ids[i] * d + j] + (positions ? positions[position_of[i] * d + j] : 0);
}

double ref_cross_entropy(double *nll, const double *logits, int64_t v, int32_t target, double smoothing)
{
    double max = -INFINITY, sum = 0, mean = 0;
    for (int64_t j = 0; j < v; j++) max = fmax(max, logits[j]);
    for (int64_t j = 0; j < v; j++) sum += exp(logits[j] - max);
    for (int64_t j = 0; j < v; j++) mean += logits[j] / (double)v;
    const double lse = max + log(sum);
    if (nll) *nll = lse - logits[target];
    return lse - (1 - smoothing) * logits[target] - smoothing * mean;
}
