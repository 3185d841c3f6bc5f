/* Unpacking with zlib's inflate. A gzip file is one member or several, one behind the other, then perhaps zero bytes
 * (tapes and some archivers pad with them). */
#include "base/gunzip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { INPUT_CAP = 1 << 17, LARGEST_READ = 1 << 30, GZIP_ONLY = 16 + 15 /* window bits, with gzip header */ };

struct at_gunzip {
    int fd;
    bool begun;     /* the first bytes have shown whether it is packed */
    bool packed;    /* zlib's state is there */
    bool in_member; /* between a member's header and its checksum */
    bool ended;     /* fd has no more bytes */
    z_stream z;     /* next_in, avail_in: the bytes of `input` that are still to be taken, packed or not */
    unsigned char input[INPUT_CAP];
};

at_gunzip *at_gunzip_new(int fd)
{
    at_gunzip *made = malloc(sizeof *made);
    if (made == NULL) return NULL;
    memset(made, 0, offsetof(at_gunzip, input));
    made->fd = fd;
    made->z.next_in = made->input;
    return made;
}

void at_gunzip_free(at_gunzip *gunzip)
{
    if (gunzip == NULL) return;
    if (gunzip->packed) inflateEnd(&gunzip->z);
    close(gunzip->fd);
    free(gunzip);
}

/* Reads more input behind what is left of it. */
static at_status fill(at_gunzip *g)
{
    memmove(g->input, g->z.next_in, g->z.avail_in);
    g->z.next_in = g->input;
    const ssize_t count = read(g->fd, g->input + g->z.avail_in, INPUT_CAP - g->z.avail_in);
    if (count < 0) return ATT_IO;
    g->z.avail_in += (unsigned)count;
    g->ended = count == 0;
    return ATT_OK;
}

static at_status begin(at_gunzip *g)
{
    while (g->z.avail_in < 2 && !g->ended) ATT_TRY(fill(g));
    g->begun = true;
    if (g->z.avail_in < 2 || g->input[0] != 0x1F || g->input[1] != 0x8B) return ATT_OK;
    if (inflateInit2(&g->z, GZIP_ONLY) != Z_OK) return ATT_MEMORY;
    g->packed = true;
    g->in_member = true;
    return ATT_OK;
}

static at_status read_plain(at_gunzip *g, char *out, size_t room, size_t *got)
{
    if (g->z.avail_in == 0 && !g->ended) ATT_TRY(fill(g));
    *got = g->z.avail_in < room ? g->z.avail_in : room;
    memcpy(out, g->z.next_in, *got);
    g->z.next_in += *got;
    g->z.avail_in -= (unsigned)*got;
    return ATT_OK;
}

/* Between members: passes over padding, and begins the next member where there is one. */
static at_status next_member(at_gunzip *g, const char **damage)
{
    while (g->z.avail_in > 0 && *g->z.next_in == 0) {
        g->z.next_in++;
        g->z.avail_in--;
    }
    if (g->z.avail_in == 0) return ATT_OK;
    *damage = "something that is not packed stands behind it";
    if (*g->z.next_in != 0x1F || inflateReset(&g->z) != Z_OK) return ATT_INPUT;
    g->in_member = true;
    return ATT_OK;
}

/* Unpacks what is there; may give nothing. */
static at_status step(at_gunzip *g, const char **damage)
{
    if (!g->in_member) return next_member(g, damage);
    const int code = inflate(&g->z, Z_NO_FLUSH);
    g->in_member = code != Z_STREAM_END;
    if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) return ATT_OK;
    *damage = g->z.msg != NULL ? g->z.msg : "no gzip data";
    return code == Z_MEM_ERROR ? ATT_MEMORY : ATT_INPUT;
}

at_status at_gunzip_read(at_gunzip *g, char *out, size_t room, size_t *got, const char **damage)
{
    *got = 0;
    if (!g->begun) ATT_TRY(begin(g));
    if (!g->packed) return read_plain(g, out, room, got);
    const unsigned limit = room < LARGEST_READ ? (unsigned)room : LARGEST_READ;
    g->z.next_out = (unsigned char *)out;
    g->z.avail_out = limit;
    while (g->z.avail_out == limit) {
        if (g->z.avail_in == 0 && !g->ended) ATT_TRY(fill(g));
        if (g->z.avail_in == 0 && !g->in_member) break;
        *damage = "it ends too early";
        if (g->z.avail_in == 0 && g->ended) return ATT_INPUT;
        ATT_TRY(step(g, damage));
    }
    *got = limit - g->z.avail_out;
    return ATT_OK;
}
