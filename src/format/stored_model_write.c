/* Writing attend's own model file (stored_model.h). The same model gives the same bytes: settings and tensors keep
 * their order, and nothing of the time or place of writing goes in. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_dump.h"
#include "format/stored_model.h"

enum { OWN_METADATA = 4, TOKENIZER_TENSORS = 4 };

/* What a file is made of, in order; the texts belong to it, the tensors' data to others. */
typedef struct parts {
    at_metadata *metadata;
    size_t metadata_count;
    at_stored_tensor *tensors;
    size_t tensor_count;
    char *config, *tokens;
    at_buf pieces[2];
} parts;

static void parts_free(parts *p)
{
    free(p->metadata);
    free(p->tensors);
    free(p->config);
    free(p->tokens);
    at_buf_free(&p->pieces[0]);
    at_buf_free(&p->pieces[1]);
}

static at_status no_memory(at_error *err)
{
    return at_fail(err, ATT_MEMORY, "out of memory for writing a model file; close other programs");
}

/* The JSON text of object, which is released; NULL without memory. */
static char *text_of(json_t *object)
{
    char *text = at_json_dump(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static at_status config_text(const at_stored_model *model, const char *path, char **text, at_error *err)
{
    json_t *object = json_object();
    for (size_t i = 0; i < model->setting_count; i++) {
        const at_setting *setting = &model->settings[i];
        if (json_object_set_new(object, setting->name, json_string(setting->value)) == 0) continue;
        json_decref(object);
        return at_fail(err, ATT_OPTION, "%s: the value of %.100s is not valid UTF-8; correct it", path, setting->name);
    }
    *text = text_of(object);
    return *text != NULL ? ATT_OK : no_memory(err);
}

static at_status tokens_text(const at_stored_tokens *tokens, char **text, at_error *err)
{
    *text = text_of(json_pack("{s:i, s:i, s:i, s:b}", "target_start", (int)tokens->target_start, "eos",
                              (int)tokens->eos, "pad", (int)tokens->pad, "final_eos", (int)tokens->final_eos));
    return *text != NULL ? ATT_OK : no_memory(err);
}

static at_status make_metadata(parts *p, const at_stored_model *model, const char *path, const at_metadata *extra,
                               size_t extra_count, at_error *err)
{
    ATT_TRY(config_text(model, path, &p->config, err));
    ATT_TRY(tokens_text(&model->tokens, &p->tokens, err));
    const at_metadata own[OWN_METADATA] = {{"attend.architecture", model->arch},
                                           {"attend.config", p->config},
                                           {"attend.tokens", p->tokens},
                                           {"attend.info", model->info}};
    p->metadata_count = OWN_METADATA + extra_count;
    p->metadata = malloc(p->metadata_count * sizeof *p->metadata);
    if (p->metadata == NULL) return at_fail_memory(err, p->metadata_count * sizeof *p->metadata);
    memcpy(p->metadata, own, sizeof own);
    if (extra_count > 0) memcpy(p->metadata + OWN_METADATA, extra, extra_count * sizeof *extra);
    return ATT_OK;
}

static void add_bytes(parts *p, const char *name, const void *bytes, size_t size)
{
    p->tensors[p->tensor_count++] = (at_stored_tensor){
        .name = name, .dtype = ATT_U8, .rank = 1, .dim = {(int64_t)size}, .data = bytes, .bytes = size};
}

static at_status join_pieces(at_buf *joined, const at_stored_tokenizer *tokenizer, const char *path, at_error *err)
{
    for (int i = 0; i < tokenizer->piece_count; i++) {
        if (strchr(tokenizer->pieces[i], '\n') != NULL)
            return at_fail(err, ATT_INPUT, "%s: piece %d of the vocabulary holds a line feed; replace it", path, i);
        if (i > 0) ATT_TRY(at_buf_add(joined, "\n", 1, err));
        ATT_TRY(at_buf_puts(joined, tokenizer->pieces[i], err));
    }
    return ATT_OK;
}

static at_status add_tokenizer(parts *p, const at_stored_model *model, int which, const char *path, at_error *err)
{
    static const char *const names[2][2] = {{"tokenizer.source", "tokenizer.source.pieces"},
                                            {"tokenizer.target", "tokenizer.target.pieces"}};
    const at_stored_tokenizer *tokenizer = &model->tokenizer[which];
    if (tokenizer->bytes == NULL) return ATT_OK;
    add_bytes(p, names[which][0], tokenizer->bytes, tokenizer->size);
    if (tokenizer->pieces == NULL) return ATT_OK;
    ATT_TRY(join_pieces(&p->pieces[which], tokenizer, path, err));
    add_bytes(p, names[which][1], p->pieces[which].data, p->pieces[which].len);
    return ATT_OK;
}

static void add_tensors(parts *p, const at_stored_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) p->tensors[p->tensor_count++] = tensors[i];
}

static at_status make_tensors(parts *p, const at_stored_model *model, const char *path, const at_stored_tensor *extra,
                              size_t extra_count, at_error *err)
{
    const size_t most = model->tensor_count + TOKENIZER_TENSORS + extra_count;
    p->tensors = malloc(most * sizeof *p->tensors);
    if (p->tensors == NULL) return at_fail_memory(err, most * sizeof *p->tensors);
    add_tensors(p, model->tensors, model->tensor_count);
    ATT_TRY(add_tokenizer(p, model, 0, path, err));
    ATT_TRY(add_tokenizer(p, model, 1, path, err));
    add_tensors(p, extra, extra_count);
    return ATT_OK;
}

at_status at_stored_model_write(const at_stored_model *model, const char *path, const at_stored_tensor *extra,
                                size_t extra_count, const at_metadata *metadata, size_t metadata_count, at_error *err)
{
    parts p = {0};
    at_status status = make_metadata(&p, model, path, metadata, metadata_count, err);
    if (status == ATT_OK) status = make_tensors(&p, model, path, extra, extra_count, err);
    if (status == ATT_OK)
        status = at_safetensors_write(path, p.tensors, p.tensor_count, p.metadata, p.metadata_count, err);
    parts_free(&p);
    return status;
}
