/* Beam search without a model; see beam.h for the rules. Tokens are nodes of a trie that only grows, so that a
 * continuation costs one node and no copy:
 *
 *   node      0     1     2     3     4
 *   id        the   a     cat   dog   cat      live hypothesis "a cat" = node 4
 *   parent    -1    -1    0     0     1 */
#include "infer/beam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { LONGEST_PERIOD = 8, LOOP_PERIODS = 3, LOOP_TOKENS = 8, LOOP_TAIL = LONGEST_PERIOD * LOOP_PERIODS };

typedef struct node {
    int32_t id;
    int32_t parent; /* -1: the first token */
} node;

typedef struct live {               /* a live hypothesis */
    int64_t sentence, slot, length; /* length: tokens fed to the model once the next step has run */
    int64_t parent;                 /* row of the step it came from */
    double log_prob;
    int32_t last; /* node; -1: no token yet */
} live;

typedef struct outcome {
    bool found;
    int32_t last; /* node of the last token, end token left out */
    double log_prob, score;
} outcome;

typedef struct sentence {
    int64_t limit;
    int64_t finished;   /* hypotheses, ended or cut */
    outcome ended, cut; /* the best of each kind */
} sentence;

typedef struct candidate {
    int64_t row;
    int32_t id;
    double log_prob;
} candidate;

struct at_beam {
    at_arena arena; /* all arrays of fixed size */
    at_beam_rules rules;
    bool eager; /* done at `beam` ended hypotheses */
    sentence *sentences;
    live *rows, *kept; /* (sentences x beam) of this step and of the next */
    int64_t n;
    int64_t *slot, *length, *source_of; /* (sentences x beam) rows as the model reads them */
    int32_t *ids;
    at_beam_copy *copies; /* (sentences x beam) */
    int64_t copy_count;
    int64_t *rank; /* (beam) where the merge stands in each row */
    bool *taken;   /* (beam) slots in use */
    node *nodes;
    size_t node_count, node_cap;
    int32_t *history;     /* (longest limit) tokens of one hypothesis */
    at_ids banned;        /* by no_repeat; row i: banned_from[i] .. banned_from[i + 1] */
    int64_t *banned_from; /* (sentences x beam + 1) */
    int64_t most_banned;
};

double at_beam_score(const at_beam_rules *rules, double log_prob, int64_t length)
{
    if (rules->alpha == 0) return log_prob;
    const double base = rules->penalty == ATT_PENALTY_GNMT ? (5.0 + (double)length) / 6.0 : (double)length;
    return log_prob / pow(base, rules->alpha);
}

bool at_tail_loops(const int32_t *ids, int64_t count)
{
    for (int64_t period = 1; period <= LONGEST_PERIOD; period++) {
        const int64_t wanted = period * LOOP_PERIODS > LOOP_TOKENS ? period * LOOP_PERIODS : LOOP_TOKENS;
        int64_t covered = period;
        while (covered < count && covered < wanted && ids[count - 1 - covered] == ids[count - 1 - covered + period])
            covered++;
        if (covered >= wanted) return true;
    }
    return false;
}

static int64_t count_tokens(const at_beam *beam, int32_t last)
{
    int64_t count = 0;
    for (; last >= 0; last = beam->nodes[last].parent) count++;
    return count;
}

/* Writes the last `count` tokens of a hypothesis that has at least as many. */
static void write_tail(const at_beam *beam, int32_t last, int32_t *ids, int64_t count)
{
    for (; count > 0; last = beam->nodes[last].parent) ids[--count] = beam->nodes[last].id;
}

static bool loops(const at_beam *beam, int32_t last)
{
    int32_t tail[LOOP_TAIL];
    const int64_t all = count_tokens(beam, last), count = all < LOOP_TAIL ? all : LOOP_TAIL;
    write_tail(beam, last, tail, count);
    return at_tail_loops(tail, count);
}

static const outcome *winner(const at_beam *beam, const sentence *s)
{
    if (!s->ended.found || !s->cut.found) return s->cut.found ? &s->cut : &s->ended;
    if (s->cut.score <= s->ended.score || (!beam->eager && loops(beam, s->cut.last))) return &s->ended;
    return &s->cut;
}

/* After it `extra` nodes can be added. */
static at_status reserve_nodes(at_beam *beam, size_t extra, at_error *err)
{
    const size_t wanted = beam->node_count + extra;
    if (wanted <= beam->node_cap) return ATT_OK;
    const size_t cap = 2 * wanted;
    node *nodes = cap <= INT32_MAX ? realloc(beam->nodes, cap * sizeof *nodes) : NULL;
    if (nodes == NULL) return at_fail_memory(err, cap * sizeof *nodes);
    beam->nodes = nodes;
    beam->node_cap = cap;
    return ATT_OK;
}

