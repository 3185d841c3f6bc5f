/* A run from its options: the folder, the text, the tokenizers and the model are opened or made here, then trainer.c trains.
 * The same with the null backend is the plan of a dry run. */
#include "train/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/profile_backend.h"
#include "base/file.h"
#include "base/json_dump.h"
#include "base/rng.h"
#include "data/text_input.h"
#include "train/optimizer.h"
#include "train/plan.h"
#include "train/run_check.h"
#include "train/run_folder.h"
#include "train/run_recipe.h"
#include "train/run_text.h"
#include "train/run_tokenizers.h"

enum { PATH_BYTES = 4096 };

/* What the text of a corpus is called in the options. */
static at_text_names train_names(const at_train_options *o)
{
    return (at_text_names){o->source, o->target, o->tsv, o->columns, "", o->text};
}

static at_text_names valid_names(const at_train_options *o)
{
    return (at_text_names){o->valid_source, o->valid_target, o->valid_tsv, o->columns, "valid-", o->valid_text};
}

static at_status apply_settings(at_model *model, const at_run_spec *spec, at_error *err)
{
    for (size_t i = 0; i < spec->setting_count; i++) {
        const at_option *row = at_option_find(model->arch->options, spec->settings[i].name);
        if (row == NULL) return at_fail(err, ATT_OPTION, "%s has no option \"%s\"", spec->arch, spec->settings[i].name);
        ATT_TRY(at_option_set(row, model->config, spec->settings[i].value, row->name, err));
    }
    return ATT_OK;
}

/* Learned positions are rows of a table: no sentence may be longer, its end token counted. A stream is cut to fit. */
static at_status check_lengths(const at_model *model, const at_train_options *o, at_error *err)
{
    const int64_t longest = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    if (at_is_language_model(o) || longest == 0 || o->max_tokens < longest) return ATT_OK;
    return at_fail(err, ATT_OPTION,
                   "max-tokens %lld is more than the model has positions for; raise max-positions to %lld, or lower "
                   "max-tokens",
                   (long long)o->max_tokens, (long long)o->max_tokens + 1);
}

/* The model that is asked for, configured for the tokenizers at hand and not built yet. */
static at_status configure(at_model **model, const at_bundle *bundle, const at_run_spec *spec, at_backend *be,
                           at_error *err)
{
    const at_arch *arch = at_arch_find(spec->arch);
    if (arch == NULL) return at_fail(err, ATT_OPTION, "there is no architecture \"%s\"", spec->arch);
    ATT_TRY(at_model_new(model, arch, be, err));
    ATT_TRY(apply_settings(*model, spec, err));
    arch->set_vocab(*model, at_tokenizer_size(bundle->source), at_tokenizer_size(bundle->target),
                    bundle->source == bundle->target);
    return check_lengths(*model, spec->options, err);
}

static at_status build(at_model *model, const at_train_options *o, at_error *err)
{
    ATT_TRY(at_model_build(model, true, err));
    return at_params_keep(&model->params, at_optimizer_state(o), err);
}

static at_status build_and_draw(at_model *model, const at_train_options *o, at_error *err)
{
    at_params *params = &model->params;
    ATT_TRY(build(model, o, err));
    ATT_TRY(at_params_draw(params, (uint64_t)o->seed, err));
    at_optimizer_start(params);
    return ATT_OK;
}

/* The recipe is the run's own, so a block that the checkpoint lacks was lost outside. */
static at_status check_state(const at_params *params, const at_train_options *o, at_error *err)
{
    const unsigned has = (params->moment1 ? ATT_STATE_MOMENT1 : 0) | (params->moment2 ? ATT_STATE_MOMENT2 : 0) |
                         (params->average ? ATT_STATE_AVERAGE : 0);
    if ((at_optimizer_state(o) & ~has) == 0) return ATT_OK;
    return at_fail(
        err, ATT_INPUT,
        "%s/last.safetensors lacks what the optimizer keeps beside the weights; take the checkpoint as it was written",
        o->run);
}

/* cache: folder of the token cache, or NULL */
static at_status read_corpus(at_corpus *corpus, const at_bundle *bundle, const at_train_options *o,
                             const at_text_input *text, const char *cache, const volatile int *cancel, at_error *err)
{
    const at_corpus_spec spec = {.files = text->files,
                                 .judge = {{bundle->source, bundle->target}, {o->max_tokens, o->max_ratio}},
                                 .cache = cache,
                                 .always_cache = o->cache != NULL || text->spooled,
                                 .cancel = cancel};
    ATT_TRY(at_corpus_open(corpus, &spec, err));
    const at_status status = at_run_check_left(corpus, text->files.sources[0], o, err);
    if (status != ATT_OK) at_corpus_free(corpus);
    return status;
}

