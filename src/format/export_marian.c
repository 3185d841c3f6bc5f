/* Checks and weights of export_marian.h. */
#include "format/export_marian.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parameters of a decoder layer, q, k and v apart; tables, norms, bias and positions besides. */
enum { LAYER_TENSORS = 26, OTHER_TENSORS = 12 };

/* ---- what the layout can express ---- */

static const char *const options_read[] = {
    "source-vocab",
    "target-vocab",
    "encoder-layers",
    "decoder-layers",
    "width",
    "heads",
    "head-width",
    "ffn",
    "norm",
    "positions",
    "max-positions",
    "activation",
    "tie-embeddings",
    "tie-output",
    "output-bias",
    "scale-embedding",
    "dropout-embedding",
    "dropout",
    "dropout-attention",
    "dropout-ffn",
};

bool at_export_reads(const char *option)
{
    for (size_t i = 0; i < sizeof options_read / sizeof *options_read; i++)
        if (strcmp(options_read[i], option) == 0) return true;
    return false;
}

const char *at_export_setting(const at_export_job *job, const char *name)
{
    for (size_t i = 0; i < job->model->setting_count; i++)
        if (strcmp(job->model->settings[i].name, name) == 0) return job->model->settings[i].value;
    return "";
}

static int64_t whole(const at_export_job *job, const char *name)
{
    return strtoll(at_export_setting(job, name), NULL, 10);
}

static bool is_true(const at_export_job *job, const char *name)
{
    return strcmp(at_export_setting(job, name), "true") == 0;
}

/* One line: what can't be expressed, and what can. */
static at_status refuse(const at_export_job *job, const char *option, const char *mend, at_error *err)
{
    return at_fail(err, ATT_UNSUPPORTED, "%s: %s's layout can't express %s %s; %s", job->name, job->layout->program,
                   option, at_export_setting(job, option), mend);
}

static at_status choose_activation(at_export_job *job, at_error *err)
{
    const char *own = at_export_setting(job, "activation");
    for (int i = 0; at_marian_activations[i][0] != NULL; i++) {
        if (strcmp(at_marian_activations[i][0], own) != 0) continue;
        job->activation = at_marian_activations[i][1];
        return ATT_OK;
    }
    return refuse(job, "activation", "train with relu, gelu, gelu-tanh or swish", err);
}

static at_status choose_positions(at_export_job *job, at_error *err)
{
    const char *own = at_export_setting(job, "positions");
    for (job->positions = 0; at_marian_positions[job->positions] != NULL; job->positions++)
        if (strcmp(at_marian_positions[job->positions], own) == 0) return ATT_OK;
    return refuse(job, "positions", "train with sinusoids of any kind", err);
}

static bool same_pieces(const at_stored_tokenizer *a, const at_stored_tokenizer *b)
{
    bool same = a->piece_count == b->piece_count;
    for (int i = 0; i < a->piece_count && same; i++) same = strcmp(a->pieces[i], b->pieces[i]) == 0;
    return same;
}

static at_status check_vocabularies(at_export_job *job, at_error *err)
{
    const at_stored_tokenizer *t = job->model->tokenizer;
    const at_stored_tokens *tokens = &job->model->tokens;
    if (t[0].bytes == NULL)
        return at_fail(err, ATT_UNSUPPORTED,
                       "%s: has no vocabulary, which the folder must hold; export a model of text", job->name);
    if (tokens->pad < 0 || tokens->pad >= t[0].piece_count)
        return at_fail(err, ATT_UNSUPPORTED, "%s: has no padding token, which %s's layout needs", job->name,
                       job->layout->program);
    job->two_vocabularies = t[1].bytes != NULL && !same_pieces(&t[0], &t[1]);
    if (job->two_vocabularies && !job->layout->two_vocabularies)
        return at_fail(err, ATT_UNSUPPORTED,
                       "%s: %s's layout can't express two vocabularies; train with shared-vocab true, or norm post",
                       job->name, job->layout->program);
    if (!job->tied_embeddings && !job->layout->two_vocabularies)
        return refuse(job, "tie-embeddings", "train with tie-embeddings true, or norm post", err);
    job->pad_last = job->layout->zero_start && !job->two_vocabularies;
    if (job->pad_last && (job->vocab[0] != t[0].piece_count || job->vocab[1] != t[0].piece_count))
        return at_fail(err, ATT_UNSUPPORTED,
                       "%s: its tables have rows without a piece, which %s's layout can't express; train with the "
                       "vocabulary's own size",
                       job->name, job->layout->program);
    job->zero_start = job->pad_last && tokens->target_start != tokens->pad;
    return ATT_OK;
}

