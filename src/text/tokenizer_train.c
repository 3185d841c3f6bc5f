/* Training a tokenizer: choosing the text. The library is given only what it can take without ending the process
 * (its trainer checks itself with exit()):
 *
 *   - valid UTF-8 without NUL, and at least one character that its normalisation keeps: were all of the text
 *     normalised away, it would have no pieces
 *   - no U+2585, its own sign for rare characters
 *   - at most 4,096 bytes a sentence: it skips longer ones, and long ones could reach a likelihood of zero
 *   - at most 2^30 bytes in all, as it numbers all characters in 32 bits */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "text/sentencepiece.h"

enum {
    SPECIAL_PIECES = 4,
    BYTE_PIECES = 256,
    LONGEST_SENTENCE = 4096,  /* bytes */
    LARGEST_SAMPLE = 1 << 30, /* bytes */
    SPACE_SIGN = 0x2581,      /* the library's sign for a space, normalised to one */
    RARE_SIGN = 0x2585
};

typedef struct sentence {
    char *text;
    size_t len;
} sentence;

typedef struct sample {
    sentence *items;
    size_t count, cap;
    size_t max;    /* sentences to keep, 0: all */
    uint64_t seen; /* sentences offered */
    uint64_t key;  /* of the random numbers */
    size_t bytes;  /* of the kept ones */
    size_t at;     /* the next that the trainer gets */
} sample;

static void sample_free(sample *s)
{
    for (size_t i = 0; i < s->count; i++) free(s->items[i].text);
    free(s->items);
}

static at_status reserve_one(sample *s, at_error *err)
{
    if (s->count < s->cap) return ATT_OK;
    const size_t cap = s->cap == 0 ? 1024 : 2 * s->cap;
    sentence *items = realloc(s->items, cap * sizeof *items);
    if (items == NULL) return at_fail_memory(err, cap * sizeof *items);
    s->items = items;
    s->cap = cap;
    return ATT_OK;
}

/* The place of the sentence that is offered now: the next free one, or once the sample is full a random one or none,
 * so that in the end every sentence had the same chance (Vitter 1985, "Random sampling with a reservoir",
 * algorithm R). *place NULL: not taken. */
static at_status choose_place(sample *s, sentence **place, at_error *err)
{
    const uint64_t index = s->seen++;
    *place = NULL;
    if (s->max > 0 && s->count == s->max) {
        const uint64_t number = (uint64_t)(at_rng_uniform(s->key, index) * (double)s->seen);
        if (number < s->max) *place = &s->items[number];
        return ATT_OK;
    }
    ATT_TRY(reserve_one(s, err));
    *place = &s->items[s->count++];
    **place = (sentence){0};
    return ATT_OK;
}

static at_status offer(sample *s, const char *text, size_t len, at_error *err)
{
    sentence *place;
    ATT_TRY(choose_place(s, &place, err));
    if (place == NULL) return ATT_OK;
    char *copy = malloc(len);
    if (copy == NULL) return at_fail_memory(err, len);
    memcpy(copy, text, len);
    s->bytes += len - place->len;
    free(place->text);
    *place = (sentence){copy, len};
    if (s->bytes <= LARGEST_SAMPLE) return ATT_OK;
    return at_fail(err, ATT_OPTION,
                   "the text to train the tokenizer on is larger than %d MiB; limit the number of sentences",
                   LARGEST_SAMPLE >> 20);
}

/* Letters, marks, digits, punctuation and symbols; not spaces, control characters and the unassigned. */
static bool is_visible(uint32_t code)
{
    if (code == SPACE_SIGN || code == 0xFFFD) return false;
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_SO;
}

static bool is_usable(const char *text, size_t len)
{
    bool visible = false;
    for (size_t at = 0; at < len;) {
        uint32_t code;
        at += at_utf8_next(text + at, len - at, &code);
        if (code == RARE_SIGN) return false;
        visible = visible || is_visible(code);
    }
    return visible;
}

/* Bytes of the part of a long line that is cut off as a sentence: up to the last space, or a whole character. */
static size_t sentence_bytes(const char *text, size_t len)
{
    if (len <= LONGEST_SENTENCE) return len;
    for (size_t cut = LONGEST_SENTENCE; cut > 0; cut--) {
        if (text[cut] == ' ') return cut;
    }
    size_t cut = LONGEST_SENTENCE;
    while (((unsigned char)text[cut] & 0xC0) == 0x80) cut--;
    return cut;
}

static at_status add_line(sample *s, const char *text, size_t len, at_error *err)
{
    if (at_utf8_valid(text, len) < len || memchr(text, 0, len) != NULL) return ATT_OK;
    while (len > 0) {
        const size_t bytes = sentence_bytes(text, len);
        if (is_usable(text, bytes)) ATT_TRY(offer(s, text, bytes, err));
        text += bytes;
        len -= bytes;
    }
    return ATT_OK;
}

static at_status add_file(sample *s, const char *path, at_error *err)
{
    at_lines *lines;
    ATT_TRY(at_lines_open(&lines, path, err));
    at_status status;
    bool got;
    do {
        const char *text;
        size_t len;
        status = at_lines_next(lines, &text, &len, &got, err);
        if (status == ATT_OK && got) status = add_line(s, text, len, err);
    } while (status == ATT_OK && got);
    at_lines_close(lines);
    return status;
}

/* at_next_sentence. The trainer copies, so a sentence is freed when the next one is asked for. */
static bool next_sentence(void *arg, const char **text, size_t *len)
{
    sample *s = arg;
    if (s->at > 0) {
        free(s->items[s->at - 1].text);
        s->items[s->at - 1].text = NULL;
    }
    if (s->at == s->count) return false;
    *text = s->items[s->at].text;
    *len = s->items[s->at].len;
    s->at++;
    return true;
}

static at_status check_spec(const at_tokenizer_spec *spec, at_error *err)
{
    const int smallest = SPECIAL_PIECES + (spec->byte_fallback ? BYTE_PIECES : 0) + 1;
    if (spec->path_count <= 0) return at_fail(err, ATT_OPTION, "no text to train the tokenizer on; name a file");
    if (spec->vocab_size < smallest) {
        return at_fail(err, ATT_OPTION, "vocabulary size %d is too small: it must be %d or more%s", spec->vocab_size,
                       smallest, spec->byte_fallback ? ", as every byte is a piece" : "");
    }
    if (!(spec->character_coverage >= 0.98 && spec->character_coverage <= 1.0)) {
        return at_fail(err, ATT_OPTION, "character coverage %g is out of range: it must be 0.98 .. 1",
                       spec->character_coverage);
    }
    if (spec->max_sentences < 0) return at_fail(err, ATT_OPTION, "the number of sentences can't be negative");
    return ATT_OK;
}

static at_status train(const at_tokenizer_spec *spec, sample *s, at_buf *model, at_error *err)
{
    for (int i = 0; i < spec->path_count; i++) ATT_TRY(add_file(s, spec->paths[i], err));
    if (s->count == 0) {
        return at_fail(err, ATT_INPUT, "%s: no line to train the tokenizer on: all are empty or not valid UTF-8",
                       spec->paths[0]);
    }
    return at_spm_train(spec, next_sentence, s, model, err);
}

at_status at_tokenizer_train(const at_tokenizer_spec *spec, at_buf *model, at_error *err)
{
    ATT_TRY(check_spec(spec, err));
    sample s = {.max = (size_t)spec->max_sentences, .key = at_rng_mix(spec->seed)};
    const at_status status = train(spec, &s, model, err);
    sample_free(&s);
    return status;
}
