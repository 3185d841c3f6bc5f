/* The safetensors container: 8 bytes little-endian header length, a JSON header
 * {"name": {"dtype", "shape", "data_offsets"}, ..., "__metadata__": {string: string}}, then the data.
 *
 *   +--------+----------------------+----------+----------+-- - -
 *   | u64 n  | JSON header, n bytes | tensor 0 | tensor 1 |
 *   +--------+----------------------+----------+----------+-- - -
 *
 * Opening maps the file and checks header, offsets, sizes, overlaps and holes before anything is used. Files that
 * attend wrote begin their metadata with "attend.format" and "attend.hash" (XXH3-64 of the whole file with the hash's
 * own 16 digits as zeros), which is checked too: no flipped bit and no missing byte goes unseen. Two keys, so that
 * damage to one can't make the file look foreign. Files of other programs have neither and load without the check.
 *
 * attend's tensors start at multiples of 64 bytes. Readers demand data without holes, so the header is padded with
 * spaces, and a U8 tensor "attend.pad.N" of zeros stands before a tensor that would start elsewhere; this reader hides
 * such tensors again. Widths are mostly multiples of 16 floats, so pads are rare. */
#ifndef ATT_FORMAT_SAFETENSORS_H
#define ATT_FORMAT_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "tape/dtype.h"

typedef struct at_safetensors at_safetensors;

#define ATT_SAFETENSORS_FORMAT "1"
#define ATT_SAFETENSORS_PAD "attend.pad." /* prefix of the names of padding tensors */
/* The first bytes of a header that attend wrote, up to the digits of the hash. */
#define ATT_SAFETENSORS_PROLOGUE \
    "{\"__metadata__\":{\"attend.format\":\"" ATT_SAFETENSORS_FORMAT "\",\"attend.hash\":\""
#define ATT_SAFETENSORS_DIGITS 16
#define ATT_SAFETENSORS_LENGTH 8              /* bytes before the header that hold its length */
#define ATT_SAFETENSORS_MAX_HEADER 100000000u /* the limit of the format's own reader */

/* How to read a tensor that doesn't lie in host memory, such as a weight on a device: bytes from .. from + count of `data`. */
typedef struct at_stored_source {
    void (*read)(void *arg, const void *data, size_t from, void *to, size_t count);
    void *arg;
} at_stored_source;

typedef struct at_stored_tensor {
    const char *name;
    at_dtype dtype;
    int rank;
    int64_t dim[8];   /* outermost first */
    const void *data; /* points into the mapped file; may be unaligned in foreign files */
    size_t bytes;
    const at_stored_source *source; /* of a tensor to write; NULL: data lies in host memory */
} at_stored_tensor;

/* The container's name of a dtype, such as "F32" or "U8". */
const char *at_safetensors_dtype(at_dtype dtype);

/* Maps and checks the file. ATT_INPUT: not such a file, or damaged; ATT_UNSUPPORTED: a dtype, rank or format that this
 * build doesn't read. *file is NULL on failure. */
at_status at_safetensors_open(at_safetensors **file, const char *path, at_error *err);
void at_safetensors_close(at_safetensors *file); /* NULL is fine */
size_t at_safetensors_count(const at_safetensors *file);
/* In order of data offset. */
const at_stored_tensor *at_safetensors_at(const at_safetensors *file, size_t index);
const at_stored_tensor *at_safetensors_find(const at_safetensors *file, const char *name); /* NULL when absent */
const char *at_safetensors_metadata(const at_safetensors *file, const char *key);          /* NULL when absent */
/* Pages of the file that were read leave the process' memory until they are read again. */
void at_safetensors_forget(const at_safetensors *file);
const char *at_safetensors_path(const at_safetensors *file);
/* Bytes of the whole file; *hashed (may be NULL) tells whether a hash was present and checked. */
size_t at_safetensors_size(const at_safetensors *file, bool *hashed);

typedef struct at_metadata {
    const char *key, *value;
} at_metadata;

/* Writes atomically (base/file.h), in the given order; adds attend.format, attend.hash and pads (see above).
 * ATT_OPTION: a name that is given twice, reserved or not UTF-8, a value that is not UTF-8, or bytes that don't fit the
 * shape. */
at_status at_safetensors_write(const char *path, const at_stored_tensor *tensors, size_t count,
                               const at_metadata *metadata, size_t metadata_count, at_error *err);
/* The same for other programs, which would wonder at pads: nothing is added. */
at_status at_safetensors_write_plain(const char *path, const at_stored_tensor *tensors, size_t count,
                                     const at_metadata *metadata, size_t metadata_count, at_error *err);

#endif
