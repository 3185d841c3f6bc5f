/* attend translate: lines of standard input or files, translated as they come. */
#include <attend/attend.h>
#include <string.h>

#include "cli/command.h"
#include "cli/models.h"
#include "cli/seed.h"
#include "cli/stream.h"

typedef struct translate_state {
    char *models; /* paths joined by '\n' */
    at_translate_args args;
    int64_t threads, seed;
    char *prefix;
    bool json;
} translate_state;

#define FIELD(name) offsetof(translate_state, name)

static const at_option options[] = {
    {.name = "model",
     .type = ATT_OPT_PATHS,
     .offset = FIELD(models),
     .help = "the model file; several translate together, by the mean of their log-probabilities",
     .letter = 'm'},
    {.name = "beam",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.beam),
     .def = "4",
     .min = 1,
     .max = 1000,
     .help = "hypotheses a sentence; 1: greedy"},
    {.name = "n-best",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.n_best),
     .def = "1",
     .min = 1,
     .max = 1000,
     .help = "candidates a line, at most beam; more than 1: lines of NUMBER ||| TEXT ||| SCORE, from 0"},
    {.name = "length-penalty",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.length_penalty),
     .def = "0.6",
     .min = 0,
     .max = 10,
     .help = "exponent of GNMT's length penalty; 0: none, larger: longer output"},
    {.name = "coverage-penalty",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.coverage_penalty),
     .def = "0",
     .min = 0,
     .max = 100,
     .help = "factor of GNMT's coverage penalty; 0: none, larger: less of the source left out"},
    {.name = "min-length",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.min_length),
     .def = "0",
     .min = 0,
     .max = 1e6,
     .help = "tokens before a translation may end"},
    {.name = "max-length",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.max_length),
     .def = "0",
     .min = 0,
     .max = 1e6,
     .help = "tokens of a translation at most; 0: max-ratio alone decides"},
    {.name = "max-ratio",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.max_ratio),
     .def = "2",
     .min = 0,
     .max = 1000,
     .help = "an output has at most so many tokens a source token, and max-extra more"},
    {.name = "max-extra",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.max_extra),
     .def = "20",
     .min = 1,
     .max = 1e6,
     .help = "see max-ratio"},
    {.name = "no-repeat",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.no_repeat),
     .def = "0",
     .min = 0,
     .max = 1000,
     .help = "no n-gram of so many tokens occurs twice in a translation; 0: off"},
    {.name = "guard",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(args.guard),
     .def = "true",
     .help = "translate a line again when its translation loops or is cut; --no-guard: only tell"},
    {.name = "paragraphs",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(args.paragraphs),
     .def = "false",
     .help = "split lines into sentences, and keep the white space between them"},
    {.name = "prefix",
     .type = ATT_OPT_PATH,
     .offset = FIELD(prefix),
     .help = "a file of texts that the translations begin with, one a line of the source"},
    {.name = "sample",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(args.sample),
     .def = "false",
     .help = "draw translations instead of searching for the best"},
    {.name = "temperature",
     .type = ATT_OPT_REAL,
     .offset = FIELD(args.temperature),
     .def = "1",
     .min = 0.001,
     .max = 1000,
     .help = "of sampling; below 1: nearer to the most probable"},
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
     .help = "of sampling: the same seed gives the same output; -1: a new one, which is told"},
    {.name = "token-scores",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(args.token_scores),
     .def = "false",
     .help = "with --json: the log-probability of each token"},
    {.name = "batch",
     .type = ATT_OPT_INT,
     .offset = FIELD(args.batch),
     .def = "64",
     .min = 1,
     .max = 1e6,
     .help = "sentences that are translated together"},
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
     .help = "one JSON object a line: text, scores, token counts, and flags for what went wrong"},
    {0},
};

static const at_positional positionals[] = {
    {"FILE", "text to translate, one sentence a line, plain or .gz; standard input when absent", ATT_OPTIONAL},
    {0},
};

/* ---- results ---- */

typedef struct printer {
    at_output *output;
    const translate_state *state;
    int64_t line; /* of the first line of the window, from 0 */
    int64_t done, truncated, looped, again;
} printer;

static json_t *json_pieces(const at_piece *pieces, int64_t count)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:f}", "token", at_json_text(pieces[i].text ? pieces[i].text : ""),
                                              "log_prob", pieces[i].log_prob));
    return list;
}

static void add_flag(json_t *flags, bool raised, const char *name)
{
    if (raised) json_array_append_new(flags, json_string(name));
}

