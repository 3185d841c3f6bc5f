/* The table of a run's options, and the presets. */
#include "train/train_options.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "data/batcher.h"
#include "text/metrics.h"
#include "text/tokenizer.h"

#define FIELD(name) offsetof(at_train_options, name)

const char *const at_task_names[] = {
    [ATT_TASK_TRANSLATION] = "translation", [ATT_TASK_LANGUAGE_MODEL] = "language-model", NULL};
static const char *const subword_names[] = {
    [ATT_SUBWORD_UNIGRAM] = "unigram", [ATT_SUBWORD_BPE] = "bpe", [ATT_SUBWORD_CHAR] = "char", NULL};
static const char *const measure_names[] = {"padded", "packed", NULL};
static const char *const schedule_names[] = {"inverse-sqrt", "cosine", "linear", "constant", "exponential", NULL};
static const char *const optimizer_names[] = {[ATT_OPTIMIZER_ADAM] = "adam",
                                              [ATT_OPTIMIZER_ADAMW] = "adamw",
                                              [ATT_OPTIMIZER_RMSPROP] = "rmsprop",
                                              [ATT_OPTIMIZER_SGD] = "sgd",
                                              NULL};
static const char *const metric_names[] = {
    [ATT_BEST_LOSS] = "loss", [ATT_BEST_BLEU] = "bleu", [ATT_BEST_CHRF] = "chrf", NULL};
static const char *const tokenize_names[] = {
    [ATT_TOKENIZE_13A] = "13a",   [ATT_TOKENIZE_INTL] = "intl", [ATT_TOKENIZE_ZH] = "zh",
    [ATT_TOKENIZE_CHAR] = "char", [ATT_TOKENIZE_NONE] = "none", NULL};

