/* A random translator or language model of a few words, as a bundle or as a file, for tests of what stands on one. */
#ifndef ATT_TESTS_TINY_TRANSLATOR_H
#define ATT_TESTS_TINY_TRANSLATOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "infer/bundle.h"
#include "model/gpt.h"
#include "model/transformer.h"
#include "must.h"
#include "nn/positions.h"

static const char *const tiny_words[] = {"haus", "garten", "baum", "katze", "hund", "rot", "blau", "gross"};

static inline at_tokenizer *tiny_tokenizer(uint64_t seed)
{
    char path[] = "/tmp/attend-tiny-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    for (uint64_t i = 0; i < 300; i++) {
        for (uint64_t k = 0; k < 6; k++) fprintf(out, "%s ", tiny_words[at_rng_below(seed + i, k, 8)]);
        fputs(i % 3 ? ".\n" : ",\n", out);
    }
    assert_int_equal(fclose(out), 0);
    const char *const paths = path;
    const at_tokenizer_spec spec = {.paths = &paths,
                                    .path_count = 1,
                                    .vocab_size = 50 + (int)(seed % 10),
                                    .model = ATT_SUBWORD_BPE,
                                    .character_coverage = 1};
    at_buf model = {0};
    at_error err;
    at_tokenizer *tokenizer = NULL;
    must(at_tokenizer_train(&spec, &model, &err), &err);
    must(at_tokenizer_open(&tokenizer, model.data, model.len, "test", &err), &err);
    at_buf_free(&model);
    unlink(path);
    return tokenizer;
}

/* A model for the bundle's tokenizer. max_positions 0: sinusoids, else learned. */
static inline void tiny_model(at_bundle *bundle, at_backend *be, uint64_t weights, int64_t max_positions)
{
    at_error err;
    must(at_model_new(&bundle->model, at_arch_find("transformer"), be, &err), &err);
    at_transformer_config *c = bundle->model->config;
    c->source_vocab = c->target_vocab = at_tokenizer_size(bundle->source);
    c->encoder_layers = c->decoder_layers = 1;
    c->width = 16;
    c->heads = 2;
    c->ffn = 24;
    if (max_positions > 0) {
        c->positions = ATT_POSITIONS_LEARNED;
        c->max_positions = max_positions;
    }
    must(at_model_build(bundle->model, false, &err), &err);
    must(at_params_draw(&bundle->model->params, weights, &err), &err);
    const at_tokenizer *t = bundle->source;
    bundle->tokens =
        (at_stored_tokens){.target_start = at_tokenizer_bos(t), .eos = at_tokenizer_eos(t), .pad = at_tokenizer_pad(t)};
}

static inline void tiny_bundle(at_bundle *bundle, at_backend *be, uint64_t vocabulary, uint64_t weights,
                               int64_t max_positions)
{
    *bundle = (at_bundle){0};
    bundle->source = bundle->target = tiny_tokenizer(vocabulary);
    tiny_model(bundle, be, weights, max_positions);
}

/* The same words for a decoder alone. */
static inline void tiny_language_model(at_bundle *bundle, at_backend *be)
{
    at_error err;
    *bundle = (at_bundle){0};
    bundle->source = bundle->target = tiny_tokenizer(1);
    must(at_model_new(&bundle->model, &at_arch_gpt, be, &err), &err);
    at_gpt_config *c = bundle->model->config;
    c->vocab = at_tokenizer_size(bundle->target);
    c->layers = 1;
    c->width = 16;
    c->heads = 2;
    c->ffn = 24;
    c->context = 8;
    must(at_model_build(bundle->model, false, &err), &err);
    must(at_params_draw(&bundle->model->params, 1, &err), &err);
    bundle->tokens.target_start = bundle->tokens.eos = at_tokenizer_eos(bundle->target);
}

/* Writes the bundle to a new file, whose name replaces the X of path, and frees both. */
static inline void tiny_save(char *path, at_bundle *bundle, at_backend *be)
{
    at_error err;
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    must(at_bundle_save(bundle, path, NULL, NULL, 0, NULL, 0, &err), &err);
    at_bundle_free(bundle);
    be->free(be);
}

static inline at_backend *tiny_backend(void)
{
    at_error err;
    at_backend *be;
    must(at_cpu_backend_new(&be, 1, NULL, &err), &err);
    return be;
}

static inline void tiny_file(char *path, uint64_t vocabulary, uint64_t weights)
{
    at_backend *be = tiny_backend();
    at_bundle bundle;
    tiny_bundle(&bundle, be, vocabulary, weights, 0);
    tiny_save(path, &bundle, be);
}

static inline void tiny_language_model_file(char *path)
{
    at_backend *be = tiny_backend();
    at_bundle bundle;
    tiny_language_model(&bundle, be);
    tiny_save(path, &bundle, be);
}

#endif
