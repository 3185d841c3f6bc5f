/* attend data make phrases: parallel text from the phrase grammar. */
#include <attend/tools.h>
#include <inttypes.h>

#include "cli/command.h"
#include "cli/output_path.h"

typedef struct phrases_state {
    int64_t pairs, seed;
    int source_language, target_language; /* at_phrases_language */
    int split;                            /* at_phrases_split */
    bool distinct;
    char *output;
} phrases_state;

#define FIELD(name) offsetof(phrases_state, name)

static const char *const language_names[] = {"zh", "de", "en", NULL};
static const char *const split_names[] = {"all", "train", "held-out", NULL};
static const char *const required[] = {"output", NULL};

static const at_option options[] = {
    {.name = "output",
     .type = ATT_OPT_PATH,
     .offset = FIELD(output),
     .help = "where to write: PATH.zh and PATH.en, each with its language's ending",
     .letter = 'o'},
    {.name = "pairs",
     .type = ATT_OPT_INT,
     .offset = FIELD(pairs),
     .def = "10000",
     .min = 0,
     .max = 1e12,
     .help = "sentence pairs"},
    {.name = "seed",
     .type = ATT_OPT_INT,
     .offset = FIELD(seed),
     .def = "1",
     .min = 0,
     .max = 9e15,
     .help = "another number gives other sentences"},
    {.name = "source-language",
     .type = ATT_OPT_CHOICE,
     .offset = FIELD(source_language),
     .def = "zh",
     .choices = language_names,
     .help = "language of the first file",
     .letter = 's'},
    {.name = "target-language",
     .type = ATT_OPT_CHOICE,
     .offset = FIELD(target_language),
     .def = "en",
     .choices = language_names,
     .help = "language of the second file",
     .letter = 't'},
    {.name = "split",
     .type = ATT_OPT_CHOICE,
     .offset = FIELD(split),
     .def = "all",
     .choices = split_names,
     .help = "train and held-out have no sentence in common, whatever their seeds; about one in ten is held out"},
    {.name = "distinct",
     .type = ATT_OPT_BOOL,
     .offset = FIELD(distinct),
     .def = "false",
     .help = "no source sentence twice"},
    {0},
};

static at_status make(at_cli *cli, const phrases_state *asked, const char *source, const char *target, at_error *err)
{
    const at_make_phrases_args args = {.source_path = source,
                                       .target_path = target,
                                       .source = (at_phrases_language)asked->source_language,
                                       .target = (at_phrases_language)asked->target_language,
                                       .split = (at_phrases_split)asked->split,
                                       .pairs = asked->pairs,
                                       .seed = (uint64_t)asked->seed,
                                       .distinct = asked->distinct,
                                       .cancel = cli->interrupted};
    ATT_TRY(at_path_make_folder(source, err));
    ATT_TRY(at_make_phrases(&args, err));
    at_print(&cli->output, "%s, %s: %" PRId64 " pairs\n", source, target, asked->pairs);
    return ATT_OK;
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const phrases_state *asked = state;
    at_buf source = {0}, target = {0};
    at_status status = at_buf_printf(&source, err, "%s.%s", asked->output, language_names[asked->source_language]);
    if (status == ATT_OK) {
        status = at_buf_printf(&target, err, "%s.%s", asked->output, language_names[asked->target_language]);
    }
    if (status == ATT_OK) status = make(cli, asked, source.data, target.data, err);
    at_buf_free(&source);
    at_buf_free(&target);
    return status;
}

const at_command at_cmd_data_make_phrases = {
    .name = "data make phrases",
    .summary = "write made-up parallel sentences for first steps",
    .description = "Writes two parallel files of sentences from a small grammar of Chinese, German and English: who "
                   "did what to whom, when and where. There is no end of them, and the same options give the same "
                   "files.\n\n"
                   "Train on --split train and measure on --split held-out: its sentences combine known words in ways "
                   "that training never shows.",
    .examples = "attend data make phrases --pairs 20k --split train -o data/train\n"
                "attend data make phrases --pairs 500 --split held-out --distinct -o data/test\n"
                "attend data make phrases -s en -t de --seed 7 -o data/train\n",
    .options = options,
    .required = required,
    .state_size = sizeof(phrases_state),
    .interruptible = true,
    .run = run,
};
