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

#include "base/utf8.h"

typedef struct job {
    const at_bundle *bundle;
    const at_line *lines;
    int64_t count;
    const at_translate_options *options;
    at_translation *out;
    at_ids tokens;
    int64_t *offset; /* count + 1 */
    int64_t *order;  /* count */
    int64_t delivered;
    at_ids batch_ids; /* of the batch in work */
    int64_t *batch_offset;
    at_hypothesis *best;
    int64_t batch_room; /* sentences in batch_offset and best */
} job;

static int64_t tokens_of(const job *j, int64_t line)
{
    return j->offset[line + 1] - j->offset[line];
}

/* ---- tokens ---- */

static at_status tokenise_text(job *j, at_line text, at_translation *out, at_error *err)
{
    const size_t before = j->tokens.len;
    const int32_t unknown = at_tokenizer_unk(j->bundle->source);
    ATT_TRY(at_tokenizer_encode(j->bundle->source, text.data, text.len, &j->tokens, err));
    out->source_tokens = (int64_t)(j->tokens.len - before);
    for (size_t i = before; i < j->tokens.len; i++) out->unknown_tokens += j->tokens.data[i] == unknown;
    out->empty = out->source_tokens == 0;
    return out->empty ? ATT_OK : at_ids_push(&j->tokens, j->bundle->tokens.eos, err);
}

static at_status tokenise_line(job *j, int64_t line, at_buf *scratch, at_error *err)
{
    at_line text = j->lines[line];
    at_translation *out = &j->out[line];
    if (text.len > 0 && at_utf8_valid(text.data, text.len) < text.len) {
        at_buf_clear(scratch);
        ATT_TRY(at_utf8_mend(text.data, text.len, scratch, err));
        text = (at_line){scratch->data, scratch->len};
        out->mended = true;
    }
    if (text.len == 0) text.data = "";
    return tokenise_text(j, text, out, err);
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
    return cancel && *cancel ? at_fail(err, ATT_CANCELLED, "cancelled") : ATT_OK;
}

static at_status tokenise(job *j, at_error *err)
{
    at_buf scratch = {0};
    at_status status = ATT_OK;
    for (int64_t i = 0; i < j->count && status == ATT_OK; i++) {
        j->offset[i] = (int64_t)j->tokens.len;
        status = tokenise_line(j, i, &scratch, err);
        j->offset[i + 1] = (int64_t)j->tokens.len;
        if (status == ATT_OK) status = check_length(j, i, err);
        if (status == ATT_OK) status = check_cancel(j, err);
    }
    at_buf_free(&scratch);
    return status;
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

static at_status reserve_batch(job *j, int64_t sentences, at_error *err)
{
    if (sentences <= j->batch_room) return ATT_OK;
    const size_t n = (size_t)sentences;
    free(j->batch_offset);
    free(j->best);
    j->batch_offset = malloc((n + 1) * sizeof *j->batch_offset);
    j->best = malloc(n * sizeof *j->best);
    j->batch_room = j->batch_offset && j->best ? sentences : 0;
    return j->batch_room ? ATT_OK : at_fail_memory(err, n * (sizeof *j->batch_offset + sizeof *j->best));
}

/* The lines of order[first .. end] as a packed batch; empty lines are left out. */
static at_status pack_batch(job *j, int64_t first, int64_t end, at_packed *batch, at_error *err)
{
    ATT_TRY(reserve_batch(j, end - first, err));
    j->batch_ids.len = 0;
    j->batch_offset[0] = 0;
    int64_t n = 0;
    for (int64_t i = first; i < end; i++) {
        const int64_t line = j->order[i];
        if (tokens_of(j, line) == 0) continue;
        ATT_TRY(at_ids_add(&j->batch_ids, j->tokens.data + j->offset[line], (size_t)tokens_of(j, line), err));
        j->batch_offset[++n] = (int64_t)j->batch_ids.len;
    }
    *batch = (at_packed){n, j->batch_offset, j->batch_ids.data};
    return ATT_OK;
}

/* The record of one line; best NULL: an empty one. */
static at_status record(const job *j, at_translation *out, const at_hypothesis *best, at_error *err)
{
    at_buf text = {0};
    at_status status = at_buf_reserve(&text, 0, err);
    if (status == ATT_OK && best)
        status = at_tokenizer_decode(j->bundle->target, best->ids, (size_t)best->count, &text, err);
    if (status != ATT_OK) {
        at_buf_free(&text);
        return status;
    }
    out->text = text.data;
    out->len = text.len;
    if (best == NULL) return ATT_OK;
    out->log_prob = best->log_prob;
    out->score = best->score;
    out->tokens = best->count;
    out->truncated = best->truncated;
    out->looped = best->looped;
    return ATT_OK;
}

static at_status record_batch(job *j, int64_t first, int64_t end, at_error *err)
{
    const at_hypothesis *best = j->best;
    for (int64_t i = first; i < end; i++) {
        const int64_t line = j->order[i];
        ATT_TRY(record(j, &j->out[line], tokens_of(j, line) > 0 ? best++ : NULL, err));
    }
    return ATT_OK;
}

static at_status run_batch(job *j, int64_t first, int64_t end, at_error *err)
{
    at_packed batch;
    ATT_TRY(pack_batch(j, first, end, &batch, err));
    ATT_TRY(at_search(j->bundle, &batch, &j->options->search, j->best, err));
    const at_status status = record_batch(j, first, end, err);
    for (int64_t i = 0; i < batch.count; i++) at_hypothesis_free(&j->best[i]);
    return status;
}

static at_status deliver(job *j, at_error *err)
{
    for (; j->delivered < j->count && j->out[j->delivered].text; j->delivered++)
        if (j->options->each) ATT_TRY(j->options->each(j->options->arg, j->delivered, &j->out[j->delivered], err));
    return ATT_OK;
}

static at_status translate(job *j, at_error *err)
{
    const size_t bytes = ((size_t)j->count + 1) * sizeof *j->offset;
    j->offset = malloc(bytes);
    j->order = malloc(bytes);
    if (j->offset == NULL || j->order == NULL) return at_fail_memory(err, bytes);
    ATT_TRY(tokenise(j, err));
    ATT_TRY(sort_lines(j, err));
    for (int64_t first = 0, end; first < j->count; first = end) {
        end = batch_end(j, first);
        ATT_TRY(run_batch(j, first, end, err));
        ATT_TRY(deliver(j, err));
    }
    return ATT_OK;
}

at_status at_translate_lines(const at_bundle *bundle, const at_line *lines, int64_t count,
                             const at_translate_options *options, at_translation *out, at_error *err)
{
    if (bundle->source == NULL || bundle->target == NULL)
        return at_fail(err, ATT_OPTION,
                       "the model has no tokenizer, so it can't read text; import it with its tokenizer");
    if (count == 0) return ATT_OK;
    job j = {.bundle = bundle, .lines = lines, .count = count, .options = options, .out = out};
    memset(out, 0, (size_t)count * sizeof *out);
    const at_status status = translate(&j, err);
    for (int64_t i = 0; i < count && status != ATT_OK; i++) at_translation_free(&out[i]);
    at_ids_free(&j.tokens);
    at_ids_free(&j.batch_ids);
    free(j.offset);
    free(j.order);
    free(j.batch_offset);
    free(j.best);
    return status;
}

void at_translation_free(at_translation *translation)
{
    free(translation->text);
    *translation = (at_translation){0};
}
