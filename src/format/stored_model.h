/* A model at rest, whatever file it came from: architecture by name, its options as text, weights by attend's own names
 * and layout, tokenizers, special tokens. attend's own files and the importers of foreign ones produce it;
 * infer/bundle.h makes a model that computes from it. It knows no architecture: options are checked by whoever builds
 * the model.
 *
 * attend's file is one safetensors container (safetensors.h). Its metadata holds
 *   attend.format        "1"
 *   attend.architecture  "transformer"
 *   attend.config        JSON object: option name -> value, as at_option_format writes it (all strings)
 *   attend.tokens        JSON object: {"target_start": 2, "eos": 3, "pad": 0, "final_eos": false}
 *   attend.info          JSON object: where it came from (recipe, steps, scores); free form
 *   attend.hash          see safetensors.h
 * and its tensors are the weights (F32), then the tokenizers' bytes as U8 tensors "tokenizer.source" and, when the
 * target has its own, "tokenizer.target"; foreign numberings as "tokenizer.source.pieces" (pieces joined by '\n'). A
 * training checkpoint adds what its optimizer keeps, such as "adam.moment1", and attend.progress (train/checkpoint.h).
 */
#ifndef ATT_FORMAT_STORED_MODEL_H
#define ATT_FORMAT_STORED_MODEL_H

#include "base/arena.h"
#include "format/safetensors.h"

typedef struct at_setting {
    const char *name, *value;
} at_setting;

typedef struct at_stored_tokenizer {
    const void *bytes; /* SentencePiece model; NULL: none */
    size_t size;
    const char *const *pieces; /* foreign numbering, or NULL */
    int piece_count;
} at_stored_tokenizer;

typedef struct at_stored_tokens {
    int32_t target_start; /* first input of the decoder */
    int32_t eos;          /* ends source and target */
    int32_t pad;          /* never predicted; -1: none */
    bool final_eos;       /* at the maximum length the last token is forced to be eos (Marian, BART) */
} at_stored_tokens;

typedef struct at_stored_model {
    at_arena arena;       /* owns what is not in the file */
    at_safetensors *file; /* backing of tensors, or NULL */
    const char *arch;
    const at_setting *settings;
    size_t setting_count;
    const at_stored_tensor *tensors; /* weights only, F32 */
    size_t tensor_count;
    at_stored_tokenizer tokenizer[2]; /* source, target; the second empty when shared */
    at_stored_tokens tokens;
    const char *info; /* JSON text, never NULL */
} at_stored_model;

/* Opens attend's own file. A file without attend's metadata is ATT_INPUT, with `attend import` as the mend. */
at_status at_stored_model_open(at_stored_model *model, const char *path, at_error *err);
void at_stored_model_close(at_stored_model *model);
/* Writes attend's file. extra tensors (moments) and metadata (progress) follow the model's own; both may be empty. */
at_status at_stored_model_write(const at_stored_model *model, const char *path, const at_stored_tensor *extra,
                                size_t extra_count, const at_metadata *metadata, size_t metadata_count, at_error *err);

/* Importers: read a folder of a foreign program. ATT_INPUT names what the folder lacks or what can't be expressed. */
/* Hugging Face MarianMT, and Pegasus as at_export_marian writes it: config.json, model.safetensors, source.spm, target.spm, vocab.json. */
at_status at_import_marian(at_stored_model *model, const char *dir, at_error *err);
/* Hugging Face GPT-2: config.json, model.safetensors. */
at_status at_import_gpt2(at_stored_model *model, const char *dir, at_error *err);
/* Chooses the importer by config.json's model_type. */
at_status at_import(at_stored_model *model, const char *dir, at_error *err);

#endif
