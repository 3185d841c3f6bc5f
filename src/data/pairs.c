/* See pairs.h; read next: judge.c, corpus.c. */
#include "data/pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct at_pairs {
    const at_text_files *files;
    int next;           /* file to open next */
    at_lines *lines[2]; /* open ones; the second stays NULL for columns */
    int64_t line;       /* through all files */
    int64_t begun;      /* lines read before the open files */
};

enum { MOST_COLUMNS = 1000 };

at_status at_columns_parse(const char *text, int column[2], at_error *err)
{
    int end = 0;
    const int found = sscanf(text, "%4d,%4d%n", &column[0], &column[1], &end);
    const bool fits = found == 2 && text[end] == '\0' && column[0] > 0 && column[1] > 0 && column[0] != column[1];
    if (fits && column[0] <= MOST_COLUMNS && column[1] <= MOST_COLUMNS) return ATT_OK;
    return at_fail(err, ATT_OPTION,
                   "columns: \"%.40s\" is no pair of columns; give the source's and the target's number, such as 1,2",
                   text);
}

static at_status check_files(const at_text_files *files, at_error *err)
{
    int standard_inputs = 0;
    for (int i = 0; i < files->count; i++) {
        standard_inputs += strcmp(files->sources[i], "-") == 0;
        standard_inputs += files->targets != NULL && strcmp(files->targets[i], "-") == 0;
    }
    if (standard_inputs > 1) {
        return at_fail(err, ATT_OPTION,
                       "standard input (\"-\") is given %d times, but can be read once; give files instead",
                       standard_inputs);
    }
    if (files->targets != NULL || files->one_side || (files->column[0] > 0 && files->column[1] > 0)) return ATT_OK;
    return at_fail(err, ATT_OPTION, "columns are numbered from 1; give the source's and the target's");
}

at_status at_pairs_open(at_pairs **pairs, const at_text_files *files, at_error *err)
{
    *pairs = NULL;
    ATT_TRY(check_files(files, err));
    at_pairs *made = calloc(1, sizeof *made);
    if (made == NULL) return at_fail_memory(err, sizeof *made);
    made->files = files;
    *pairs = made;
    return ATT_OK;
}

static void close_files(at_pairs *pairs)
{
    at_lines_close(pairs->lines[0]);
    at_lines_close(pairs->lines[1]);
    pairs->lines[0] = pairs->lines[1] = NULL;
}

void at_pairs_close(at_pairs *pairs)
{
    if (pairs == NULL) return;
    close_files(pairs);
    free(pairs);
}

static at_status open_next(at_pairs *pairs, at_error *err)
{
    const int i = pairs->next++;
    pairs->begun = pairs->line;
    ATT_TRY(at_lines_open(&pairs->lines[0], pairs->files->sources[i], err));
    return pairs->files->targets == NULL ? ATT_OK : at_lines_open(&pairs->lines[1], pairs->files->targets[i], err);
}

static const char *shown(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* The lines of the longer side are counted to its end: what is too many or too few tells what went wrong. */
static at_status fail_unequal(at_pairs *pairs, int longer, at_error *err)
{
    const at_text_files *files = pairs->files;
    const char *const path[2] = {shown(files->sources[pairs->next - 1]), shown(files->targets[pairs->next - 1])};
    const long long shorter_lines = pairs->line - pairs->begun;
    long long lines = shorter_lines + 1; /* one has been read */
    for (bool got = true; got; lines += got) {
        const char *text;
        size_t len;
        ATT_TRY(at_lines_next(pairs->lines[longer], &text, &len, &got, err));
    }
    return at_fail(err, ATT_INPUT, "%s ends after line %lld, but %s has more: %lld lines; the files must be parallel",
                   path[!longer], shorter_lines, path[longer], lines);
}

/* Cuts the two columns out of a line. */
static void cut_columns(const int column[2], const char *line, size_t len, at_pair *pair)
{
    const char *start = line, *const end = line + len;
    int found = 0;
    pair->columns = 0;
    for (bool more = true; more; pair->columns++) {
        const char *tab = memchr(start, '\t', (size_t)(end - start));
        more = tab != NULL;
        for (int side = 0; side < 2; side++) {
            if (column[side] != pair->columns + 1) continue;
            pair->text[side] = start;
            pair->len[side] = (size_t)((more ? tab : end) - start);
            found++;
        }
        if (more) start = tab + 1;
    }
    pair->torn = found < 2;
    if (pair->torn) pair->len[0] = pair->len[1] = 0;
}

/* The line that was read as the first side becomes the second one. */
static void leave_source_out(at_pair *pair)
{
    pair->one_side = true;
    pair->text[1] = pair->text[0];
    pair->len[1] = pair->len[0];
    pair->text[0] = "";
    pair->len[0] = 0;
}

static at_status next_line(at_pairs *pairs, int side, at_pair *pair, bool *got, at_error *err)
{
    ATT_TRY(at_lines_next(pairs->lines[side], &pair->text[side], &pair->len[side], got, err));
    pair->shape[side] = at_lines_shape(pairs->lines[side]);
    return ATT_OK;
}

/* The next pair of the open files. */
static at_status next_of_files(at_pairs *pairs, at_pair *pair, bool *got, at_error *err)
{
    bool target_got;
    ATT_TRY(next_line(pairs, 0, pair, got, err));
    if (pairs->lines[1] != NULL) {
        ATT_TRY(next_line(pairs, 1, pair, &target_got, err));
        if (*got != target_got) return fail_unequal(pairs, target_got, err);
    } else if (*got) {
        pair->shape[1] = pair->shape[0];
        if (pairs->files->one_side)
            leave_source_out(pair);
        else
            cut_columns(pairs->files->column, pair->text[0], pair->len[0], pair);
    }
    if (*got) pair->line = ++pairs->line;
    return ATT_OK;
}

at_status at_pairs_next(at_pairs *pairs, at_pair *pair, bool *got, at_error *err)
{
    *pair = (at_pair){.text = {"", ""}};
    *got = false;
    for (;;) {
        if (pairs->lines[0] != NULL) ATT_TRY(next_of_files(pairs, pair, got, err));
        if (*got || (pairs->lines[0] == NULL && pairs->next == pairs->files->count)) return ATT_OK;
        close_files(pairs);
        if (pairs->next < pairs->files->count) ATT_TRY(open_next(pairs, err));
    }
}
