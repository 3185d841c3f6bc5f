/* Other pieces for the same text. See resample.h. */
#include "data/resample.h"

#include "base/rng.h"

/* Keeps draws apart from those of others who mix the same seed. */
static const uint64_t stream = 0x726573616D706C65; /* "resample" */

at_status at_resample(const at_resampling *r, int side, int64_t epoch, int64_t line, const int32_t *ids, size_t count,
                      at_ids *out, at_error *err)
{
    const uint64_t key =
        at_rng_key(at_rng_key(at_rng_key(r->seed, stream), (uint64_t)epoch), 2 * (uint64_t)line + (uint64_t)side);
    const size_t before = out->len;
    ATT_TRY(at_tokenizer_resample(side ? r->target : r->source, ids, count, &r->how, key, out, err));
    if (r->max_tokens == 0 || out->len - before <= (size_t)r->max_tokens) return ATT_OK;
    out->len = before;
    return at_ids_add(out, ids, count, err);
}
