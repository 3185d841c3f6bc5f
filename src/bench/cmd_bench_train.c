/* attend bench train, attend bench step: speed of training, on text and on random tokens. */
#include <inttypes.h>
#include <stdlib.h>

#include "bench/bench_train.h"
#include "cli/command.h"
#include "cli/profile_output.h"

typedef struct bench_state {
    bool json, profile;
    at_bench_options work;
    at_bench_train_result result;
} bench_state;

static const at_option options[] = {
    {.name = "profile",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(bench_state, profile),
     .def = "false",
     .help = "print what each operation took, and how much of the machine's peak that is"},
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(bench_state, json),
     .def = "false",
     .help = "print one JSON object"},
    {0},
};

static at_status bind_work(at_cli *cli, void *state, at_error *err)
{
    bench_state *s = state;
    ATT_TRY(at_options_defaults(at_bench_work_table, &s->work, err));
    at_arguments_group(&cli->arguments, "Work", at_bench_work_table, &s->work, false);
    return ATT_OK;
}

static at_status bind_text(at_cli *cli, void *state, at_error *err)
{
    bench_state *s = state;
    ATT_TRY(bind_work(cli, state, err));
    at_arguments_group(&cli->arguments, "Text", at_bench_text_table, &s->work, false);
    return ATT_OK;
}

static at_status print_json(at_cli *cli, const at_bench_train_result *r, at_error *err)
{
    json_t *object = json_pack("{s:f, s:f, s:f, s:f, s:I, s:I, s:i}", "target_tokens_per_s", r->target_tokens_per_s,
                               "best", r->best, "ms_per_step", r->ms_per_step, "loss", r->loss, "parameters",
                               (json_int_t)r->parameters, "peak_mb", (json_int_t)r->peak_mb, "threads", r->threads);
    if (r->rows) json_object_set_new(object, "profile", at_profile_json(&r->profile));
    return at_print_json(&cli->output, object, err);
}

static at_status run_step(at_cli *cli, void *state, at_error *err)
{
    bench_state *s = state;
    at_bench_train_result *r = &s->result;
    ATT_TRY(at_bench_train(&s->work, s->profile, r, err));
    if (s->json) return print_json(cli, r, err);
    at_print(&cli->output,
             "%.0f target tokens/s (best step %.0f), %.1f ms a step, loss %.3f, %" PRId64 " parameters, %" PRId64
             " MB, %d thread%s\n",
             r->target_tokens_per_s, r->best, r->ms_per_step, r->loss, r->parameters, r->peak_mb, r->threads,
             r->threads == 1 ? "" : "s");
    if (r->rows) at_print_profile(&cli->output, &r->profile);
    return ATT_OK;
}

static at_status run_train(at_cli *cli, void *state, at_error *err)
{
    const bench_state *s = state;
    if (s->work.source == NULL && s->work.task == ATT_TASK_TRANSLATION)
        return at_fail(
            err, ATT_OPTION,
            "bench train needs source, target and sentencepiece; give them, or --task language-model, or see attend "
            "bench step");
    return run_step(cli, state, err);
}

static void close_state(void *state)
{
    bench_state *s = state;
    at_options_free(at_bench_text_table, &s->work);
    free(s->result.rows);
}

const at_command at_cmd_bench_train = {
    .name = "bench train",
    .summary = "measure the speed of training",
    .description =
        "Trains an encoder-decoder for some steps on real text and prints target tokens a second. The work "
        "is that of bench/peers/train_torch.py, "
        "so that the two can be run in turn on one machine: pre-norm, one tied table, sinusoids, dropout in "
        "all four places, label smoothing, Adam. With --task language-model it trains a decoder alone on random "
        "tokens: with --preset gpt2, the work of bench/peers/gpt2_torch.py.",
    .examples = "attend bench train --source train.en --target train.de --sentencepiece joint.model --width 256 --ffn "
                "1024 --heads 4 --layers 3 --json\n"
                "attend bench train --task language-model --preset gpt2 --length 64 --batch-tokens 256 --dropout 0 "
                "--smoothing 0\n",
    .options = options,
    .state_size = sizeof(bench_state),
    .bind = bind_text,
    .run = run_train,
    .close = close_state,
};

const at_command at_cmd_bench_step = {
    .name = "bench step",
    .summary = "measure a training step, without text",
    .description = "Trains for some steps on random tokens, in sentences of 6 to 22 tokens that are sorted by length, "
                   "and prints target tokens a second and milliseconds a step. The model has the shape of a preset; "
                   "single sizes override it.",
    .examples = "attend bench step --preset base --threads 1 --profile\n"
                "attend bench step --width 128 --ffn 256 --heads 4 --layers 4 --json\n",
    .options = options,
    .state_size = sizeof(bench_state),
    .bind = bind_work,
    .run = run_step,
    .close = close_state,
};
