/* Whole files: mapping, reading, and the atomic writer.
 *
 *   at_writer_open    creates "<path>.tmp<pid>" in the folder of path
 *   at_writer_write   buffer -> tmp
 *   at_writer_commit  flush, fsync(tmp), rename(tmp, path), fsync(folder)
 *
 * A crash at any point leaves the old file or the new one, never a mixture. Lines of text: lines.c. */
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SHOWN = 300, READ_STEP = 1 << 16, WRITE_BUFFER = 1 << 20 };

/* What the user can do about an errno. */
static const char *mend(int error)
{
    switch (error) {
    case ENOENT:
        return "check the path";
    case ENOTDIR:
        return "a part of the path is a file, not a folder; check the path";
    case EISDIR:
        return "give a file, not a folder";
    case EACCES:
    case EPERM:
        return "change its permissions, or choose another path";
    case EROFS:
        return "choose a path on a writable disk";
    case ENOSPC:
    case EDQUOT:
        return "free space there, or choose another folder";
    case EFBIG:
        return "choose a file system that allows larger files";
    case EMFILE:
    case ENFILE:
        return "close other files, or raise the limit (ulimit -n)";
    case ENAMETOOLONG:
        return "choose a shorter name";
    case ELOOP:
        return "its symbolic links form a circle; remove one";
    default:
        return "check the disk";
    }
}

/* The path's end is the part that tells files apart, so a long path loses its start and the reason is never cut. */
at_status at_fail_io(at_error *err, const char *path, const char *what)
{
    const int error = errno;
    const size_t len = strlen(path);
    char reason[128] = "unknown reason";
    (void)strerror_r(error, reason, sizeof reason);
    return at_fail(err, error == ENOMEM ? ATT_MEMORY : ATT_IO, "%s%s: %s: %s; %s", len > PATH_SHOWN ? "..." : "",
                   len > PATH_SHOWN ? path + len - PATH_SHOWN
                   : len > 0        ? path
                                    : "\"\"",
                   what, reason, mend(error));
}

bool at_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool at_path_ends_with(const char *path, const char *ending)
{
    const size_t len = strlen(path), end = strlen(ending);
    return len > end && strcmp(path + len - end, ending) == 0;
}

bool at_path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool at_path_can_reread(const char *path)
{
    struct stat info;
    if (strcmp(path, "-") == 0) return false;
    return stat(path, &info) != 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode);
}

/* Makes one folder. Any failure counts only if no folder is there afterwards: on a read-only disk mkdir may refuse
 * before it sees that the folder exists. */
static at_status make_dir(const char *path, at_error *err)
{
    if (mkdir(path, 0777) == 0) return ATT_OK;
    const int error = errno;
    if (at_path_is_dir(path)) return ATT_OK;
    errno = error == EEXIST ? ENOTDIR : error;
    return at_fail_io(err, path, "can't make the folder");
}

at_status at_path_make_dirs(const char *path, at_error *err)
{
    char *part = strdup(path);
    if (part == NULL) return at_fail_memory(err, strlen(path) + 1);
    at_status status = ATT_OK;
    for (char *at = part; *at != '\0' && status == ATT_OK; at++) {
        if (*at != '/' || at == part || at[-1] == '/') continue;
        *at = '\0';
        status = make_dir(part, err);
        *at = '/';
    }
    free(part);
    return status != ATT_OK ? status : make_dir(path, err);
}

/* Opens for reading and describes the file. A folder is refused here: open() would let it pass. *fd is the caller's
 * to close. */
static at_status open_file(const char *path, int *fd, struct stat *info, at_error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return at_fail_io(err, path, "can't open");
    *info = (struct stat){0};
    const bool known = fstat(*fd, info) == 0;
    const bool device = known && S_ISCHR(info->st_mode) && !isatty(*fd);
    if (known && !device && !S_ISDIR(info->st_mode)) return ATT_OK;
    if (known && S_ISDIR(info->st_mode)) errno = EISDIR;
    const at_status status = device ? at_fail(err, ATT_IO, "%s: can't read: it is a device; give a file", path)
                                    : at_fail_io(err, path, "can't read");
    close(*fd);
    return status;
}

