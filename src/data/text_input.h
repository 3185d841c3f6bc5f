/* The text of one corpus as options name it, made into files that can be read as often as needed: what is read once
 * only (standard input, a pipe) is copied to a temporary file first. */
#ifndef ATT_DATA_TEXT_INPUT_H
#define ATT_DATA_TEXT_INPUT_H

#include "data/pairs.h"

typedef struct at_text_names {   /* paths joined by '\n', NULL or empty: none */
    const char *source, *target; /* two files, or several pairs of them */
    const char *tsv;             /* or files with both sides in columns */
    const char *columns;         /* of source and target in tsv: "1,2" */
    const char *prefix;          /* of the options' names in messages: "" or "valid-" */
    const char *text;            /* or lines without source, for a language model: nothing else is looked at */
} at_text_names;

typedef struct at_text_input {
    at_text_files files; /* count 0: no text */
    bool spooled;        /* some of it was read from a stream */
    char **path;         /* (2 * count, or count) sources, then targets */
    char **temporary;    /* files to remove */
    int path_count, temporary_count;
} at_text_input;

/* ATT_OPTION when the names don't fit together. Nothing is opened yet. */
at_status at_text_input_make(at_text_input *input, const at_text_names *names, at_error *err);
/* Copies streams to files in the folder (NULL: the one for temporary files). cancel may be NULL. */
at_status at_text_input_spool(at_text_input *input, const char *folder, const volatile int *cancel, at_error *err);
/* Appends, joined by '\n', paths of files that hold one side (0 source, 1 target) line by line: the files themselves,
 * or for columns a temporary copy in the folder. For what reads plain lines, such as the training of a tokenizer. */
at_status at_text_input_side(at_text_input *input, int side, const char *folder, at_buf *paths, at_error *err);
bool at_text_input_is_standard(const at_text_input *input); /* standard input is among the paths */
/* Removes the temporary files. */
void at_text_input_tidy(at_text_input *input);
void at_text_input_free(at_text_input *input); /* tidies, too */

#endif
