/* Scores of answers: exact match, and the F1 of words, the mean of lines. Of several references a line takes the best.
 *
 * Exact match compares lines byte by byte. F1 is that of the SQuAD data set's program, version 2.0 (Rajpurkar et al.
 * 2016 and 2018): lower-case, without ASCII punctuation and without the words a, an and the; two lines of which nothing
 * is left are equal. */
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/metric_work.h"

static at_status add_exact(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count,
                           double *sums, at_error *err)
{
    at_buf_clear(&work->text);
    ATT_TRY(at_normalize_case(work, hypothesis, &work->text, err));
    sums[0] = 0.0;
    sums[1] = 1.0;
    for (size_t i = 0; i < count; i++) {
        at_buf_clear(&work->spare);
        ATT_TRY(at_normalize_case(work, references[i], &work->spare, err));
        if (work->text.len != work->spare.len) continue;
        if (work->text.len == 0 || memcmp(work->text.data, work->spare.data, work->text.len) == 0) sums[0] = 100.0;
    }
    return ATT_OK;
}

static at_status sign_exact(const at_metric_options *options, at_buf *out, at_error *err)
{
    return at_buf_printf(out, err, "%s|tok:none", at_sign_case(options));
}

/* Python's string.punctuation */
static bool is_punctuation(uint32_t code)
{
    return (code >= '!' && code <= '/') || (code >= ':' && code <= '@') || (code >= '[' && code <= '`') ||
           (code >= '{' && code <= '~');
}

static at_status drop_punctuation(at_text line, at_buf *out, at_error *err)
{
    at_buf_clear(out);
    for (size_t i = 0; i < line.len; i++) {
        if (!is_punctuation((unsigned char)line.data[i])) ATT_TRY(at_buf_add(out, line.data + i, 1, err));
    }
    return ATT_OK;
}

/* \w of Python's regular expressions, punctuation being gone: letters and numbers. */
static bool is_word_character(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

static bool is_article(const char *word, size_t len)
{
    return (len == 1 && word[0] == 'a') || (len == 2 && memcmp(word, "an", 2) == 0) ||
           (len == 3 && memcmp(word, "the", 3) == 0);
}

/* \b(a|an|the)\b  ->  " " */
static at_status drop_articles(const at_buf *in, at_buf *out, at_error *err)
{
    for (size_t start = 0; start < in->len;) {
        uint32_t code;
        size_t end = start;
        while (end < in->len) { /* a run of word characters */
            const size_t count = at_utf8_next(in->data + end, in->len - end, &code);
            if (!is_word_character(code)) break;
            end += count;
        }
        if (end == start) end += at_utf8_next(in->data + start, in->len - start, &code);
        const bool article = is_article(in->data + start, end - start);
        ATT_TRY(article ? at_buf_add(out, " ", 1, err) : at_buf_add(out, in->data + start, end - start, err));
        start = end;
    }
    return ATT_OK;
}

static at_status normalize_answer(at_metric_work *work, at_text line, at_buf *out, at_error *err)
{
    ATT_TRY(at_work_lower(work, &line, err));
    ATT_TRY(drop_punctuation(line, &work->spare, err));
    return drop_articles(&work->spare, out, err);
}

static at_status add_f1(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count, double *sums,
                        at_error *err)
{
    ATT_TRY(at_work_words(work, normalize_answer, hypothesis, references, count, err));
    sums[0] = 0.0;
    sums[1] = 1.0;
    for (size_t i = 0; i < count; i++) {
        int64_t matches = 0;
        const at_ids *reference = &work->references[i];
        ATT_TRY(at_ngrams_match(&work->ngrams, &work->hypothesis, reference, 1, 1, &matches, err));
        const bool nothing = work->hypothesis.len == 0 && reference->len == 0;
        const double f = nothing ? 100.0 : 100.0 * at_f1(matches, work->hypothesis.len, reference->len);
        if (f > sums[0]) sums[0] = f;
    }
    return ATT_OK;
}

static at_status sign_f1(const at_metric_options *options, at_buf *out, at_error *err)
{
    (void)options;
    return at_buf_puts(out, "case:lc|tok:squad", err);
}

const at_metric at_metric_exact = {"exact", 2, add_exact, at_mean_score, sign_exact};
const at_metric at_metric_f1 = {"f1", 2, add_f1, at_mean_score, sign_f1};
