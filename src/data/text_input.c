/* The text of a corpus as files that can be read again. See text_input.h. */
#include "data/text_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/spool.h"

enum { COPIED_AT_ONCE = 1 << 16 };

void at_text_input_tidy(at_text_input *input)
{
    for (int i = 0; i < input->temporary_count; i++) {
        unlink(input->temporary[i]);
        free(input->temporary[i]);
    }
    free(input->temporary);
    input->temporary = NULL;
    input->temporary_count = 0;
}

void at_text_input_free(at_text_input *input)
{
    at_text_input_tidy(input);
    for (int i = 0; i < input->path_count; i++) free(input->path[i]);
    free(input->path);
    *input = (at_text_input){0};
}

/* ---- names ---- */

static bool is_given(const char *names)
{
    return names != NULL && names[0] != '\0';
}

/* Appends a copy of the string to an array of strings. */
static at_status append(char ***list, int *count, const char *text, size_t len, at_error *err)
{
    char **grown = realloc(*list, ((size_t)*count + 1) * sizeof *grown);
    if (grown == NULL) return at_fail_memory(err, ((size_t)*count + 1) * sizeof *grown);
    *list = grown;
    grown[*count] = strndup(text, len);
    if (grown[*count] == NULL) return at_fail_memory(err, len + 1);
    (*count)++;
    return ATT_OK;
}

static at_status split(at_text_input *input, const char *names, int *count, at_error *err)
{
    const int before = input->path_count;
    while (is_given(names)) {
        const size_t len = strcspn(names, "\n");
        if (len > 0) ATT_TRY(append(&input->path, &input->path_count, names, len, err));
        names += len + (names[len] == '\n');
    }
    *count = input->path_count - before;
    return ATT_OK;
}

static at_status check_names(const at_text_names *n, at_error *err)
{
    if (is_given(n->tsv) && (is_given(n->source) || is_given(n->target))) {
        return at_fail(err, ATT_OPTION, "%stsv holds both sides; give it, or %ssource and %starget, not all", n->prefix,
                       n->prefix, n->prefix);
    }
    if (is_given(n->source) == is_given(n->target)) return ATT_OK;
    return at_fail(err, ATT_OPTION, "%ssource and %starget belong together; give both, or %stsv", n->prefix, n->prefix,
                   n->prefix);
}

static at_status set_one_side(at_text_input *input, const char *text, at_error *err)
{
    ATT_TRY(split(input, text, &input->files.count, err));
    input->files.sources = (const char *const *)input->path;
    input->files.one_side = true;
    return ATT_OK;
}

static at_status set_files(at_text_input *input, const at_text_names *names, at_error *err)
{
    int sources, targets;
    if (is_given(names->text)) return set_one_side(input, names->text, err);
    const bool columns = is_given(names->tsv);
    ATT_TRY(split(input, columns ? names->tsv : names->source, &sources, err));
    ATT_TRY(split(input, columns ? NULL : names->target, &targets, err));
    if (!columns && sources != targets) {
        return at_fail(err, ATT_OPTION, "%ssource names %d files and %starget %d; give equally many, in the same order",
                       names->prefix, sources, names->prefix, targets);
    }
    input->files.sources = (const char *const *)input->path;
    if (!columns && sources > 0) input->files.targets = (const char *const *)(input->path + sources);
    input->files.count = sources;
    return columns ? at_columns_parse(names->columns, input->files.column, err) : ATT_OK;
}

at_status at_text_input_make(at_text_input *input, const at_text_names *names, at_error *err)
{
    *input = (at_text_input){0};
    if (!is_given(names->text)) ATT_TRY(check_names(names, err));
    const at_status status = set_files(input, names, err);
    if (status != ATT_OK) at_text_input_free(input);
    return status;
}

bool at_text_input_is_standard(const at_text_input *input)
{
    for (int i = 0; i < input->path_count; i++)
        if (strcmp(input->path[i], "-") == 0) return true;
    return false;
}

/* ---- streams ---- */

