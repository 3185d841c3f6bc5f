/* Validation sentences as text: reading, translating, scoring. See valid_text.h. */
#include "train/valid_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "infer/translate.h"

bool at_valid_text_wanted(const at_train_options *o)
{
    return o->valid_sentences > 0 || o->best_metric != ATT_BEST_LOSS;
}

/* Both files while they are read. Lines are offsets into the bytes, which move as they grow: source and reference of
 * pair i are bytes ends[2 i] .. ends[2 i + 1] .. ends[2 i + 2]. */
typedef struct reader {
    at_valid_text *text;
    const at_bundle *bundle;
    int64_t limit;
    size_t *ends;
    size_t room; /* pairs that ends holds */
    at_ids ids;  /* of one source line */
} reader;

static bool is_fine(const char *text, size_t len)
{
    return len > 0 && at_utf8_valid(text, len) == len;
}

/* Whether the model can read the line. */
static at_status fits(reader *in, const char *text, size_t len, bool *fine, at_error *err)
{
    const at_model *model = in->bundle->model;
    const int64_t most = model->arch->max_tokens ? model->arch->max_tokens(model) : 0;
    *fine = true;
    if (most == 0) return ATT_OK;
    in->ids.len = 0;
    ATT_TRY(at_tokenizer_encode(in->bundle->source, text, len, &in->ids, err));
    *fine = (int64_t)in->ids.len < most;
    return ATT_OK;
}

static at_status reserve_pair(reader *in, at_error *err)
{
    if ((size_t)in->text->count < in->room) return ATT_OK;
    const size_t room = in->room ? 2 * in->room : 1024;
    size_t *ends = realloc(in->ends, (2 * room + 1) * sizeof *ends);
    if (ends == NULL) return at_fail_memory(err, (2 * room + 1) * sizeof *ends);
    in->ends = ends;
    in->room = room;
    ends[0] = 0;
    return ATT_OK;
}

static at_status add_pair(reader *in, const char *const *text, const size_t *len, at_error *err)
{
    bool fine = is_fine(text[0], len[0]) && is_fine(text[1], len[1]);
    if (fine) ATT_TRY(fits(in, text[0], len[0], &fine, err));
    if (!fine) return ATT_OK;
    ATT_TRY(reserve_pair(in, err));
    for (int side = 0; side < 2; side++) {
        ATT_TRY(at_buf_add(&in->text->bytes, text[side], len[side], err));
        in->ends[2 * in->text->count + side + 1] = in->text->bytes.len;
    }
    in->text->count++;
    return ATT_OK;
}

static at_status read_pairs(reader *in, at_pairs *pairs, at_error *err)
{
    while (in->limit == 0 || in->text->count < in->limit) {
        at_pair pair;
        bool got;
        ATT_TRY(at_pairs_next(pairs, &pair, &got, err));
        if (!got) return ATT_OK;
        ATT_TRY(add_pair(in, pair.text, pair.len, err));
    }
    return ATT_OK;
}

static at_status read_files(reader *in, const at_text_files *files, at_error *err)
{
    at_pairs *pairs;
    ATT_TRY(at_pairs_open(&pairs, files, err));
    const at_status status = read_pairs(in, pairs, err);
    at_pairs_close(pairs);
    return status;
}

/* Offsets to lines, now that the bytes stay where they are. */
static at_status settle(reader *in, at_error *err)
{
    at_valid_text *t = in->text;
    const size_t count = (size_t)t->count;
    t->source = malloc(count * sizeof *t->source);
    t->reference = malloc(count * sizeof *t->reference);
    if (t->source == NULL || t->reference == NULL)
        return at_fail_memory(err, count * (sizeof *t->source + sizeof *t->reference));
    for (size_t i = 0; i < count; i++) {
        const size_t *end = &in->ends[2 * i];
        t->source[i] = (at_line){t->bytes.data + end[0], end[1] - end[0]};
        t->reference[i] = (at_text){t->bytes.data + end[1], end[2] - end[1]};
    }
    return ATT_OK;
}

at_status at_valid_text_read(at_valid_text *text, const at_bundle *bundle, const at_text_files *files, int64_t limit,
                             at_error *err)
{
    *text = (at_valid_text){0};
    reader in = {.text = text, .bundle = bundle, .limit = limit};
    at_status status = read_files(&in, files, err);
    if (status == ATT_OK && text->count == 0)
        status = at_fail(err, ATT_INPUT, "%s: no validation sentence can be translated", files->sources[0]);
    if (status == ATT_OK) status = settle(&in, err);
    free(in.ends);
    at_ids_free(&in.ids);
    if (status != ATT_OK) at_valid_text_free(text);
    return status;
}

void at_valid_text_free(at_valid_text *text)
{
    at_buf_free(&text->bytes);
    free(text->source);
    free(text->reference);
    *text = (at_valid_text){0};
}

static at_status score(const at_valid_text *text, const at_translation *translations, at_bleu_tokenize tokenize,
                       at_valid_scores *scores, at_error *err)
{
    const size_t count = (size_t)text->count;
    at_text *hypotheses = malloc(count * sizeof *hypotheses);
    at_bleu bleu;
    if (hypotheses == NULL) return at_fail_memory(err, count * sizeof *hypotheses);
    for (size_t i = 0; i < count; i++) hypotheses[i] = (at_text){translations[i].text, translations[i].len};
    at_status status = at_bleu_corpus(hypotheses, text->reference, count, tokenize, false, &bleu, err);
    if (status == ATT_OK) status = at_chrf_corpus(hypotheses, text->reference, count, false, &scores->chrf, err);
    if (status == ATT_OK) scores->bleu = bleu.score;
    free(hypotheses);
    return status;
}

at_status at_valid_text_score(const at_valid_text *text, const at_bundle *bundle, const at_train_options *o,
                              const volatile int *cancel, at_valid_scores *scores, at_error *err)
{
    const at_translate_options how = {.search = {.beam = o->valid_beam,
                                                 .alpha = 1,
                                                 .penalty = ATT_PENALTY_GNMT,
                                                 .max_ratio = 2,
                                                 .max_extra = 20,
                                                 .cancel = cancel},
                                      .batch_tokens = 4096,
                                      .first_line = 1};
    at_translation *translations = malloc((size_t)text->count * sizeof *translations);
    if (translations == NULL) return at_fail_memory(err, (size_t)text->count * sizeof *translations);
    at_status status = at_translate_lines(bundle, text->source, text->count, &how, translations, err);
    if (status == ATT_OK) {
        status = score(text, translations, (at_bleu_tokenize)o->valid_tokenize, scores, err);
        for (int64_t i = 0; i < text->count; i++) at_translation_free(&translations[i]);
    }
    free(translations);
    return status;
}