const at_option at_train_option_table[] = {
    {"task", ATT_OPT_CHOICE, FIELD(task), "translation", 0, 0, at_task_names,
     "what is learned: translation from source and target, or a language-model from text", 0},
    {"text", ATT_OPT_PATHS, FIELD(text), NULL, 0, 0, NULL,
     "text for a language model, plain or .gz, - for standard input; several files are laid end to end", 0},
    {"valid-text", ATT_OPT_PATHS, FIELD(valid_text), NULL, 0, 0, NULL, "text for its validation", 0},
    {"source", ATT_OPT_PATHS, FIELD(source), NULL, 0, 0, NULL,
     "source text for training, plain or .gz, one sentence a line, - for standard input; several files are read in "
     "turn",
     's'},
    {"target", ATT_OPT_PATHS, FIELD(target), NULL, 0, 0, NULL, "target text, parallel to source line by line", 't'},
    {"valid-source", ATT_OPT_PATHS, FIELD(valid_source), NULL, 0, 0, NULL, "source text for validation", 0},
    {"valid-target", ATT_OPT_PATHS, FIELD(valid_target), NULL, 0, 0, NULL, "target text for validation", 0},
    {"tsv", ATT_OPT_PATHS, FIELD(tsv), NULL, 0, 0, NULL,
     "text for training with both sides in one file, in columns separated by TABs", 0},
    {"valid-tsv", ATT_OPT_PATHS, FIELD(valid_tsv), NULL, 0, 0, NULL, "such text for validation", 0},
    {"columns", ATT_OPT_TEXT, FIELD(columns), "1,2", 0, 0, NULL,
     "columns of source and target in tsv and valid-tsv, from 1", 0},
    {"run", ATT_OPT_PATH, FIELD(run), NULL, 0, 0, NULL,
     "run folder: checkpoints, log, effective recipe; the same command again continues it", 'o'},
    {"cache", ATT_OPT_PATH, FIELD(cache), NULL, 0, 0, NULL,
     "folder that keeps the text as tokens, for a quick start of this and other runs; without it large text, .gz and "
     "standard input are kept in the "
     "run folder",
     0},
    {"tokenizer", ATT_OPT_PATH, FIELD(tokenizer), NULL, 0, 0, NULL,
     "a SentencePiece model to use instead of training one", 0},
    {"target-tokenizer", ATT_OPT_PATH, FIELD(target_tokenizer), NULL, 0, 0, NULL,
     "a SentencePiece model of the target's own", 0},
    {"vocab-size", ATT_OPT_INT, FIELD(vocab_size), "8000", 8, 1e6, NULL,
     "pieces of the vocabulary (of the source's, when separate)", 0},
    {"target-vocab-size", ATT_OPT_INT, FIELD(target_vocab_size), "0", 0, 1e6, NULL,
     "pieces of the target's vocabulary when separate; 0: as vocab-size", 0},
    {"shared-vocab", ATT_OPT_BOOL, FIELD(shared_vocab), "true", 0, 0, NULL, "one vocabulary, trained on both sides", 0},
    {"subword", ATT_OPT_CHOICE, FIELD(subword), "unigram", 0, 0, subword_names,
     "kind of SentencePiece model; char: every character is a piece, the line end too", 0},
    {"character-coverage", ATT_OPT_REAL, FIELD(character_coverage), "1", 0.98, 1, NULL,
     "share of characters that get pieces; 0.9995 for Chinese and Japanese", 0},
    {"byte-fallback", ATT_OPT_BOOL, FIELD(byte_fallback), "false", 0, 0, NULL,
     "unseen characters become bytes instead of the unknown piece", 0},
    {"max-tokens", ATT_OPT_INT, FIELD(max_tokens), "256", 1, 1e7, NULL,
     "pairs with a longer side (in pieces) are skipped", 0},
    {"max-ratio", ATT_OPT_REAL, FIELD(max_ratio), "9", 0, 1e6, NULL,
     "pairs whose sides differ by more than this factor are skipped; 0: none", 0},
    {"sample-alpha", ATT_OPT_REAL, FIELD(sample_alpha), "0", 0, 1, NULL,
     "subword sampling: other pieces for the same text each epoch; unigram: exponent on their probability (0.2), bpe: "
     "share of merges left out (0.1); 0: off",
     0},
    {"sample-best", ATT_OPT_INT, FIELD(sample_best), "16", 2, 1024, NULL,
     "unigram: sample among so many best segmentations", 0},
    {"batch-tokens", ATT_OPT_INT, FIELD(batch_tokens), "4096", 1, 1e9, NULL,
     "tokens of a batch; of a language model: so many windows of context tokens as fit", 0},
    {"batch-measure", ATT_OPT_CHOICE, FIELD(batch_measure), "padded", 0, 0, measure_names,
     "how a batch's tokens are counted: pairs times longest side (padded, what other toolkits count) or real tokens "
     "(packed)",
     0},
    {"accumulate", ATT_OPT_INT, FIELD(accumulate), "1", 1, 100000, NULL, "batches an update", 0},
    {"recompute", ATT_OPT_BOOL, FIELD(recompute), "false", 0, 0, NULL,
     "keep the input of each layer only, and compute its activations again in the backward pass: less memory, more "
     "time, "
     "the same result to the bit",
     0},
    {"memory", ATT_OPT_INT, FIELD(memory), "0", 0, 1e15, NULL,
     "bytes of memory that the run may take, such as 2G; when a run begins, batches are cut and accumulated until it "
     "fits, "
     "and an update's tokens stay the same; 0: no limit",
     0},
    {"steps", ATT_OPT_INT, FIELD(steps), "100000", 1, 1e12, NULL, "updates at most", 0},
    {"epochs", ATT_OPT_INT, FIELD(epochs), "0", 0, 1e9, NULL, "epochs at most; 0: no limit", 0},
    {"minutes", ATT_OPT_REAL, FIELD(minutes), "0", 0, INFINITY, NULL,
     "minutes of training at most, counted over continuations; 0: no limit", 0},
    {"learning-rate", ATT_OPT_REAL, FIELD(learning_rate), "0.0005", 0, 100, NULL, "highest learning rate", 0},
    {"schedule", ATT_OPT_CHOICE, FIELD(schedule), "inverse-sqrt", 0, 0, schedule_names,
     "after the warm-up: rate sqrt(warmup/step), or cosine or straight line to final-rate at the last step, or "
     "constant, or times gamma each update (exponential)",
     0},
    {"warmup", ATT_OPT_INT, FIELD(warmup), "4000", 0, 1e9, NULL, "updates over which the rate rises from 0", 0},
    {"final-rate", ATT_OPT_REAL, FIELD(final_rate), "0", 0, 1, NULL,
     "rate at the last step as a share of the highest (cosine, linear)", 0},
    {"gamma", ATT_OPT_REAL, FIELD(gamma), "0.9999", 0, 1, NULL,
     "factor on the rate of each update after the warm-up (exponential)", 0},
    {"optimizer", ATT_OPT_CHOICE, FIELD(optimizer), "adam", 0, 0, optimizer_names, "rule of the updates", 0},
    {"beta1", ATT_OPT_REAL, FIELD(beta1), "0.9", 0, 0.999999, NULL, "Adam's decay of the first moment", 0},
    {"beta2", ATT_OPT_REAL, FIELD(beta2), "0.98", 0, 0.9999999, NULL, "decay of the second moment (Adam, RMSProp)", 0},
    {"eps", ATT_OPT_REAL, FIELD(eps), "1e-9", 0, 1, NULL,
     "epsilon beside the root of the second moment (Adam, RMSProp)", 0},
    {"momentum", ATT_OPT_REAL, FIELD(momentum), "0", 0, 0.999999, NULL, "momentum of SGD and RMSProp; 0: none", 0},
    {"weight-decay", ATT_OPT_REAL, FIELD(weight_decay), "0", 0, 100, NULL,
     "weight decay; adamw: decoupled (times the rate, off the weight), others: L2 (times the weight, added to the "
     "gradient); never on biases and norms",
     0},
    {"ema", ATT_OPT_REAL, FIELD(ema), "0", 0, 0.9999999, NULL,
     "decay of the exponential moving average of the weights, which is validated and saved in the weights' place; 0: "
     "off",
     0},
    {"clip", ATT_OPT_REAL, FIELD(clip), "0", 0, INFINITY, NULL, "largest norm of the gradient; 0: no clipping", 0},
    {"smoothing", ATT_OPT_REAL, FIELD(smoothing), "-1", -1, 0.99, NULL,
     "label smoothing over the whole vocabulary; -1: 0.1 for translation, 0 for a language model", 0},
    {"seed", ATT_OPT_INT, FIELD(seed), "1", 0, 9e15, NULL, "seed of initial weights, dropout and order of data", 0},
    {"validate-every", ATT_OPT_INT, FIELD(validate_every), "0", 0, 1e9, NULL,
     "updates between validations; 0: each epoch", 0},
    {"best-metric", ATT_OPT_CHOICE, FIELD(best_metric), "loss", 0, 0, metric_names,
     "what decides which validation is the best one, and early stopping", 0},
    {"valid-sentences", ATT_OPT_INT, FIELD(valid_sentences), "0", 0, 1e9, NULL,
     "validation sentences to translate and score with BLEU and chrF at each validation; 0: none, or all of them with "
     "best-metric bleu or chrf",
     0},
    {"valid-beam", ATT_OPT_INT, FIELD(valid_beam), "1", 1, 1000, NULL, "beam of these translations", 0},
    {"valid-tokenize", ATT_OPT_CHOICE, FIELD(valid_tokenize), "13a", 0, 0, tokenize_names, "tokenisation of their BLEU",
     0},
    {"patience", ATT_OPT_INT, FIELD(patience), "0", 0, 1e6, NULL,
     "stop after so many validations without a better one (best-metric); 0: never", 0},
    {"keep", ATT_OPT_INT, FIELD(keep), "1", 0, 1e6, NULL, "models of the last validations to keep", 0},
    {"average", ATT_OPT_INT, FIELD(average), "0", 0, 1000, NULL,
     "at the end, write the mean of the last so many validations' models; 0: none", 0},
    {"save-minutes", ATT_OPT_REAL, FIELD(save_minutes), "5", 0.01, 1e6, NULL,
     "minutes between checkpoints within an epoch", 0},
    {"show", ATT_OPT_TEXT, FIELD(show), NULL, 0, 0, NULL,
     "sentences (one a line) to translate, or to continue, while training, to watch it learn", 0},
    {"show-seconds", ATT_OPT_REAL, FIELD(show_seconds), "60", 1, 1e6, NULL, "seconds between these translations", 0},
    {"log-every", ATT_OPT_INT, FIELD(log_every), "50", 1, 1e9, NULL, "updates between lines of the log", 0},
    {"threads", ATT_OPT_INT, FIELD(threads), "0", 0, 1024, NULL, "threads; 0: one a core", 0},
    {"precision", ATT_OPT_CHOICE, FIELD(precision), "float32", 0, 0, at_precision_names,
     "large products, in training and its validation: bf16 rounds their operands to bfloat16 and sums in float32, "
     "faster where the processor multiplies bfloat16; bf16-emulated: on any processor, slowly, for tests",
     0},
    {0},
};