static at_status read_settings(at_export_job *job, at_error *err)
{
    job->layout = at_marian_layout_for(strcmp(at_export_setting(job, "norm"), "pre") == 0);
    job->width = whole(job, "width");
    job->heads = whole(job, "heads");
    job->ffn = whole(job, "ffn");
    job->layers[0] = whole(job, "encoder-layers");
    job->layers[1] = whole(job, "decoder-layers");
    job->vocab[0] = whole(job, "source-vocab");
    job->vocab[1] = whole(job, "target-vocab");
    job->tied_embeddings = is_true(job, "tie-embeddings");
    job->tied_output = is_true(job, "tie-output");
    job->output_bias = is_true(job, "output-bias");
    job->scaled = is_true(job, "scale-embedding");
    if (strcmp(job->model->arch, "transformer") != 0)
        return at_fail(err, ATT_UNSUPPORTED, "%s: architecture %s has no layout there; export a transformer", job->name,
                       job->model->arch);
    if (whole(job, "head-width") * job->heads != job->width)
        return refuse(job, "head-width", "train with width divisible by heads and head-width 0", err);
    ATT_TRY(choose_activation(job, err));
    ATT_TRY(choose_positions(job, err));
    return check_vocabularies(job, err);
}

/* ---- numbers of pieces ---- */

int32_t at_export_new_id(const at_export_job *job, int32_t id)
{
    const int32_t pad = job->model->tokens.pad;
    if (!job->pad_last || id < pad) return id;
    return id == pad ? (int32_t)job->vocab[1] - 1 : id - 1;
}

int32_t at_export_old_id(const at_export_job *job, int32_t id)
{
    const int32_t pad = job->model->tokens.pad;
    if (!job->pad_last || id < pad) return id;
    return id == (int32_t)job->vocab[1] - 1 ? pad : id + 1;
}

/* ---- weights ---- */

static const at_stored_tensor *find(const at_export_job *job, const char *name)
{
    for (size_t i = 0; i < job->model->tensor_count; i++)
        if (strcmp(job->model->tensors[i].name, name) == 0) return &job->model->tensors[i];
    return NULL;
}

/* Element i; files that other programs wrote again may be unaligned. */
static float element(const at_stored_tensor *tensor, int64_t i)
{
    float value;
    memcpy(&value, (const char *)tensor->data + (size_t)i * sizeof value, sizeof value);
    return value;
}

/* A new tensor (d0,d1), or (d0) where d1 is 0, to be filled. */
static at_status make(at_export_job *job, const char *name, int64_t d0, int64_t d1, float **data, at_error *err)
{
    const size_t count = (size_t)d0 * (size_t)(d1 ? d1 : 1);
    const char *copy = at_arena_strdup(&job->arena, name);
    *data = at_arena_array(&job->arena, count, sizeof **data);
    if (copy == NULL || *data == NULL || job->made_count == job->made_most)
        return at_fail_memory(err, count * sizeof **data);
    job->made[job->made_count++] =
        (at_stored_tensor){copy, ATT_F32, d1 ? 2 : 1, {d0, d1}, *data, count * sizeof **data, NULL};
    return ATT_OK;
}

