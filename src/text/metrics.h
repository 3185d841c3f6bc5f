/* Corpus metrics, with the numbers and signatures of sacreBLEU 2.6 for BLEU, chrF and TER (Post 2018, "A call for
 * clarity in reporting BLEU scores").
 *
 * A metric reduces a segment, one line with its references, to a few sums; the corpus score is a function of their
 * totals:
 *
 *   segment 0   | s0 s1 ... |
 *   segment 1   | s0 s1 ... |   -- totals -->   | S0 S1 ... |   -- score() -->   number
 *   ...
 *
 * So the texts are read once, and a bootstrap (bootstrap.h) only adds up rows again. To add a metric: a file that ends
 * in an at_metric, its declaration here, and a row in api/evaluate.c. Read next: bleu.c, metric_work.h. */
#ifndef ATT_TEXT_METRICS_H
#define ATT_TEXT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

typedef enum at_bleu_tokenize {
    ATT_TOKENIZE_13A,
    ATT_TOKENIZE_INTL,
    ATT_TOKENIZE_ZH,
    ATT_TOKENIZE_CHAR,
    ATT_TOKENIZE_NONE
} at_bleu_tokenize;

typedef struct at_text { /* one line, not NUL-terminated, no line end */
    const char *data;
    size_t len;
} at_text;

typedef struct at_metric_options {
    at_bleu_tokenize tokenize; /* BLEU only */
    bool lowercase;            /* metrics that look at case */
} at_metric_options;

typedef struct at_metric_work at_metric_work; /* metric_work.h */

enum { ATT_METRIC_MAX_SUMS = 24 };

typedef struct at_metric {
    const char *name; /* "bleu" */
    int sum_count;    /* sums of a segment, at most ATT_METRIC_MAX_SUMS */
    /* Writes a segment's sums. reference_count is at least 1. Fails only for lack of memory. */
    at_status (*add)(at_metric_work *work, at_text hypothesis, const at_text *references, size_t reference_count,
                     double *sums, at_error *err);
    double (*score)(const double *totals);
    /* Appends the metric's own part of the signature: "case:mixed|eff:no|tok:13a|smooth:exp". */
    at_status (*sign)(const at_metric_options *options, at_buf *out, at_error *err);
} at_metric;

/* Percent, the more the better, save TER and word error rate: percent of the reference's length. */
extern const at_metric at_metric_bleu;                       /* Papineni et al. 2002 */
extern const at_metric at_metric_chrf;                       /* Popović 2015: characters, orders 1 .. 6, beta 2 */
extern const at_metric at_metric_chrf_words;                 /* chrF++, Popović 2017: and words, orders 1 and 2 */
extern const at_metric at_metric_ter;                        /* Snover et al. 2006 */
extern const at_metric at_metric_rouge_1, at_metric_rouge_2; /* Lin 2004: F of words and of pairs */
extern const at_metric at_metric_rouge_l;                    /* F of the longest common subsequence */
extern const at_metric at_metric_rouge_lsum;                 /* the same, sentence by sentence */
extern const at_metric at_metric_wer;                        /* word error rate */
extern const at_metric at_metric_exact;                      /* lines that equal a reference */
extern const at_metric at_metric_f1;                         /* Rajpurkar et al. 2016: F1 of the words of answers */

/* One system's output and its references, all of `count` lines. */
typedef struct at_metric_corpus {
    const at_text *hypotheses;        /* (count) */
    const at_text *const *references; /* (reference_count) lists of (count) */
    size_t reference_count, count;
} at_metric_corpus;

/* Adds up a metric's sums. segments (count, sum_count): the sums of each line, or NULL; totals (sum_count). cancel:
 * raised by the caller to stop, ATT_CANCELLED; may be NULL. */
at_status at_metric_totals(const at_metric *metric, const at_metric_options *options, const at_metric_corpus *corpus,
                           const volatile int *cancel, double *segments, double *totals, at_error *err);

/* Appends "nrefs:1|case:mixed|...|version:attend-0.1.0": sacreBLEU's signature, with this program's version. samples:
 * of the bootstrap, 0 for none; its seed is named then too. */
at_status at_metric_signature(const at_metric *metric, const at_metric_options *options, size_t reference_count,
                              int64_t samples, uint64_t seed, at_buf *out, at_error *err);

typedef struct at_bleu {
    double score;         /* 0 .. 100 */
    double precisions[4]; /* percent */
    double brevity_penalty;
    int64_t hypothesis_length, reference_length; /* tokens */
} at_bleu;

/* BLEU with its parts, from at_metric_bleu's totals. */
void at_bleu_finish(const double *totals, at_bleu *out);

/* One reference a line; exponential smoothing as sacreBLEU's default. Fails only for lack of memory. */
at_status at_bleu_corpus(const at_text *hypotheses, const at_text *references, size_t count, at_bleu_tokenize tokenize,
                         bool lowercase, at_bleu *out, at_error *err);
/* chrF2 in percent, as sacreBLEU's default (effective order, white space removed). */
at_status at_chrf_corpus(const at_text *hypotheses, const at_text *references, size_t count, bool lowercase,
                         double *score, at_error *err);

#endif
