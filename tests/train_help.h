/* A folder of the test's own, with made-up text to train on. */
#ifndef ATT_TESTS_TRAIN_HELP_H
#define ATT_TESTS_TRAIN_HELP_H

#include "must.h"

#include <attend/tools.h>
#include <attend/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];

static inline const char *in_folder(char *path, const char *name)
{
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

/* Makes the folder; its name begins with "/tmp/attend-NAME-". */
static inline void make_folder(const char *name)
{
    snprintf(folder, sizeof folder, "/tmp/attend-%s-XXXXXX", name);
    assert_non_null(mkdtemp(folder));
}

static inline int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* Text in a language and in English: train.zh, train.en, valid.zh, valid.en, where `ending` is "zh". */
static inline void make_text(at_phrases_language language, const char *ending, int64_t train_pairs, int64_t valid_pairs)
{
    for (int i = 0; i < 2; i++) {
        char name[32], source[256], target[256];
        at_error error;
        snprintf(name, sizeof name, "%s.%s", i ? "valid" : "train", ending);
        const at_make_phrases_args args = {.source_path = in_folder(source, name),
                                           .target_path = in_folder(target, i ? "valid.en" : "train.en"),
                                           .source = language,
                                           .target = ATT_PHRASES_EN,
                                           .split = i ? ATT_PHRASES_HELD_OUT : ATT_PHRASES_TRAIN,
                                           .pairs = i ? valid_pairs : train_pairs,
                                           .seed = 5};
        must(at_make_phrases(&args, &error), &error);
    }
}

static inline void set(at_training *t, const char *name, const char *value)
{
    at_error error;
    must(at_training_set(t, name, value, &error), &error);
}

#endif
