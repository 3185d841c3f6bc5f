/* Where a translator looks: the attention weights of one sentence and its translation, of all layers and heads.
 *
 *   text -> pieces -> search (or the target that was given) -> one forced pass of encoder and decoder, with maps
 *
 * The forced pass is the model's full forward, not the search's cached one; both compute the same (tests/test_look.c).
 * At row i the decoder has read read[0 .. i] and writes written[i]:
 *
 *   read      <s>  ▁a   ▁dog ▁runs        columns of the decoder's self-attention
 *   written   ▁a   ▁dog ▁runs </s>        rows of the decoder's self-attention and of cross-attention
 *
 * Read next: model/model.h (at_attention_map). The picture: plot/attention_page.h. */
#ifndef ATT_INFER_LOOK_H
#define ATT_INFER_LOOK_H

#include "base/arena.h"
#include "infer/bundle.h"

enum { ATT_LOOK_TOKENS = 256 }; /* most tokens a side of a picture: no one reads a larger map */

typedef enum at_look_kind { ATT_LOOK_CROSS, ATT_LOOK_ENCODER, ATT_LOOK_DECODER, ATT_LOOK_KINDS } at_look_kind;

typedef struct at_look_weights {
    int64_t layers, heads, queries, keys;
    float **layer; /* [layers], each heads x queries x keys; every row sums to 1 */
} at_look_weights;

typedef struct at_look_result {
    at_arena arena;            /* owns all that follows; pieces also live in the tokenizers */
    const char *text, *target; /* valid UTF-8; target is given, or the translation */
    const char *const *source, *const *read, *const *written; /* pieces */
    const int32_t *written_ids;
    int64_t source_count, target_count; /* pieces of source; of read and of written */
    double log_prob;                    /* of written given source: sum over pieces, nats */
    double search_log_prob;             /* what the search said of the same pieces; 0 for a target that was given */
    int64_t likeliest;                  /* how many of written are the pieces that the decoder finds most probable */
    bool truncated;                     /* the search's length limit cut the translation: it has no end token */
    at_look_weights weights[ATT_LOOK_KINDS];
} at_look_result;

/* Looks at `text` while it becomes `target`, or with target NULL its translation (beam 4, length penalty 0.6, at most
 * twice the source's tokens and 20). Bytes that are no UTF-8 become U+FFFD. On failure nothing is left to free.
 * most: tokens a side at most. ATT_INPUT: a text without tokens or with too many, or a model that computes NaN. ATT_OPTION: a model without
 * tokenizer. ATT_UNSUPPORTED: an architecture without encoder and decoder. ATT_MEMORY. */
at_status at_look_run(at_look_result *result, const at_bundle *bundle, const char *text, const char *target,
                      int64_t most, at_error *err);
void at_look_free(at_look_result *result);

#endif