/* Appends everything from fd to out, however long the file says it is: pipes and /proc say 0. */
static at_status read_all(int fd, const char *path, size_t expected, at_buf *out, at_error *err)
{
    /* One byte more than expected, so that the read that finds the end needs no growth. */
    ATT_TRY(at_buf_reserve(out, expected + 1, err));
    for (;;) {
        if (out->cap - out->len < 2) ATT_TRY(at_buf_reserve(out, READ_STEP, err));
        const ssize_t got = read(fd, out->data + out->len, out->cap - out->len - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return at_fail_io(err, path, "can't read");
        if (got == 0) break;
        out->len += (size_t)got;
    }
    out->data[out->len] = '\0';
    return ATT_OK;
}

at_status at_file_read(const char *path, at_buf *out, at_error *err)
{
    int fd;
    struct stat info;
    at_buf_clear(out);
    ATT_TRY(open_file(path, &fd, &info, err));
    const at_status status = read_all(fd, path, S_ISREG(info.st_mode) ? (size_t)info.st_size : 0, out, err);
    close(fd);
    if (status != ATT_OK) at_buf_clear(out);
    return status;
}

at_status at_map_open(at_map *map, const char *path, at_error *err)
{
    int fd;
    struct stat info;
    *map = (at_map){0};
    ATT_TRY(open_file(path, &fd, &info, err));
    if (S_ISREG(info.st_mode) && info.st_size > 0) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED) *map = (at_map){.data = data, .size = (size_t)info.st_size, .mapped = true};
    }
    at_status status = ATT_OK;
    if (!map->mapped) {
        at_buf whole = {0};
        status = read_all(fd, path, S_ISREG(info.st_mode) ? (size_t)info.st_size : 0, &whole, err);
        if (status == ATT_OK && whole.len > 0) {
            *map = (at_map){.data = (const uint8_t *)whole.data, .size = whole.len};
        } else {
            at_buf_free(&whole);
        }
    }
    close(fd);
    return status;
}

void at_map_forget(const at_map *map)
{
    if (map->mapped) madvise((void *)(uintptr_t)map->data, map->size, MADV_DONTNEED);
}

void at_map_close(at_map *map)
{
    if (map->mapped) {
        munmap((void *)(uintptr_t)map->data, map->size);
    } else {
        free((void *)(uintptr_t)map->data);
    }
    *map = (at_map){0};
}

struct at_writer {
    char *path;
    char *tmp;
    int fd;        /* -1 once closed */
    int error;     /* errno of the first failed write; sticky, so that commit can't publish a torn file */
    uint64_t size; /* bytes written so far, buffered ones included */
    size_t used;   /* bytes in buffer */
    uint8_t buffer[WRITE_BUFFER];
};

/* Closes and frees; the temporary file stays. */
static void writer_free(at_writer *writer)
{
    if (writer->fd >= 0) close(writer->fd);
    free(writer->path);
    free(writer->tmp);
    free(writer);
}

void at_writer_abort(at_writer *writer)
{
    if (writer == NULL) return;
    if (writer->tmp != NULL) unlink(writer->tmp);
    writer_free(writer);
}

/* A writer with its two names and no file yet, or NULL. The name is the process's own: two runs that write the same
 * path don't disturb each other, and what a killed run left is overwritten by the next of that number. */
static at_writer *writer_new(const char *path)
{
    at_writer *writer = malloc(sizeof *writer);
    if (writer == NULL) return NULL;
    const size_t room = strlen(path) + 32;
    writer->fd = -1;
    writer->error = 0;
    writer->size = 0;
    writer->used = 0;
    writer->path = strdup(path);
    writer->tmp = malloc(room);
    if (writer->path == NULL || writer->tmp == NULL) {
        writer_free(writer);
        return NULL;
    }
    snprintf(writer->tmp, room, "%s.tmp%ld", path, (long)getpid());
    return writer;
}

