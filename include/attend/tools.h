/* Tools beside models: scores of translations, parallel text (checking, making up, gathering), a look into model files and their mean,
 * learning curves, facts about the build.
 *
 * Paths may be plain or gzipped where text is read, and "-" is standard input. Nothing here needs a model or keeps
 * state; every function may be called from several threads at once. Read first: status.h. */
#ifndef ATTEND_TOOLS_H
#define ATTEND_TOOLS_H

#include <attend/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- scores ---- */

/* Percent. BLEU, chrF, chrF++ and TER have the numbers of sacreBLEU 2.6 with its default settings (Post 2018); the more
 * the better, save for TER and word error rate, which may exceed 100. Of several references each metric takes, line by
 * line, the best one or the parts that match, as its authors do. */
typedef enum at_evaluate_metric {
    ATT_EVALUATE_BLEU,       /* Papineni et al. 2002 */
    ATT_EVALUATE_CHRF,       /* Popović 2015: n-grams of characters, F2 */
    ATT_EVALUATE_CHRF_WORDS, /* chrF++, Popović 2017: n-grams of words too */
    ATT_EVALUATE_TER,        /* Snover et al. 2006: edits and shifts per word of the reference; always lower-cased */
    ATT_EVALUATE_ROUGE_1,    /* Lin 2004: mean F1 of words; a-z and 0-9 only, lower-cased, no stemming */
    ATT_EVALUATE_ROUGE_2,    /* of pairs of words */
    ATT_EVALUATE_ROUGE_L,    /* of the longest common subsequence */
    ATT_EVALUATE_ROUGE_LSUM, /* the same by sentences, which the two characters \n end */
    ATT_EVALUATE_WER,        /* word error rate: edits per word of the reference; words as they are */
    ATT_EVALUATE_EXACT,      /* lines that equal their reference */
    ATT_EVALUATE_F1,         /* Rajpurkar et al. 2016: mean F1 of words; no punctuation, articles and case */
    ATT_EVALUATE_METRICS     /* their number */
} at_evaluate_metric;

/* How BLEU cuts a line into tokens; sacreBLEU's tokenizers of these names. */
typedef enum at_evaluate_tokenize {
    ATT_EVALUATE_13A,
    ATT_EVALUATE_INTL,
    ATT_EVALUATE_ZH,
    ATT_EVALUATE_CHAR,
    ATT_EVALUATE_NONE
} at_evaluate_tokenize;

typedef struct at_evaluate_args {
    const char *hypotheses;        /* path: one translation a line */
    const char *const *references; /* (reference_count) paths: as many lines each */
    size_t reference_count;        /* at least 1 */
    const char *const *against;    /* (against_count) paths: outputs of other systems, to compare with */
    size_t against_count;
    bool metric[ATT_EVALUATE_METRICS]; /* which scores */
    at_evaluate_tokenize tokenize;     /* BLEU only */
    bool lowercase;
    int64_t samples;            /* of the bootstrap; 0: no bootstrap */
    uint64_t seed;              /* of the bootstrap */
    const volatile int *cancel; /* raised by the caller to stop: ATT_CANCELLED; may be NULL */
} at_evaluate_args;

typedef struct at_metric_score {
    double score;
    double mean, interval; /* of the bootstrap's samples; interval: half the width of their central 95 % */
    double p_value;        /* of the paired bootstrap (Koehn 2004): of the difference to args->hypotheses */
    char signature[128];   /* settings in sacreBLEU's form: "nrefs:1|case:mixed|...|version:attend-0.1.0" */
} at_metric_score;

typedef struct at_scores {
    int64_t lines;
    at_metric_score metric[ATT_EVALUATE_METRICS];
    double precisions[4];                        /* of BLEU: percent, n-grams of 1 .. 4 tokens */
    double brevity_penalty;                      /* 0 .. 1 */
    int64_t hypothesis_length, reference_length; /* tokens */
} at_scores;

/* Scores of a corpus; those not asked for are 0. scores (1 + against_count): of args->hypotheses, then of the others.
 * Where samples are drawn, the same ones for all systems, the numbers are sacreBLEU's for that seed. ATT_INPUT: files
 * of unequal length or without lines; ATT_OPTION: no reference, or standard input named twice. */
