/* Using a trained model.
 *
 *   at_translator *t;
 *   at_error error;
 *   if (at_translator_open(&t, "best.safetensors", 0, &error) != ATT_OK) { puts(error.text); return 1; }
 *   at_translate(t, lines, count, NULL, print_translation, NULL, &error);
 *   at_translator_free(t);
 *
 * Nothing here prints, exits or keeps state outside its objects. One translator belongs to one thread at a time; several
 * may work in several threads, and at_translator_share() makes a second one that needs no second copy of the weights.
 * Read first: status.h. Training: train.h. Scores and inspection: tools.h. Examples: examples/c. */
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

/* path: a model file of attend. threads 0: one a core; at most 1024. The file may be replaced or removed afterwards. The caller
 * frees *translator, which is left as it was on failure. ATT_IO: the file can't be read; ATT_INPUT: it is no model of attend,
 * or damaged; ATT_UNSUPPORTED: this attend lacks its format, number type or architecture, or the processor the instruction
 * set that ATTEND_ISA names; ATT_OPTION: threads, or it is a language model, which at_generator_open is for. */
at_status at_translator_open(at_translator **translator, const char *path, int threads, at_error *err);
/* Several models that decode together: the next token's probability is the geometric mean of theirs, scaled to sum 1 (the
 * mean of log-probabilities). count 1 .. 64. Errors as of one; ATT_INPUT too: their vocabularies differ; ATT_OPTION too:
 * count, or one of several has no tokenizer. */
at_status at_translator_open_ensemble(at_translator **translator, const char *const *paths, int count, int threads,
                                      at_error *err);
/* A second translator over the same models, for another thread: it has threads and scratch memory of its own and shares
 * the weights, which go with the last of the two to be freed. Call it where no other thread uses `with`. The caller frees
 * *translator, which is left as it was on failure; `with` goes on working. ATT_OPTION: threads; ATT_MEMORY. */
at_status at_translator_share(at_translator **translator, at_translator *with, int threads, at_error *err);
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
    int64_t first_line;         /* number of the first line in messages, and for sampling */
    const volatile int *cancel; /* raised by the caller: ATT_CANCELLED; may be NULL */
    double coverage_penalty;    /* beta of the same equation: the mean attention of the last decoder layer; 0: none */
    int64_t min_length;         /* tokens before the end token may come */
    int64_t max_length;         /* tokens of an output at most, end token counted; 0: max_ratio alone decides */
    int64_t no_repeat;          /* no n-gram of this length occurs twice in an output; 0: off */
    int64_t n_best;             /* candidates a line, at most beam */
    bool token_scores;          /* fill pieces of the candidates */
    bool guard;                 /* search a line again when its output loops or is cut: see unlooped, extended */
    bool paragraphs;            /* a line may hold several sentences: they are translated one by one and put together
                                   again with the white space that was between them; n_best must be 1, no prefixes */
    bool sample;                /* draw n_best outputs a line instead of searching */
    double temperature;         /* of sampling, over 0; 1: the model's own probabilities */
    int64_t top_k;              /* draw among the k most probable tokens; 0: all */
    double top_p;               /* draw among the fewest tokens that have this share of the probability; 1: all */
    uint64_t seed;              /* a line's output is a function of the seed and its number alone */
    const at_line *prefixes;    /* what the outputs begin with, one a line, empty ones too; NULL: none */
} at_translate_args;

/* beam 4, length_penalty 0.6, max_ratio 2, max_extra 20, batch 64, first_line 1, n_best 1, guard true, temperature 1,
 * top_p 1; all else off. */
at_translate_args at_translate_defaults(void);

typedef struct at_piece { /* a token of an output */
    const char *text;     /* such as "âhaus", the translator's; NULL: a row of the model without piece */
    int32_t id;
    double log_prob; /* nats */
} at_piece;

typedef struct at_candidate { /* one of several translations of a line */
    char *text;               /* UTF-8, NUL-terminated; `len` bytes, which may hold NUL themselves */
    size_t len;
    double log_prob, score;
    int64_t tokens;
    bool truncated, looped;
    at_piece *pieces; /* with token_scores, else NULL; the end token last, where one was chosen */
    int64_t piece_count;
} at_candidate;

