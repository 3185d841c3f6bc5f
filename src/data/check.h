/* Looking a parallel corpus over: what training leaves out (judge.h), and what it takes although it looks wrong. One
 * pass; memory for duplicates is some 100 bytes a pair. */
#ifndef ATT_DATA_CHECK_H
#define ATT_DATA_CHECK_H

#include "data/judge.h"
#include "data/pair_writer.h"
#include "data/text_marks.h"

/* name, whether training leaves the pair out, help */
#define ATT_FINDINGS(ROW)                                                                                 \
    ROW(TORN, "missing-column", true, "the line lacks a column")                                          \
    ROW(EMPTY, "empty", true, "both sides are empty")                                                     \
    ROW(EMPTY_SOURCE, "empty-source", true, "only the source is empty")                                   \
    ROW(EMPTY_TARGET, "empty-target", true, "only the target is empty")                                   \
    ROW(UTF8, "invalid-utf8", true, "bytes that are no UTF-8: another encoding, or cut characters")       \
    ROW(NUL, "nul", true, "a NUL character: UTF-16 or binary data")                                       \
    ROW(LONG, "too-long", true, "a side is longer than --max-length")                                     \
    ROW(LOPSIDED, "lopsided", true, "one side is longer by more than --max-ratio")                        \
    ROW(DUPLICATE, "duplicate", false, "the same pair stood before")                                      \
    ROW(SEVERAL, "several-targets", false, "the same source stood before with another target")            \
    ROW(IDENTICAL, "identical", false, "both sides are the same")                                         \
    ROW(SWAPPED, "swapped", false, "the scripts are those of the other side")                             \
    ROW(SCRIPT, "other-script", false, "a side is in another script than most of its lines")              \
    ROW(MOJIBAKE, "mojibake", false, "UTF-8 that was encoded twice")                                      \
    ROW(REPLACEMENT, "replacement", false, "U+FFFD: characters that were lost earlier")                   \
    ROW(MARKUP, "markup", false, "HTML tags or entities")                                                 \
    ROW(CONTROL, "control", false, "control characters")                                                  \
    ROW(RETURN, "carriage-return", false, "a CR within the line")                                         \
    ROW(SEPARATOR, "line-separator", false, "U+2028, U+2029 or U+0085: a line end for other programs")    \
    ROW(SPACE, "outer-space", false, "white space at the start or end")                                   \
    ROW(COLUMNS, "uneven-columns", false, "not as many columns as in the first line: a TAB in the text?") \
    ROW(MARK, "byte-order-mark", false, "the file begins with one; it is passed over")                    \
    ROW(CRLF, "cr-lf", false, "the line ends in CR LF; the CR is passed over")                            \
    ROW(UNENDED, "no-line-end", false, "the last line has no line end: was the file cut off?")

typedef enum at_finding_kind {
#define ATT_FINDING_ENUM(name, text, left_out, help) ATT_FINDING_##name,
    ATT_FINDINGS(ATT_FINDING_ENUM)
#undef ATT_FINDING_ENUM
        ATT_FINDING_KINDS
} at_finding_kind;

enum { ATT_FINDING_LINES = 5 };

typedef struct at_found {
    int64_t count;
    int64_t line[ATT_FINDING_LINES]; /* the first ones, ascending */
} at_found;

typedef struct at_check_result {
    int64_t lines, kept;
    int64_t written; /* pairs of the cleaned text */
    at_found found[ATT_FINDING_KINDS];
    at_script script[2]; /* of most lines; NONE when no script has four lines in five */
    double share[2];     /* of the lines with letters */
} at_check_result;

/* writer: receives the kept pairs, cleaned (at_text_clean), each pair once; NULL: none. It is neither opened nor
 * committed. ATT_INPUT when training would stop here, too: result then holds what was seen until there. */
at_status at_check_pairs(at_pairs *pairs, const at_judge *judge, at_pair_writer *writer, const volatile int *cancel,
                         at_check_result *result, at_error *err);

#endif