at_status at_writer_open(at_writer **writer, const char *path, at_error *err)
{
    struct stat info;
    *writer = NULL;
    /* Said now, not by rename after hours of work; and a device must not be replaced by a file. */
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return at_fail(err, ATT_IO, "%s: can't write: it is a folder or a device; give the name of a file", path);
    }
    at_writer *made = writer_new(path);
    if (made == NULL) return at_fail_memory(err, sizeof *made);
    made->fd = open(made->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (made->fd < 0) {
        const at_status status = at_fail_io(err, path, "can't create");
        writer_free(made);
        return status;
    }
    *writer = made;
    return ATT_OK;
}

/* Writes to the file at offset; short writes go on, a failure is kept in writer->error. */
static bool write_at(at_writer *writer, uint64_t offset, const uint8_t *bytes, size_t count)
{
    while (count > 0 && writer->error == 0) {
        const ssize_t put = pwrite(writer->fd, bytes, count, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            writer->error = put < 0 ? errno : ENOSPC;
            break;
        }
        bytes += put;
        offset += (uint64_t)put;
        count -= (size_t)put;
    }
    return writer->error == 0;
}

static bool flush(at_writer *writer)
{
    const size_t count = writer->used;
    writer->used = 0;
    return write_at(writer, writer->size - count, writer->buffer, count);
}

static at_status write_failed(const at_writer *writer, at_error *err)
{
    errno = writer->error;
    return at_fail_io(err, writer->path, "can't write");
}

at_status at_writer_write(at_writer *writer, const void *bytes, size_t count, at_error *err)
{
    if (count > WRITE_BUFFER - writer->used) flush(writer);
    if (count >= WRITE_BUFFER) {
        write_at(writer, writer->size, bytes, count);
    } else if (count > 0) {
        memcpy(writer->buffer + writer->used, bytes, count);
        writer->used += count;
    }
    writer->size += count;
    return writer->error == 0 ? ATT_OK : write_failed(writer, err);
}

at_status at_writer_patch(at_writer *writer, uint64_t offset, const void *bytes, size_t count, at_error *err)
{
    assert(offset <= writer->size && count <= writer->size - offset);
    if (flush(writer) && write_at(writer, offset, bytes, count)) return ATT_OK;
    return write_failed(writer, err);
}

at_status at_writer_flush(at_writer *writer, at_error *err)
{
    return flush(writer) ? ATT_OK : write_failed(writer, err);
}

/* Makes the rename itself survive a power cut. Some file systems can't sync a folder and say EINVAL: nothing more can
 * be done there. */
static bool sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (folder == NULL) return false;
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0) return errno == EACCES; /* a folder may be writable and not readable */
    const bool synced = fsync(fd) == 0 || errno == EINVAL;
    const int error = errno;
    close(fd);
    errno = error;
    return synced;
}

/* Everything to the disk and the file closed; network file systems report a full disk only at close. */
static bool finish(at_writer *writer)
{
    if (!flush(writer)) return false;
    if (fsync(writer->fd) != 0 && errno != EINVAL) writer->error = errno;
    const int fd = writer->fd;
    writer->fd = -1;
    if (close(fd) != 0 && writer->error == 0) writer->error = errno;
    return writer->error == 0;
}

at_status at_writer_commit(at_writer *writer, at_error *err)
{
    at_status status = ATT_OK;
    if (!finish(writer)) {
        status = write_failed(writer, err);
    } else if (rename(writer->tmp, writer->path) != 0) {
        status = at_fail_io(err, writer->path, "can't replace");
    }
    if (status != ATT_OK) {
        at_writer_abort(writer);
        return status;
    }
    if (!sync_folder(writer->path)) status = at_fail_io(err, writer->path, "can't sync its folder");
    writer_free(writer);
    return status;
}

at_status at_file_write(const char *path, const void *bytes, size_t count, at_error *err)
{
    at_writer *writer;
    ATT_TRY(at_writer_open(&writer, path, err));
    const at_status status = at_writer_write(writer, bytes, count, err);
    if (status == ATT_OK) return at_writer_commit(writer, err);
    at_writer_abort(writer);
    return status;
}
