/* What importers of foreign models share. An importer reads a folder of another program: its JSON configuration, its
 * weights in a safetensors file, its tokenizers. It takes each foreign tensor once, writes it in attend's layout and as
 * float32, and what nobody took is an error, so that no part of a model gets lost in silence.
 *
 *   q (H K, D) ─┐
 *   k (H K, D) ─┼─ transposed, side by side ─> qkv (D, 3 H K)
 *   v (H K, D) ─┘
 *
 * Failures are ATT_INPUT (or ATT_IO, ATT_MEMORY) with one line that names the file and the tensor or option. To add an
 * importer: import_marian.c is the example, its row stands in import.c. */
#ifndef ATT_FORMAT_IMPORT_H
#define ATT_FORMAT_IMPORT_H

#include <jansson.h>

#include "format/stored_model.h"

enum { ATT_IMPORT_SETTINGS = 32, ATT_IMPORT_PARTS = 3 };

typedef struct at_import_job {
    at_stored_model *model; /* being made; its arena holds everything */
    const char *dir;
    const char *program; /* for messages, such as "MarianMT" */
    json_t *config;
    const char *config_path;
    at_safetensors *file;
    const at_stored_tensor **taken;
    at_stored_tensor *made;
    size_t taken_count, made_count, made_most;
    at_setting settings[ATT_IMPORT_SETTINGS];
    size_t setting_count;
} at_import_job;

/* Opens config.json and model.safetensors of the folder. made_most: the most tensors that at_import_add may make. */
at_status at_import_begin(at_import_job *job, at_stored_model *model, const char *dir, const char *program,
                          at_error *err);
at_status at_import_reserve(at_import_job *job, size_t made_most, at_error *err);
/* Refuses tensors that nobody took, and gives model its tensors and settings. */
at_status at_import_finish(at_import_job *job, at_error *err);
void at_import_end(at_import_job *job); /* closes what begin opened, also after failures */

/* dir/name in the arena; NULL without memory. */
char *at_import_path(at_arena *arena, const char *dir, const char *name);
/* A file that must hold a JSON object; the caller releases it. */
at_status at_import_json(json_t **json, const char *path, at_error *err);

/* Values of config.json. An absent (or null) one is `def`; def < 0: it must be there. */
at_status at_import_int(const at_import_job *job, const char *key, int64_t def, int64_t max, int64_t *value,
                        at_error *err);
at_status at_import_bool(const at_import_job *job, const char *key, bool def, bool *value, at_error *err);
/* A number as the text that an option reads. */
at_status at_import_number(const at_import_job *job, const char *key, const char *def, const char **text,
                           at_error *err);
/* A setting of the model; the value is copied. */
at_status at_import_set(at_import_job *job, const char *name, const char *value, at_error *err);
at_status at_import_set_int(at_import_job *job, const char *name, int64_t value, at_error *err);
at_status at_import_set_bool(at_import_job *job, const char *name, bool value, at_error *err);

bool at_import_has(const at_import_job *job, const char *name);
/* The foreign tensor of that name and shape (d1 0: rank 1), marked as taken; a float type. */
at_status at_import_take(at_import_job *job, const char *name, int64_t d0, int64_t d1, const at_stored_tensor **tensor,
                         at_error *err);
/* Float type to float32; n elements from the first-th. */
void at_import_floats(float *out, const at_stored_tensor *tensor, size_t first, size_t n);
/* A new tensor of the model, to be filled. */
at_status at_import_add(at_import_job *job, const char *name, int64_t d0, int64_t d1, float **data, at_error *err);
/* As it is: tables and vectors. */
at_status at_import_copy(at_import_job *job, const char *name, const char *from, int64_t d0, int64_t d1, at_error *err);
/* (out,in) -> (in,out). */
at_status at_import_transposed(at_import_job *job, const char *name, const char *from, int64_t in, int64_t out,
                               at_error *err);
/* 1 to ATT_IMPORT_PARTS linear layers from[i].weight (out,in) and from[i].bias side by side: name.weight (in, parts
 * out), name.bias. */
at_status at_import_linear(at_import_job *job, const char *name, const char *const *from, int parts, int64_t in,
                           int64_t out, at_error *err);

#endif
