/* Translation edit rate (Snover, Dorr, Schwartz, Micciulla, Makhoul 2006, "A study of translation edit rate with
 * targeted human annotation"): the fewest insertions, deletions, substitutions and shifts of word sequences that turn a
 * hypothesis into a reference, per word of the reference. Finding the fewest is hard, so shifts are chosen greedily: as
 * long as one lowers the edit distance, the one that lowers it most is made. The limits, the order in which shifts are
 * tried and the ties are those of sacreBLEU's version of the program Tercom, on which the number depends.
 *
 * The edit distance of H words to R words is a matrix of which only a band along the diagonal is filled:
 *
 *            j = 0 ...... R
 *   i = 0    0 1 2 3 4 5 6 7     row 0: insertions, whole
 *       1    1 # # # . . . .
 *       2    2 # # # # . . .     #: filled, at most 2 * beam + 2 cells from low(i);  .: infinite
 *       H    . . . # # # # #     the last row reaches to R
 *
 * so time and memory of a segment are linear in its length. The matrix of the hypothesis at hand is kept; a
 * tried shift is compared from the first row on that it changes, in two rows. Of several references the fewest edits
 * count, over the mean of their lengths. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/metric_work.h"

enum { MAX_SHIFT_LENGTH = 10, MAX_SHIFT_DISTANCE = 50, BEAM = 25, MAX_CANDIDATES = 1000, INFINITE = 1 << 29 };

/* A segment's sums. */
enum { EDITS, LENGTH, SUMS };

typedef enum step { UNREACHED, KEEP, SUBSTITUTE, DELETE, INSERT } step; /* DELETE: a word of the hypothesis */

/* A row's cells [low, high) of costs. */
typedef struct band_row {
    int32_t *costs;
    size_t low, high;
} band_row;

/* A shift of `length` words from `start` to before `target`, and by how much it lowers the distance. */
typedef struct shift {
    int32_t gain;
    size_t length, start, target;
    bool found;
} shift;

struct at_ter {
    const at_ids *reference;
    at_ids words, shifted;   /* the hypothesis, and a try */
    size_t beam, width;      /* width: cells kept a row */
    double slope;            /* R / H */
    at_ids first_row;        /* (R + 1) */
    at_ids costs;            /* (H, width): rows 1 .. H */
    at_ids tried_costs;      /* (2, width) */
    at_buf steps;            /* (H, width), a step each */
    at_ids position;         /* (R): last word of the hypothesis aligned at or before a word of the reference, or -1 */
    at_buf reference_errors; /* (R), 1: the word is not matched */
    at_buf word_errors;      /* (H) */
    int candidates;          /* tried so far for this pair */
};

void at_ter_free(at_ter *ter)
{
    if (ter == NULL) return;
    at_ids_free(&ter->words);
    at_ids_free(&ter->shifted);
    at_ids_free(&ter->first_row);
    at_ids_free(&ter->costs);
    at_ids_free(&ter->tried_costs);
    at_buf_free(&ter->steps);
    at_ids_free(&ter->position);
    at_buf_free(&ter->reference_errors);
    at_buf_free(&ter->word_errors);
    free(ter);
}

static at_status bytes_room(at_buf *buf, size_t len, at_error *err)
{
    at_buf_clear(buf);
    ATT_TRY(at_buf_reserve(buf, len, err));
    buf->len = len;
    return ATT_OK;
}

/* Room for a pair of sequences, neither of them empty. */
static at_status prepare(at_ter *ter, const at_ids *hypothesis, const at_ids *reference, at_error *err)
{
    const size_t h = hypothesis->len, r = reference->len;
    ter->reference = reference;
    ter->candidates = 0;
    ter->slope = (double)r / (double)h;
    /* where lengths differ much, rows next to each other would not touch */
    ter->beam = BEAM < ter->slope / 2 ? (size_t)ceil(ter->slope / 2 + BEAM) : BEAM;
    ter->width = 2 * ter->beam + 2;
    ter->words.len = 0;
    ATT_TRY(at_ids_add(&ter->words, hypothesis->data, h, err));
    ATT_TRY(at_work_room(&ter->shifted, h, err));
    ATT_TRY(at_work_room(&ter->first_row, r + 1, err));
    ATT_TRY(at_work_room(&ter->costs, h * ter->width, err));
    ATT_TRY(at_work_room(&ter->tried_costs, 2 * ter->width, err));
    ATT_TRY(bytes_room(&ter->steps, h * ter->width, err));
    ATT_TRY(at_work_room(&ter->position, r, err));
    ATT_TRY(bytes_room(&ter->reference_errors, r, err));
    ATT_TRY(bytes_room(&ter->word_errors, h, err));
    for (size_t j = 0; j <= r; j++) ter->first_row.data[j] = (int32_t)j;
    return ATT_OK;
}

