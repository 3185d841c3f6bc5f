/* Lines in, lines out: order, batches, windows, empty and broken lines, messages, cancelling. */
#include "tiny_translator.h"

#include "infer/paragraphs.h"

enum { COUNT = 40 };

typedef struct fixture {
    at_backend *be;
    at_bundle bundle;
    char texts[COUNT][200];
    at_line lines[COUNT];
} fixture;

/* Lines of 1 to 9 words; every seventh is empty, every eleventh white space. */
static void write_lines(fixture *f)
{
    for (uint64_t i = 0; i < COUNT; i++) {
        char *text = f->texts[i];
        if (i % 11 == 5) strcpy(text, " \t ");
        for (uint64_t k = 0; i % 7 != 3 && i % 11 != 5 && k <= at_rng_below(1, i, 9); k++)
            sprintf(text + strlen(text), "%s%s", k ? " " : "", tiny_words[at_rng_below(2 + i, k, 8)]);
        f->lines[i] = (at_line){text, strlen(text)};
    }
}

static int make_fixture(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    at_error err;
    must(at_cpu_backend_new(&f->be, 2, NULL, &err), &err);
    tiny_bundle(&f->bundle, f->be, 9, 21, 0);
    write_lines(f);
    *state = f;
    return 0;
}

static int drop_fixture(void **state)
{
    fixture *f = *state;
    at_bundle_free(&f->bundle);
    f->be->free(f->be);
    free(f);
    return 0;
}

static const at_translate_options plain = {.search = {.beam = 3, .alpha = 0.6, .max_ratio = 2, .max_extra = 4},
                                           .batch_sentences = 8};

static void translate(const fixture *f, const at_line *lines, int64_t count, const at_translate_options *options,
                      at_translation *out)
{
    at_error err;
    must(at_translate_lines(&f->bundle, lines, count, options, out, &err), &err);
}

static void free_all(at_translation *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) at_translation_free(&out[i]);
}

static void expect_same(const at_translation *a, const at_translation *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->text, b->text, a->len + 1);
    assert_memory_equal(&a->score, &b->score, sizeof a->score);
    assert_memory_equal(&a->log_prob, &b->log_prob, sizeof a->log_prob);
    assert_int_equal(a->tokens, b->tokens);
    assert_int_equal(a->source_tokens, b->source_tokens);
    assert_int_equal(a->truncated, b->truncated);
    assert_int_equal(a->empty, b->empty);
}

static void order_is_restored(void **state)
{
    const fixture *f = *state;
    static const struct {
        int64_t tokens, sentences, window;
    } cases[] = {{0, 0, 0},  {0, 1, 0},  {1, 0, 0}, {30, 0, 0},   {100, 5, 0},
                 {0, 6, 10}, {25, 0, 7}, {0, 3, 1}, {0, 100, 100}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        at_translate_options options = plain;
        at_translation out[COUNT], alone;
        options.batch_tokens = cases[c].tokens;
        options.batch_sentences = cases[c].sentences;
        options.window = cases[c].window;
        translate(f, f->lines, COUNT, &options, out);
        for (int i = 0; i < COUNT; i++) {
            translate(f, &f->lines[i], 1, &plain, &alone);
            expect_same(&out[i], &alone);
            at_translation_free(&alone);
        }
        free_all(out, COUNT);
    }
}

static void empty_lines_stay_empty(void **state)
{
    const fixture *f = *state;
    at_translation out[COUNT];
    translate(f, f->lines, COUNT, &plain, out);
    for (int i = 0; i < COUNT; i++) {
        const bool empty = i % 7 == 3 || i % 11 == 5;
        assert_int_equal(out[i].empty, empty);
        assert_int_equal(out[i].text[out[i].len], '\0');
        if (empty)
            assert_true(out[i].len == 0 && out[i].tokens == 0 && out[i].source_tokens == 0 && out[i].score == 0);
        else
            assert_true(out[i].source_tokens > 0 && out[i].score < 0 && out[i].log_prob < 0);
    }
    free_all(out, COUNT);
    const at_line nothing[] = {{NULL, 0}, {"", 0}};
    translate(f, nothing, 2, &plain, out);
    assert_true(out[0].empty && out[1].empty);
    free_all(out, 2);
    assert_int_equal(at_translate_lines(&f->bundle, NULL, 0, &plain, NULL, NULL), ATT_OK);
}

