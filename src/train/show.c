/* Translations of a few sentences, to watch a model learn. See show.h. */
#include "train/show.h"

#include <string.h>

#include "infer/generate.h"
#include "infer/translate.h"

enum { SENTENCES = 32 /* more than anyone watches */, CONTINUATION = 60 /* tokens */ };

typedef struct shower {
    const at_line *lines;
    void (*each)(void *arg, const char *text);
    void *arg;
} shower;

static at_status show_one(void *arg, int64_t index, const at_translation *translation, at_error *err)
{
    const shower *s = arg;
    at_buf text = {0};
    at_status status = at_buf_add(&text, s->lines[index].data, s->lines[index].len, err);
    if (status == ATT_OK) status = at_buf_printf(&text, err, "\t%s", translation->text);
    if (status == ATT_OK) s->each(s->arg, text.data);
    at_buf_free(&text);
    return status;
}

/* Of a language model: the prompt's greedy continuation, in one line. */
static at_status continue_one(const at_bundle *bundle, at_line prompt, const shower *s, at_error *err)
{
    const at_generate_options options = {.max_tokens = CONTINUATION};
    at_generation made;
    at_buf text = {0};
    ATT_TRY(at_generate_text(bundle, prompt, &options, NULL, NULL, &made, err));
    for (size_t i = 0; i < made.len; i++)
        if (made.text[i] == '\n' || made.text[i] == '\0') made.text[i] = ' ';
    at_status status = at_buf_add(&text, prompt.data, prompt.len, err);
    if (status == ATT_OK) status = at_buf_printf(&text, err, "\t%s", made.text);
    if (status == ATT_OK) s->each(s->arg, text.data);
    at_buf_free(&text);
    at_generation_free(&made);
    return status;
}

static int64_t split(const char *text, at_line *lines)
{
    int64_t count = 0;
    while (*text && count < SENTENCES) {
        const size_t len = strcspn(text, "\n");
        if (len > 0) lines[count++] = (at_line){text, len};
        text += len + (text[len] == '\n');
    }
    return count;
}

at_status at_show(const at_bundle *bundle, const char *sentences, void (*each)(void *arg, const char *text), void *arg,
                  at_error *err)
{
    at_line lines[SENTENCES] = {{0}};
    at_translation out[SENTENCES] = {{0}};
    const int64_t count = split(sentences, lines);
    shower s = {lines, each, arg};
    if (bundle->model->arch->encode == NULL) {
        for (int64_t i = 0; i < count; i++) ATT_TRY(continue_one(bundle, lines[i], &s, err));
        return ATT_OK;
    }
    const at_translate_options options = {
        .search = {.beam = 1, .max_ratio = 2, .max_extra = 20}, .each = show_one, .arg = &s, .first_line = 1};
    ATT_TRY(at_translate_lines(bundle, lines, count, &options, out, err));
    for (int64_t i = 0; i < count; i++) at_translation_free(&out[i]);
    return ATT_OK;
}