/* Everything a run holds, so that one function frees it. */
typedef struct run {
    at_train_options options; /* as they are carried out: batches may be cut into parts; texts are the caller's */
    at_text_input train_text, valid_text;
    const char *folder; /* of spooled text and the token cache; NULL: nothing is kept */
    at_bundle bundle;
    at_corpus train_corpus, valid_corpus;
    at_valid_text scored; /* validation sentences that are translated */
    at_resampling resampling;
    at_buf recipe; /* the effective one, written once the data is read */
    int lock;      /* on the run folder; -1: none */
    at_trainer trainer;
} run;

static void run_free(run *r)
{
    at_train_log_close(r->trainer.log);
    at_batcher_free(r->trainer.train);
    at_batcher_free(r->trainer.valid);
    at_corpus_free(&r->train_corpus);
    at_corpus_free(&r->valid_corpus);
    at_valid_text_free(&r->scored);
    at_bundle_free(&r->bundle);
    at_text_input_free(&r->train_text);
    at_text_input_free(&r->valid_text);
    at_buf_free(&r->recipe);
    at_run_folder_release(r->lock);
}

static const volatile int *cancel_of(const run *r)
{
    return r->trainer.hooks ? r->trainer.hooks->cancel : NULL;
}

/* From the checkpoint, or from nothing and not built yet; either way the recipe must be the folder's. */
static at_status open_or_make(run *r, const at_run_spec *spec, at_backend *be, at_error *err)
{
    char path[PATH_BYTES];
    at_model *asked = NULL;
    snprintf(path, sizeof path, "%s/last.safetensors", spec->options->run);
    r->trainer.continued = at_path_exists(path);
    if (r->trainer.continued)
        ATT_TRY(at_checkpoint_open(&r->bundle, &r->trainer.progress, path, be, err));
    else
        ATT_TRY(at_run_tokenizers(&r->bundle, spec->options, &r->train_text, r->folder, err));
    ATT_TRY(at_run_special_tokens(&r->bundle, spec->options, err));
    at_status status = configure(&asked, &r->bundle, spec, be, err);
    if (status == ATT_OK) status = at_run_recipe_settle(&r->recipe, spec, asked, err);
    if (r->trainer.continued || status != ATT_OK) {
        at_model_free(asked);
        return status == ATT_OK ? check_state(&r->bundle.model->params, spec->options, err) : status;
    }
    r->bundle.model = asked;
    return ATT_OK;
}

static at_status open_log(run *r, const at_train_options *o, at_error *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/train.jsonl", o->run);
    const int64_t last_step = r->trainer.continued ? r->trainer.progress.step : -1;
    return at_train_log_open(&r->trainer.log, path, last_step, &r->trainer.seconds_before, err);
}

static at_status log_data(const run *r, at_error *err)
{
    const bool stream = r->train_text.files.one_side;
    json_t *skipped = json_object();
    for (int i = 0; i < ATT_SKIP_KINDS; i++)
        json_object_set_new(skipped, at_skip_name[i], json_integer((json_int_t)r->train_corpus.counts.skipped[i]));
    return at_train_log_add(r->trainer.log,
                            json_pack("{s:s, s:i, s:I, s:o}", "event", "data", "step", 0, stream ? "tokens" : "pairs",
                                      (json_int_t)(stream ? r->train_corpus.id_count : r->train_corpus.count),
                                      "skipped", skipped),
                            err);
}

/* Paths may change between continuations, what they hold may not. */
static at_status settle_text(run *r, const char *folder, at_error *err)
{
    const uint64_t hash[2] = {r->train_corpus.hash, r->valid_corpus.hash};
    const int64_t text = (int64_t)at_rng_key(hash[0], hash[1]);
    if (r->trainer.continued && r->trainer.progress.text != text)
        return at_fail(err, ATT_OPTION,
                       "%s was begun with other text than %s hold now; put the old text back to continue it, or use "
                       "another run folder",
                       folder,
                       r->train_text.files.one_side ? "text and valid-text"
                                                    : "source, target, valid-source and valid-target");
    r->trainer.progress.text = text;
    return ATT_OK;
}