static int32_t add_node(at_beam *beam, int32_t parent, int32_t id)
{
    beam->nodes[beam->node_count] = (node){id, parent};
    return (int32_t)beam->node_count++;
}

/* Counts a hypothesis of `length` tokens and remembers it where it is the best of its kind. */
static void finish(at_beam *beam, sentence *s, outcome *best, int32_t last, double log_prob, int64_t length)
{
    const outcome found = {true, last, log_prob, at_beam_score(&beam->rules, log_prob, length)};
    if (!best->found || found.score > best->score) *best = found;
    s->finished++;
}

/* The best score that a live hypothesis may reach: at its next token, or at the limit with all further tokens certain.
 */
static double highest_score(const at_beam *beam, const sentence *s, const live *row)
{
    const double soon = at_beam_score(&beam->rules, row->log_prob, row->length + 1);
    const double late = at_beam_score(&beam->rules, row->log_prob, s->limit);
    return soon > late ? soon : late;
}

/* How many of a sentence's new hypotheses, ranked by log P, go on. */
static int64_t settle(at_beam *beam, sentence *s, const live *kept, int64_t count)
{
    if (count == 0 || (beam->eager && s->finished >= beam->rules.beam)) return 0;
    if (beam->rules.tokens.final_eos && kept[0].length + 1 == s->limit) {
        for (int64_t i = 0; i < count; i++) finish(beam, s, &s->cut, kept[i].last, kept[i].log_prob, s->limit);
        return 0;
    }
    if (!s->ended.found) return count;
    if (beam->eager) return highest_score(beam, s, &kept[0]) > s->ended.score ? count : 0;
    while (count > 0 && highest_score(beam, s, &kept[count - 1]) <= s->ended.score) count--;
    return count;
}

static bool is_banned(const at_beam *beam, int64_t row, int32_t id)
{
    if (id == beam->rules.tokens.pad) return true;
    if (beam->rules.no_repeat == 0) return false;
    for (int64_t i = beam->banned_from[row]; i < beam->banned_from[row + 1]; i++)
        if (beam->banned.data[i] == id) return true;
    return false;
}

typedef struct merge { /* of the rows first .. end of one sentence, each a list of k ids */
    int64_t first, end, k;
    const int32_t *ids;
    const float *log_probs;
} merge;

/* Moves the row's place in its list to an allowed id; false at the end. */
static bool find_allowed(at_beam *beam, const merge *m, int64_t row)
{
    int64_t *rank = &beam->rank[row - m->first];
    const int32_t *ids = m->ids + row * m->k;
    while (*rank < m->k && ids[*rank] >= 0 && is_banned(beam, row, ids[*rank])) ++*rank;
    return *rank < m->k && ids[*rank] >= 0;
}

/* The best continuation that was not taken yet. */
static bool next_candidate(at_beam *beam, const merge *m, candidate *best)
{
    best->row = -1;
    for (int64_t row = m->first; row < m->end; row++) {
        if (!find_allowed(beam, m, row)) continue;
        const int64_t at = row * m->k + beam->rank[row - m->first];
        const double log_prob = beam->rows[row].log_prob + (double)m->log_probs[at];
        if (best->row < 0 || log_prob > best->log_prob) *best = (candidate){row, m->ids[at], log_prob};
    }
    if (best->row < 0) return false;
    beam->rank[best->row - m->first]++;
    return true;
}

/* Sorts the best continuations of a sentence into ended and live ones; returns how many live ones stand in kept. */
static int64_t continue_sentence(at_beam *beam, sentence *s, const merge *m, live *kept)
{
    const int64_t width = beam->rules.beam, length = beam->rows[m->first].length + 1; /* of the continuations */
    int64_t count = 0;
    candidate c;
    memset(beam->rank, 0, (size_t)(m->end - m->first) * sizeof *beam->rank);
    for (int64_t rank = 0; rank < 2 * width && (rank < width || count < width) && next_candidate(beam, m, &c); rank++) {
        const live *parent = &beam->rows[c.row];
        if (c.id == beam->rules.tokens.eos) {
            if (rank < width) finish(beam, s, &s->ended, parent->last, c.log_prob, length);
        } else if (length == s->limit) {
            if (rank < width) finish(beam, s, &s->cut, add_node(beam, parent->last, c.id), c.log_prob, length);
        } else if (count < width) {
            kept[count++] = (live){parent->sentence, -1, length, c.row, c.log_prob, add_node(beam, parent->last, c.id)};
        }
    }
    return count;
}

