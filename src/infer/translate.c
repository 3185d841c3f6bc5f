/* Translation of lines. All lines are tokenised first, so that one that is too long is refused before hours of work:
 *
 *   tokens    ids of line 0 | line 1 | ...          end token last; an empty line has none
 *   offset    0             | ...
 *   order     lines by length, longest first, within each window; batches are cut from it
 *
 * A line is done once its text is there, and done lines are delivered in order. */
#include "infer/translate.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "infer/guard.h"

typedef struct job {
    const at_bundle *bundle;
    const at_bundle **models; /* bundle and the ensemble's */
    const at_line *lines;
    int64_t count;
    const at_translate_options *options;
    at_translation *out;
    int64_t n_best;
    at_ids tokens;
    int64_t *offset; /* count + 1 */
    at_ids prefix;
    int64_t *prefix_offset; /* count + 1; NULL without prefixes */
    int64_t *order;         /* count */
    int64_t delivered;
    at_ids batch_ids, batch_prefix; /* of the batch in work */
    int64_t *batch_offset, *batch_prefix_offset;
    uint64_t *batch_key;
    at_hypothesis *best; /* (sentences, n_best) */
    int64_t batch_room;  /* sentences in the arrays above */
} job;

static int64_t tokens_of(const job *j, int64_t line)
{
    return j->offset[line + 1] - j->offset[line];
}

/* ---- tokens ---- */

at_status at_encode_mended(const at_tokenizer *tokenizer, at_line text, at_ids *ids, bool *mended, at_error *err)
{
    *mended = text.len > 0 && at_utf8_valid(text.data, text.len) < text.len;
    if (!*mended) return at_tokenizer_encode(tokenizer, text.len > 0 ? text.data : "", text.len, ids, err);
    at_buf valid = {0};
    at_status status = at_utf8_mend(text.data, text.len, &valid, err);
    if (status == ATT_OK) status = at_tokenizer_encode(tokenizer, valid.data, valid.len, ids, err);
    at_buf_free(&valid);
    return status;
}

static at_status tokenise_line(job *j, int64_t line, at_error *err)
{
    at_translation *out = &j->out[line];
    const size_t before = j->tokens.len;
    const int32_t unknown = at_tokenizer_unk(j->bundle->source);
    ATT_TRY(at_encode_mended(j->bundle->source, j->lines[line], &j->tokens, &out->mended, err));
    out->source_tokens = (int64_t)(j->tokens.len - before);
    for (size_t i = before; i < j->tokens.len; i++) out->unknown_tokens += j->tokens.data[i] == unknown;
    out->empty = out->source_tokens == 0;
    return out->empty ? ATT_OK : at_ids_push(&j->tokens, j->bundle->tokens.eos, err);
}

static at_status tokenise_prefix(job *j, int64_t line, at_error *err)
{
    bool mended;
    if (j->prefix_offset == NULL) return ATT_OK;
    j->prefix_offset[line] = (int64_t)j->prefix.len;
    ATT_TRY(at_encode_mended(j->bundle->target, j->options->prefixes[line], &j->prefix, &mended, err));
    j->prefix_offset[line + 1] = (int64_t)j->prefix.len;
    return ATT_OK;
}

static at_status check_length(const job *j, int64_t line, at_error *err)
{
    const at_model *model = j->bundle->model;
    const int64_t longest = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    if (longest == 0 || tokens_of(j, line) <= longest) return ATT_OK;
    return at_fail(err, ATT_INPUT,
                   "line %lld: %lld tokens, end token counted, but the model reads at most %lld; split it",
                   (long long)(j->options->first_line + line), (long long)tokens_of(j, line), (long long)longest);
}

static at_status check_cancel(const job *j, at_error *err)
{
    const volatile int *cancel = j->options->search.cancel;
    return at_cancelled(cancel) ? at_fail(err, ATT_CANCELLED, "cancelled") : ATT_OK;
}

