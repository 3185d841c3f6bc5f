#include "train/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "train/accumulate.h"
#include "train/run_folder.h"
#include "train/run_recipe.h"

enum { PATH_BYTES = 4096 };

/* Paths joined by '\n' as an array; both freed by path_list_free. */
typedef struct path_list {
    char *text;
    const char **path;
    int count;
} path_list;

static void path_list_free(path_list *list)
{
    free(list->text);
    free(list->path);
    *list = (path_list){0};
}

static at_status path_list_make(path_list *list, const char *joined, at_error *err)
{
    *list = (path_list){0};
    if (joined == NULL || *joined == '\0') return ATT_OK;
    int count = 1;
    for (const char *c = joined; *c; c++) count += *c == '\n';
    list->text = strdup(joined);
    list->path = malloc((size_t)count * sizeof *list->path);
    if (list->text == NULL || list->path == NULL) {
        path_list_free(list);
        return at_fail_memory(err, strlen(joined));
    }
    char *state = NULL;
    for (char *p = strtok_r(list->text, "\n", &state); p; p = strtok_r(NULL, "\n", &state))
        list->path[list->count++] = p;
    return ATT_OK;
}

/* The pair of path lists of one corpus. */
typedef struct corpus_paths {
    path_list source, target;
} corpus_paths;

static void corpus_paths_free(corpus_paths *paths)
{
    path_list_free(&paths->source);
    path_list_free(&paths->target);
}

static at_status corpus_paths_make(corpus_paths *paths, const char *source, const char *target, const char *what,
                                   at_error *err)
{
    *paths = (corpus_paths){0};
    at_status status = path_list_make(&paths->source, source, err);
    if (status == ATT_OK) status = path_list_make(&paths->target, target, err);
    if (status == ATT_OK && paths->source.count != paths->target.count)
        status =
            at_fail(err, ATT_OPTION, "%ssource names %d files and %starget %d; give equally many, in the same order",
                    what, paths->source.count, what, paths->target.count);
    if (status != ATT_OK) corpus_paths_free(paths);
    return status;
}

static at_status open_tokenizer(at_tokenizer **out, const char *path, at_error *err)
{
    at_map map;
    ATT_TRY(at_map_open(&map, path, err));
    const at_status status = at_tokenizer_open(out, map.data, map.size, path, err);
    at_map_close(&map);
    return status;
}

static at_status train_tokenizer(at_tokenizer **out, const at_train_options *o, int64_t size, const path_list *a,
                                 const path_list *b, at_error *err)
{
    const int count = a->count + (b ? b->count : 0);
    const char **paths = malloc((size_t)count * sizeof *paths);
    if (paths == NULL) return at_fail_memory(err, (size_t)count * sizeof *paths);
    for (int i = 0; i < count; i++) paths[i] = i < a->count ? a->path[i] : b->path[i - a->count];
    for (int i = 0; i < count; i++) {
        if (at_path_can_reread(paths[i])) continue;
        at_fail(err, ATT_OPTION,
                "%s: text is read twice, for the vocabulary and for training, which a pipe or standard input can't "
                "give; write it to a file, or give tokenizer",
                paths[i]);
        free(paths);
        return ATT_OPTION;
    }
    const at_tokenizer_spec spec = {.paths = paths,
                                    .path_count = count,
                                    .vocab_size = (int)size,
                                    .model = (at_subword)o->subword,
                                    .character_coverage = o->character_coverage,
                                    .byte_fallback = o->byte_fallback,
                                    .seed = (uint64_t)o->seed,
                                    .max_sentences = 2000000};
    at_buf bytes = {0};
    at_status status = at_tokenizer_train(&spec, &bytes, err);
    if (status == ATT_OK) status = at_tokenizer_open(out, bytes.data, bytes.len, "trained tokenizer", err);
    at_buf_free(&bytes);
    free(paths);
    return status;
}

