/* Files: mapping, reading, the atomic writer under failures, and lines of plain and gzipped text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/attend-file-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* A path in the test's folder; four at a time. */
static const char *in_folder(const char *name)
{
    static char paths[4][PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void assert_content(const char *path, const char *text)
{
    at_buf buf = {0};
    assert_int_equal(at_file_read(path, &buf, NULL), ATT_OK);
    assert_string_equal(buf.data, text);
    at_buf_free(&buf);
}

static void assert_no_tmp(void)
{
    char command[96];
    snprintf(command, sizeof command, "ls %s | grep -q tmp", folder);
    assert_int_not_equal(system(command), 0);
}

static void writes_reads_maps(void **state)
{
    (void)state;
    const char *path = in_folder("plain");
    at_map map;
    assert_int_equal(at_file_write(path, "hello", 5, NULL), ATT_OK);
    assert_content(path, "hello");
    assert_int_equal(at_map_open(&map, path, NULL), ATT_OK);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "hello", 5);
    at_map_close(&map);
    assert_null(map.data);
    assert_int_equal(at_file_write(path, NULL, 0, NULL), ATT_OK);
    assert_content(path, "");
    assert_int_equal(at_map_open(&map, path, NULL), ATT_OK);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    at_map_close(&map);
    assert_no_tmp();
}

/* A pipe has no size and can't be mapped: it is read. */
static void maps_pipes(void **state)
{
    (void)state;
    int ends[2];
    at_map map;
    char path[32];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "through", 7), 7);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_int_equal(at_map_open(&map, path, NULL), ATT_OK);
    assert_false(map.mapped);
    assert_int_equal(map.size, 7);
    assert_memory_equal(map.data, "through", 7);
    at_map_close(&map);
    close(ends[0]);
}

static void errors_name_path_reason_and_mend(void **state)
{
    (void)state;
    at_error err;
    at_map map;
    at_buf buf = {0};
    at_writer *writer;
    at_lines *lines;
    assert_int_equal(at_map_open(&map, "no/such", &err), ATT_IO);
    assert_string_equal(err.text, "no/such: can't open: No such file or directory; check the path");
    assert_int_equal(at_map_open(&map, "/dev/zero", &err), ATT_IO); /* it has no end */
    assert_string_equal(err.text, "/dev/zero: can't read: it is a device; give a file");
    assert_int_equal(at_file_read("/", &buf, &err), ATT_IO);
    assert_string_equal(err.text, "/: can't read: Is a directory; give a file, not a folder");
    assert_int_equal(at_lines_open(&lines, "/", &err), ATT_IO);
    assert_string_equal(err.text, "/: can't read: Is a directory; give a file, not a folder");
    assert_int_equal(at_lines_open(&lines, "no/such", &err), ATT_IO);
    assert_null(lines);
    assert_int_equal(at_writer_open(&writer, "no/such", &err), ATT_IO);
    assert_string_equal(err.text, "no/such: can't create: No such file or directory; check the path");
    assert_int_equal(at_writer_open(&writer, "/dev/null", &err), ATT_IO);
    assert_null(writer);
    at_buf_free(&buf);
}

static void tells_what_can_be_read_again(void **state)
{
    (void)state;
    assert_true(at_path_can_reread("no/such") && at_path_can_reread("/")); /* whatever is wrong shows on opening */
    assert_false(at_path_can_reread("-") || at_path_can_reread("/dev/null"));
}

static void long_paths_keep_the_reason(void **state)
{
    (void)state;
    char path[2000];
    at_error err;
    at_map map;
    memset(path, 'a', sizeof path);
    strcpy(path + sizeof path - 5, "/end");
    assert_int_equal(at_map_open(&map, path, &err), ATT_IO);
    assert_memory_equal(err.text, "...aaa", 6);
    assert_non_null(strstr(err.text, "/end: can't open: File name too long; choose a shorter name"));
}

