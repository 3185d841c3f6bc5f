/* Status, arena and buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

static void fail_fills_error(void **state)
{
    (void)state;
    at_error err;
    assert_int_equal(at_fail(&err, ATT_IO, "%s:%d", "file", 3), ATT_IO);
    assert_int_equal(err.status, ATT_IO);
    assert_string_equal(err.text, "file:3");
    assert_int_equal(at_fail(NULL, ATT_INPUT, "nobody listens"), ATT_INPUT);
    at_fail(&err, ATT_INPUT, "recipe: %s", err.text);
    assert_string_equal(err.text, "recipe: file:3");
    at_fail(&err, ATT_INPUT, "a\nb\r\n");
    assert_string_equal(err.text, "a b  ");
    assert_int_equal(at_fail_memory(&err, 77), ATT_MEMORY);
    assert_non_null(strstr(err.text, "77 bytes"));
}

static void fail_cuts_whole_characters(void **state)
{
    (void)state;
    char text[1201] = "";
    for (int i = 0; i < 600; i++) strcat(text, "\xC3\xA9");
    at_error err;
    at_fail(&err, ATT_INPUT, "%s", text);
    assert_int_equal(strlen(err.text), 598);
    assert_memory_equal(err.text, text, 598);
}

static void status_has_names(void **state)
{
    (void)state;
    assert_string_equal(at_status_name(ATT_OK), "ok");
    assert_string_equal(at_status_name(ATT_DIVERGED), "diverged");
    assert_string_equal(at_status_name((at_status)99), "unknown");
    assert_string_equal(at_status_name((at_status)-1), "unknown");
}

static void arena_aligns_and_grows(void **state)
{
    (void)state;
    at_arena arena;
    at_arena_init(&arena, 256);
    char *blocks[40];
    for (int i = 0; i < 40; i++) {
        blocks[i] = at_arena_alloc(&arena, (size_t)i * 13);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
        memset(blocks[i], i, (size_t)i * 13);
    }
    for (int i = 1; i < 40; i++) {
        assert_int_equal(blocks[i][0], i);
        assert_int_equal(blocks[i][i * 13 - 1], i);
        assert_ptr_not_equal(blocks[i], blocks[i - 1]);
    }
    assert_int_equal(arena.used % 64, 0);
    assert_int_equal(arena.peak, arena.used);
    at_arena_free(&arena);
    assert_int_equal(arena.used, 0);
}

static void arena_restores_and_keeps_chunks(void **state)
{
    (void)state;
    at_arena arena;
    at_arena_init(&arena, 128);
    const at_arena_mark empty = at_arena_save(&arena);
    char *first = at_arena_strdup(&arena, "first");
    const at_arena_mark mark = at_arena_save(&arena);
    void *small = at_arena_zalloc(&arena, 64);
    void *large = at_arena_alloc(&arena, 5000);
    at_arena_restore(&arena, mark);
    assert_int_equal(arena.used, 64);
    assert_int_equal(arena.peak, 64 + 64 + 5056);
    /* A kept chunk that is large enough serves again, and what came before the mark is untouched. */
    assert_ptr_equal(at_arena_alloc(&arena, 5000), large);
    assert_string_equal(first, "first");
    at_arena_restore(&arena, empty);
    assert_ptr_equal(at_arena_alloc(&arena, 1), first);
    assert_ptr_equal(at_arena_alloc(&arena, 64), small);
    at_arena_free(&arena);
}

static void arena_failure_sticks_until_reset(void **state)
{
    (void)state;
    at_arena arena;
    at_arena_init(&arena, 0);
    assert_null(at_arena_array(&arena, SIZE_MAX / 2, 3));
    assert_true(arena.failed);
    arena.failed = false;
    assert_null(at_arena_alloc(&arena, SIZE_MAX - 10));
    assert_non_null(at_arena_alloc(&arena, 10));
    assert_true(arena.failed);
    at_arena_reset(&arena);
    assert_false(arena.failed);
    assert_int_equal(arena.used, 0);
    const char *zeros = at_arena_zalloc(&arena, 1000);
    for (int i = 0; i < 1000; i++) assert_int_equal(zeros[i], 0);
    at_arena_free(&arena);
}

static void buf_grows_and_terminates(void **state)
{
    (void)state;
    at_buf buf = {0};
    assert_int_equal(at_buf_add(&buf, NULL, 0, NULL), ATT_OK);
    assert_string_equal(buf.data, "");
    for (int i = 0; i < 1000; i++) assert_int_equal(at_buf_printf(&buf, NULL, "%03d,", i), ATT_OK);
    assert_int_equal(buf.len, 4000);
    assert_string_equal(buf.data + 3996, "999,");
    assert_int_equal(at_buf_add(&buf, "a\0b", 3, NULL), ATT_OK);
    assert_memory_equal(buf.data + 4000, "a\0b", 4);
    at_buf_clear(&buf);
    assert_int_equal(at_buf_puts(&buf, "x", NULL), ATT_OK);
    assert_string_equal(buf.data, "x");
    at_error err;
    assert_int_equal(at_buf_reserve(&buf, SIZE_MAX - 1, &err), ATT_MEMORY);
    assert_int_equal(at_buf_reserve(&buf, SIZE_MAX / 2, &err), ATT_MEMORY);
    assert_string_equal(buf.data, "x");
    at_buf_free(&buf);
    assert_null(buf.data);
}

static void ids_grow(void **state)
{
    (void)state;
    at_ids ids = {0};
    const int32_t more[] = {7, 8, 9};
    for (int32_t i = 0; i < 1000; i++) assert_int_equal(at_ids_push(&ids, i, NULL), ATT_OK);
    assert_int_equal(at_ids_add(&ids, more, 3, NULL), ATT_OK);
    assert_int_equal(at_ids_add(&ids, NULL, 0, NULL), ATT_OK);
    assert_int_equal(ids.len, 1003);
    assert_int_equal(ids.data[999], 999);
    assert_int_equal(ids.data[1002], 9);
    assert_int_equal(at_ids_add(&ids, more, SIZE_MAX / 4, NULL), ATT_MEMORY);
    assert_int_equal(ids.len, 1003);
    at_ids_free(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_error),
        cmocka_unit_test(fail_cuts_whole_characters),
        cmocka_unit_test(status_has_names),
        cmocka_unit_test(arena_aligns_and_grows),
        cmocka_unit_test(arena_restores_and_keeps_chunks),
        cmocka_unit_test(arena_failure_sticks_until_reset),
        cmocka_unit_test(buf_grows_and_terminates),
        cmocka_unit_test(ids_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
