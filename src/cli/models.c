/* The model files of a command. See models.h. */
#include "cli/models.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

enum { MOST = 64 };

/* Cuts `joined` into its paths; -1: there are too many. */
static int split(char *joined, const char **paths)
{
    int count = 0;
    for (char *next; joined; joined = next) {
        next = strchr(joined, '\n');
        if (next) *next++ = '\0';
        if (count == MOST) return -1;
        paths[count++] = joined;
    }
    return count;
}

at_status at_models_open(at_translator **translator, const char *paths, int threads, at_error *err)
{
    const char *list[MOST];
    char *joined = strdup(paths);
    if (joined == NULL) return at_fail_memory(err, strlen(paths) + 1);
    const int count = split(joined, list);
    const at_status status = count < 0 ? at_fail(err, ATT_OPTION, "--model: at most %d models translate together", MOST)
                                       : at_translator_open_ensemble(translator, list, count, threads, err);
    free(joined);
    return status;
}