static at_status tokenise(job *j, at_error *err)
{
    for (int64_t i = 0; i < j->count; i++) {
        j->offset[i] = (int64_t)j->tokens.len;
        ATT_TRY(tokenise_line(j, i, err));
        j->offset[i + 1] = (int64_t)j->tokens.len;
        ATT_TRY(check_length(j, i, err));
        ATT_TRY(tokenise_prefix(j, i, err));
        ATT_TRY(check_cancel(j, err));
    }
    return ATT_OK;
}

/* ---- order ---- */

typedef struct keyed {
    int64_t tokens, line;
} keyed;

/* Longest first, so that a batch too large for memory fails early; lines of one length keep their order. */
static int compare_keyed(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->tokens != y->tokens) return x->tokens > y->tokens ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

static at_status sort_lines(job *j, at_error *err)
{
    const size_t bytes = (size_t)j->count * sizeof(keyed);
    const int64_t window = j->options->window > 0 ? j->options->window : j->count;
    keyed *keys = malloc(bytes);
    if (keys == NULL) return at_fail_memory(err, bytes);
    for (int64_t i = 0; i < j->count; i++) keys[i] = (keyed){tokens_of(j, i), i};
    for (int64_t i = 0; i < j->count; i += window)
        qsort(keys + i, (size_t)(j->count - i < window ? j->count - i : window), sizeof *keys, compare_keyed);
    for (int64_t i = 0; i < j->count; i++) j->order[i] = keys[i].line;
    free(keys);
    return ATT_OK;
}

/* Where in order the batch ends that starts at `first`, at the end of its window at most. */
static int64_t batch_end(const job *j, int64_t first)
{
    const at_translate_options *o = j->options;
    const int64_t window = o->window > 0 ? o->window : j->count, rest = j->count - first;
    const int64_t in_window = window - first % window, most = in_window < rest ? in_window : rest;
    int64_t n = 0, tokens = 0;
    while (n < most && (o->batch_sentences <= 0 || n < o->batch_sentences)) {
        tokens += tokens_of(j, j->order[first + n]);
        if (n > 0 && o->batch_tokens > 0 && tokens > o->batch_tokens) break;
        n++;
    }
    return first + n;
}

/* ---- batches ---- */

static void free_batch(job *j)
{
    free(j->batch_offset);
    free(j->batch_prefix_offset);
    free(j->batch_key);
    free(j->best);
}

static at_status reserve_batch(job *j, int64_t sentences, at_error *err)
{
    if (sentences <= j->batch_room) return ATT_OK;
    const size_t n = (size_t)sentences;
    free_batch(j);
    j->batch_offset = malloc((n + 1) * sizeof *j->batch_offset);
    j->batch_prefix_offset = malloc((n + 1) * sizeof *j->batch_prefix_offset);
    j->batch_key = malloc(n * sizeof *j->batch_key);
    j->best = malloc(n * (size_t)j->n_best * sizeof *j->best);
    const bool room = j->batch_offset && j->batch_prefix_offset && j->batch_key && j->best;
    j->batch_room = room ? sentences : 0;
    return room ? ATT_OK : at_fail_memory(err, n * (size_t)j->n_best * sizeof *j->best);
}

static uint64_t key_of(const job *j, int64_t line)
{
    const at_translate_options *o = j->options;
    return o->keys ? o->keys[line] : at_rng_key(o->seed, (uint64_t)(o->first_line + line));
}

/* Appends line's part of (from, offset) as sequence n of a packed batch. */
static at_status pack_line(at_ids *to, int64_t *to_offset, int64_t n, const at_ids *from, const int64_t *offset,
                           int64_t line, at_error *err)
{
    ATT_TRY(at_ids_add(to, from->data + offset[line], (size_t)(offset[line + 1] - offset[line]), err));
    to_offset[n + 1] = (int64_t)to->len;
    return ATT_OK;
}

