/* Scores of files of translations against files of references. See attend/tools.h; the metrics: text/metrics.h. */
#include <attend/tools.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "text/bootstrap.h"
#include "text/metrics.h"

_Static_assert((int)ATT_EVALUATE_13A == (int)ATT_TOKENIZE_13A && (int)ATT_EVALUATE_INTL == (int)ATT_TOKENIZE_INTL &&
                   (int)ATT_EVALUATE_ZH == (int)ATT_TOKENIZE_ZH && (int)ATT_EVALUATE_CHAR == (int)ATT_TOKENIZE_CHAR &&
                   (int)ATT_EVALUATE_NONE == (int)ATT_TOKENIZE_NONE,
               "the public names are the internal ones");

static const at_metric *const metrics[ATT_EVALUATE_METRICS] = {
    [ATT_EVALUATE_BLEU] = &at_metric_bleu,
    [ATT_EVALUATE_CHRF] = &at_metric_chrf,
    [ATT_EVALUATE_CHRF_WORDS] = &at_metric_chrf_words,
    [ATT_EVALUATE_TER] = &at_metric_ter,
    [ATT_EVALUATE_ROUGE_1] = &at_metric_rouge_1,
    [ATT_EVALUATE_ROUGE_2] = &at_metric_rouge_2,
    [ATT_EVALUATE_ROUGE_L] = &at_metric_rouge_l,
    [ATT_EVALUATE_ROUGE_LSUM] = &at_metric_rouge_lsum,
    [ATT_EVALUATE_WER] = &at_metric_wer,
    [ATT_EVALUATE_EXACT] = &at_metric_exact,
    [ATT_EVALUATE_F1] = &at_metric_f1,
};

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

/* All that is read: the systems' texts, args->hypotheses first, then the references. */
typedef struct texts {
    text_file *files; /* (system_count + reference_count) */
    size_t system_count, reference_count, lines;
    const at_text **references; /* (reference_count) */
} texts;

/* What the bootstrap needs: sums of each line, a list a system. */
typedef struct segments {
    double **systems; /* (system_count) of (lines, sum_count) */
    size_t system_count;
} segments;

static void texts_free(texts *t)
{
    for (size_t i = 0; t->files != NULL && i < t->system_count + t->reference_count; i++) text_file_free(&t->files[i]);
    free(t->files);
    free(t->references);
}

/* File i of the texts. */
static const char *path_of(const at_evaluate_args *args, size_t i)
{
    if (i == 0) return args->hypotheses;
    return i <= args->against_count ? args->against[i - 1] : args->references[i - 1 - args->against_count];
}

static const char *shown(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

static at_status check_arguments(const at_evaluate_args *args, at_error *err)
{
    if ((unsigned)args->tokenize > ATT_EVALUATE_NONE)
        return at_fail(err, ATT_OPTION, "no such tokenisation: %d", (int)args->tokenize);
    size_t standard = 0;
    if (args->reference_count == 0) return at_fail(err, ATT_OPTION, "there is no reference to score against; give one");
    for (size_t i = 0; i < 1 + args->against_count + args->reference_count; i++) {
        standard += strcmp(path_of(args, i), "-") == 0;
    }
    if (standard <= 1) return ATT_OK;
    return at_fail(err, ATT_OPTION, "only one text can be standard input; give the paths of the others");
}

static at_status check_lines(const at_evaluate_args *args, const texts *t, at_error *err)
{
    for (size_t i = 1; i < t->system_count + t->reference_count; i++) {
        if (t->files[i].count == t->lines) continue;
        return at_fail(err, ATT_INPUT, "%s has %zu lines and %s has %zu; give one translation a reference line",
                       shown(args->hypotheses), t->lines, shown(path_of(args, i)), t->files[i].count);
    }
    if (t->lines > 0) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s and %s have no lines; there is nothing to score", shown(args->hypotheses),
                   shown(args->references[0]));
}

static at_status read_texts(texts *t, const at_evaluate_args *args, at_error *err)
{
    const size_t count = 1 + args->against_count + args->reference_count;
    t->system_count = 1 + args->against_count;
    t->reference_count = args->reference_count;
    t->files = calloc(count, sizeof *t->files);
    t->references = calloc(args->reference_count, sizeof *t->references);
    if (t->files == NULL || t->references == NULL) return at_fail_memory(err, count * sizeof *t->files);
    for (size_t i = 0; i < count; i++) ATT_TRY(text_file_read(&t->files[i], path_of(args, i), err));
    for (size_t i = 0; i < t->reference_count; i++) t->references[i] = t->files[t->system_count + i].lines;
    t->lines = t->files[0].count;
    return check_lines(args, t, err);
}

static void segments_free(segments *s)
{
    for (size_t i = 0; s->systems != NULL && i < s->system_count; i++) free(s->systems[i]);
    free(s->systems);
}