typedef struct at_translation {
    char *text; /* UTF-8, NUL-terminated; `len` bytes, which may hold NUL themselves */
    size_t len;
    double log_prob;        /* sum over tokens, end token included, nats; 0 for an empty line */
    double score;           /* log_prob after the penalties */
    int64_t tokens;         /* pieces of the output, end token left out */
    int64_t source_tokens;  /* likewise of the line */
    int64_t unknown_tokens; /* of the line's, those outside the vocabulary */
    bool truncated;         /* the length limit cut it */
    bool looped;            /* the same tokens, however many, stand 3 times or more in a row, at least 8 in all */
    bool empty;             /* the line has no tokens */
    bool mended;            /* the line was no valid UTF-8: bad bytes were read as U+FFFD */
    bool unlooped;     /* the first output repeated itself oftener than the line does; this one is from a search without
                       repeated trigrams */
    bool extended;     /* the limit cut the first output; this one is from a search with twice the limit */
    int64_t sentences; /* with paragraphs: how many the line has; flags are those of any, scores are sums */
    at_candidate *n_best; /* best first, the translation itself too; samples in the order of drawing; NULL for an empty
                             line and with paragraphs */
    int64_t n_best_count;
} at_translation;

/* Called once a line, in order, as soon as order allows, on the thread that called at_translate(); index counts from 0. The
 * translation with all its texts is valid during the call: copy what is kept. A status other than ATT_OK (with err filled)
 * ends the work and is returned by at_translate(). */
typedef at_status at_translated_fn(void *arg, int64_t index, const at_translation *translation, at_error *err);

/* args NULL: the defaults. ATT_INPUT: a line is longer than the positions of a model that learned them, or a prefix leaves no
 * room. ATT_OPTION: an argument out of range. each may be NULL. */
at_status at_translate(at_translator *translator, const at_line *lines, int64_t count, const at_translate_args *args,
                       at_translated_fn *each, void *arg, at_error *err);

/* ---- scoring given pairs ---- */

typedef struct at_score_args {
    int64_t batch_tokens;       /* target tokens scored together */
    int64_t first_line;         /* number of the first line in messages */
    const volatile int *cancel; /* raised by the caller: ATT_CANCELLED; may be NULL */
} at_score_args;

/* batch_tokens 1024, first_line 1. */
at_score_args at_score_defaults(void);

typedef struct at_scored {
    double log_prob;        /* of the target given the source: sum over pieces, nats */
    const at_piece *pieces; /* of the target, end token last; valid during the call */
    int64_t piece_count;
    int64_t source_tokens;  /* end token left out */
    int64_t unknown_tokens; /* of both, those outside the vocabulary */
    bool mended;            /* one of the two was no valid UTF-8 */
} at_scored;

typedef at_status at_scored_fn(void *arg, int64_t index, const at_scored *scored, at_error *err);

/* The log-probability of each target given its source (an empty line is an end token alone), in order; an ensemble scores
 * with its mean. args NULL: the defaults. A status other than ATT_OK from `each` ends the work and is returned.
 * ATT_INPUT: a line is longer than the model's positions, or the model computes NaN. */
at_status at_score(at_translator *translator, const at_line *sources, const at_line *targets, int64_t count,
                   const at_score_args *args, at_scored_fn *each, void *arg, at_error *err);

/* ---- language models ---- */

/* A language model for continuing text; one thread at a time. */
typedef struct at_generator at_generator;

/* As at_translator_open. ATT_OPTION: the model is a translator, or has no tokenizer. */
at_status at_generator_open(at_generator **generator, const char *path, int threads, at_error *err);
void at_generator_free(at_generator *generator); /* NULL is fine */

typedef struct at_generate_args {
    int64_t max_tokens;         /* of the continuation, at least 1 */
    bool greedy;                /* the most probable token each time; else tokens are drawn */
    double temperature;         /* of drawing, over 0; 1: the model's own probabilities */
    int64_t top_k;              /* draw among the k most probable tokens; 0: all */
    double top_p;               /* draw among the fewest tokens that have this share of the probability; 1: all */
    uint64_t seed;              /* a continuation is a function of model, prompt, seed and line */
    int64_t line;               /* number of the prompt among several */
    const volatile int *cancel; /* raised by the caller: ATT_CANCELLED; may be NULL */
} at_generate_args;

/* max_tokens 200, temperature 1, top_p 1, line 1; all else 0. */
at_generate_args at_generate_defaults(void);