/* The record against the tokenizer and the search. */
static void records_tell_what_was_done(void **state)
{
    const fixture *f = *state;
    at_ids ids = {0};
    at_buf text = {0};
    at_hypothesis best;
    at_translation out;
    at_error err;
    const at_line line = {"katze xyz haus", 14};
    must(at_tokenizer_encode(f->bundle.source, line.data, line.len, &ids, &err), &err);
    int64_t unknown = 0;
    for (size_t i = 0; i < ids.len; i++) unknown += ids.data[i] == at_tokenizer_unk(f->bundle.source);
    must(at_ids_push(&ids, f->bundle.tokens.eos, &err), &err);
    const at_packed packed = {1, (const int64_t[]){0, (int64_t)ids.len}, ids.data};
    must(at_search(&f->bundle, &packed, &plain.search, &best, &err), &err);
    must(at_tokenizer_decode(f->bundle.target, best.ids, (size_t)best.count, &text, &err), &err);

    translate(f, &line, 1, &plain, &out);
    assert_int_equal(out.len, text.len);
    assert_memory_equal(out.text, text.data, text.len);
    assert_int_equal(out.source_tokens, ids.len - 1);
    assert_int_equal(out.unknown_tokens, unknown);
    assert_true(unknown > 0);
    assert_int_equal(out.tokens, best.count);
    assert_true(out.score == best.score && out.log_prob == best.log_prob);
    assert_true(out.truncated == best.truncated && out.looped == best.looped);
    assert_false(out.mended || out.empty);
    at_translation_free(&out);
    at_hypothesis_free(&best);
    at_ids_free(&ids);
    at_buf_free(&text);
}

static void broken_text_is_mended(void **state)
{
    const fixture *f = *state;
    const at_line lines[] = {{"haus \xFF rot \xC3", 12},
                             {"haus \xEF\xBF\xBD rot \xEF\xBF\xBD", 16},
                             {"\x80", 1},
                             {"haus\0rot", 8},
                             {"rot\0", 4},
                             {"\0\0", 2}};
    at_translation out[6];
    translate(f, lines, 6, &plain, out);
    expect_same(&out[0], &out[1]);
    assert_true(out[0].mended && out[2].mended);
    assert_false(out[1].mended || out[3].mended || out[4].mended || out[5].mended);
    assert_int_equal(out[0].unknown_tokens, out[1].unknown_tokens);
    assert_true(out[3].source_tokens > 0 && out[4].source_tokens > 0);
    free_all(out, 6);
}

typedef struct seen {
    int64_t next, stop_at;
    at_translation *out;
    int *cancel;
} seen;

static at_status see(void *arg, int64_t index, const at_translation *translation, at_error *err)
{
    seen *s = arg;
    assert_int_equal(index, s->next);
    s->next++;
    assert_ptr_equal(translation, &s->out[index]);
    assert_non_null(translation->text);
    if (index != s->stop_at) return ATT_OK;
    if (s->cancel == NULL) return at_fail(err, ATT_IO, "can't write line %d", (int)index);
    *s->cancel = 1;
    return ATT_OK;
}

static void results_come_in_order(void **state)
{
    const fixture *f = *state;
    at_translation out[COUNT];
    for (int64_t window = 0; window < 12; window += 4) {
        seen s = {0, -1, out, NULL};
        at_translate_options options = plain;
        options.each = see;
        options.arg = &s;
        options.window = window;
        translate(f, f->lines, COUNT, &options, out);
        assert_int_equal(s.next, COUNT);
        free_all(out, COUNT);
    }
}