static at_status segments_init(segments *s, size_t system_count, size_t lines, size_t width, at_error *err)
{
    *s = (segments){calloc(system_count, sizeof *s->systems), system_count};
    if (s->systems == NULL) return at_fail_memory(err, system_count * sizeof *s->systems);
    for (size_t i = 0; i < system_count; i++) {
        s->systems[i] = calloc(lines, width * sizeof *s->systems[i]);
        if (s->systems[i] == NULL) return at_fail_memory(err, lines * width * sizeof *s->systems[i]);
    }
    return ATT_OK;
}

static void keep_bleu_parts(const double *totals, at_scores *scores)
{
    at_bleu bleu;
    at_bleu_finish(totals, &bleu);
    memcpy(scores->precisions, bleu.precisions, sizeof scores->precisions);
    scores->brevity_penalty = bleu.brevity_penalty;
    scores->hypothesis_length = bleu.hypothesis_length;
    scores->reference_length = bleu.reference_length;
}

static at_status sign(const at_evaluate_args *args, const at_metric *metric, const at_metric_options *options,
                      char *signature, size_t size, at_error *err)
{
    at_buf text = {0};
    const at_status status =
        at_metric_signature(metric, options, args->reference_count, args->samples, args->seed, &text, err);
    if (status == ATT_OK) snprintf(signature, size, "%s", text.data);
    at_buf_free(&text);
    return status;
}

/* One metric of one system. lines: gets the sums of each line, or NULL. */
static at_status score_system(const at_evaluate_args *args, const texts *t, size_t system, at_evaluate_metric which,
                              double *lines, at_scores *scores, at_error *err)
{
    double totals[ATT_METRIC_MAX_SUMS];
    const at_metric *metric = metrics[which];
    at_metric_score *out = &scores->metric[which];
    const at_metric_options options = {(at_bleu_tokenize)args->tokenize, args->lowercase};
    const at_metric_corpus corpus = {t->files[system].lines, t->references, t->reference_count, t->lines};
    ATT_TRY(at_metric_totals(metric, &options, &corpus, args->cancel, lines, totals, err));
    out->score = metric->score(totals);
    if (which == ATT_EVALUATE_BLEU) keep_bleu_parts(totals, scores);
    return sign(args, metric, &options, out->signature, sizeof out->signature, err);
}

static at_status resample(const at_evaluate_args *args, const texts *t, const segments *s, at_evaluate_metric which,
                          at_scores *scores, at_error *err)
{
    at_bootstrap_result *results = calloc(s->system_count, sizeof *results);
    if (results == NULL) return at_fail_memory(err, s->system_count * sizeof *results);
    const at_status status = at_bootstrap(metrics[which], (const double *const *)s->systems, s->system_count, t->lines,
                                          args->samples, args->seed, args->cancel, results, err);
    for (size_t i = 0; status == ATT_OK && i < s->system_count; i++) {
        at_metric_score *out = &scores[i].metric[which];
        out->mean = results[i].mean;
        out->interval = results[i].interval;
        out->p_value = results[i].p_value;
    }
    free(results);
    return status;
}

/* One metric of all systems, without samples. */
static at_status score_plainly(const at_evaluate_args *args, const texts *t, at_evaluate_metric which,
                               at_scores *scores, at_error *err)
{
    for (size_t i = 0; i < t->system_count; i++) ATT_TRY(score_system(args, t, i, which, NULL, &scores[i], err));
    return ATT_OK;
}

static at_status score_and_resample(const at_evaluate_args *args, const texts *t, at_evaluate_metric which,
                                    at_scores *scores, at_error *err)
{
    segments s;
    at_status status = segments_init(&s, t->system_count, t->lines, (size_t)metrics[which]->sum_count, err);
    for (size_t i = 0; i < t->system_count && status == ATT_OK; i++) {
        status = score_system(args, t, i, which, s.systems[i], &scores[i], err);
    }
    if (status == ATT_OK) status = resample(args, t, &s, which, scores, err);
    segments_free(&s);
    return status;
}

static at_status score(const at_evaluate_args *args, const texts *t, at_scores *scores, at_error *err)
{
    for (size_t i = 0; i < t->system_count; i++) scores[i].lines = (int64_t)t->lines;
    for (int which = 0; which < ATT_EVALUATE_METRICS; which++) {
        if (!args->metric[which]) continue;
        ATT_TRY(
            (args->samples > 0 ? score_and_resample : score_plainly)(args, t, (at_evaluate_metric)which, scores, err));
    }
    return ATT_OK;
}

at_status at_evaluate(const at_evaluate_args *args, at_scores *scores, at_error *err)
{
    texts t = {0};
    memset(scores, 0, (1 + args->against_count) * sizeof *scores);
    ATT_TRY(check_arguments(args, err));
    at_status status = read_texts(&t, args, err);
    if (status == ATT_OK) status = score(args, &t, scores, err);
    texts_free(&t);
    return status;
}

const char *at_evaluate_metric_name(at_evaluate_metric metric)
{
    return (unsigned)metric < ATT_EVALUATE_METRICS ? metrics[metric]->name : NULL;
}
