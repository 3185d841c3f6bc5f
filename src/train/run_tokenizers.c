/* See run_tokenizers.h. */
#include "train/run_tokenizers.h"

#include <stdlib.h>
#include <string.h>

/* paths: joined by '\n' */
static at_status train_tokenizer(at_tokenizer **out, const at_train_options *o, int64_t size, char *paths,
                                 at_error *err)
{
    int count = 1;
    for (const char *c = paths; *c; c++) count += *c == '\n';
    const char **path = malloc((size_t)count * sizeof *path);
    if (path == NULL) return at_fail_memory(err, (size_t)count * sizeof *path);
    char *state = NULL;
    path[0] = strtok_r(paths, "\n", &state);
    for (int i = 1; i < count; i++) path[i] = strtok_r(NULL, "\n", &state);
    const at_tokenizer_spec spec = {.paths = path,
                                    .path_count = count,
                                    .vocab_size = (int)size,
                                    .model = (at_subword)o->subword,
                                    .character_coverage = o->character_coverage,
                                    .byte_fallback = o->byte_fallback,
                                    .seed = (uint64_t)o->seed,
                                    .max_sentences = 2000000};
    at_buf bytes = {0};
    at_status status = at_tokenizer_train(&spec, &bytes, err);
    if (status == ATT_OK) status = at_tokenizer_open(out, bytes.data, bytes.len, "trained tokenizer", err);
    at_buf_free(&bytes);
    free(path);
    return status;
}

/* Trains one on the sides from `first` to `last` (0 source, 1 target). */
static at_status train_tokenizer_on(at_tokenizer **out, const at_train_options *o, int64_t size, at_text_input *text,
                                    const char *folder, int first, int last, at_error *err)
{
    at_buf paths = {0};
    at_status status = ATT_OK;
    for (int side = first; side <= last && status == ATT_OK; side++)
        status = at_text_input_side(text, side, folder, &paths, err);
    if (status == ATT_OK) status = train_tokenizer(out, o, size, paths.data, err);
    at_buf_free(&paths);
    return status;
}

static bool has_one_vocabulary(const at_train_options *o)
{
    return at_is_language_model(o) || (o->shared_vocab && o->target_tokenizer == NULL);
}

/* source and target tokenizer: given, or trained on the training text; one for both when shared. */
at_status at_run_tokenizers(at_bundle *bundle, const at_train_options *o, at_text_input *text, const char *folder,
                            at_error *err)
{
    const int64_t target_size = o->target_vocab_size > 0 ? o->target_vocab_size : o->vocab_size;
    const bool shared = has_one_vocabulary(o);
    const int last_side = shared && !text->files.one_side ? 1 : 0;
    if (o->tokenizer)
        ATT_TRY(at_tokenizer_open_file(&bundle->source, o->tokenizer, err));
    else
        ATT_TRY(train_tokenizer_on(&bundle->source, o, o->vocab_size, text, folder, 0, last_side, err));
    bundle->target = bundle->source;
    if (shared) return ATT_OK;
    bundle->target = NULL;
    if (o->target_tokenizer) return at_tokenizer_open_file(&bundle->target, o->target_tokenizer, err);
    return train_tokenizer_on(&bundle->target, o, target_size, text, folder, 1, 1, err);
}

/* A stream begins where a line ends. */
static int32_t start_token(const at_bundle *bundle, const at_train_options *o)
{
    const int32_t bos = at_tokenizer_bos(bundle->target);
    if (at_is_language_model(o)) return at_tokenizer_line_end(bundle->target);
    return bos >= 0 ? bos : at_tokenizer_eos(bundle->target);
}

at_status at_run_special_tokens(at_bundle *bundle, const at_train_options *o, at_error *err)
{
    const int32_t eos = at_tokenizer_eos(bundle->target), source_eos = at_tokenizer_eos(bundle->source);
    if (eos < 0 || source_eos != eos)
        return at_fail(
            err, ATT_INPUT,
            "the tokenizers need an end token </s> of the same id (source %d, target %d); train them with eos_id 3",
            source_eos, eos);
    bundle->tokens = (at_stored_tokens){start_token(bundle, o), eos, at_tokenizer_pad(bundle->target), false};
    return ATT_OK;
}