/* The lines of order[first .. end] as a packed batch; empty lines are left out. */
static at_status pack_batch(job *j, int64_t first, int64_t end, at_packed *batch, at_packed *prefix, at_error *err)
{
    ATT_TRY(reserve_batch(j, end - first, err));
    j->batch_ids.len = j->batch_prefix.len = 0;
    j->batch_offset[0] = j->batch_prefix_offset[0] = 0;
    int64_t n = 0;
    for (int64_t i = first; i < end; i++) {
        const int64_t line = j->order[i];
        if (tokens_of(j, line) == 0) continue;
        ATT_TRY(pack_line(&j->batch_ids, j->batch_offset, n, &j->tokens, j->offset, line, err));
        if (j->prefix_offset)
            ATT_TRY(pack_line(&j->batch_prefix, j->batch_prefix_offset, n, &j->prefix, j->prefix_offset, line, err));
        j->batch_key[n++] = key_of(j, line);
    }
    *batch = (at_packed){n, j->batch_offset, j->batch_ids.data};
    *prefix = (at_packed){n, j->batch_prefix_offset, j->batch_prefix.data};
    return ATT_OK;
}

static at_status decode_text(const job *j, const at_hypothesis *best, char **text, size_t *len, at_error *err)
{
    at_buf decoded = {0};
    at_status status = at_buf_reserve(&decoded, 0, err);
    if (status == ATT_OK && best)
        status = at_tokenizer_decode(j->bundle->target, best->ids, (size_t)best->count, &decoded, err);
    if (status != ATT_OK) {
        at_buf_free(&decoded);
        return status;
    }
    *text = decoded.data;
    *len = decoded.len;
    return ATT_OK;
}

/* Pieces and log-probabilities, the end token's last where one was chosen. */
static at_status record_tokens(const job *j, const at_hypothesis *best, at_candidate *out, at_error *err)
{
    if (best->token_log_probs == NULL) return ATT_OK;
    const int64_t count = best->count + !best->truncated;
    out->pieces = malloc((size_t)(count + 1) * sizeof *out->pieces);
    if (out->pieces == NULL) return at_fail_memory(err, (size_t)count * sizeof *out->pieces);
    out->piece_count = count;
    for (int64_t i = 0; i < count; i++) {
        const int32_t id = i < best->count ? best->ids[i] : j->bundle->tokens.eos;
        out->pieces[i] = (at_piece){at_tokenizer_piece(j->bundle->target, id), id, (double)best->token_log_probs[i]};
    }
    return ATT_OK;
}

static at_status record_output(const job *j, const at_hypothesis *best, at_candidate *out, at_error *err)
{
    out->log_prob = best->log_prob;
    out->score = best->score;
    out->tokens = best->count;
    out->truncated = best->truncated;
    out->looped = best->looped;
    ATT_TRY(record_tokens(j, best, out, err));
    return decode_text(j, best, &out->text, &out->len, err);
}

static at_status record_n_best(const job *j, at_translation *out, const at_hypothesis *best, at_error *err)
{
    out->n_best = calloc((size_t)j->n_best, sizeof *out->n_best);
    if (out->n_best == NULL) return at_fail_memory(err, (size_t)j->n_best * sizeof *out->n_best);
    for (int64_t i = 0; i < j->n_best && best[i].ids; i++) {
        out->n_best_count++; /* first, so that a failure frees what the record has by then */
        ATT_TRY(record_output(j, &best[i], &out->n_best[i], err));
    }
    return ATT_OK;
}

static at_status copy_text(at_translation *out, const at_candidate *from, at_error *err)
{
    char *text = malloc(from->len + 1);
    if (text == NULL) return at_fail_memory(err, from->len);
    out->text = memcpy(text, from->text, from->len + 1);
    out->len = from->len;
    return ATT_OK;
}

/* The record of one line; best NULL: an empty one. A line's record is done once its text is there. */
static at_status record(const job *j, at_translation *out, const at_hypothesis *best, at_error *err)
{
    if (best == NULL) return decode_text(j, NULL, &out->text, &out->len, err);
    ATT_TRY(record_n_best(j, out, best, err));
    const at_candidate *first = &out->n_best[0];
    out->log_prob = first->log_prob;
    out->score = first->score;
    out->tokens = first->tokens;
    out->truncated = first->truncated;
    out->looped = first->looped;
    out->unlooped = best->unlooped;
    out->extended = best->extended;
    return copy_text(out, first, err);
}

