/* attend evaluate: scores of translations against references, and comparisons of systems. */
#include <attend/tools.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

typedef struct evaluate_state {
    char *metric, *against;
    int tokenize; /* at_evaluate_tokenize */
    int64_t samples, seed;
    bool lowercase, confidence, json;
    const char **other_paths; /* of --against */
    at_scores *scores;        /* (1 + number of other paths) */
} evaluate_state;

#define FIELD(name) offsetof(evaluate_state, name)

static const char *const tokenize_names[] = {"13a", "intl", "zh", "char", "none", NULL};

static const at_option options[] = {
    {.name = "metric",
     .type = ATT_OPT_TEXT,
     .offset = FIELD(metric),
     .def = "bleu,chrf",
     .help =
         "the scores, separated by commas: bleu, chrf, chrf++, ter, rouge1, rouge2, rougeL, rougeLsum, wer (word error "
         "rate), exact (percent of equal lines), f1 (of the words of answers, as for SQuAD)"},
    {.name = "tokenize",
     .type = ATT_OPT_CHOICE,
     .offset = FIELD(tokenize),
     .def = "13a",
     .choices = tokenize_names,
     .help = "how BLEU cuts lines into tokens; intl parts all of Unicode's punctuation, zh is for Chinese, char takes "
             "every character, none is for text that is tokenized"},
    {.name = "lowercase", .type = ATT_OPT_BOOL, .offset = FIELD(lowercase), .def = "false", .help = "ignore case"},
    {.name = "against",
     .type = ATT_OPT_PATHS,
     .offset = FIELD(against),
     .help = "another system's output, to compare with HYP: paired bootstrap with its p-value"},
    {.name = "confidence",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(confidence),
     .def = "false",
     .help = "mean and 95 % interval of the bootstrap's samples; --against brings them too"},
    {.name = "samples",
     .type = ATT_OPT_INT,
     .offset = FIELD(samples),
     .def = "1000",
     .min = 1,
     .max = 1e6,
     .help = "test sets that the bootstrap draws"},
    {.name = "seed",
     .type = ATT_OPT_INT,
     .offset = FIELD(seed),
     .def = "12345",
     .min = 0,
     .max = 9e15,
     .help = "of the bootstrap; the default is sacreBLEU's and draws its samples"},
    {.name = "json", .type = ATT_OPT_BOOL, .offset = FIELD(json), .def = "false", .help = "print one JSON object"},
    {0},
};

static const at_positional positionals[] = {
    {"HYP", "translations, one a line, plain or .gz; - is standard input", ATT_ONE},
    {"REF", "references, as many lines", ATT_ONE_OR_MORE},
    {0},
};

/* ---- what is asked ---- */

static at_status choose_metric(const char *name, size_t len, at_evaluate_args *args, at_error *err)
{
    for (int i = 0; i < ATT_EVALUATE_METRICS; i++) {
        const char *known = at_evaluate_metric_name((at_evaluate_metric)i);
        if (strlen(known) != len || strncmp(known, name, len) != 0) continue;
        args->metric[i] = true;
        return ATT_OK;
    }
    return at_fail(
        err, ATT_OPTION,
        "--metric: \"%.*s\" is no score; give bleu, chrf, chrf++, ter, rouge1, rouge2, rougeL, rougeLsum, wer, "
        "exact, f1, or several as in bleu,chrf",
        len < 60 ? (int)len : 60, name);
}

/* Reads "bleu,chrf". */
static at_status choose_metrics(const char *text, at_evaluate_args *args, at_error *err)
{
    for (const char *name = text;; name++) {
        const size_t len = strcspn(name, ",");
        ATT_TRY(choose_metric(name, len, args, err));
        name += len;
        if (*name == '\0') return ATT_OK;
    }
}

