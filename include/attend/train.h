/* Training a model from text.
 *
 *   at_training *run;
 *   at_error error;
 *   at_training_new(&run, &error);
 *   at_training_set(run, "source", "train.en", &error);      any option of `attend train --help`, as text
 *   at_training_set(run, "target", "train.de", &error);
 *   at_training_set(run, "run", "runs/first", &error);       a language model: "task" and "text" instead of both
 *   at_training_run(run, &hooks, &error);                     starts it, or continues what is in the folder
 *   at_training_free(run);
 *
 * Read first: status.h. Two runs may go on in two threads; one at_training belongs to one thread at a time. */
#ifndef ATTEND_TRAIN_H
#define ATTEND_TRAIN_H

#include <attend/profile.h>
#include <attend/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct at_training at_training;
struct at_option; /* a row of an option table; opaque to users of the library */

/* With the default of every option; the caller frees it. ATT_MEMORY, and *training is left as it was. */
at_status at_training_new(at_training **training, at_error *err);
void at_training_free(at_training *training); /* NULL is fine */

/* Sets an option by name. ATT_OPTION: unknown name (the nearest one is named) or a value out of range. Paths are relative to the
 * current folder; several are joined by '\n'. */
at_status at_training_set(at_training *training, const char *name, const char *value, at_error *err);
/* Sets what a preset ("tiny", "small", "base", "big") stands for; set it before other options. ATT_OPTION: there is none of that
 * name, and nothing is set; the message lists them. ATT_MEMORY: some of it may be set. */
at_status at_training_preset(at_training *training, const char *name, at_error *err);
/* The settings of a preset one by one, and the names of presets; NULL past the last. */
const char *at_preset_name(int index);
bool at_preset_setting(const char *preset, int index, const char **name, const char **value);

/* For front ends that show or parse options: table number 0 (the run) and from 1 on the models', one a task, with the
 * object its rows describe and a title (static). NULL, and both are left as they were: there is no table of that number. */
const struct at_option *at_training_options(at_training *training, int table, void **object, const char **title);
/* The number of the model's table that option task asks for. */
int at_training_model_table(const at_training *training);

typedef enum at_training_kind {
    ATT_TRAINING_STARTED,   /* data read, model built; text: pairs left out, a vocabulary smaller than asked for */
    ATT_TRAINING_STEP,      /* after every update */
    ATT_TRAINING_LOGGED,    /* every log-every updates: means since the last time */
    ATT_TRAINING_SKIPPED,   /* an update was skipped; text says why */
    ATT_TRAINING_VALIDATED, /* loss and nll on the validation text; bleu and chrf of its translations */
    ATT_TRAINING_SHOWN,     /* text: a sentence of `show`, a TAB, its translation now */
    ATT_TRAINING_SAVED,     /* text: path of the checkpoint */
    ATT_TRAINING_FINISHED,  /* text: why it ended; loss, bleu, chrf: of the best model */
    ATT_TRAINING_NOTED,     /* text: something about the training text that the user should know; before STARTED */
    ATT_TRAINING_PROFILED   /* profile: where the time of training went; last of all */
} at_training_kind;

typedef struct at_training_event {
    at_training_kind kind;
    int64_t step, steps; /* updates done, and at most */
    int64_t epoch;       /* epochs done */
    int64_t seed;        /* of this run */
    int64_t parameters, skipped;
    int64_t pairs, tokens; /* of the training text: sentence pairs, or of a language model tokens; the other is 0 */
    double loss, nll;      /* nats a target token; loss is label-smoothed; negative when finished without validation */
    double bleu, chrf;     /* percent, when validated or finished; negative: nothing was translated */
    double rate, norm;     /* learning rate; norm of the gradient */
    double tokens_per_s;   /* target tokens */
    double seconds, seconds_left;
    bool continued;            /* a checkpoint was found */
    bool improved;             /* the best validation so far (option best-metric) */
    bool averaged;             /* of the mean of the last models */
    const char *text;          /* may be NULL; valid during the call */
    const at_profile *profile; /* likewise */
} at_training_event;

typedef struct at_training_hooks {
    void (*report)(void *user,
                   const at_training_event *event); /* may be NULL; called on the thread that runs the training */
    void *user;
    const volatile int *cancel; /* raised by the caller: a checkpoint is saved, ATT_CANCELLED returned; may be NULL */
    bool profile;               /* report ATT_TRAINING_PROFILED at the end, also of a run that was cancelled */
} at_training_hooks;

/* ATT_CANCELLED and any failure leave the run folder such that the same call continues. hooks may be NULL. ATT_OPTION: options are
 * missing or contradict each other, the text or the recipe that the folder was begun with; ATT_INPUT: a text, a tokenizer or the
 * checkpoint is wrong; ATT_IO: a file can't be read or written, or another run uses the folder; ATT_DIVERGED: the loss is no longer
 * finite; ATT_UNSUPPORTED: the processor lacks the precision or the instruction set; ATT_MEMORY. */
at_status at_training_run(at_training *training, const at_training_hooks *hooks, at_error *err);

/* What the best models of several runs spread over. */
typedef struct at_training_spread {
    int64_t runs;           /* finished */
    double mean, deviation; /* deviation: sample standard deviation, n - 1 below the line; 0 for one run */
} at_training_spread;

typedef struct at_training_seeds {
    at_training_spread loss;       /* validation loss; runs 0 without validation text */
    at_training_spread bleu, chrf; /* runs 0 when nothing was translated */
} at_training_seeds;
/* The same recipe with the seeds seed, seed + 1 ... (count of them, at least 1), each in its own folder run/seed-<seed>, one after the
 * other; a run that is finished is only counted. Options and hooks as for at_training_run; events carry the seed. ATT_CANCELLED and
 * failures leave all folders such that the same call continues. The options seed and run are as before afterwards. */
at_status at_training_run_seeds(at_training *training, int64_t count, const at_training_hooks *hooks,
                                at_training_seeds *seeds, at_error *err);

/* What a run would be, without running it: sizes and memory, computed by a backend that only counts. Memory is that of a
 * process that does nothing else. Reads all text and, when none is
 * given, trains the tokenizer, but keeps nothing. A run that has begun is planned as it would go on; what at_training_run
 * refuses is refused. Of hooks (may be NULL), ATT_TRAINING_NOTED is reported, and cancel gives ATT_CANCELLED. */
typedef struct at_training_plan {
    int64_t pairs, skipped; /* sentence pairs kept and left out; of a language model lines left out */
    int64_t tokens;         /* of a language model's text; else 0 */
    int64_t source_vocab, target_vocab, parameters;
    int64_t batches;                  /* an epoch */
    int64_t batch_tokens, accumulate; /* with the option memory: as cut to fit into it */
    double flop_per_step;             /* of products and attention */
    int64_t peak_bytes;               /* resident at most, the process' base and the text included */
} at_training_plan;
at_status at_training_dry_run(at_training *training, const at_training_hooks *hooks, at_training_plan *plan,
                              at_error *err);

#ifdef __cplusplus
}
#endif
#endif
