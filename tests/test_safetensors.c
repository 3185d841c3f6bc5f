/* Reading and writing safetensors: round trips, foreign files, and damage of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "format/safetensors.h"

typedef struct scratch { /* a folder of the test's own with one file in it */
    char folder[64];
    char path[128];
} scratch;

static int make_scratch(void **state)
{
    scratch *s = calloc(1, sizeof *s);
    strcpy(s->folder, "/tmp/attend-safetensors-XXXXXX");
    if (!mkdtemp(s->folder)) return -1;
    snprintf(s->path, sizeof s->path, "%s/model.safetensors", s->folder);
    *state = s;
    return 0;
}

static int drop_scratch(void **state)
{
    scratch *s = *state;
    unlink(s->path);
    const int left = rmdir(s->folder); /* fails when a temporary file was left behind */
    free(s);
    return left;
}

static const float weights[6] = {1, -2, 3.5f, 0, 1e-30f, 7};
static const uint8_t bytes[5] = {9, 8, 7, 6, 5};
static const int64_t numbers[16] = {-1, 2};

static const at_stored_tensor sample[] = {
    {.name = "z.weight", .dtype = ATT_F32, .rank = 2, .dim = {2, 3}, .data = weights, .bytes = sizeof weights},
    {.name = "empty", .dtype = ATT_F16, .rank = 2, .dim = {0, 7}},
    {.name = "a.numbers", .dtype = ATT_I64, .rank = 1, .dim = {16}, .data = numbers, .bytes = sizeof numbers},
    {.name = "scalar \"quoted\" \xC3\xA9", .dtype = ATT_F32, .rank = 0, .data = weights, .bytes = 4},
    {.name = "tokenizer", .dtype = ATT_U8, .rank = 1, .dim = {5}, .data = bytes, .bytes = sizeof bytes},
};
enum { SAMPLE = sizeof sample / sizeof *sample };

static const at_metadata metadata[] = {
    {"attend.config", "{\"name\": \"a \\\"b\\\"\", \"attend.hash\":\"0\"}\n\t\xE4\xB8\xAD\xE6\x96\x87"},
    {"x\"attend.hash", ""},
};

static void write_sample(const scratch *s)
{
    at_error err = {0};
    const at_status status = at_safetensors_write(s->path, sample, SAMPLE, metadata, 2, &err);
    if (status != ATT_OK) fail_msg("%s", err.text);
}

static at_safetensors *open_file(const char *path)
{
    at_error err = {0};
    at_safetensors *file;
    if (at_safetensors_open(&file, path, &err) != ATT_OK) fail_msg("%s", err.text);
    return file;
}

static void assert_same(const at_stored_tensor *got, const at_stored_tensor *want)
{
    assert_non_null(got);
    assert_string_equal(got->name, want->name);
    assert_int_equal(got->dtype, want->dtype);
    assert_int_equal(got->rank, want->rank);
    for (int i = 0; i < want->rank; i++) assert_int_equal(got->dim[i], want->dim[i]);
    assert_int_equal(got->bytes, want->bytes);
    if (want->bytes > 0) assert_memory_equal(got->data, want->data, want->bytes);
}

static void round_trip_keeps_everything(void **state)
{
    const scratch *s = *state;
    write_sample(s);
    at_safetensors *file = open_file(s->path);
    assert_int_equal(at_safetensors_count(file), SAMPLE);
    for (int i = 0; i < SAMPLE; i++) {
        assert_same(at_safetensors_find(file, sample[i].name), &sample[i]);
        if (sample[i].bytes > 0) assert_int_equal((uintptr_t)at_safetensors_find(file, sample[i].name)->data % 64, 0);
    }
    assert_string_equal(at_safetensors_at(file, 0)->name, "z.weight");
    assert_string_equal(at_safetensors_at(file, SAMPLE - 1)->name, "tokenizer");
    assert_null(at_safetensors_at(file, SAMPLE));
    assert_null(at_safetensors_find(file, "attend.pad.0"));
    assert_null(at_safetensors_find(file, "__metadata__"));
    assert_string_equal(at_safetensors_metadata(file, metadata[0].key), metadata[0].value);
    assert_string_equal(at_safetensors_metadata(file, metadata[1].key), "");
    assert_string_equal(at_safetensors_metadata(file, "attend.format"), "1");
    assert_null(at_safetensors_metadata(file, "other"));
    assert_string_equal(at_safetensors_path(file), s->path);
    bool hashed = false;
    assert_true(at_safetensors_size(file, &hashed) > sizeof numbers);
    assert_true(hashed);
    at_safetensors_close(file);
}

