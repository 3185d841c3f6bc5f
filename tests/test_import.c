/* Importing MarianMT's folders: a small one is written here, in every variant that can be expressed, and with every
 * fault. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "infer/bundle.h"
#include "infer/verify.h"
#include "model/transformer.h"
#include "must.h"

enum { WIDTH = 6, FFN = 10, MOST = 80 };

typedef struct scratch {
    char folder[64];
    char text[128];
    at_backend *be;
    int vocab;
    at_stored_tensor tensor[MOST]; /* of the folder, F32 */
    size_t count;
} scratch;

static const char *path_in(const scratch *s, const char *name)
{
    static char path[4][160];
    static int next;
    char *text = path[next++ % 4];
    snprintf(text, sizeof path[0], "%s/%s", s->folder, name);
    return text;
}

static void write_text(const scratch *s, const char *name, const char *text)
{
    at_error err;
    must(at_file_write(path_in(s, name), text, strlen(text), &err), &err);
}

/* ---- the folder ---- */

static const char good_config[] =
    "{\"model_type\":\"marian\",\"d_model\":6,\"encoder_layers\":1,\"decoder_layers\":2,\"encoder_attention_heads\":2,"
    "\"decoder_attention_heads\":2,\"encoder_ffn_dim\":10,\"decoder_ffn_dim\":10,\"vocab_size\":%d,\"scale_embedding\":"
    "true,"
    "\"activation_function\":\"%s\",\"eos_token_id\":0,\"pad_token_id\":%d,\"decoder_start_token_id\":%d,\"dropout\":0."
    "1,"
    "\"attention_dropout\":0.0,\"bos_token_id\":null%s}";

/* extra: more members, such as ",\"a\":1"; later ones would be duplicates, so it can't replace any. */
static void write_config(const scratch *s, const char *activation, const char *extra)
{
    char text[1000];
    snprintf(text, sizeof text, good_config, s->vocab, activation, s->vocab - 1, s->vocab - 1, extra);
    write_text(s, "config.json", text);
}

/* The good configuration with one text replaced. */
static void write_config_with(const scratch *s, const char *old, const char *new)
{
    char text[1000], changed[1200];
    snprintf(text, sizeof text, good_config, s->vocab, "swish", s->vocab - 1, s->vocab - 1, "");
    const char *at = strstr(text, old);
    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    write_text(s, "config.json", changed);
}

/* Values that every float type holds exactly: eighths between -2 and 2, drawn by name. */
static void add(scratch *s, const char *name, int64_t d0, int64_t d1)
{
    const int64_t count = d0 * (d1 ? d1 : 1);
    uint64_t key = 5;
    for (const char *c = name; *c; c++) key = at_rng_key(key, (uint8_t)*c);
    float *data = malloc((size_t)count * sizeof *data);
    for (int64_t i = 0; i < count; i++) data[i] = (float)at_rng_below(key, (uint64_t)i, 33) / 8 - 2;
    assert_true(s->count < MOST);
    s->tensor[s->count++] =
        (at_stored_tensor){strdup(name), ATT_F32, d1 ? 2 : 1, {d0, d1}, data, (size_t)count * sizeof *data, NULL};
}

static at_stored_tensor *find(scratch *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->tensor[i].name, name) == 0) return &s->tensor[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void add_linear(scratch *s, const char *layer, const char *name, int64_t out, int64_t in)
{
    char text[128];
    snprintf(text, sizeof text, "%s.%s.weight", layer, name);
    add(s, text, out, in);
    snprintf(text, sizeof text, "%s.%s.bias", layer, name);
    add(s, text, out, 0);
}

static void add_layer(scratch *s, const char *layer, bool decoder)
{
    static const char *const parts[] = {"q_proj", "k_proj", "v_proj", "out_proj"};
    char name[64];
    for (int cross = 0; cross <= decoder; cross++) {
        for (int i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "%s.%s", cross ? "encoder_attn" : "self_attn", parts[i]);
            add_linear(s, layer, name, WIDTH, WIDTH);
        }
        add_linear(s, layer, cross ? "encoder_attn_layer_norm" : "self_attn_layer_norm", WIDTH, 0);
    }
    add_linear(s, layer, "fc1", FFN, WIDTH);
    add_linear(s, layer, "fc2", WIDTH, FFN);
    add_linear(s, layer, "final_layer_norm", WIDTH, 0);
}

