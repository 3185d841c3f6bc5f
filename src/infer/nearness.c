/* See nearness.h. The weights are those of a picture (look.h); the decoder writes an end token only. */
#include "infer/nearness.h"

#include <stdlib.h>
#include <string.h>

#include "infer/look.h"

at_status at_nearness_new(at_nearness_sum *sum, const at_bundle *bundle, at_error *err)
{
    const at_model *model = bundle->model;
    int64_t encoder_layers, decoder_layers, heads;
    *sum = (at_nearness_sum){0};
    if (model->arch->encode == NULL || model->arch->shape == NULL)
        return at_fail(err, ATT_UNSUPPORTED, "architecture %s has no encoder to look at; take a translation model",
                       model->arch->name);
    model->arch->shape(model, &encoder_layers, &decoder_layers, &heads);
    const size_t bytes = (size_t)encoder_layers * sizeof *sum->near;
    sum->near = calloc(1, bytes);
    sum->layers = encoder_layers;
    return sum->near ? ATT_OK : at_fail_memory(err, bytes);
}

void at_nearness_free(at_nearness_sum *sum)
{
    free(sum->near);
    *sum = (at_nearness_sum){0};
}

static int64_t first_near(int64_t i)
{
    return i > 0 ? i - 1 : 0;
}

static int64_t last_near(int64_t i, int64_t n)
{
    return i + 1 < n ? i + 1 : n - 1;
}

/* weights: heads x n x n */
static double near_of(const float *weights, int64_t heads, int64_t n)
{
    double sum = 0;
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = first_near(i); j <= last_near(i, n); j++) sum += (double)weights[(h * n + i) * n + j];
    return sum / (double)heads;
}

at_status at_nearness_add(at_nearness_sum *sum, const at_bundle *bundle, const char *text, at_error *err)
{
    at_look_result look;
    if (text[strspn(text, " \t\r")] == '\0') return ATT_OK;
    ATT_TRY(at_look_run(&look, bundle, text, "", ATT_NEAR_TOKENS, err));
    const at_look_weights *w = &look.weights[ATT_LOOK_ENCODER];
    const int64_t n = w->queries;
    for (int64_t layer = 0; layer < sum->layers; layer++) sum->near[layer] += near_of(w->layer[layer], w->heads, n);
    for (int64_t i = 0; i < n; i++) sum->uniform += (double)(last_near(i, n) - first_near(i) + 1) / (double)n;
    sum->tokens += n;
    at_look_free(&look);
    return ATT_OK;
}
