/* attend train: a run from a recipe, a preset or options. */
#include <attend/train.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/profile_output.h"
#include "cli/recipe.h"

typedef struct train_state {
    char *preset;
    bool dry_run, json, profile;
    int64_t seeds;
    at_training *training;
} train_state;

#define FIELD(name) offsetof(train_state, name)

static const at_option preset_option[] = {
    {.name = "preset",
     .type = ATT_OPT_TEXT,
     .offset = FIELD(preset),
     .help = "shape and settings of a known kind: tiny, small, base, big; the recipe and other options override it"},
    {0},
};

static const at_option options[] = {
    {.name = "seeds",
     .type = ATT_OPT_INT,
     .offset = FIELD(seeds),
     .def = "0",
     .max = 1e6,
     .help = "train so many models with the seeds seed, seed+1, ... in folders seed-N of the run folder, and print "
             "mean and standard deviation of their best validations; 0: one model in the run folder itself"},
    {.name = "dry-run",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(dry_run),
     .def = "false",
     .help = "read and check everything, print sizes and memory, train nothing"},
    {.name = "profile",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(profile),
     .def = "false",
     .help = "at the end, print what each operation took, and how much of the machine's peak that is"},
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(json),
     .def = "false",
     .help = "print events as JSON objects, one a line"},
    {0},
};

static const at_positional positionals[] = {
    {"RECIPE", "a YAML file with the options of the run", ATT_OPTIONAL},
    {0},
};

static at_status bind(at_cli *cli, void *state, at_error *err)
{
    train_state *s = state;
    ATT_TRY(at_training_new(&s->training, err));
    at_arguments_group(&cli->arguments, "Start", preset_option, s, true);
    const at_option *rows;
    void *object;
    const char *title;
    for (int table = 0; (rows = at_training_options(s->training, table, &object, &title)) != NULL; table++)
        (table == 0 ? at_arguments_group : at_arguments_alternative)(&cli->arguments, title, rows, object, true);
    return ATT_OK;
}

static at_status add_preset(at_cli *cli, at_training *training, const char *preset, at_error *err)
{
    char place[64];
    const char *name, *value;
    if (!at_preset_setting(preset, 0, &name, &value)) return at_training_preset(training, preset, err); /* refuses it */
    snprintf(place, sizeof place, "preset %.40s", preset);
    for (int i = 0; at_preset_setting(preset, i, &name, &value); i++)
        ATT_TRY(at_arguments_add(&cli->arguments, ATT_FROM_PRESET, name, value, place, err));
    return ATT_OK;
}

/* Of the models' options, those of the task that is asked for. */
static at_status choose_model(at_cli *cli, train_state *s, at_error *err)
{
    char why[120];
    void *object;
    const char *title;
    ATT_TRY(at_arguments_apply_one(&cli->arguments, "task", err));
    const int table = at_training_model_table(s->training);
    at_training_options(s->training, table, &object, &title);
    snprintf(why, sizeof why, "%s; leave it out, or set another task", strstr(title, "of task"));
    return at_arguments_choose(&cli->arguments, object, why, err);
}

static at_status prepare(at_cli *cli, void *state, at_error *err)
{
    train_state *s = state;
    if (cli->arguments.positional_count > 0)
        ATT_TRY(at_recipe_read(&cli->arguments, cli->arguments.positional[0], err));
    const char *preset = at_arguments_value(&cli->arguments, "preset");
    if (preset) ATT_TRY(add_preset(cli, s->training, preset, err));
    return choose_model(cli, s, err);
}

/* What a report needs: where to print, and how. */
typedef struct reporter {
    at_output *output;
    bool json;
} reporter;

static void print_event_json(at_output *output, const at_training_event *e)
{
    static const char *const names[] = {"started", "step",  "logged",   "skipped", "validated",
                                        "shown",   "saved", "finished", "noted",   "profiled"};
    json_t *object = json_pack("{s:s, s:I, s:I, s:o, s:o, s:f, s:f}", "event", names[e->kind], "step",
                               (json_int_t)e->step, "epoch", (json_int_t)e->epoch, "loss", at_json_number(e->loss),
                               "nll", at_json_number(e->nll), "tokens_per_s", e->tokens_per_s, "seconds", e->seconds);
    json_object_set_new(object, "seed", json_integer((json_int_t)e->seed));
    const bool scored = (e->kind == ATT_TRAINING_VALIDATED || e->kind == ATT_TRAINING_FINISHED) && e->bleu >= 0;
    if (scored) json_object_set_new(object, "bleu", json_real(e->bleu));
    if (scored) json_object_set_new(object, "chrf", json_real(e->chrf));
    if (e->text) json_object_set_new(object, "text", at_json_text(e->text));
    if (e->profile) json_object_set_new(object, "profile", at_profile_json(e->profile));
    at_print_json(output, object, NULL);
}