static void write_weights(const scratch *s)
{
    at_error err;
    must(at_safetensors_write(path_in(s, "model.safetensors"), s->tensor, s->count, NULL, 0, &err), &err);
}

/* Another name for a tensor's data. */
static void alias(scratch *s, const char *name, const char *of)
{
    const at_stored_tensor *tensor = find(s, of);
    float *data = malloc(tensor->bytes);
    memcpy(data, tensor->data, tensor->bytes);
    s->tensor[s->count] = *tensor;
    s->tensor[s->count].data = data;
    s->tensor[s->count++].name = strdup(name);
}

static void drop(scratch *s, const char *name)
{
    at_stored_tensor *tensor = find(s, name);
    free((void *)(uintptr_t)tensor->name);
    free((void *)(uintptr_t)tensor->data);
    *tensor = s->tensor[--s->count];
}

/* Marian's numbering: the end token 0, unknown 1, padding last. */
static void write_vocab(const scratch *s, const at_tokenizer *tokenizer)
{
    at_error err;
    at_buf text = {0};
    const int size = at_tokenizer_size(tokenizer);
    must(at_buf_printf(&text, &err, "{\"</s>\":0,\"<unk>\":1,\"<pad>\":%d", s->vocab - 1), &err);
    for (int i = 4; i < size; i++)
        must(at_buf_printf(&text, &err, ",\"%s\":%d", at_tokenizer_piece(tokenizer, i), s->vocab - 2 - (i - 4)), &err);
    must(at_buf_puts(&text, "}", &err), &err);
    write_text(s, "vocab.json", text.data);
    at_buf_free(&text);
}

static void write_tokenizer(scratch *s)
{
    at_error err;
    at_buf text = {0}, spm = {0};
    for (int i = 0; i < 120; i++)
        must(at_buf_printf(&text, &err, "ab cd%s ef %s.\n", i % 3 ? "a" : "", i % 7 ? "gh" : "ac"), &err);
    must(at_file_write(s->text, text.data, text.len, &err), &err);
    const char *const paths[] = {s->text};
    const at_tokenizer_spec spec = {
        .paths = paths, .path_count = 1, .vocab_size = 24, .character_coverage = 1, .seed = 1};
    must(at_tokenizer_train(&spec, &spm, &err), &err);
    must(at_file_write(path_in(s, "source.spm"), spm.data, spm.len, &err), &err);
    must(at_file_write(path_in(s, "target.spm"), spm.data, spm.len, &err), &err);
    at_tokenizer *tokenizer;
    must(at_tokenizer_open(&tokenizer, spm.data, spm.len, "test", &err), &err);
    s->vocab = at_tokenizer_size(tokenizer) - 1; /* without <s> */
    write_vocab(s, tokenizer);
    at_tokenizer_free(tokenizer);
    at_buf_free(&text);
    at_buf_free(&spm);
}

static int make_scratch(void **state)
{
    at_error err;
    scratch *s = calloc(1, sizeof *s);
    strcpy(s->folder, "/tmp/attend-import-XXXXXX");
    if (!mkdtemp(s->folder)) return -1;
    snprintf(s->text, sizeof s->text, "%s/text", s->folder);
    must(at_cpu_backend_new(&s->be, 1, NULL, &err), &err);
    write_tokenizer(s);
    write_config(s, "swish", "");
    add(s, "model.shared.weight", s->vocab, WIDTH);
    add_layer(s, "model.encoder.layers.0", false);
    add_layer(s, "model.decoder.layers.0", true);
    add_layer(s, "model.decoder.layers.1", true);
    write_weights(s);
    *state = s;
    return 0;
}

