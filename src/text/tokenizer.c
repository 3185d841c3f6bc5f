/* The tokenizer: a SentencePiece model, its bytes, and the numbering that the rest of the program sees. Without a
 * foreign numbering ids are the model's own. With one, every id is translated at this boundary:
 *
 *   text -> model ids -> from_model -> ids            ids -> pieces -> model -> text
 *
 * Read next: tokenizer_train.c, sentencepiece.h. */
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/file.h"
#include "text/sentencepiece.h"

enum { LONGEST_CODE = 64 }; /* bytes of a language code such as >>deu<< */

typedef struct named {
    const char *piece;
    int32_t id;
} named;

typedef struct numbering { /* pieces NULL: the model's own */
    const char **pieces;   /* (count) by id, pointing into text */
    char *text;
    size_t text_len;
    named *sorted;       /* (count) by piece */
    int32_t *from_model; /* (pieces of the model) their ids here */
    int count;
} numbering;

struct at_tokenizer {
    at_spm *spm;
    void *bytes;
    size_t size;
    uint64_t hash;
    at_special_ids special;
    numbering foreign;
};

static void numbering_free(numbering *n)
{
    free(n->pieces);
    free(n->text);
    free(n->sorted);
    free(n->from_model);
    *n = (numbering){0};
}

void at_tokenizer_free(at_tokenizer *tokenizer)
{
    if (tokenizer == NULL) return;
    at_spm_free(tokenizer->spm);
    free(tokenizer->bytes);
    numbering_free(&tokenizer->foreign);
    free(tokenizer);
}

static at_status read_model(at_tokenizer *tokenizer, const void *bytes, size_t size, const char *name, at_error *err)
{
    ATT_TRY(at_spm_check(bytes, size, name, err));
    ATT_TRY(at_spm_open(&tokenizer->spm, bytes, size, name, err));
    tokenizer->bytes = malloc(size);
    if (tokenizer->bytes == NULL) return at_fail_memory(err, size);
    memcpy(tokenizer->bytes, bytes, size);
    tokenizer->size = size;
    tokenizer->hash = XXH3_64bits(bytes, size);
    tokenizer->special = at_spm_specials(tokenizer->spm);
    return ATT_OK;
}

at_status at_tokenizer_open(at_tokenizer **out, const void *bytes, size_t size, const char *name, at_error *err)
{
    *out = NULL;
    at_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (tokenizer == NULL) return at_fail_memory(err, sizeof *tokenizer);
    const at_status status = read_model(tokenizer, bytes, size, name, err);
    if (status == ATT_OK)
        *out = tokenizer;
    else
        at_tokenizer_free(tokenizer);
    return status;
}

at_status at_tokenizer_open_file(at_tokenizer **out, const char *path, at_error *err)
{
    at_map map;
    *out = NULL;
    ATT_TRY(at_map_open(&map, path, err));
    const at_status status = at_tokenizer_open(out, map.data, map.size, path, err);
    at_map_close(&map);
    return status;
}

