/* The bytes of a file, unpacked when they are gzip data. Unlike zlib's gz functions it tells when something that is no
 * gzip data stands behind the packed part: text that would be lost unseen. RFC 1952. */
#ifndef ATT_BASE_GUNZIP_H
#define ATT_BASE_GUNZIP_H

#include <stddef.h>

#include "base/fail.h"

typedef struct at_gunzip at_gunzip;

/* Takes over fd, which is closed with the reader. NULL: out of memory, and fd stays open. */
at_gunzip *at_gunzip_new(int fd);
void at_gunzip_free(at_gunzip *gunzip); /* NULL is fine */

/* Up to `room` > 0 bytes; *got 0 is the end. ATT_IO: errno tells; ATT_INPUT: *damage says what is wrong with the packed
 * data; ATT_MEMORY. After a failure the reader is only good for at_gunzip_free. */
at_status at_gunzip_read(at_gunzip *gunzip, char *out, size_t room, size_t *got, const char **damage);

#endif
