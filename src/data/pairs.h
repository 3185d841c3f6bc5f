/* Pairs of lines of parallel text, one after the other: from two files, or from two columns of one, and from several
 * such in turn; or, for a language model, lines of one side alone. It only reads; what is wrong with a pair is judged elsewhere (judge.h). */
#ifndef ATT_DATA_PAIRS_H
#define ATT_DATA_PAIRS_H

#include <stdint.h>

#include "base/file.h"

/* Where parallel text lies. Paths may be plain or .gz, or "-" for standard input, once. */
typedef struct at_text_files {
    const char *const *sources;
    const char *const *targets; /* as many, parallel line by line; NULL: each source file holds both, in columns */
    int count;
    bool one_side; /* targets is NULL and there are no columns: each line is a target without source */
    int column[2]; /* of source and target, from 1, separated by TABs; looked at when targets is NULL */
} at_text_files;

/* One pair; [0] is the source, [1] the target. */
typedef struct at_pair {
    const char *text[2]; /* not NUL-terminated */
    size_t len[2];
    int64_t line;  /* from 1, counted through all files */
    int columns;   /* that the line has; 0: the text comes from two files */
    bool torn;     /* the line lacks one of the columns: the texts are empty */
    bool one_side; /* there is no source: its text is empty */
    at_line_shape shape[2];
} at_pair;

typedef struct at_pairs at_pairs;

/* The files are opened one after the other while reading; `files` and its paths must live as long. ATT_OPTION: standard
 * input is named twice, or a column is below 1. */
at_status at_pairs_open(at_pairs **pairs, const at_text_files *files, at_error *err);
/* The texts belong to the reader until the next call; *got is false at the end. ATT_INPUT when one of two files ends
 * before the other: the message says where each ends. */
at_status at_pairs_next(at_pairs *pairs, at_pair *pair, bool *got, at_error *err);
void at_pairs_close(at_pairs *pairs); /* NULL is fine */

/* Parses "2,4" into the columns of source and target. */
at_status at_columns_parse(const char *text, int column[2], at_error *err);

#endif
