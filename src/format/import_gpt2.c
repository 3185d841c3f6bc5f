/* Hugging Face GPT-2: config.json and model.safetensors. Its weights are (in, out) already, queries, keys and values
 * side by side, so every tensor is copied as it is:
 *
 *   wte (V,D)  wpe (P,D)                         embedding, positions
 *   h.I.ln_1, h.I.attn.c_attn (D,3D), c_proj     layer.I.attention.norm, .attention.qkv, .attention.out
 *   h.I.ln_2, h.I.mlp.c_fc (D,F), c_proj (F,D)   layer.I.ffn.norm, .ffn.in, .ffn.out
 *   ln_f                                         norm
 *
 * Names begin with "transformer." or, in older files, with nothing. */
#include "format/import.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 1000000 };

typedef struct gpt2 {
    int64_t vocab, width, heads, layers, ffn, context;
    const char *prefix;
    bool tied;
} gpt2;

static at_status read_sizes(const at_import_job *job, gpt2 *g, at_error *err)
{
    ATT_TRY(at_import_int(job, "vocab_size", -1, 10 * MOST, &g->vocab, err));
    ATT_TRY(at_import_int(job, "n_embd", -1, 65536, &g->width, err));
    ATT_TRY(at_import_int(job, "n_head", -1, 1024, &g->heads, err));
    ATT_TRY(at_import_int(job, "n_layer", -1, 1000, &g->layers, err));
    ATT_TRY(at_import_int(job, "n_positions", 1024, 10 * MOST, &g->context, err));
    ATT_TRY(at_import_int(job, "n_inner", 4 * g->width, MOST, &g->ffn, err));
    ATT_TRY(at_import_bool(job, "tie_word_embeddings", true, &g->tied, err));
    g->prefix = at_import_has(job, "wte.weight") ? "" : "transformer.";
    return ATT_OK;
}

/* What a configuration may say that the architecture can't do. */
static at_status check_variants(const at_import_job *job, at_error *err)
{
    static const char *const unknown[] = {"add_cross_attention", "scale_attn_by_inverse_layer_idx",
                                          "reorder_and_upcast_attn"};
    bool set;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        ATT_TRY(at_import_bool(job, unknown[i], false, &set, err));
        if (set)
            return at_fail(err, ATT_INPUT, "%s: %s is true, which attend's gpt can't do", job->config_path, unknown[i]);
    }
    ATT_TRY(at_import_bool(job, "scale_attn_weights", true, &set, err));
    if (!set)
        return at_fail(err, ATT_INPUT, "%s: scale_attn_weights is false, which attend's gpt can't do",
                       job->config_path);
    return ATT_OK;
}

static at_status set_activation(at_import_job *job, at_error *err)
{
    static const char *const names[][2] = {{"gelu_new", "gelu-tanh"}, {"gelu_pytorch_tanh", "gelu-tanh"},
                                           {"gelu", "gelu"},          {"relu", "relu"},
                                           {"silu", "swish"},         {"swish", "swish"}};
    const json_t *value = json_object_get(job->config, "activation_function");
    const char *name = value ? json_string_value(value) : "gelu_new";
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i][0]) == 0) return at_import_set(job, "activation", names[i][1], err);
    return at_fail(err, ATT_INPUT, "%s: activation_function \"%.40s\" is none that attend knows", job->config_path,
                   name ? name : "");
}

static at_status set_options(at_import_job *job, const gpt2 *g, at_error *err)
{
    static const char *const rates[][2] = {
        {"dropout-embedding", "embd_pdrop"}, {"dropout", "resid_pdrop"}, {"dropout-attention", "attn_pdrop"}};
    ATT_TRY(at_import_set_int(job, "vocab", g->vocab, err));
    ATT_TRY(at_import_set_int(job, "layers", g->layers, err));
    ATT_TRY(at_import_set_int(job, "width", g->width, err));
    ATT_TRY(at_import_set_int(job, "heads", g->heads, err));
    ATT_TRY(at_import_set_int(job, "ffn", g->ffn, err));
    ATT_TRY(at_import_set_int(job, "context", g->context, err));
    ATT_TRY(at_import_set_bool(job, "tie-output", g->tied, err));
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const char *text;
        ATT_TRY(at_import_number(job, rates[i][1], "0.1", &text, err));
        ATT_TRY(at_import_set(job, rates[i][0], text, err));
    }
    return set_activation(job, err);
}