static int compare_named(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const int order = strcmp(x->piece, y->piece);
    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

/* The id of a piece in a foreign numbering, or -1. */
static int32_t numbering_find(const numbering *n, const char *piece)
{
    size_t low = 0, high = (size_t)n->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(n->sorted[middle].piece, piece);
        if (order == 0) return n->sorted[middle].id;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static at_status numbering_reserve(numbering *n, const char *const *pieces, int model_size, at_error *err)
{
    for (int id = 0; id < n->count; id++) {
        if (pieces[id] == NULL) return at_fail(err, ATT_INPUT, "the vocabulary has no piece for id %d", id);
        n->text_len += strlen(pieces[id]) + 1;
    }
    const size_t count = (size_t)n->count;
    n->text = malloc(n->text_len);
    n->pieces = malloc(count * sizeof *n->pieces);
    n->sorted = malloc(count * sizeof *n->sorted);
    n->from_model = malloc((size_t)model_size * sizeof *n->from_model);
    if (n->text != NULL && n->pieces != NULL && n->sorted != NULL && n->from_model != NULL) return ATT_OK;
    return at_fail_memory(err, n->text_len + count * (sizeof *n->pieces + sizeof *n->sorted));
}

/* Copies the pieces and sorts them; a piece may have one id only. */
static at_status numbering_fill(numbering *n, const char *const *pieces, at_error *err)
{
    char *end = n->text;
    for (int id = 0; id < n->count; id++) {
        const size_t bytes = strlen(pieces[id]) + 1;
        n->pieces[id] = memcpy(end, pieces[id], bytes);
        n->sorted[id] = (named){end, id};
        end += bytes;
    }
    qsort(n->sorted, (size_t)n->count, sizeof *n->sorted, compare_named);
    for (int i = 1; i < n->count; i++) {
        const named *a = &n->sorted[i - 1], *b = &n->sorted[i];
        if (strcmp(a->piece, b->piece) != 0) continue;
        return at_fail(err, ATT_INPUT, "the vocabulary gives the piece \"%s\" two ids, %d and %d", a->piece, a->id,
                       b->id);
    }
    return ATT_OK;
}

static at_special_ids find_specials(const numbering *n)
{
    return (at_special_ids){.pad = numbering_find(n, "<pad>"),
                            .unk = numbering_find(n, "<unk>"),
                            .bos = numbering_find(n, "<s>"),
                            .eos = numbering_find(n, "</s>")};
}

static at_status numbering_make(numbering *n, const at_spm *spm, const char *const *pieces, at_error *err)
{
    const int model_size = at_spm_size(spm);
    ATT_TRY(numbering_reserve(n, pieces, model_size, err));
    ATT_TRY(numbering_fill(n, pieces, err));
    const int32_t unk = numbering_find(n, "<unk>");
    if (unk < 0) return at_fail(err, ATT_INPUT, "the vocabulary lacks the piece \"<unk>\", which stands for the rest");
    for (int i = 0; i < model_size; i++) {
        const int32_t id = numbering_find(n, at_spm_piece(spm, i));
        n->from_model[i] = id >= 0 ? id : unk;
    }
    return ATT_OK;
}

at_status at_tokenizer_renumber(at_tokenizer *tokenizer, const char *const *pieces, int count, at_error *err)
{
    if (count <= 0) return at_fail(err, ATT_INPUT, "the vocabulary has no pieces");
    numbering foreign = {.count = count};
    const at_status status = numbering_make(&foreign, tokenizer->spm, pieces, err);
    if (status != ATT_OK) {
        numbering_free(&foreign);
        return status;
    }
    numbering_free(&tokenizer->foreign);
    tokenizer->foreign = foreign;
    tokenizer->special = find_specials(&foreign);
    tokenizer->hash =
        XXH3_64bits_withSeed(foreign.text, foreign.text_len, XXH3_64bits(tokenizer->bytes, tokenizer->size));
    return ATT_OK;
}

const void *at_tokenizer_bytes(const at_tokenizer *tokenizer, size_t *size)
{
    *size = tokenizer->size;
    return tokenizer->bytes;
}

bool at_tokenizer_is_renumbered(const at_tokenizer *tokenizer)
{
    return tokenizer->foreign.pieces != NULL;
}

uint64_t at_tokenizer_hash(const at_tokenizer *tokenizer)
{
    return tokenizer->hash;
}

int at_tokenizer_size(const at_tokenizer *tokenizer)
{
    return tokenizer->foreign.pieces != NULL ? tokenizer->foreign.count : at_spm_size(tokenizer->spm);
}

int32_t at_tokenizer_pad(const at_tokenizer *tokenizer)
{
    return tokenizer->special.pad;
}

int32_t at_tokenizer_unk(const at_tokenizer *tokenizer)
{
    return tokenizer->special.unk;
}

int32_t at_tokenizer_bos(const at_tokenizer *tokenizer)
{
    return tokenizer->special.bos;
}

int32_t at_tokenizer_eos(const at_tokenizer *tokenizer)
{
    return tokenizer->special.eos;
}

int32_t at_tokenizer_line_end(const at_tokenizer *tokenizer)
{
    const int32_t id = at_tokenizer_id(tokenizer, "\n");
    return id >= 0 && id != tokenizer->special.unk ? id : tokenizer->special.eos;
}

const char *at_tokenizer_piece(const at_tokenizer *tokenizer, int32_t id)
{
    if (id < 0 || id >= at_tokenizer_size(tokenizer)) return NULL;
    return tokenizer->foreign.pieces != NULL ? tokenizer->foreign.pieces[id] : at_spm_piece(tokenizer->spm, id);
}

int32_t at_tokenizer_id(const at_tokenizer *tokenizer, const char *piece)
{
    const bool own = tokenizer->foreign.pieces == NULL;
    const int32_t id = own ? at_spm_find(tokenizer->spm, piece) : numbering_find(&tokenizer->foreign, piece);
    return id >= 0 ? id : tokenizer->special.unk;
}

/* Whether a piece is a language code that the vocabulary adds to the model's pieces. */
static bool is_language_code(const at_tokenizer *tokenizer, const char *piece)
{
    const size_t len = strlen(piece);
    return len > 4 && memcmp(piece, ">>", 2) == 0 && memcmp(piece + len - 2, "<<", 2) == 0 &&
           at_spm_find(tokenizer->spm, piece) < 0;
}

/* The id of a language code that begins the text, and its length; -1 when there is none. */
static int32_t leading_code(const at_tokenizer *tokenizer, const char *text, size_t len, size_t *code_len)
{
    char piece[LONGEST_CODE + 1];
    if (tokenizer->foreign.pieces == NULL || len < 5 || memcmp(text, ">>", 2) != 0) return -1;
    size_t end = 3;
    while (end + 2 <= len && end + 2 <= LONGEST_CODE && memcmp(text + end, "<<", 2) != 0) end++;
    if (end + 2 > len || end + 2 > LONGEST_CODE) return -1;
    *code_len = end + 2;
    memcpy(piece, text, *code_len);
    piece[*code_len] = '\0';
    return is_language_code(tokenizer, piece) ? numbering_find(&tokenizer->foreign, piece) : -1;
}

at_status at_tokenizer_encode(const at_tokenizer *tokenizer, const char *text, size_t len, at_ids *ids, at_error *err)
{
    size_t code_len = 0;
    const int32_t code = leading_code(tokenizer, text, len, &code_len);
    if (code >= 0) ATT_TRY(at_ids_push(ids, code, err));
    const size_t start = ids->len;
    const size_t skipped = code >= 0 ? code_len : 0;
    ATT_TRY(at_spm_encode(tokenizer->spm, text + skipped, len - skipped, ids, err));
    if (tokenizer->foreign.pieces == NULL) return ATT_OK;
    for (size_t i = start; i < ids->len; i++) ids->data[i] = tokenizer->foreign.from_model[ids->data[i]];
    return ATT_OK;
}

at_status at_tokenizer_resample(const at_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                const at_subword_sampling *how, uint64_t key, at_ids *out, at_error *err)
{
    if (tokenizer->foreign.pieces != NULL)
        return at_fail(err, ATT_UNSUPPORTED, "a tokenizer with a foreign vocabulary can't sample segmentations");
    return at_spm_resample(tokenizer->spm, ids, count, how, key, out, err);
}

/* Control pieces that the model doesn't know as such. */
static bool is_silent(const at_tokenizer *tokenizer, int32_t id, const char *piece)
{
    const at_special_ids special = tokenizer->special;
    if (id == special.pad || id == special.bos || id == special.eos) return true;
    return tokenizer->foreign.pieces != NULL && is_language_code(tokenizer, piece);
}

static at_status decode_into(const at_tokenizer *tokenizer, const int32_t *ids, size_t count, const char **pieces,
                             at_buf *text, at_error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const char *piece = at_tokenizer_piece(tokenizer, ids[i]);
        if (piece == NULL) {
            return at_fail(err, ATT_INPUT, "token id %d is not in the vocabulary, whose ids are 0 .. %d", ids[i],
                           at_tokenizer_size(tokenizer) - 1);
        }
        if (!is_silent(tokenizer, ids[i], piece)) pieces[kept++] = piece;
    }
    return at_spm_decode(tokenizer->spm, pieces, kept, text, err);
}

at_status at_tokenizer_decode(const at_tokenizer *tokenizer, const int32_t *ids, size_t count, at_buf *text,
                              at_error *err)
{
    const char **pieces = malloc((count + 1) * sizeof *pieces); /* one more, as malloc(0) may be NULL */
    if (pieces == NULL) return at_fail_memory(err, (count + 1) * sizeof *pieces);
    const at_status status = decode_into(tokenizer, ids, count, pieces, text, err);
    free(pieces);
    return status;
}
