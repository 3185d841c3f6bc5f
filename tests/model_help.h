/* Small models with drawn weights and tokenizers, for tests of what is done to model files. Read text_help.h first: the
 * folder of the test is its. */
#ifndef ATT_TESTS_MODEL_HELP_H
#define ATT_TESTS_MODEL_HELP_H

#include "infer/bundle.h"
#include "model/transformer.h"
#include "must.h"
#include "text_help.h"

static inline const char *path_of(const char *name)
{
    static char path[8][160];
    static int next;
    char *text = path[next++ % 8];
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

static inline at_backend *new_backend(void)
{
    at_error err;
    at_backend *be;
    must(at_cpu_backend_new(&be, 1, NULL, &err), &err);
    return be;
}

/* A tokenizer of so many pieces. */
static inline at_tokenizer *tokenizer_of(int pieces, uint64_t key)
{
    at_error err;
    at_buf text = {0}, bytes = {0};
    at_tokenizer *tokenizer;
    make_text(&text, key, 300);
    const char *path = write_file("text", text.data, text.len);
    at_tokenizer_spec spec = default_spec(&path);
    spec.vocab_size = pieces;
    must(at_tokenizer_train(&spec, &bytes, &err), &err);
    must(at_tokenizer_open(&tokenizer, bytes.data, bytes.len, "spm", &err), &err);
    at_buf_free(&text);
    at_buf_free(&bytes);
    return tokenizer;
}

/* Writes a model: two layers on each side, width 12, and the options given as "name=value name=value". */
static inline void write_model(at_backend *be, const char *path, const char *options, uint64_t seed,
                               bool two_vocabularies)
{
    at_error err;
    char text[400];
    at_bundle bundle = {.tokens = {2, 3, 0, false}, .info = strdup("{\"step\":7}")};
    bundle.source = tokenizer_of(60, 7);
    bundle.target = two_vocabularies ? tokenizer_of(50, 8) : bundle.source;
    must(at_model_new(&bundle.model, &at_arch_transformer, be, &err), &err);
    snprintf(text, sizeof text,
             "source-vocab=%d target-vocab=%d width=12 heads=3 ffn=20 encoder-layers=2 decoder-layers=2 %s",
             at_tokenizer_size(bundle.source), at_tokenizer_size(bundle.target), options);
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        must(at_option_set(at_option_find(at_arch_transformer.options, word), bundle.model->config, value, word, &err),
             &err);
    }
    must(at_model_build(bundle.model, false, &err), &err);
    must(at_params_draw(&bundle.model->params, seed, &err), &err);
    /* Norms and biases too, so that none can be exchanged unseen. */
    at_params *p = &bundle.model->params;
    for (int64_t i = 0; i < p->floats; i++) p->data[i] += 0.1f * (float)(i % 7 - 3);
    at_params_changed(p);
    must(at_bundle_save(&bundle, path, NULL, NULL, 0, NULL, 0, &err), &err);
    at_bundle_free(&bundle);
}

#endif