/* Columns first .. first + out - 1 of ours (in, all), or of a vector, as theirs (out, in). */
static at_status put_part(at_export_job *job, const char *name, const at_stored_tensor *ours, int64_t first,
                          int64_t out, at_error *err)
{
    const int64_t in = ours->rank == 2 ? ours->dim[0] : 1, all = ours->dim[ours->rank - 1];
    float *to;
    ATT_TRY(make(job, name, out, ours->rank == 2 ? in : 0, &to, err));
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < in; k++) to[o * in + k] = element(ours, k * all + first + o);
    return ATT_OK;
}

/* Both tensors of "<side>.<layer>.<row>", a linear layer or a norm, in their parts. */
static at_status put_row(at_export_job *job, const char *side, int layer, const at_marian_row *row, at_error *err)
{
    static const char *const kinds[] = {"weight", "bias"};
    const int parts = row->parts ? row->parts : 1;
    char name[160];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s.%d.%s.%s", side, layer, row->name, kinds[i]);
        const at_stored_tensor *ours = find(job, name);
        const int64_t out = ours->dim[ours->rank - 1] / parts;
        for (int p = 0; p < parts; p++) {
            snprintf(name, sizeof name, "model.%s.layers.%d.%s.%s", side, layer, row->from[p], kinds[i]);
            ATT_TRY(put_part(job, name, ours, p * out, out, err));
        }
    }
    return ATT_OK;
}

static at_status put_rows(at_export_job *job, const char *side, int layer, const at_marian_row *rows, at_error *err)
{
    for (; rows->name != NULL; rows++) ATT_TRY(put_row(job, side, layer, rows, err));
    return ATT_OK;
}

static at_status put_final_norm(at_export_job *job, const char *side, at_error *err)
{
    char ours[64], theirs[64];
    for (int i = 0; i < 2; i++) {
        snprintf(ours, sizeof ours, "%s.norm.%s", side, i ? "bias" : "weight");
        snprintf(theirs, sizeof theirs, "model.%s.layer_norm.%s", side, i ? "bias" : "weight");
        ATT_TRY(put_part(job, theirs, find(job, ours), 0, job->width, err));
    }
    return ATT_OK;
}

static at_status put_side(at_export_job *job, bool decoder, at_error *err)
{
    const char *side = decoder ? "decoder" : "encoder";
    for (int i = 0; i < (int)job->layers[decoder]; i++) {
        ATT_TRY(put_rows(job, side, i, at_marian_self, err));
        if (decoder) ATT_TRY(put_rows(job, side, i, at_marian_cross, err));
        ATT_TRY(put_rows(job, side, i, at_marian_ffn, err));
    }
    return job->layout->pre_norm ? put_final_norm(job, side, err) : ATT_OK;
}

/* Rows in their new order; ours is (V,D). Where the target starts from zero, padding's row is zero. */
static at_status put_table(at_export_job *job, const char *name, const char *ours, at_error *err)
{
    const at_stored_tensor *table = find(job, ours);
    float *to;
    ATT_TRY(make(job, name, table->dim[0], job->width, &to, err));
    for (int32_t row = 0; row < (int32_t)table->dim[0]; row++, to += job->width) {
        const int32_t from = at_export_old_id(job, row);
        const bool zero = job->zero_start && from == job->model->tokens.pad;
        for (int64_t j = 0; j < job->width; j++) to[j] = zero ? 0 : element(table, from * job->width + j);
    }
    return ATT_OK;
}

/* One table for all is stored once; one that the output doesn't share under each of its names, as transformers without
 * tying reads them all. */
static at_status put_tables(at_export_job *job, at_error *err)
{
    const bool one = job->tied_embeddings;
    if (one) ATT_TRY(put_table(job, "model.shared.weight", "embedding", err));
    if (one && job->tied_output) return ATT_OK;
    ATT_TRY(put_table(job, "model.encoder.embed_tokens.weight", one ? "embedding" : "source.embedding", err));
    return put_table(job, "model.decoder.embed_tokens.weight", one ? "embedding" : "target.embedding", err);
}

