/* From a stored model to one that computes, and back. Loading is strict: every parameter must be there with its shape,
 * and nothing else, so that no model runs with weights it doesn't have. See bundle.h. */
#include "infer/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static at_status find_arch(const at_arch **arch, const at_stored_model *stored, const char *name, at_error *err)
{
    *arch = at_arch_find(stored->arch);
    if (*arch != NULL) return ATT_OK;
    at_buf known = {0};
    at_status status = ATT_OK;
    for (int i = 0; at_arch_at(i) != NULL && status == ATT_OK; i++)
        status = at_buf_printf(&known, err, "%s%s", i > 0 ? ", " : "", at_arch_at(i)->name);
    if (status == ATT_OK)
        status = at_fail(err, ATT_UNSUPPORTED,
                         "%s: its architecture \"%.60s\" is none that this attend has (%s); use a newer attend", name,
                         stored->arch, known.data);
    at_buf_free(&known);
    return status;
}

/* A wrong option that stands in a file is wrong input. */
static at_status in_file(at_status status)
{
    return status == ATT_OPTION ? ATT_INPUT : status;
}

/* Options that the file doesn't name keep their defaults. */
static at_status configure(at_model *model, const at_stored_model *stored, const char *name, at_error *err)
{
    for (size_t i = 0; i < stored->setting_count; i++) {
        const at_setting *setting = &stored->settings[i];
        const at_option *row = at_option_find(model->arch->options, setting->name);
        if (row == NULL)
            return at_fail(err, ATT_UNSUPPORTED, "%s: option \"%.60s\" is none of architecture %s; use a newer attend",
                           name, setting->name, model->arch->name);
        at_error why;
        const at_status status = at_option_set(row, model->config, setting->value, row->name, &why);
        if (status != ATT_OK) return at_fail(err, in_file(status), "%s: configuration: %s", name, why.text);
    }
    return ATT_OK;
}

static const at_stored_tensor *find_stored(const at_stored_model *stored, const char *name)
{
    for (size_t i = 0; i < stored->tensor_count; i++)
        if (strcmp(stored->tensors[i].name, name) == 0) return &stored->tensors[i];
    return NULL;
}

/* "2 x 3", for messages. */
static void write_shape(char *text, size_t room, int rank, const int64_t *dim)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%" PRId64, i > 0 ? " x " : "", dim[i]);
}

static at_status check_shape(const at_stored_tensor *from, const at_tensor *to, const char *name, at_error *err)
{
    if (from->dtype == ATT_F32 && from->rank == to->rank &&
        memcmp(from->dim, to->dim, (size_t)to->rank * sizeof *to->dim) == 0)
        return ATT_OK;
    char has[180], wants[180];
    write_shape(has, sizeof has, from->rank, from->dim);
    write_shape(wants, sizeof wants, to->rank, to->dim);
    return at_fail(
        err, ATT_INPUT,
        "%s: tensor \"%s\" is %s %s, but its configuration wants F32 %s; take weights and configuration from "
        "one model",
        name, to->name, at_safetensors_dtype(from->dtype), has, wants);
}

/* Every parameter has its tensor, and every tensor its parameter. */
static at_status check_weights(const at_params *params, const at_stored_model *stored, const char *name, at_error *err)
{
    for (int i = 0; i < params->count; i++) {
        const at_tensor *to = params->tensor[i];
        const at_stored_tensor *from = find_stored(stored, to->name);
        if (from == NULL)
            return at_fail(err, ATT_INPUT, "%s: tensor \"%s\" is missing; copy or make the file again", name, to->name);
        ATT_TRY(check_shape(from, to, name, err));
    }
    for (size_t i = 0; i < stored->tensor_count; i++)
        if (at_params_find(params, stored->tensors[i].name) == NULL)
            return at_fail(err, ATT_INPUT,
                           "%s: tensor \"%.200s\" is no part of the model that its configuration describes", name,
                           stored->tensors[i].name);
    return ATT_OK;
}

/* at_model_build in its two steps, with the check between them: a configuration that doesn't fit the tensors is told
 * before memory for it is taken. */