static void file_without_tensors(void **state)
{
    const scratch *s = *state;
    assert_int_equal(at_safetensors_write(s->path, NULL, 0, NULL, 0, NULL), ATT_OK);
    at_safetensors *file = open_file(s->path);
    assert_int_equal(at_safetensors_count(file), 0);
    assert_null(at_safetensors_find(file, ""));
    at_safetensors_close(file);
    at_safetensors_close(NULL);
}

static void large_tensors_hash_alike(void **state)
{
    const scratch *s = *state;
    const size_t count = 3000001; /* beyond the writer's buffer */
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) values[i] = (float)i;
    const at_stored_tensor tensors[] = {
        {.name = "large", .dtype = ATT_F32, .rank = 1, .dim = {(int64_t)count}, .data = values, .bytes = 4 * count},
        {.name = "small", .dtype = ATT_F32, .rank = 1, .dim = {6}, .data = weights, .bytes = sizeof weights},
    };
    assert_int_equal(at_safetensors_write(s->path, tensors, 2, NULL, 0, NULL), ATT_OK);
    at_safetensors *file = open_file(s->path);
    assert_same(at_safetensors_at(file, 0), &tensors[0]);
    assert_same(at_safetensors_at(file, 1), &tensors[1]);
    at_safetensors_close(file);
    free(values);
}

static void expect_write(const scratch *s, const at_stored_tensor *tensors, size_t count, const char *key,
                         const char *value, const char *part)
{
    at_error err = {0};
    const at_metadata pair = {key, value};
    assert_int_equal(at_safetensors_write(s->path, tensors, count, &pair, key != NULL, &err), ATT_OPTION);
    if (!strstr(err.text, part)) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_false(at_path_exists(s->path));
}

static void writer_refuses_bad_names(void **state)
{
    const scratch *s = *state;
    const at_stored_tensor twice[] = {sample[0], sample[0]};
    const at_stored_tensor pad = {.name = "attend.pad.0", .dtype = ATT_U8, .rank = 1};
    const at_stored_tensor reserved = {.name = "__metadata__", .dtype = ATT_U8, .rank = 1};
    const at_stored_tensor latin = {.name = "\xE9", .dtype = ATT_U8, .rank = 1};
    const at_stored_tensor shapeless = {
        .name = "x", .dtype = ATT_F32, .rank = 1, .dim = {2}, .data = bytes, .bytes = 5};
    expect_write(s, twice, 2, NULL, NULL, "\"z.weight\" is given twice");
    expect_write(s, &pad, 1, NULL, NULL, "reserved");
    expect_write(s, &reserved, 1, NULL, NULL, "reserved");
    expect_write(s, &latin, 1, NULL, NULL, "UTF-8");
    expect_write(s, &shapeless, 1, NULL, NULL, "has 5 bytes, but its shape takes 8");
    expect_write(s, NULL, 0, "attend.hash", "", "reserved");
    expect_write(s, NULL, 0, "key", "\xE9", "UTF-8");
}

