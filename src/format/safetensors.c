/* Reading safetensors: map, parse the header, check that the tensors tile the data section, check the hash.
 * Nothing of the file is trusted: each number is checked before it is used as a size or an offset.
 * Names and metadata point into the parsed header, which lives as long as the file.
 * The format: https://huggingface.co/docs/safetensors. Read next: safetensors_write.c. */
#include "format/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"

#define MAX_RANK (sizeof(((at_stored_tensor *)0)->dim) / sizeof(int64_t))
#define AGAIN "the file is damaged: copy or export it again"

struct at_safetensors {
    at_map map;
    char *path;
    json_t *header;
    const uint8_t *data; /* start of the data section */
    size_t data_bytes;
    at_stored_tensor *tensor;         /* by data offset */
    const at_stored_tensor **by_name; /* by name */
    size_t count;
    bool hashed;
};

static const char *const dtype_name[] = {
    [ATT_F32] = "F32", [ATT_F64] = "F64", [ATT_F16] = "F16", [ATT_BF16] = "BF16", [ATT_I64] = "I64",
    [ATT_I32] = "I32", [ATT_I16] = "I16", [ATT_I8] = "I8",   [ATT_U8] = "U8",     [ATT_BOOL] = "BOOL",
};

const char *at_safetensors_dtype(at_dtype dtype)
{
    return dtype_name[dtype];
}

/* Parses the header into file->header and finds the data section. */
static at_status read_header(at_safetensors *file, at_error *err)
{
    const at_map *map = &file->map;
    if (map->size < ATT_SAFETENSORS_LENGTH) {
        return at_fail(err, ATT_INPUT,
                       "%s: has only %zu bytes, so it is no safetensors file, or was cut off; copy it again",
                       file->path, map->size);
    }
    uint64_t length = 0;
    for (size_t i = ATT_SAFETENSORS_LENGTH; i-- > 0;) length = length << 8 | map->data[i];
    if (length > ATT_SAFETENSORS_MAX_HEADER || length > map->size - ATT_SAFETENSORS_LENGTH) {
        return at_fail(err, ATT_INPUT,
                       "%s: announces a header of %" PRIu64 " bytes, but has %zu bytes in all: "
                       "it is no safetensors file, or was cut off; copy it again",
                       file->path, length, map->size);
    }
    json_error_t problem;
    file->header =
        json_loadb((const char *)map->data + ATT_SAFETENSORS_LENGTH, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    /* Jansson names every fault of the text; it is silent, mostly, when memory ran out. */
    if (!file->header && !*problem.text) return at_fail_memory(err, (size_t)length);
    if (!json_is_object(file->header)) {
        return at_fail(err, ATT_INPUT, "%s: the header is not a JSON object (%s): it is no safetensors file, or %s",
                       file->path, file->header ? "another value" : problem.text, AGAIN);
    }
    file->data = map->data + ATT_SAFETENSORS_LENGTH + length;
    file->data_bytes = map->size - ATT_SAFETENSORS_LENGTH - (size_t)length;
    return ATT_OK;
}

static at_status check_metadata(const at_safetensors *file, at_error *err)
{
    json_t *metadata = json_object_get(file->header, "__metadata__");
    if (!metadata) return ATT_OK;
    if (!json_is_object(metadata)) {
        return at_fail(err, ATT_INPUT, "%s: __metadata__ is not a JSON object; %s", file->path, AGAIN);
    }
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            return at_fail(err, ATT_INPUT,
                           "%s: metadata \"%.200s\" is not a string; export the file with string values", file->path,
                           key);
        }
    }
    return ATT_OK;
}

static at_status read_dtype(const at_safetensors *file, at_stored_tensor *tensor, const json_t *entry, at_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) {
        return at_fail(err, ATT_INPUT, "%s: tensor \"%.200s\" has no dtype; %s", file->path, tensor->name, AGAIN);
    }
    for (size_t i = 0; i < sizeof dtype_name / sizeof *dtype_name; i++) {
        if (strcmp(name, dtype_name[i]) == 0) {
            tensor->dtype = (at_dtype)i;
            return ATT_OK;
        }
    }
    return at_fail(
        err, ATT_UNSUPPORTED,
        "%s: tensor \"%.200s\" has dtype \"%.20s\", which attend doesn't read; convert it to F32, F16 or BF16",
        file->path, tensor->name, name);
}