static int drop_scratch(void **state)
{
    scratch *s = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", s->folder);
    while (s->count) drop(s, s->tensor[0].name);
    s->be->free(s->be);
    free(s);
    return system(command);
}

/* ---- what comes out ---- */

static at_bundle import_bundle(const scratch *s)
{
    at_error err;
    at_stored_model stored;
    at_bundle bundle;
    must(at_import(&stored, s->folder, &err), &err);
    must(at_bundle_make(&bundle, &stored, s->folder, s->be, false, &err), &err);
    at_stored_model_close(&stored);
    return bundle;
}

/* Logits (4,V) of a small input; the caller frees them. */
static float *logits_of(const scratch *s)
{
    static const int64_t source_offset[] = {0, 3, 5}, target_offset[] = {0, 2, 4};
    static const int32_t source[] = {3, 4, 0, 5, 0}, target[] = {2, 3, 2, 6};
    const at_packed x = {2, source_offset, source}, y = {2, target_offset, target};
    at_bundle bundle = import_bundle(s);
    at_ctx ctx;
    at_ctx_init(&ctx, s->be);
    at_ctx_begin(&ctx, false, false, 0);
    const at_arch *arch = bundle.model->arch;
    at_tensor *states = arch->encode(&ctx, bundle.model, &x, NULL);
    const at_tensor *logits = arch->decode(&ctx, bundle.model, states, &x, &y, NULL);
    const size_t bytes = (size_t)at_tensor_floats(logits) * sizeof(float);
    assert_int_equal(bytes, 4 * (size_t)s->vocab * sizeof(float));
    float *copy = malloc(bytes);
    s->be->download(s->be, copy, logits->data, bytes);
    at_ctx_free(&ctx);
    at_bundle_free(&bundle);
    return copy;
}

/* The folder's model gives these logits (plus bias, where not NULL) within rounding. */
static void assert_logits(const scratch *s, const float *wanted, const float *bias)
{
    float *got = logits_of(s);
    for (int i = 0; i < 4 * s->vocab; i++)
        assert_true(fabsf(got[i] - (bias ? bias[i % s->vocab] : 0) - wanted[i]) < 1e-4f);
    free(got);
}

static at_stored_tensor get(const at_stored_model *stored, const char *name)
{
    for (size_t i = 0; i < stored->tensor_count; i++)
        if (strcmp(stored->tensors[i].name, name) == 0) return stored->tensors[i];
    fail_msg("no tensor %s", name);
    return (at_stored_tensor){0};
}

/* (out,in) blocks become columns of (in,out): element by element. */
static void layout(void **state)
{
    scratch *s = *state;
    at_error err;
    at_stored_model stored;
    must(at_import(&stored, s->folder, &err), &err);
    assert_string_equal(stored.arch, "transformer");
    const at_stored_tensor kv = get(&stored, "decoder.1.cross.kv.weight");
    const at_stored_tensor bias = get(&stored, "decoder.1.cross.kv.bias");
    const float *k = find(s, "model.decoder.layers.1.encoder_attn.k_proj.weight")->data;
    const float *v = find(s, "model.decoder.layers.1.encoder_attn.v_proj.weight")->data;
    const float *vb = find(s, "model.decoder.layers.1.encoder_attn.v_proj.bias")->data;
    assert_int_equal(kv.dim[0], WIDTH);
    assert_int_equal(kv.dim[1], 2 * WIDTH);
    for (int in = 0; in < WIDTH; in++)
        for (int out = 0; out < WIDTH; out++) {
            assert_true(((const float *)kv.data)[in * 2 * WIDTH + out] == k[out * WIDTH + in]);
            assert_true(((const float *)kv.data)[in * 2 * WIDTH + WIDTH + out] == v[out * WIDTH + in]);
            assert_true(((const float *)bias.data)[WIDTH + out] == vb[out]);
        }
    const at_stored_tensor ffn = get(&stored, "encoder.0.ffn.in.weight");
    assert_int_equal(ffn.dim[0], WIDTH);
    assert_int_equal(ffn.dim[1], FFN);
    at_stored_model_close(&stored);
}

