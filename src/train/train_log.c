/* The log's file. Its fields are in train_log.h. */
#include "train/train_log.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_dump.h"

struct at_train_log {
    FILE *file;
    char *path;
};

/* Whether a line belongs to steps up to last_step; a torn one does not. */
static bool kept(const char *line, size_t len, int64_t last_step, double *seconds)
{
    json_t *object = json_loadb(line, len, 0, NULL);
    const bool keep = object && json_integer_value(json_object_get(object, "step")) <= last_step;
    const json_t *time = json_object_get(object, "seconds");
    if (keep && time) *seconds = json_number_value(time);
    json_decref(object);
    return keep;
}

static at_status keep_until(const char *path, int64_t last_step, double *seconds, at_error *err)
{
    at_buf old = {0}, lines = {0};
    at_status status = at_file_read(path, &old, err);
    for (size_t at = 0; status == ATT_OK && at < old.len;) {
        const char *end = memchr(old.data + at, '\n', old.len - at);
        const size_t len = end ? (size_t)(end - (old.data + at)) : old.len - at;
        if (end && kept(old.data + at, len, last_step, seconds))
            status = at_buf_add(&lines, old.data + at, len + 1, err);
        at += len + 1;
    }
    if (status == ATT_OK) status = at_file_write(path, lines.data, lines.len, err);
    at_buf_free(&old);
    at_buf_free(&lines);
    return status;
}

at_status at_train_log_open(at_train_log **log, const char *path, int64_t last_step, double *seconds, at_error *err)
{
    *seconds = 0;
    if (at_path_exists(path)) ATT_TRY(keep_until(path, last_step, seconds, err));
    at_train_log *l = calloc(1, sizeof *l);
    if (l == NULL || (l->path = strdup(path)) == NULL) {
        free(l);
        return at_fail_memory(err, sizeof *l);
    }
    l->file = fopen(path, "a");
    if (l->file == NULL) {
        at_train_log_close(l);
        return at_fail_io(err, path, "can't be opened for writing");
    }
    *log = l;
    return ATT_OK;
}

at_status at_train_log_add(at_train_log *log, json_t *object, at_error *err)
{
    char *line = at_json_dump(object, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(7));
    json_decref(object);
    if (line == NULL) return at_fail_memory(err, 256);
    const int written = fprintf(log->file, "%s\n", line);
    free(line);
    if (written < 0 || fflush(log->file) != 0) return at_fail_io(err, log->path, "can't be written");
    return ATT_OK;
}

void at_train_log_close(at_train_log *log)
{
    if (log == NULL) return;
    if (log->file) fclose(log->file);
    free(log->path);
    free(log);
}
