/* Options of a training run: one struct, one table of rows (base/option.h), presets. */
#ifndef ATT_TRAIN_TRAIN_OPTIONS_H
#define ATT_TRAIN_TRAIN_OPTIONS_H

#include <stdbool.h>

#include "base/option.h"

typedef enum at_schedule_kind {
    ATT_SCHEDULE_INVERSE_SQRT,
    ATT_SCHEDULE_COSINE,
    ATT_SCHEDULE_LINEAR,
    ATT_SCHEDULE_CONSTANT,
    ATT_SCHEDULE_EXPONENTIAL
} at_schedule_kind;

/* What is learned, which decides the architecture and how text is read. */
typedef enum at_task { ATT_TASK_TRANSLATION, ATT_TASK_LANGUAGE_MODEL } at_task;

/* What makes a validation the best one. */
typedef enum at_best_metric { ATT_BEST_LOSS, ATT_BEST_BLEU, ATT_BEST_CHRF } at_best_metric;

typedef struct at_train_options {
    int task; /* at_task */
    /* data */
    char *text, *valid_text;                             /* of a language model; paths joined by '\n' */
    char *source, *target, *valid_source, *valid_target; /* paths joined by '\n' */
    char *tsv, *valid_tsv, *columns, *cache;
    char *tokenizer, *target_tokenizer;
    int64_t vocab_size, target_vocab_size;
    int subword; /* at_subword */
    bool shared_vocab, byte_fallback;
    double character_coverage, max_ratio;
    int64_t max_tokens;
    double sample_alpha; /* subword sampling, see data/resample.h */
    int64_t sample_best;
    /* batches */
    int64_t batch_tokens, accumulate;
    bool recompute;
    int64_t memory;    /* bytes; 0: no limit */
    int batch_measure; /* at_batch_measure */
    /* optimisation */
    int optimizer; /* at_optimizer */
    int schedule;  /* at_schedule_kind */
    double learning_rate, final_rate, gamma, beta1, beta2, eps, momentum, weight_decay, clip, smoothing, ema;
    int64_t warmup, steps, epochs, seed;
    double minutes;
    /* validation, stopping, files */
    int64_t validate_every, patience, keep, average;
    int best_metric;    /* at_best_metric */
    int valid_tokenize; /* at_bleu_tokenize */
    int64_t valid_sentences, valid_beam;
    double save_minutes;
    char *run;
    /* what is shown */
    char *show; /* sentences joined by '\n' */
    double show_seconds;
    int64_t log_every;
    /* the machine */
    int64_t threads;
    int precision; /* at_precision */
} at_train_options;

extern const at_option at_train_option_table[];

/* What a preset sets, as a list ended by a row with name NULL: options of the run or of the model. NULL for an unknown name. */
typedef struct at_preset_value {
    const char *name, *value;
} at_preset_value;
const at_preset_value *at_preset_find(const char *name);
extern const char *const at_preset_names[]; /* ended by NULL */

/* Whether an option must be the same when a run is continued. */
bool at_train_option_matters(const char *name);

extern const char *const at_task_names[]; /* ended by NULL */
static inline bool at_is_language_model(const at_train_options *options)
{
    return options->task == ATT_TASK_LANGUAGE_MODEL;
}

/* The architecture that a task trains: "transformer". */
const char *at_task_arch(at_task task);
/* Values that hang on others: smoothing where it is left to the task. */
void at_train_options_settle(at_train_options *options);

#endif
