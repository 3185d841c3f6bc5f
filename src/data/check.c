/* Counting what may be wrong with parallel text. See check.h. */
#include "data/check.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "data/hash_map.h"

static const double SHARE_OF_A_SCRIPT = 0.8; /* of the lines, from which on others are strangers */

typedef struct checker {
    const at_judge *judge;
    at_pair_writer *writer;
    at_check_result *result;
    at_ids ids[2];
    at_buf clean[2];
    at_hash_map pairs, sources; /* seen before; the value of a source is the hash of its target */
    at_found scripts[ATT_SCRIPTS][ATT_SCRIPTS];
    int columns; /* of the first line */
} checker;

static void note(at_found *found, int64_t line)
{
    if (found->count < ATT_FINDING_LINES) found->line[found->count] = line;
    found->count++;
}

static void find(checker *c, at_finding_kind kind, int64_t line)
{
    note(&c->result->found[kind], line);
}

/* ---- what the bytes of a line show ---- */

static void check_shape(checker *c, const at_pair *pair, bool first_of_file)
{
    const at_line_shape *a = &pair->shape[0], *b = &pair->shape[1];
    if (first_of_file && (a->byte_order_mark || b->byte_order_mark)) find(c, ATT_FINDING_MARK, pair->line);
    if (a->carriage_return || b->carriage_return) find(c, ATT_FINDING_CRLF, pair->line);
    if (!a->ended || !b->ended) find(c, ATT_FINDING_UNENDED, pair->line);
    if (c->columns == 0) c->columns = pair->columns;
    if (pair->columns != c->columns && !pair->torn) find(c, ATT_FINDING_COLUMNS, pair->line);
}

static bool is_blank(const char *text, size_t len)
{
    at_buf clean = {0};
    const bool blank = at_text_clean(text, len, &clean, NULL) == ATT_OK && clean.len == 0;
    at_buf_free(&clean);
    return blank;
}

static at_finding_kind finding_of(at_skip skip, const at_pair *pair)
{
    static const at_finding_kind kinds[ATT_SKIP_KINDS] = {ATT_FINDING_TORN, ATT_FINDING_EMPTY, ATT_FINDING_UTF8,
                                                          ATT_FINDING_NUL,  ATT_FINDING_LONG,  ATT_FINDING_LOPSIDED};
    if (skip != ATT_SKIP_EMPTY) return kinds[skip];
    const bool source = is_blank(pair->text[0], pair->len[0]), target = is_blank(pair->text[1], pair->len[1]);
    return source == target ? ATT_FINDING_EMPTY : source ? ATT_FINDING_EMPTY_SOURCE : ATT_FINDING_EMPTY_TARGET;
}