/* Row i's place in the band; i from 1. */
static band_row row_at(const at_ter *ter, size_t i, int32_t *costs)
{
    const size_t diagonal = (size_t)floor((double)i * ter->slope), end = ter->reference->len + 1;
    const bool last = i == ter->words.len;
    return (band_row){costs, diagonal > ter->beam ? diagonal - ter->beam : 0,
                      last || diagonal + ter->beam > end ? end : diagonal + ter->beam};
}

static band_row kept_row(const at_ter *ter, size_t i)
{
    if (i == 0) return (band_row){ter->first_row.data, 0, ter->reference->len + 1};
    return row_at(ter, i, ter->costs.data + (i - 1) * ter->width);
}

static int32_t cost_at(const band_row *row, size_t j)
{
    return j >= row->low && j < row->high ? row->costs[j - row->low] : INFINITE;
}

/* One row from the one above, for one word of the hypothesis. Of equal costs the first of substitution (or match),
 * deletion, insertion is taken. steps: where they are written, or NULL. */
static void fill_row(const at_ter *ter, const band_row *above, int32_t word, band_row *row, char *steps)
{
    int32_t left = INFINITE, diagonal = row->low > 0 ? cost_at(above, row->low - 1) : INFINITE;
    for (size_t j = row->low; j < row->high; j++) {
        const int32_t up = cost_at(above, j);
        const bool match = j > 0 && ter->reference->data[j - 1] == word;
        int32_t best = INFINITE;
        step how = UNREACHED;
        if (diagonal + !match < best) {
            best = diagonal + !match;
            how = match ? KEEP : SUBSTITUTE;
        }
        if (up + 1 < best) {
            best = up + 1;
            how = DELETE;
        }
        if (left + 1 < best) {
            best = left + 1;
            how = INSERT;
        }
        row->costs[j - row->low] = left = best;
        if (steps != NULL) steps[j - row->low] = (char)how;
        diagonal = up;
    }
}

/* The edit distance of the hypothesis at hand, its matrix and steps. */
static int32_t fill_matrix(at_ter *ter)
{
    band_row row = kept_row(ter, 0);
    for (size_t i = 1; i <= ter->words.len; i++) {
        const band_row above = row;
        row = kept_row(ter, i);
        fill_row(ter, &above, ter->words.data[i - 1], &row, ter->steps.data + (i - 1) * ter->width);
    }
    return cost_at(&row, ter->reference->len);
}

/* The edit distance of ter->shifted, which equals ter->words up to word `same`. */
static int32_t tried_distance(at_ter *ter, size_t same)
{
    band_row row = kept_row(ter, same);
    for (size_t i = same + 1; i <= ter->shifted.len; i++) {
        const band_row above = row;
        row = row_at(ter, i, ter->tried_costs.data + (i & 1) * ter->width);
        fill_row(ter, &above, ter->shifted.data[i - 1], &row, NULL);
    }
    return cost_at(&row, ter->reference->len);
}

/* Walks the steps back from the matrix's end: who is aligned to whom, and which words are wrong. */
static void align(at_ter *ter)
{
    size_t i = ter->words.len, j = ter->reference->len;
    while (i > 0 || j > 0) {
        const size_t low = i > 0 ? kept_row(ter, i).low : 0;
        const step how = i > 0 ? (step)ter->steps.data[(i - 1) * ter->width + j - low] : INSERT;
        if (how != INSERT) ter->word_errors.data[i - 1] = how != KEEP;
        if (how != DELETE) {
            ter->reference_errors.data[j - 1] = how != KEEP;
            ter->position.data[j - 1] = (int32_t)i - 1;
        }
        i -= how != INSERT;
        j -= how != DELETE;
    }
}

static void copy(int32_t **out, const int32_t *from, const int32_t *to)
{
    memcpy(*out, from, (size_t)(to - from) * sizeof *from);
    *out += to - from;
}

/* Writes ter->shifted: the words [start, start + length) moved to before word `target`; counted, where the target lies
 * inside them or at their end, from behind them. */
static void make_shift(at_ter *ter, size_t start, size_t length, size_t target)
{
    const int32_t *words = ter->words.data, *end = words + ter->words.len;
    int32_t *out = ter->shifted.data;
    if (target < start) {
        copy(&out, words, words + target);
        copy(&out, words + start, words + start + length);
        copy(&out, words + target, words + start);
        copy(&out, words + start + length, end);
        return;
    }
    size_t behind = target > start + length ? target : target + length;
    if (behind > ter->words.len) behind = ter->words.len;
    copy(&out, words, words + start);
    copy(&out, words + start + length, words + behind);
    copy(&out, words + start, words + start + length);
    copy(&out, words + behind, end);
}

/* More gain is better, then a longer match, then an earlier one, then an earlier target. */
static bool is_better(const shift *a, const shift *b)
{
    if (!b->found) return true;
    if (a->gain != b->gain) return a->gain > b->gain;
    if (a->length != b->length) return a->length > b->length;
    if (a->start != b->start) return a->start < b->start;
    return a->target < b->target;
}