static void writer_leaves_nothing_on_failure(void **state)
{
    (void)state;
    at_error err = {0};
    assert_int_equal(at_safetensors_write("/nowhere/at/all/x", sample, SAMPLE, NULL, 0, &err), ATT_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all/x"));
}

/* Not at_file_write: thousands of syncs would make the test slow. */
static void write_bytes(const scratch *s, const void *raw, size_t size)
{
    FILE *out = fopen(s->path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(raw, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

/* Writes raw and expects that opening it is refused with a message that names the file. */
static void expect_refused(const scratch *s, const void *raw, size_t size, const char *what, size_t where)
{
    at_error err = {0};
    at_safetensors *file = (at_safetensors *)&err;
    write_bytes(s, raw, size);
    const at_status status = at_safetensors_open(&file, s->path, &err);
    if (status == ATT_OK) fail_msg("%s at %zu went unseen", what, where);
    if (status != ATT_INPUT && status != ATT_UNSUPPORTED) fail_msg("%s at %zu: %s", what, where, err.text);
    assert_null(file);
    assert_int_equal(strncmp(err.text, s->path, strlen(s->path)), 0);
}

static void every_flipped_bit_is_seen(void **state)
{
    const scratch *s = *state;
    at_buf raw = {0};
    write_sample(s);
    assert_int_equal(at_file_read(s->path, &raw, NULL), ATT_OK);
    for (size_t i = 0; i < raw.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            raw.data[i] ^= (char)(1 << bit);
            expect_refused(s, raw.data, raw.len, "a flipped bit", i);
            raw.data[i] ^= (char)(1 << bit);
        }
    }
    at_buf_free(&raw);
}

static void every_wrong_length_is_seen(void **state)
{
    const scratch *s = *state;
    at_buf raw = {0};
    write_sample(s);
    assert_int_equal(at_file_read(s->path, &raw, NULL), ATT_OK);
    for (size_t i = 0; i < raw.len; i++) expect_refused(s, raw.data, i, "a cut", i);
    assert_int_equal(at_buf_add(&raw, "", 1, NULL), ATT_OK);
    expect_refused(s, raw.data, raw.len, "another byte", raw.len);
    at_buf_free(&raw);
}

/* A foreign file of this header and so many data bytes. */
static void write_raw(const scratch *s, const char *header, size_t data_bytes)
{
    at_buf raw = {0};
    const char zeros[64] = {0};
    const uint64_t length = strlen(header);
    assert_int_equal(at_buf_add(&raw, &length, sizeof length, NULL), ATT_OK);
    assert_int_equal(at_buf_puts(&raw, header, NULL), ATT_OK);
    assert_int_equal(at_buf_add(&raw, zeros, data_bytes, NULL), ATT_OK);
    write_bytes(s, raw.data, raw.len);
    at_buf_free(&raw);
}

typedef struct bad_header {
    const char *header;
    size_t data_bytes;
    at_status status;
    const char *part; /* of the message */
} bad_header;

#define TENSOR(dtype, shape, offsets) "\"x\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const bad_header bad_headers[] = {
    {"[]", 0, ATT_INPUT, "not a JSON object"},
    {"{", 0, ATT_INPUT, "not a JSON object"},
    {"{} x", 0, ATT_INPUT, "not a JSON object"},
    {"{" TENSOR("\"U8\"", "[0]", "[0,0]") "," TENSOR("\"U8\"", "[0]", "[0,0]") "}", 0, ATT_INPUT, "duplicate"},
    {"{\"__metadata__\":[]}", 0, ATT_INPUT, "__metadata__"},
    {"{\"__metadata__\":{\"epoch\":3}}", 0, ATT_INPUT, "\"epoch\" is not a string"},
    {"{\"__metadata__\":{\"attend.format\":\"1\"}}", 0, ATT_INPUT, "damaged"},
    {"{\"__metadata__\":{\"attend.hash\":\"\"}}", 0, ATT_INPUT, "damaged"},
    {"{\"__metadata__\":{\"attend.format\":\"1\",\"attend.hash\":\"2d06800538d394c2\"}}", 0, ATT_INPUT, "damaged"},
    {"{\"__metadata__\":{\"attend.format\":\"2\",\"attend.hash\":\"0\"}}", 0, ATT_UNSUPPORTED, "newer attend"},
    {"{\"x\":3}", 0, ATT_INPUT, "\"x\" has no dtype"},
    {"{" TENSOR("\"F8_E4M3\"", "[4]", "[0,4]") "}", 4, ATT_UNSUPPORTED, "F8_E4M3"},
    {"{" TENSOR("\"F32\"", "4", "[0,4]") "}", 4, ATT_INPUT, "no shape"},
    {"{" TENSOR("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, ATT_UNSUPPORTED, "9 dimensions"},
    {"{" TENSOR("\"F32\"", "[-1]", "[0,4]") "}", 4, ATT_INPUT, "dimension 0"},
    {"{" TENSOR("\"F32\"", "[1.0]", "[0,4]") "}", 4, ATT_INPUT, "dimension 0"},
    {"{" TENSOR("\"U8\"", "[4294967296,4294967297]", "[0,4]") "}", 4, ATT_INPUT, "dimension 1"},
    {"{" TENSOR("\"F32\"", "[4611686018427387905]", "[0,4]") "}", 4, ATT_INPUT, "dimension 0"},
    {"{" TENSOR("\"F32\"", "[9223372036854775808]", "[0,4]") "}", 4, ATT_INPUT, "big integer"},
    {"{" TENSOR("\"F32\"", "[1]", "[0]") "}", 4, ATT_INPUT, "data_offsets"},
    {"{" TENSOR("\"F32\"", "[1]", "[4,0]") "}", 4, ATT_INPUT, "data_offsets"},
    {"{" TENSOR("\"F32\"", "[1]", "[-4,0]") "}", 4, ATT_INPUT, "data_offsets"},
    {"{" TENSOR("\"F32\"", "[1]", "[0,\"4\"]") "}", 4, ATT_INPUT, "data_offsets"},
    {"{" TENSOR("\"F32\"", "[2]", "[0,8]") "}", 4, ATT_INPUT, "ends at byte 70 but the file has only 66"},
    {"{" TENSOR("\"F32\"", "[2]", "[0,4]") "}", 4, ATT_INPUT, "needs 8 bytes"},
    {"{" TENSOR("\"F32\"", "[1]", "[4,8]") "}", 8, ATT_INPUT, "starts at data byte 4, but the one before ends at 0"},
    {"{" TENSOR("\"F32\"", "[1]", "[0,4]") "}", 6, ATT_INPUT, "2 bytes at its end"},
    {"{" TENSOR("\"U8\"", "[4]", "[0,4]") ",\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", 6,
     ATT_INPUT, "\"y\" starts at data byte 2, but the one before ends at 4"},
    {"{" TENSOR("\"U8\"", "[4]", "[0,4]") ",\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
     ATT_INPUT, "starts at data byte 0"},
};

static void bad_headers_are_named(void **state)
{
    const scratch *s = *state;
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        const bad_header *bad = &bad_headers[i];
        at_error err = {0};
        at_safetensors *file;
        write_raw(s, bad->header, bad->data_bytes);
        const at_status status = at_safetensors_open(&file, s->path, &err);
        if (status != bad->status || !strstr(err.text, bad->part)) fail_msg("%s: %s", bad->header, err.text);
    }
}

static void foreign_files_load(void **state)
{
    const scratch *s = *state;
    bool hashed = true;
    /* Not by name, an empty tensor inside, an unknown key, trailing spaces, a pad-like name. */
    write_raw(s,
              "{\"b\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[4,7],\"note\":1},"
              "\"e\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[4,4]},"
              "\"attend.pad.0\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[0,4]}}   ",
              7);
    at_safetensors *file = open_file(s->path);
    assert_int_equal(at_safetensors_count(file), 3);
    assert_string_equal(at_safetensors_at(file, 0)->name, "attend.pad.0");
    assert_string_equal(at_safetensors_at(file, 1)->name, "e");
    assert_int_equal(at_safetensors_find(file, "b")->dtype, ATT_BOOL);
    assert_null(at_safetensors_metadata(file, "attend.hash"));
    at_safetensors_size(file, &hashed);
    assert_false(hashed);
    at_safetensors_close(file);
}

static void huge_or_missing_files(void **state)
{
    const scratch *s = *state;
    const uint8_t huge[16] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    at_error err = {0};
    at_safetensors *file;
    assert_int_equal(at_safetensors_open(&file, s->path, &err), ATT_IO);
    assert_int_equal(at_safetensors_open(&file, s->folder, &err), ATT_IO);
    expect_refused(s, huge, sizeof huge, "a huge header", 0);
    expect_refused(s, "", 0, "an empty file", 0);
}

static const char *reference(char path[512], const char *name)
{
    const char *folder = getenv("ATTEND_REFERENCE");
    snprintf(path, 512, "%s/marian/%s.safetensors", folder ? folder : "../shared/reference", name);
    return path;
}

static void hugging_face_files_load(void **state)
{
    (void)state;
    char path[512];
    if (!at_path_exists(reference(path, "model"))) {
        print_message("skipped: %s is absent (set ATTEND_REFERENCE)\n", path);
        skip();
    }
    at_safetensors *model = open_file(path);
    assert_int_equal(at_safetensors_count(model), 86);
    assert_string_equal(at_safetensors_metadata(model, "format"), "pt");
    const at_stored_tensor *shared = at_safetensors_find(model, "model.shared.weight");
    assert_non_null(shared);
    assert_int_equal(shared->dim[0], 1000);
    assert_int_equal(shared->bytes, 1000 * 64 * 4);
    at_safetensors_close(model);

    at_safetensors *expected = open_file(reference(path, "expected"));
    assert_int_equal(at_safetensors_find(expected, "greedy")->dtype, ATT_I64);
    assert_int_equal(at_safetensors_find(expected, "cross_attention_0")->rank, 4);
    at_safetensors_close(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trip_keeps_everything, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(file_without_tensors, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(large_tensors_hash_alike, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(writer_refuses_bad_names, make_scratch, drop_scratch),
        cmocka_unit_test(writer_leaves_nothing_on_failure),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_seen, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(every_wrong_length_is_seen, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(bad_headers_are_named, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(foreign_files_load, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(huge_or_missing_files, make_scratch, drop_scratch),
        cmocka_unit_test(hugging_face_files_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