static void options_and_tokens(void **state)
{
    scratch *s = *state;
    write_text(s, "tokenizer_config.json", "{\"source_lang\":\"en\",\"target_lang\":\"de\"}");
    write_text(s, "generation_config.json", "{\"forced_eos_token_id\":0,\"eos_token_id\":7}");
    at_bundle bundle = import_bundle(s);
    const at_transformer_config *c = bundle.model->config;
    assert_int_equal(c->width, WIDTH);
    assert_int_equal(c->heads, 2);
    assert_int_equal(c->ffn, FFN);
    assert_int_equal(c->encoder_layers, 1);
    assert_int_equal(c->decoder_layers, 2);
    assert_int_equal(c->norm, ATT_NORM_POST);
    assert_int_equal(c->activation, ATT_ACT_SWISH);
    assert_true(c->tie_embeddings && c->tie_output && c->scale_embedding && !c->output_bias);
    assert_true(c->dropout == 0.1 && c->dropout_embedding == 0.1 && c->dropout_attention == 0);
    assert_int_equal(bundle.tokens.target_start, s->vocab - 1);
    assert_int_equal(bundle.tokens.pad, s->vocab - 1);
    assert_int_equal(bundle.tokens.eos, 0); /* config.json goes first */
    assert_true(bundle.tokens.final_eos);
    assert_string_equal(at_tokenizer_piece(bundle.source, 0), "</s>");
    assert_ptr_equal(bundle.source, bundle.target);
    assert_non_null(strstr(bundle.info, "\"en\""));
    at_bundle_free(&bundle);
    write_text(s, "generation_config.json", "{\"forced_eos_token_id\":null}");
    write_config(s, "gelu_new", "");
    bundle = import_bundle(s);
    assert_false(bundle.tokens.final_eos);
    assert_int_equal(((at_transformer_config *)bundle.model->config)->activation, ATT_ACT_GELU_TANH);
    at_bundle_free(&bundle);
}

/* The same numbers in F64, F16 and BF16. */
static void convert(at_stored_tensor *tensor, at_dtype dtype)
{
    const float *from = tensor->data;
    const size_t count = tensor->bytes / sizeof *from, size = at_dtype_size(dtype);
    char *to = malloc(count * size);
    for (size_t i = 0; i < count; i++) {
        const double wide = from[i];
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        uint16_t half = (uint16_t)(bits >> 16);
        if (dtype == ATT_F16)
            half = bits << 1 ? (uint16_t)(bits >> 16 & 0x8000) |
                                   (uint16_t)((((bits >> 23) & 255) - 112) << 10 | (bits >> 13 & 1023))
                             : 0;
        memcpy(to + i * size, dtype == ATT_F64 ? (const void *)&wide : &half, size);
    }
    free((void *)(uintptr_t)tensor->data);
    tensor->data = to;
    tensor->dtype = dtype;
    tensor->bytes = count * size;
}

static void float_types(void **state)
{
    scratch *s = *state;
    static const at_dtype types[] = {ATT_F64, ATT_F16, ATT_BF16};
    float *wanted = logits_of(s);
    for (size_t i = 0; i < s->count; i++) convert(&s->tensor[i], types[i % 3]);
    write_weights(s);
    float *got = logits_of(s);
    assert_memory_equal(got, wanted, 4 * (size_t)s->vocab * sizeof *got);
    free(got);
    free(wanted);
}