static bool any_error(const at_buf *errors, size_t start, size_t length)
{
    return memchr(errors->data + start, 1, length) != NULL;
}

/* Tries to bring the words [start, start + length), which equal the reference's from `at` on, to where those are
 * aligned: before the first, and behind each. */
static void try_targets(at_ter *ter, int32_t distance, size_t start, size_t at, size_t length, shift *best)
{
    const int32_t *position = ter->position.data;
    if (!any_error(&ter->word_errors, start, length) || !any_error(&ter->reference_errors, at, length)) return;
    if (position[at] >= (int32_t)start && position[at] < (int32_t)(start + length)) return; /* within itself */
    int32_t last = -1;
    for (size_t i = at; i <= at + length && i <= ter->reference->len; i++) {
        const int32_t target = i == 0 ? 0 : position[i - 1] + 1;
        if (target == last) continue;
        last = target;
        make_shift(ter, start, length, (size_t)target);
        const size_t same = (size_t)target < start ? (size_t)target : start;
        const shift tried = {distance - tried_distance(ter, same), length, start, (size_t)target, true};
        ter->candidates++;
        if (is_better(&tried, best)) *best = tried;
    }
}

/* The best shift for words that start at `start` and at the reference's word `at`, of every length that matches. */
static void try_lengths(at_ter *ter, int32_t distance, size_t start, size_t at, shift *best)
{
    for (size_t length = 1; length <= MAX_SHIFT_LENGTH; length++) {
        if (start + length > ter->words.len || at + length > ter->reference->len) return;
        if (ter->words.data[start + length - 1] != ter->reference->data[at + length - 1]) return;
        try_targets(ter, distance, start, at, length, best);
        if (ter->candidates >= MAX_CANDIDATES) return;
    }
}

static shift best_shift(at_ter *ter, int32_t distance)
{
    shift best = {0};
    align(ter);
    for (size_t start = 0; start < ter->words.len; start++) {
        size_t at = start > MAX_SHIFT_DISTANCE ? start - MAX_SHIFT_DISTANCE : 0;
        for (; at < ter->reference->len && at <= start + MAX_SHIFT_DISTANCE; at++) {
            try_lengths(ter, distance, start, at, &best);
            if (ter->candidates >= MAX_CANDIDATES) return best;
        }
    }
    return best;
}

/* Shifts plus what the edit distance is after them. */
static at_status count_edits(at_ter *ter, const at_ids *hypothesis, const at_ids *reference, size_t *edits,
                             at_error *err)
{
    *edits = hypothesis->len > reference->len ? hypothesis->len : reference->len;
    if (hypothesis->len == 0 || reference->len == 0) return ATT_OK;
    ATT_TRY(prepare(ter, hypothesis, reference, err));
    int32_t distance = fill_matrix(ter);
    for (*edits = 0; distance > 0; ++*edits) {
        const shift best = best_shift(ter, distance);
        if (ter->candidates >= MAX_CANDIDATES || best.gain <= 0) break;
        make_shift(ter, best.start, best.length, best.target);
        memcpy(ter->words.data, ter->shifted.data, ter->words.len * sizeof *ter->words.data);
        distance = fill_matrix(ter);
    }
    *edits += (size_t)distance;
    return ATT_OK;
}

/* Tercom's default: lower case, parted by white space alone. */
static at_status normalize(at_metric_work *work, at_text line, at_buf *out, at_error *err)
{
    ATT_TRY(at_work_lower(work, &line, err));
    return at_buf_add(out, line.data, line.len, err);
}

static at_status add(at_metric_work *work, at_text hypothesis, const at_text *references, size_t count, double *sums,
                     at_error *err)
{
    size_t fewest = SIZE_MAX, length = 0;
    if (work->ter == NULL) work->ter = calloc(1, sizeof *work->ter);
    if (work->ter == NULL) return at_fail_memory(err, sizeof *work->ter);
    ATT_TRY(at_work_words(work, normalize, hypothesis, references, count, err));
    for (size_t i = 0; i < count; i++) {
        size_t edits;
        ATT_TRY(count_edits(work->ter, &work->hypothesis, &work->references[i], &edits, err));
        if (edits < fewest) fewest = edits;
        length += work->references[i].len;
    }
    sums[EDITS] = (double)fewest;
    sums[LENGTH] = (double)length / (double)count;
    return ATT_OK;
}

/* Nothing wanted and something there counts as 100. */
static double score(const double *totals)
{
    if (totals[LENGTH] > 0.0) return 100.0 * (totals[EDITS] / totals[LENGTH]);
    return totals[EDITS] > 0.0 ? 100.0 : 0.0;
}

static at_status sign(const at_metric_options *options, at_buf *out, at_error *err)
{
    (void)options;
    return at_buf_puts(out, "case:lc|tok:tercom|norm:no|punct:yes|asian:no", err);
}

const at_metric at_metric_ter = {"ter", SUMS, add, score, sign};
