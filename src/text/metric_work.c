/* See metric_work.h. */
#include "text/metric_work.h"

#include <stdlib.h>
#include <string.h>

#include "text/lowercase.h"

void at_metric_work_free(at_metric_work *work)
{
    at_buf_free(&work->lowered);
    at_buf_free(&work->text);
    at_buf_free(&work->spare);
    at_words_free(&work->words);
    at_ids_free(&work->hypothesis);
    for (size_t i = 0; i < work->reference_cap; i++) at_ids_free(&work->references[i]);
    free(work->references);
    at_ngrams_free(&work->ngrams);
    for (int i = 0; i < 2; i++) {
        at_ids_free(&work->row[i]);
        at_ids_free(&work->ends[i]);
    }
    at_ids_free(&work->union_ids);
    at_buf_free(&work->directions);
    at_ter_free(work->ter);
}

at_status at_work_lower(at_metric_work *work, at_text *line, at_error *err)
{
    at_buf_clear(&work->lowered);
    ATT_TRY(at_lowercase(line->data, line->len, &work->lowered, err));
    *line = (at_text){work->lowered.len > 0 ? work->lowered.data : "", work->lowered.len};
    return ATT_OK;
}

at_status at_normalize_case(at_metric_work *work, at_text line, at_buf *out, at_error *err)
{
    if (work->options.lowercase) ATT_TRY(at_work_lower(work, &line, err));
    return at_buf_add(out, line.data, line.len, err);
}

static at_status read_words(at_metric_work *work, at_normalize *normalize, at_text line, at_ids *out, at_error *err)
{
    out->len = 0;
    at_buf_clear(&work->text);
    ATT_TRY(normalize(work, line, &work->text, err));
    return at_words_read(&work->words, work->text.data, work->text.len, out, err);
}

at_status at_work_references(at_metric_work *work, size_t count, at_error *err)
{
    if (count <= work->reference_cap) return ATT_OK;
    at_ids *more = realloc(work->references, count * sizeof *more);
    if (more == NULL) return at_fail_memory(err, count * sizeof *more);
    memset(more + work->reference_cap, 0, (count - work->reference_cap) * sizeof *more);
    work->references = more;
    work->reference_cap = count;
    return ATT_OK;
}

at_status at_work_words(at_metric_work *work, at_normalize *normalize, at_text hypothesis, const at_text *references,
                        size_t count, at_error *err)
{
    ATT_TRY(at_work_references(work, count, err));
    ATT_TRY(read_words(work, normalize, hypothesis, &work->hypothesis, err));
    for (size_t i = 0; i < count; i++) {
        ATT_TRY(read_words(work, normalize, references[i], &work->references[i], err));
    }
    return ATT_OK;
}

at_status at_work_room(at_ids *ids, size_t len, at_error *err)
{
    if (len > ids->cap) {
        const size_t cap = len > 2 * ids->cap ? len : 2 * ids->cap;
        int32_t *data = realloc(ids->data, cap * sizeof *data);
        if (data == NULL) return at_fail_memory(err, cap * sizeof *data);
        ids->data = data;
        ids->cap = cap;
    }
    ids->len = len;
    return ATT_OK;
}

const char *at_sign_case(const at_metric_options *options)
{
    return options->lowercase ? "case:lc" : "case:mixed";
}

double at_f1(int64_t matches, size_t hypothesis_len, size_t reference_len)
{
    return matches == 0 ? 0.0 : 2.0 * (double)matches / (double)(hypothesis_len + reference_len);
}

double at_mean_score(const double *totals)
{
    return totals[1] > 0.0 ? totals[0] / totals[1] : 0.0;
}
