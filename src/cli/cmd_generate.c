/* attend generate: a language model continues a prompt, or a prompt a line. */
#include <attend/attend.h>
#include <string.h>

#include "cli/command.h"
#include "cli/seed.h"
#include "cli/stream.h"

typedef struct generate_state {
    char *model, *prompt;
    at_generate_args args;
    int64_t threads, seed;
    bool json;
} generate_state;

#define FIELD(name) offsetof(generate_state, name)

static const at_option options[] = {
    {.name = "model", .type = ATT_OPT_PATH, .offset = FIELD(model), .help = "the model file", .letter = 'm'},
    {.name = "prompt",
     .type = ATT_OPT_TEXT,
     .offset = FIELD(prompt),
     .help = "the text to continue, printed as it comes; without it, each line of FILE or standard input is one",
     .letter = 'p'},
    {.name = "max-tokens",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.max_tokens),
     .def = "200",
     .min = 1,
     .max = 1e9,
     .help = "tokens of a continuation at most",
     .letter = 'n'},
    {.name = "greedy",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(args.greedy),
     .def = "false",
     .help = "take the most probable token each time instead of drawing"},
    {.name = "temperature",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.temperature),
     .def = "1",
     .min = 0.001,
     .max = 1000,
     .help = "below 1: nearer to the most probable"},
    {.name = "top-k",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.top_k),
     .def = "0",
     .min = 0,
     .max = 1e7,
     .help = "draw among the so many most probable tokens; 0: all"},
    {.name = "top-p",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.top_p),
     .def = "1",
     .min = 0,
     .max = 1,
     .help = "draw among the fewest tokens that have this share of the probability"},
    {.name = "seed",
     .type = ATT_OPT_INT,
     .offset = FIELD(seed),
     .def = "-1",
     .min = -1,
     .max = 9e15,
     .help = "the same seed gives the same text; -1: a new one, which is told"},
    {.name = "threads",
     .type = ATT_OPT_INT,
     .offset = FIELD(threads),
     .def = "0",
     .min = 0,
     .max = 1024,
     .help = "threads; 0: one a core"},
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(json),
     .def = "false",
     .help = "one JSON object a prompt: text, log-probability, token counts, flags"},
    {0},
};

static const at_positional positionals[] = {
    {"FILE", "prompts, one a line, plain or .gz; standard input when absent", ATT_OPTIONAL},
    {0},
};

/* ---- results ---- */

static json_t *json_flags(const at_generation *g)
{
    json_t *flags = json_array();
    if (!g->ended) json_array_append_new(flags, json_string("truncated"));
    if (g->mended) json_array_append_new(flags, json_string("invalid-utf8"));
    if (g->unknown_tokens > 0) json_array_append_new(flags, json_string("unknown-tokens"));
    return flags;
}

static at_status print_record(at_output *output, const generate_state *s, const at_generation *g, at_error *err)
{
    json_t *object = json_pack("{s:I, s:o, s:f, s:I, s:I, s:I, s:o}", "line", (json_int_t)s->args.line, "text",
                               at_json_bytes(g->text, g->len), "log_prob", g->log_prob, "tokens", (json_int_t)g->tokens,
                               "prompt_tokens", (json_int_t)g->prompt_tokens, "unknown_tokens",
                               (json_int_t)g->unknown_tokens, "flags", json_flags(g));
    if (object && !s->args.greedy) json_object_set_new(object, "seed", json_integer((json_int_t)s->args.seed));
    return at_print_json(output, object, err);
}

/* Bytes of `breaks` become spaces, as does NUL, which no text has. */
static void print_text(at_output *output, const char *text, size_t len, const char *breaks)
{
    for (size_t at = 0; at < len; at++) {
        const size_t part = strcspn(text + at, breaks), whole = part < len - at ? part : len - at;
        at_print(output, "%.*s", (int)whole, text + at);
        at += whole;
        if (at < len) at_print(output, " ");
    }
}

/* at_generated_fn */
static at_status print_piece(void *arg, const char *text, size_t len, at_error *err)
{
    at_output *output = arg;
    print_text(output, text, len, "");
    at_flush(output);
    return at_output_check(output, err); /* when the reader has gone, the rest is no use */
}

/* ---- prompts ---- */

