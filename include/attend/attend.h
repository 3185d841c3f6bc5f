/* Using a trained model.
 *
 *   at_translator *t;
 *   at_error error;
 *   if (at_translator_open(&t, "best.safetensors", 0, &error) != ATT_OK) { puts(error.text); return 1; }
 *   at_translate(t, lines, count, NULL, on_translation, NULL, &error);
 *   at_translator_free(t);
 *
 * Nothing here prints, exits or keeps state outside its objects. Several translators may work in several threads; one translator belongs
 * to one thread at a time. Read first: status.h. Training: train.h. Scores and inspection: tools.h. */
#ifndef ATTEND_ATTEND_H
#define ATTEND_ATTEND_H

#include <attend/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct at_translator at_translator;

/* path: a model file of attend. threads 0: one a core. The file may be replaced or removed afterwards. */
at_status at_translator_open(at_translator **translator, const char *path, int threads, at_error *err);
void at_translator_free(at_translator *translator); /* NULL is fine */

/* A line of text; not NUL-terminated, may hold any byte but a line end. */
typedef struct at_line {
    const char *data;
    size_t len;
} at_line;

typedef struct at_translate_args {
    int64_t beam;          /* hypotheses a sentence; 1: greedy */
    double length_penalty; /* exponent alpha of Wu et al. 2016, equation 14; 0: none */
    double max_ratio;      /* at most max_ratio times the source's tokens + max_extra */
    int64_t max_extra;
    int64_t batch;              /* sentences a batch */
    const volatile int *cancel; /* raised by the caller: ATT_CANCELLED; may be NULL */
} at_translate_args;

/* beam 4, length_penalty 0.6, max_ratio 2, max_extra 20, batch 64. */
at_translate_args at_translate_defaults(void);

typedef struct at_translation {
    int64_t line;     /* from 0 */
    const char *text; /* UTF-8, NUL-terminated; valid during the call */
    double score;     /* log-probability after the length penalty */
    double log_prob;  /* sum over tokens, end token included, nats */
    int64_t tokens, source_tokens, unknown_tokens; /* pieces; unknown ones of the source */
    bool empty;     /* the line had no text */
    bool truncated; /* the length limit cut it */
    bool looped;    /* it ends in a repetition */
    bool invalid;   /* the line was no valid UTF-8: bad bytes were read as U+FFFD */
} at_translation;

/* Called once a line, in order, as soon as order allows. Returning false stops with ATT_CANCELLED. */
typedef bool at_translation_fn(void *user, const at_translation *translation);

/* args NULL: the defaults. */
at_status at_translate(at_translator *translator, const at_line *lines, size_t count, const at_translate_args *args, at_translation_fn *each,
                       void *user, at_error *err);

/* A picture of attention: one self-contained HTML page (SVG and a few lines of script) with cross-attention, the encoder's and the decoder's
 * self-attention of every layer and head for `text` and its translation (or `target` when not NULL). *html is malloc'ed. */
at_status at_look(at_translator *translator, const char *text, const char *target, char **html, at_error *err);

/* ---- models of other programs ---- */

typedef struct at_import_check {
    const char *what; /* static */
    double measured, limit;
    bool ok;
} at_import_check;

enum { ATT_IMPORT_CHECKS = 16 };

/* Reads the folder of another program's model (Hugging Face MarianMT) and writes `path` (NULL: nothing is written). With checks not NULL,
 * computes what the folder's expected.safetensors holds and compares; *count receives how many checks there were, 0 when the
 * folder holds no answers. ATT_INPUT when the model can't be expressed. */
at_status at_import_model(const char *dir, const char *path, at_import_check *checks, int *count, at_error *err);

#ifdef __cplusplus
}
#endif
#endif