typedef struct at_generation {
    char *text; /* the continuation alone: UTF-8, NUL-terminated; `len` bytes, which may hold NUL themselves */
    size_t len;
    double log_prob;        /* sum over its tokens, end token included, nats */
    int64_t tokens;         /* end token left out */
    int64_t prompt_tokens;  /* 0: it began with the model's start token, the end of a line */
    int64_t unknown_tokens; /* of the prompt, those outside the vocabulary */
    bool ended;             /* the model chose its end token; else max_tokens cut it */
    bool mended;            /* the prompt was no valid UTF-8: bad bytes were read as U+FFFD */
} at_generation;

/* Called with each further piece of the continuation, whole characters; the text is valid during the call. A status other
 * than ATT_OK (with err filled) ends the work and is returned. */
typedef at_status at_generated_fn(void *arg, const char *text, size_t len, at_error *err);

/* Continues the prompt, which may be empty and of any length: of one longer than the model's context the last half
 * context is read, and so it goes on when the context is full. args NULL: the defaults. each may be NULL. The caller
 * frees *generation, which is empty on failure. ATT_OPTION: an argument out of range. */
at_status at_generate(at_generator *generator, at_line prompt, const at_generate_args *args, at_generated_fn *each,
                      void *arg, at_generation *generation, at_error *err);
void at_generation_free(at_generation *generation);

/* ---- pictures ---- */

typedef enum at_look_format {
    ATT_LOOK_HTML, /* a self-contained page: SVG and a few lines of script, one map large, with its tokens and weights */
    ATT_LOOK_SVG   /* small maps of all layers and heads, opacity is weight */
} at_look_format;

/* A picture of attention: cross-attention, the encoder's and the decoder's self-attention of every layer and head, for `text` and its
 * translation (or `target` when not NULL); of an ensemble, in its first model. Both texts are NUL-terminated; bytes that are no UTF-8
 * are read as U+FFFD. *picture: NUL-terminated UTF-8 that the caller frees with free(); NULL on failure. ATT_INPUT: the text has no
 * tokens, or a side has more than 256 with its end token, or than the model has positions, or the model computes NaN. ATT_OPTION: the
 * model has no tokenizer. ATT_MEMORY. */
at_status at_look(at_translator *translator, const char *text, const char *target, at_look_format format, char **picture,
                  at_error *err);

/* How near a token the encoder looks: the weight that token i gives to tokens i - 1, i and i + 1, mean over heads and tokens. */
typedef struct at_nearness {
    double *layer;  /* [layers], from the first; malloc'ed, the caller's */
    double uniform; /* the same if all tokens of a sentence got equal weight */
    int64_t layers, tokens;
} at_nearness;

/* Over `count` sentences, UTF-8; blank ones are left out. On failure nothing is left to free, and the message names the sentence as a
 * line, from 1. ATT_INPUT: a sentence has more than 1024 tokens, or all are blank. ATT_UNSUPPORTED: an architecture without encoder
 * and decoder. */
at_status at_look_nearness(at_translator *translator, const char *const *sentences, int64_t count,
                           at_nearness *nearness, at_error *err);

/* ---- models of other programs ---- */

typedef struct at_import_check {
    const char *what; /* static */
    double measured, limit;
    bool ok;
} at_import_check;

enum { ATT_IMPORT_CHECKS = 16 };

/* Reads the folder of another program's model (Hugging Face MarianMT, or Pegasus as
 * at_export_model writes it) and writes `path` (NULL: nothing is written). With checks not NULL,
 * computes what the folder's expected.safetensors holds and compares; *count receives how many checks there were, 0 when the
 * folder holds no answers; nothing is written when one isn't ok. ATT_INPUT when the model can't be expressed. */
at_status at_import_model(const char *dir, const char *path, at_import_check *checks, int *count, at_error *err);

typedef enum at_export_layout {
    ATT_EXPORT_HF /* Hugging Face's transformers; CTranslate2's converter reads it too */
} at_export_layout;

/* Writes the model file `path` as the folder `dir`, whole or not at all: MarianMT's layout for a post-norm model, Pegasus's for a pre-norm
 * one; *program (static; may be NULL) receives that name. `force`: into a folder that holds files, of which those of the same name
 * are replaced. ATT_OPTION: the folder isn't empty. ATT_UNSUPPORTED: the layout can't express an option, which the message names. */
at_status at_export_model(const char *path, at_export_layout layout, const char *dir, bool force, const char **program,
                          at_error *err);

#ifdef __cplusplus
}
#endif
#endif
