/* See paragraphs.h. All lines are cut, at_translate_lines translates the sentences, and a line is put together again once
 * its last sentence is there:
 *
 *   sentences   of line 0 | line 1 | ...      an empty line has none
 *   first       0         | ...
 *
 * As sentences are delivered in order, so are lines. */
#include "infer/paragraphs.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "text/sentences.h"

typedef struct work {
    const at_bundle *bundle;
    const at_line *lines;
    int64_t line_count;
    const at_translate_options *options;
    at_translation *out; /* of each line */
    at_buf sentences;    /* at_line each, pointing into the lines */
    at_buf keys;         /* uint64_t each */
    int64_t count;
    int64_t *first;             /* line_count + 1 */
    at_translation *translated; /* of each sentence; emptied when its line is put together */
    int64_t delivered;          /* lines */
    at_ids ids;
} work;

static const at_line *sentence_at(const work *w, int64_t i)
{
    return (const at_line *)(const void *)w->sentences.data + i;
}

/* ---- cutting ---- */

static at_status add_sentence(work *w, at_line text, int64_t line, at_error *err)
{
    const int64_t of_line = w->count - w->first[line];
    const uint64_t number = (uint64_t)(w->options->first_line + line);
    const uint64_t key = at_rng_key(at_rng_key(w->options->seed, number), (uint64_t)of_line + 1);
    ATT_TRY(at_buf_add(&w->sentences, &text, sizeof text, err));
    ATT_TRY(at_buf_add(&w->keys, &key, sizeof key, err));
    w->count++;
    return ATT_OK;
}

static int64_t most_tokens(const work *w)
{
    const at_model *model = w->bundle->model;
    const int64_t most = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    return most > 0 && most < ATT_LONG_SENTENCE ? most : ATT_LONG_SENTENCE;
}

/* A piece covers a byte at least, so short texts need no look. */
static at_status fits(work *w, at_line text, bool *yes, at_error *err)
{
    bool mended;
    *yes = (int64_t)text.len + 2 <= most_tokens(w);
    if (*yes) return ATT_OK;
    w->ids.len = 0;
    ATT_TRY(at_encode_mended(w->bundle->source, text, &w->ids, &mended, err));
    *yes = (int64_t)w->ids.len + 1 <= most_tokens(w);
    return ATT_OK;
}

/* Adds the sentence, halved at clause marks until the parts fit. */
static at_status add_parts(work *w, at_line text, int64_t line, at_error *err)
{
    bool yes;
    ATT_TRY(fits(w, text, &yes, err));
    const size_t cut = yes ? 0 : at_clause_end(text.data, text.len);
    if (cut == 0) return add_sentence(w, text, line, err);
    const size_t space = at_space_before(text.data + cut, text.len - cut);
    ATT_TRY(add_parts(w, (at_line){text.data, cut}, line, err));
    return add_parts(w, (at_line){text.data + cut + space, text.len - cut - space}, line, err);
}

static at_status cut_line(work *w, int64_t line, at_error *err)
{
    const at_line text = w->lines[line];
    size_t at = at_space_before(text.data, text.len);
    w->first[line] = w->count;
    while (at < text.len) {
        const size_t len = at_sentence_end(text.data + at, text.len - at);
        ATT_TRY(add_parts(w, (at_line){text.data + at, len}, line, err));
        at += len;
        at += at_space_before(text.data + at, text.len - at);
    }
    w->first[line + 1] = w->count;
    return ATT_OK;
}

/* ---- putting together ---- */

static bool ends_wide(const char *text, size_t len)
{
    uint32_t code = 0;
    for (size_t at = 0; at < len;) at += at_utf8_next(text + at, len - at, &code);
    return at_is_cjk(code);
}

static bool begins_wide(const char *text, size_t len)
{
    uint32_t code = 0;
    if (len > 0) (void)at_utf8_next(text, len, &code);
    return at_is_cjk(code);
}

/* What stood between `from` and `to` in the line. */
static at_status add_gap(at_buf *text, const char *from, const char *to, const at_translation *next, at_error *err)
{
    if (to > from) return at_buf_add(text, from, (size_t)(to - from), err);
    if (ends_wide(text->data, text->len) || begins_wide(next->text, next->len)) return ATT_OK;
    return at_buf_puts(text, " ", err);
}

