/* How near a token an encoder's self-attention looks: the weight that token i gives to tokens i - 1, i and i + 1.
 * Attention that ignores positions gives the neighbours what it gives everybody: `uniform` is that baseline. */
#ifndef ATT_INFER_NEARNESS_H
#define ATT_INFER_NEARNESS_H

#include "infer/bundle.h"

enum { ATT_NEAR_TOKENS = 1024 }; /* of a text: all its weights are in memory at once, 200 MB with 6 layers of 8 heads */

/* Adds the texts up one by one; zero at first, near has room for the encoder's layers. */
typedef struct at_nearness_sum {
    double *near;   /* [layers]: sum over tokens of the mean weight of the heads at |i - j| <= 1 */
    double uniform; /* sum over tokens of the same under equal weights */
    int64_t layers, tokens;
} at_nearness_sum;

/* The layers of the bundle's encoder. ATT_UNSUPPORTED: it has none. near: see at_nearness_free. */
at_status at_nearness_new(at_nearness_sum *sum, const at_bundle *bundle, at_error *err);
/* text: UTF-8; a blank one adds nothing. ATT_INPUT: it has more than ATT_NEAR_TOKENS tokens; further errors: at_look_run. */
at_status at_nearness_add(at_nearness_sum *sum, const at_bundle *bundle, const char *text, at_error *err);
void at_nearness_free(at_nearness_sum *sum);

#endif
