/* attend evaluate: scores of translations against references. */
#include <attend/tools.h>
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"

typedef struct evaluate_state {
    char *metric;
    int tokenize; /* at_evaluate_tokenize */
    bool lowercase, json;
} evaluate_state;

#define FIELD(name) offsetof(evaluate_state, name)

static const char *const tokenize_names[] = {"13a", "zh", "none", NULL};

static const at_option options[] = {
    {.name = "metric",
     .type = ATT_OPT_TEXT,
     .offset = FIELD(metric),
     .def = "bleu,chrf",
     .help = "the scores, separated by commas: bleu, chrf, exact (percent of equal lines)"},
    {.name = "tokenize",
     .type = ATT_OPT_CHOICE,
     .offset = FIELD(tokenize),
     .def = "13a",
     .choices = tokenize_names,
     .help = "how BLEU cuts lines into tokens; zh for Chinese, none for text that is tokenized"},
    {.name = "lowercase", .type = ATT_OPT_BOOL, .offset = FIELD(lowercase), .def = "false", .help = "ignore case"},
    {.name = "json", .type = ATT_OPT_BOOL, .offset = FIELD(json), .def = "false", .help = "print one JSON object"},
    {0},
};

static const at_positional positionals[] = {
    {"HYP", "translations, one a line, plain or .gz; - is standard input", ATT_ONE},
    {"REF", "references, as many lines", ATT_ONE},
    {0},
};

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncmp(text, word, len) == 0;
}

/* Reads "bleu,chrf". */
static at_status choose_metrics(const char *text, at_evaluate_args *args, at_error *err)
{
    for (const char *name = text;; name++) {
        const size_t len = strcspn(name, ",");
        if (is_word(name, len, "bleu")) {
            args->bleu = true;
        } else if (is_word(name, len, "chrf")) {
            args->chrf = true;
        } else if (is_word(name, len, "exact")) {
            args->exact = true;
        } else {
            return at_fail(err, ATT_OPTION, "--metric: \"%.*s\" is no score; give bleu, chrf, exact, or several as in bleu,chrf",
                           len < 60 ? (int)len : 60, name);
        }
        name += len;
        if (*name == '\0') return ATT_OK;
    }
}

static void print_scores(at_output *output, const at_evaluate_args *args, const at_scores *scores)
{
    if (args->bleu) {
        const double *p = scores->precisions;
        at_print(output, "BLEU %.2f (%.1f/%.1f/%.1f/%.1f, brevity penalty %.3f, %" PRId64 " / %" PRId64 " tokens)\n",
                 scores->bleu, p[0], p[1], p[2], p[3], scores->brevity_penalty, scores->hypothesis_length,
                 scores->reference_length);
    }
    if (args->chrf) at_print(output, "chrF %.2f\n", scores->chrf);
    if (args->exact) at_print(output, "exact match %.2f %%\n", scores->exact);
}

/* Adds the members of `more`, which it takes over; not 0 when that failed. */
static int add_members(json_t *object, json_t *more)
{
    const int failed = json_object_update(object, more);
    json_decref(more);
    return failed;
}

static int add_bleu_details(json_t *object, const at_evaluate_args *args, const at_scores *scores)
{
    const double *p = scores->precisions;
    return add_members(object,
                       json_pack("{s[ffff] sf sI sI ss}", "precisions", p[0], p[1], p[2], p[3], "brevity_penalty",
                                 scores->brevity_penalty, "hypothesis_length", (json_int_t)scores->hypothesis_length,
                                 "reference_length", (json_int_t)scores->reference_length, "tokenize",
                                 tokenize_names[args->tokenize]));
}

static at_status print_scores_json(at_output *output, const at_evaluate_args *args, const at_scores *scores,
                                   at_error *err)
{
    int failed = 0;
    json_t *object = json_object();
    if (args->bleu) failed |= json_object_set_new(object, "bleu", json_real(scores->bleu));
    if (args->chrf) failed |= json_object_set_new(object, "chrf", json_real(scores->chrf));
    if (args->exact) failed |= json_object_set_new(object, "exact", json_real(scores->exact));
    if (args->bleu) failed |= add_bleu_details(object, args, scores);
    failed |= add_members(object,
                          json_pack("{sb sI}", "lowercase", (int)args->lowercase, "lines", (json_int_t)scores->lines));
    if (failed == 0) return at_print_json(output, object, err);
    json_decref(object);
    return at_print_json(output, NULL, err);
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const evaluate_state *asked = state;
    at_evaluate_args args = {.hypotheses = cli->arguments.positional[0],
                             .references = cli->arguments.positional[1],
                             .tokenize = (at_evaluate_tokenize)asked->tokenize,
                             .lowercase = asked->lowercase};
    at_scores scores;
    ATT_TRY(choose_metrics(asked->metric, &args, err));
    ATT_TRY(at_evaluate(&args, &scores, err));
    if (asked->json) return print_scores_json(&cli->output, &args, &scores, err);
    print_scores(&cli->output, &args, &scores);
    return ATT_OK;
}

const at_command at_cmd_evaluate = {
    .name = "evaluate",
    .summary = "score translations against references: BLEU, chrF",
    .description = "Scores a file of translations against a file of references, line by line, with the numbers of "
                   "sacreBLEU: corpus BLEU with its four precisions, and chrF2.",
    .examples = "attend evaluate output.en test.en\n"
                "attend translate -m model.safetensors < test.zh | attend evaluate - test.en\n"
                "attend evaluate output.zh test.zh --tokenize zh --json\n",
    .positionals = positionals,
    .options = options,
    .state_size = sizeof(evaluate_state),
    .run = run,
};