/* Fills rank, dim and bytes; an overflow of the product is refused. */
static at_status read_shape(const at_safetensors *file, at_stored_tensor *tensor, const json_t *entry, at_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) {
        return at_fail(err, ATT_INPUT, "%s: tensor \"%.200s\" has no shape; %s", file->path, tensor->name, AGAIN);
    }
    const size_t rank = json_array_size(shape);
    if (rank > MAX_RANK) {
        return at_fail(err, ATT_UNSUPPORTED,
                       "%s: tensor \"%.200s\" has %zu dimensions; attend reads up to %zu, reshape it", file->path,
                       tensor->name, rank, MAX_RANK);
    }
    tensor->rank = (int)rank;
    tensor->bytes = at_dtype_size(tensor->dtype);
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(shape, i);
        tensor->dim[i] = json_integer_value(dim);
        if (!json_is_integer(dim) || tensor->dim[i] < 0 ||
            __builtin_mul_overflow(tensor->bytes, (size_t)tensor->dim[i], &tensor->bytes)) {
            return at_fail(err, ATT_INPUT,
                           "%s: tensor \"%.200s\": dimension %zu is negative, no integer, or too large; %s", file->path,
                           tensor->name, i, AGAIN);
        }
    }
    return ATT_OK;
}

static at_status read_offsets(const at_safetensors *file, at_stored_tensor *tensor, const json_t *entry, at_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    const json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last) || begin < 0 ||
        end < begin) {
        return at_fail(err, ATT_INPUT, "%s: tensor \"%.200s\": data_offsets is no pair of rising byte numbers; %s",
                       file->path, tensor->name, AGAIN);
    }
    if ((uint64_t)end > file->data_bytes) {
        const uint64_t start = file->map.size - file->data_bytes;
        return at_fail(err, ATT_INPUT,
                       "%s: tensor \"%.200s\" ends at byte %" PRIu64
                       " but the file has only %zu; the file is truncated: copy it again",
                       file->path, tensor->name, start + (uint64_t)end, file->map.size);
    }
    if ((size_t)(end - begin) != tensor->bytes) {
        return at_fail(err, ATT_INPUT,
                       "%s: tensor \"%.200s\" needs %zu bytes by its shape, but its data_offsets hold %lld; %s",
                       file->path, tensor->name, tensor->bytes, (long long)(end - begin), AGAIN);
    }
    tensor->data = file->data + begin;
    return ATT_OK;
}

static at_status read_tensors(at_safetensors *file, at_error *err)
{
    const size_t most = json_object_size(file->header) + 1; /* calloc of 0 may give NULL */
    file->tensor = calloc(most, sizeof *file->tensor);
    file->by_name = calloc(most, sizeof *file->by_name);
    if (!file->tensor || !file->by_name) return at_fail_memory(err, most * sizeof *file->tensor);

    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) continue;
        at_stored_tensor *tensor = &file->tensor[file->count++];
        tensor->name = name;
        ATT_TRY(read_dtype(file, tensor, entry, err));
        ATT_TRY(read_shape(file, tensor, entry, err));
        ATT_TRY(read_offsets(file, tensor, entry, err));
    }
    return ATT_OK;
}

/* By start; an empty tensor comes before the one that starts at the same byte. */
static int by_offset(const void *a, const void *b)
{
    const at_stored_tensor *x = a, *y = b;
    const uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q) return p < q ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Sorts the tensors by offset and checks that they cover the data section without overlap or hole. */
static at_status check_tiling(at_safetensors *file, at_error *err)
{
    qsort(file->tensor, file->count, sizeof *file->tensor, by_offset);
    const uint8_t *end = file->data;
    for (size_t i = 0; i < file->count; i++) {
        const at_stored_tensor *tensor = &file->tensor[i];
        const uint8_t *begin = tensor->data;
        if (begin != end) {
            return at_fail(err, ATT_INPUT,
                           "%s: tensor \"%.200s\" starts at data byte %td, but the one before ends at %td; %s",
                           file->path, tensor->name, begin - file->data, end - file->data, AGAIN);
        }
        end += tensor->bytes;
    }
    const size_t covered = (size_t)(end - file->data);
    if (covered == file->data_bytes) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: %zu bytes at its end belong to no tensor; %s", file->path,
                   file->data_bytes - covered, AGAIN);
}

/* XXH3-64 of the whole file with the 16 digits at `at` read as '0'. */
static at_status hash_file(const at_map *map, size_t at, uint64_t *hash, at_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state) return at_fail(err, ATT_MEMORY, "out of memory for the hash of a file; close other programs");
    const size_t rest = at + ATT_SAFETENSORS_DIGITS;
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, map->data, at);
    XXH3_64bits_update(state, "0000000000000000", ATT_SAFETENSORS_DIGITS);
    XXH3_64bits_update(state, map->data + rest, map->size - rest);
    *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return ATT_OK;
}

