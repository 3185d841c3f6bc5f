/* JSON as text. */
#ifndef ATT_BASE_JSON_DUMP_H
#define ATT_BASE_JSON_DUMP_H

#include <jansson.h>

/* json_dumps() that keeps its word: Jansson's own overlooks a failed allocation between two keys, and gives a text that lacks some. flags as
 * there; NULL for a NULL value and without memory; the caller frees. */
char *at_json_dump(const json_t *value, size_t flags);

#endif