at_status at_evaluate(const at_evaluate_args *args, at_scores *scores, at_error *err);
/* "bleu", "chrf", "chrf++", "ter", "rouge1", "rouge2", "rougeL", "rougeLsum", "wer", "exact", "f1"; static. NULL: it is no metric. */
const char *at_evaluate_metric_name(at_evaluate_metric metric);

/* ---- made-up parallel text ---- */

typedef enum at_phrases_language { ATT_PHRASES_ZH, ATT_PHRASES_DE, ATT_PHRASES_EN } at_phrases_language;

/* The held-out part, about one sentence in ten, has combinations of words that the training part never has; a sentence
 * is always on the same side, whatever the seed. */
typedef enum at_phrases_split { ATT_PHRASES_ALL, ATT_PHRASES_TRAIN, ATT_PHRASES_HELD_OUT } at_phrases_split;

typedef struct at_make_phrases_args {
    const char *source_path, *target_path; /* written whole or not at all */
    at_phrases_language source, target;
    at_phrases_split split;
    int64_t pairs;
    uint64_t seed;
    bool distinct;              /* no source sentence twice */
    const volatile int *cancel; /* raised by the caller to stop: ATT_CANCELLED, nothing is written; may be NULL */
} at_make_phrases_args;

/* Two files, parallel line by line; the same arguments give the same bytes. ATT_OPTION: the two languages are one, or
 * there are not so many distinct sentences. */
at_status at_make_phrases(const at_make_phrases_args *args, at_error *err);

/* ---- parallel text that is installed: translated messages of programs ---- */

typedef struct at_make_catalogs_args {
    const char *language; /* as folders name it: "de", "pt_BR" */
    const char *dirs;     /* folders with LANGUAGE/LC_MESSAGES/NAME.mo, joined by '\n'; NULL: the system's */
    const char *source_path, *target_path; /* English and the language; written whole or not at all */
    bool formats;                          /* keep messages with places for values, such as "%s" */
    const volatile int *cancel;            /* as above; may be NULL */
} at_make_catalogs_args;

typedef struct at_catalogs_result {
    int64_t pairs;    /* written, each one once */
    int64_t messages; /* translations read */
    int64_t catalogs; /* files that they come from */
    int64_t damaged;  /* files passed over: no catalog, damaged, or of an unknown encoding */
    int64_t unusable; /* messages that are no valid text in their catalog's encoding */
} at_catalogs_result;

/* The same catalogs give the same bytes. ATT_INPUT: there are none for the language; the message says for which. */
at_status at_make_catalogs(const at_make_catalogs_args *args, at_catalogs_result *result, at_error *err);

/* ---- parallel text: checking ---- */

/* Paths are plain or .gz; one of them may be "-". */
typedef struct at_check_data_args {
    const char *source, *target;              /* parallel line by line; or, with target NULL, columns of source */
    const char *columns;                      /* of source and target, from 1, separated by TABs: "1,2" */
    const char *model;                        /* a model whose tokenizers measure lengths; or */
    const char *tokenizer, *target_tokenizer; /* SentencePiece models; the second NULL: as the first. All NULL: lengths
                                                 are counted in characters */
    int64_t max_length;                       /* of a side; 0: 256 pieces, as training's default, or 1000 characters */
    double max_ratio;                         /* longer / shorter side; 0: off */
    const char *output; /* the kept pairs are written, cleaned, to "<output>.source" and "<output>.target"; NULL: not */
    const volatile int *cancel; /* as above; may be NULL */
} at_check_data_args;

/* One kind of thing that was found. */
typedef struct at_data_finding {
    const char *kind; /* "empty-source" */
    const char *help; /* what it means, in a few words */
    bool left_out;    /* training leaves such pairs out; else it takes them */
    int64_t count;    /* pairs; one may count for several kinds that training takes, but for one that it leaves out */
    int64_t lines[5]; /* numbers of the first ones, from 1 */
    int line_count;
} at_data_finding;

typedef struct at_data_report {
    int64_t lines, kept;          /* pairs read; those that training takes */
    int64_t written;              /* pairs of the cleaned text; 0 when none was asked for */
    bool in_pieces;               /* how lengths were measured; else in characters */
    const char *script[2];        /* of source and target: of most lines; NULL when mixed */
    double script_share[2];       /* 0 .. 1, of the lines with letters */
    at_data_finding findings[32]; /* of what was found, in a fixed order */
    int finding_count;
    at_error stop; /* why training would stop at this text; status ATT_OK: it wouldn't. Then nothing is written */
} at_data_report;

