/* attend bench train: speed of training. */
#include <attend/train.h>
#include <inttypes.h>

#include "cli/command.h"

typedef struct bench_state {
    bool json;
    at_bench_training *bench;
} bench_state;

static const at_option options[] = {
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(bench_state, json),
     .def = "false",
     .help = "print one JSON object"},
    {0},
};

static at_status bind(at_cli *cli, void *state, at_error *err)
{
    bench_state *s = state;
    void *object;
    ATT_TRY(at_bench_training_new(&s->bench, err));
    const at_option *rows = at_bench_training_options(s->bench, &object);
    at_arguments_group(&cli->arguments, "Work", rows, object, false);
    return ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const bench_state *s = state;
    at_bench_training_result r;
    ATT_TRY(at_bench_training_run(s->bench, &r, err));
    if (s->json)
        return at_print_json(&cli->output,
                             json_pack("{s:f, s:f, s:f, s:f, s:I, s:I}", "target_tokens_per_s", r.target_tokens_per_s,
                                       "best", r.best, "ms_per_step", r.ms_per_step, "loss", r.loss, "parameters",
                                       (json_int_t)r.parameters, "peak_mb", (json_int_t)r.peak_mb),
                             err);
    at_print(&cli->output,
             "%.0f target tokens/s (best step %.0f), %.0f ms a step, loss %.3f, %" PRId64 " parameters, %" PRId64
             " MB\n",
             r.target_tokens_per_s, r.best, r.ms_per_step, r.loss, r.parameters, r.peak_mb);
    return ATT_OK;
}

static void close_state(void *state)
{
    bench_state *s = state;
    at_bench_training_free(s->bench);
}

const at_command at_cmd_bench_train = {
    .name = "bench train",
    .summary = "measure the speed of training",
    .description = "Trains an encoder-decoder for some steps on real text and prints target tokens a second. The work "
                   "is that of bench/peers/train_torch.py, "
                   "so that the two can be run in turn on one machine: pre-norm, one tied table, sinusoids, dropout in "
                   "all four places, label smoothing, Adam. With --task lm it trains GPT-2's decoder on random tokens, "
                   "the work of "
                   "bench/peers/gpt2_torch.py.",
    .examples =
        "attend bench train --source train.en --target train.de --sentencepiece joint.model --width 256 --ffn "
        "1024 --heads 4 --layers 3 --json\n"
        "attend bench train --task lm --width 768 --ffn 3072 --heads 12 --layers 12 --length 64 --batch-tokens 256 "
        "--dropout 0 --smoothing 0\n",
    .options = options,
    .state_size = sizeof(bench_state),
    .bind = bind,
    .run = run,
    .close = close_state,
};