static at_status build(at_model *model, const at_stored_model *stored, const char *name, bool training, at_error *err)
{
    at_error why;
    at_status status = model->arch->build(model, &why);
    if (status != ATT_OK) return at_fail(err, in_file(status), "%s: %s", name, why.text);
    if (model->params.failed) return at_fail(err, ATT_MEMORY, "%s: no memory to describe the model", name);
    ATT_TRY(check_weights(&model->params, stored, name, err));
    status = at_params_allocate(&model->params, training, &why);
    return status == ATT_OK ? ATT_OK : at_fail(err, status, "%s: %s", name, why.text);
}

static void load_weights(at_params *params, const at_stored_model *stored)
{
    for (int i = 0; i < params->count; i++) {
        const at_stored_tensor *from = find_stored(stored, params->tensor[i]->name);
        params->be->upload(params->be, params->tensor[i]->data, from->data, from->bytes);
        if (stored->file) at_safetensors_forget(stored->file);
    }
    at_params_changed(params);
}

static at_status open_tokenizer(at_tokenizer **tokenizer, const at_stored_tokenizer *stored, const char *name,
                                at_error *err)
{
    ATT_TRY(at_tokenizer_open(tokenizer, stored->bytes, stored->size, name, err));
    if (stored->pieces == NULL) return ATT_OK;
    at_error why;
    const at_status status = at_tokenizer_renumber(*tokenizer, stored->pieces, stored->piece_count, &why);
    return status == ATT_OK ? ATT_OK : at_fail(err, status, "%s: %s", name, why.text);
}

static at_status open_tokenizers(at_bundle *bundle, const at_stored_model *stored, const char *name, at_error *err)
{
    if (stored->tokenizer[0].bytes == NULL) return ATT_OK;
    ATT_TRY(open_tokenizer(&bundle->source, &stored->tokenizer[0], name, err));
    if (stored->tokenizer[1].bytes != NULL) return open_tokenizer(&bundle->target, &stored->tokenizer[1], name, err);
    bundle->target = bundle->source;
    return ATT_OK;
}

/* Ids are rows of embedding tables: none may lie outside. */
static at_status check_tokens(const at_bundle *bundle, const char *name, at_error *err)
{
    const at_stored_tokens *t = &bundle->tokens;
    int64_t source, target;
    bundle->model->arch->vocab(bundle->model, &source, &target);
    if (t->target_start >= target || t->eos >= target || t->eos >= source || t->pad >= target || t->target_start < 0 ||
        t->eos < 0)
        return at_fail(err, ATT_INPUT, "%s: a special token (start %d, end %d, padding %d) lies outside the vocabulary",
                       name, (int)t->target_start, (int)t->eos, (int)t->pad);
    const int64_t pieces[2] = {bundle->source ? at_tokenizer_size(bundle->source) : 0,
                               bundle->target ? at_tokenizer_size(bundle->target) : 0};
    if (pieces[0] <= source && pieces[1] <= target) return ATT_OK;
    return at_fail(err, ATT_INPUT,
                   "%s: the tokenizers have %" PRId64 " and %" PRId64 " pieces, but the model has rows for %" PRId64
                   " and %" PRId64 "; take both from one model",
                   name, pieces[0], pieces[1], source, target);
}

static at_status fill(at_bundle *bundle, const at_stored_model *stored, const char *name, at_backend *be, bool training,
                      at_error *err)
{
    const at_arch *arch;
    ATT_TRY(find_arch(&arch, stored, name, err));
    ATT_TRY(at_model_new(&bundle->model, arch, be, err));
    ATT_TRY(configure(bundle->model, stored, name, err));
    ATT_TRY(build(bundle->model, stored, name, training, err));
    load_weights(&bundle->model->params, stored);
    ATT_TRY(open_tokenizers(bundle, stored, name, err));
    bundle->tokens = stored->tokens;
    bundle->info = strdup(stored->info);
    if (bundle->info == NULL) return at_fail_memory(err, strlen(stored->info) + 1);
    return check_tokens(bundle, name, err);
}