/* Files with neither of the two keys are foreign and pass. */
static at_status check_hash(at_safetensors *file, at_error *err)
{
    static const char prologue[] = ATT_SAFETENSORS_PROLOGUE;
    const size_t at = ATT_SAFETENSORS_LENGTH + sizeof prologue - 1;
    const char *format = at_safetensors_metadata(file, "attend.format");
    const char *stored = at_safetensors_metadata(file, "attend.hash");
    if (!format && !stored) return ATT_OK;
    if (format && strcmp(format, ATT_SAFETENSORS_FORMAT) != 0) {
        return at_fail(err, ATT_UNSUPPORTED,
                       "%s: has attend.format \"%.20s\", but this attend reads \"%s\"; use a newer attend", file->path,
                       format, ATT_SAFETENSORS_FORMAT);
    }
    if (format && stored && strlen(stored) == ATT_SAFETENSORS_DIGITS &&
        memcmp(file->map.data + ATT_SAFETENSORS_LENGTH, prologue, sizeof prologue - 1) == 0) {
        uint64_t hash = 0;
        char digits[ATT_SAFETENSORS_DIGITS + 1];
        ATT_TRY(hash_file(&file->map, at, &hash, err));
        snprintf(digits, sizeof digits, "%016" PRIx64, hash);
        file->hashed = memcmp(digits, file->map.data + at, ATT_SAFETENSORS_DIGITS) == 0;
    }
    at_map_forget(&file->map);
    if (file->hashed) return ATT_OK;
    return at_fail(
        err, ATT_INPUT,
        "%s: the content doesn't match attend.hash: the file is damaged, copy it again (a program that changed it "
        "must leave out attend.format and attend.hash)",
        file->path);
}

static int compare_names(const void *a, const void *b)
{
    const at_stored_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static bool is_pad(const at_stored_tensor *tensor)
{
    return strncmp(tensor->name, ATT_SAFETENSORS_PAD, strlen(ATT_SAFETENSORS_PAD)) == 0;
}

/* Drops the padding tensors of attend's files and makes the index by name. */
static void index_tensors(at_safetensors *file)
{
    size_t kept = 0;
    for (size_t i = 0; i < file->count; i++) {
        if (!(file->hashed && is_pad(&file->tensor[i]))) file->tensor[kept++] = file->tensor[i];
    }
    file->count = kept;
    for (size_t i = 0; i < kept; i++) file->by_name[i] = &file->tensor[i];
    qsort(file->by_name, kept, sizeof *file->by_name, compare_names);
}

static at_status read_all(at_safetensors *file, const char *path, at_error *err)
{
    file->path = strdup(path);
    if (!file->path) return at_fail_memory(err, strlen(path) + 1);
    ATT_TRY(at_map_open(&file->map, path, err));
    ATT_TRY(read_header(file, err));
    ATT_TRY(check_metadata(file, err));
    ATT_TRY(read_tensors(file, err));
    ATT_TRY(check_tiling(file, err));
    ATT_TRY(check_hash(file, err));
    index_tensors(file);
    return ATT_OK;
}

at_status at_safetensors_open(at_safetensors **file, const char *path, at_error *err)
{
    *file = NULL;
    at_safetensors *opened = calloc(1, sizeof *opened);
    if (!opened) return at_fail_memory(err, sizeof *opened);
    const at_status status = read_all(opened, path, err);
    if (status == ATT_OK) {
        *file = opened;
    } else {
        at_safetensors_close(opened);
    }
    return status;
}

void at_safetensors_close(at_safetensors *file)
{
    if (!file) return;
    json_decref(file->header);
    at_map_close(&file->map);
    free(file->tensor);
    free(file->by_name);
    free(file->path);
    free(file);
}

size_t at_safetensors_count(const at_safetensors *file)
{
    return file->count;
}

const at_stored_tensor *at_safetensors_at(const at_safetensors *file, size_t index)
{
    return index < file->count ? &file->tensor[index] : NULL;
}

const at_stored_tensor *at_safetensors_find(const at_safetensors *file, const char *name)
{
    const at_stored_tensor wanted = {.name = name}, *key = &wanted;
    const at_stored_tensor **found = bsearch(&key, file->by_name, file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

const char *at_safetensors_metadata(const at_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}

void at_safetensors_forget(const at_safetensors *file)
{
    at_map_forget(&file->map);
}

const char *at_safetensors_path(const at_safetensors *file)
{
    return file->path;
}

size_t at_safetensors_size(const at_safetensors *file, bool *hashed)
{
    if (hashed) *hashed = file->hashed;
    return file->map.size;
}