static void note(const run *r, const char *text)
{
    const at_training_event event = {.kind = ATT_TRAINING_NOTED, .pairs = r->train_corpus.count, .text = text};
    if (r->trainer.hooks && r->trainer.hooks->report) r->trainer.hooks->report(r->trainer.hooks->user, &event);
}

static at_status note_vocabularies(const run *r, const at_train_options *o, at_error *err)
{
    at_buf text = {0};
    const at_status status = at_run_describe_vocabularies(&text, &r->bundle, o, err);
    if (status == ATT_OK && text.len > 0) note(r, text.data);
    at_buf_free(&text);
    return status;
}

/* Tells what was left out of a corpus, and what became of its token cache. */
static at_status note_corpus(const run *r, const at_corpus *corpus, const at_text_input *text, at_error *err)
{
    static const char *const uses[] = {"", "tokens from ", "tokens kept in ", "", "the tokens are not kept: "};
    at_buf line = {0}, skipped = {0};
    at_status status = at_run_describe_skipped(corpus, &skipped, err);
    if (status == ATT_OK && skipped.len > 0) {
        status = at_buf_printf(&line, err, "%s: %lld of %lld lines left out: %s", text->files.sources[0],
                               (long long)at_run_count_skipped(corpus), (long long)corpus->counts.lines, skipped.data);
        if (status == ATT_OK) note(r, line.data);
    }
    at_buf_clear(&line);
    if (status == ATT_OK && corpus->cache != ATT_CACHE_NONE) {
        status = at_buf_printf(&line, err, "%s%s", uses[corpus->cache], corpus->cache_note);
        if (status == ATT_OK) note(r, line.data);
    }
    at_buf_free(&line);
    at_buf_free(&skipped);
    return status;
}

/* Validation pairs that are training pairs, too, make the validation loss look better than it is. */
static at_status note_shared(const run *r, at_error *err)
{
    char line[160];
    int64_t shared;
    ATT_TRY(at_corpus_shared(&r->train_corpus, &r->valid_corpus, &shared, err));
    if (shared == 0) return ATT_OK;
    snprintf(line, sizeof line,
             "%lld of %lld validation pairs are training pairs, too; the validation loss will look better than it is",
             (long long)shared, (long long)r->valid_corpus.count);
    note(r, line);
    return ATT_OK;
}

/* Reads both corpora. */
static at_status open_corpora(run *r, const at_train_options *o, at_error *err)
{
    const volatile int *cancel = cancel_of(r);
    ATT_TRY(read_corpus(&r->train_corpus, &r->bundle, o, &r->train_text, r->folder, cancel, err));
    ATT_TRY(note_corpus(r, &r->train_corpus, &r->train_text, err));
    if (r->valid_text.files.count > 0) {
        ATT_TRY(read_corpus(&r->valid_corpus, &r->bundle, o, &r->valid_text, r->folder, cancel, err));
        ATT_TRY(note_corpus(r, &r->valid_corpus, &r->valid_text, err));
        if (!at_is_language_model(o)) ATT_TRY(note_shared(r, err));
    }
    return ATT_OK;
}

static void tidy_text(run *r)
{
    at_text_input_tidy(&r->train_text);
    at_text_input_tidy(&r->valid_text);
}

static at_status open_text(run *r, const at_train_options *o, at_error *err)
{
    if (!r->trainer.continued) ATT_TRY(note_vocabularies(r, o, err));
    if (r->valid_text.files.count == 0 && (o->patience > 0 || o->average > 0))
        note(r, "no validation text: patience and average do nothing, and the newest model counts as the best one");
    ATT_TRY(open_corpora(r, o, err));
    if (at_is_language_model(o))
        r->trainer.tokens = r->train_corpus.id_count;
    else
        r->trainer.pairs = r->train_corpus.count;
    if (r->valid_text.files.count > 0 && at_valid_text_wanted(o)) {
        ATT_TRY(at_valid_text_read(&r->scored, &r->bundle, &r->valid_text.files, o->valid_sentences, err));
        r->trainer.valid_text = &r->scored;
    }
    tidy_text(r);
    r->resampling = (at_resampling){.source = r->bundle.source,
                                    .target = r->bundle.target,
                                    .how = {.alpha = o->sample_alpha, .best = (int)o->sample_best},
                                    .seed = (uint64_t)o->seed,
                                    .max_tokens = o->max_tokens};
    return settle_text(r, o->run, err);
}