static void callback_and_flag_stop_it(void **state)
{
    const fixture *f = *state;
    at_translation out[COUNT];
    at_error err;
    at_translate_options options = plain;
    seen s = {0, 9, out, NULL};
    options.each = see;
    options.arg = &s;
    options.window = 8;
    assert_int_equal(at_translate_lines(&f->bundle, f->lines, COUNT, &options, out, &err), ATT_IO);
    assert_string_equal(err.text, "can't write line 9");
    assert_int_equal(s.next, 10);
    for (int i = 0; i < COUNT; i++) assert_null(out[i].text);

    int cancel = 0;
    s = (seen){0, 9, out, &cancel};
    options.search.cancel = &cancel;
    assert_int_equal(at_translate_lines(&f->bundle, f->lines, COUNT, &options, out, &err), ATT_CANCELLED);
    assert_int_equal(s.next, 16); /* the window was done */
    for (int i = 0; i < COUNT; i++) assert_null(out[i].text);
    s = (seen){0, -1, out, NULL};
    assert_int_equal(at_translate_lines(&f->bundle, f->lines, COUNT, &options, out, &err), ATT_CANCELLED);
    assert_int_equal(s.next, 0);
}

static void long_lines_are_named(void **state)
{
    const fixture *f = *state;
    at_bundle bundle = {.source = f->bundle.source, .target = f->bundle.target};
    at_translation out[3];
    at_error err;
    at_ids ids = {0};
    must(at_tokenizer_encode(bundle.source, "haus haus haus", 14, &ids, &err), &err);
    tiny_model(&bundle, f->be, 21, (int64_t)ids.len + 1);
    const at_line lines[] = {{"haus", 4}, {"haus haus haus", 14}, {"haus haus haus haus", 19}};
    at_translate_options options = plain;
    options.first_line = 101;
    must(at_translate_lines(&bundle, lines, 2, &options, out, &err), &err);
    free_all(out, 2);
    assert_int_equal(at_translate_lines(&bundle, lines, 3, &options, out, &err), ATT_INPUT);
    assert_memory_equal(err.text, "line 103: ", 10);
    at_ids_free(&ids);
    at_model_free(bundle.model);
    bundle.model = f->bundle.model;
    bundle.target = NULL;
    assert_int_equal(at_translate_lines(&bundle, lines, 1, &options, out, &err), ATT_OPTION);
}

/* ---- n-best, sampling, paragraphs, guards ---- */

static void candidates_are_recorded(void **state)
{
    const fixture *f = *state;
    at_translate_options options = plain;
    at_translation one[COUNT], out[COUNT];
    translate(f, f->lines, COUNT, &plain, one);
    options.search.n_best = 3;
    options.search.token_scores = true;
    translate(f, f->lines, COUNT, &options, out);
    for (int i = 0; i < COUNT; i++) {
        expect_same(&one[i], &out[i]);
        assert_true(out[i].n_best_count == (out[i].empty ? 0 : 3) && one[i].n_best_count == !out[i].empty);
        for (int64_t k = 0; k < out[i].n_best_count; k++) {
            const at_candidate *c = &out[i].n_best[k];
            double sum = 0;
            for (int64_t p = 0; p < c->piece_count; p++) sum += c->pieces[p].log_prob;
            assert_int_equal(c->piece_count, c->tokens + !c->truncated);
            assert_true(sum - c->log_prob < 1e-4 && c->log_prob - sum < 1e-4);
            assert_true(c->len == strlen(c->text));
            if (k > 0 && !c->truncated && !c[-1].truncated) assert_true(c->score <= c[-1].score);
        }
    }
    free_all(one, COUNT);
    free_all(out, COUNT);
}

/* The same lines in two halves, the second with its own first line, give the same samples. */
static void samples_belong_to_lines(void **state)
{
    const fixture *f = *state;
    at_translate_options options = plain;
    at_translation out[COUNT], half[COUNT / 2], other[COUNT];
    options.search.sample = true;
    options.search.sampling = (at_sampling){.temperature = 1};
    options.seed = 11;
    options.first_line = 1;
    translate(f, f->lines, COUNT, &options, out);
    options.batch_sentences = 3;
    options.window = 5;
    options.first_line = 1 + COUNT / 2;
    translate(f, f->lines + COUNT / 2, COUNT / 2, &options, half);
    for (int i = 0; i < COUNT / 2; i++) expect_same(&out[COUNT / 2 + i], &half[i]);
    options.first_line = 1;
    options.seed = 12;
    translate(f, f->lines, COUNT, &options, other);
    int differ = 0;
    for (int i = 0; i < COUNT; i++) differ += strcmp(out[i].text, other[i].text) != 0;
    assert_true(differ > COUNT / 2);
    free_all(out, COUNT);
    free_all(half, COUNT / 2);
    free_all(other, COUNT);
}

