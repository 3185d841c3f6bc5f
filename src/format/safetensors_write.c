/* Writing safetensors, in one pass over the tensors: the hash grows while the bytes go out, and its digits are patched
 * into the header at the end. See safetensors.h for padding and hash.
 *
 *   +--------+-----------------------------------+------+----------+-----+----------+
 *   | u64 n  | JSON, hash as zeros, then spaces  |  t0  | pad zeros|  t1 |  t2      |
 *   +--------+-----------------------------------+------+----------+-----+----------+
 *                                                ^ multiples of 64 ^     ^            */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json_dump.h"
#include "format/safetensors.h"

#define ALIGN 64u

typedef struct content { /* what is written, and how far */
    const char *path;
    const at_stored_tensor *tensors;
    size_t count;
    bool plain; /* without pads, format and hash */
    at_writer *writer;
    XXH3_state_t *hash;
} content;

/* Bytes of padding before a tensor that would start at data byte `offset`. */
static size_t pad_before(const content *out, const at_stored_tensor *tensor, size_t offset)
{
    return tensor->bytes > 0 && !out->plain ? (ALIGN - offset % ALIGN) % ALIGN : 0;
}

static at_status no_memory(at_error *err)
{
    return at_fail(err, ATT_MEMORY, "out of memory for writing a model file; close other programs");
}

/* Why Jansson refused a text: itself it doesn't tell bad UTF-8 from lack of memory. */
static at_status refused(const char *text, const char *path, at_error *err)
{
    json_t *unchecked = json_string_nocheck(text), *checked = json_string(text);
    const bool invalid = unchecked && !checked;
    json_decref(unchecked);
    json_decref(checked);
    if (!invalid) return no_memory(err);
    return at_fail(err, ATT_OPTION, "%s: the name or text \"%.200s\" is not valid UTF-8; convert it", path, text);
}

/* Takes over value, which is NULL after a failed allocation. */
static at_status add_once(json_t *object, const char *key, json_t *value, const char *path, at_error *err)
{
    if (!value) return no_memory(err);
    if (json_object_get(object, key)) {
        json_decref(value);
        return at_fail(err, ATT_OPTION, "%s: the name \"%.200s\" is given twice, or reserved; rename it", path, key);
    }
    return json_object_set_new(object, key, value) == 0 ? ATT_OK : refused(key, path, err);
}

static at_status add_metadata(json_t *object, const char *key, const char *text, const char *path, at_error *err)
{
    json_t *value = json_string(text);
    return value ? add_once(object, key, value, path, err) : refused(text, path, err);
}

/* The shape as a JSON array, or NULL; *bytes is what its elements take. */
static json_t *shape_of(const at_stored_tensor *tensor, size_t *bytes)
{
    json_t *shape = json_array();
    *bytes = at_dtype_size(tensor->dtype);
    for (int i = 0; i < tensor->rank; i++) {
        *bytes *= (size_t)tensor->dim[i];
        if (json_array_append_new(shape, json_integer(tensor->dim[i])) == 0) continue;
        json_decref(shape);
        shape = NULL; /* appending to it fails, too */
    }
    return shape;
}

static at_status add_tensor(json_t *root, const char *path, const at_stored_tensor *tensor, size_t begin, at_error *err)
{
    size_t bytes;
    json_t *shape = shape_of(tensor, &bytes);
    if (bytes != tensor->bytes) {
        json_decref(shape);
        return at_fail(err, ATT_OPTION,
                       "%s: tensor \"%.200s\" has %zu bytes, but its shape takes %zu; give the right shape", path,
                       tensor->name, tensor->bytes, bytes);
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", at_safetensors_dtype(tensor->dtype), "shape", shape,
                              "data_offsets", (json_int_t)begin, (json_int_t)(begin + bytes));
    return add_once(root, tensor->name, entry, path, err);
}

static at_status add_pad(json_t *root, const char *path, size_t bytes, size_t begin, size_t number, at_error *err)
{
    char name[40];
    snprintf(name, sizeof name, ATT_SAFETENSORS_PAD "%zu", number);
    const at_stored_tensor pad = {.name = name, .dtype = ATT_U8, .rank = 1, .dim = {(int64_t)bytes}, .bytes = bytes};
    return add_tensor(root, path, &pad, begin, err);
}

static at_status add_tensors(json_t *root, const content *out, at_error *err)
{
    size_t offset = 0, pads = 0;
    for (size_t i = 0; i < out->count; i++) {
        const at_stored_tensor *tensor = &out->tensors[i];
        if (strncmp(tensor->name, ATT_SAFETENSORS_PAD, strlen(ATT_SAFETENSORS_PAD)) == 0) {
            return at_fail(err, ATT_OPTION, "%s: tensor name \"%.200s\" is reserved for padding; rename it", out->path,
                           tensor->name);
        }
        const size_t pad = pad_before(out, tensor, offset);
        if (pad > 0) ATT_TRY(add_pad(root, out->path, pad, offset, pads++, err));
        offset += pad;
        ATT_TRY(add_tensor(root, out->path, tensor, offset, err));
        offset += tensor->bytes;
    }
    return ATT_OK;
}

