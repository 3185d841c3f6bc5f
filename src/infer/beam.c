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

typedef struct node {
    int32_t id;
    int32_t parent; /* -1: the first token */
    float log_prob; /* of the token after its parents */
} node;

typedef struct live {               /* a live hypothesis */
    int64_t sentence, slot, length; /* length: tokens fed to the model once the next step has run */
    int64_t parent;                 /* row of the step it came from */
    double log_prob;
    int32_t last; /* node; -1: no token yet */
} live;

typedef struct outcome {
    int32_t last; /* node of the last token, end token left out */
    float end;    /* log-probability of the end token; 0 for a cut hypothesis */
    double log_prob, score;
} outcome;

typedef struct outcomes { /* the n_best best of a kind, best first; equal ones in order of appearance */
    outcome *list;
    int64_t count;
} outcomes;

typedef struct sentence {
    int64_t limit, source;
    const int32_t *prefix;
    int64_t prefix_count;
    int64_t finished; /* hypotheses, ended or cut */
    outcomes ended, cut;
} sentence;

typedef struct candidate {
    int64_t row;
    int32_t id;
    float token; /* log-probability of id alone */
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
    int32_t *forced;        /* (sentences x beam) or NULL */
    float *covered, *cover; /* (sentences x beam, longest source) attention so far of rows, and of kept; or NULL */
    double *uncovered;      /* (sentences x beam) coverage penalty of a hypothesis that ends behind the row; or NULL */
    int64_t longest_source;
};

double at_beam_score(const at_beam_rules *rules, double log_prob, int64_t length)
{
    if (rules->alpha == 0) return log_prob;
    const double base = rules->penalty == ATT_PENALTY_GNMT ? (5.0 + (double)length) / 6.0 : (double)length;
    return log_prob / pow(base, rules->alpha);
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
    int32_t tail[ATT_LOOP_TAIL];
    const int64_t all = count_tokens(beam, last), count = all < ATT_LOOP_TAIL ? all : ATT_LOOP_TAIL;
    write_tail(beam, last, tail, count);
    return at_tail_loops(tail, count);
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

static int32_t add_node(at_beam *beam, int32_t parent, const candidate *c)
{
    beam->nodes[beam->node_count] = (node){c->id, parent, c->token};
    return (int32_t)beam->node_count++;
}

/* Counts a hypothesis of `length` tokens that ends behind `row`, and remembers it where it is among the best of its
 * kind. found: all but the score. */
static void finish(at_beam *beam, sentence *s, outcomes *best, outcome found, int64_t row, int64_t length)
{
    int64_t at = best->count;
    found.score = at_beam_score(&beam->rules, found.log_prob, length);
    if (beam->uncovered) found.score += beam->uncovered[row];
    s->finished++;
    while (at > 0 && best->list[at - 1].score < found.score) at--;
    if (at == beam->rules.n_best) return;
    if (best->count < beam->rules.n_best) best->count++;
    memmove(best->list + at + 1, best->list + at, (size_t)(best->count - at - 1) * sizeof found);
    best->list[at] = found;
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
        for (int64_t i = 0; i < count; i++)
            finish(beam, s, &s->cut, (outcome){kept[i].last, 0, kept[i].log_prob, 0}, kept[i].parent, s->limit);
        return 0;
    }
    if (s->ended.count < beam->rules.n_best) return count;
    const double least = s->ended.list[s->ended.count - 1].score;
    if (beam->eager) return highest_score(beam, s, &kept[0]) > least ? count : 0;
    while (count > 0 && highest_score(beam, s, &kept[count - 1]) <= least) count--;
    return count;
}

