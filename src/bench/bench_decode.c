/* See bench_decode.h. */
#include "bench/bench_decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/median.h"
#include "base/pool.h"
#include "base/rng.h"
#include "infer/search.h"
#include "infer/translate.h"

#define FIELD(name) offsetof(at_bench_decode_options, name)

const at_option at_bench_decode_table[] = {
    {"model", ATT_OPT_PATH, FIELD(model), NULL, 0, 0, NULL, "a translator; none: random weights", 'm'},
    {"source", ATT_OPT_PATH, FIELD(source), NULL, 0, 0, NULL, "text for the model, one sentence a line", 's'},
    {"preset", ATT_OPT_CHOICE, FIELD(preset), "small", 0, 0, at_preset_names, "shape of the model of random weights",
     0},
    {"vocab", ATT_OPT_INT, FIELD(vocab), "8000", 8, 1e7, NULL, "its vocabulary", 0},
    {"length", ATT_OPT_INT, FIELD(length), "15", 1, 1e6, NULL, "tokens of random sentences and of their outputs", 0},
    {"sentences", ATT_OPT_INT, FIELD(sentences), "256", 1, 1e9, NULL, "sentences (of the text: at most)", 0},
    {"batch", ATT_OPT_INT, FIELD(batch), "64", 1, 1e6, NULL, "sentences of a batch", 0},
    {"beam", ATT_OPT_INT, FIELD(beam), "1", 1, 1000, NULL, "hypotheses of beam search; 1: greedy", 0},
    {"runs", ATT_OPT_INT, FIELD(runs), "5", 1, 1e6, NULL, "timed runs", 0},
    {"threads", ATT_OPT_INT, FIELD(threads), "0", 0, 1024, NULL, "threads; 0: one a core", 0},
    {0},
};

enum { PAD = 0, START = 2, EOS = 3, FIRST_TOKEN = 4 };

/* What is decoded: sentences end to end, sorted by length. */
typedef struct sentences {
    at_ids ids;
    int64_t *offset; /* count + 1 */
    int64_t count;
} sentences;

/* ---- sentences ---- */

static at_status draw_sentences(sentences *s, const at_bench_decode_options *o, at_error *err)
{
    for (s->count = 0; s->count < o->sentences; s->count++) {
        for (int64_t i = 0; i < o->length; i++) {
            const uint64_t index = (uint64_t)(s->count * o->length + i);
            const uint32_t below = (uint32_t)(o->vocab - FIRST_TOKEN);
            ATT_TRY(at_ids_push(&s->ids, FIRST_TOKEN + (int32_t)at_rng_below(7, index, below), err));
        }
        ATT_TRY(at_ids_push(&s->ids, EOS, err));
        s->offset[s->count + 1] = (int64_t)s->ids.len;
    }
    return ATT_OK;
}

static int compare_lines(const void *a, const void *b)
{
    const at_line *x = a, *y = b;
    return (x->len > y->len) - (x->len < y->len);
}

/* Lines by their number of bytes, which is nearly that of tokens. */
static at_status encode_lines(sentences *s, const at_bundle *bundle, at_line *lines, int64_t count, at_error *err)
{
    qsort(lines, (size_t)count, sizeof *lines, compare_lines);
    for (s->count = 0; s->count < count; s->count++) {
        bool mended;
        ATT_TRY(at_encode_mended(bundle->source, lines[s->count], &s->ids, &mended, err));
        ATT_TRY(at_ids_push(&s->ids, bundle->tokens.eos, err));
        s->offset[s->count + 1] = (int64_t)s->ids.len;
    }
    return ATT_OK;
}

static int64_t split_lines(const at_buf *text, at_line *lines, int64_t most)
{
    int64_t count = 0;
    for (size_t at = 0; at < text->len && count < most; count++) {
        const char *end = memchr(text->data + at, '\n', text->len - at);
        const size_t len = end ? (size_t)(end - text->data) - at : text->len - at;
        lines[count] = (at_line){text->data + at, len};
        at += len + 1;
    }
    return count;
}

static at_status read_sentences(sentences *s, const at_bundle *bundle, const at_bench_decode_options *o, at_error *err)
{
    if (bundle->source == NULL || bundle->model->arch->encode == NULL)
        return at_fail(err, ATT_INPUT, "%s: is no translator with a tokenizer; give one", o->model);
    at_buf text = {0};
    at_line *lines = malloc((size_t)o->sentences * sizeof *lines);
    at_status status = lines ? ATT_OK : at_fail_memory(err, (size_t)o->sentences * sizeof *lines);
    if (status == ATT_OK) status = at_file_read(o->source, &text, err);
    if (status == ATT_OK) status = encode_lines(s, bundle, lines, split_lines(&text, lines, o->sentences), err);
    if (status == ATT_OK && s->count == 0) status = at_fail(err, ATT_INPUT, "%s: is empty", o->source);
    free(lines);
    at_buf_free(&text);
    return status;
}