/* Published shapes: base and big as in Vaswani et al. 2017, table 3; tiny as in Wu et al. 2021 for Multi30k; small between. */
static const at_preset_value tiny[] = {{"width", "128"},
                                       {"ffn", "256"},
                                       {"heads", "4"},
                                       {"encoder-layers", "4"},
                                       {"decoder-layers", "4"},
                                       {"dropout", "0.3"},
                                       {"dropout-embedding", "0.3"},
                                       {"learning-rate", "0.005"},
                                       {"warmup", "2000"},
                                       {"accumulate", "2"},
                                       {"positions", "sinusoidal-tensor2tensor"},
                                       {"vocab-size", "10000"},
                                       {"steps", "8000"},
                                       {"patience", "10"},
                                       {"average", "10"},
                                       {"keep", "10"},
                                       {0}};
static const at_preset_value small[] = {{"width", "256"},
                                        {"ffn", "1024"},
                                        {"heads", "4"},
                                        {"encoder-layers", "3"},
                                        {"decoder-layers", "3"},
                                        {"dropout", "0.2"},
                                        {"norm", "pre"},
                                        {"dropout-embedding", "0.2"},
                                        {"learning-rate", "0.001"},
                                        {"warmup", "2000"},
                                        {"steps", "20000"},
                                        {"patience", "10"},
                                        {"average", "5"},
                                        {"keep", "5"},
                                        {0}};
