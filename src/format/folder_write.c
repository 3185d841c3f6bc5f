/* A folder that appears whole or not at all. See folder_write.h. */
#include "format/folder_write.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* The text "<a><b><c>" in the arena. */
static const char *join(at_folder *folder, const char *a, const char *b, const char *c)
{
    const size_t room = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = at_arena_alloc(&folder->arena, room);
    if (text != NULL) snprintf(text, room, "%s%s%s", a, b, c);
    return text;
}

static at_status is_empty(const char *dir, bool *empty, at_error *err)
{
    DIR *entries = opendir(dir);
    if (entries == NULL) return at_fail_io(err, dir, "can't read the folder");
    *empty = true;
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) *empty = false;
    closedir(entries);
    return ATT_OK;
}

static at_status check(at_folder *folder, at_error *err)
{
    bool empty = true;
    const char *dir = folder->dir;
    if (!at_path_exists(dir)) {
        folder->replace = false;
        return ATT_OK;
    }
    if (!at_path_is_dir(dir)) return at_fail(err, ATT_OPTION, "%s is a file; name a folder", dir);
    ATT_TRY(is_empty(dir, &empty, err));
    if (!empty && !folder->replace)
        return at_fail(err, ATT_OPTION, "%s is not empty; name another folder, or replace its files with --force", dir);
    folder->replace = !empty;
    return ATT_OK;
}

/* Without the slashes at its end, where the temporary name is to be put. */
static const char *trim(at_folder *folder, const char *dir)
{
    char *copy = at_arena_strdup(&folder->arena, dir);
    for (size_t len = copy ? strlen(copy) : 0; len > 1 && copy[len - 1] == '/';) copy[--len] = '\0';
    return copy;
}

at_status at_folder_begin(at_folder *folder, const char *dir, bool replace, at_error *err)
{
    char suffix[32];
    *folder = (at_folder){.replace = replace};
    at_arena_init(&folder->arena, 4096);
    folder->dir = trim(folder, dir);
    if (folder->dir == NULL) return at_fail_memory(err, strlen(dir));
    ATT_TRY(check(folder, err));
    snprintf(suffix, sizeof suffix, ".tmp%ld", (long)getpid());
    const char *temporary = join(folder, folder->dir, suffix, "");
    if (temporary == NULL) return at_fail_memory(err, strlen(dir));
    ATT_TRY(at_path_make_dirs(temporary, err));
    folder->temporary = temporary;
    return ATT_OK;
}

const char *at_folder_file(at_folder *folder, const char *name)
{
    const char *path = join(folder, folder->temporary, "/", name);
    if (path == NULL || folder->count == ATT_FOLDER_FILES) return NULL;
    folder->name[folder->count] = name;
    folder->path[folder->count++] = path;
    return path;
}

static void remove_files(const at_folder *folder)
{
    for (int i = 0; i < folder->count; i++) unlink(folder->path[i]);
    if (folder->temporary != NULL) rmdir(folder->temporary);
}

/* rename() puts a folder where none is, or an empty one. */
static at_status put_in_place(at_folder *folder, at_error *err)
{
    if (!folder->replace)
        return rename(folder->temporary, folder->dir) == 0 ? ATT_OK : at_fail_io(err, folder->dir, "can't be written");
    for (int i = 0; i < folder->count; i++) {
        const char *to = join(folder, folder->dir, "/", folder->name[i]);
        if (to == NULL) return at_fail_memory(err, strlen(folder->dir));
        if (rename(folder->path[i], to) != 0) return at_fail_io(err, to, "can't be replaced");
    }
    const char *obsolete = folder->obsolete ? join(folder, folder->dir, "/", folder->obsolete) : NULL;
    if (obsolete != NULL) unlink(obsolete);
    rmdir(folder->temporary);
    return ATT_OK;
}

at_status at_folder_end(at_folder *folder, at_status status, at_error *err)
{
    if (status == ATT_OK) status = put_in_place(folder, err);
    if (status != ATT_OK) remove_files(folder);
    at_arena_free(&folder->arena);
    *folder = (at_folder){0};
    return status;
}
