/* See run_text.h. */
#include "train/run_text.h"

at_status at_run_describe_skipped(const at_corpus *corpus, at_buf *text, at_error *err)
{
    at_buf_clear(text);
    for (int i = 0; i < ATT_SKIP_KINDS; i++) {
        const at_corpus_counts *c = &corpus->counts;
        if (c->skipped[i] == 0) continue;
        ATT_TRY(at_buf_printf(text, err, "%s%lld %s (first: line %lld)", text->len > 0 ? ", " : "",
                              (long long)c->skipped[i], at_skip_name[i], (long long)c->first_skipped[i]));
    }
    return ATT_OK;
}

int64_t at_run_count_skipped(const at_corpus *corpus)
{
    int64_t count = 0;
    for (int i = 0; i < ATT_SKIP_KINDS; i++) count += corpus->counts.skipped[i];
    return count;
}

static at_status fail_nothing_left(const at_corpus *corpus, const char *path, at_error *err)
{
    if (corpus->counts.lines == 0) return at_fail(err, ATT_INPUT, "%s is empty; give text", path);
    at_buf skipped = {0};
    at_status status = at_run_describe_skipped(corpus, &skipped, err);
    if (status == ATT_OK)
        status = at_fail(
            err, ATT_INPUT,
            "%s: no sentence pair is left after %lld lines%s%s; see max-tokens and max-ratio, and attend data check",
            path, (long long)corpus->counts.lines, skipped.len > 0 ? ": " : "", skipped.len > 0 ? skipped.data : "");
    at_buf_free(&skipped);
    return status;
}

at_status at_run_check_left(const at_corpus *corpus, const char *path, const at_train_options *o, at_error *err)
{
    if (!at_is_language_model(o)) return corpus->count > 0 ? ATT_OK : fail_nothing_left(corpus, path, err);
    if (corpus->id_count >= 2) return ATT_OK;
    return at_fail(err, ATT_INPUT, "%s: %lld tokens are nothing to predict; give more text", path,
                   (long long)corpus->id_count);
}

/* Training a vocabulary takes its size as a limit: little text has fewer pieces. */
static at_status describe_vocabulary(at_buf *text, const at_tokenizer *tokenizer, int64_t wanted, const char *side,
                                     at_error *err)
{
    const int pieces = at_tokenizer_size(tokenizer);
    if (pieces >= wanted) return ATT_OK;
    return at_buf_printf(text, err, "%sthe %svocabulary has only %d pieces, as the text gives no more",
                         text->len > 0 ? "; " : "", side, pieces);
}

at_status at_run_describe_vocabularies(at_buf *text, const at_bundle *bundle, const at_train_options *o, at_error *err)
{
    const bool shared = bundle->source == bundle->target;
    if (o->subword == ATT_SUBWORD_CHAR) return ATT_OK; /* its size is the text's */
    if (o->tokenizer == NULL)
        ATT_TRY(describe_vocabulary(text, bundle->source, o->vocab_size, shared ? "" : "source ", err));
    if (shared || o->target_tokenizer != NULL) return ATT_OK;
    const int64_t wanted = o->target_vocab_size > 0 ? o->target_vocab_size : o->vocab_size;
    return describe_vocabulary(text, bundle->target, wanted, "target ", err);
}