bool at_beam_bans(const at_beam *beam, int64_t row, int32_t id)
{
    if (beam->forced && beam->forced[row] >= 0) return id != beam->forced[row];
    if (id == beam->rules.tokens.pad) return true;
    if (id == beam->rules.tokens.eos && beam->rows[row].length < beam->rules.min_length) return true;
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
    while (*rank < m->k && ids[*rank] >= 0 && at_beam_bans(beam, row, ids[*rank])) ++*rank;
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
        if (best->row < 0 || log_prob > best->log_prob)
            *best = (candidate){row, m->ids[at], m->log_probs[at], log_prob};
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
            if (rank < width)
                finish(beam, s, &s->ended, (outcome){parent->last, c.token, c.log_prob, 0}, c.row, length);
        } else if (length == s->limit) {
            if (rank < width)
                finish(beam, s, &s->cut, (outcome){add_node(beam, parent->last, &c), 0, c.log_prob, 0}, c.row, length);
        } else if (count < width) {
            kept[count++] = (live){parent->sentence, -1, length, c.row, c.log_prob, add_node(beam, parent->last, &c)};
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

/* ---- coverage ---- */

/* Adds a step's attention to what each row has covered, and says what that costs a hypothesis that ends here. */
static void cover_rows(at_beam *beam, const float *attention)
{
    const double least = 1e-30; /* keeps the logarithm finite where a weight underflows */
    for (int64_t row = 0; row < beam->n; row++) {
        float *covered = beam->covered + row * beam->longest_source;
        double sum = 0;
        for (int64_t i = 0; i < beam->sentences[beam->source_of[row]].source; i++) {
            covered[i] += attention[row * beam->longest_source + i];
            if (covered[i] < 1) sum += log((double)covered[i] > least ? (double)covered[i] : least);
        }
        beam->uncovered[row] = beam->rules.coverage * sum;
    }
}

/* The coverage of the first `n` hypotheses of kept is that of the rows they continue. */
static void hand_coverage_on(at_beam *beam, int64_t n)
{
    const size_t width = (size_t)beam->longest_source;
    for (int64_t i = 0; i < n; i++)
        memcpy(beam->cover + (size_t)i * width, beam->covered + (size_t)beam->kept[i].parent * width,
               width * sizeof *beam->cover);
    float *covered = beam->cover;
    beam->cover = beam->covered;
    beam->covered = covered;
}

/* ---- steps ---- */

static int32_t forced_of(const sentence *s, int64_t length)
{
    return length < s->prefix_count ? s->prefix[length] : -1;
}

/* Makes the first `n` hypotheses of kept the rows of the next step. */
static at_status publish(at_beam *beam, int64_t n, at_error *err)
{
    if (beam->covered) hand_coverage_on(beam, n);
    live *rows = beam->kept;
    beam->kept = beam->rows;
    beam->rows = rows;
    beam->n = n;
    for (int64_t i = 0; i < n; i++) {
        beam->slot[i] = rows[i].slot;
        beam->length[i] = rows[i].length;
        beam->source_of[i] = rows[i].sentence;
        beam->ids[i] = rows[i].last >= 0 ? beam->nodes[rows[i].last].id : beam->rules.tokens.target_start;
        if (beam->forced) beam->forced[i] = forced_of(&beam->sentences[rows[i].sentence], rows[i].length);
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

/* The rules may leave no token at all (no n-gram that wasn't there, no end token yet): the hypotheses are cut. */
static void cut_rows(at_beam *beam, sentence *s, const merge *m)
{
    for (int64_t row = m->first; row < m->end; row++) {
        const live *l = &beam->rows[row];
        finish(beam, s, &s->cut, (outcome){l->last, 0, l->log_prob, 0}, row, l->length > 0 ? l->length : 1);
    }
}

at_status at_beam_advance(at_beam *beam, const int32_t *ids, const float *log_probs, int64_t k, const float *attention,
                          at_error *err)
{
    ATT_TRY(reserve_nodes(beam, 2 * (size_t)beam->n * (size_t)beam->rules.beam, err));
    if (beam->covered) cover_rows(beam, attention);
    int64_t kept = 0;
    beam->copy_count = 0;
    for (int64_t row = 0, end; row < beam->n; row = end) {
        sentence *s = &beam->sentences[beam->source_of[row]];
        for (end = row + 1; end < beam->n && beam->source_of[end] == beam->source_of[row];) end++;
        const merge m = {row, end, k, ids, log_probs};
        live *mine = beam->kept + kept;
        if (!all_have_candidates(&m)) return no_continuation(err);
        const int64_t found = continue_sentence(beam, s, &m, mine);
        if (found == 0 && s->finished == 0) cut_rows(beam, s, &m);
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
        .wanted =
            2 * beam->rules.beam + (beam->rules.tokens.pad >= 0) + (beam->rules.min_length > 0) + beam->most_banned,
        .forced = beam->forced,
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

/* What only coverage and prefixes need; kept[0 .. sentences] stand for the first hypotheses. */
static bool allocate_extras(at_beam *beam, const at_beam_sentence *given, int64_t count)
{
    at_arena *arena = &beam->arena;
    const size_t rows = (size_t)(count * beam->rules.beam);
    int64_t forced = 0;
    for (int64_t i = 0; i < count; i++) {
        forced += given[i].prefix_count;
        if (given[i].source > beam->longest_source) beam->longest_source = given[i].source;
    }
    if (forced > 0) beam->forced = at_arena_array(arena, rows, sizeof *beam->forced);
    if (beam->rules.coverage == 0) return !arena->failed;
    const size_t bytes = rows * (size_t)beam->longest_source * sizeof(float);
    beam->covered = at_arena_zalloc(arena, bytes);
    beam->cover = at_arena_alloc(arena, bytes);
    beam->uncovered = at_arena_zalloc(arena, rows * sizeof *beam->uncovered);
    return !arena->failed;
}

static bool copy_sentence(at_beam *beam, sentence *to, const at_beam_sentence *from)
{
    const size_t n = (size_t)from->prefix_count, best = (size_t)beam->rules.n_best;
    int32_t *prefix = at_arena_array(&beam->arena, n, sizeof *prefix);
    to->ended.list = at_arena_array(&beam->arena, best, sizeof *to->ended.list);
    to->cut.list = at_arena_array(&beam->arena, best, sizeof *to->cut.list);
    if (beam->arena.failed) return false;
    if (n > 0) memcpy(prefix, from->prefix, n * sizeof *prefix);
    to->limit = from->limit;
    to->source = from->source;
    to->prefix = prefix;
    to->prefix_count = from->prefix_count;
    return true;
}

/* Every sentence begins with one hypothesis without tokens in its first slot. */
static at_status begin(at_beam *beam, const at_beam_sentence *given, int64_t count, at_error *err)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!copy_sentence(beam, &beam->sentences[i], &given[i])) return at_fail_memory(err, sizeof(sentence));
        beam->kept[n] = (live){i, i * beam->rules.beam, 0, 0, 0.0, -1};
        n += settle(beam, &beam->sentences[i], &beam->kept[n], 1);
    }
    return publish(beam, n, err);
}

at_status at_beam_new(at_beam **out, const at_beam_rules *rules, const at_beam_sentence *sentences, int64_t count,
                      at_error *err)
{
    *out = NULL;
    at_beam *beam = calloc(1, sizeof *beam);
    if (beam == NULL) return at_fail_memory(err, sizeof *beam);
    at_arena_init(&beam->arena, 0);
    beam->rules = *rules;
    beam->eager = rules->early_stop || rules->beam == 1;
    int64_t longest = 1;
    for (int64_t i = 0; i < count; i++) longest = sentences[i].limit > longest ? sentences[i].limit : longest;
    const bool room = allocate(beam, count, longest) && allocate_extras(beam, sentences, count);
    const at_status status =
        room ? begin(beam, sentences, count, err) : at_fail_memory(err, (size_t)(count * rules->beam) * sizeof(live));
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

/* Whether the best cut hypothesis left goes before the best ended one: it scores higher, and doesn't repeat itself. */
static bool cut_first(const at_beam *beam, const outcome *ended, const outcome *cut)
{
    if (ended == NULL || cut == NULL) return cut != NULL;
    return cut->score > ended->score && (beam->eager || !loops(beam, cut->last));
}

static at_status write_tokens(const at_beam *beam, const outcome *o, bool token_scores, at_hypothesis *h, at_error *err)
{
    const size_t room = (size_t)h->count + 1; /* malloc(0) may be NULL, and the end token's score */
    h->ids = malloc(room * sizeof *h->ids);
    if (h->ids == NULL) return at_fail_memory(err, room * sizeof *h->ids);
    write_tail(beam, o->last, h->ids, h->count);
    if (!token_scores) return ATT_OK;
    h->token_log_probs = malloc(room * sizeof *h->token_log_probs);
    if (h->token_log_probs == NULL) return at_fail_memory(err, room * sizeof *h->token_log_probs);
    h->token_log_probs[h->count] = o->end;
    int64_t at = h->count;
    for (int32_t last = o->last; last >= 0; last = beam->nodes[last].parent)
        h->token_log_probs[--at] = beam->nodes[last].log_prob;
    return ATT_OK;
}

static at_status write_hypothesis(const at_beam *beam, const outcome *o, bool token_scores, at_hypothesis *h,
                                  at_error *err)
{
    h->count = count_tokens(beam, o->last);
    h->log_prob = o->log_prob;
    h->score = o->score;
    ATT_TRY(write_tokens(beam, o, token_scores, h, err));
    h->looped = at_loops(h->ids, h->count);
    return ATT_OK;
}

at_status at_beam_best(const at_beam *beam, int64_t sentence_index, bool token_scores, at_hypothesis *best,
                       at_error *err)
{
    const sentence *s = &beam->sentences[sentence_index];
    int64_t ended = 0, cut = 0;
    memset(best, 0, (size_t)beam->rules.n_best * sizeof *best);
    for (int64_t i = 0; i < beam->rules.n_best && ended + cut < s->ended.count + s->cut.count; i++) {
        const outcome *e = ended < s->ended.count ? &s->ended.list[ended] : NULL,
                      *c = cut < s->cut.count ? &s->cut.list[cut] : NULL;
        best[i].truncated = cut_first(beam, e, c);
        if (best[i].truncated)
            cut++;
        else
            ended++;
        ATT_TRY(write_hypothesis(beam, best[i].truncated ? c : e, token_scores, &best[i], err));
    }
    return ATT_OK;
}

void at_hypothesis_free(at_hypothesis *hypothesis)
{
    free(hypothesis->ids);
    free(hypothesis->token_log_probs);
    *hypothesis = (at_hypothesis){0};
}