/* ---- search ---- */

/* Offsets of a batch count from its first token. */
static at_status search_batch(const at_bundle *bundle, const sentences *s, int64_t first, int64_t count,
                              const at_search_options *search, int64_t *tokens, at_error *err)
{
    int64_t *offset = malloc((size_t)(count + 1) * sizeof *offset);
    at_hypothesis *best = calloc((size_t)count, sizeof *best);
    at_status status = offset && best ? ATT_OK : at_fail_memory(err, (size_t)count * sizeof *best);
    for (int64_t b = 0; b <= count && status == ATT_OK; b++) offset[b] = s->offset[first + b] - s->offset[first];
    const at_packed packed = {count, offset, s->ids.data + s->offset[first]};
    if (status == ATT_OK) status = at_search(bundle, &packed, search, best, err);
    for (int64_t b = 0; b < count && status == ATT_OK; b++) {
        *tokens += best[b].count + 1;
        at_hypothesis_free(&best[b]);
    }
    free(offset);
    free(best);
    return status;
}

static at_status search_all(const at_bundle *bundle, const sentences *s, const at_bench_decode_options *o,
                            int64_t *tokens, at_error *err)
{
    const at_search_options search = {.beam = o->beam,
                                      .alpha = 0.6,
                                      .penalty = ATT_PENALTY_GNMT,
                                      .max_ratio = o->model ? 2 : 0,
                                      .max_extra = o->model ? 10 : 0,
                                      .max_length = o->model ? 0 : o->length,
                                      .min_length = o->model ? 0 : o->length - 1};
    *tokens = 0;
    for (int64_t i = 0; i < s->count; i += o->batch) {
        const int64_t left = s->count - i;
        ATT_TRY(search_batch(bundle, s, i, left < o->batch ? left : o->batch, &search, tokens, err));
    }
    return ATT_OK;
}

static at_status time_runs(at_bench_decode_result *r, const at_bundle *bundle, const sentences *s,
                           const at_bench_decode_options *o, double *took, at_error *err)
{
    for (int64_t i = -1; i < o->runs; i++) {
        const double start = at_clock();
        ATT_TRY(search_all(bundle, s, o, &r->tokens, err));
        if (i >= 0) took[i] = at_clock() - start;
    }
    const double seconds = at_median(took, o->runs);
    r->sentences = s->count;
    r->ms = 1e3 * seconds;
    r->sentences_per_s = (double)r->sentences / seconds;
    r->tokens_per_s = (double)r->tokens / seconds;
    return ATT_OK;
}

/* ---- the model ---- */

/* bundle: zero. It is the caller's also after a failure. */
static at_status open_bundle(at_bundle *bundle, const at_bench_decode_options *o, at_backend *be, at_error *err)
{
    if (o->model) return at_bundle_open(bundle, o->model, be, false, err);
    at_bench_options shape = {.preset = o->preset};
    at_bench_shape(&shape);
    bundle->tokens = (at_stored_tokens){START, EOS, PAD, true};
    return at_bench_translator(&bundle->model, &shape, o->vocab, false, be, err);
}

static at_status run_with(at_bench_decode_result *r, const at_bench_decode_options *o, at_backend *be, at_error *err)
{
    at_bundle bundle = {0};
    sentences s = {.offset = calloc((size_t)o->sentences + 1, sizeof *s.offset)};
    double *took = calloc((size_t)o->runs, sizeof *took);
    at_status status = s.offset && took ? ATT_OK : at_fail_memory(err, (size_t)o->sentences * sizeof *s.offset);
    if (status == ATT_OK) status = open_bundle(&bundle, o, be, err);
    if (status == ATT_OK) status = o->model ? read_sentences(&s, &bundle, o, err) : draw_sentences(&s, o, err);
    if (status == ATT_OK) status = time_runs(r, &bundle, &s, o, took, err);
    at_bundle_free(&bundle);
    at_ids_free(&s.ids);
    free(s.offset);
    free(took);
    return status;
}

at_status at_bench_decode_run(at_bench_decode_result *r, const at_bench_decode_options *o, at_error *err)
{
    at_backend *be;
    *r = (at_bench_decode_result){.threads = o->threads > 0 ? (int)o->threads : at_cpu_count()};
    if ((o->model == NULL) != (o->source == NULL))
        return at_fail(err, ATT_OPTION, "give model and source together, or none of them");
    ATT_TRY(at_cpu_backend_new(&be, r->threads, NULL, err));
    const at_status status = run_with(r, o, be, err);
    be->free(be);
    return status;
}
