/* Corpus metrics of translation with sacreBLEU's numbers.
 *
 * BLEU: Papineni et al. 2002; sacreBLEU: Post 2018, "A call for clarity in reporting BLEU scores".
 * chrF: Popović 2015 (character order 6, word order 0, beta 2). */
#ifndef ATT_TEXT_METRICS_H
#define ATT_TEXT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"

typedef enum at_bleu_tokenize { ATT_TOKENIZE_13A, ATT_TOKENIZE_ZH, ATT_TOKENIZE_NONE } at_bleu_tokenize;

typedef struct at_text { /* one line, not NUL-terminated, no line end */
    const char *data;
    size_t len;
} at_text;

typedef struct at_bleu {
    double score;         /* 0 .. 100 */
    double precisions[4]; /* percent */
    double brevity_penalty;
    int64_t hypothesis_length, reference_length; /* tokens */
} at_bleu;

/* One reference a line; exponential smoothing as sacreBLEU's default. Fails only for lack of memory. */
at_status at_bleu_corpus(const at_text *hypotheses, const at_text *references, size_t count, at_bleu_tokenize tokenize,
                         bool lowercase, at_bleu *out, at_error *err);
/* chrF2 in percent, as sacreBLEU's default (effective order, white space removed). */
at_status at_chrf_corpus(const at_text *hypotheses, const at_text *references, size_t count, bool lowercase,
                         double *score, at_error *err);

#endif
