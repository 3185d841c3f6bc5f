/* at_translator of attend/attend.h: open, translate. */
#include "api/translator.h"

#include <stdlib.h>

#include "infer/translate.h"

at_status at_translator_open(at_translator **translator, const char *path, int threads, at_error *err)
{
    at_translator *t = calloc(1, sizeof *t);
    if (t == NULL) return at_fail_memory(err, sizeof *t);
    at_status status = at_cpu_backend_new(&t->be, threads, NULL, err);
    if (status == ATT_OK) status = at_bundle_open(&t->bundle, path, t->be, false, err);
    if (status != ATT_OK) {
        at_translator_free(t);
        return status;
    }
    *translator = t;
    return ATT_OK;
}

void at_translator_free(at_translator *translator)
{
    if (translator == NULL) return;
    at_bundle_free(&translator->bundle);
    if (translator->be) translator->be->free(translator->be);
    free(translator);
}

at_translate_args at_translate_defaults(void)
{
    return (at_translate_args){.beam = 4, .length_penalty = 0.6, .max_ratio = 2, .max_extra = 20, .batch = 64, .first_line = 1};
}

/* Lines are sorted by length within this many batches; results come after each such window. */
enum { WINDOW_BATCHES = 16 };

at_status at_translate(at_translator *translator, const at_line *lines, int64_t count, const at_translate_args *args, at_translated_fn *each,
                       void *arg, at_error *err)
{
    const at_translate_args a = args ? *args : at_translate_defaults();
    if (a.batch < 1) return at_fail(err, ATT_OPTION, "batch must be at least 1");
    const at_translate_options options = {.search = {.beam = a.beam, .alpha = a.length_penalty, .penalty = ATT_PENALTY_GNMT, .max_ratio = a.max_ratio,
                                                     .max_extra = a.max_extra, .cancel = a.cancel},
                                          .batch_sentences = a.batch, .window = WINDOW_BATCHES * a.batch, .first_line = a.first_line,
                                          .each = each, .arg = arg};
    at_translation *out = calloc((size_t)count + 1, sizeof *out);
    if (out == NULL) return at_fail_memory(err, (size_t)count * sizeof *out);
    const at_status status = at_translate_lines(&translator->bundle, lines, count, &options, out, err);
    for (int64_t i = 0; status == ATT_OK && i < count; i++) at_translation_free(&out[i]);
    free(out);
    return status;
}