static void print_step(at_output *output, const at_training_event *e)
{
    char left[32];
    at_duration(e->seconds_left, left);
    at_live(output, "epoch %" PRId64 "  step %" PRId64 "/%" PRId64 "  loss %.3f  %.0f tokens/s  %s left", e->epoch + 1,
            e->step, e->steps, e->loss, e->tokens_per_s, left);
}

static void print_shown(at_output *output, const at_training_event *e)
{
    const char *tab = strchr(e->text, '\t');
    char time[32];
    at_duration(e->seconds, time);
    at_note(output, "  after %s: %.*s → %s", time, (int)(tab - e->text), e->text, tab + 1);
}

static void print_validated(at_output *output, const at_training_event *e)
{
    char time[32], perplexity[32], scores[64] = "";
    snprintf(perplexity, sizeof perplexity, exp(e->nll) < 1e6 ? "%.2f" : "%.2g", exp(e->nll));
    at_duration(e->seconds, time);
    if (e->bleu >= 0) snprintf(scores, sizeof scores, "  BLEU %.2f  chrF %.2f", e->bleu, e->chrf);
    at_note(output, "%s %" PRId64 "  step %" PRId64 "  validation loss %.4f  perplexity %s%s%s  (%s)",
            e->averaged ? "mean of models after epoch" : "epoch", e->epoch, e->step, e->loss, perplexity, scores,
            e->improved ? "  best" : "", time);
}

static void print_event(at_output *output, const at_training_event *e)
{
    char time[32];
    at_duration(e->seconds, time);
    switch (e->kind) {
    case ATT_TRAINING_STARTED:
        at_note(output, "%s: %" PRId64 " %s, %" PRId64 " parameters, seed %" PRId64,
                e->continued ? "continuing" : "training", e->tokens > 0 ? e->tokens : e->pairs,
                e->tokens > 0 ? "tokens" : "sentence pairs", e->parameters, e->seed);
        if (e->continued) at_note(output, "at step %" PRId64 ", epoch %" PRId64 ", after %s", e->step, e->epoch, time);
        break;
    case ATT_TRAINING_STEP:
        print_step(output, e);
        break;
    case ATT_TRAINING_SKIPPED:
    case ATT_TRAINING_NOTED:
        at_note(output, "%s", e->text);
        break;
    case ATT_TRAINING_VALIDATED:
        print_validated(output, e);
        break;
    case ATT_TRAINING_SHOWN:
        print_shown(output, e);
        break;
    case ATT_TRAINING_FINISHED:
        at_note(output, "finished after %" PRId64 " steps and %s: %s", e->step, time, e->text);
        if (e->skipped) at_note(output, "%" PRId64 " updates were skipped; train.jsonl has their lines", e->skipped);
        break;
    case ATT_TRAINING_PROFILED:
        at_print_profile(output, e->profile);
        break;
    case ATT_TRAINING_LOGGED:
    case ATT_TRAINING_SAVED:
        break;
    }
}

static void report(void *user, const at_training_event *event)
{
    const reporter *r = user;
    if (r->json && event->kind != ATT_TRAINING_STEP)
        print_event_json(r->output, event);
    else if (!r->json)
        print_event(r->output, event);
}

/* The plan is the result, so notes go to standard error, with --json too. */
static void report_note(void *user, const at_training_event *event)
{
    if (event->kind == ATT_TRAINING_NOTED) at_note(user, "%s", event->text);
}

