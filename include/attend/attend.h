/* Using a trained model.
 *
 *   at_translator *t;
 *   at_error error;
 *   if (at_translator_open(&t, "best.safetensors", 0, &error) != ATT_OK) { puts(error.text); return 1; }
 *   at_translate(t, lines, count, NULL, print_translation, NULL, &error);
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
    double max_ratio;      /* at most max_ratio times the source's tokens + max_extra, end tokens counted */
    int64_t max_extra;
    int64_t batch;              /* sentences a batch */
    int64_t first_line;         /* number of the first line in messages */
    const volatile int *cancel; /* raised by the caller: ATT_CANCELLED; may be NULL */
} at_translate_args;

/* beam 4, length_penalty 0.6, max_ratio 2, max_extra 20, batch 64, first_line 1. */
at_translate_args at_translate_defaults(void);

typedef struct at_translation {
    char *text;      /* UTF-8, NUL-terminated; `len` bytes, which may hold NUL themselves */
    size_t len;
    double log_prob; /* sum over tokens, end token included, nats; 0 for an empty line */
    double score;    /* log_prob after the length penalty */
    int64_t tokens;  /* pieces of the output, end token left out */
    int64_t source_tokens;  /* likewise of the line */
    int64_t unknown_tokens; /* of the line's, those outside the vocabulary */
    bool truncated; /* the length limit cut it */
    bool looped;    /* it ends in a repetition */
    bool empty;     /* the line has no tokens */
    bool mended;    /* the line was no valid UTF-8: bad bytes were read as U+FFFD */
} at_translation;

/* Called once a line, in order, as soon as order allows; index counts from 0, the translation belongs to the caller of the function. A
 * status other than ATT_OK (with err filled) ends the work and is returned by at_translate(). */
typedef at_status at_translated_fn(void *arg, int64_t index, const at_translation *translation, at_error *err);

/* args NULL: the defaults. ATT_INPUT: a line is longer than the positions of a model that learned them. */
at_status at_translate(at_translator *translator, const at_line *lines, int64_t count, const at_translate_args *args, at_translated_fn *each,
                       void *arg, at_error *err);

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
 * folder holds no answers; nothing is written when one isn't ok. ATT_INPUT when the model can't be expressed. */
at_status at_import_model(const char *dir, const char *path, at_import_check *checks, int *count, at_error *err);

#ifdef __cplusplus
}
#endif
#endif
