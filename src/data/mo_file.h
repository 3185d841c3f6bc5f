/* Compiled message catalogs of gettext (.mo), in either byte order. Every offset is checked when a catalog is opened,
 * so that reading a message can't fail. The format: "The Format of GNU MO Files" in GNU gettext's manual.
 *
 *   magic 950412DE | revision | N | offset of originals | offset of translations | hash table (not needed)
 *   N x {length, offset} of originals, N x {length, offset} of translations, strings ended by NUL
 *
 * An original is [context EOT] singular [NUL plural], a translation has a form for each plural, separated by NUL. */
#ifndef ATT_DATA_MO_FILE_H
#define ATT_DATA_MO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"

typedef struct at_mo_text {
    const char *text; /* NUL-terminated, in the catalog's bytes */
    size_t len;
} at_mo_text;

typedef struct at_mo_message {
    at_mo_text singular, plural; /* of the original, without its context; plural.text NULL: there is none */
    at_mo_text first, last;      /* forms of the translation: the same when it has one */
} at_mo_message;

typedef struct at_mo {
    const uint8_t *data; /* borrowed */
    size_t size;
    bool swapped; /* in the other byte order */
    uint32_t count;
    uint32_t originals, translations; /* offsets of the tables */
    char charset[32];                 /* from the header's Content-Type, upper case; "" when it doesn't say */
} at_mo;

/* ATT_INPUT: no catalog, or a damaged one. name is for the message. */
at_status at_mo_open(at_mo *mo, const void *bytes, size_t size, const char *name, at_error *err);
/* Message i < count; the header is the one with an empty singular. */
at_mo_message at_mo_get(const at_mo *mo, uint32_t i);

#endif