/* Infinities, not-a-numbers and subnormal halves. */
static void half_precision(void **state)
{
    scratch *s = *state;
    at_error err;
    at_stored_model stored;
    at_stored_tensor *norm = find(s, "model.encoder.layers.0.final_layer_norm.weight");
    convert(norm, ATT_F16);
    static const uint16_t halves[WIDTH] = {0x7C00, 0xFC00, 0x7E00, 0x0001, 0x83FF, 0x7BFF};
    memcpy((void *)(uintptr_t)norm->data, halves, sizeof halves);
    write_weights(s);
    must(at_import(&stored, s->folder, &err), &err);
    const float *x = get(&stored, "encoder.0.ffn.norm.weight").data;
    assert_true(x[0] == INFINITY && x[1] == -INFINITY && isnan(x[2]));
    assert_true(x[3] == 0x1p-24f && x[4] == -1023 * 0x1p-24f && x[5] == 65504);
    at_stored_model_close(&stored);
}

/* The same model with one, two and three tables, and with each tied name stored. */
static void ties(void **state)
{
    scratch *s = *state;
    float *wanted = logits_of(s);
    alias(s, "lm_head.weight", "model.shared.weight");
    alias(s, "model.encoder.embed_tokens.weight", "model.shared.weight");
    write_weights(s);
    assert_logits(s, wanted, NULL);
    drop(s, "model.encoder.embed_tokens.weight");
    write_config(s, "swish", ",\"tie_word_embeddings\":false");
    write_weights(s);
    assert_logits(s, wanted, NULL);
    alias(s, "model.encoder.embed_tokens.weight", "model.shared.weight");
    alias(s, "model.decoder.embed_tokens.weight", "model.shared.weight");
    drop(s, "model.shared.weight");
    write_config(s, "swish", ",\"tie_word_embeddings\":false,\"share_encoder_decoder_embeddings\":false");
    write_weights(s);
    assert_logits(s, wanted, NULL);
    drop(s, "lm_head.weight");
    write_config(s, "swish", ",\"share_encoder_decoder_embeddings\":false");
    write_weights(s);
    assert_logits(s, wanted, NULL);
    free(wanted);
}

static void output_bias(void **state)
{
    scratch *s = *state;
    float *plain = logits_of(s);
    add(s, "final_logits_bias", 1, s->vocab);
    write_weights(s);
    assert_logits(s, plain, find(s, "final_logits_bias")->data);
    free(plain);
}

/* Two vocabularies: other pieces, other sizes. */
static void two_vocabularies(void **state)
{
    scratch *s = *state;
    add(s, "model.encoder.embed_tokens.weight", s->vocab, WIDTH);
    add(s, "model.decoder.embed_tokens.weight", s->vocab + 1, WIDTH);
    drop(s, "model.shared.weight");
    write_weights(s);
    char extra[100], vocab[1200] = "{\"</s>\":1,\"<unk>\":0";
    for (int i = 2; i <= s->vocab; i++) snprintf(vocab + strlen(vocab), 40, ",\"p%d\":%d", i, i);
    strcat(vocab, "}");
    write_text(s, "target_vocab.json", vocab);
    snprintf(extra, sizeof extra, ",\"share_encoder_decoder_embeddings\":false,\"decoder_vocab_size\":%d",
             s->vocab + 1);
    write_config(s, "swish", extra);
    at_bundle bundle = import_bundle(s);
    assert_int_equal(at_tokenizer_size(bundle.source), s->vocab);
    assert_int_equal(at_tokenizer_size(bundle.target), s->vocab + 1);
    assert_string_equal(at_tokenizer_piece(bundle.target, 2), "p2");
    at_bundle_free(&bundle);
}