static void makes_folders(void **state)
{
    (void)state;
    at_error err;
    const char *deep = in_folder("a//b/c/");
    assert_false(at_path_exists(deep));
    assert_int_equal(at_path_make_dirs(deep, NULL), ATT_OK);
    assert_true(at_path_is_dir(deep));
    assert_int_equal(at_path_make_dirs(deep, NULL), ATT_OK);
    const char *file = in_folder("a/file");
    assert_int_equal(at_file_write(file, "x", 1, NULL), ATT_OK);
    assert_true(at_path_exists(file));
    assert_false(at_path_is_dir(file));
    assert_int_equal(at_path_make_dirs(file, &err), ATT_IO);
    assert_int_equal(at_path_make_dirs(in_folder("a/file/more"), &err), ATT_IO);
    assert_non_null(strstr(err.text, "a/file: can't make the folder: Not a directory"));
}

/* Sizes around the buffer's, so that every path of buffering is taken, then a patch into flushed and buffered bytes. */
static void writer_buffers_and_patches(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, (1 << 20) - 1, 3, 1 << 20, 17, (1 << 20) + 5, 0, 100};
    const char *path = in_folder("large");
    at_writer *writer;
    at_map map;
    size_t total = 0;
    char *bytes = malloc((1 << 20) + 5);
    assert_int_equal(at_writer_open(&writer, path, NULL), ATT_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(bytes, 'a' + (int)i, sizes[i]);
        assert_int_equal(at_writer_write(writer, bytes, sizes[i], NULL), ATT_OK);
        total += sizes[i];
    }
    assert_int_equal(at_writer_patch(writer, 1, "PATCH", 5, NULL), ATT_OK);
    assert_int_equal(at_writer_write(writer, "more", 4, NULL), ATT_OK);
    assert_int_equal(at_writer_patch(writer, total + 2, "RE", 2, NULL), ATT_OK);
    assert_false(at_path_exists(path));
    assert_int_equal(at_writer_commit(writer, NULL), ATT_OK);
    assert_int_equal(at_map_open(&map, path, NULL), ATT_OK);
    assert_int_equal(map.size, total + 4);
    assert_memory_equal(map.data, "aPATCHbb", 8);
    assert_memory_equal(map.data + total - 101, "fhh", 3);
    assert_memory_equal(map.data + total - 1, "hmoRE", 5);
    at_map_close(&map);
    free(bytes);
}

static void old_file_stays_until_commit(void **state)
{
    (void)state;
    const char *path = in_folder("kept");
    at_writer *writer;
    assert_int_equal(at_file_write(path, "old", 3, NULL), ATT_OK);
    assert_int_equal(at_writer_open(&writer, path, NULL), ATT_OK);
    assert_int_equal(at_writer_write(writer, "new", 3, NULL), ATT_OK);
    assert_content(path, "old");
    at_writer_abort(writer);
    at_writer_abort(NULL);
    assert_content(path, "old");
    assert_no_tmp();
}

/* A limit on the file's size fails writes as a full disk does. In a child, because the limit is the process's. */
static int write_beyond_limit(const char *path)
{
    static char bytes[1 << 20];
    at_error err;
    at_writer *writer;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 100000, .rlim_max = 100000});
    if (at_writer_open(&writer, path, &err) != ATT_OK) return 1;
    if (at_writer_write(writer, "x", 1, &err) != ATT_OK) return 2;
    if (at_writer_write(writer, bytes, sizeof bytes, &err) != ATT_IO) return 3;
    if (strstr(err.text, "full: can't write: File too large; ") == NULL) return 4;
    if (at_writer_commit(writer, &err) != ATT_IO) return 5;
    return strstr(err.text, "full: can't write: File too large; ") == NULL ? 6 : 0;
}

static void failed_write_keeps_old_file(void **state)
{
    (void)state;
    const char *path = in_folder("full");
    int result = -1;
    assert_int_equal(at_file_write(path, "old", 3, NULL), ATT_OK);
    const pid_t child = fork();
    if (child == 0) _exit(write_beyond_limit(path));
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_content(path, "old");
    assert_no_tmp();
}

/* ---- lines ---- */

