/* Message catalogs: reading in both byte orders, damaged ones, encodings, clean-up, gathering. All catalogs are made
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <attend/tools.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/catalog_text.h"
#include "data/mo_file.h"

typedef struct entry {
    const char *original, *translation;
    size_t original_len, translation_len; /* 0: up to the NUL */
} entry;

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/attend-catalogs-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void put_number(at_buf *out, size_t at, uint32_t n, bool swapped)
{
    unsigned char bytes[4];
    for (unsigned i = 0; i < 4; i++) bytes[swapped ? 3 - i : i] = (unsigned char)(n >> 8 * i);
    memcpy(out->data + at, bytes, 4);
}

/* A catalog as msgfmt writes it, in little-endian or, swapped, in big-endian order. */
static at_buf make_mo(const entry *entries, uint32_t count, bool swapped)
{
    at_buf out = {0};
    const uint32_t tables = 28;
    char nothing[28] = {0};
    at_buf_add(&out, nothing, tables, NULL);
    for (uint32_t i = 0; i < 2 * count; i++) at_buf_add(&out, nothing, 8, NULL);
    put_number(&out, 0, 0x950412DE, swapped);
    put_number(&out, 8, count, swapped);
    put_number(&out, 12, tables, swapped);
    put_number(&out, 16, tables + 8 * count, swapped);
    for (uint32_t i = 0; i < 2 * count; i++) {
        const entry *e = &entries[i % count];
        const char *text = i < count ? e->original : e->translation;
        const size_t given = i < count ? e->original_len : e->translation_len, len = given ? given : strlen(text);
        put_number(&out, tables + 8 * i, (uint32_t)len, swapped);
        put_number(&out, tables + 8 * i + 4, (uint32_t)out.len, swapped);
        at_buf_add(&out, text, len, NULL);
        at_buf_add(&out, "", 1, NULL);
    }
    return out;
}

static at_buf usual_mo(bool swapped)
{
    static const entry entries[] = {
        {.original = "", .translation = "Project-Id-Version: x\nContent-Type: text/plain; charset=utf-8\nX: y\n"},
        {.original = "Open", .translation = "\303\226ffnen"},
        {.original = "menu\004_File", .translation = "_Datei"},
        {.original = "one book\0books",
         .translation = "ein Buch\0B\303\274cher",
         .original_len = 14,
         .translation_len = 16},
    };
    return make_mo(entries, 4, swapped);
}

static void expect_part(at_mo_text got, const char *want)
{
    assert_non_null(got.text);
    assert_string_equal(got.text, want);
    assert_int_equal(got.len, strlen(want));
}

static void reads_both_byte_orders(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++) {
        at_buf bytes = usual_mo(swapped);
        at_mo mo;
        assert_int_equal(at_mo_open(&mo, bytes.data, bytes.len, "x.mo", NULL), ATT_OK);
        assert_int_equal(mo.count, 4);
        assert_string_equal(mo.charset, "UTF-8");
        at_mo_message m = at_mo_get(&mo, 1);
        expect_part(m.singular, "Open");
        expect_part(m.first, "\303\226ffnen");
        assert_null(m.plural.text);
        m = at_mo_get(&mo, 2);
        expect_part(m.singular, "_File");
        m = at_mo_get(&mo, 3);
        expect_part(m.singular, "one book");
        expect_part(m.plural, "books");
        expect_part(m.first, "ein Buch");
        expect_part(m.last, "B\303\274cher");
        at_buf_free(&bytes);
    }
}

/* Reads all of a catalog, so that a sanitizer sees a step outside. The bytes lie in a block of exactly their size. */
static bool reads_safely(const at_buf *bytes, size_t size)
{
    char *exact = malloc(size ? size : 1);
    at_mo mo;
    memcpy(exact, bytes->data, size);
    const bool opened = at_mo_open(&mo, exact, size, "x.mo", NULL) == ATT_OK;
    size_t sum = 0;
    for (uint32_t i = 0; opened && i < mo.count; i++) {
        const at_mo_message m = at_mo_get(&mo, i);
        sum += strlen(m.singular.text) + strlen(m.first.text) + strlen(m.last.text);
        if (m.plural.text) sum += strlen(m.plural.text);
    }
    free(exact);
    return opened && sum < SIZE_MAX;
}