at_status at_bundle_make(at_bundle *bundle, const at_stored_model *stored, const char *name, at_backend *be,
                         bool training, at_error *err)
{
    *bundle = (at_bundle){0};
    const at_status status = fill(bundle, stored, name, be, training, err);
    if (status != ATT_OK) at_bundle_free(bundle);
    return status;
}

at_status at_bundle_open(at_bundle *bundle, const char *path, at_backend *be, bool training, at_error *err)
{
    *bundle = (at_bundle){0};
    at_stored_model stored;
    ATT_TRY(at_stored_model_open(&stored, path, err));
    const at_status status = at_bundle_make(bundle, &stored, path, be, training, err);
    at_stored_model_close(&stored);
    return status;
}

void at_bundle_free(at_bundle *bundle)
{
    at_model_free(bundle->model);
    if (bundle->target != bundle->source) at_tokenizer_free(bundle->target);
    at_tokenizer_free(bundle->source);
    free(bundle->info);
    *bundle = (at_bundle){0};
}

/* ---- views and ensembles ---- */

at_status at_bundle_share(at_bundle *view, const at_bundle *owner, at_backend *be, at_error *err)
{
    at_model *model = malloc(sizeof *model);
    if (model == NULL) return at_fail_memory(err, sizeof *model);
    *model = *owner->model;
    model->params.be = be;
    *view = *owner;
    view->model = model;
    return ATT_OK;
}

void at_bundle_unshare(at_bundle *view)
{
    free(view->model);
    *view = (at_bundle){0};
}

static bool same_tokens(const at_stored_tokens *a, const at_stored_tokens *b)
{
    return a->target_start == b->target_start && a->eos == b->eos && a->pad == b->pad && a->final_eos == b->final_eos;
}

static int64_t target_vocab(const at_model *model)
{
    int64_t source, target;
    model->arch->vocab(model, &source, &target);
    return target;
}

/* NULL: nothing differs. */
static const char *what_differs(const at_bundle *a, const at_bundle *b)
{
    if (at_tokenizer_hash(a->target) != at_tokenizer_hash(b->target) ||
        target_vocab(a->model) != target_vocab(b->model))
        return "target vocabulary";
    if (at_tokenizer_hash(a->source) != at_tokenizer_hash(b->source)) return "source vocabulary";
    return same_tokens(&a->tokens, &b->tokens) ? NULL : "start, end or padding token";
}

at_status at_bundles_agree(const at_bundle *const *bundles, const char *const *names, int64_t count, at_error *err)
{
    for (int64_t i = 0; i < count; i++) {
        if (bundles[i]->source == NULL || bundles[i]->target == NULL)
            return at_fail(err, ATT_OPTION,
                           "%s: the model has no tokenizer, so it can't read text; import it with its tokenizer",
                           names[i]);
        const char *what = what_differs(bundles[0], bundles[i]);
        if (what)
            return at_fail(err, ATT_INPUT, "%s and %s: the %s differs; an ensemble needs models trained with one",
                           names[0], names[i], what);
    }
    return ATT_OK;
}

/* ---- saving ---- */

static at_status describe_settings(at_stored_model *stored, const at_model *model, at_error *err)
{
    size_t count = 0;
    while (model->arch->options[count].name != NULL) count++;
    at_setting *settings = at_arena_array(&stored->arena, count, sizeof *settings);
    if (settings == NULL) return at_fail_memory(err, count * sizeof *settings);
    at_buf text = {0};
    at_status status = ATT_OK;
    for (size_t i = 0; i < count && status == ATT_OK; i++) {
        const at_option *row = &model->arch->options[i];
        at_buf_clear(&text);
        status = at_option_format(row, model->config, &text, err);
        if (status != ATT_OK) break;
        settings[i] = (at_setting){row->name, at_arena_strdup(&stored->arena, text.data)};
        if (settings[i].value == NULL) status = at_fail_memory(err, text.len);
    }
    at_buf_free(&text);
    stored->settings = settings;
    stored->setting_count = count;
    return status;
}

static void read_device(void *arg, const void *data, size_t from, void *to, size_t count)
{
    at_backend *be = arg;
    be->download(be, to, (const char *)data + from, count);
}

