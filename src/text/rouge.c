/* ROUGE (Lin 2004, "ROUGE: a package for automatic evaluation of summaries"), the mean of the lines' F1, with the
 * numbers of the Python package rouge-score without stemming: words are runs of a-z and 0-9 after lower-casing, so text
 * in other scripts has none. Of several references a line takes the best.
 *
 *   ROUGE-1, -2  words, and pairs of words, in common
 *   ROUGE-L      longest common subsequence of two lines
 *   ROUGE-Lsum   of each sentence of the reference, the words that are in a longest common subsequence with any
 * sentence of the hypothesis. Sentences end at the two characters \n, as text has them whose lines were joined. */
#include <string.h>

#include "text/metric_work.h"

static bool is_break(const char *text, size_t len)
{
    return len >= 2 && text[0] == '\\' && text[1] == 'n';
}

static at_status normalize(at_metric_work *work, at_text line, at_buf *out, at_error *err)
{
    ATT_TRY(at_work_lower(work, &line, err));
    for (size_t i = 0; i < line.len; i++) {
        const char c = line.data[i];
        const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        ATT_TRY(at_buf_add(out, kept ? &c : " ", 1, err));
        if (is_break(line.data + i, line.len - i)) i++;
    }
    return ATT_OK;
}

/* The best F of all references, given by `f`. */
typedef at_status f_of_pair(at_metric_work *work, const at_ids *hypothesis, const at_ids *reference, double *f,
                            at_error *err);

static at_status add_best(at_metric_work *work, f_of_pair *f_of, at_text hypothesis, const at_text *references,
                          size_t count, double *sums, at_error *err)
{
    double best = 0.0;
    ATT_TRY(at_work_words(work, normalize, hypothesis, references, count, err));
    for (size_t i = 0; i < count; i++) {
        double f;
        ATT_TRY(f_of(work, &work->hypothesis, &work->references[i], &f, err));
        if (f > best) best = f;
    }
    sums[0] = 100.0 * best;
    sums[1] = 1.0;
    return ATT_OK;
}

static at_status f_of_ngrams(at_metric_work *work, const at_ids *hypothesis, const at_ids *reference, int order,
                             double *f, at_error *err)
{
    int64_t matches[2] = {0};
    ATT_TRY(at_ngrams_match(&work->ngrams, hypothesis, reference, 1, order, matches, err));
    *f = at_f1(matches[order - 1], (size_t)at_ngram_count(hypothesis->len, order),
               (size_t)at_ngram_count(reference->len, order));
    return ATT_OK;
}

static at_status f_of_words(at_metric_work *work, const at_ids *hypothesis, const at_ids *reference, double *f,
                            at_error *err)
{
    return f_of_ngrams(work, hypothesis, reference, 1, f, err);
}

static at_status f_of_pairs(at_metric_work *work, const at_ids *hypothesis, const at_ids *reference, double *f,
                            at_error *err)
{
    return f_of_ngrams(work, hypothesis, reference, 2, f, err);
}

static void set_bit(at_buf *bits, size_t at)
{
    bits->data[at / 8] = (char)((unsigned char)bits->data[at / 8] | 1u << at % 8);
}

static bool get_bit(const at_buf *bits, size_t at)
{
    const unsigned byte = (unsigned char)bits->data[at / 8];
    return (byte >> at % 8 & 1u) != 0;
}

static at_status bits_reset(at_buf *bits, size_t count, at_error *err)
{
    at_buf_clear(bits);
    ATT_TRY(at_buf_reserve(bits, count / 8 + 1, err));
    memset(bits->data, 0, count / 8 + 1);
    return ATT_OK;
}

/* Length of a longest common subsequence of a (A) and b (B). lefts: NULL, or a bit a cell (A, B), zero before: set
 * where t(i, j-1) > t(i-1, j). */
static at_status common_length(at_metric_work *work, const int32_t *a, size_t a_len, const int32_t *b, size_t b_len,
                               at_buf *lefts, int64_t *length, at_error *err)
{
    at_ids *row = &work->row[0]; /* t(i, 0 .. B) */
    ATT_TRY(at_work_room(row, b_len + 1, err));
    memset(row->data, 0, row->len * sizeof *row->data);
    for (size_t i = 0; i < a_len; i++) {
        int32_t diagonal = 0;
        for (size_t j = 0; j < b_len; j++) {
            const int32_t above = row->data[j + 1], left = row->data[j];
            if (lefts != NULL && left > above) set_bit(lefts, i * b_len + j);
            row->data[j + 1] = a[i] == b[j] ? diagonal + 1 : left > above ? left : above;
            diagonal = above;
        }
    }
    *length = row->data[b_len];
    return ATT_OK;
}

static at_status f_of_subsequence(at_metric_work *work, const at_ids *hypothesis, const at_ids *reference, double *f,
                                  at_error *err)
{
    int64_t length;
    ATT_TRY(
        common_length(work, reference->data, reference->len, hypothesis->data, hypothesis->len, NULL, &length, err));
    *f = at_f1(length, hypothesis->len, reference->len);
    return ATT_OK;
}

