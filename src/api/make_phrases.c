/* Made-up parallel text: draws sentence after sentence from the phrase grammar and writes those that are wanted.
 * See attend/tools.h; the grammar: data/phrases.h. */
#include <attend/tools.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "data/hash_map.h"
#include "data/pair_writer.h"
#include "data/phrases.h"

_Static_assert((int)ATT_PHRASES_ZH == (int)ATT_CHINESE && (int)ATT_PHRASES_DE == (int)ATT_GERMAN &&
                   (int)ATT_PHRASES_EN == (int)ATT_ENGLISH,
               "the public names are the internal ones");

/* After so many sentences in a row of which none is wanted, the grammar counts as used up. */
enum { PATIENCE = 2000000 };

typedef struct phrase_job {
    const at_make_phrases_args *args;
    at_buf sentence[ATT_PHRASE_LANGUAGES];
    at_hash_map seen;
    at_pair_writer writer;
} phrase_job;

static void job_close(phrase_job *job)
{
    for (int i = 0; i < ATT_PHRASE_LANGUAGES; i++) at_buf_free(&job->sentence[i]);
    at_hash_map_free(&job->seen);
    at_pair_writer_abort(&job->writer);
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
    const at_buf *source = &job->sentence[job->args->source];
    int64_t *value;
    return at_hash_map_add(&job->seen, XXH3_64bits(source->data, source->len), &value, wanted, err);
}

static at_status write_pair(phrase_job *job, at_error *err)
{
    const at_buf *source = &job->sentence[job->args->source], *target = &job->sentence[job->args->target];
    const char *const text[2] = {source->data, target->data};
    const size_t len[2] = {source->len, target->len};
    return at_pair_writer_add(&job->writer, text, len, err);
}

static at_status write_pairs(phrase_job *job, at_error *err)
{
    const at_make_phrases_args *args = job->args;
    int64_t written = 0, misses = 0;
    for (uint64_t index = 0; written < args->pairs; index++) {
        bool wanted;
        if (at_cancelled(args->cancel))
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
        ATT_TRY(write_pair(job, err));
        written++;
    }
    return ATT_OK;
}

static at_status job_run(phrase_job *job, at_error *err)
{
    ATT_TRY(at_pair_writer_open(&job->writer, job->args->source_path, job->args->target_path, err));
    ATT_TRY(write_pairs(job, err));
    return at_pair_writer_commit(&job->writer, err);
}

at_status at_make_phrases(const at_make_phrases_args *args, at_error *err)
{
    if ((unsigned)args->source > ATT_PHRASES_EN || (unsigned)args->target > ATT_PHRASES_EN ||
        (unsigned)args->split > ATT_PHRASES_HELD_OUT)
        return at_fail(err, ATT_OPTION, "no such language or part of the sentences: %d, %d, %d", (int)args->source,
                       (int)args->target, (int)args->split);
    if (args->source == args->target || strcmp(args->source_path, args->target_path) == 0) {
        return at_fail(err, ATT_OPTION, "source and target language are the same; give two of zh, de and en");
    }
    phrase_job job = {.args = args};
    const at_status status = job_run(&job, err);
    job_close(&job);
    return status;
}
