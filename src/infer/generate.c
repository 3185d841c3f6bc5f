/* See generate.h. */
#include "infer/generate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "infer/text_stream.h"
#include "infer/translate.h"

at_status at_check_language_model(const at_bundle *bundle, const char *path, at_error *err)
{
    if (bundle->model->arch->encode != NULL)
        return at_fail(err, ATT_OPTION, "%s is a translator, which needs a source; use attend translate", path);
    if (bundle->target == NULL)
        return at_fail(err, ATT_OPTION,
                       "%s: the model has no tokenizer, so it can't read text; import it with its tokenizer", path);
    return ATT_OK;
}

/* ---- tokens ---- */

typedef struct generator {
    const at_bundle *bundle;
    const at_generate_options *options;
    at_continuation *out;
    at_ids all;     /* prompt (or the start token) and continuation */
    int64_t prefix; /* forced tokens of the segment in work */
} generator;

static at_status take(generator *g, int32_t id, at_error *err)
{
    ATT_TRY(at_ids_push(&g->all, id, err));
    ATT_TRY(at_ids_push(&g->out->ids, id, err));
    return g->options->each ? g->options->each(g->options->arg, id, err) : ATT_OK;
}

/* at_chosen_fn */
static at_status hear(void *arg, int64_t sequence, int64_t index, int32_t id, at_error *err)
{
    (void)sequence;
    generator *g = arg;
    return index < g->prefix ? ATT_OK : take(g, id, err);
}

/* The last token of a segment is not told while it goes on. */
static at_status take_rest(generator *g, const at_hypothesis *best, int64_t taken, at_error *err)
{
    for (int64_t i = g->prefix + taken; i < best->count; i++) ATT_TRY(take(g, best->ids[i], err));
    for (int64_t i = g->prefix; i <= best->count; i++) g->out->log_prob += (double)best->token_log_probs[i];
    g->out->ended = !best->truncated;
    return ATT_OK;
}

/* Goes on behind the ids from `first` on, until the context is full. */
static at_status run_segment(generator *g, int64_t first, at_error *err)
{
    const at_generate_options *o = g->options;
    const int64_t before = (int64_t)g->out->ids.len, none[2] = {0, 0};
    g->prefix = (int64_t)g->all.len - first - 1;
    int32_t *ids = malloc((size_t)(g->prefix + 1) * sizeof *ids); /* g->all moves as it grows */
    if (ids == NULL) return at_fail_memory(err, (size_t)(g->prefix + 1) * sizeof *ids);
    memcpy(ids, g->all.data + first, (size_t)(g->prefix + 1) * sizeof *ids);
    const int64_t offset[2] = {0, g->prefix};
    const at_packed prefix = {1, offset, ids + 1};
    const uint64_t key = at_rng_key(o->key, (uint64_t)before); /* a segment's steps count from 0 again */
    const at_search_input input = {{1, none, NULL}, g->prefix > 0 ? &prefix : NULL, &key};
    const at_search_options how = {.beam = 1,
                                   .max_length = g->prefix + o->max_tokens - before,
                                   .token_scores = true,
                                   .sample = o->sample,
                                   .sampling = o->sampling,
                                   .cancel = o->cancel,
                                   .chosen = hear,
                                   .chosen_arg = g};
    at_bundle view = *g->bundle; /* with another start */
    const at_bundle *const models[] = {&view};
    at_hypothesis best = {0};
    view.tokens.target_start = ids[0];
    at_status status = at_search_all(models, 1, &input, &how, &best, err);
    if (status == ATT_OK) status = take_rest(g, &best, (int64_t)g->out->ids.len - before, err);
    at_hypothesis_free(&best);
    free(ids);
    return status;
}

/* Where in all ids the next segment's prompt begins. */
static int64_t next_first(const generator *g)
{
    const at_model *model = g->bundle->model;
    const int64_t context = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    const int64_t count = (int64_t)g->all.len, half = context > 1 ? context / 2 : 1;
    return context == 0 || count <= context ? 0 : count - half;
}

static at_status run(generator *g, const int32_t *prompt, int64_t count, at_error *err)
{
    const int32_t start = g->bundle->tokens.target_start;
    ATT_TRY(count > 0 ? at_ids_add(&g->all, prompt, (size_t)count, err) : at_ids_push(&g->all, start, err));
    while (!g->out->ended && (int64_t)g->out->ids.len < g->options->max_tokens)
        ATT_TRY(run_segment(g, next_first(g), err));
    return ATT_OK;
}

