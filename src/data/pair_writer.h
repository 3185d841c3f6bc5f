/* Writing parallel text: two files that appear together, whole or not at all. */
#ifndef ATT_DATA_PAIR_WRITER_H
#define ATT_DATA_PAIR_WRITER_H

#include "base/file.h"

typedef struct at_pair_writer { /* {0}: nothing is open */
    at_writer *file[2];         /* of source and target */
} at_pair_writer;

at_status at_pair_writer_open(at_pair_writer *writer, const char *source, const char *target, at_error *err);
/* A line of each; the texts hold no line end. */
at_status at_pair_writer_add(at_pair_writer *writer, const char *const text[2], const size_t len[2], at_error *err);
/* Puts both files in their places. If the second can't be, after the first was, the message names it. */
at_status at_pair_writer_commit(at_pair_writer *writer, at_error *err);
void at_pair_writer_abort(at_pair_writer *writer); /* leaves no trace; after commit it does nothing */

#endif