static void paragraphs(const fixture *f, const at_line *lines, int64_t count, const at_translate_options *options,
                       at_translation *out)
{
    at_error err;
    must(at_translate_paragraphs(&f->bundle, lines, count, options, out, &err), &err);
}

/* White space stays to the byte, and each sentence is what it is alone. */
static void paragraphs_keep_white_space(void **state)
{
    const fixture *f = *state;
    static const char *const texts[] = {"  Haus baum.  Katze hund!\t\tRot. ", "", " \t ", "Haus baum.",
                                        "\xE3\x80\x80Rot? Blau."};
    static const char *const parts[][3] = {
        {"Haus baum.", "Katze hund!", "Rot."}, {NULL}, {NULL}, {"Haus baum."}, {"Rot?", "Blau."}};
    static const char *const gaps[][4] = {
        {"  ", "  ", "\t\t", " "}, {""}, {" \t "}, {"", ""}, {"\xE3\x80\x80", " ", ""}};
    at_line lines[5];
    at_translation out[5];
    for (int i = 0; i < 5; i++) lines[i] = (at_line){texts[i], strlen(texts[i])};
    for (int64_t window = 0; window < 4; window++) {
        at_translate_options options = plain;
        options.window = window;
        paragraphs(f, lines, 5, &options, out);
        for (int i = 0; i < 5; i++) {
            char want[2000] = "";
            int64_t tokens = 0;
            int k = 0;
            for (; k < 3 && parts[i][k]; k++) {
                at_translation alone;
                const at_line sentence = {parts[i][k], strlen(parts[i][k])};
                translate(f, &sentence, 1, &plain, &alone);
                strcat(strcat(want, gaps[i][k]), alone.text);
                tokens += alone.tokens;
                at_translation_free(&alone);
            }
            strcat(want, gaps[i][k]);
            assert_string_equal(out[i].text, want);
            assert_int_equal(out[i].sentences, k);
            assert_int_equal(out[i].tokens, tokens);
            assert_int_equal(out[i].empty, k == 0);
        }
        free_all(out, 5);
    }
    at_translate_options options = plain;
    options.search.n_best = 2;
    assert_int_equal(at_translate_paragraphs(&f->bundle, lines, 5, &options, out, NULL), ATT_OPTION);
}

/* A line is delivered before the next one is translated: raised in its callback, the flag still stops the work. */
static void paragraphs_come_as_soon_as_they_are_done(void **state)
{
    const fixture *f = *state;
    const at_line lines[] = {
        {"", 0}, {"Haus baum katze hund. Rot haus blau garten!", 43}, {" ", 1}, {"Rot? Blau. Hund.", 16}, {"", 0}};
    enum { LINES = sizeof lines / sizeof *lines };
    at_translation out[LINES], whole[LINES];
    at_error err;
    at_translate_options options = plain;
    paragraphs(f, lines, LINES, &options, whole);
    options.each = see;
    options.batch_sentences = 1;
    for (int64_t window = 0; window < 6; window++) {
        int cancel = 0;
        seen s = {0, 1, out, &cancel};
        options.arg = &s;
        options.window = window;
        options.search.cancel = &cancel;
        assert_int_equal(at_translate_paragraphs(&f->bundle, lines, LINES, &options, out, &err), ATT_CANCELLED);
        assert_int_equal(s.next, 3); /* the second line, and white space behind it */
        for (int i = 0; i < LINES; i++) assert_null(out[i].text);

        s = (seen){0, 2, out, NULL};
        cancel = 0;
        assert_int_equal(at_translate_paragraphs(&f->bundle, lines, LINES, &options, out, &err), ATT_IO);
        assert_string_equal(err.text, "can't write line 2");
        for (int i = 0; i < LINES; i++) assert_null(out[i].text);

        s = (seen){0, -1, out, NULL};
        paragraphs(f, lines, LINES, &options, out);
        assert_int_equal(s.next, LINES);
        for (int i = 0; i < LINES; i++) expect_same(&out[i], &whole[i]);
        free_all(out, LINES);
    }
    free_all(whole, LINES);
    const at_line blank[] = {{"", 0}, {" \t", 2}}; /* no sentence at all */
    seen s = {0, -1, out, NULL};
    options.arg = &s;
    options.search.cancel = NULL;
    paragraphs(f, blank, 2, &options, out);
    assert_int_equal(s.next, 2);
    assert_string_equal(out[1].text, " \t");
    free_all(out, 2);
}