/* Reads all lines of path and joins them as "[one][two]". */
static at_status join_lines(const char *path, at_buf *out, at_error *err)
{
    at_lines *lines;
    ATT_TRY(at_lines_open(&lines, path, err));
    at_status status = ATT_OK;
    for (;;) {
        const char *text;
        size_t len;
        bool got;
        status = at_lines_next(lines, &text, &len, &got, err);
        if (status != ATT_OK || !got) break;
        at_buf_puts(out, "[", NULL);
        at_buf_add(out, text, len, NULL);
        at_buf_puts(out, "]", NULL);
    }
    at_lines_close(lines);
    return status;
}

static void write_gz(const char *path, const char *bytes, size_t count)
{
    gzFile gz = gzopen(path, "wb");
    assert_int_equal(gzwrite(gz, bytes, (unsigned)count), count);
    assert_int_equal(gzclose(gz), Z_OK);
}

typedef struct line_case {
    const char *bytes;
    size_t count;
    const char *joined;
    size_t joined_count;
} line_case;

#define CASE(bytes, joined)                                  \
    {                                                        \
        bytes, sizeof(bytes) - 1, joined, sizeof(joined) - 1 \
    }

static void splits_lines(void **state)
{
    (void)state;
    static const line_case cases[] = {
        CASE("", ""),
        CASE("\n", "[]"),
        CASE("a", "[a]"),
        CASE("a\n", "[a]"),
        CASE("a\n\nb", "[a][][b]"),
        CASE("a\r\nb\r\n", "[a][b]"),
        CASE("\r\n", "[]"),
        CASE("a\rb\r", "[a\rb\r]"),
        CASE("\xEF\xBB\xBFhead\n\xEF\xBB\xBF\n", "[head][\xEF\xBB\xBF]"),
        CASE("\xEF\xBB\xBF", ""),
        CASE("\xEF\xBB", "[\xEF\xBB]"),
        CASE("a\0b\n", "[a\0b]"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const line_case *c = &cases[i];
        const char *plain = in_folder("lines"), *packed = in_folder("lines.gz");
        assert_int_equal(at_file_write(plain, c->bytes, c->count, NULL), ATT_OK);
        write_gz(packed, c->bytes, c->count);
        for (int gz = 0; gz < 2; gz++) {
            at_buf out = {0};
            at_buf_reserve(&out, 1, NULL);
            assert_int_equal(join_lines(gz ? packed : plain, &out, NULL), ATT_OK);
            assert_int_equal(out.len, c->joined_count);
            assert_memory_equal(out.data, c->joined, c->joined_count);
            at_buf_free(&out);
        }
    }
}

/* Line i has i % 977 bytes, and one is longer than the reader's buffer several times over. */
static void reads_long_lines(void **state)
{
    (void)state;
    enum { COUNT = 2000, LONG_AT = 777, LONG = 1500000 };
    at_buf file = {0};
    const char *path = in_folder("long.gz"), *text;
    at_lines *lines;
    size_t len;
    bool got;
    for (int i = 0; i < COUNT; i++) {
        const size_t count = i == LONG_AT ? LONG : (size_t)i % 977;
        assert_int_equal(at_buf_reserve(&file, count + 1, NULL), ATT_OK);
        memset(file.data + file.len, 'a' + i % 26, count);
        file.len += count;
        at_buf_puts(&file, "\n", NULL);
    }
    write_gz(path, file.data, file.len);
    assert_int_equal(at_lines_open(&lines, path, NULL), ATT_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(at_lines_next(lines, &text, &len, &got, NULL), ATT_OK);
        assert_true(got);
        assert_int_equal(len, i == LONG_AT ? LONG : i % 977);
        if (len > 0) assert_int_equal(text[len - 1], 'a' + i % 26);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(at_lines_next(lines, &text, &len, &got, NULL), ATT_OK);
        assert_false(got);
    }
    at_lines_close(lines);
    at_lines_close(NULL);
    at_buf_free(&file);
}

static void damaged_gzip_is_told(void **state)
{
    (void)state;
    const char *path = in_folder("damaged.gz");
    at_buf whole = {0}, text = {0}, out = {0};
    at_error err;
    for (int i = 0; i < 5000; i++) at_buf_printf(&text, NULL, "line %d\n", i * 7919);
    write_gz(path, text.data, text.len);
    assert_int_equal(at_file_read(path, &whole, NULL), ATT_OK);
    assert_int_equal(at_file_write(path, whole.data, whole.len / 2, NULL), ATT_OK);
    assert_int_equal(join_lines(path, &out, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "damaged.gz:"));
    assert_non_null(strstr(err.text, "it ends too early"));
    whole.data[whole.len / 2] ^= 0x55;
    whole.data[whole.len / 2 + 1] ^= 0x55;
    assert_int_equal(at_file_write(path, whole.data, whole.len, NULL), ATT_OK);
    assert_int_equal(join_lines(path, &out, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "damaged gzip data"));
    at_buf_free(&whole);
    at_buf_free(&text);
    at_buf_free(&out);
}

static void reads_standard_input(void **state)
{
    (void)state;
    const char *path = in_folder("stdin");
    at_buf out = {0};
    assert_int_equal(at_file_write(path, "one\ntwo\n", 8, NULL), ATT_OK);
    const int before = dup(STDIN_FILENO), file = open(path, O_RDONLY);
    assert_int_equal(dup2(file, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(join_lines("-", &out, NULL), ATT_OK);
    assert_string_equal(out.data, "[one][two]");
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    dup2(before, STDIN_FILENO);
    close(before);
    close(file);
    at_buf_free(&out);
}

/* A plain file behind a packed one: zlib's own reader would lose it unseen. Padding with zeros and several packed files
 * in one are fine. */
static void text_behind_gzip_is_told(void **state)
{
    (void)state;
    static const char *const behind[] = {"", "\0\0\0", "plain\n", "\0\0x", "\x1F"};
    static const size_t lengths[] = {0, 3, 6, 3, 1};
    const char *path = in_folder("behind.gz");
    for (size_t i = 0; i < 5; i++) {
        at_buf packed = {0}, out = {0};
        at_error err;
        write_gz(path, "one\n", 4);
        assert_int_equal(at_file_read(path, &packed, NULL), ATT_OK);
        const size_t one = packed.len;
        at_buf_reserve(&packed, one, NULL);
        at_buf_add(&packed, packed.data, one, NULL);
        at_buf_add(&packed, behind[i], lengths[i], NULL);
        assert_int_equal(at_file_write(path, packed.data, packed.len, NULL), ATT_OK);
        assert_int_equal(join_lines(path, &out, &err), i < 2 ? ATT_OK : ATT_INPUT);
        if (i >= 2) assert_non_null(strstr(err.text, "behind.gz:3: damaged gzip data"));
        at_buf_free(&packed);
        at_buf_free(&out);
    }
}

static void utf16_is_refused(void **state)
{
    (void)state;
    const char *path = in_folder("wide");
    static const char *const text[] = {"\xFF\xFEh\0", "\xFE\xFF\0h", "\xFF\xFE"};
    for (size_t i = 0; i < 3; i++) {
        at_error err;
        at_buf out = {0};
        assert_int_equal(at_file_write(path, text[i], i < 2 ? 4 : 2, NULL), ATT_OK);
        assert_int_equal(join_lines(path, &out, &err), ATT_INPUT);
        assert_non_null(strstr(err.text, "iconv -f UTF-16"));
        at_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_reads_maps),
        cmocka_unit_test(maps_pipes),
        cmocka_unit_test(errors_name_path_reason_and_mend),
        cmocka_unit_test(tells_what_can_be_read_again),
        cmocka_unit_test(long_paths_keep_the_reason),
        cmocka_unit_test(makes_folders),
        cmocka_unit_test(writer_buffers_and_patches),
        cmocka_unit_test(old_file_stays_until_commit),
        cmocka_unit_test(failed_write_keeps_old_file),
        cmocka_unit_test(splits_lines),
        cmocka_unit_test(reads_long_lines),
        cmocka_unit_test(damaged_gzip_is_told),
        cmocka_unit_test(text_behind_gzip_is_told),
        cmocka_unit_test(utf16_is_refused),
        cmocka_unit_test(reads_standard_input),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