/* Cuts --against at its line ends, and makes room for the scores. */
static at_status read_against(evaluate_state *asked, at_evaluate_args *args, at_error *err)
{
    size_t count = asked->against != NULL;
    for (const char *at = asked->against; at != NULL && *at != '\0'; at++) count += *at == '\n';
    asked->other_paths = calloc(count + 1, sizeof *asked->other_paths);
    asked->scores = calloc(count + 1, sizeof *asked->scores);
    if (asked->other_paths == NULL || asked->scores == NULL) {
        return at_fail_memory(err, (count + 1) * sizeof *asked->scores);
    }
    char *rest = asked->against;
    for (size_t i = 0; i < count; i++) {
        asked->other_paths[i] = rest;
        rest += strcspn(rest, "\n");
        if (*rest != '\0') *rest++ = '\0';
    }
    args->against = asked->other_paths;
    args->against_count = count;
    return ATT_OK;
}

/* ---- plain ---- */

static const char *const titles[ATT_EVALUATE_METRICS] = {
    [ATT_EVALUATE_BLEU] = "BLEU",
    [ATT_EVALUATE_CHRF] = "chrF",
    [ATT_EVALUATE_CHRF_WORDS] = "chrF++",
    [ATT_EVALUATE_TER] = "TER",
    [ATT_EVALUATE_ROUGE_1] = "ROUGE-1",
    [ATT_EVALUATE_ROUGE_2] = "ROUGE-2",
    [ATT_EVALUATE_ROUGE_L] = "ROUGE-L",
    [ATT_EVALUATE_ROUGE_LSUM] = "ROUGE-Lsum",
    [ATT_EVALUATE_WER] = "word error rate",
    [ATT_EVALUATE_EXACT] = "exact match",
    [ATT_EVALUATE_F1] = "F1",
};

static void print_score(at_output *output, int metric, const at_scores *scores)
{
    const double *p = scores->precisions;
    at_print(output, "%s %.2f", titles[metric], scores->metric[metric].score);
    if (metric == ATT_EVALUATE_BLEU) {
        at_print(output, " (%.1f/%.1f/%.1f/%.1f, brevity penalty %.3f, %" PRId64 " / %" PRId64 " tokens)", p[0], p[1],
                 p[2], p[3], scores->brevity_penalty, scores->hypothesis_length, scores->reference_length);
    }
    at_print(output, "%s\n", metric == ATT_EVALUATE_EXACT || metric == ATT_EVALUATE_WER ? " %" : "");
}

static void print_others(at_output *output, const at_evaluate_args *args, int metric, const at_scores *scores)
{
    for (size_t i = 0; i < args->against_count; i++) {
        const at_metric_score *score = &scores[1 + i].metric[metric];
        at_print(output, "  against %s: %.2f, mean %.2f ± %.2f, p = %.4f\n", args->against[i], score->score,
                 score->mean, score->interval, score->p_value);
    }
}

static void print_scores(at_output *output, const at_evaluate_args *args, const at_scores *scores)
{
    for (int i = 0; i < ATT_EVALUATE_METRICS; i++) {
        if (!args->metric[i]) continue;
        const at_metric_score *score = &scores->metric[i];
        print_score(output, i, scores);
        if (args->samples > 0) at_print(output, "  mean %.2f ± %.2f\n", score->mean, score->interval);
        print_others(output, args, i, scores);
        at_print(output, "  %s\n", score->signature);
    }
}

/* ---- JSON ---- */

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

/* What stands for one score. */
typedef json_t *score_form(const at_metric_score *score);

static json_t *just_score(const at_metric_score *score)
{
    return json_real(score->score);
}

static json_t *just_signature(const at_metric_score *score)
{
    return json_string(score->signature);
}

static json_t *spread(const at_metric_score *score)
{
    return json_pack("{sf sf}", "mean", score->mean, "interval", score->interval);
}

static json_t *comparison(const at_metric_score *score)
{
    return json_pack("{sf sf sf sf}", "score", score->score, "mean", score->mean, "interval", score->interval,
                     "p_value", score->p_value);
}

/* Adds a member a metric; not 0 when that failed. */
static int add_scores(json_t *object, const at_evaluate_args *args, const at_scores *scores, score_form *form)
{
    int failed = 0;
    for (int i = 0; i < ATT_EVALUATE_METRICS; i++) {
        if (!args->metric[i]) continue;
        failed |= json_object_set_new(object, at_evaluate_metric_name((at_evaluate_metric)i), form(&scores->metric[i]));
    }
    return failed;
}

