/* attend score: how probable given translations are. */
#include <attend/attend.h>
#include <math.h>

#include "cli/command.h"
#include "cli/models.h"
#include "cli/stream.h"

typedef struct score_state {
    char *models; /* paths joined by '\n' */
    int64_t threads, batch_tokens;
    bool json;
} score_state;

#define FIELD(name) offsetof(score_state, name)

static const at_option options[] = {
    {.name = "model",
     .type = ATT_OPT_PATHS,
     .offset = FIELD(models),
     .help = "the model file; several score together, by the mean of their log-probabilities",
     .letter = 'm'},
    {.name = "batch-tokens",
     .type = ATT_OPT_INT,
     .offset = FIELD(batch_tokens),
     .def = "1024",
     .min = 1,
     .max = 1e6,
     .help = "target tokens that are scored together"},
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
     .help = "one JSON object a line with the log-probability of each token, and one of the whole"},
    {0},
};

static const at_positional positionals[] = {
    {"SOURCE", "text, one sentence a line, plain or .gz; - is standard input", ATT_ONE},
    {"TARGET", "its translations, line by line", ATT_ONE},
    {0},
};

typedef struct printer {
    at_output *output;
    bool json;
    int64_t line; /* of the first line of the window, from 0 */
    int64_t tokens;
    double log_prob;
} printer;

static json_t *json_tokens(const at_scored *s)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < s->piece_count; i++)
        json_array_append_new(list,
                              json_pack("{s:o, s:f}", "token", at_json_text(s->pieces[i].text ? s->pieces[i].text : ""),
                                        "log_prob", s->pieces[i].log_prob));
    return list;
}

static at_status print_score(void *arg, int64_t index, const at_scored *s, at_error *err)
{
    printer *p = arg;
    p->tokens += s->piece_count;
    p->log_prob += s->log_prob;
    if (p->json)
        return at_print_json(p->output,
                             json_pack("{s:I, s:f, s:I, s:I, s:I, s:o}", "line", (json_int_t)(p->line + index) + 1,
                                       "log_prob", s->log_prob, "tokens", (json_int_t)s->piece_count, "source_tokens",
                                       (json_int_t)s->source_tokens, "unknown_tokens", (json_int_t)s->unknown_tokens,
                                       "token_scores", json_tokens(s)),
                             err);
    at_print(p->output, "%.6f\t%lld\n", s->log_prob, (long long)s->piece_count);
    at_flush(p->output);
    return ATT_OK;
}

static at_status print_total(const printer *p, at_error *err)
{
    const double perplexity = p->tokens > 0 ? exp(-p->log_prob / (double)p->tokens) : 1;
    if (p->json)
        return at_print_json(p->output,
                             json_pack("{s:I, s:I, s:f, s:f}", "lines", (json_int_t)p->line, "tokens",
                                       (json_int_t)p->tokens, "log_prob", p->log_prob, "perplexity", perplexity),
                             err);
    at_note(p->output, "perplexity %.6g: log-probability %.6f over %lld tokens of %lld lines", perplexity, p->log_prob,
            (long long)p->tokens, (long long)p->line);
    return ATT_OK;
}

enum { WINDOW = 1024 }; /* lines read at once */

static at_status score_all(at_stream *source, at_stream *target, at_translator *translator, at_score_args *args,
                           printer *p, const char *const *paths, at_error *err)
{
    for (;;) {
        const at_line *sources, *targets;
        int64_t count, more;
        ATT_TRY(at_stream_read(source, WINDOW, &sources, &count, err));
        ATT_TRY(at_stream_read(target, count > 0 ? count : 1, &targets, &more, err));
        if (count != more)
            return at_fail(err, ATT_INPUT, "%s ends at line %lld, but %s goes on; they must be parallel",
                           paths[count > more], (long long)(p->line + (count < more ? count : more)),
                           paths[count < more]);
        if (count == 0 || p->output->write_error != 0) return ATT_OK;
        args->first_line = p->line + 1;
        ATT_TRY(at_score(translator, sources, targets, count, args, print_score, p, err));
        p->line += count;
    }
}

static at_status score(at_cli *cli, const score_state *s, at_translator *translator, at_error *err)
{
    const char *const *paths = cli->arguments.positional;
    at_stream *source = NULL, *target = NULL;
    printer p = {.output = &cli->output, .json = s->json};
    at_score_args args = {.batch_tokens = s->batch_tokens, .cancel = cli->interrupted};
    at_status status = at_stream_open(&source, paths[0], cli->interrupted, err);
    if (status == ATT_OK) status = at_stream_open(&target, paths[1], cli->interrupted, err);
    if (status == ATT_OK) status = score_all(source, target, translator, &args, &p, paths, err);
    if (status == ATT_OK) status = print_total(&p, err);
    at_stream_close(source);
    at_stream_close(target);
    return status;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const score_state *s = state;
    at_translator *translator;
    ATT_TRY(at_models_open(&translator, s->models, (int)s->threads, err));
    const at_status status = score(cli, s, translator, err);
    at_translator_free(translator);
    return status;
}

const at_command at_cmd_score = {
    .name = "score",
    .summary = "how probable given translations are",
    .description = "Forces each line of TARGET as the translation of the same line of SOURCE and prints its natural "
                   "log-probability, a tab, and its number of tokens with the end token; then, on standard error, the "
                   "perplexity of all. Scores depend on nothing but the pair.\n\n"
                   "With --json each pair is an object: line, log_prob, tokens, source_tokens, unknown_tokens and "
                   "token_scores, and a last one has lines, tokens, log_prob and perplexity.",
    .examples = "attend score -m runs/multi30k/best.safetensors test.en test.de\n"
                "attend score -m a.safetensors -m b.safetensors --json test.en test.de\n",
    .positionals = positionals,
    .options = options,
    .required = (const char *const[]){"model", NULL},
    .state_size = sizeof(score_state),
    .interruptible = true,
    .run = run,
};