/* Raises in->data[i] for the words of a sentence a that one longest common subsequence with b has. */
static at_status mark_common(at_metric_work *work, const int32_t *a, size_t a_len, const int32_t *b, size_t b_len,
                             at_ids *in, at_error *err)
{
    int64_t length;
    at_buf *lefts = &work->directions;
    ATT_TRY(bits_reset(lefts, a_len * b_len, err));
    ATT_TRY(common_length(work, a, a_len, b, b_len, lefts, &length, err));
    for (size_t i = a_len, j = b_len; i > 0 && j > 0;) {
        const bool match = a[i - 1] == b[j - 1];
        const bool left = !match && get_bit(lefts, (i - 1) * b_len + j - 1);
        if (match) in->data[i - 1] = 1;
        i -= !left;
        j -= match || left;
    }
    return ATT_OK;
}

/* Appends to work->union_ids the words of a sentence of the reference that are in common with any sentence of the
 * hypothesis. */
static at_status add_union(at_metric_work *work, const int32_t *sentence, size_t len, at_error *err)
{
    size_t start = 0;
    at_ids *in = &work->row[1];
    ATT_TRY(at_work_room(in, len, err));
    for (size_t i = 0; i < len; i++) in->data[i] = 0;
    for (size_t i = 0; i < work->ends[0].len; i++) {
        const size_t end = (size_t)work->ends[0].data[i];
        ATT_TRY(mark_common(work, sentence, len, work->hypothesis.data + start, end - start, in, err));
        start = end;
    }
    for (size_t i = 0; i < len; i++) {
        if (in->data[i]) ATT_TRY(at_ids_push(&work->union_ids, sentence[i], err));
    }
    return ATT_OK;
}

/* The words of a line, and where its sentences end among them; sentences without words are left out. */
static at_status read_sentences(at_metric_work *work, at_text line, at_ids *words, at_ids *ends, at_error *err)
{
    words->len = 0;
    ends->len = 0;
    for (size_t start = 0, end = 0; start <= line.len; start = end += 2) {
        const size_t before = words->len;
        while (end < line.len && !is_break(line.data + end, line.len - end)) end++;
        at_buf_clear(&work->text);
        ATT_TRY(normalize(work, (at_text){line.data + start, end - start}, &work->text, err));
        ATT_TRY(at_words_read(&work->words, work->text.data, work->text.len, words, err));
        if (words->len > before) ATT_TRY(at_ids_push(ends, (int32_t)words->len, err));
    }
    return ATT_OK;
}

static at_status f_of_sentences(at_metric_work *work, const at_ids *reference, double *f, at_error *err)
{
    int64_t matches = 0;
    size_t start = 0;
    work->union_ids.len = 0;
    for (size_t i = 0; i < work->ends[1].len; i++) {
        const size_t end = (size_t)work->ends[1].data[i];
        ATT_TRY(add_union(work, reference->data + start, end - start, err));
        start = end;
    }
    /* a word of the hypothesis counts once, though several sentences of the reference share it */
    ATT_TRY(at_ngrams_match(&work->ngrams, &work->union_ids, &work->hypothesis, 1, 1, &matches, err));
    *f = at_f1(matches, work->hypothesis.len, reference->len);
    return ATT_OK;
}

static at_status add_1(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count, double *sums,
                       at_error *err)
{
    return add_best(work, f_of_words, hypothesis, references, count, sums, err);
}

static at_status add_2(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count, double *sums,
                       at_error *err)
{
    return add_best(work, f_of_pairs, hypothesis, references, count, sums, err);
}

static at_status add_l(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count, double *sums,
                       at_error *err)
{
    return add_best(work, f_of_subsequence, hypothesis, references, count, sums, err);
}

static at_status add_lsum(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count,
                          double *sums, at_error *err)
{
    double best = 0.0;
    ATT_TRY(at_work_references(work, 1, err));
    ATT_TRY(read_sentences(work, hypothesis, &work->hypothesis, &work->ends[0], err));
    for (size_t i = 0; i < count; i++) {
        double f;
        ATT_TRY(read_sentences(work, references[i], &work->references[0], &work->ends[1], err));
        ATT_TRY(f_of_sentences(work, &work->references[0], &f, err));
        if (f > best) best = f;
    }
    sums[0] = 100.0 * best;
    sums[1] = 1.0;
    return ATT_OK;
}

static at_status sign(const at_metric_options *options, at_buf *out, at_error *err)
{
    (void)options;
    return at_buf_puts(out, "case:lc|tok:rouge|stem:no", err);
}

const at_metric at_metric_rouge_1 = {"rouge1", 2, add_1, at_mean_score, sign};
const at_metric at_metric_rouge_2 = {"rouge2", 2, add_2, at_mean_score, sign};
const at_metric at_metric_rouge_l = {"rougeL", 2, add_l, at_mean_score, sign};
const at_metric at_metric_rouge_lsum = {"rougeLsum", 2, add_lsum, at_mean_score, sign};
