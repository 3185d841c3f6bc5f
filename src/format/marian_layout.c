/* The foreign layouts as tables. See marian_layout.h. */
#include "format/marian_layout.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const at_marian_layout layouts[] = {
    {"MarianMT", "marian", "MarianMTModel", false, true, true},
    {"Pegasus", "pegasus", "PegasusForConditionalGeneration", true, false, false},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

const at_marian_layout *at_marian_layout_find(const char *model_type)
{
    for (int i = 0; i < LAYOUTS; i++)
        if (strcmp(layouts[i].model_type, model_type) == 0) return &layouts[i];
    return NULL;
}

const at_marian_layout *at_marian_layout_for(bool pre_norm)
{
    return &layouts[pre_norm];
}

const at_marian_row at_marian_self[] = {
    {"attention.qkv", 3, {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}},
    {"attention.out", 1, {"self_attn.out_proj"}},
    {"attention.norm", 0, {"self_attn_layer_norm"}},
    {0},
};
const at_marian_row at_marian_cross[] = {
    {"cross.q", 1, {"encoder_attn.q_proj"}},
    {"cross.kv", 2, {"encoder_attn.k_proj", "encoder_attn.v_proj"}},
    {"cross.out", 1, {"encoder_attn.out_proj"}},
    {"cross.norm", 0, {"encoder_attn_layer_norm"}},
    {0},
};
const at_marian_row at_marian_ffn[] = {
    {"ffn.in", 1, {"fc1"}},
    {"ffn.out", 1, {"fc2"}},
    {"ffn.norm", 0, {"final_layer_norm"}},
    {0},
};

const char *const at_marian_activations[][2] = {{"swish", "swish"},
                                                {"swish", "silu"},
                                                {"relu", "relu"},
                                                {"gelu", "gelu"},
                                                {"gelu", "gelu_python"},
                                                {"gelu-tanh", "gelu_new"},
                                                {"gelu-tanh", "gelu_fast"},
                                                {"gelu-tanh", "gelu_pytorch_tanh"},
                                                {NULL, NULL}};

const char *const at_marian_dropouts[][3] = {{"dropout-embedding", "dropout", "0.1"},
                                             {"dropout", "dropout", "0.1"},
                                             {"dropout-attention", "attention_dropout", "0"},
                                             {"dropout-ffn", "activation_dropout", "0"},
                                             {NULL, NULL, NULL}};

enum { HALVES, TENSOR2TENSOR, INTERLEAVED };
const char *const at_marian_positions[] = {"sinusoidal-halves", "sinusoidal-tensor2tensor", "sinusoidal", NULL};

float at_marian_sinusoid(int kind, int64_t p, int64_t column, int64_t width)
{
    const int64_t half = (width + 1) / 2;
    const int64_t pair = kind == INTERLEAVED ? column / 2 : column % half;
    const bool sine = kind == INTERLEAVED ? column % 2 == 0 : column < half;
    const double exponent =
        kind == TENSOR2TENSOR ? (double)pair / (double)(half > 1 ? half - 1 : 1) : 2.0 * (double)pair / (double)width;
    const double angle = (double)p * pow(10000.0, -exponent);
    return (float)(sine ? sin(angle) : cos(angle));
}
