/* attend bench decode: speed of translating. */
#include <inttypes.h>

#include "bench/bench_decode.h"
#include "cli/command.h"

typedef struct decode_state {
    bool json;
    at_bench_decode_options decode;
} decode_state;

static const at_option options[] = {
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(decode_state, json),
     .def = "false",
     .help = "print one JSON object"},
    {0},
};

static at_status bind(at_cli *cli, void *state, at_error *err)
{
    decode_state *s = state;
    ATT_TRY(at_options_defaults(at_bench_decode_table, &s->decode, err));
    at_arguments_group(&cli->arguments, "Work", at_bench_decode_table, &s->decode, false);
    return ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const decode_state *s = state;
    at_bench_decode_result r;
    ATT_TRY(at_bench_decode_run(&r, &s->decode, err));
    if (s->json)
        return at_print_json(&cli->output,
                             json_pack("{s:f, s:f, s:f, s:I, s:I, s:i}", "sentences_per_s", r.sentences_per_s,
                                       "tokens_per_s", r.tokens_per_s, "ms", r.ms, "sentences", (json_int_t)r.sentences,
                                       "tokens", (json_int_t)r.tokens, "threads", r.threads),
                             err);
    at_print(&cli->output,
             "%.1f sentences/s, %.0f tokens/s (%" PRId64 " sentences, %" PRId64 " tokens in %.1f ms, %d thread%s)\n",
             r.sentences_per_s, r.tokens_per_s, r.sentences, r.tokens, r.ms, r.threads, r.threads == 1 ? "" : "s");
    return ATT_OK;
}

static void close_state(void *state)
{
    decode_state *s = state;
    at_options_free(at_bench_decode_table, &s->decode);
}

const at_command at_cmd_bench_decode = {
    .name = "bench decode",
    .summary = "measure the speed of decoding",
    .description = "Decodes sentences in batches, greedily or by beam search, and prints sentences and output tokens a "
                   "second; reading, tokenising and writing text aren't counted. Without a model, weights and tokens "
                   "are random, and every output has the same length.",
    .examples = "attend bench decode --preset tiny --beam 5\n"
                "attend bench decode --model best.safetensors --source test.en --batch 1 --threads 1 --json\n",
    .options = options,
    .state_size = sizeof(decode_state),
    .bind = bind,
    .run = run,
    .close = close_state,
};