static json_t *json_candidate(const at_candidate *c)
{
    json_t *flags = json_array();
    add_flag(flags, c->truncated, "truncated");
    add_flag(flags, c->looped, "looped");
    json_t *object = json_pack("{s:o, s:f, s:f, s:I, s:o}", "text", at_json_bytes(c->text, c->len), "score", c->score,
                               "log_prob", c->log_prob, "tokens", (json_int_t)c->tokens, "flags", flags);
    if (c->pieces) json_object_set_new(object, "token_scores", json_pieces(c->pieces, c->piece_count));
    return object;
}

static json_t *json_flags(const at_translation *t)
{
    json_t *flags = json_array();
    add_flag(flags, t->truncated, "truncated");
    add_flag(flags, t->looped, "looped");
    add_flag(flags, t->unlooped, "unlooped");
    add_flag(flags, t->extended, "extended");
    add_flag(flags, t->empty, "empty");
    add_flag(flags, t->mended, "invalid-utf8");
    add_flag(flags, t->unknown_tokens > 0, "unknown-tokens");
    return flags;
}

/* What only some options add. */
static void add_extras(json_t *object, const translate_state *s, const at_translation *t)
{
    if (s->args.paragraphs) json_object_set_new(object, "sentences", json_integer(t->sentences));
    if (s->args.sample) json_object_set_new(object, "seed", json_integer((json_int_t)s->args.seed));
    if (t->n_best_count > 0 && t->n_best[0].pieces)
        json_object_set_new(object, "token_scores", json_pieces(t->n_best[0].pieces, t->n_best[0].piece_count));
    if (s->args.n_best < 2) return;
    json_t *list = json_array();
    for (int64_t i = 0; i < t->n_best_count; i++) json_array_append_new(list, json_candidate(&t->n_best[i]));
    json_object_set_new(object, "n_best", list);
}

static at_status print_record(const printer *p, int64_t line, const at_translation *t, at_error *err)
{
    json_t *object = json_pack("{s:I, s:o, s:f, s:f, s:I, s:I, s:I, s:o}", "line", (json_int_t)line + 1, "text",
                               at_json_bytes(t->text, t->len), "score", t->score, "log_prob", t->log_prob, "tokens",
                               (json_int_t)t->tokens, "source_tokens", (json_int_t)t->source_tokens, "unknown_tokens",
                               (json_int_t)t->unknown_tokens, "flags", json_flags(t));
    if (object) add_extras(object, p->state, t);
    return at_print_json(p->output, object, err);
}

static void print_n_best(at_output *output, int64_t line, const at_translation *t)
{
    if (t->n_best_count == 0) at_print(output, "%lld |||  ||| 0\n", (long long)line);
    for (int64_t i = 0; i < t->n_best_count; i++)
        at_print(output, "%lld ||| %s ||| %.6g\n", (long long)line, t->n_best[i].text, t->n_best[i].score);
}

/* One line, whatever a vocabulary of byte pieces gives: line ends and NUL become spaces. */
static void print_line(at_output *output, const at_translation *t)
{
    for (size_t at = 0; at < t->len; at++) {
        const size_t len = strcspn(t->text + at, "\r\n");
        at_print(output, "%.*s", (int)len, t->text + at);
        at += len;
        if (at < t->len) at_print(output, " ");
    }
    at_print(output, "\n");
}

static at_status print_translation(void *arg, int64_t index, const at_translation *t, at_error *err)
{
    printer *p = arg;
    p->truncated += t->truncated;
    p->looped += t->looped;
    p->again += t->unlooped || t->extended;
    p->done++;
    if (p->state->json) {
        ATT_TRY(print_record(p, p->line + index, t, err));
        return at_output_check(p->output, err);
    }
    if (p->state->args.n_best > 1)
        print_n_best(p->output, p->line + index, t);
    else
        print_line(p->output, t);
    at_flush(p->output);                    /* whoever typed the line waits for it */
    return at_output_check(p->output, err); /* when the reader has gone, the rest is no use */
}

/* Plain text has no room for flags, so what went wrong is told at the end. */
static void tell_flags(const printer *p)
{
    if (p->state->json || p->truncated + p->looped + p->again == 0) return;
    at_note(
        p->output,
        "of %lld lines, %lld are cut at the length limit, %lld repeat themselves and %lld were translated again by the "
        "guard; --json tells which",
        (long long)p->line, (long long)p->truncated, (long long)p->looped, (long long)p->again);
}

/* ---- windows of lines ---- */

typedef struct input {
    at_stream *source, *prefix; /* prefix NULL: none */
    const char *prefix_path;
} input;

/* The library sorts lines by length within 16 batches, and so many are read at once. */
enum { WINDOW_BATCHES = 16 };