/* The first continuation of a row takes over its slot; the others get copies in free ones. */
static void assign_slots(at_beam *beam, live *kept, int64_t count)
{
    const int64_t width = beam->rules.beam, first = kept[0].sentence * width;
    memset(beam->taken, 0, (size_t)width * sizeof *beam->taken);
    for (int64_t i = 0; i < count; i++) {
        const int64_t slot = beam->rows[kept[i].parent].slot;
        if (beam->taken[slot - first]) continue;
        beam->taken[slot - first] = true;
        kept[i].slot = slot;
    }
    int64_t spare = 0;
    for (int64_t i = 0; i < count; i++) {
        if (kept[i].slot >= 0) continue;
        while (beam->taken[spare]) spare++;
        beam->taken[spare] = true;
        kept[i].slot = first + spare;
        beam->copies[beam->copy_count++] =
            (at_beam_copy){kept[i].slot, beam->rows[kept[i].parent].slot, kept[i].length};
    }
}

/* Appends the ids that would repeat an n-gram of the hypothesis. */
static at_status ban_repeats(at_beam *beam, int32_t last, at_error *err)
{
    const int64_t count = count_tokens(beam, last), context = beam->rules.no_repeat - 1;
    if (count <= context) return ATT_OK;
    write_tail(beam, last, beam->history, count);
    const int32_t *tail = beam->history + count - context;
    for (int64_t i = 0; i + context < count; i++)
        if (memcmp(beam->history + i, tail, (size_t)context * sizeof *tail) == 0)
            ATT_TRY(at_ids_push(&beam->banned, beam->history[i + context], err));
    return ATT_OK;
}

static at_status ban_all_repeats(at_beam *beam, at_error *err)
{
    beam->banned.len = 0;
    beam->most_banned = 0;
    for (int64_t row = 0; row < beam->n; row++) {
        beam->banned_from[row] = (int64_t)beam->banned.len;
        ATT_TRY(ban_repeats(beam, beam->rows[row].last, err));
        const int64_t count = (int64_t)beam->banned.len - beam->banned_from[row];
        if (count > beam->most_banned) beam->most_banned = count;
    }
    beam->banned_from[beam->n] = (int64_t)beam->banned.len;
    return ATT_OK;
}

/* Makes the first `n` hypotheses of kept the rows of the next step. */
static at_status publish(at_beam *beam, int64_t n, at_error *err)
{
    live *rows = beam->kept;
    beam->kept = beam->rows;
    beam->rows = rows;
    beam->n = n;
    for (int64_t i = 0; i < n; i++) {
        beam->slot[i] = rows[i].slot;
        beam->length[i] = rows[i].length;
        beam->source_of[i] = rows[i].sentence;
        beam->ids[i] = rows[i].last >= 0 ? beam->nodes[rows[i].last].id : beam->rules.tokens.target_start;
    }
    return beam->rules.no_repeat > 0 ? ban_all_repeats(beam, err) : ATT_OK;
}

/* Not so when a row's logits are NaN. */
static bool all_have_candidates(const merge *m)
{
    for (int64_t row = m->first; row < m->end; row++)
        if (m->ids[row * m->k] < 0) return false;
    return true;
}

static at_status no_continuation(at_error *err)
{
    return at_fail(err, ATT_INPUT,
                   "the model gives no token a probability; its file is damaged or its training diverged");
}

at_status at_beam_advance(at_beam *beam, const int32_t *ids, const float *log_probs, int64_t k, at_error *err)
{
    ATT_TRY(reserve_nodes(beam, 2 * (size_t)beam->n * (size_t)beam->rules.beam, err));
    int64_t kept = 0;
    beam->copy_count = 0;
    for (int64_t row = 0, end; row < beam->n; row = end) {
        sentence *s = &beam->sentences[beam->source_of[row]];
        for (end = row + 1; end < beam->n && beam->source_of[end] == beam->source_of[row];) end++;
        const merge m = {row, end, k, ids, log_probs};
        live *mine = beam->kept + kept;
        if (!all_have_candidates(&m)) return no_continuation(err);
        const int64_t found = continue_sentence(beam, s, &m, mine);
        if (found == 0 && s->finished == 0) return no_continuation(err);
        const int64_t count = settle(beam, s, mine, found);
        if (count > 0) assign_slots(beam, mine, count);
        kept += count;
    }
    return publish(beam, kept, err);
}