/* Sinusoids in the file are fine; other positions are not. */
static void stored_positions(void **state)
{
    scratch *s = *state;
    at_error err;
    at_stored_model stored;
    add(s, "model.encoder.embed_positions.weight", 5, WIDTH);
    float *rows = (float *)(uintptr_t)find(s, "model.encoder.embed_positions.weight")->data;
    for (int p = 0; p < 5; p++)
        for (int j = 0; j < WIDTH; j++) {
            const double angle = p * pow(10000, -2.0 * (j % 3) / WIDTH);
            rows[p * WIDTH + j] = (float)(j < 3 ? sin(angle) : cos(angle));
        }
    write_weights(s);
    must(at_import(&stored, s->folder, &err), &err);
    at_stored_model_close(&stored);
    rows[7] += 0.5f;
    write_weights(s);
    assert_int_equal(at_import(&stored, s->folder, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "embed_positions"));
}

/* ---- faults ---- */

/* Import fails with one line that holds the words. */
static void assert_refused(const scratch *s, const char *word, const char *other)
{
    at_error err;
    at_stored_model stored;
    const at_status status = at_import(&stored, s->folder, &err);
    if (status == ATT_OK) fail_msg("not refused: %s", word);
    if (status != ATT_INPUT || strchr(err.text, '\n') || !strstr(err.text, word) || !strstr(err.text, other))
        fail_msg("%s: \"%s\" lacks \"%s\" or \"%s\"", at_status_name(status), err.text, word, other);
    at_stored_model_close(&stored); /* nothing is left, and closing is fine */
}