static at_status read_prefixes(const input *in, int64_t count, at_translate_args *args, at_error *err)
{
    int64_t got = 0;
    if (in->prefix == NULL) return ATT_OK;
    ATT_TRY(at_stream_read(in->prefix, count, &args->prefixes, &got, err));
    if (got == count) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: has %lld lines, but the source has more; give one a line, empty ones too",
                   in->prefix_path, (long long)(args->first_line - 1 + got));
}

static at_status translate_all(const input *in, const translate_state *s, at_translator *translator, printer *p,
                               at_error *err)
{
    at_translate_args args = s->args;
    for (;;) {
        const at_line *lines;
        int64_t count;
        ATT_TRY(at_stream_read(in->source, WINDOW_BATCHES * args.batch, &lines, &count, err));
        if (count == 0 || p->output->write_error != 0) return ATT_OK;
        args.first_line = p->line + 1;
        ATT_TRY(read_prefixes(in, count, &args, err));
        ATT_TRY(at_translate(translator, lines, count, &args, print_translation, p, err));
        p->line += count;
    }
}

static at_status translate(at_cli *cli, const translate_state *s, at_translator *translator, at_error *err)
{
    const char *path = cli->arguments.positional_count > 0 ? cli->arguments.positional[0] : "-";
    input in = {.prefix_path = s->prefix};
    printer p = {.output = &cli->output, .state = s};
    at_status status = at_stream_open(&in.source, path, cli->interrupted, err);
    if (status == ATT_OK && s->prefix) status = at_stream_open(&in.prefix, s->prefix, cli->interrupted, err);
    if (status == ATT_OK) status = translate_all(&in, s, translator, &p, err);
    if (status == ATT_OK) tell_flags(&p);
    if (status != ATT_OK && *cli->interrupted != 0)
        status = at_fail(err, ATT_CANCELLED, "interrupted; %lld lines are translated", (long long)p.done);
    at_stream_close(in.source);
    at_stream_close(in.prefix);
    return status;
}

/* ---- options ---- */

static at_status check(const translate_state *s, at_error *err)
{
    if (s->args.token_scores && !s->json)
        return at_fail(err, ATT_OPTION, "--token-scores are part of the JSON output; add --json");
    if (!s->args.sample && s->args.n_best > s->args.beam)
        return at_fail(err, ATT_OPTION, "--n-best %lld needs a beam as large; add --beam %lld",
                       (long long)s->args.n_best, (long long)s->args.n_best);
    return ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    translate_state *s = state;
    at_translator *translator;
    ATT_TRY(check(s, err));
    ATT_TRY(at_models_open(&translator, s->models, (int)s->threads, err));
    s->args.seed = at_seed_choose(&cli->output, s->seed, s->args.sample);
    s->args.cancel = cli->interrupted;
    const at_status status = translate(cli, s, translator, err);
    at_translator_free(translator);
    return status;
}

const at_command at_cmd_translate = {
    .name = "translate",
    .summary = "translate text, one sentence a line",
    .description =
        "Translates each line of a file or of standard input and prints the translations in the same order, each as "
        "soon as it and those before it are there. A line's translation depends on nothing but the line (when sampling "
        "also on the seed and the line's number): not on its neighbours, the batch or the number of threads.\n\n"
        "A file is read 16 batches at a time, of a pipe or terminal what is there. Lines of one reading (with "
        "--paragraphs their sentences, 16 batches of them at a time) are sorted by length into batches.\n\n"
        "With --json each line is an object: line, text, score, log_prob, tokens, source_tokens, unknown_tokens, "
        "flags; with the options of these names also n_best, token_scores, seed (sample) and sentences (paragraphs). "
        "Flags tell what a reader should know. truncated: cut at the length limit. looped: the same tokens, however "
        "many, stand there 3 times or more in a row, at least 8 in all (less is found in good text). unlooped: the "
        "first translation looped oftener than the line, this one is from a search without "
        "repeated trigrams. extended: the first one was cut, this one had twice the limit. empty, invalid-utf8, "
        "unknown-tokens: of the line.\n\n"
        "With --paragraphs a line break ends a sentence; . ! ? and their kin do so too, but not behind abbreviations "
        "and "
        "numbers of one or two digits.",
    .examples = "attend translate -m runs/multi30k/best.safetensors --beam 5 < test.en > test.de\n"
                "echo '机器学习' | attend translate -m runs/quickstart/model/best.safetensors --json\n"
                "attend translate -m a.safetensors -m b.safetensors --n-best 4 test.en\n"
                "attend translate -m model.safetensors --sample --top-p 0.9 --seed 1 test.en\n"
                "attend translate -m model.safetensors --paragraphs letter.en > letter.de\n",
    .positionals = positionals,
    .options = options,
    .required = (const char *const[]){"model", NULL},
    .state_size = sizeof(translate_state),
    .interruptible = true,
    .run = run,
};
