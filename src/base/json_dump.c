/* Measured first, then written into memory that is large enough, so that nothing is allocated on the way. */
#include "base/json_dump.h"

#include <stdlib.h>

char *at_json_dump(const json_t *value, size_t flags)
{
    const size_t len = json_dumpb(value, NULL, 0, flags);
    char *text = len > 0 ? malloc(len + 1) : NULL;
    if (text == NULL) return NULL;
    if (json_dumpb(value, text, len, flags) != len) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}