static void damaged_catalogs_are_safe(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++) {
        at_buf bytes = usual_mo(swapped);
        for (size_t size = 0; size < bytes.len; size++)
            assert_false(reads_safely(&bytes, size)); /* the last NUL is missing */
        assert_true(reads_safely(&bytes, bytes.len));
        for (uint64_t i = 0; i < 20000; i++) {
            const size_t at = at_rng_below(1, 3 * i, (uint32_t)bytes.len), at2 = at_rng_below(1, 3 * i + 1, 100);
            const char before = bytes.data[at], before2 = bytes.data[at2];
            bytes.data[at] = (char)at_rng_below(2, i, 256);
            bytes.data[at2] = (char)at_rng_below(3, i, 256);
            reads_safely(&bytes, bytes.len);
            bytes.data[at2] = before2;
            bytes.data[at] = before;
        }
        at_buf_free(&bytes);
    }
}

static void what_is_no_catalog(void **state)
{
    (void)state;
    at_mo mo;
    at_error err;
    assert_int_equal(at_mo_open(&mo, "hello", 5, "x.mo", &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "x.mo: no message catalog"));
    at_buf bytes = usual_mo(false);
    bytes.data[6] = 2; /* version 2.0 */
    assert_int_equal(at_mo_open(&mo, bytes.data, bytes.len, "x.mo", &err), ATT_UNSUPPORTED);
    bytes.data[6] = 0;
    bytes.data[15] = 1; /* the table of originals */
    assert_int_equal(at_mo_open(&mo, bytes.data, bytes.len, "x.mo", &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "outside"));
    at_buf_free(&bytes);
}