static void check_marks(checker *c, const at_pair *pair, unsigned marks)
{
    static const struct {
        unsigned mark;
        at_finding_kind kind;
    } rows[] = {{ATT_MARK_CONTROL, ATT_FINDING_CONTROL},
                {ATT_MARK_RETURN, ATT_FINDING_RETURN},
                {ATT_MARK_SEPARATOR, ATT_FINDING_SEPARATOR},
                {ATT_MARK_MARKUP, ATT_FINDING_MARKUP},
                {ATT_MARK_SPACE, ATT_FINDING_SPACE},
                {ATT_MARK_MOJIBAKE, ATT_FINDING_MOJIBAKE},
                {ATT_MARK_REPLACEMENT, ATT_FINDING_REPLACEMENT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (marks & rows[i].mark) find(c, rows[i].kind, pair->line);
}

/* ---- pairs among themselves; texts are compared cleaned ---- */

static at_status check_repeats(checker *c, int64_t line, bool *duplicate, at_error *err)
{
    const uint64_t source = XXH3_64bits(c->clean[0].data, c->clean[0].len);
    const uint64_t target = XXH3_64bits(c->clean[1].data, c->clean[1].len);
    int64_t *seen, *first_target;
    bool is_new;
    ATT_TRY(at_hash_map_add(&c->pairs, XXH3_64bits_withSeed(&target, sizeof target, source), &seen, &is_new, err));
    *duplicate = !is_new;
    if (*duplicate) find(c, ATT_FINDING_DUPLICATE, line);
    ATT_TRY(at_hash_map_add(&c->sources, source, &first_target, &is_new, err));
    if (is_new) *first_target = (int64_t)target;
    if (!*duplicate && (uint64_t)*first_target != target) find(c, ATT_FINDING_SEVERAL, line);
    return ATT_OK;
}

static at_status clean_pair(checker *c, const at_pair *pair, at_error *err)
{
    for (int i = 0; i < 2; i++) {
        at_buf_clear(&c->clean[i]);
        ATT_TRY(at_buf_reserve(&c->clean[i], pair->len[i], err));
        ATT_TRY(at_text_clean(pair->text[i], pair->len[i], &c->clean[i], err));
    }
    return ATT_OK;
}

static at_status write_pair(checker *c, at_error *err)
{
    const char *const text[2] = {c->clean[0].data, c->clean[1].data};
    const size_t len[2] = {c->clean[0].len, c->clean[1].len};
    c->result->written++;
    return at_pair_writer_add(c->writer, text, len, err);
}

static at_status check_kept(checker *c, const at_pair *pair, at_error *err)
{
    bool duplicate;
    const unsigned source = at_text_marks(pair->text[0], pair->len[0]);
    const unsigned target = at_text_marks(pair->text[1], pair->len[1]);
    c->result->kept++;
    check_marks(c, pair, source | target);
    ATT_TRY(clean_pair(c, pair, err));
    ATT_TRY(check_repeats(c, pair->line, &duplicate, err));
    const bool same =
        c->clean[0].len == c->clean[1].len && memcmp(c->clean[0].data, c->clean[1].data, c->clean[0].len) == 0;
    if (same && source & ATT_MARK_LETTERS) find(c, ATT_FINDING_IDENTICAL, pair->line);
    note(&c->scripts[at_text_script(pair->text[0], pair->len[0])][at_text_script(pair->text[1], pair->len[1])],
         pair->line);
    return c->writer != NULL && !duplicate ? write_pair(c, err) : ATT_OK;
}

static at_status check_pair(checker *c, const at_pair *pair, at_error *err)
{
    at_skip skip;
    check_shape(c, pair, c->result->lines == 0);
    c->result->lines = pair->line;
    ATT_TRY(at_judge_pair(c->judge, pair, c->ids, &skip, err));
    if (skip == ATT_SKIP_KINDS) return check_kept(c, pair, err);
    find(c, finding_of(skip, pair), pair->line);
    return ATT_OK;
}

/* ---- scripts, once all lines are known ---- */

/* Lines of one script on one side. */
static int64_t count_script(const checker *c, int side, at_script script)
{
    int64_t count = 0;
    for (int other = 0; other < ATT_SCRIPTS; other++)
        count += side == 0 ? c->scripts[script][other].count : c->scripts[other][script].count;
    return count;
}

static void choose_script(checker *c, int side)
{
    int64_t total = 0, most = 0;
    at_script chosen = ATT_SCRIPT_NONE;
    for (at_script i = ATT_SCRIPT_LATIN; i < ATT_SCRIPTS; i++) {
        const int64_t count = count_script(c, side, i);
        total += count;
        if (count <= most) continue;
        most = count;
        chosen = i;
    }
    c->result->share[side] = total > 0 ? (double)most / (double)total : 0;
    c->result->script[side] = c->result->share[side] >= SHARE_OF_A_SCRIPT ? chosen : ATT_SCRIPT_NONE;
}

static bool is_strange(at_script script, at_script usual)
{
    if (usual == ATT_SCRIPT_NONE || script == ATT_SCRIPT_NONE) return false;
    return script != usual && !(usual == ATT_SCRIPT_JAPANESE && script == ATT_SCRIPT_HAN);
}

/* Adds what one cell found to a finding, its first lines in their places. */
static void merge(at_found *into, const at_found *from)
{
    at_found sum = {.count = into->count + from->count};
    for (int k = 0, i = 0, j = 0; k < ATT_FINDING_LINES && k < sum.count; k++) {
        const bool first = j >= from->count || (i < into->count && into->line[i] < from->line[j]);
        sum.line[k] = first ? into->line[i++] : from->line[j++];
    }
    *into = sum;
}

static void check_scripts(checker *c)
{
    at_check_result *r = c->result;
    choose_script(c, 0);
    choose_script(c, 1);
    for (at_script i = 0; i < ATT_SCRIPTS; i++) {
        for (at_script j = 0; j < ATT_SCRIPTS; j++) {
            const at_found *cell = &c->scripts[i][j];
            const bool swapped = i == r->script[1] && j == r->script[0] && is_strange(i, r->script[0]);
            if (cell->count == 0 || !(is_strange(i, r->script[0]) || is_strange(j, r->script[1]))) continue;
            merge(&r->found[swapped ? ATT_FINDING_SWAPPED : ATT_FINDING_SCRIPT], cell);
        }
    }
}

/* ---- all of it ---- */

static at_status check_all(checker *c, at_pairs *pairs, const volatile int *cancel, at_error *err)
{
    for (;;) {
        at_pair pair;
        bool got;
        if (at_cancelled(cancel)) return at_fail(err, ATT_CANCELLED, "interrupted; nothing was written");
        ATT_TRY(at_pairs_next(pairs, &pair, &got, err));
        if (!got) return ATT_OK;
        ATT_TRY(check_pair(c, &pair, err));
    }
}

at_status at_check_pairs(at_pairs *pairs, const at_judge *judge, at_pair_writer *writer, const volatile int *cancel,
                         at_check_result *result, at_error *err)
{
    *result = (at_check_result){0};
    checker *c = calloc(1, sizeof *c);
    if (c == NULL) return at_fail_memory(err, sizeof *c);
    c->judge = judge;
    c->writer = writer;
    c->result = result;
    const at_status status = check_all(c, pairs, cancel, err);
    check_scripts(c);
    at_hash_map_free(&c->pairs);
    at_hash_map_free(&c->sources);
    for (int i = 0; i < 2; i++) {
        at_ids_free(&c->ids[i]);
        at_buf_free(&c->clean[i]);
    }
    free(c);
    return status;
}