/* Fails only when the check itself can't go on: options, files that can't be read, memory. */
at_status at_check_data(const at_check_data_args *args, at_data_report *report, at_error *err);

/* ---- model files ---- */

typedef struct at_inspected_option {
    const char *name, *value;
} at_inspected_option;

typedef struct at_inspected_tensor {
    const char *name;
    const char *dtype; /* "F32" */
    int rank;
    int64_t dim[8]; /* outermost first */
    uint64_t bytes;
} at_inspected_tensor;

/* What a model file holds. Texts belong to it. */
typedef struct at_inspection {
    const char *architecture; /* NULL: weights of another program, without options, vocabulary and tokens */
    const at_inspected_option *options;
    size_t option_count;
    const at_inspected_tensor *tensors; /* of the weights */
    size_t tensor_count;
    uint64_t parameters;            /* numbers in them */
    int64_t vocabulary[2];          /* pieces for source and target; 0: no tokenizer in the file */
    bool shared_vocabulary;         /* the target uses the source's */
    int32_t target_start, eos, pad; /* token ids; pad -1: none */
    bool training_state;            /* optimizer moments are there: training can go on from this file */
    uint64_t file_bytes;
    bool hashed;      /* attend's checksum is there, and right */
    const char *info; /* JSON: where the model came from; "{}" when nothing is known */
} at_inspection;

/* Reads any safetensors file; attend's are checked to the last bit. The caller frees *inspection, NULL on failure, with
 * at_inspection_free(). ATT_IO: the file can't be read; ATT_INPUT: it is no safetensors file, or damaged; ATT_UNSUPPORTED: a number type
 * or a format of attend's that this version doesn't read; ATT_MEMORY. */
at_status at_inspect(at_inspection **inspection, const char *path, at_error *err);
void at_inspection_free(at_inspection *inspection); /* NULL is fine */

/* Writes to `path` the mean of the weights of `count` models of one kind: same architecture, options, special tokens and vocabulary. The
 * rest is the first one's; attend.info names them all. ATT_OPTION: no model, or `path` is one of them; ATT_INPUT names what differs. */
at_status at_average(const char *const *models, int count, const char *path, at_error *err);

/* ---- learning curves ---- */

typedef enum at_plot_format {
    ATT_PLOT_SVG,  /* a picture that needs nothing else */
    ATT_PLOT_HTML, /* the same in a web page */
    ATT_PLOT_TEXT, /* lines for a terminal, in braille */
    ATT_PLOT_ASCII /* the same in ASCII */
} at_plot_format;

typedef struct at_plot_curves_args {
    const char *const *runs; /* run folders of `attend train`, or their train.jsonl */
    int count;
    bool minutes; /* x: minutes of training; else steps */
    at_plot_format format;
    int columns; /* of a terminal, at least 40 */
    bool colour; /* ANSI colours, of a terminal */
} at_plot_curves_args;

/* Loss of training and validation, and what else the validations tell: perplexity, BLEU, chrF. *text is malloc'ed. A run that is going
 * on may be drawn. ATT_OPTION: no run, or too few columns; ATT_INPUT: a line that no run writes, or nothing to draw. */
at_status at_plot_curves(const at_plot_curves_args *args, char **text, at_error *err);

/* ---- this build ---- */

const char *at_version(void); /* "0.1.0" */

/* The instruction set that products run on: the best that this processor has, or the one that the environment variable
 * ATTEND_ISA names. ATT_UNSUPPORTED: the processor lacks that one. */
at_status at_instruction_set(const char **name, at_error *err);
/* All that this processor runs, the best last; returns how many (at most max). */
int at_instruction_sets(const char **names, int max);

typedef struct at_library {
    const char *name;
    char version[24]; /* empty when the library doesn't tell */
} at_library;

/* The libraries that this build uses, with the versions found at run time; returns how many (at most max). */
int at_libraries(at_library *list, int max);
const char *at_compiler(void); /* "gcc 12.2.0" */

#ifdef __cplusplus
}
#endif
#endif
