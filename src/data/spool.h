/* Bytes that are written once and then read as one block: in memory while they are few, from then on in a file that
 * has no name and vanishes with the process. So a corpus may be larger than memory, and a small one touches no disk. */
#ifndef ATT_DATA_SPOOL_H
#define ATT_DATA_SPOOL_H

#include <stdbool.h>

#include "base/buf.h"

typedef struct at_spool {
    const char *folder; /* where the file is made; NULL: the one for temporary files (TMPDIR or /tmp) */
    size_t limit;       /* bytes kept in memory */
    at_buf buffer;      /* all bytes, or those that the file doesn't have yet */
    int fd;             /* only when `on_disk` */
    bool on_disk;
    size_t written;    /* bytes of the file */
    void *map;         /* of the whole file, once finished */
    const void *bytes; /* once finished; NULL when there are none */
    size_t size;
} at_spool;

void at_spool_init(at_spool *spool, const char *folder, size_t limit); /* folder must live as long */
at_status at_spool_add(at_spool *spool, const void *bytes, size_t count, at_error *err);
/* Sets bytes and size; nothing can be added afterwards. */
at_status at_spool_finish(at_spool *spool, at_error *err);
void at_spool_free(at_spool *spool); /* a zeroed one is fine */

/* Makes a file "<folder>/<name>-XXXXXX" for writing and reading; path receives its name. folder NULL: as above. */
at_status at_temporary_file(int *fd, at_buf *path, const char *folder, const char *name, at_error *err);
/* Writes all bytes; path is for the message. */
at_status at_write_all(int fd, const void *bytes, size_t count, const char *path, at_error *err);

#endif