at_beam_step at_beam_next(const at_beam *beam)
{
    const at_beam_step step = {
        .n = beam->n,
        .slot = beam->slot,
        .length = beam->length,
        .source_of = beam->source_of,
        .ids = beam->ids,
        .copies = beam->copies,
        .copy_count = beam->copy_count,
        .wanted = 2 * beam->rules.beam + (beam->rules.tokens.pad >= 0) + beam->most_banned,
    };
    return step;
}

static bool allocate(at_beam *beam, int64_t sentences, int64_t longest)
{
    at_arena *arena = &beam->arena;
    const size_t width = (size_t)beam->rules.beam, rows = (size_t)sentences * width;
    beam->sentences = at_arena_zalloc(arena, (size_t)sentences * sizeof *beam->sentences);
    beam->rows = at_arena_array(arena, rows, sizeof *beam->rows);
    beam->kept = at_arena_array(arena, rows, sizeof *beam->kept);
    beam->slot = at_arena_array(arena, rows, sizeof *beam->slot);
    beam->length = at_arena_array(arena, rows, sizeof *beam->length);
    beam->source_of = at_arena_array(arena, rows, sizeof *beam->source_of);
    beam->ids = at_arena_array(arena, rows, sizeof *beam->ids);
    beam->copies = at_arena_array(arena, rows, sizeof *beam->copies);
    beam->rank = at_arena_array(arena, width, sizeof *beam->rank);
    beam->taken = at_arena_array(arena, width, sizeof *beam->taken);
    beam->history = at_arena_array(arena, (size_t)longest, sizeof *beam->history);
    beam->banned_from = at_arena_array(arena, rows + 1, sizeof *beam->banned_from);
    return !arena->failed;
}

/* Every sentence begins with one hypothesis without tokens in its first slot. */
static at_status begin(at_beam *beam, const int64_t *limits, int64_t sentences, at_error *err)
{
    int64_t n = 0;
    for (int64_t i = 0; i < sentences; i++) {
        beam->sentences[i].limit = limits[i];
        beam->kept[n] = (live){i, i * beam->rules.beam, 0, 0, 0.0, -1};
        n += settle(beam, &beam->sentences[i], &beam->kept[n], 1);
    }
    return publish(beam, n, err);
}

at_status at_beam_new(at_beam **out, const at_beam_rules *rules, const int64_t *limits, int64_t sentences,
                      at_error *err)
{
    *out = NULL;
    at_beam *beam = calloc(1, sizeof *beam);
    if (beam == NULL) return at_fail_memory(err, sizeof *beam);
    at_arena_init(&beam->arena, 0);
    beam->rules = *rules;
    beam->eager = rules->early_stop || rules->beam == 1;
    int64_t longest = 1;
    for (int64_t i = 0; i < sentences; i++) longest = limits[i] > longest ? limits[i] : longest;
    const size_t bytes = (size_t)(sentences * rules->beam) * sizeof(live);
    const at_status status =
        allocate(beam, sentences, longest) ? begin(beam, limits, sentences, err) : at_fail_memory(err, bytes);
    if (status == ATT_OK)
        *out = beam;
    else
        at_beam_free(beam);
    return status;
}

void at_beam_free(at_beam *beam)
{
    if (beam == NULL) return;
    at_arena_free(&beam->arena);
    free(beam->nodes);
    at_ids_free(&beam->banned);
    free(beam);
}

at_status at_beam_best(const at_beam *beam, int64_t sentence_index, at_hypothesis *best, at_error *err)
{
    const sentence *s = &beam->sentences[sentence_index];
    const outcome *won = winner(beam, s);
    const int64_t count = count_tokens(beam, won->last);
    const size_t bytes = (size_t)(count > 0 ? count : 1) * sizeof *best->ids; /* malloc(0) may be NULL */
    *best = (at_hypothesis){.ids = malloc(bytes)};
    if (best->ids == NULL) return at_fail_memory(err, bytes);
    write_tail(beam, won->last, best->ids, count);
    best->count = count;
    best->log_prob = won->log_prob;
    best->score = won->score;
    best->truncated = won == &s->cut;
    best->looped = at_tail_loops(best->ids, count);
    return ATT_OK;
}

void at_hypothesis_free(at_hypothesis *hypothesis)
{
    free(hypothesis->ids);
    *hypothesis = (at_hypothesis){0};
}
