/* From messages of programs to sentence pairs: mnemonics out ("_File", "&Datei", "文件(_F)"), white space to single
 * spaces, and what teaches nothing left out. */
#ifndef ATT_DATA_CATALOG_TEXT_H
#define ATT_DATA_CATALOG_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* Replaces clean's content by the cleaned sides of a message, both UTF-8. *wanted is false for a pair that teaches
 * nothing: without letters, the same on both sides, the translators' names, or, unless `formats`, with a place for a
 * value ("%s", "{name}"). */
at_status at_catalog_clean(const char *source, const char *target, bool formats, at_buf clean[2], bool *wanted,
                           at_error *err);

#endif
