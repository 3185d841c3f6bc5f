/* A folder of files written whole or not at all: files are made in "<dir>.tmp<process id>" beside it, which takes the
 * folder's name at the end. */
#ifndef ATT_FORMAT_FOLDER_WRITE_H
#define ATT_FORMAT_FOLDER_WRITE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/fail.h"

enum { ATT_FOLDER_FILES = 16 };

typedef struct at_folder {
    at_arena arena;
    const char *dir, *temporary;
    bool replace;
    const char *name[ATT_FOLDER_FILES], *path[ATT_FOLDER_FILES]; /* of the files, in the order of at_folder_file */
    int count;
    const char
        *obsolete; /* a file that the new ones make wrong: removed from a folder whose files are replaced; or NULL */
} at_folder;

/* ATT_OPTION when dir holds anything, unless `replace`: then files of the same name are replaced and others stay. */
at_status at_folder_begin(at_folder *folder, const char *dir, bool replace, at_error *err);
/* Where to write the file of that name (static text), for at_file_write and the like; NULL without memory. */
const char *at_folder_file(at_folder *folder, const char *name);
/* Ends the work: with status ATT_OK the files take their place, else they are removed. Returns status, or why the last
 * step failed; frees what begin took, also after its failure. */
at_status at_folder_end(at_folder *folder, at_status status, at_error *err);

#endif
