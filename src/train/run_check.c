/* See run_check.h. */
#include "train/run_check.h"

#include <stddef.h>

#include "backend/backend.h"
#include "text/tokenizer.h"

/* The first of the given options that the task has no use for, or NULL. */
static const char *useless_option(const at_train_options *o)
{
    const bool lm = at_is_language_model(o);
    const struct {
        const char *name;
        bool given;
    } options[] = {{"source", lm && o->source},
                   {"target", lm && o->target},
                   {"valid-source", lm && o->valid_source},
                   {"valid-target", lm && o->valid_target},
                   {"tsv", lm && o->tsv},
                   {"valid-tsv", lm && o->valid_tsv},
                   {"target-tokenizer", lm && o->target_tokenizer},
                   {"valid-sentences", lm && o->valid_sentences > 0},
                   {"sample-alpha", lm && o->sample_alpha > 0},
                   {"text", !lm && o->text},
                   {"valid-text", !lm && o->valid_text}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given) return options[i].name;
    return NULL;
}

static at_status check_task(const at_train_options *o, at_error *err)
{
    const char *useless = useless_option(o);
    if (useless != NULL)
        return at_fail(err, ATT_OPTION, "%s is no option of task %s; leave it out, or set task to %s", useless,
                       at_task_names[o->task], at_task_names[!o->task]);
    if (at_is_language_model(o) && o->text == NULL)
        return at_fail(err, ATT_OPTION, "no training text; give text: FILE");
    if (at_is_language_model(o) && o->best_metric != ATT_BEST_LOSS)
        return at_fail(err, ATT_OPTION, "best-metric is of translations; a language model has loss alone");
    return ATT_OK;
}

at_status at_run_check_options(const at_train_options *o, at_error *err)
{
    if (o->run == NULL) return at_fail(err, ATT_OPTION, "no run folder; give run: FOLDER or -o FOLDER");
    ATT_TRY(check_task(o, err));
    const bool validates = o->valid_source != NULL || o->valid_tsv != NULL || o->valid_text != NULL;
    if (!at_is_language_model(o) && o->source == NULL && o->target == NULL && o->tsv == NULL)
        return at_fail(err, ATT_OPTION, "no training text; give source and target, or tsv");
    if (o->sample_alpha > 0 && o->subword == ATT_SUBWORD_CHAR)
        return at_fail(err, ATT_OPTION, "sample-alpha draws other pieces, but subword char has one of each text");
    if (!validates && o->best_metric != ATT_BEST_LOSS)
        return at_fail(
            err, ATT_OPTION,
            "best-metric needs validation text; give valid-source and valid-target, or valid-tsv, or set it to loss");
    if (o->momentum > 0 && o->optimizer != ATT_OPTIMIZER_SGD && o->optimizer != ATT_OPTIMIZER_RMSPROP)
        return at_fail(err, ATT_OPTION, "momentum is for sgd and rmsprop; Adam's is beta1");
    return ATT_OK;
}