/* Adds `name`, an object with a member a metric. */
static int add_group(json_t *object, const char *name, const at_evaluate_args *args, const at_scores *scores,
                     score_form *form)
{
    json_t *group = json_object();
    return add_scores(group, args, scores, form) | json_object_set_new(object, name, group);
}

static int add_bootstrap(json_t *object, const at_evaluate_args *args, const at_scores *scores)
{
    json_t *group = json_pack("{sI sI}", "samples", (json_int_t)args->samples, "seed", (json_int_t)args->seed);
    return add_scores(group, args, scores, spread) | json_object_set_new(object, "bootstrap", group);
}

static int add_against(json_t *object, const at_evaluate_args *args, const at_scores *scores)
{
    int failed = 0;
    json_t *list = json_array();
    for (size_t i = 0; i < args->against_count; i++) {
        json_t *system = json_object();
        failed |= json_object_set_new(system, "path", at_json_text(args->against[i]));
        failed |= add_scores(system, args, &scores[1 + i], comparison);
        failed |= json_array_append_new(list, system);
    }
    return failed | json_object_set_new(object, "against", list);
}

static at_status print_scores_json(at_output *output, const at_evaluate_args *args, const at_scores *scores,
                                   at_error *err)
{
    json_t *object = json_object();
    int failed = add_scores(object, args, scores, just_score);
    if (args->metric[ATT_EVALUATE_BLEU]) failed |= add_bleu_details(object, args, scores);
    failed |= add_members(object,
                          json_pack("{sb sI}", "lowercase", (int)args->lowercase, "lines", (json_int_t)scores->lines));
    failed |= add_group(object, "signatures", args, scores, just_signature);
    if (args->samples > 0) failed |= add_bootstrap(object, args, scores);
    if (args->against_count > 0) failed |= add_against(object, args, scores);
    if (failed == 0) return at_print_json(output, object, err);
    json_decref(object);
    return at_print_json(output, NULL, err);
}

/* ---- the command ---- */

static at_status run(at_cli *cli, void *state, at_error *err)
{
    evaluate_state *asked = state;
    at_evaluate_args args = {.hypotheses = cli->arguments.positional[0],
                             .references = cli->arguments.positional + 1,
                             .reference_count = (size_t)cli->arguments.positional_count - 1,
                             .tokenize = (at_evaluate_tokenize)asked->tokenize,
                             .lowercase = asked->lowercase,
                             .seed = (uint64_t)asked->seed,
                             .cancel = cli->interrupted};
    ATT_TRY(choose_metrics(asked->metric, &args, err));
    ATT_TRY(read_against(asked, &args, err));
    if (asked->confidence || args.against_count > 0) args.samples = asked->samples;
    ATT_TRY(at_evaluate(&args, asked->scores, err));
    if (asked->json) return print_scores_json(&cli->output, &args, asked->scores, err);
    print_scores(&cli->output, &args, asked->scores);
    return ATT_OK;
}

static void free_state(void *state)
{
    evaluate_state *asked = state;
    free(asked->other_paths);
    free(asked->scores);
}

const at_command at_cmd_evaluate = {
    .name = "evaluate",
    .summary = "score translations against references: BLEU, chrF, TER ...",
    .description =
        "Scores a file of translations against files of references, line by line. BLEU, chrF, chrF++ and TER have the "
        "numbers of sacreBLEU 2.6 and print its signature with attend's version; ROUGE those of rouge-score without "
        "stemming; F1 those of SQuAD's program. TER, ROUGE and F1 always ignore case. For ROUGE-Lsum the two "
        "characters "
        "\\n end a sentence."
        "\n\n"
        "With --against, test sets are drawn from the lines with replacement, the same for both systems. p is the "
        "probability that systems of equal quality differ that much; below 0.05 the difference counts as real.",
    .examples = "attend evaluate output.en test.en\n"
                "attend translate -m model.safetensors < test.zh | attend evaluate - test.en\n"
                "attend evaluate output.zh test.zh --tokenize zh --json\n"
                "attend evaluate output.en first.en second.en --metric bleu,chrf++,ter\n"
                "attend evaluate baseline.en test.en --against output.en\n",
    .positionals = positionals,
    .options = options,
    .state_size = sizeof(evaluate_state),
    .interruptible = true,
    .run = run,
    .close = free_state,
};
