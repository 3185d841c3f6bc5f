/* Softmax in its three places: attention (running, tile by tile), the loss over the vocabulary, log-probabilities of
 * decoding. */
#include <math.h>

#include "simd/vec.h"

/* s[n ..] up to the next multiple of 16 becomes `fill`, so that the loops below run over whole vectors. The last vector is
 * written whole, because it is read whole right after. */
ATT_INLINE void fill_tail(float *s, int64_t n, float fill)
{
    const int64_t at = n / ATT_LANES * ATT_LANES;
    if (at < n) at_vstore(s + at, at_vselect(at_vfirst(n - at), at_vload(s + at), at_vset(fill)));
}

static float row_max(const float *x, int64_t n)
{
    at_vf best = at_vset(-__builtin_inff());
    int64_t at = 0;
    for (; at + ATT_LANES <= n; at += ATT_LANES) best = at_vmax(best, at_vload(x + at));
    if (at < n) best = at_vmax(best, at_vload_part(x + at, n - at, -__builtin_inff()));
    return at_vhmax(best);
}

ATT_INLINE int64_t seen_by(const at_score_tile *t, int64_t i)
{
    const int64_t n = t->visible + i * t->step;
    return n < 0 ? 0 : n < t->keys ? n : t->keys;
}

/* Weight zero behind the vectors that hold the n keys that a row sees. */
ATT_INLINE void hide_rest(float *row, int64_t n, int64_t keys)
{
    for (int64_t at = (n + ATT_LANES - 1) / ATT_LANES * ATT_LANES; at < keys; at += ATT_LANES)
        at_vstore(row + at, at_vset(0.0f));
}

ATT_INLINE at_vf mask(const at_score_tile *t, int64_t i, int64_t at)
{
    return at_vdropout(t->index + (uint32_t)i * t->index_step + (uint32_t)at, &t->drop);
}

/* After the tile: sum = sum of exp(scale s - max) over all tiles so far, before dropout, which thins the weights but not their
 * normalisation. */
static void softmax_tile(float *s, const at_score_tile *t, at_softmax_state *state, float *shrink)
{
    for (int64_t i = 0; i < t->rows; i++, s += t->ld) {
        const int64_t n = seen_by(t, i);
        const float tile_max = t->scale * row_max(s, n), old = state[i].max, now = tile_max > old ? tile_max : old;
        at_vf sum = at_vset(0.0f);
        shrink[i] = 0; /* at a row's first tile, most often its only one, which saves an exp */
        if (old > -__builtin_inff()) shrink[i] = old == now ? 1.0f : at_vexp(at_vset(old - now))[0];
        fill_tail(s, n, -__builtin_inff());
        for (int64_t at = 0; at < n; at += ATT_LANES) {
            const at_vf e = at_vexp(at_vload(s + at) * at_vset(t->scale) - at_vset(now));
            sum += e;
            at_vstore(s + at, t->drop.threshold ? e * mask(t, i, at) : e);
        }
        hide_rest(s, n, t->keys);
        state[i] = (at_softmax_state){now, state[i].sum * shrink[i] + at_vsum(sum)};
    }
}

static void softmax_again(float *p, const at_score_tile *t, const float *lse, int64_t ld_lse)
{
    for (int64_t i = 0; i < t->rows; i++, p += t->ld) {
        const int64_t n = seen_by(t, i);
        const at_vf shift = at_vset(lse[i * ld_lse]);
        fill_tail(p, n, -__builtin_inff());
        for (int64_t at = 0; at < n; at += ATT_LANES)
            at_vstore(p + at, at_vexp(at_vload(p + at) * at_vset(t->scale) - shift));
        hide_rest(p, n, t->keys);
    }
}

