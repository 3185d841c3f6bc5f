/* Packed copies of weights. See weight.h. */
#include "tape/weight.h"

/* A copy that stays, made when it is missing or stale. */
static const float *kept_panels(at_backend *be, at_tensor *t, const at_weight *w, bool for_transposed)
{
    const int slot = for_transposed != w->transposed ? 1 : 0;
    at_panels *p = t->panels;
    if (p->data[slot] == NULL) {
        p->floats[slot] = be->pack_size(be, w, for_transposed);
        p->data[slot] = be->alloc(be, (size_t)p->floats[slot] * sizeof(float));
        p->version[slot] = 0;
    }
    if (p->data[slot] && p->version[slot] != *t->version) {
        be->pack(be, p->data[slot], w, for_transposed);
        p->version[slot] = *t->version;
    }
    return p->data[slot];
}

static const float *panels(at_ctx *ctx, at_tensor *t, const at_weight *w, bool for_transposed)
{
    at_backend *be = ctx->be;
    if (!ctx->recording) return kept_panels(be, t, w, for_transposed);
    float *packed = at_ctx_floats(ctx, be->pack_size(be, w, for_transposed));
    if (packed) be->pack(be, packed, w, for_transposed);
    return packed;
}

at_weight at_param_weight(at_ctx *ctx, at_tensor *t, bool transposed, unsigned packs)
{
    at_weight w = {t->data, NULL, NULL, t->dim[transposed ? 1 : 0], t->dim[transposed ? 0 : 1], transposed};
    if (packs & ATT_PACK_FORWARD) w.packed = panels(ctx, t, &w, false);
    if (packs & ATT_PACK_BACKWARD) w.packed_t = panels(ctx, t, &w, true);
    return w;
}