/* How the training text is drawn anew each epoch; NULL: it isn't. */
static const at_resampling *resampling_of(const run *r)
{
    return r->resampling.how.alpha > 0 ? &r->resampling : NULL;
}

static at_status make_batchers(run *r, at_error *err)
{
    const at_train_options *o = &r->options;
    ATT_TRY(at_run_batcher(&r->trainer.train, &r->bundle, &r->train_corpus, o, false, resampling_of(r), err));
    if (r->valid_text.files.count == 0) return ATT_OK;
    return at_run_batcher(&r->trainer.valid, &r->bundle, &r->valid_corpus, o, true, NULL, err);
}

/* ---- memory ---- */

static at_plan_input plan_input(const run *r, const at_bundle *bundle, const at_train_options *o)
{
    return (at_plan_input){.bundle = bundle,
                           .train = &r->train_corpus,
                           .valid = r->valid_text.files.count > 0 ? &r->valid_corpus : NULL,
                           .valid_text = r->trainer.valid_text,
                           .options = o,
                           .resampling = resampling_of(r),
                           .cancel = cancel_of(r)};
}

/* Cuts the batches of a run that begins so that it keeps within the memory that it may take. */
static at_status fit(run *r, const at_bundle *on_null, const at_train_options *o, at_plan *plan, at_error *err)
{
    const at_plan_input input = plan_input(r, on_null, o);
    int64_t *parts = &r->trainer.progress.parts;
    char line[200];
    ATT_TRY(at_plan_fit(parts, plan, &input, o->memory, err));
    r->options = at_plan_cut(o, *parts);
    snprintf(line, sizeof line, "memory: batches of %lld tokens, %lld an update%s take %lld MB",
             (long long)r->options.batch_tokens, (long long)r->options.accumulate, *parts > 1 ? "," : " as asked for,",
             (long long)(plan->peak / 1000000));
    note(r, line);
    return ATT_OK;
}

/* The same for a run whose model computes: a second one, on the null backend, stands in for it. */
static at_status fit_stand_in(run *r, const at_run_spec *spec, at_backend *null, at_error *err)
{
    at_bundle stand_in = r->bundle;
    at_plan plan;
    stand_in.model = NULL;
    at_status status = configure(&stand_in.model, &r->bundle, spec, null, err);
    if (status == ATT_OK) status = build(stand_in.model, spec->options, err);
    if (status == ATT_OK) status = fit(r, &stand_in, spec->options, &plan, err);
    at_model_free(stand_in.model);
    return status;
}

/* Chosen once: a run goes on with the batches it began with. */
static at_status take_batches(run *r, const at_train_options *o, at_error *err)
{
    at_progress *p = &r->trainer.progress;
    char line[200];
    if (!r->trainer.continued) p->parts = 1;
    if (p->parts < 1 || p->parts > o->batch_tokens)
        return at_fail(err, ATT_INPUT,
                       "%s/last.safetensors: batches in %lld parts; take the checkpoint as it was written", o->run,
                       (long long)p->parts);
    r->options = at_plan_cut(o, p->parts);
    if (!r->trainer.continued || o->memory == 0) return ATT_OK;
    snprintf(line, sizeof line, "memory: batches were chosen when the run began: %lld tokens, %lld an update",
             (long long)r->options.batch_tokens, (long long)r->options.accumulate);
    note(r, line);
    return ATT_OK;
}

/* Whether memory still decides. */
static bool must_fit(const run *r, const at_train_options *o)
{
    return !r->trainer.continued && o->memory > 0;
}

static at_status settle_batches(run *r, const at_run_spec *spec, at_error *err)
{
    at_backend *null;
    ATT_TRY(take_batches(r, spec->options, err));
    if (!must_fit(r, spec->options)) return ATT_OK;
    ATT_TRY(at_null_backend_new(&null, (at_precision)spec->options->precision, err));
    const at_status status = fit_stand_in(r, spec, null, err);
    null->free(null);
    return status;
}

static at_status plan_batches(run *r, const at_train_options *o, at_plan *plan, at_error *err)
{
    ATT_TRY(take_batches(r, o, err));
    if (must_fit(r, o)) return fit(r, &r->bundle, o, plan, err);
    const at_plan_input input = plan_input(r, &r->bundle, &r->options);
    return at_plan_make(plan, &input, err);
}

/* ---- the run ---- */