static bool is_stream(const char *path)
{
    struct stat info;
    return strcmp(path, "-") == 0 || (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

/* Reads fd to its end. */
static at_status copy(int from, const char *name, int to, const char *path, const volatile int *cancel, at_error *err)
{
    char bytes[COPIED_AT_ONCE];
    for (;;) {
        const ssize_t got = read(from, bytes, sizeof bytes);
        if (at_cancelled(cancel)) return at_fail(err, ATT_CANCELLED, "interrupted while reading %s", name);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return at_fail_io(err, name, "can't read");
        if (got == 0) return ATT_OK;
        ATT_TRY(at_write_all(to, bytes, (size_t)got, path, err));
    }
}

/* A new temporary file that tidy removes. */
static at_status make_temporary(at_text_input *input, const char *folder, const char *name, int *fd, at_error *err)
{
    at_buf path = {0};
    at_status status = at_temporary_file(fd, &path, folder, name, err);
    if (status == ATT_OK) {
        status = append(&input->temporary, &input->temporary_count, path.data, path.len, err);
        if (status != ATT_OK) {
            close(*fd);
            unlink(path.data);
        }
    }
    at_buf_free(&path);
    return status;
}

static at_status spool_stream(at_text_input *input, char **path, const char *folder, const volatile int *cancel,
                              at_error *err)
{
    const bool standard = strcmp(*path, "-") == 0;
    const char *slash = strrchr(*path, '/'), *name = standard ? "standard-input" : slash != NULL ? slash + 1 : *path;
    const int from = standard ? STDIN_FILENO : open(*path, O_RDONLY | O_CLOEXEC);
    int to;
    if (from < 0) return at_fail_io(err, *path, "can't open");
    at_status status = make_temporary(input, folder, name, &to, err);
    if (status == ATT_OK) {
        const char *copied = input->temporary[input->temporary_count - 1];
        status = copy(from, standard ? "standard input" : *path, to, copied, cancel, err);
        close(to);
        char *renamed = status == ATT_OK ? strdup(copied) : NULL;
        if (status == ATT_OK && renamed == NULL) status = at_fail_memory(err, strlen(copied));
        if (renamed != NULL) {
            free(*path);
            *path = renamed;
        }
    }
    if (!standard) close(from);
    return status;
}

at_status at_text_input_spool(at_text_input *input, const char *folder, const volatile int *cancel, at_error *err)
{
    int standard_inputs = 0;
    for (int i = 0; i < input->path_count; i++) standard_inputs += strcmp(input->path[i], "-") == 0;
    if (standard_inputs > 1) {
        return at_fail(err, ATT_OPTION,
                       "standard input (\"-\") is given %d times, but can be read once; give files instead",
                       standard_inputs);
    }
    for (int i = 0; i < input->path_count; i++) {
        if (!is_stream(input->path[i])) continue;
        ATT_TRY(spool_stream(input, &input->path[i], folder, cancel, err));
        input->spooled = true;
    }
    return ATT_OK;
}

/* ---- one side ---- */

static at_status write_lines(at_pairs *pairs, int side, int fd, const char *path, at_error *err)
{
    at_buf lines = {0};
    at_status status;
    bool got;
    do {
        at_pair pair;
        status = at_pairs_next(pairs, &pair, &got, err);
        if (status == ATT_OK && got) status = at_buf_add(&lines, pair.text[side], pair.len[side], err);
        if (status == ATT_OK && got) status = at_buf_puts(&lines, "\n", err);
        if (status == ATT_OK && (lines.len > COPIED_AT_ONCE || !got)) {
            status = at_write_all(fd, lines.data, lines.len, path, err);
            at_buf_clear(&lines);
        }
    } while (status == ATT_OK && got);
    at_buf_free(&lines);
    return status;
}

static at_status extract(at_text_input *input, int side, const char *folder, at_buf *paths, at_error *err)
{
    at_pairs *pairs;
    int fd;
    ATT_TRY(at_pairs_open(&pairs, &input->files, err));
    at_status status = make_temporary(input, folder, side == 0 ? "source-text" : "target-text", &fd, err);
    if (status == ATT_OK) {
        const char *path = input->temporary[input->temporary_count - 1];
        status = write_lines(pairs, side, fd, path, err);
        close(fd);
        if (status == ATT_OK) status = at_buf_printf(paths, err, "%s%s", paths->len > 0 ? "\n" : "", path);
    }
    at_pairs_close(pairs);
    return status;
}

at_status at_text_input_side(at_text_input *input, int side, const char *folder, at_buf *paths, at_error *err)
{
    if (input->files.targets == NULL && !input->files.one_side) return extract(input, side, folder, paths, err);
    const char *const *list = side == 0 || input->files.one_side ? input->files.sources : input->files.targets;
    for (int i = 0; i < input->files.count; i++)
        ATT_TRY(at_buf_printf(paths, err, "%s%s", paths->len > 0 ? "\n" : "", list[i]));
    return ATT_OK;
}
