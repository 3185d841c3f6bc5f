/* Configuration and vocabulary of export_marian.h. Numbers of pieces are the new ones everywhere. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_dump.h"
#include "base/utf8.h"
#include "format/export_marian.h"

static at_status write_file(at_export_job *job, const char *name, const void *bytes, size_t size, at_error *err)
{
    const char *path = at_folder_file(&job->folder, name);
    if (path == NULL) return at_fail_memory(err, ATT_FOLDER_FILES);
    return at_file_write(path, bytes, size, err);
}

/* Takes over `object`; NULL is lack of memory. */
static at_status write_json(at_export_job *job, const char *name, json_t *object, at_error *err)
{
    char *text = object ? at_json_dump(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    at_buf line = {0};
    json_decref(object);
    at_status status = text ? at_buf_printf(&line, err, "%s\n", text) : at_fail_memory(err, 0);
    if (status == ATT_OK) status = write_file(job, name, line.data, line.len, err);
    at_buf_free(&line);
    free(text);
    return status;
}

static json_int_t id_of(const at_export_job *job, int32_t id)
{
    return at_export_new_id(job, id);
}

/* A forced end token, or null: MarianMT's own default is 0, whatever that is. */
static json_t *forced_end(const at_export_job *job)
{
    return job->model->tokens.final_eos ? json_integer(id_of(job, job->model->tokens.eos)) : json_null();
}

/* The add_* functions are false without memory. */
static bool add_dropouts(const at_export_job *job, json_t *config)
{
    bool added = true;
    for (int i = 0; at_marian_dropouts[i][0] != NULL; i++) {
        json_t *rate = json_real(strtod(at_export_setting(job, at_marian_dropouts[i][0]), NULL));
        added &= json_object_set_new(config, at_marian_dropouts[i][1], rate) == 0;
    }
    return added;
}

static bool add_vocabularies(const at_export_job *job, json_t *config)
{
    if (json_object_set_new(config, "vocab_size", json_integer(job->vocab[0])) != 0) return false;
    if (!job->layout->two_vocabularies) return true;
    json_t *shared = json_boolean(job->tied_embeddings);
    return json_object_set_new(config, "decoder_vocab_size", json_integer(job->vocab[1])) == 0 &&
           json_object_set_new(config, "share_encoder_decoder_embeddings", shared) == 0;
}

/* What transformers takes from model_type, and CTranslate2's converter asks for. */
static bool add_variants(const at_export_job *job, json_t *config)
{
    return json_object_set_new(config, "normalize_before", json_boolean(job->layout->pre_norm)) == 0 &&
           json_object_set_new(config, "add_final_layer_norm", json_boolean(job->layout->pre_norm)) == 0 &&
           json_object_set_new(config, "normalize_embedding", json_false()) == 0;
}

static at_status write_config(at_export_job *job, at_error *err)
{
    const at_stored_tokens *t = &job->model->tokens;
    json_t *config = json_pack(
        "{s:s, s:[s], s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:b, s:i, s:I, s:I, s:I, s:I, s:o}",
        "model_type", job->layout->model_type, "architectures", job->layout->architecture, "is_encoder_decoder", 1,
        "dtype", "float32", "d_model", (json_int_t)job->width, "encoder_layers", (json_int_t)job->layers[0],
        "decoder_layers", (json_int_t)job->layers[1], "encoder_attention_heads", (json_int_t)job->heads,
        "decoder_attention_heads", (json_int_t)job->heads, "encoder_ffn_dim", (json_int_t)job->ffn, "decoder_ffn_dim",
        (json_int_t)job->ffn, "activation_function", job->activation, "scale_embedding", (int)job->scaled,
        "tie_word_embeddings", (int)job->tied_output, "max_position_embeddings", (int)ATT_EXPORT_POSITIONS,
        "pad_token_id", id_of(job, t->pad), "bos_token_id", id_of(job, t->target_start), "eos_token_id",
        id_of(job, t->eos), "decoder_start_token_id", id_of(job, job->zero_start ? t->pad : t->target_start),
        "forced_eos_token_id", forced_end(job));
    if (config && add_vocabularies(job, config) && add_dropouts(job, config) && add_variants(job, config))
        return write_json(job, "config.json", config, err);
    json_decref(config);
    return at_fail_memory(err, 0);
}

/* What fills up a batch. CTranslate2 starts Pegasus's decoder with it, so that it is the start token there. */
static int32_t filler(const at_export_job *job)
{
    return job->layout->zero_start ? job->model->tokens.pad : job->model->tokens.target_start;
}

static at_status write_generation(at_export_job *job, at_error *err)
{
    const at_stored_tokens *t = &job->model->tokens;
    json_t *generation =
        json_pack("{s:I, s:I, s:I, s:I, s:o, s:[[I]], s:i, s:i}", "bos_token_id", id_of(job, t->target_start),
                  "eos_token_id", id_of(job, t->eos), "pad_token_id", id_of(job, filler(job)), "decoder_start_token_id",
                  id_of(job, job->zero_start ? t->pad : t->target_start), "forced_eos_token_id", forced_end(job),
                  "bad_words_ids", id_of(job, t->pad), "max_length", (int)ATT_EXPORT_POSITIONS, "num_beams", 4);
    return write_json(job, "generation_config.json", generation, err);
}

/* A language that the model's info names; NULL, which json_pack leaves out, when it doesn't. */
static const char *language(const json_t *info, const char *key)
{
    return json_string_value(json_object_get(info, key));
}

static at_status write_tokenizer_config(at_export_job *job, at_error *err)
{
    const char *const *pieces = job->model->tokenizer[0].pieces;
    const at_stored_tokens *t = &job->model->tokens;
    json_t *info = json_loads(job->model->info, 0, NULL);
    if (info == NULL) return at_fail_memory(err, strlen(job->model->info)); /* it was checked when the model was read */
    json_t *config =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:i, s:s*, s:s*}", "tokenizer_class", "MarianTokenizer", "unk_token",
                  "<unk>", "eos_token", pieces[t->eos], "pad_token", pieces[filler(job)], "separate_vocabs",
                  (int)job->two_vocabularies, "model_max_length", (int)ATT_EXPORT_POSITIONS, "source_lang",
                  language(info, "source_language"), "target_lang", language(info, "target_language"));
    json_decref(info);
    if (config != NULL && filler(job) != t->pad &&
        json_object_set_new(config, "additional_special_tokens", json_pack("[s]", pieces[t->pad])) != 0) {
        json_decref(config);
        config = NULL;
    }
    return write_json(job, "tokenizer_config.json", config, err);
}

