/* What training leaves out. See judge.h. */
#include "data/judge.h"

#include <string.h>

#include "base/utf8.h"

const char *const at_skip_name[ATT_SKIP_KINDS] = {"missing-column", "empty",   "invalid-utf8", "nul",
                                                  "too-long",       "lopsided"};

/* Below these lengths a ratio says nothing: "Hi." and its translation. */
enum { RATIO_FROM_TOKENS = 10, RATIO_FROM_CHARACTERS = 40 };

/* ASCII only: other spaces show by giving no tokens. */
static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!memchr(" \t\r\v\f", text[i], 5)) return false;
    }
    return true;
}

/* What the bytes alone show. */
static at_skip judge_bytes(const at_pair *pair)
{
    if (pair->torn) return ATT_SKIP_TORN;
    for (int i = 0; i < 2 && !pair->one_side; i++)
        if (is_blank(pair->text[i], pair->len[i])) return ATT_SKIP_EMPTY;
    for (int i = 0; i < 2; i++)
        if (at_utf8_valid(pair->text[i], pair->len[i]) < pair->len[i]) return ATT_SKIP_UTF8;
    for (int i = 0; i < 2; i++)
        if (memchr(pair->text[i], 0, pair->len[i]) != NULL) return ATT_SKIP_NUL;
    return ATT_SKIP_KINDS;
}

/* Characters of a text, 0 when all are white space. */
static size_t count_characters(const char *text, size_t len)
{
    size_t count = 0;
    bool visible = false;
    for (size_t at = 0; at < len; count++) {
        uint32_t code;
        at += at_utf8_next(text + at, len - at, &code);
        visible = visible || !at_utf8_is_space(code);
    }
    return visible ? count : 0;
}

static at_status measure(const at_tokenizer *tokenizer, const char *text, size_t len, at_ids *ids, size_t *length,
                         at_error *err)
{
    if (tokenizer != NULL) ATT_TRY(at_tokenizer_encode(tokenizer, text, len, ids, err));
    *length = tokenizer != NULL ? ids->len : count_characters(text, len);
    return ATT_OK;
}

static at_skip judge_lengths(const at_judge *judge, size_t source, size_t target)
{
    const at_corpus_limits *limits = &judge->limits;
    const size_t longer = source > target ? source : target, shorter = source > target ? target : source;
    const size_t ratio_from = judge->tokenizer[0] != NULL ? RATIO_FROM_TOKENS : RATIO_FROM_CHARACTERS;
    if (shorter == 0) return ATT_SKIP_EMPTY;
    if (limits->max_tokens > 0 && longer > (size_t)limits->max_tokens) return ATT_SKIP_LONG;
    const bool lopsided = limits->max_ratio > 0 && (double)longer > limits->max_ratio * (double)shorter;
    return lopsided && longer > ratio_from ? ATT_SKIP_LOPSIDED : ATT_SKIP_KINDS;
}

at_status at_judge_pair(const at_judge *judge, const at_pair *pair, at_ids ids[2], at_skip *skip, at_error *err)
{
    size_t length[2];
    ids[0].len = ids[1].len = 0;
    *skip = judge_bytes(pair);
    if (*skip != ATT_SKIP_KINDS) return ATT_OK;
    for (int i = pair->one_side; i < 2; i++)
        ATT_TRY(measure(judge->tokenizer[i], pair->text[i], pair->len[i], &ids[i], &length[i], err));
    if (!pair->one_side) *skip = judge_lengths(judge, length[0], length[1]);
    return ATT_OK;
}
