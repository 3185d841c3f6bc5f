/* See run_folder.h. The lock is the system's on the open folder, so no file stands for it that could stay behind. */
#include "train/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"

/* A temporary file of at_writer for a file that a run writes: "last.safetensors.tmp4711". */
static bool is_leftover(const char *name)
{
    static const char *const starts[] = {"last.safetensors", "best.safetensors", "average.safetensors",
                                         "model-",           "recipe.yaml",      "train.jsonl"};
    const char *end = strstr(name, ".tmp");
    if (end == NULL || end[4] == '\0' || strspn(end + 4, "0123456789") != strlen(end + 4)) return false;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

/* Only with the lock: else they may be another run's work. Failures are no harm. */
static void remove_leftovers(const char *folder)
{
    char path[4096];
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!is_leftover(entry->d_name)) continue;
        const int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (len > 0 && (size_t)len < sizeof path) unlink(path);
    }
    if (dir != NULL) closedir(dir);
}

at_status at_run_folder_hold(const char *folder, int *lock, at_error *err)
{
    *lock = -1;
    ATT_TRY(at_path_make_dirs(folder, err));
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return at_fail_io(err, folder, "can't open");
    /* File systems without locks, some network ones, give other errors: there runs aren't held apart. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return at_fail(err, ATT_IO,
                       "%s: another training is at work in this run folder; wait for its end, or give another one",
                       folder);
    }
    *lock = fd;
    remove_leftovers(folder);
    return ATT_OK;
}

void at_run_folder_release(int lock)
{
    if (lock >= 0) close(lock);
}