/* Fills root. Format and hash come first: ATT_SAFETENSORS_PROLOGUE depends on it. */
static at_status describe(json_t *root, const content *out, const at_metadata *metadata, size_t metadata_count,
                          at_error *err)
{
    ATT_TRY(add_once(root, "__metadata__", json_object(), out->path, err));
    json_t *object = json_object_get(root, "__metadata__");
    if (!out->plain) {
        ATT_TRY(add_metadata(object, "attend.format", ATT_SAFETENSORS_FORMAT, out->path, err));
        ATT_TRY(add_metadata(object, "attend.hash", "0000000000000000", out->path, err));
    }
    for (size_t i = 0; i < metadata_count; i++) {
        ATT_TRY(add_metadata(object, metadata[i].key, metadata[i].value, out->path, err));
    }
    return add_tensors(root, out, err);
}

/* Appends the header's length, the text and the spaces that bring the data to a multiple of 64. */
static at_status format_header(const char *text, const char *path, at_buf *header, at_error *err)
{
    const size_t plain = ATT_SAFETENSORS_LENGTH + strlen(text);
    const size_t padded = (plain + ALIGN - 1) / ALIGN * ALIGN;
    const uint64_t length = padded - ATT_SAFETENSORS_LENGTH;
    if (length > ATT_SAFETENSORS_MAX_HEADER) {
        return at_fail(err, ATT_OPTION,
                       "%s: names and metadata take %" PRIu64 " bytes, but readers take at most %u; shorten them", path,
                       length, ATT_SAFETENSORS_MAX_HEADER);
    }
    uint8_t little_endian[ATT_SAFETENSORS_LENGTH];
    for (size_t i = 0; i < sizeof little_endian; i++) little_endian[i] = (uint8_t)(length >> 8 * i);
    ATT_TRY(at_buf_add(header, little_endian, sizeof little_endian, err));
    return at_buf_printf(header, err, "%s%*s", text, (int)(padded - plain), "");
}

static at_status make_header(const content *out, const at_metadata *metadata, size_t metadata_count, at_buf *header,
                             at_error *err)
{
    json_t *root = json_object();
    if (!root) return no_memory(err);
    char *text = NULL;
    at_status status = describe(root, out, metadata, metadata_count, err);
    if (status == ATT_OK) {
        text = at_json_dump(root, JSON_COMPACT);
        status = text ? format_header(text, out->path, header, err) : no_memory(err);
    }
    free(text);
    json_decref(root);
    return status;
}

static at_status put(content *out, const void *bytes, size_t count, at_error *err)
{
    if (count == 0) return ATT_OK;
    XXH3_64bits_update(out->hash, bytes, count);
    return at_writer_write(out->writer, bytes, count, err);
}

enum { PIECE = 1 << 16 };

/* A tensor that lies elsewhere passes through a small buffer: no second copy of it is ever made. */
static at_status put_tensor(content *out, const at_stored_tensor *tensor, at_error *err)
{
    const at_stored_source *source = tensor->source;
    uint8_t piece[PIECE];
    if (source == NULL) return put(out, tensor->data, tensor->bytes, err);
    for (size_t from = 0; from < tensor->bytes; from += PIECE) {
        const size_t count = tensor->bytes - from < PIECE ? tensor->bytes - from : PIECE;
        source->read(source->arg, tensor->data, from, piece, count);
        ATT_TRY(put(out, piece, count, err));
    }
    return ATT_OK;
}

static at_status put_all(content *out, const at_buf *header, at_error *err)
{
    static const uint8_t zeros[ALIGN];
    size_t offset = 0;
    ATT_TRY(put(out, header->data, header->len, err));
    for (size_t i = 0; i < out->count; i++) {
        const at_stored_tensor *tensor = &out->tensors[i];
        const size_t pad = pad_before(out, tensor, offset);
        ATT_TRY(put(out, zeros, pad, err));
        ATT_TRY(put_tensor(out, tensor, err));
        offset += pad + tensor->bytes;
    }
    if (out->plain) return ATT_OK;
    char digits[ATT_SAFETENSORS_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016" PRIx64, (uint64_t)XXH3_64bits_digest(out->hash));
    return at_writer_patch(out->writer, ATT_SAFETENSORS_LENGTH + strlen(ATT_SAFETENSORS_PROLOGUE), digits,
                           ATT_SAFETENSORS_DIGITS, err);
}

static at_status write_file(content *out, const at_buf *header, at_error *err)
{
    out->hash = XXH3_createState();
    if (!out->hash) return no_memory(err);
    XXH3_64bits_reset(out->hash);
    at_status status = at_writer_open(&out->writer, out->path, err);
    if (status == ATT_OK) {
        status = put_all(out, header, err);
        if (status == ATT_OK) {
            status = at_writer_commit(out->writer, err);
        } else {
            at_writer_abort(out->writer);
        }
    }
    XXH3_freeState(out->hash);
    return status;
}

static at_status write_all(content *out, const at_metadata *metadata, size_t metadata_count, at_error *err)
{
    at_buf header = {0};
    at_status status = make_header(out, metadata, metadata_count, &header, err);
    if (status == ATT_OK) status = write_file(out, &header, err);
    at_buf_free(&header);
    return status;
}

at_status at_safetensors_write(const char *path, const at_stored_tensor *tensors, size_t count,
                               const at_metadata *metadata, size_t metadata_count, at_error *err)
{
    content out = {.path = path, .tensors = tensors, .count = count};
    return write_all(&out, metadata, metadata_count, err);
}

at_status at_safetensors_write_plain(const char *path, const at_stored_tensor *tensors, size_t count,
                                     const at_metadata *metadata, size_t metadata_count, at_error *err)
{
    content out = {.path = path, .tensors = tensors, .count = count, .plain = true};
    return write_all(&out, metadata, metadata_count, err);
}