static const at_preset_value base[] = {{"width", "512"},
                                       {"ffn", "2048"},
                                       {"heads", "8"},
                                       {"encoder-layers", "6"},
                                       {"decoder-layers", "6"},
                                       {"dropout", "0.1"},
                                       {"learning-rate", "0.0007"},
                                       {"warmup", "4000"},
                                       {"accumulate", "8"},
                                       {"vocab-size", "32000"},
                                       {"steps", "100000"},
                                       {"average", "5"},
                                       {"keep", "5"},
                                       {0}};
static const at_preset_value big[] = {{"width", "1024"},
                                      {"ffn", "4096"},
                                      {"heads", "16"},
                                      {"encoder-layers", "6"},
                                      {"decoder-layers", "6"},
                                      {"dropout", "0.3"},
                                      {"dropout-embedding", "0.3"},
                                      {"learning-rate", "0.0005"},
                                      {"warmup", "4000"},
                                      {"accumulate", "8"},
                                      {"vocab-size", "32000"},
                                      {"steps", "300000"},
                                      {"average", "20"},
                                      {"keep", "20"},
                                      {0}};

const char *const at_preset_names[] = {"tiny", "small", "base", "big", NULL};

const at_preset_value *at_preset_find(const char *name)
{
    static const at_preset_value *const values[] = {tiny, small, base, big};
    for (int i = 0; at_preset_names[i]; i++)
        if (strcmp(at_preset_names[i], name) == 0) return values[i];
    return NULL;
}

const char *at_task_arch(at_task task)
{
    return task == ATT_TASK_LANGUAGE_MODEL ? "gpt" : "transformer";
}

void at_train_options_settle(at_train_options *o)
{
    if (o->smoothing < 0) o->smoothing = at_is_language_model(o) ? 0 : 0.1;
}

/* The text itself is compared by its hash (run.c), so its paths are free. Checkpoints are float32 in any precision, so that a
 * run goes on where its precision is not to be had. */
bool at_train_option_matters(const char *name)
{
    static const char *const free_to_change[] = {
        "run",       "threads", "show",     "show-seconds", "log-every",    "save-minutes", "minutes",
        "keep",      "epochs",  "source",   "text",         "valid-text",   "target",       "tsv",
        "valid-tsv", "columns", "cache",    "valid-source", "valid-target", "tokenizer",    "target-tokenizer",
        "recompute", "memory",  "precision"};
    for (size_t i = 0; i < sizeof free_to_change / sizeof *free_to_change; i++)
        if (strcmp(name, free_to_change[i]) == 0) return false;
    return true;
}