/* A sentence longer than the model reads is cut instead of refused. */
static void long_sentences_are_cut(void **state)
{
    const fixture *f = *state;
    at_bundle bundle = {.source = f->bundle.source, .target = f->bundle.target};
    const char text[] = "haus baum, katze hund, rot blau gross haus baum katze hund rot, xyzxyzxyzxyzxyzxyzxyzxyzxyz";
    const at_line line = {text, strlen(text)};
    at_translation out;
    at_error err;
    tiny_model(&bundle, f->be, 21, 12);
    assert_int_equal(at_translate_lines(&bundle, &line, 1, &plain, &out, &err), ATT_INPUT);
    must(at_translate_paragraphs(&bundle, &line, 1, &plain, &out, &err), &err);
    assert_true(out.sentences > 3);
    at_translation_free(&out);
    at_model_free(bundle.model);
}

/* ---- loops ---- */

enum { MOST_TOKENS = 200 };

/* The ids of text, one a word. */
static int64_t number_words(const char *text, int32_t *ids)
{
    char copy[600], *words[MOST_TOKENS];
    int64_t count = 0;
    assert_true(strlen(text) < sizeof copy);
    strcpy(copy, text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < MOST_TOKENS);
        int32_t id = 0;
        while (id < count && strcmp(words[id], word) != 0) id++;
        words[count] = word;
        ids[count++] = id;
    }
    return count;
}

/* n-grams of each length, repeated until a limit that may come in the middle of one, behind other tokens and before some. */
static void loops_have_any_period(void **state)
{
    (void)state;
    static const int64_t periods[] = {1, 2, 3, 8, 9, 12, 20, 40};
    for (size_t p = 0; p < sizeof periods / sizeof *periods; p++) {
        const int64_t period = periods[p];
        for (int64_t run = period; run < 4 * period + 8; run++)
            for (int64_t others = 0; others < 5; others += 2) {
                int32_t ids[MOST_TOKENS];
                int64_t count = 0;
                for (int64_t i = 0; i < others; i++) ids[count++] = (int32_t)(1000 + i);
                for (int64_t i = 0; i < run; i++) ids[count++] = (int32_t)(i % period);
                for (int64_t i = 0; i < others; i++) ids[count++] = (int32_t)(2000 + i);
                assert_int_equal(at_loops(ids, count), run >= 3 * period && run >= 8);
                assert_int_equal(at_repetitions(ids, count, 0), run >= 3 * period ? run / period : 0);
            }
    }
}

static void good_text_is_no_loop(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool looped;
    } cases[] = {
        {"ha ha ha", false},
        {"ha ha ha ha ha !", false},
        {"that is very very good", false},
        {"no , no , no !", false},
        {"1 , 2 , 3 , 4 , 5 , 6 , 7 , 8 , 9 , 10", false},
        {"2 0 2 0 , 2 0 2 1 , 2 0 2 2 , 2 0 2 3", false},
        {"1 000 000 000 000 euros", false},
        {"row row row your boat gently down the stream row row row your boat gently down the stream", false},
        {"there is one in the house , there is one in the garden , there is one in the tree", false},
        {"ha ha ha ha ha ha ha ha", true},
        {"2 , 2 , 2 , 2 ,", true},
        {"I am not sure what it is that you mean . I am not sure what it is that you mean . "
         "I am not sure what it is that you mean . I am not sure",
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t ids[MOST_TOKENS];
        const int64_t count = number_words(cases[i].text, ids);
        assert_int_equal(at_loops(ids, count), cases[i].looped);
    }
}