static at_status name_text(run *r, const at_train_options *o, at_error *err)
{
    const at_text_names train = train_names(o), valid = valid_names(o);
    ATT_TRY(at_text_input_make(&r->train_text, &train, err));
    ATT_TRY(at_text_input_make(&r->valid_text, &valid, err));
    if (!at_text_input_is_standard(&r->train_text) || !at_text_input_is_standard(&r->valid_text)) return ATT_OK;
    return at_fail(
        err, ATT_OPTION,
        "standard input (\"-\") can be read once, for training or for validation; give a file for the other");
}

static at_status spool_text(run *r, at_error *err)
{
    ATT_TRY(at_text_input_spool(&r->train_text, r->folder, cancel_of(r), err));
    return at_text_input_spool(&r->valid_text, r->folder, cancel_of(r), err);
}

static at_status run_with(run *r, const at_run_spec *spec, const at_training_hooks *hooks, at_backend *be,
                          at_error *err)
{
    const at_train_options *o = spec->options;
    r->trainer.options = &r->options;
    r->trainer.hooks = hooks;
    r->trainer.bundle = &r->bundle;
    r->folder = o->cache ? o->cache : o->run;
    ATT_TRY(name_text(r, o, err));
    ATT_TRY(at_run_folder_hold(o->run, &r->lock, err));
    ATT_TRY(at_path_make_dirs(r->folder, err));
    ATT_TRY(spool_text(r, err));
    ATT_TRY(open_or_make(r, spec, be, err));
    ATT_TRY(open_text(r, o, err));
    ATT_TRY(settle_batches(r, spec, err));
    if (!r->trainer.continued) ATT_TRY(build_and_draw(r->bundle.model, o, err));
    ATT_TRY(make_batchers(r, err));
    ATT_TRY(at_run_recipe_write(&r->recipe, spec, err));
    ATT_TRY(open_log(r, o, err));
    if (!r->trainer.continued) ATT_TRY(log_data(r, err));
    return hooks->profile ? at_trainer_run_profiled(&r->trainer, be, err) : at_trainer_run(&r->trainer, err);
}

at_status at_run(const at_run_spec *spec, const at_training_hooks *hooks, at_error *err)
{
    at_backend *be;
    run r = {.lock = -1};
    ATT_TRY(at_run_check_options(spec->options, err));
    ATT_TRY(
        at_cpu_backend_with_precision(&be, (int)spec->options->threads, (at_precision)spec->options->precision, err));
    if (hooks->profile) ATT_TRY(at_profile_backend_new(&be, be, ATT_PROFILE_WEIGHTS, err));
    const at_status status = run_with(&r, spec, hooks, be, err);
    run_free(&r);
    be->free(be);
    return status;
}

static at_status plan_with(run *r, const at_run_spec *spec, at_backend *be, at_training_plan *out, at_error *err)
{
    const at_train_options *o = spec->options;
    at_plan plan;
    ATT_TRY(name_text(r, o, err));
    ATT_TRY(spool_text(r, err));
    ATT_TRY(open_or_make(r, spec, be, err));
    ATT_TRY(open_text(r, o, err));
    if (!r->trainer.continued) ATT_TRY(build(r->bundle.model, o, err));
    ATT_TRY(plan_batches(r, o, &plan, err));
    *out = (at_training_plan){.pairs = at_is_language_model(o) ? 0 : r->train_corpus.count,
                              .tokens = at_is_language_model(o) ? r->train_corpus.id_count : 0,
                              .skipped = at_run_count_skipped(&r->train_corpus),
                              .source_vocab = at_tokenizer_size(r->bundle.source),
                              .target_vocab = at_tokenizer_size(r->bundle.target),
                              .parameters = at_params_count(&r->bundle.model->params),
                              .batches = plan.batches,
                              .batch_tokens = r->options.batch_tokens,
                              .accumulate = r->options.accumulate,
                              .flop_per_step = plan.flop_per_step,
                              .peak_bytes = plan.peak};
    return ATT_OK;
}

at_status at_run_plan(const at_run_spec *spec, const at_training_hooks *hooks, at_training_plan *plan, at_error *err)
{
    at_backend *be;
    run r = {.lock = -1, .trainer.hooks = hooks};
    *plan = (at_training_plan){0};
    const at_precision precision = (at_precision)spec->options->precision;
    ATT_TRY(at_run_check_options(spec->options, err));
    ATT_TRY(at_cpu_check_precision(precision, err));
    ATT_TRY(at_null_backend_new(&be, precision, err));
    const at_status status = plan_with(&r, spec, be, plan, err);
    run_free(&r);
    be->free(be);
    return status;
}