/* "<to>.weight" and "<to>.bias" from those of the foreign layer; out 0: a norm. */
static at_status copy_layer(at_import_job *job, const char *to, const gpt2 *g, const char *from, int64_t in,
                            int64_t out, at_error *err)
{
    char ours[128], theirs[128];
    for (int part = 0; part < 2; part++) {
        const char *what = part == 0 ? "weight" : "bias";
        snprintf(ours, sizeof ours, "%s.%s", to, what);
        snprintf(theirs, sizeof theirs, "%s%s.%s", g->prefix, from, what);
        const bool matrix = part == 0 && out != 0;
        ATT_TRY(at_import_copy(job, ours, theirs, matrix || out == 0 ? in : out, matrix ? out : 0, err));
    }
    return ATT_OK;
}

static at_status import_layer(at_import_job *job, const gpt2 *g, int64_t i, at_error *err)
{
    const int64_t d = g->width, f = g->ffn;
    const struct {
        const char *to, *from;
        int64_t in, out;
    } parts[] = {{"attention.norm", "ln_1", d, 0},       {"attention.qkv", "attn.c_attn", d, 3 * d},
                 {"attention.out", "attn.c_proj", d, d}, {"ffn.norm", "ln_2", d, 0},
                 {"ffn.in", "mlp.c_fc", d, f},           {"ffn.out", "mlp.c_proj", f, d}};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        char to[64], from[64];
        snprintf(to, sizeof to, "layer.%d.%s", (int)i, parts[p].to);
        snprintf(from, sizeof from, "h.%d.%s", (int)i, parts[p].from);
        ATT_TRY(copy_layer(job, to, g, from, parts[p].in, parts[p].out, err));
    }
    return ATT_OK;
}

/* Masks that older files carry, and the output layer where it is the table: not weights of their own. */
static void pass_over(at_import_job *job, const gpt2 *g)
{
    for (size_t i = 0; i < at_safetensors_count(job->file); i++) {
        const at_stored_tensor *t = at_safetensors_at(job->file, i);
        const size_t len = strlen(t->name);
        const bool mask = (len > 10 && strcmp(t->name + len - 10, ".attn.bias") == 0) ||
                          (len > 17 && strcmp(t->name + len - 17, ".attn.masked_bias") == 0);
        if (mask || (g->tied && strcmp(t->name, "lm_head.weight") == 0)) job->taken[job->taken_count++] = t;
    }
}

static at_status import_weights(at_import_job *job, const gpt2 *g, at_error *err)
{
    char name[64];
    ATT_TRY(at_import_reserve(job, (size_t)(5 + 12 * g->layers), err));
    snprintf(name, sizeof name, "%swte.weight", g->prefix);
    ATT_TRY(at_import_copy(job, "embedding", name, g->vocab, g->width, err));
    snprintf(name, sizeof name, "%swpe.weight", g->prefix);
    ATT_TRY(at_import_copy(job, "positions", name, g->context, g->width, err));
    for (int64_t i = 0; i < g->layers; i++) ATT_TRY(import_layer(job, g, i, err));
    ATT_TRY(copy_layer(job, "norm", g, "ln_f", g->width, 0, err));
    if (!g->tied) ATT_TRY(at_import_transposed(job, "output.weight", "lm_head.weight", g->width, g->vocab, err));
    pass_over(job, g);
    return ATT_OK;
}

static at_status read_tokens(at_import_job *job, const gpt2 *g, at_error *err)
{
    int64_t begin, end;
    ATT_TRY(at_import_int(job, "bos_token_id", g->vocab - 1, g->vocab - 1, &begin, err));
    ATT_TRY(at_import_int(job, "eos_token_id", g->vocab - 1, g->vocab - 1, &end, err));
    job->model->tokens = (at_stored_tokens){(int32_t)begin, (int32_t)end, -1, false};
    return ATT_OK;
}

static at_status import_all(at_import_job *job, at_error *err)
{
    gpt2 g;
    job->model->arch = "gpt";
    job->model->info = "{\"imported\":\"Hugging Face GPT-2\"}";
    ATT_TRY(read_sizes(job, &g, err));
    ATT_TRY(check_variants(job, err));
    ATT_TRY(read_tokens(job, &g, err));
    ATT_TRY(import_weights(job, &g, err));
    ATT_TRY(set_options(job, &g, err));
    return at_import_finish(job, err);
}

at_status at_import_gpt2(at_stored_model *model, const char *dir, at_error *err)
{
    at_import_job job;
    at_status status = at_import_begin(&job, model, dir, "GPT-2", err);
    if (status == ATT_OK) status = import_all(&job, err);
    at_import_end(&job);
    if (status != ATT_OK) at_stored_model_close(model);
    return status;
}