static at_status continue_prompt(at_output *output, const generate_state *s, at_generator *generator, at_error *err)
{
    at_generation g;
    const at_line prompt = {s->prompt ? s->prompt : "", s->prompt ? strlen(s->prompt) : 0};
    ATT_TRY(at_generate(generator, prompt, &s->args, s->json ? NULL : print_piece, output, &g, err));
    at_status status = ATT_OK;
    if (s->json)
        status = print_record(output, s, &g, err);
    else
        at_print(output, "\n");
    at_generation_free(&g);
    return status;
}

static at_status continue_line(at_output *output, const generate_state *s, at_generator *generator, at_line line,
                               at_error *err)
{
    at_generation g;
    ATT_TRY(at_generate(generator, line, &s->args, NULL, NULL, &g, err));
    at_status status = ATT_OK;
    if (s->json) {
        status = print_record(output, s, &g, err);
    } else {
        print_text(output, g.text, g.len, "\r\n");
        at_print(output, "\n");
        at_flush(output);
    }
    at_generation_free(&g);
    return status == ATT_OK ? at_output_check(output, err) : status;
}

static at_status continue_lines(at_output *output, generate_state *s, at_generator *generator, at_stream *stream,
                                at_error *err)
{
    for (s->args.line = 1;; s->args.line++) {
        const at_line *line;
        int64_t count;
        ATT_TRY(at_stream_read(stream, 1, &line, &count, err));
        if (count == 0) return ATT_OK;
        ATT_TRY(continue_line(output, s, generator, *line, err));
    }
}

static at_status continue_stream(at_cli *cli, generate_state *s, at_generator *generator, at_error *err)
{
    at_stream *stream;
    const char *path = cli->arguments.positional_count > 0 ? cli->arguments.positional[0] : "-";
    ATT_TRY(at_stream_open(&stream, path, cli->interrupted, err));
    at_status status = continue_lines(&cli->output, s, generator, stream, err);
    if (status != ATT_OK && *cli->interrupted != 0)
        status = at_fail(err, ATT_CANCELLED, "interrupted; %lld prompts are continued", (long long)s->args.line - 1);
    at_stream_close(stream);
    return status;
}

/* ---- the command ---- */

static at_status run(at_cli *cli, void *state, at_error *err)
{
    generate_state *s = state;
    at_generator *generator;
    const bool given = at_arguments_value(&cli->arguments, "prompt") != NULL; /* an empty one, too */
    if (given && cli->arguments.positional_count > 0)
        return at_fail(err, ATT_OPTION, "--prompt and %s are both given; give one", cli->arguments.positional[0]);
    ATT_TRY(at_generator_open(&generator, s->model, (int)s->threads, err));
    s->args.seed = at_seed_choose(&cli->output, s->seed, !s->args.greedy);
    s->args.line = 1;
    s->args.cancel = cli->interrupted;
    const at_status status =
        given ? continue_prompt(&cli->output, s, generator, err) : continue_stream(cli, s, generator, err);
    at_generator_free(generator);
    return status;
}

const at_command at_cmd_generate = {
    .name = "generate",
    .summary = "continue text with a language model",
    .description =
        "Continues a prompt with a model trained by attend train with task language-model, and prints the continuation "
        "alone: of --prompt as it comes, else a line a prompt, in which line ends are shown as spaces. An empty prompt "
        "begins a new line of text. When the model's context is full, it goes on with the last half of it.\n\n"
        "Tokens are drawn by the model's probabilities; --greedy takes the most probable one each time. A continuation "
        "depends on the model, the prompt, the seed and the prompt's line number alone.\n\n"
        "With --json each prompt gives an object: line, text (line ends as they are), log_prob, tokens, prompt_tokens, "
        "unknown_tokens, flags and, unless --greedy, seed. Flags: truncated (cut at max-tokens), invalid-utf8, "
        "unknown-tokens (of the prompt).",
    .examples = "attend generate -m runs/shakespeare/best.safetensors --prompt \"ROMEO:\" --temperature 0.8\n"
                "attend generate -m runs/shakespeare/best.safetensors -n 40 --greedy --json <prompts.txt\n",
    .positionals = positionals,
    .options = options,
    .required = (const char *const[]){"model", NULL},
    .state_size = sizeof(generate_state),
    .interruptible = true,
    .run = run,
};