static at_status record_batch(job *j, int64_t first, int64_t end, at_error *err)
{
    const at_hypothesis *best = j->best;
    for (int64_t i = first; i < end; i++) {
        const int64_t line = j->order[i];
        const bool empty = tokens_of(j, line) == 0;
        ATT_TRY(record(j, &j->out[line], empty ? NULL : best, err));
        if (!empty) best += j->n_best;
    }
    return ATT_OK;
}

static at_status run_batch(job *j, int64_t first, int64_t end, at_error *err)
{
    at_packed batch, prefix;
    ATT_TRY(pack_batch(j, first, end, &batch, &prefix, err));
    const at_search_input input = {batch, j->prefix_offset ? &prefix : NULL, j->batch_key};
    const int64_t models = 1 + j->options->ensemble_count;
    ATT_TRY((j->options->guard ? at_search_guarded : at_search_all)(j->models, models, &input, &j->options->search,
                                                                    j->best, err));
    const at_status status = record_batch(j, first, end, err);
    for (int64_t i = 0; i < batch.count * j->n_best; i++) at_hypothesis_free(&j->best[i]);
    return status;
}

static at_status deliver(job *j, at_error *err)
{
    for (; j->delivered < j->count && j->out[j->delivered].text; j->delivered++)
        if (j->options->each) ATT_TRY(j->options->each(j->options->arg, j->delivered, &j->out[j->delivered], err));
    return ATT_OK;
}

static at_status make_room(job *j, at_error *err)
{
    const at_translate_options *o = j->options;
    const size_t bytes = ((size_t)j->count + 1) * sizeof *j->offset;
    j->offset = malloc(bytes);
    j->order = malloc(bytes);
    if (o->prefixes) j->prefix_offset = malloc(bytes);
    j->models = malloc((size_t)(o->ensemble_count + 1) * sizeof *j->models);
    if (!j->offset || !j->order || (o->prefixes && !j->prefix_offset) || !j->models) return at_fail_memory(err, bytes);
    j->models[0] = j->bundle;
    for (int64_t i = 0; i < o->ensemble_count; i++) j->models[i + 1] = o->ensemble[i];
    return ATT_OK;
}

static at_status translate(job *j, at_error *err)
{
    ATT_TRY(make_room(j, err));
    ATT_TRY(tokenise(j, err));
    ATT_TRY(sort_lines(j, err));
    for (int64_t first = 0, end; first < j->count; first = end) {
        end = batch_end(j, first);
        ATT_TRY(run_batch(j, first, end, err));
        ATT_TRY(deliver(j, err));
    }
    return ATT_OK;
}

static void release(job *j)
{
    at_ids_free(&j->tokens);
    at_ids_free(&j->prefix);
    at_ids_free(&j->batch_ids);
    at_ids_free(&j->batch_prefix);
    free(j->models);
    free(j->offset);
    free(j->prefix_offset);
    free(j->order);
    free_batch(j);
}

at_status at_translate_lines(const at_bundle *bundle, const at_line *lines, int64_t count,
                             const at_translate_options *options, at_translation *out, at_error *err)
{
    if (bundle->source == NULL || bundle->target == NULL)
        return at_fail(err, ATT_OPTION,
                       "the model has no tokenizer, so it can't read text; import it with its tokenizer");
    if (count == 0) return ATT_OK;
    job j = {.bundle = bundle, .lines = lines, .count = count, .options = options, .out = out};
    j.n_best = options->search.n_best > 1 ? options->search.n_best : 1;
    memset(out, 0, (size_t)count * sizeof *out);
    const at_status status = translate(&j, err);
    for (int64_t i = 0; i < count && status != ATT_OK; i++) at_translation_free(&out[i]);
    release(&j);
    return status;
}

void at_translation_free(at_translation *translation)
{
    for (int64_t i = 0; i < translation->n_best_count; i++) {
        free(translation->n_best[i].text);
        free(translation->n_best[i].pieces);
    }
    free(translation->n_best);
    free(translation->text);
    *translation = (at_translation){0};
}