at_stored_source at_bundle_source(const at_bundle *bundle)
{
    return (at_stored_source){read_device, bundle->model->params.be};
}

/* The weights as they lie in the block, which source reads (NULL: a host copy). */
static at_status describe_weights(at_stored_model *stored, const at_params *params, const float *block,
                                  const at_stored_source *source, at_error *err)
{
    const size_t count = (size_t)params->count;
    at_stored_tensor *tensors = at_arena_array(&stored->arena, count, sizeof *tensors);
    if (tensors == NULL) return at_fail_memory(err, count * sizeof *tensors);
    for (size_t i = 0; i < count; i++) {
        const at_tensor *t = params->tensor[i];
        tensors[i] = (at_stored_tensor){.name = t->name,
                                        .dtype = ATT_F32,
                                        .rank = t->rank,
                                        .data = block + params->offset[i],
                                        .bytes = (size_t)at_tensor_floats(t) * sizeof(float),
                                        .source = source};
        memcpy(tensors[i].dim, t->dim, (size_t)t->rank * sizeof *t->dim);
    }
    stored->tensors = tensors;
    stored->tensor_count = count;
    return ATT_OK;
}

static at_status describe_pieces(at_stored_model *stored, at_stored_tokenizer *to, const at_tokenizer *tokenizer,
                                 at_error *err)
{
    to->piece_count = at_tokenizer_size(tokenizer);
    const char **pieces = at_arena_array(&stored->arena, (size_t)to->piece_count, sizeof *pieces);
    if (pieces == NULL) return at_fail_memory(err, (size_t)to->piece_count * sizeof *pieces);
    for (int i = 0; i < to->piece_count; i++) pieces[i] = at_tokenizer_piece(tokenizer, i);
    to->pieces = pieces;
    return ATT_OK;
}

static at_status describe_tokenizer(at_stored_model *stored, at_stored_tokenizer *to, const at_tokenizer *tokenizer,
                                    at_error *err)
{
    to->bytes = at_tokenizer_bytes(tokenizer, &to->size);
    return at_tokenizer_is_renumbered(tokenizer) ? describe_pieces(stored, to, tokenizer, err) : ATT_OK;
}

at_status at_bundle_complete(const at_bundle *bundle, at_stored_model *stored, at_error *err)
{
    ATT_TRY(describe_settings(stored, bundle->model, err));
    if (bundle->source == NULL) return ATT_OK;
    ATT_TRY(describe_pieces(stored, &stored->tokenizer[0], bundle->source, err));
    if (bundle->target == bundle->source) return ATT_OK;
    return describe_pieces(stored, &stored->tokenizer[1], bundle->target, err);
}

static at_status describe(at_stored_model *stored, const at_bundle *bundle, const float *block,
                          const at_stored_source *source, at_error *err)
{
    stored->arch = bundle->model->arch->name;
    stored->tokens = bundle->tokens;
    stored->info = bundle->info ? bundle->info : "{}";
    ATT_TRY(describe_settings(stored, bundle->model, err));
    ATT_TRY(describe_weights(stored, &bundle->model->params, block, source, err));
    if (bundle->source == NULL) return ATT_OK;
    ATT_TRY(describe_tokenizer(stored, &stored->tokenizer[0], bundle->source, err));
    if (bundle->target == bundle->source) return ATT_OK;
    return describe_tokenizer(stored, &stored->tokenizer[1], bundle->target, err);
}

at_status at_bundle_save(const at_bundle *bundle, const char *path, const float *weights, const at_stored_tensor *extra,
                         size_t extra_count, const at_metadata *metadata, size_t metadata_count, at_error *err)
{
    const at_stored_source own = at_bundle_source(bundle);
    at_stored_model stored = {0};
    at_arena_init(&stored.arena, 0);
    at_status status = weights ? describe(&stored, bundle, weights, NULL, err)
                               : describe(&stored, bundle, bundle->model->params.data, &own, err);
    if (status == ATT_OK)
        status = at_stored_model_write(&stored, path, extra, extra_count, metadata, metadata_count, err);
    at_stored_model_close(&stored);
    return status;
}