static void softmax_bwd(float *p, float *dp, const at_score_tile *t, const float *lse, int64_t ld_lse,
                        const float *delta)
{
    for (int64_t i = 0; i < t->rows; i++, p += t->ld, dp += t->ld) {
        const int64_t n = seen_by(t, i);
        const at_vf shift = at_vset(lse[i * ld_lse]);
        fill_tail(p, n, -__builtin_inff());
        for (int64_t at = 0; at < n; at += ATT_LANES) {
            const at_vf keep = t->drop.threshold ? mask(t, i, at) : at_vset(1.0f);
            const at_vf weight = at_vexp(at_vload(p + at) * at_vset(t->scale) - shift), d = at_vload(dp + at) * keep;
            at_vstore(dp + at, weight * (d - at_vset(delta[i])) * at_vset(t->scale));
            at_vstore(p + at, weight * keep);
        }
        fill_tail(dp, n, 0);
        hide_rest(p, n, t->keys);
        hide_rest(dp, n, t->keys);
    }
}

static void softmax_end(float *o, int64_t ld, int64_t n, const at_softmax_state *state, int64_t rows, float *lse,
                        int64_t ld_lse)
{
    for (int64_t i = 0; i < rows; i++, o += ld) {
        const at_vf inverse = at_vset(state[i].sum == 0 ? 0 : 1.0f / state[i].sum);
        int64_t at = 0;
        for (; at + ATT_LANES <= n; at += ATT_LANES) at_vstore(o + at, at_vload(o + at) * inverse);
        if (at < n) at_vstore_part(o + at, at_vload_part(o + at, n - at, 0) * inverse, n - at);
        if (lse) lse[i * ld_lse] = state[i].max + logf(state[i].sum);
    }
}

/* With q = (1 - eps) onehot(target) + eps / V (Szegedy et al. 2016, section 7): loss = lse - q . logits, gradient = p - q. The exponentials
 * take the logits' place, so each is computed once. */
static double cross_entropy(float *logits, int64_t n, int32_t target, float smoothing, float grad_scale, double *nll)
{
    const float max = row_max(logits, n), at_target = logits[target];
    at_vf exps = at_vset(0.0f), plain = at_vset(0.0f);
    fill_tail(logits, n, -__builtin_inff());
    for (int64_t at = 0; at < n; at += ATT_LANES) {
        const at_vf v = at_vload(logits + at), e = at_vexp(v - at_vset(max));
        exps += e;
        plain += n - at < ATT_LANES ? at_vload_part(logits + at, n - at, 0) : v;
        at_vstore(logits + at, e);
    }
    const float sum = at_vsum(exps);
    const double lse = (double)max + log((double)sum);
    if (nll) *nll = lse - (double)at_target;
    if (grad_scale != 0.0f) {
        const at_vf by = at_vset(grad_scale / sum), even = at_vset(grad_scale * (smoothing / (float)n));
        for (int64_t at = 0; at < n; at += ATT_LANES) at_vstore(logits + at, at_vload(logits + at) * by - even);
        logits[target] -= (1.0f - smoothing) * grad_scale;
        fill_tail(logits, n, 0);
    }
    return lse - (1.0 - (double)smoothing) * (double)at_target -
           (double)smoothing * ((double)at_vsum(plain) / (double)n);
}

static void log_softmax(float *x, int64_t n)
{
    const float max = row_max(x, n);
    at_vf exps = at_vset(0.0f);
    int64_t at = 0;
    for (; at + ATT_LANES <= n; at += ATT_LANES) exps += at_vexp(at_vload(x + at) - at_vset(max));
    if (at < n) exps += at_vexp(at_vload_part(x + at, n - at, -__builtin_inff()) - at_vset(max));
    const float shift = max + logf(at_vsum(exps));
    for (int64_t i = 0; i < n; i++) x[i] -= shift;
}

void ATT_GLUE(at_softmax_kernels, ATT_ISA)(at_kernels *table)
{
    table->max = row_max;
    table->softmax_tile = softmax_tile;
    table->softmax_again = softmax_again;
    table->softmax_bwd = softmax_bwd;
    table->softmax_end = softmax_end;
    table->cross_entropy = cross_entropy;
    table->log_softmax = log_softmax;
}