at_status at_generate_ids(const at_bundle *bundle, const int32_t *prompt, int64_t count,
                          const at_generate_options *options, at_continuation *out, at_error *err)
{
    assert(bundle->model->arch->encode == NULL);
    *out = (at_continuation){0};
    if (options->max_tokens < 1)
        return at_fail(err, ATT_OPTION, "max-tokens is %lld; it must be at least 1", (long long)options->max_tokens);
    generator g = {.bundle = bundle, .options = options, .out = out};
    const at_status status = run(&g, prompt, count, err);
    at_ids_free(&g.all);
    if (status != ATT_OK) at_continuation_free(out);
    return status;
}

void at_continuation_free(at_continuation *continuation)
{
    at_ids_free(&continuation->ids);
}

/* ---- text ---- */

typedef struct writer {
    at_text_stream stream;
    at_buf text;
    at_generated_fn *each;
    void *arg;
} writer;

static at_status tell_from(const writer *w, size_t before, at_error *err)
{
    if (w->each == NULL || w->text.len == before) return ATT_OK;
    return w->each(w->arg, w->text.data + before, w->text.len - before, err);
}

/* at_new_token_fn */
static at_status write_token(void *arg, int32_t id, at_error *err)
{
    writer *w = arg;
    const size_t before = w->text.len;
    ATT_TRY(at_text_stream_add(&w->stream, id, &w->text, err));
    return tell_from(w, before, err);
}

static at_status write_end(writer *w, at_error *err)
{
    const size_t before = w->text.len;
    ATT_TRY(at_text_stream_end(&w->stream, &w->text, err));
    ATT_TRY(at_buf_reserve(&w->text, 0, err)); /* a text without bytes is "" */
    return tell_from(w, before, err);
}

/* As in training: lines one by one, with what ends a line between them. */
static at_status encode_prompt(const at_tokenizer *tokenizer, at_line prompt, at_ids *ids, bool *mended, at_error *err)
{
    *mended = false;
    for (size_t at = 0; at < prompt.len;) {
        const char *line = prompt.data + at, *end = memchr(line, '\n', prompt.len - at);
        const size_t len = end ? (size_t)(end - line) : prompt.len - at;
        bool torn;
        ATT_TRY(at_encode_mended(tokenizer, (at_line){line, len}, ids, &torn, err));
        if (end) ATT_TRY(at_ids_push(ids, at_tokenizer_line_end(tokenizer), err));
        *mended = *mended || torn;
        at += len + (end != NULL);
    }
    return ATT_OK;
}

static void count_prompt(const at_tokenizer *tokenizer, const at_ids *prompt, at_generation *out)
{
    out->prompt_tokens = (int64_t)prompt->len;
    for (size_t i = 0; i < prompt->len; i++) out->unknown_tokens += prompt->data[i] == at_tokenizer_unk(tokenizer);
}

static at_status generate(writer *w, const at_bundle *bundle, const at_ids *prompt, const at_generate_options *options,
                          at_generation *out, at_error *err)
{
    at_continuation made;
    at_generate_options how = *options;
    how.each = write_token;
    how.arg = w;
    ATT_TRY(at_text_stream_begin(&w->stream, bundle->target, prompt->data, prompt->len, err));
    ATT_TRY(at_generate_ids(bundle, prompt->data, (int64_t)prompt->len, &how, &made, err));
    out->tokens = (int64_t)made.ids.len;
    out->log_prob = made.log_prob;
    out->ended = made.ended;
    at_continuation_free(&made);
    return write_end(w, err);
}

at_status at_generate_text(const at_bundle *bundle, at_line prompt, const at_generate_options *options,
                           at_generated_fn *each, void *arg, at_generation *out, at_error *err)
{
    writer w = {.each = each, .arg = arg};
    at_ids ids = {0};
    *out = (at_generation){0};
    at_status status = encode_prompt(bundle->target, prompt, &ids, &out->mended, err);
    if (status == ATT_OK) count_prompt(bundle->target, &ids, out);
    if (status == ATT_OK) status = generate(&w, bundle, &ids, options, out, err);
    at_text_stream_free(&w.stream);
    at_ids_free(&ids);
    if (status != ATT_OK) {
        at_buf_free(&w.text);
        return status;
    }
    out->text = w.text.data;
    out->len = w.text.len;
    return ATT_OK;
}

void at_generation_free(at_generation *generation)
{
    free(generation->text);
    *generation = (at_generation){0};
}