static void messages_are_cleaned(void **state)
{
    (void)state;
    static const struct {
        const char *source, *target, *clean_source, *clean_target; /* NULL: not wanted */
        bool formats;
    } rows[] = {
        {"_File", "_Datei", "File", "Datei", false},
        {"Save _As...", "Speichern _unter...", "Save As...", "Speichern unter...", false},
        {"E_xit", "Be_enden", "Exit", "Beenden", false},
        {"&File", "\346\226\207\344\273\266(&F)", "File", "\346\226\207\344\273\266", false},
        {"_Edit", "\347\267\250\351\233\206(_E)...", "Edit", "\347\267\250\351\233\206...", false},
        {"_Help", "\345\270\256\345\212\251\357\274\210_H\357\274\211", "Help", "\345\270\256\345\212\251", false},
        {"_Quit", "Beenden", "Quit", "Beenden", false},
        {"set max_size now", "max_size setzen", "set max_size now", "max_size setzen", false},
        {"a_b and c_d", "c_d und a_b", "a_b and c_d", "c_d und a_b", false},
        {"Food & Drink", "Essen & Trinken", "Food & Drink", "Essen & Trinken", false},
        {"the &lt; key", "Taste &lt;", "the &lt; key", "Taste &lt;", false},
        {"  two\n\tlines\n", "zwei  Zeilen ", "two lines", "zwei Zeilen", false},
        {"50 % of it", "50 % davon", "50 % of it", "50 % davon", false},
        {"%s files", "%s Dateien", NULL, NULL, false},
        {"%s files", "%s Dateien", "%s files", "%s Dateien", true},
        {"%-10.3f done", "%1$s fertig", NULL, NULL, false},
        {"%1 of %2", "%1 von %2", NULL, NULL, false},
        {"%(name)s", "x%%", NULL, NULL, false},
        {"hello {name}", "hallo {0}", NULL, NULL, false},
        {"{a b}", "{c d}", "{a b}", "{c d}", false},
        {"OK", "OK", NULL, NULL, false},
        {"_OK", "OK", NULL, NULL, false},
        {"...", "\342\200\246", NULL, NULL, false},
        {"x", "", NULL, NULL, false},
        {"translator-credits", "A. Person", NULL, NULL, false},
    };
    at_buf clean[2] = {{0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool wanted;
        assert_int_equal(at_catalog_clean(rows[i].source, rows[i].target, rows[i].formats, clean, &wanted, NULL),
                         ATT_OK);
        if (wanted != (rows[i].clean_source != NULL)) fail_msg("%s: wanted %d", rows[i].source, wanted);
        if (!wanted) continue;
        assert_string_equal(clean[0].data, rows[i].clean_source);
        assert_string_equal(clean[1].data, rows[i].clean_target);
    }
    at_buf_free(&clean[0]);
    at_buf_free(&clean[1]);
}

/* ---- gathering ---- */

static void put_file(const char *name, const at_buf *bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/locale/de/LC_MESSAGES", folder);
    assert_int_equal(at_path_make_dirs(path, NULL), ATT_OK);
    snprintf(path, sizeof path, "%s/locale/de/LC_MESSAGES/%s", folder, name);
    assert_int_equal(at_file_write(path, bytes->data, bytes->len, NULL), ATT_OK);
}

static at_status gather(const char *language, at_catalogs_result *result, at_buf out[2], at_error *err)
{
    char dirs[200], source[128], target[128];
    snprintf(dirs, sizeof dirs, "%s/nowhere\n%s/locale", folder, folder);
    snprintf(source, sizeof source, "%s/out.en", folder);
    snprintf(target, sizeof target, "%s/out.de", folder);
    const at_make_catalogs_args args = {
        .language = language, .dirs = dirs, .source_path = source, .target_path = target};
    ATT_TRY(at_make_catalogs(&args, result, err));
    ATT_TRY(at_file_read(source, &out[0], err));
    return at_file_read(target, &out[1], err);
}

static void catalogs_are_gathered(void **state)
{
    (void)state;
    const entry latin[] = {{.original = "", .translation = "Content-Type: text/plain; charset=ISO-8859-1\n"},
                           {.original = "door", .translation = "T\374r"},
                           {.original = "menu\004Open", .translation = "\326ffnen"}};
    const entry unknown[] = {{.original = "", .translation = "Content-Type: text/plain; charset=X-NONE\n"}};
    const entry broken[] = {{.original = "", .translation = "Content-Type: text/plain; charset=UTF-8\n"},
                            {.original = "bad", .translation = "schl\374cht"},
                            {.original = "good", .translation = "gut"}};
    at_buf files[5] = {
        usual_mo(true), make_mo(latin, 3, false), make_mo(unknown, 1, false), make_mo(broken, 3, true), {0}};
    static const char *const names[] = {"b.mo", "a.mo", "u.mo", "z.mo", "no.mo"};
    at_buf_puts(&files[4], "no catalog", NULL);
    for (int i = 0; i < 5; i++) put_file(names[i], &files[i]);
    put_file("other.txt", &files[4]);
    at_catalogs_result r;
    at_buf out[2] = {{0}};
    at_error err;
    if (gather("de", &r, out, &err) != ATT_OK) fail_msg("%s", err.text);
    /* a.mo before b.mo; "Open" of b.mo stood before */
    assert_string_equal(out[0].data, "door\nOpen\nFile\none book\nbooks\ngood\n");
    assert_string_equal(out[1].data, "T\303\274r\n\303\226ffnen\nDatei\nein Buch\nB\303\274cher\ngut\n");
    assert_int_equal(r.pairs, 6);
    assert_int_equal(r.messages, 8);
    assert_int_equal(r.catalogs, 3);
    assert_int_equal(r.damaged, 2);
    assert_int_equal(r.unusable, 1);
    assert_int_equal(gather("fr", &r, out, &err), ATT_INPUT);
    assert_string_equal(err.text, "no message catalog for fr; there are some for: de");
    assert_int_equal(gather("../de", &r, out, &err), ATT_OPTION);
    for (int i = 0; i < 5; i++) at_buf_free(&files[i]);
    at_buf_free(&out[0]);
    at_buf_free(&out[1]);
}

static void nothing_installed(void **state)
{
    (void)state;
    at_catalogs_result r;
    at_error err;
    const at_make_catalogs_args args = {.language = "de",
                                        .dirs = "/nowhere",
                                        .source_path = "/tmp/attend-none.en",
                                        .target_path = "/tmp/attend-none.de"};
    assert_int_equal(at_make_catalogs(&args, &r, &err), ATT_INPUT);
    assert_non_null(strstr(err.text, "/usr/share/locale"));
    assert_false(at_path_exists("/tmp/attend-none.en"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_byte_orders), cmocka_unit_test(damaged_catalogs_are_safe),
        cmocka_unit_test(what_is_no_catalog),     cmocka_unit_test(messages_are_cleaned),
        cmocka_unit_test(catalogs_are_gathered),  cmocka_unit_test(nothing_installed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
