/* Room that metrics work in, kept from one segment to the next, and what they share: lines to words, words to numbers.
 */
#ifndef ATT_TEXT_METRIC_WORK_H
#define ATT_TEXT_METRIC_WORK_H

#include "text/metrics.h"
#include "text/ngram.h"
#include "text/word_ids.h"

typedef struct at_ter at_ter; /* ter.c's own */

struct at_metric_work {
    at_metric_options options;
    at_buf lowered, text, spare;
    at_words words; /* of the whole corpus */
    at_ids hypothesis;
    at_ids *references; /* (reference_cap), each kept for its memory */
    size_t reference_cap;
    at_ngrams ngrams;
    at_ids row[2];     /* of a table that is filled row by row */
    at_ids ends[2];    /* ROUGE-Lsum: ends of sentences */
    at_ids union_ids;  /* ROUGE-Lsum */
    at_buf directions; /* ROUGE-Lsum: a bit a cell */
    at_ter *ter;
};

void at_metric_work_free(at_metric_work *work);

/* Replaces *line by its lower-case form, which is valid until the next call. */
at_status at_work_lower(at_metric_work *work, at_text *line, at_error *err);

/* Appends a line's words to `out`, parted by white space. */
typedef at_status at_normalize(at_metric_work *work, at_text line, at_buf *out, at_error *err);

/* Fills work->hypothesis and work->references[0 .. count - 1] with the numbers of the normalised words. */
at_status at_work_words(at_metric_work *work, at_normalize *normalize, at_text hypothesis, const at_text *references,
                        size_t count, at_error *err);
/* Room for `count` references. */
at_status at_work_references(at_metric_work *work, size_t count, at_error *err);
/* Makes a list `len` long, its content undefined. */
at_status at_work_room(at_ids *ids, size_t len, at_error *err);

/* at_normalize: the line as it is, lower-cased where the options say so. */
at_status at_normalize_case(at_metric_work *work, at_text line, at_buf *out, at_error *err);
/* "case:mixed" or "case:lc" */
const char *at_sign_case(const at_metric_options *options);
/* F1 = 2 P R / (P + R) of `matches` in two sequences; 0 when there are none. */
double at_f1(int64_t matches, size_t hypothesis_len, size_t reference_len);
/* at_metric's score for means of lines: sums are {percent, 1}. */
double at_mean_score(const double *totals);

/* ter.c */
void at_ter_free(at_ter *ter);

#endif
