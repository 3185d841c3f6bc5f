/* Scores of a file of translations against a file of references. See attend/tools.h; the metrics: text/metrics.h. */
#include <attend/tools.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "text/metrics.h"

_Static_assert((int)ATT_EVALUATE_13A == (int)ATT_TOKENIZE_13A && (int)ATT_EVALUATE_ZH == (int)ATT_TOKENIZE_ZH &&
                   (int)ATT_EVALUATE_NONE == (int)ATT_TOKENIZE_NONE,
               "the public names are the internal ones");

/* The lines of a file, end to end in one buffer that moves while it grows: so ends first, pointers last.
 *
 *   bytes  | line 0 | line 1 | line 2 |
 *   end             ^        ^        ^     */
typedef struct text_file {
    at_buf bytes;
    at_buf ends; /* size_t each */
    at_text *lines;
    size_t count;
} text_file;

static void text_file_free(text_file *file)
{
    at_buf_free(&file->bytes);
    at_buf_free(&file->ends);
    free(file->lines);
}

static at_status read_lines(text_file *file, at_lines *lines, at_error *err)
{
    for (;;) {
        const char *text;
        size_t len;
        bool got;
        ATT_TRY(at_lines_next(lines, &text, &len, &got, err));
        if (!got) return ATT_OK;
        ATT_TRY(at_buf_add(&file->bytes, text, len, err));
        ATT_TRY(at_buf_add(&file->ends, &file->bytes.len, sizeof file->bytes.len, err));
    }
}

static at_status point_to_lines(text_file *file, at_error *err)
{
    size_t start = 0, end;
    file->count = file->ends.len / sizeof end;
    file->lines = calloc(file->count + 1, sizeof *file->lines);
    if (file->lines == NULL) return at_fail_memory(err, (file->count + 1) * sizeof *file->lines);
    for (size_t i = 0; i < file->count; i++) {
        memcpy(&end, file->ends.data + i * sizeof end, sizeof end);
        file->lines[i] = (at_text){end > 0 ? file->bytes.data + start : "", end - start};
        start = end;
    }
    return ATT_OK;
}

static at_status text_file_read(text_file *file, const char *path, at_error *err)
{
    at_lines *lines;
    ATT_TRY(at_lines_open(&lines, path, err));
    const at_status status = read_lines(file, lines, err);
    at_lines_close(lines);
    ATT_TRY(status);
    return point_to_lines(file, err);
}

static const char *shown(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

static at_status check_lines(const at_evaluate_args *args, const text_file *hypotheses, const text_file *references,
                             at_error *err)
{
    if (hypotheses->count != references->count) {
        return at_fail(err, ATT_INPUT, "%s has %zu lines and %s has %zu; give one translation a reference line",
                       shown(args->hypotheses), hypotheses->count, shown(args->references), references->count);
    }
    if (hypotheses->count == 0) {
        return at_fail(err, ATT_INPUT, "%s and %s have no lines; there is nothing to score", shown(args->hypotheses),
                       shown(args->references));
    }
    return ATT_OK;
}

static double exact_percent(const text_file *hypotheses, const text_file *references)
{
    size_t equal = 0;
    for (size_t i = 0; i < references->count; i++) {
        const at_text *a = &hypotheses->lines[i], *b = &references->lines[i];
        equal += a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
    }
    return 100.0 * (double)equal / (double)references->count;
}

static at_status score(const at_evaluate_args *args, const text_file *hypotheses, const text_file *references,
                       at_scores *scores, at_error *err)
{
    scores->lines = (int64_t)hypotheses->count;
    if (args->exact) scores->exact = exact_percent(hypotheses, references);
    if (args->chrf) {
        ATT_TRY(at_chrf_corpus(hypotheses->lines, references->lines, hypotheses->count, args->lowercase, &scores->chrf,
                               err));
    }
    if (!args->bleu) return ATT_OK;
    at_bleu bleu;
    ATT_TRY(at_bleu_corpus(hypotheses->lines, references->lines, hypotheses->count, (at_bleu_tokenize)args->tokenize,
                           args->lowercase, &bleu, err));
    scores->bleu = bleu.score;
    memcpy(scores->precisions, bleu.precisions, sizeof scores->precisions);
    scores->brevity_penalty = bleu.brevity_penalty;
    scores->hypothesis_length = bleu.hypothesis_length;
    scores->reference_length = bleu.reference_length;
    return ATT_OK;
}

static at_status read_and_score(const at_evaluate_args *args, text_file *hypotheses, text_file *references,
                                at_scores *scores, at_error *err)
{
    ATT_TRY(text_file_read(hypotheses, args->hypotheses, err));
    ATT_TRY(text_file_read(references, args->references, err));
    ATT_TRY(check_lines(args, hypotheses, references, err));
    return score(args, hypotheses, references, scores, err);
}

at_status at_evaluate(const at_evaluate_args *args, at_scores *scores, at_error *err)
{
    *scores = (at_scores){0};
    if (strcmp(args->hypotheses, "-") == 0 && strcmp(args->references, "-") == 0) {
        return at_fail(err, ATT_OPTION, "both texts can't be standard input; give the path of one");
    }
    text_file hypotheses = {0}, references = {0};
    const at_status status = read_and_score(args, &hypotheses, &references, scores, err);
    text_file_free(&hypotheses);
    text_file_free(&references);
    return status;
}
