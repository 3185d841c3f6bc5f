/* Reading a parallel corpus: both sides line by line, each pair checked, tokenised and kept or counted as skipped.
 * The ids of a side are one growing array, so a pair that is refused after tokenising is just cut off its end.
 * Read next: batcher.c. */
#include "data/corpus.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/utf8.h"

const char *const at_skip_name[ATT_SKIP_KINDS] = {"empty", "invalid-utf8", "too-long", "lopsided"};

enum { RATIO_FROM = 10, FIRST_PAIRS = 1024 };

/* One side while it is read. */
typedef struct side {
    const at_tokenizer *tokenizer;
    at_lines *lines;
    const char *text; /* the current line */
    size_t len;
    bool got;    /* there is a current line */
    at_ids ids;  /* of all pairs kept, then of the current line */
    size_t kept; /* ids of the pairs kept */
} side;

typedef struct reader {
    at_corpus *corpus;
    const at_corpus_limits *limits;
    side source, target;
    size_t room; /* pairs that the corpus' arrays hold */
} reader;

void at_corpus_free(at_corpus *corpus)
{
    free(corpus->source.ids);
    free(corpus->source.offset);
    free(corpus->target.ids);
    free(corpus->target.offset);
    free(corpus->line);
    *corpus = (at_corpus){0};
}

/* Resizes one array of int64_t; the old one stays on failure. */
static at_status resize(int64_t **array, size_t count, at_error *err)
{
    if (count > SIZE_MAX / sizeof **array) return at_fail_memory(err, SIZE_MAX);
    int64_t *grown = realloc(*array, count * sizeof *grown);
    if (!grown) return at_fail_memory(err, count * sizeof *grown);
    *array = grown;
    return ATT_OK;
}

/* Room for another pair, by doubling. Offsets have one entry more than there are pairs. */
static at_status reserve_pair(reader *in, at_error *err)
{
    at_corpus *corpus = in->corpus;
    if ((size_t)corpus->count < in->room) return ATT_OK;
    const size_t room = in->room > 0 ? 2 * in->room : FIRST_PAIRS;
    ATT_TRY(resize(&corpus->source.offset, room + 1, err));
    ATT_TRY(resize(&corpus->target.offset, room + 1, err));
    ATT_TRY(resize(&corpus->line, room, err));
    corpus->source.offset[0] = 0;
    corpus->target.offset[0] = 0;
    in->room = room;
    return ATT_OK;
}

/* ASCII only: other spaces show by giving no tokens. */
static bool is_blank(const side *s)
{
    for (size_t i = 0; i < s->len; i++) {
        if (!memchr(" \t\r\v\f", s->text[i], 5)) return false;
    }
    return true;
}

static bool is_utf8(const side *s)
{
    return at_utf8_valid(s->text, s->len) == s->len;
}

static at_status tokenize(side *s, at_error *err)
{
    return at_tokenizer_encode(s->tokenizer, s->text, s->len, &s->ids, err);
}

/* Why a pair of these token counts is skipped, or ATT_SKIP_KINDS to keep it. */
static at_skip judge_lengths(size_t source, size_t target, const at_corpus_limits *limits)
{
    const size_t longer = source > target ? source : target, shorter = source > target ? target : source;
    if (shorter == 0) return ATT_SKIP_EMPTY;
    if (limits->max_tokens > 0 && longer > (size_t)limits->max_tokens) return ATT_SKIP_LONG;
    const bool lopsided = limits->max_ratio > 0 && (double)longer > limits->max_ratio * (double)shorter;
    return lopsided && longer > RATIO_FROM ? ATT_SKIP_LOPSIDED : ATT_SKIP_KINDS;
}

/* Checks and tokenises the current pair; the ids stay behind the kept ones. */
static at_status judge(reader *in, at_skip *skip, at_error *err)
{
    side *source = &in->source, *target = &in->target;
    *skip = ATT_SKIP_EMPTY;
    if (is_blank(source) || is_blank(target)) return ATT_OK;
    *skip = ATT_SKIP_UTF8;
    if (!is_utf8(source) || !is_utf8(target)) return ATT_OK;
    ATT_TRY(tokenize(source, err));
    ATT_TRY(tokenize(target, err));
    *skip = judge_lengths(source->ids.len - source->kept, target->ids.len - target->kept, in->limits);
    return ATT_OK;
}

