/* Small texts, and tokenizers trained on them, for the tests of src/text. */
#ifndef ATT_TESTS_TEXT_HELP_H
#define ATT_TESTS_TEXT_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "text/tokenizer.h"

static char folder[64];

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/attend-text-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static inline int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static inline const char *write_file(const char *name, const char *bytes, size_t len)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(at_file_write(path, bytes, len, NULL), ATT_OK);
    return path;
}

/* Sentences over a small vocabulary of made-up words. */
static inline void make_text(at_buf *out, uint64_t key, int lines)
{
    static const char *const syllables[] = {"ka", "lo", "mi", "tu", "ren", "sal", "\xC3\xA4r", "o", "ping", "de"};
    uint64_t index = 0;
    for (int line = 0; line < lines; line++) {
        const int words = 3 + (int)at_rng_below(key, index++, 8);
        for (int word = 0; word < words; word++) {
            if (word > 0) assert_int_equal(at_buf_puts(out, " ", NULL), ATT_OK);
            const int count = 1 + (int)at_rng_below(key, index++, 3);
            for (int i = 0; i < count; i++) {
                assert_int_equal(at_buf_puts(out, syllables[at_rng_below(key, index++, 10)], NULL), ATT_OK);
            }
        }
        assert_int_equal(at_buf_puts(out, ".\n", NULL), ATT_OK);
    }
}

static inline at_tokenizer_spec default_spec(const char *const *paths)
{
    return (at_tokenizer_spec){
        .paths = paths, .path_count = 1, .vocab_size = 120, .character_coverage = 1.0, .seed = 1};
}

/* A model of 120 pieces trained on made-up text. */
static inline at_buf train_model(void)
{
    at_buf text = {0}, model = {0};
    make_text(&text, 7, 400);
    const char *path = write_file("train.txt", text.data, text.len);
    const at_tokenizer_spec spec = default_spec(&path);
    assert_int_equal(at_tokenizer_train(&spec, &model, NULL), ATT_OK);
    at_buf_free(&text);
    return model;
}

static inline at_tokenizer *open_model(const at_buf *model)
{
    at_tokenizer *tokenizer;
    at_error err = {0};
    if (at_tokenizer_open(&tokenizer, model->data, model->len, "model", &err) != ATT_OK) fail_msg("%s", err.text);
    return tokenizer;
}

static inline at_tokenizer *train_tokenizer(void)
{
    at_buf model = train_model();
    at_tokenizer *tokenizer = open_model(&model);
    at_buf_free(&model);
    return tokenizer;
}

static inline at_ids encode(const at_tokenizer *tokenizer, const char *text)
{
    at_ids ids = {0};
    assert_int_equal(at_tokenizer_encode(tokenizer, text, strlen(text), &ids, NULL), ATT_OK);
    return ids;
}

static inline void assert_decodes_to(const at_tokenizer *tokenizer, const at_ids *ids, const char *text)
{
    at_buf out = {0};
    assert_int_equal(at_tokenizer_decode(tokenizer, ids->data, ids->len, &out, NULL), ATT_OK);
    assert_string_equal(out.data != NULL ? out.data : "", text);
    at_buf_free(&out);
}

static inline void assert_round_trip(const at_tokenizer *tokenizer, const char *text)
{
    at_ids ids = encode(tokenizer, text);
    assert_decodes_to(tokenizer, &ids, text);
    at_ids_free(&ids);
}

#endif