/* Three times ten words in a row, which the model is forced to write. */
static void long_loops_are_flagged(void **state)
{
    const fixture *f = *state;
    static const char phrase[] = "haus garten baum katze hund rot blau gross hund garten";
    const at_line line = {"rot", 3};
    char text[3 * sizeof phrase] = "";
    for (int times = 1; times <= 3; times++) {
        at_translation out;
        strcat(strcat(text, times > 1 ? " " : ""), phrase);
        const at_line prefix = {text, strlen(text)};
        at_translate_options options = plain;
        options.search.no_repeat = 3; /* behind the prefix */
        options.prefixes = &prefix;
        translate(f, &line, 1, &options, &out);
        assert_int_equal(strncmp(out.text, text, strlen(text)), 0);
        assert_int_equal(out.looped, times == 3);
        at_translation_free(&out);
    }
}

/* A model that writes one word for ever: whatever comes in, no loop goes unflagged, and none is left where it isn't the
 * line's own. */
static void bad_lines_are_flagged(void **state)
{
    const fixture *f = *state;
    static const char *const texts[] = {"2",
                                        "[Bob]",
                                        "ha ha ha ha ha ha ha ha ha ha ha ha",
                                        "...!!!??? ---,,,;;;",
                                        "rot",
                                        "haus haus haus haus haus haus haus haus haus haus",
                                        "(((((((((((((((("};
    enum { BAD = sizeof texts / sizeof *texts };
    at_bundle bundle = {.source = f->bundle.source, .target = f->bundle.target};
    at_line lines[BAD];
    at_translation with[BAD], without[BAD];
    at_error err;
    tiny_model(&bundle, f->be, 21, 0);
    at_params *params = &bundle.model->params;
    at_tensor *table = at_params_find(params, "embedding");
    int64_t id = 4; /* of a whole word, which is written with a space before it */
    while (id < at_tokenizer_size(bundle.target) && strlen(at_tokenizer_piece(bundle.target, (int32_t)id)) < 6) id++;
    char eight[200] = "";
    for (int i = 0; i < 8; i++) {
        at_buf word = {0};
        must(at_tokenizer_decode(bundle.target, (const int32_t[]){(int32_t)id}, 1, &word, &err), &err);
        strcat(strcat(eight, i > 0 ? " " : ""), word.data);
        at_buf_free(&word);
    }
    const int64_t width = at_tensor_width(table);
    for (int64_t i = 0; i < width; i++) table->data[id * width + i] *= 20; /* its logit wins or loses by far */
    at_params_changed(params);
    for (int i = 0; i < BAD; i++) lines[i] = (at_line){texts[i], strlen(texts[i])};
    int looped = 0, unlooped = 0;
    for (int64_t beam = 1; beam < 6; beam += 2) {
        at_translate_options options = plain;
        options.search.beam = beam;
        options.search.max_extra = 20;
        must(at_translate_lines(&bundle, lines, BAD, &options, without, &err), &err);
        options.guard = true;
        must(at_translate_lines(&bundle, lines, BAD, &options, with, &err), &err);
        for (int i = 0; i < BAD; i++) {
            looped += without[i].looped;
            unlooped += with[i].unlooped;
            if (strstr(without[i].text, eight)) assert_true(without[i].looped);
            if (strstr(with[i].text, eight)) assert_true(with[i].looped);
            assert_true(!with[i].looped || !with[i].unlooped);
        }
        free_all(with, BAD);
        free_all(without, BAD);
    }
    assert_true(looped > 0 && unlooped > 0);
    at_model_free(bundle.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_restored),
        cmocka_unit_test(empty_lines_stay_empty),
        cmocka_unit_test(records_tell_what_was_done),
        cmocka_unit_test(broken_text_is_mended),
        cmocka_unit_test(results_come_in_order),
        cmocka_unit_test(callback_and_flag_stop_it),
        cmocka_unit_test(long_lines_are_named),
        cmocka_unit_test(candidates_are_recorded),
        cmocka_unit_test(samples_belong_to_lines),
        cmocka_unit_test(paragraphs_keep_white_space),
        cmocka_unit_test(paragraphs_come_as_soon_as_they_are_done),
        cmocka_unit_test(long_sentences_are_cut),
        cmocka_unit_test(loops_have_any_period),
        cmocka_unit_test(good_text_is_no_loop),
        cmocka_unit_test(long_loops_are_flagged),
        cmocka_unit_test(bad_lines_are_flagged),
    };
    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