static void keep(reader *in)
{
    at_corpus *corpus = in->corpus;
    in->source.kept = in->source.ids.len;
    in->target.kept = in->target.ids.len;
    corpus->line[corpus->count++] = corpus->lines;
    corpus->source.offset[corpus->count] = (int64_t)in->source.kept;
    corpus->target.offset[corpus->count] = (int64_t)in->target.kept;
}

static void drop(reader *in, at_skip kind)
{
    at_corpus *corpus = in->corpus;
    in->source.ids.len = in->source.kept;
    in->target.ids.len = in->target.kept;
    if (corpus->skipped[kind]++ == 0) corpus->first_skipped[kind] = corpus->lines;
}

static at_status take_pair(reader *in, at_error *err)
{
    at_skip skip;
    in->corpus->lines++;
    ATT_TRY(reserve_pair(in, err));
    ATT_TRY(judge(in, &skip, err));
    if (skip == ATT_SKIP_KINDS) {
        keep(in);
    } else {
        drop(in, skip);
    }
    return ATT_OK;
}

static at_status next_line(side *s, at_error *err)
{
    return at_lines_next(s->lines, &s->text, &s->len, &s->got, err);
}

static const char *shown(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* Reads the open files to their ends; paths are for messages. */
static at_status read_pairs(reader *in, const char *source, const char *target, at_error *err)
{
    for (long long line = 0;; line++) {
        ATT_TRY(next_line(&in->source, err));
        ATT_TRY(next_line(&in->target, err));
        if (in->source.got != in->target.got) {
            return at_fail(err, ATT_INPUT, "%s ends after line %lld, but %s has more; the files must be parallel",
                           shown(in->source.got ? target : source), line, shown(in->source.got ? source : target));
        }
        if (!in->source.got) return ATT_OK;
        ATT_TRY(take_pair(in, err));
    }
}

static at_status read_files(reader *in, const char *source, const char *target, at_error *err)
{
    at_status status = at_lines_open(&in->source.lines, source, err);
    if (status == ATT_OK) status = at_lines_open(&in->target.lines, target, err);
    if (status == ATT_OK) status = read_pairs(in, source, target, err);
    at_lines_close(in->source.lines);
    at_lines_close(in->target.lines);
    in->source.lines = NULL;
    in->target.lines = NULL;
    return status;
}

static at_status check_paths(const char *const *sources, const char *const *targets, int path_count, at_error *err)
{
    int standard_inputs = 0;
    for (int i = 0; i < path_count; i++) {
        standard_inputs += (strcmp(sources[i], "-") == 0) + (strcmp(targets[i], "-") == 0);
    }
    if (standard_inputs <= 1) return ATT_OK;
    return at_fail(err, ATT_OPTION,
                   "standard input (\"-\") is given %d times, but can be read once; give files instead",
                   standard_inputs);
}

static uint64_t hash_side(const at_side *s, int64_t count, uint64_t seed)
{
    const uint64_t ends = XXH3_64bits_withSeed(s->offset, (size_t)(count + 1) * sizeof *s->offset, seed);
    return XXH3_64bits_withSeed(s->ids, (size_t)s->offset[count] * sizeof *s->ids, ends);
}

at_status at_corpus_read(at_corpus *corpus, const char *const *sources, const char *const *targets, int path_count,
                         const at_tokenizer *source_tokenizer, const at_tokenizer *target_tokenizer,
                         const at_corpus_limits *limits, at_error *err)
{
    *corpus = (at_corpus){0};
    ATT_TRY(check_paths(sources, targets, path_count, err));
    reader in = {.corpus = corpus, .limits = limits};
    in.source.tokenizer = source_tokenizer;
    in.target.tokenizer = target_tokenizer;
    at_status status = reserve_pair(&in, err); /* so that offset[0] is there without pairs, too */
    for (int i = 0; i < path_count && status == ATT_OK; i++) {
        status = read_files(&in, sources[i], targets[i], err);
    }
    corpus->source.ids = in.source.ids.data;
    corpus->target.ids = in.target.ids.data;
    if (status == ATT_OK)
        corpus->hash = hash_side(&corpus->target, corpus->count, hash_side(&corpus->source, corpus->count, 0));
    else
        at_corpus_free(corpus);
    return status;
}
