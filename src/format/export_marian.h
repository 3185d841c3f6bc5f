/* Writing a model as a folder that Hugging Face's transformers and CTranslate2's converter read: MarianMT's layout for
 * post-norm encoder-decoders, Pegasus's for pre-norm ones (marian_layout.h).
 *
 *   config.json  generation_config.json  tokenizer_config.json
 *   model.safetensors                                   F32
 *   source.spm  target.spm  vocab.json  [target_vocab.json]
 *
 * With zero_start pieces get other numbers: padding becomes the last one, those behind it move up.
 *
 * Not M2M100's layout for pre-norm: its positions count from 2 and can't be stored, it has no bias on the logits, and
 * its tokenizer puts a language code before every sentence, so that none of attend's models could be expressed.
 *
 * export_marian.c checks and writes weights, export_marian_files.c the rest. */
#ifndef ATT_FORMAT_EXPORT_MARIAN_H
#define ATT_FORMAT_EXPORT_MARIAN_H

#include "format/folder_write.h"
#include "format/marian_layout.h"
#include "format/stored_model.h"

enum { ATT_EXPORT_POSITIONS = 1024 }; /* rows of the stored sinusoids: the longest sequence there */

typedef struct at_export_job {
    const at_stored_model *model;
    const char *name; /* of the model, for messages */
    const at_marian_layout *layout;
    at_folder folder;
    at_arena arena;         /* holds names and data of the tensors */
    at_stored_tensor *made; /* made_count of made_most */
    size_t made_count, made_most;
    int64_t width, heads, ffn, layers[2], vocab[2]; /* encoder and decoder, source and target */
    bool tied_embeddings, tied_output, output_bias, scaled;
    bool two_vocabularies;  /* pieces of source and target differ */
    bool pad_last;          /* padding gets the last number */
    bool zero_start;        /* row 0 of the decoder's positions holds what the start token adds */
    int positions;          /* index into at_marian_positions */
    const char *activation; /* theirs */
} at_export_job;

/* Whether the exporter looks at an option; the value of any other must be its default. */
bool at_export_reads(const char *option);

/* Writes the folder whole or not at all; `force`: into one that holds files already. The model must be complete
 * (at_bundle_complete): every setting, every piece, tensors checked. *program (may be NULL) receives the layout's name.
 * ATT_UNSUPPORTED names the option that the layout can't express. */
at_status at_export_marian(const at_stored_model *model, const char *name, const char *dir, bool force,
                           const char **program, at_error *err);

/* The value of a setting, "" when absent. */
const char *at_export_setting(const at_export_job *job, const char *name);
/* The number that a piece gets, of the one that has a number there. */
int32_t at_export_new_id(const at_export_job *job, int32_t id);
int32_t at_export_old_id(const at_export_job *job, int32_t id);
/* All files but the weights. */
at_status at_export_files(at_export_job *job, at_error *err);

#endif