static void wrong_configurations(void **state)
{
    scratch *s = *state;
    static const char *const cases[][3] = {
        {"\"marian\"", "\"t5\"", "t5"},
        {"\"model_type\":\"marian\"", "\"x\":1", "model_type"},
        {"\"d_model\":6", "\"d_model\":\"6\"", "d_model"},
        {"\"d_model\":6", "\"d_model\":7", "config.json"},
        {"\"d_model\":6", "\"d_model\":0", "config.json"},
        {"\"d_model\":6", "\"d_model\":9999999", "model.shared.weight"},
        {"\"d_model\":6,", "", "d_model"},
        {"\"decoder_layers\":2", "\"decoder_layers\":-1", "decoder_layers"},
        {"\"decoder_layers\":2", "\"decoder_layers\":3", "model.decoder.layers.2.self_attn.q_proj.weight"},
        {"\"decoder_layers\":2", "\"decoder_layers\":1", "model.decoder.layers.1"},
        {"\"decoder_attention_heads\":2", "\"decoder_attention_heads\":3", "decoder_attention_heads"},
        {"\"decoder_ffn_dim\":10", "\"decoder_ffn_dim\":11", "decoder_ffn_dim"},
        {"\"swish\"", "\"tanh\"", "tanh"},
        {"\"scale_embedding\":true", "\"scale_embedding\":1", "scale_embedding"},
        {"\"dropout\":0.1", "\"dropout\":\"a\"", "dropout"},
        {"\"eos_token_id\":0,", "", "eos_token_id"},
        {"\"bos_token_id\":null", "\"forced_eos_token_id\":1", "forced_eos_token_id"},
        {"\"bos_token_id\":null", "\"forced_bos_token_id\":1", "forced_bos_token_id"},
        {"\"bos_token_id\":null", "\"normalize_before\":true", "normalize_before"},
        {"\"bos_token_id\":null}", "", "config.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_config_with(s, cases[i][0], cases[i][1]);
        assert_refused(s, cases[i][2], s->folder);
    }
    write_text(s, "config.json", "[]");
    assert_refused(s, "config.json", "JSON object");
}

static void wrong_weights(void **state)
{
    scratch *s = *state;
    add(s, "model.encoder.layer_norm.weight", WIDTH, 0);
    write_weights(s);
    assert_refused(s, "model.encoder.layer_norm.weight", "model.safetensors");
    drop(s, "model.encoder.layer_norm.weight");
    alias(s, "lm_head.weight", "model.shared.weight");
    ((float *)(uintptr_t)find(s, "lm_head.weight")->data)[3] += 1;
    write_weights(s);
    assert_refused(s, "lm_head.weight", "differ");
    drop(s, "lm_head.weight");
    at_stored_tensor *fc1 = find(s, "model.encoder.layers.0.fc1.weight");
    fc1->dim[0] = WIDTH;
    fc1->dim[1] = FFN;
    write_weights(s);
    assert_refused(s, "model.encoder.layers.0.fc1.weight", "10 x 6");
    fc1->dim[0] = FFN;
    fc1->dim[1] = WIDTH;
    fc1->dtype = ATT_I32;
    write_weights(s);
    assert_refused(s, "model.encoder.layers.0.fc1.weight", "I32");
    fc1->dtype = ATT_F32;
    drop(s, "model.shared.weight");
    write_weights(s);
    assert_refused(s, "model.shared.weight", "missing");
    unlink(path_in(s, "model.safetensors"));
    write_text(s, "pytorch_model.bin", "x");
    assert_refused(s, "pytorch_model.bin", "safetensors");
}

static void wrong_vocabularies(void **state)
{
    scratch *s = *state;
    static const char *const cases[][2] = {{"{\"a\":0,\"b\":2}", "\"b\""},      {"{\"a\":0,\"b\":0}", "\"b\""},
                                           {"{\"a\":0,\"b\":\"1\"}", "\"b\""},  {"{\"a\":0,\"b\":-1}", "\"b\""},
                                           {"{\"a\":0,\"a\":1}", "vocab.json"}, {"{", "vocab.json"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(s, "vocab.json", cases[i][0]);
        assert_refused(s, cases[i][1], s->folder);
    }
    static const char *const files[] = {"vocab.json", "source.spm", "target.spm"};
    for (size_t i = 0; i < 3; i++) {
        unlink(path_in(s, files[i]));
        assert_refused(s, files[i], "missing");
        write_text(s, files[i], "{}");
    }
}

/* Answers that don't fit the model are told apart from answers that differ. */
static void answers_that_do_not_fit(void **state)
{
    scratch *s = *state;
    at_error err;
    at_verify_report report;
    at_bundle bundle = import_bundle(s);
    const char *path = path_in(s, "expected.safetensors");
    static const int64_t ids[] = {3, 4, 0, 1000}, mask[] = {1, 1, 1, 0}, none[] = {0, 0, 0, 0};
    at_stored_tensor tensors[] = {{"source", ATT_I64, 2, {1, 4}, ids, 32, NULL},
                                  {"source_mask", ATT_I64, 2, {1, 4}, mask, 32, NULL},
                                  {"target", ATT_I64, 2, {1, 3}, ids, 24, NULL}};
    static const char *const words[] = {"\"source_mask\"", "\"target\"", "\"encoder\""};
    for (size_t count = 1; count <= 3; count++) {
        must(at_safetensors_write(path, tensors, count, NULL, 0, &err), &err);
        assert_int_equal(at_verify(&bundle, s->folder, &report, &err), ATT_INPUT);
        if (!strstr(err.text, words[count - 1])) fail_msg("%s", err.text);
    }
    tensors[1].data = ids;
    must(at_safetensors_write(path, tensors, 3, NULL, 0, &err), &err);
    assert_int_equal(at_verify(&bundle, s->folder, &report, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "1000"));
    tensors[1].data = none;
    must(at_safetensors_write(path, tensors, 3, NULL, 0, &err), &err);
    assert_int_equal(at_verify(&bundle, s->folder, &report, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "no token"));
    at_bundle_free(&bundle);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)
    const struct CMUnitTest tests[] = {
        CASE(layout),
        CASE(options_and_tokens),
        CASE(float_types),
        CASE(half_precision),
        CASE(ties),
        CASE(output_bias),
        CASE(two_vocabularies),
        CASE(stored_positions),
        CASE(wrong_configurations),
        CASE(wrong_weights),
        CASE(wrong_vocabularies),
        CASE(answers_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
