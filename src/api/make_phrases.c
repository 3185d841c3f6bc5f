/* Made-up parallel text: draws sentence after sentence from the phrase grammar and writes those that are wanted.
 * See attend/tools.h; the grammar: data/phrases.h. */
#include <attend/tools.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/file.h"
#include "data/phrases.h"

_Static_assert((int)ATT_PHRASES_ZH == (int)ATT_CHINESE && (int)ATT_PHRASES_DE == (int)ATT_GERMAN &&
                   (int)ATT_PHRASES_EN == (int)ATT_ENGLISH,
               "the public names are the internal ones");

/* After so many sentences in a row of which none is wanted, the grammar counts as used up. */
enum { PATIENCE = 2000000 };

/* Hashes of the sentences seen: open addressing, 0 marks a free slot. Two sentences of one 64-bit hash would cost a
 * sentence, nothing else. */
typedef struct seen_set {
    uint64_t *slots;
    size_t cap, len; /* cap is 0 or a power of two */
} seen_set;

/* The slot of a hash, or the free one where it belongs. */
static uint64_t *seen_slot(const seen_set *seen, uint64_t hash)
{
    size_t at = (size_t)hash & (seen->cap - 1);
    while (seen->slots[at] != 0 && seen->slots[at] != hash) at = (at + 1) & (seen->cap - 1);
    return &seen->slots[at];
}

static at_status seen_grow(seen_set *seen, at_error *err)
{
    seen_set larger = {.cap = seen->cap > 0 ? 2 * seen->cap : 4096, .len = seen->len};
    larger.slots = calloc(larger.cap, sizeof *larger.slots);
    if (larger.slots == NULL) return at_fail_memory(err, larger.cap * sizeof *larger.slots);
    for (size_t i = 0; i < seen->cap; i++) {
        if (seen->slots[i] != 0) *seen_slot(&larger, seen->slots[i]) = seen->slots[i];
    }
    free(seen->slots);
    *seen = larger;
    return ATT_OK;
}

/* *is_new tells whether the text was added now. */
static at_status seen_add(seen_set *seen, const at_buf *text, bool *is_new, at_error *err)
{
    const uint64_t hash = XXH3_64bits(text->data, text->len) | 1;
    if (2 * seen->len >= seen->cap) ATT_TRY(seen_grow(seen, err));
    uint64_t *slot = seen_slot(seen, hash);
    *is_new = *slot == 0;
    if (*is_new) {
        *slot = hash;
        seen->len++;
    }
    return ATT_OK;
}

typedef struct phrase_job {
    const at_make_phrases_args *args;
    at_buf sentence[ATT_PHRASE_LANGUAGES];
    seen_set seen;
    at_writer *source, *target;
} phrase_job;

static void job_close(phrase_job *job)
{
    for (int i = 0; i < ATT_PHRASE_LANGUAGES; i++) at_buf_free(&job->sentence[i]);
    free(job->seen.slots);
    at_writer_abort(job->source);
    at_writer_abort(job->target);
}

static bool in_split(const phrase_job *job)
{
    if (job->args->split == ATT_PHRASES_ALL) return true;
    const bool held_out = at_phrase_held_out(job->sentence[ATT_ENGLISH].data) != 0;
    return held_out == (job->args->split == ATT_PHRASES_HELD_OUT);
}

static at_status is_wanted(phrase_job *job, bool *wanted, at_error *err)
{
    *wanted = in_split(job);
    if (!*wanted || !job->args->distinct) return ATT_OK;
    return seen_add(&job->seen, &job->sentence[job->args->source], wanted, err);
}

static at_status write_line(at_writer *writer, const at_buf *text, at_error *err)
{
    ATT_TRY(at_writer_write(writer, text->data, text->len, err));
    return at_writer_write(writer, "\n", 1, err);
}

static at_status write_pairs(phrase_job *job, at_error *err)
{
    const at_make_phrases_args *args = job->args;
    int64_t written = 0, misses = 0;
    for (uint64_t index = 0; written < args->pairs; index++) {
        bool wanted;
        if (args->cancel != NULL && *args->cancel != 0)
            return at_fail(err, ATT_CANCELLED, "interrupted; nothing was written");
        ATT_TRY(at_phrase_make(args->seed, index, job->sentence, err));
        ATT_TRY(is_wanted(job, &wanted, err));
        misses = wanted ? 0 : misses + 1;
        if (misses > PATIENCE) {
            return at_fail(
                err, ATT_OPTION,
                "the grammar gave only %" PRId64 " distinct sentences; ask for fewer pairs, or allow repeats", written);
        }
        if (!wanted) continue;
        ATT_TRY(write_line(job->source, &job->sentence[args->source], err));
        ATT_TRY(write_line(job->target, &job->sentence[args->target], err));
        written++;
    }
    return ATT_OK;
}

static at_status commit(at_writer **writer, at_error *err)
{
    at_writer *finished = *writer;
    *writer = NULL; /* commit frees it, also when it fails */
    return at_writer_commit(finished, err);
}

static at_status job_run(phrase_job *job, at_error *err)
{
    ATT_TRY(at_writer_open(&job->source, job->args->source_path, err));
    ATT_TRY(at_writer_open(&job->target, job->args->target_path, err));
    ATT_TRY(write_pairs(job, err));
    ATT_TRY(at_writer_flush(job->source, err));
    ATT_TRY(at_writer_flush(job->target, err));
    ATT_TRY(commit(&job->source, err));
    return commit(&job->target, err);
}

at_status at_make_phrases(const at_make_phrases_args *args, at_error *err)
{
    if (args->source == args->target || strcmp(args->source_path, args->target_path) == 0) {
        return at_fail(err, ATT_OPTION, "source and target language are the same; give two of zh, de and en");
    }
    phrase_job job = {.args = args};
    const at_status status = job_run(&job, err);
    job_close(&job);
    return status;
}