static void add_record(at_translation *to, const at_translation *from)
{
    to->log_prob += from->log_prob;
    to->score += from->score;
    to->tokens += from->tokens;
    to->source_tokens += from->source_tokens;
    to->unknown_tokens += from->unknown_tokens;
    to->truncated |= from->truncated;
    to->looped |= from->looped;
    to->mended |= from->mended;
    to->unlooped |= from->unlooped;
    to->extended |= from->extended;
    to->sentences++;
}

static at_status join_text(const work *w, int64_t line, at_buf *text, at_error *err)
{
    const at_line from = w->lines[line];
    const int64_t first = w->first[line], end = w->first[line + 1];
    const char *at = from.data;
    ATT_TRY(at_buf_reserve(text, from.len, err));
    for (int64_t i = first; i < end; i++) {
        const at_line *sentence = sentence_at(w, i);
        const at_translation *translated = &w->translated[i];
        if (i > first || sentence->data > at) ATT_TRY(add_gap(text, at, sentence->data, translated, err));
        ATT_TRY(at_buf_add(text, translated->text, translated->len, err));
        at = sentence->data + sentence->len;
    }
    return from.len > 0 ? at_buf_add(text, at, (size_t)(from.data + from.len - at), err) : ATT_OK;
}

static at_status join(const work *w, int64_t line, at_error *err)
{
    at_buf text = {0};
    at_translation *out = &w->out[line];
    const int64_t first = w->first[line], end = w->first[line + 1];
    for (int64_t i = first; i < end; i++) add_record(out, &w->translated[i]);
    out->empty = first == end;
    const at_status status = join_text(w, line, &text, err);
    out->text = text.data;
    out->len = text.len;
    for (int64_t i = first; i < end; i++) at_translation_free(&w->translated[i]);
    return status;
}

/* ---- delivering ---- */

/* Joins and delivers the lines that have all their sentences among the first `done`. */
static at_status deliver(work *w, int64_t done, at_error *err)
{
    const at_translate_options *o = w->options;
    for (; w->delivered < w->line_count && w->first[w->delivered + 1] <= done; w->delivered++) {
        ATT_TRY(join(w, w->delivered, err));
        if (o->each) ATT_TRY(o->each(o->arg, w->delivered, &w->out[w->delivered], err));
    }
    return ATT_OK;
}

/* at_translated_fn of sentences. */
static at_status take_sentence(void *arg, int64_t index, const at_translation *translation, at_error *err)
{
    (void)translation;
    return deliver(arg, index + 1, err);
}

static at_status translate_sentences(work *w, at_error *err)
{
    at_translate_options options = *w->options;
    options.each = take_sentence;
    options.arg = w;
    options.keys = (const uint64_t *)(const void *)w->keys.data;
    return at_translate_lines(w->bundle, sentence_at(w, 0), w->count, &options, w->translated, err);
}

static at_status translate(work *w, at_error *err)
{
    const size_t bytes = ((size_t)w->line_count + 1) * sizeof *w->first;
    w->first = malloc(bytes);
    if (w->first == NULL) return at_fail_memory(err, bytes);
    for (int64_t i = 0; i < w->line_count; i++) ATT_TRY(cut_line(w, i, err));
    w->translated = calloc((size_t)w->count + 1, sizeof *w->translated);
    if (w->translated == NULL) return at_fail_memory(err, (size_t)w->count * sizeof *w->translated);
    return w->count > 0 ? translate_sentences(w, err) : deliver(w, 0, err);
}

static void release(work *w)
{
    at_buf_free(&w->sentences);
    at_buf_free(&w->keys);
    at_ids_free(&w->ids);
    free(w->first);
    free(w->translated); /* its records are empty: put together, or freed by the failure */
}

at_status at_translate_paragraphs(const at_bundle *bundle, const at_line *lines, int64_t count,
                                  const at_translate_options *options, at_translation *out, at_error *err)
{
    if (bundle->source == NULL || bundle->target == NULL)
        return at_fail(err, ATT_OPTION,
                       "the model has no tokenizer, so it can't read text; import it with its tokenizer");
    if (options->search.n_best > 1)
        return at_fail(err, ATT_OPTION, "n-best and paragraphs don't go together; give one sentence a line for n-best");
    if (options->prefixes)
        return at_fail(err, ATT_OPTION, "prefixes and paragraphs don't go together; give one sentence a line");
    memset(out, 0, (size_t)count * sizeof *out);
    work w = {.bundle = bundle, .lines = lines, .line_count = count, .options = options, .out = out};
    const at_status status = translate(&w, err);
    release(&w);
    for (int64_t i = 0; i < count && status != ATT_OK; i++) at_translation_free(&out[i]);
    return status;
}
