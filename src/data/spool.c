/* Bytes in memory while they are few, else in a mapped file. See spool.h. */
#include "data/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder != NULL && folder[0] != '\0' ? folder : "/tmp";
}

at_status at_temporary_file(int *fd, at_buf *path, const char *folder, const char *name, at_error *err)
{
    if (folder == NULL) folder = temporary_folder();
    at_buf_clear(path);
    ATT_TRY(at_buf_printf(path, err, "%s/%s-XXXXXX", folder, name));
    *fd = mkstemp(path->data);
    return *fd >= 0 ? ATT_OK : at_fail_io(err, folder, "can't make a temporary file in it");
}

at_status at_write_all(int fd, const void *bytes, size_t count, const char *path, at_error *err)
{
    for (const char *at = bytes; count > 0;) {
        const ssize_t put = write(fd, at, count);
        if (put < 0 && errno == EINTR) continue;
        if (put == 0) errno = ENOSPC;
        if (put <= 0) return at_fail_io(err, path, "can't write");
        at += put;
        count -= (size_t)put;
    }
    return ATT_OK;
}

void at_spool_init(at_spool *spool, const char *folder, size_t limit)
{
    *spool = (at_spool){.folder = folder, .limit = limit};
}

static at_status move_to_disk(at_spool *spool, at_error *err)
{
    at_buf path = {0};
    at_status status = at_temporary_file(&spool->fd, &path, spool->folder, "attend-spool", err);
    spool->on_disk = status == ATT_OK;
    if (status == ATT_OK) unlink(path.data);
    at_buf_free(&path);
    return status;
}

static at_status flush(at_spool *spool, at_error *err)
{
    if (!spool->on_disk) ATT_TRY(move_to_disk(spool, err));
    const size_t count = spool->buffer.len;
    ATT_TRY(at_write_all(spool->fd, spool->buffer.data, count, "the text's tokens (a temporary file)", err));
    spool->written += count;
    at_buf_clear(&spool->buffer);
    return ATT_OK;
}

at_status at_spool_add(at_spool *spool, const void *bytes, size_t count, at_error *err)
{
    ATT_TRY(at_buf_add(&spool->buffer, bytes, count, err));
    return spool->buffer.len > spool->limit ? flush(spool, err) : ATT_OK;
}

at_status at_spool_finish(at_spool *spool, at_error *err)
{
    if (!spool->on_disk) {
        spool->size = spool->buffer.len;
        spool->bytes = spool->buffer.data;
        return ATT_OK;
    }
    ATT_TRY(flush(spool, err));
    at_buf_free(&spool->buffer);
    void *map = mmap(NULL, spool->written, PROT_READ, MAP_PRIVATE, spool->fd, 0);
    if (map == MAP_FAILED) return at_fail_memory(err, spool->written);
    spool->map = map;
    spool->bytes = map;
    spool->size = spool->written;
    return ATT_OK;
}

void at_spool_free(at_spool *spool)
{
    if (spool->map != NULL) munmap(spool->map, spool->size);
    if (spool->on_disk) close(spool->fd);
    at_buf_free(&spool->buffer);
    *spool = (at_spool){0};
}