/* source and target tokenizer: given, or trained on the training text; one for both when shared. */
static at_status make_tokenizers(at_bundle *bundle, const at_train_options *o, const corpus_paths *paths, at_error *err)
{
    const int64_t target_size = o->target_vocab_size > 0 ? o->target_vocab_size : o->vocab_size;
    const bool shared = o->shared_vocab && o->target_tokenizer == NULL;
    if (o->tokenizer)
        ATT_TRY(open_tokenizer(&bundle->source, o->tokenizer, err));
    else
        ATT_TRY(
            train_tokenizer(&bundle->source, o, o->vocab_size, &paths->source, shared ? &paths->target : NULL, err));
    bundle->target = bundle->source;
    if (shared) return ATT_OK;
    bundle->target = NULL;
    if (o->target_tokenizer) return open_tokenizer(&bundle->target, o->target_tokenizer, err);
    return train_tokenizer(&bundle->target, o, target_size, &paths->target, NULL, err);
}

static at_status special_tokens(at_bundle *bundle, at_error *err)
{
    const int32_t eos = at_tokenizer_eos(bundle->target), bos = at_tokenizer_bos(bundle->target),
                  source_eos = at_tokenizer_eos(bundle->source);
    if (eos < 0 || source_eos != eos)
        return at_fail(
            err, ATT_INPUT,
            "the tokenizers need an end token </s> of the same id (source %d, target %d); train them with eos_id 3",
            source_eos, eos);
    bundle->tokens = (at_stored_tokens){bos >= 0 ? bos : eos, eos, at_tokenizer_pad(bundle->target), false};
    return ATT_OK;
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

/* What the tokenizers decide of a model's options, where its architecture has them. */
static at_status set_vocabulary(at_model *model, const at_bundle *bundle, at_error *err)
{
    char source[24], target[24];
    snprintf(source, sizeof source, "%d", at_tokenizer_size(bundle->source));
    snprintf(target, sizeof target, "%d", at_tokenizer_size(bundle->target));
    const at_setting decided[] = {{"source-vocab", source}, {"target-vocab", target}, {"tie-embeddings", "false"}};
    for (int i = 0; i < (bundle->source == bundle->target ? 2 : 3); i++) {
        const at_option *row = at_option_find(model->arch->options, decided[i].name);
        if (row) ATT_TRY(at_option_set(row, model->config, decided[i].value, row->name, err));
    }
    return ATT_OK;
}

/* Learned positions are rows of a table: no sentence may be longer, its end token counted. */
static at_status check_lengths(const at_model *model, const at_train_options *o, at_error *err)
{
    const int64_t longest = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    if (longest == 0 || o->max_tokens < longest) return ATT_OK;
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
    ATT_TRY(set_vocabulary(*model, bundle, err));
    return check_lengths(*model, spec->options, err);
}

static at_status build_and_draw(at_model *model, const at_run_spec *spec, at_error *err)
{
    ATT_TRY(at_model_build(model, true, err));
    return at_params_draw(&model->params, (uint64_t)spec->options->seed, err);
}

static at_status read_corpus(at_corpus *corpus, const at_bundle *bundle, const at_train_options *o,
                             const corpus_paths *paths, at_error *err)
{
    const at_corpus_limits limits = {o->max_tokens, o->max_ratio};
    ATT_TRY(at_corpus_read(corpus, paths->source.path, paths->target.path, paths->source.count, bundle->source,
                           bundle->target, &limits, err));
    if (corpus->count > 0) return ATT_OK;
    const int64_t lines = corpus->lines;
    at_corpus_free(corpus);
    if (lines == 0) return at_fail(err, ATT_INPUT, "%s is empty; give text", paths->source.path[0]);
    return at_fail(err, ATT_INPUT, "%s: of %lld lines no sentence pair is left; see max-tokens and max-ratio",
                   paths->source.path[0], (long long)lines);
}

/* "left out 3 of 600 pairs of train.en: 2 empty (first: line 9), 1 too-long (line 12)"; nothing when none were. */
static at_status describe_skipped(at_buf *text, const at_corpus *corpus, const corpus_paths *paths, at_error *err)
{
    const char *between = ":";
    if (corpus->lines == corpus->count) return ATT_OK;
    ATT_TRY(at_buf_printf(text, err, "%sleft out %lld of %lld pairs of %s%s", text->len > 0 ? "; " : "",
                          (long long)(corpus->lines - corpus->count), (long long)corpus->lines, paths->source.path[0],
                          paths->source.count > 1 ? " and others" : ""));
    for (int i = 0; i < ATT_SKIP_KINDS; i++) {
        if (corpus->skipped[i] == 0) continue;
        ATT_TRY(at_buf_printf(text, err, "%s %lld %s (%sline %lld)", between, (long long)corpus->skipped[i],
                              at_skip_name[i], corpus->skipped[i] > 1 ? "first: " : "",
                              (long long)corpus->first_skipped[i]));
        between = ",";
    }
    return ATT_OK;
}

static at_status make_batcher(at_batcher **batcher, const at_bundle *bundle, const at_corpus *corpus,
                              const at_train_options *o, bool valid, at_error *err)
{
    const at_batcher_options options = {o->batch_tokens,
                                        (at_batch_measure)o->batch_measure,
                                        (uint64_t)o->seed,
                                        bundle->tokens.eos,
                                        bundle->tokens.target_start,
                                        bundle->tokens.eos,
                                        valid};
    return at_batcher_new(batcher, corpus, &options, err);
}

/* Everything a run holds, so that one function frees it. */
typedef struct run {
    corpus_paths train_paths, valid_paths;
    at_bundle bundle;
    at_corpus train_corpus, valid_corpus;
    at_buf recipe, notes; /* texts: the effective recipe, and what the user should know of the data */
    int lock;             /* on the run folder; -1: none */
    at_trainer trainer;
} run;

static void run_free(run *r)
{
    at_train_log_close(r->trainer.log);
    at_batcher_free(r->trainer.train);
    at_batcher_free(r->trainer.valid);
    at_corpus_free(&r->train_corpus);
    at_corpus_free(&r->valid_corpus);
    at_bundle_free(&r->bundle);
    corpus_paths_free(&r->train_paths);
    corpus_paths_free(&r->valid_paths);
    at_buf_free(&r->recipe);
    at_buf_free(&r->notes);
    at_run_folder_release(r->lock);
}

static at_status check_options(const at_run_spec *spec, at_error *err)
{
    const at_train_options *o = spec->options;
    if (o->run == NULL) return at_fail(err, ATT_OPTION, "no run folder; give run: FOLDER or -o FOLDER");
    if (o->source == NULL || o->target == NULL)
        return at_fail(err, ATT_OPTION, "no training text; give source and target");
    if ((o->valid_source == NULL) != (o->valid_target == NULL))
        return at_fail(err, ATT_OPTION, "valid-source and valid-target belong together; give both or none");
    if (o->valid_source == NULL && (o->patience > 0 || o->average > 0))
        return at_fail(
            err, ATT_OPTION,
            "patience and average need validation text; give valid-source and valid-target, or set both to 0");
    return ATT_OK;
}

/* From the checkpoint, or from nothing; either way the recipe must be the folder's. */
static at_status open_or_make(run *r, const at_run_spec *spec, at_backend *be, at_error *err)
{
    char path[PATH_BYTES];
    at_model *asked = NULL;
    snprintf(path, sizeof path, "%s/last.safetensors", spec->options->run);
    r->trainer.continued = at_path_exists(path);
    if (r->trainer.continued)
        ATT_TRY(at_checkpoint_open(&r->bundle, &r->trainer.progress, path, be, err));
    else
        ATT_TRY(make_tokenizers(&r->bundle, spec->options, &r->train_paths, err));
    ATT_TRY(special_tokens(&r->bundle, err));
    at_status status = configure(&asked, &r->bundle, spec, be, err);
    if (status == ATT_OK) status = at_run_recipe_settle(&r->recipe, spec, asked, err);
    if (r->trainer.continued || status != ATT_OK) {
        at_model_free(asked);
        return status;
    }
    r->bundle.model = asked;
    return build_and_draw(asked, spec, err);
}

static at_status open_log(run *r, const at_train_options *o, at_error *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/train.jsonl", o->run);
    const int64_t last_step = r->trainer.continued ? r->trainer.progress.step : -1;
    return at_train_log_open(&r->trainer.log, path, last_step, &r->trainer.seconds_before, err);
}

/* Training a vocabulary takes its size as a limit: little text has fewer pieces. */
static at_status describe_vocabulary(at_buf *text, const at_tokenizer *tokenizer, int64_t wanted, const char *side,
                                     at_error *err)
{
    const int pieces = at_tokenizer_size(tokenizer);
    if (pieces >= wanted) return ATT_OK;
    return at_buf_printf(text, err, "%sthe %svocabulary has only %d pieces, as the text gives no more",
                         text->len > 0 ? "; " : "", side, pieces);
}

static at_status describe_vocabularies(at_buf *text, const at_bundle *bundle, const at_train_options *o, at_error *err)
{
    const bool shared = bundle->source == bundle->target;
    if (o->tokenizer == NULL)
        ATT_TRY(describe_vocabulary(text, bundle->source, o->vocab_size, shared ? "" : "source ", err));
    if (shared || o->target_tokenizer != NULL) return ATT_OK;
    const int64_t wanted = o->target_vocab_size > 0 ? o->target_vocab_size : o->vocab_size;
    return describe_vocabulary(text, bundle->target, wanted, "target ", err);
}

static at_status log_data(const run *r, at_error *err)
{
    json_t *skipped = json_object();
    for (int i = 0; i < ATT_SKIP_KINDS; i++)
        json_object_set_new(skipped, at_skip_name[i], json_integer((json_int_t)r->train_corpus.skipped[i]));
    return at_train_log_add(r->trainer.log,
                            json_pack("{s:s, s:i, s:I, s:o}", "event", "data", "step", 0, "pairs",
                                      (json_int_t)r->train_corpus.count, "skipped", skipped),
                            err);
}

/* Paths may change between continuations, what they hold may not. */
static at_status settle_text(run *r, const char *folder, at_error *err)
{
    const uint64_t hash[2] = {r->train_corpus.hash, r->valid_corpus.hash};
    const int64_t text = (int64_t)at_rng_key(hash[0], hash[1]);
    if (r->trainer.continued && r->trainer.progress.text != text)
        return at_fail(err, ATT_OPTION,
                       "%s was begun with other text than source, target, valid-source and valid-target hold now; put "
                       "the old text back to continue it, or use another run folder",
                       folder);
    r->trainer.progress.text = text;
    return ATT_OK;
}

static at_status open_data(run *r, const at_train_options *o, at_error *err)
{
    ATT_TRY(read_corpus(&r->train_corpus, &r->bundle, o, &r->train_paths, err));
    ATT_TRY(make_batcher(&r->trainer.train, &r->bundle, &r->train_corpus, o, false, err));
    r->trainer.pairs = r->train_corpus.count;
    if (o->valid_source != NULL) {
        ATT_TRY(read_corpus(&r->valid_corpus, &r->bundle, o, &r->valid_paths, err));
        ATT_TRY(make_batcher(&r->trainer.valid, &r->bundle, &r->valid_corpus, o, true, err));
    }
    ATT_TRY(describe_skipped(&r->notes, &r->train_corpus, &r->train_paths, err));
    if (o->valid_source != NULL) ATT_TRY(describe_skipped(&r->notes, &r->valid_corpus, &r->valid_paths, err));
    if (!r->trainer.continued) ATT_TRY(describe_vocabularies(&r->notes, &r->bundle, o, err));
    r->trainer.notes = r->notes.len > 0 ? r->notes.data : NULL;
    return settle_text(r, o->run, err);
}

static at_status run_with(run *r, const at_run_spec *spec, const at_training_hooks *hooks, at_backend *be,
                          at_error *err)
{
    const at_train_options *o = spec->options;
    r->trainer.options = o;
    r->trainer.hooks = hooks;
    r->trainer.bundle = &r->bundle;
    ATT_TRY(corpus_paths_make(&r->train_paths, o->source, o->target, "", err));
    ATT_TRY(corpus_paths_make(&r->valid_paths, o->valid_source, o->valid_target, "valid-", err));
    ATT_TRY(at_run_folder_hold(o->run, &r->lock, err));
    ATT_TRY(open_or_make(r, spec, be, err));
    ATT_TRY(open_data(r, o, err));
    ATT_TRY(at_run_recipe_write(&r->recipe, spec, err));
    ATT_TRY(open_log(r, o, err));
    if (!r->trainer.continued) ATT_TRY(log_data(r, err));
    return at_trainer_run(&r->trainer, err);
}

at_status at_run(const at_run_spec *spec, const at_training_hooks *hooks, at_error *err)
{
    at_backend *be;
    run r = {.lock = -1};
    ATT_TRY(check_options(spec, err));
    ATT_TRY(at_cpu_backend_new(&be, (int)spec->options->threads, NULL, err));
    const at_status status = run_with(&r, spec, hooks, be, err);
    run_free(&r);
    be->free(be);
    return status;
}

/* An update with the batches that need most memory: the longest ones, which stand last in the sorted order. */
static at_status plan_update(const run *r, const at_train_options *o, at_backend *be, at_training_plan *plan,
                             at_error *err)
{
    at_batcher *batcher = NULL;
    at_ctx ctx;
    at_loss sum;
    ATT_TRY(make_batcher(&batcher, &r->bundle, &r->train_corpus, o, true, err));
    at_ctx_init(&ctx, be);
    at_status status = at_batcher_start(batcher, 0, &plan->batches, err);
    for (int64_t i = 0; i < plan->batches && status == ATT_OK; i++) {
        const double before = at_null_backend_counts(be).flop;
        at_params_clear_grad(&r->bundle.model->params);
        status = at_accumulate(&ctx, r->bundle.model, batcher, i, 1, (float)o->smoothing, 0, &sum, err);
        plan->flop_per_step += at_null_backend_counts(be).flop - before;
    }
    if (plan->batches > 0) plan->flop_per_step *= (double)o->accumulate / (double)plan->batches;
    at_ctx_free(&ctx);
    at_batcher_free(batcher);
    return status;
}

static at_status plan_with(run *r, const at_run_spec *spec, at_backend *be, at_training_plan *plan, at_error *err)
{
    const at_train_options *o = spec->options;
    ATT_TRY(corpus_paths_make(&r->train_paths, o->source, o->target, "", err));
    ATT_TRY(corpus_paths_make(&r->valid_paths, o->valid_source, o->valid_target, "valid-", err));
    ATT_TRY(make_tokenizers(&r->bundle, o, &r->train_paths, err));
    ATT_TRY(special_tokens(&r->bundle, err));
    ATT_TRY(configure(&r->bundle.model, &r->bundle, spec, be, err));
    ATT_TRY(build_and_draw(r->bundle.model, spec, err));
    ATT_TRY(read_corpus(&r->train_corpus, &r->bundle, o, &r->train_paths, err));
    plan->pairs = r->train_corpus.count;
    for (int i = 0; i < ATT_SKIP_KINDS; i++) plan->skipped += r->train_corpus.skipped[i];
    plan->source_vocab = at_tokenizer_size(r->bundle.source);
    plan->target_vocab = at_tokenizer_size(r->bundle.target);
    plan->parameters = at_params_count(&r->bundle.model->params);
    ATT_TRY(plan_update(r, o, be, plan, err));
    plan->peak_bytes = (int64_t)at_null_backend_counts(be).peak_bytes;
    return ATT_OK;
}

at_status at_run_plan(const at_run_spec *spec, at_training_plan *plan, at_error *err)
{
    at_backend *be;
    run r = {.lock = -1};
    *plan = (at_training_plan){0};
    ATT_TRY(check_options(spec, err));
    ATT_TRY(at_null_backend_new(&be, err));
    const at_status status = plan_with(&r, spec, be, plan, err);
    run_free(&r);
    be->free(be);
    return status;
}