/* output.weight (D,V) as (V,D), rows in their new order. */
static at_status put_output(at_export_job *job, at_error *err)
{
    const int64_t vocab = job->vocab[1];
    const at_stored_tensor *ours = find(job, "output.weight");
    float *to;
    ATT_TRY(make(job, "lm_head.weight", vocab, job->width, &to, err));
    for (int32_t row = 0; row < (int32_t)vocab; row++)
        for (int64_t k = 0; k < job->width; k++) *to++ = element(ours, k * vocab + at_export_old_id(job, row));
    return ATT_OK;
}

/* Zero where the model has none: the layout always has one. */
static at_status put_bias(at_export_job *job, at_error *err)
{
    const at_stored_tensor *ours = job->output_bias ? find(job, "output.bias") : NULL;
    float *to;
    ATT_TRY(make(job, "final_logits_bias", 1, job->vocab[1], &to, err));
    for (int32_t i = 0; i < (int32_t)job->vocab[1]; i++) to[i] = ours ? element(ours, at_export_old_id(job, i)) : 0;
    return ATT_OK;
}

static at_status put_positions(at_export_job *job, const char *name, float **to, at_error *err)
{
    ATT_TRY(make(job, name, ATT_EXPORT_POSITIONS, job->width, to, err));
    for (int64_t i = 0; i < ATT_EXPORT_POSITIONS * job->width; i++)
        (*to)[i] = at_marian_sinusoid(job->positions, i / job->width, i % job->width, job->width);
    return ATT_OK;
}

static at_status put_both_positions(at_export_job *job, at_error *err)
{
    float *rows;
    ATT_TRY(put_positions(job, "model.encoder.embed_positions.weight", &rows, err));
    ATT_TRY(put_positions(job, "model.decoder.embed_positions.weight", &rows, err));
    const at_stored_tensor *table = find(job, job->tied_embeddings ? "embedding" : "target.embedding");
    const float scale = job->scaled ? sqrtf((float)job->width) : 1;
    for (int64_t j = 0; j < job->width && job->zero_start; j++)
        rows[j] += scale * element(table, job->model->tokens.target_start * job->width + j);
    return ATT_OK;
}

static at_status put_weights(at_export_job *job, at_error *err)
{
    job->made_most = (size_t)(job->layers[0] + job->layers[1]) * LAYER_TENSORS + OTHER_TENSORS;
    job->made = at_arena_array(&job->arena, job->made_most, sizeof *job->made);
    if (job->made == NULL) return at_fail_memory(err, job->made_most * sizeof *job->made);
    ATT_TRY(put_tables(job, err));
    if (!job->tied_output) ATT_TRY(put_output(job, err));
    ATT_TRY(put_bias(job, err));
    ATT_TRY(put_both_positions(job, err));
    ATT_TRY(put_side(job, false, err));
    return put_side(job, true, err);
}

/* ---- all ---- */

static at_status write_all(at_export_job *job, at_error *err)
{
    const at_metadata format = {"format", "pt"}; /* transformers wants to know: weights lie as PyTorch's do */
    const char *path = at_folder_file(&job->folder, "model.safetensors");
    if (path == NULL) return at_fail_memory(err, ATT_FOLDER_FILES);
    ATT_TRY(put_weights(job, err));
    ATT_TRY(at_safetensors_write_plain(path, job->made, job->made_count, &format, 1, err));
    return at_export_files(job, err);
}

at_status at_export_marian(const at_stored_model *model, const char *name, const char *dir, bool force,
                           const char **program, at_error *err)
{
    at_export_job job = {.model = model, .name = name};
    ATT_TRY(read_settings(&job, err));
    at_arena_init(&job.arena, 0);
    at_status status = at_folder_begin(&job.folder, dir, force, err);
    if (status == ATT_OK) status = write_all(&job, err);
    status = at_folder_end(&job.folder, status, err);
    at_arena_free(&job.arena);
    if (status == ATT_OK && program != NULL) *program = job.layout->program;
    return status;
}
