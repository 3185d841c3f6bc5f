/* A model that computes, with its tokenizers: what training, decoding and scoring stand on. */
#ifndef ATT_INFER_BUNDLE_H
#define ATT_INFER_BUNDLE_H

#include "format/stored_model.h"
#include "model/model.h"
#include "text/tokenizer.h"

typedef struct at_bundle {
    at_model *model;
    at_tokenizer *source, *target; /* the same pointer when shared; both NULL for a model without text */
    at_stored_tokens tokens;
    char *info; /* JSON text, malloc'ed */
} at_bundle;

/* Builds the model that `stored` describes and loads its weights (every parameter must be there with its shape, and no
 * other). name is used in messages. The stored model may be closed afterwards. */
at_status at_bundle_make(at_bundle *bundle, const at_stored_model *stored, const char *name, at_backend *be,
                         bool training, at_error *err);
/* at_stored_model_open and at_bundle_make in one. */
at_status at_bundle_open(at_bundle *bundle, const char *path, at_backend *be, bool training, at_error *err);
void at_bundle_free(at_bundle *bundle);
/* Gives `stored`, of which the bundle was made, the settings that it left to their defaults, and its tokenizers their pieces, which a
 * tokenizer without foreign numbering doesn't store. The pieces belong to the bundle. */
at_status at_bundle_complete(const at_bundle *bundle, at_stored_model *stored, at_error *err);
/* A second view of a bundle that computes on another backend of the same kind, at the same time as the first: weights
 * and tokenizers are the owner's, which must stay, unchanged and with its weights packed (one pass has run). */
at_status at_bundle_share(at_bundle *view, const at_bundle *owner, at_backend *be, at_error *err);
void at_bundle_unshare(at_bundle *view);
/* Whether models can decode together: the same vocabularies, special tokens and number of output rows. ATT_INPUT names
 * the first of `names` that doesn't agree with names[0]; ATT_OPTION: one has no tokenizer. */
at_status at_bundles_agree(const at_bundle *const *bundles, const char *const *names, int64_t count, at_error *err);
/* Reads memory of the backend that the bundle's model computes on, for tensors that are written. */
at_stored_source at_bundle_source(const at_bundle *bundle);
/* Writes the bundle with the given weights block (host memory, layout of model->params; NULL: the model's own) and
 * extras. */
at_status at_bundle_save(const at_bundle *bundle, const char *path, const float *weights, const at_stored_tensor *extra,
                         size_t extra_count, const at_metadata *metadata, size_t metadata_count, at_error *err);

#endif
