/* Sinusoids and position numbers. See positions.h. */
#include "nn/positions.h"

#include <assert.h>
#include <math.h>

/* Dimension pair i of every row: one frequency. */
static void fill_pair(float *rows, at_positions kind, int64_t i, int64_t first, int64_t count, int64_t width)
{
    const int64_t half = (width + 1) / 2;
    const int64_t sine = kind == ATT_POSITIONS_INTERLEAVED ? 2 * i : i,
                  cosine = kind == ATT_POSITIONS_INTERLEAVED ? 2 * i + 1 : half + i;
    const double exponent = kind == ATT_POSITIONS_TENSOR2TENSOR ? (double)i / (double)(half > 1 ? half - 1 : 1)
                                                                : 2.0 * (double)i / (double)width;
    const double frequency = pow(10000.0, -exponent);
    for (int64_t p = 0; p < count; p++) {
        const double angle = (double)(first + p) * frequency;
        rows[p * width + sine] = (float)sin(angle);
        if (cosine < width) rows[p * width + cosine] = (float)cos(angle);
    }
}

at_tensor *at_sinusoids(at_ctx *ctx, at_positions kind, int64_t first, int64_t count, int64_t width)
{
    assert(kind == ATT_POSITIONS_INTERLEAVED || kind == ATT_POSITIONS_HALVES || kind == ATT_POSITIONS_TENSOR2TENSOR);
    at_tensor *t = at_tensor_new(ctx, count, width);
    const size_t bytes = (size_t)(count * width) * sizeof(float);
    float *rows = at_ctx_host(ctx, bytes);
    if (at_ctx_check(ctx, NULL) != ATT_OK) return t;
    for (int64_t i = 0; i < (width + 1) / 2; i++) fill_pair(rows, kind, i, first, count, width);
    ctx->be->upload(ctx->be, t->data, rows, bytes);
    return t;
}

const int32_t *at_position_ids(at_ctx *ctx, const at_packed *sequences, int64_t *longest)
{
    int32_t *ids = at_ctx_host(ctx, (size_t)at_packed_tokens(sequences) * sizeof *ids);
    *longest = 0;
    if (ids == NULL) return NULL;
    for (int64_t b = 0; b < sequences->count; b++) {
        const int64_t begin = sequences->offset[b], length = sequences->offset[b + 1] - begin;
        for (int64_t i = 0; i < length; i++) ids[begin + i] = (int32_t)i;
        if (length > *longest) *longest = length;
    }
    return ids;
}
