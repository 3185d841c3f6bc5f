/* Gathering the translated messages of installed programs: finds catalogs, decodes and cleans their messages, writes
 * each pair once. Files come in order of their names, messages in order of the catalog. See attend/tools.h. */
#include <attend/tools.h>
#include <dirent.h>
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/utf8.h"
#include "data/catalog_text.h"
#include "data/hash_map.h"
#include "data/mo_file.h"
#include "data/pair_writer.h"

static const char *const system_dirs = "/usr/share/locale\n/usr/share/locale-langpack\n/usr/local/share/locale";

typedef struct name_list {
    char **name;
    int count;
} name_list;

typedef struct catalog_job {
    const at_make_catalogs_args *args;
    at_catalogs_result *result;
    at_pair_writer writer;
    at_hash_map seen;
    at_buf decoded[2], clean[2];
} catalog_job;

/* ---- folders ---- */

static void name_list_free(name_list *list)
{
    for (int i = 0; i < list->count; i++) free(list->name[i]);
    free(list->name);
    *list = (name_list){0};
}

static at_status name_list_add(name_list *list, const char *name, at_error *err)
{
    char **grown = realloc(list->name, ((size_t)list->count + 1) * sizeof *grown);
    if (grown == NULL) return at_fail_memory(err, ((size_t)list->count + 1) * sizeof *grown);
    list->name = grown;
    grown[list->count] = strdup(name);
    if (grown[list->count] == NULL) return at_fail_memory(err, strlen(name) + 1);
    list->count++;
    return ATT_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_in(const char *name, const char *end)
{
    const size_t len = strlen(name), end_len = strlen(end);
    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* Names in a folder that end so, sorted; a folder that can't be read has none. */
static at_status list_folder(const char *path, const char *end, name_list *list, at_error *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) return ATT_OK;
    at_status status = ATT_OK;
    for (const struct dirent *entry; status == ATT_OK && (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.' && ends_in(entry->d_name, end)) status = name_list_add(list, entry->d_name, err);
    closedir(folder);
    if (list->count > 1) qsort(list->name, (size_t)list->count, sizeof *list->name, compare_names);
    return status;
}

/* Calls visit with each of the folders joined by '\n'. */
static at_status each_dir(const char *dirs, at_status (*visit)(void *arg, const char *dir, at_error *err), void *arg,
                          at_error *err)
{
    at_buf dir = {0};
    at_status status = ATT_OK;
    while (*dirs != '\0' && status == ATT_OK) {
        const size_t len = strcspn(dirs, "\n");
        at_buf_clear(&dir);
        status = at_buf_add(&dir, dirs, len, err);
        if (status == ATT_OK && len > 0) status = visit(arg, dir.data, err);
        dirs += len + (dirs[len] == '\n');
    }
    at_buf_free(&dir);
    return status;
}

/* ---- messages ---- */

/* Appends text in UTF-8; *valid is false when it is none in its encoding. converter (iconv_t)-1: it is UTF-8. */
static at_status decode(iconv_t converter, const char *text, at_buf *out, bool *valid, at_error *err)
{
    size_t left = strlen(text);
    at_buf_clear(out);
    *valid = true;
    if (converter == (iconv_t)-1) {
        *valid = at_utf8_valid(text, left) == left;
        return at_buf_add(out, text, left, err);
    }
    char *in = (char *)(uintptr_t)text;
    iconv(converter, NULL, NULL, NULL, NULL);
    while (left > 0 && *valid) {
        ATT_TRY(at_buf_reserve(out, 4 * left + 16, err));
        char *end = out->data + out->len;
        size_t room = out->cap - out->len - 1;
        *valid = iconv(converter, &in, &left, &end, &room) != (size_t)-1 || errno == E2BIG;
        out->len = (size_t)(end - out->data);
        out->data[out->len] = '\0';
    }
    return ATT_OK;
}

/* Writes the cleaned pair unless it stood before. */
static at_status write_once(catalog_job *job, at_error *err)
{
    const char *const text[2] = {job->clean[0].data, job->clean[1].data};
    const size_t len[2] = {job->clean[0].len, job->clean[1].len};
    const uint64_t source = XXH3_64bits(text[0], len[0]);
    int64_t *value;
    bool is_new;
    ATT_TRY(at_hash_map_add(&job->seen, XXH3_64bits_withSeed(text[1], len[1], source), &value, &is_new, err));
    if (!is_new) return ATT_OK;
    job->result->pairs++;
    return at_pair_writer_add(&job->writer, text, len, err);
}

static at_status take_pair(catalog_job *job, iconv_t converter, at_mo_text source, at_mo_text target, at_error *err)
{
    bool source_valid, target_valid, wanted;
    if (source.len == 0 || target.len == 0) return ATT_OK;
    job->result->messages++;
    ATT_TRY(decode(converter, source.text, &job->decoded[0], &source_valid, err));
    ATT_TRY(decode(converter, target.text, &job->decoded[1], &target_valid, err));
    if (!source_valid || !target_valid) {
        job->result->unusable++;
        return ATT_OK;
    }
    ATT_TRY(at_catalog_clean(job->decoded[0].data, job->decoded[1].data, job->args->formats, job->clean, &wanted, err));
    return wanted ? write_once(job, err) : ATT_OK;
}

static at_status take_messages(catalog_job *job, const at_mo *mo, iconv_t converter, at_error *err)
{
    for (uint32_t i = 0; i < mo->count; i++) {
        const at_mo_message m = at_mo_get(mo, i);
        ATT_TRY(take_pair(job, converter, m.singular, m.first, err));
        if (m.plural.text != NULL) ATT_TRY(take_pair(job, converter, m.plural, m.last, err));
    }
    return ATT_OK;
}

static bool is_utf8_name(const char *charset)
{
    static const char *const names[] = {"", "UTF-8", "UTF8", "US-ASCII", "ASCII", "CHARSET"}; /* the last: a template */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(charset, names[i]) == 0) return true;
    return false;
}

static at_status take_catalog(catalog_job *job, const at_buf *bytes, const char *path, at_error *err)
{
    at_mo mo;
    iconv_t converter = (iconv_t)-1;
    if (at_mo_open(&mo, bytes->data, bytes->len, path, NULL) != ATT_OK) {
        job->result->damaged++;
        return ATT_OK;
    }
    if (!is_utf8_name(mo.charset)) {
        converter = iconv_open("UTF-8", mo.charset);
        job->result->damaged += converter == (iconv_t)-1;
        if (converter == (iconv_t)-1) return ATT_OK;
    }
    job->result->catalogs++;
    const at_status status = take_messages(job, &mo, converter, err);
    if (converter != (iconv_t)-1) iconv_close(converter);
    return status;
}

/* One file; what can't be read is counted and passed over. */
static at_status take_file(catalog_job *job, const char *path, at_error *err)
{
    const volatile int *cancel = job->args->cancel;
    at_buf bytes = {0};
    if (at_cancelled(cancel)) return at_fail(err, ATT_CANCELLED, "interrupted; nothing was written");
    at_status status = at_file_read(path, &bytes, err);
    if (status == ATT_OK) {
        status = take_catalog(job, &bytes, path, err);
    } else if (status == ATT_IO) {
        job->result->damaged++;
        status = ATT_OK;
    }
    at_buf_free(&bytes);
    return status;
}

static at_status take_dir(void *arg, const char *dir, at_error *err)
{
    catalog_job *job = arg;
    name_list files = {0};
    at_buf path = {0};
    at_status status = at_buf_printf(&path, err, "%s/%s/LC_MESSAGES/", dir, job->args->language);
    const size_t folder_len = path.len;
    if (status == ATT_OK) status = list_folder(path.data, ".mo", &files, err);
    for (int i = 0; i < files.count && status == ATT_OK; i++) {
        path.len = folder_len;
        status = at_buf_puts(&path, files.name[i], err);
        if (status == ATT_OK) status = take_file(job, path.data, err);
    }
    name_list_free(&files);
    at_buf_free(&path);
    return status;
}

/* ---- what to say when there is nothing ---- */

/* Appends the languages of a folder that have messages. */
static at_status add_languages(void *arg, const char *dir, at_error *err)
{
    at_buf *languages = arg, path = {0};
    name_list names = {0};
    at_status status = list_folder(dir, "", &names, err);
    for (int i = 0; i < names.count && status == ATT_OK; i++) {
        name_list files = {0};
        at_buf_clear(&path);
        status = at_buf_printf(&path, err, "%s/%s/LC_MESSAGES", dir, names.name[i]);
        if (status == ATT_OK) status = list_folder(path.data, ".mo", &files, err);
        if (status == ATT_OK && files.count > 0)
            status = at_buf_printf(languages, err, "%s%s", languages->len > 0 ? " " : "", names.name[i]);
        name_list_free(&files);
    }
    name_list_free(&names);
    at_buf_free(&path);
    return status;
}

static at_status fail_nothing(const catalog_job *job, const char *dirs, at_error *err)
{
    at_buf languages = {0};
    at_status status = each_dir(dirs, add_languages, &languages, err);
    const char *language = job->args->language;
    if (status == ATT_OK && job->result->catalogs > 0)
        status = at_fail(err, ATT_INPUT, "the catalogs for %s hold no usable message; try another language", language);
    else if (status == ATT_OK && languages.len > 0)
        status =
            at_fail(err, ATT_INPUT, "no message catalog for %s; there are some for: %.400s", language, languages.data);
    else if (status == ATT_OK)
        status =
            at_fail(err, ATT_INPUT,
                    "no message catalogs are installed; programs bring them in /usr/share/locale (containers often "
                    "leave them out), or name a folder with LANG/LC_MESSAGES/*.mo");
    at_buf_free(&languages);
    return status;
}

static at_status job_run(catalog_job *job, at_error *err)
{
    const char *dirs = job->args->dirs != NULL ? job->args->dirs : system_dirs;
    if (job->args->language[0] == '\0' || strchr(job->args->language, '/') != NULL)
        return at_fail(err, ATT_OPTION, "\"%.40s\" is no language; give one such as de or pt_BR", job->args->language);
    ATT_TRY(at_pair_writer_open(&job->writer, job->args->source_path, job->args->target_path, err));
    ATT_TRY(each_dir(dirs, take_dir, job, err));
    return job->result->pairs > 0 ? at_pair_writer_commit(&job->writer, err) : fail_nothing(job, dirs, err);
}

at_status at_make_catalogs(const at_make_catalogs_args *args, at_catalogs_result *result, at_error *err)
{
    catalog_job job = {.args = args, .result = result};
    *result = (at_catalogs_result){0};
    const at_status status = job_run(&job, err);
    at_pair_writer_abort(&job.writer);
    at_hash_map_free(&job.seen);
    for (int i = 0; i < 2; i++) {
        at_buf_free(&job.decoded[i]);
        at_buf_free(&job.clean[i]);
    }
    return status;
}