static at_status print_plan(at_cli *cli, const train_state *s, at_error *err)
{
    at_training_plan p;
    const at_training_hooks hooks = {.report = report_note, .user = &cli->output, .cancel = cli->interrupted};
    ATT_TRY(at_training_dry_run(s->training, &hooks, &p, err));
    if (s->json)
        return at_print_json(
            &cli->output,
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I}", p.tokens > 0 ? "tokens" : "pairs",
                      (json_int_t)(p.tokens > 0 ? p.tokens : p.pairs), "skipped", (json_int_t)p.skipped, "source_vocab",
                      (json_int_t)p.source_vocab, "target_vocab", (json_int_t)p.target_vocab, "parameters",
                      (json_int_t)p.parameters, "batches", (json_int_t)p.batches, "batch_tokens",
                      (json_int_t)p.batch_tokens, "accumulate", (json_int_t)p.accumulate, "flop_per_step",
                      p.flop_per_step, "peak_bytes", (json_int_t)p.peak_bytes),
            err);
    if (p.tokens > 0)
        at_print(&cli->output,
                 "tokens           %" PRId64 " (%" PRId64 " lines skipped)\nvocabulary       %" PRId64 "\n", p.tokens,
                 p.skipped, p.target_vocab);
    else
        at_print(&cli->output,
                 "sentence pairs   %" PRId64 " (%" PRId64 " skipped)\nvocabulary       %" PRId64 " source, %" PRId64
                 " target\n",
                 p.pairs, p.skipped, p.source_vocab, p.target_vocab);
    at_print(&cli->output, "parameters       %" PRId64 "\n", p.parameters);
    at_print(&cli->output, "batches an epoch %" PRId64 "\n", p.batches);
    at_print(&cli->output, "GFLOP a step     %.1f\n", p.flop_per_step / 1e9);
    at_print(&cli->output, "tokens a batch   %" PRId64 ", %" PRId64 " batches an update\n", p.batch_tokens,
             p.accumulate);
    at_print(&cli->output, "memory           %.0f MB\n", (double)p.peak_bytes / 1e6);
    return ATT_OK;
}

static void print_spread(at_output *output, const char *name, const at_training_spread *s, int digits)
{
    if (s->runs > 0)
        at_print(output, "%-16s %.*f ± %.*f  (%" PRId64 " runs)\n", name, digits, s->mean, digits, s->deviation,
                 s->runs);
}

static json_t *spread_json(const at_training_spread *s)
{
    return json_pack("{s:I, s:f, s:f}", "runs", (json_int_t)s->runs, "mean", s->mean, "deviation", s->deviation);
}

static at_status run_seeds(at_cli *cli, const train_state *s, const at_training_hooks *hooks, at_error *err)
{
    at_training_seeds seeds;
    ATT_TRY(at_training_run_seeds(s->training, s->seeds, hooks, &seeds, err));
    if (s->json)
        return at_print_json(&cli->output,
                             json_pack("{s:s, s:o, s:o, s:o}", "event", "seeds", "loss", spread_json(&seeds.loss),
                                       "bleu", spread_json(&seeds.bleu), "chrf", spread_json(&seeds.chrf)),
                             err);
    print_spread(&cli->output, "validation loss", &seeds.loss, 4);
    print_spread(&cli->output, "BLEU", &seeds.bleu, 2);
    print_spread(&cli->output, "chrF", &seeds.chrf, 2);
    return ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const train_state *s = state;
    if (s->dry_run) return print_plan(cli, s, err);
    reporter r = {&cli->output, s->json};
    const at_training_hooks hooks = {report, &r, cli->interrupted, s->profile};
    return s->seeds > 0 ? run_seeds(cli, s, &hooks, err) : at_training_run(s->training, &hooks, err);
}

static void close_state(void *state)
{
    train_state *s = state;
    at_training_free(s->training);
    at_options_free(preset_option, s);
}

const at_command at_cmd_train = {
    .name = "train",
    .summary = "train a model from text",
    .description = "Trains a translator from parallel text, or with task language-model a model that continues text "
                   "(attend generate). Options come from a recipe (a YAML file), from a preset, "
                   "or from the command line, "
                   "which overrides both.\n\n"
                   "The run folder receives the log (train.jsonl), checkpoints and best.safetensors, the model to use. "
                   "Ctrl-C saves and stops; the same "
                   "command again continues the run, to the same bytes as if it had never been stopped.",
    .examples = "attend train examples/multi30k/tiny.yaml\n"
                "attend train examples/multi30k/tiny.yaml --seed 2 --run runs/second\n"
                "attend train --preset tiny --source train.en --target train.de -o runs/first\n"
                "attend train examples/multi30k/tiny.yaml --seeds 3 --best-metric bleu\n"
                "attend train examples/multi30k/tiny.yaml --dry-run\n"
                "attend train examples/multi30k/tiny.yaml --steps 20 --profile\n"
                "attend train --task language-model --text book.txt --subword char -o runs/book\n"
                "attend train runs/book/recipe.yaml\n"
                "attend train --preset base --source train.en --target train.de -o runs/base --memory 4G --recompute\n",
    .positionals = positionals,
    .options = options,
    .state_size = sizeof(train_state),
    .interruptible = true,
    .bind = bind,
    .prepare = prepare,
    .run = run,
    .close = close_state,
};