static at_status write_vocab(at_export_job *job, const char *name, const at_stored_tokenizer *tokenizer, at_error *err)
{
    json_t *vocab = json_object();
    at_status status = vocab ? ATT_OK : at_fail_memory(err, 0);
    for (int32_t id = 0; id < tokenizer->piece_count && status == ATT_OK; id++) {
        const char *piece = tokenizer->pieces[at_export_old_id(job, id)];
        if (at_utf8_valid(piece, strlen(piece)) < strlen(piece))
            status = at_fail(err, ATT_UNSUPPORTED, "%s: a piece of the vocabulary is no UTF-8", job->name);
        else if (json_object_get(vocab, piece) != NULL)
            status = at_fail(err, ATT_UNSUPPORTED, "%s: a piece of the vocabulary stands there twice: %s", job->name, piece);
        else if (json_object_set_new(vocab, piece, json_integer(id)) != 0)
            status = at_fail_memory(err, strlen(piece));
    }
    if (status == ATT_OK) return write_json(job, name, vocab, err);
    json_decref(vocab);
    return status;
}

at_status at_export_files(at_export_job *job, at_error *err)
{
    const at_stored_tokenizer *source = &job->model->tokenizer[0], *target = &job->model->tokenizer[1];
    if (target->bytes == NULL) target = source;
    ATT_TRY(write_config(job, err));
    ATT_TRY(write_generation(job, err));
    ATT_TRY(write_tokenizer_config(job, err));
    ATT_TRY(write_file(job, "source.spm", source->bytes, source->size, err));
    ATT_TRY(write_file(job, "target.spm", target->bytes, target->size, err));
    ATT_TRY(write_vocab(job, "vocab.json", source, err));
    if (job->two_vocabularies) return write_vocab(job, "target_vocab.json", target, err);
    job->folder.obsolete = "target_vocab.json";
    return ATT_OK;
}
