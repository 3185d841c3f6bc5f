/* The picture of attention: what the page shows is what was computed, and what was computed is what the search did. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/translator.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "infer/look.h"
#include "infer/search.h"
#include "model/transformer.h"
#include "must.h"
#include "plot/attention_page.h"

/* ---- reading a page ---- */

/* The JSON in the page. */
static json_t *island_of(const char *html)
{
    static const char start[] = "<script type=\"application/json\" id=\"weights\">";
    const char *from = strstr(html, start);
    assert_non_null(from);
    from += strlen(start);
    const char *to = strstr(from, "</script>");
    json_error_t why;
    json_t *island = json_loadb(from, (size_t)(to - from), 0, &why);
    if (island == NULL) fail_msg("line %d: %s", why.line, why.text);
    return island;
}

static json_t *map_of(json_t *island, size_t index)
{
    return json_array_get(json_object_get(island, "maps"), index);
}

static const char *string_of(const json_t *map, const char *key, int64_t i)
{
    return json_string_value(json_array_get(json_object_get(map, key), (size_t)i));
}

/* [row][column] of a matrix whose rows must sum to 1; each of n roundings is off by half a ten-thousandth at most. */
static double weight_of(const json_t *matrix, int64_t row, int64_t column)
{
    return json_number_value(json_array_get(json_array_get(matrix, (size_t)row), (size_t)column));
}

static void assert_same_matrix(const json_t *matrix, const float *want, int64_t rows, int64_t columns)
{
    assert_int_equal(json_array_size(matrix), rows);
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        assert_int_equal(json_array_size(json_array_get(matrix, (size_t)i)), columns);
        for (int64_t j = 0; j < columns; j++) {
            assert_true(fabs(weight_of(matrix, i, j) - (double)want[i * columns + j]) <= 0.5001e-4);
            sum += weight_of(matrix, i, j);
        }
        assert_true(fabs(sum - 1) <= 0.5e-4 * (double)columns + 1e-5);
    }
}

static float *mean_of(const float *layer, int64_t heads, int64_t cells)
{
    float *mean = calloc((size_t)cells, sizeof *mean);
    for (int64_t i = 0; i < cells; i++) {
        double sum = 0;
        for (int64_t h = 0; h < heads; h++) sum += (double)layer[h * cells + i];
        mean[i] = (float)(sum / (double)heads);
    }
    return mean;
}

/* All weights of a map against the arrays they came from. */
static void assert_same_weights(const json_t *map, const float *const *weights, int64_t layers, int64_t heads,
                                int64_t rows, int64_t columns)
{
    const json_t *means = json_object_get(map, "mean"), *all = json_object_get(map, "weights");
    assert_int_equal(json_integer_value(json_object_get(map, "layers")), layers);
    assert_int_equal(json_integer_value(json_object_get(map, "heads")), heads);
    assert_int_equal(json_array_size(all), layers);
    for (int64_t layer = 0; layer < layers; layer++) {
        const json_t *of_layer = json_array_get(all, (size_t)layer);
        assert_int_equal(json_array_size(of_layer), heads);
        for (int64_t h = 0; h < heads; h++)
            assert_same_matrix(json_array_get(of_layer, (size_t)h), weights[layer] + h * rows * columns, rows, columns);
        float *mean = mean_of(weights[layer], heads, rows * columns);
        assert_same_matrix(json_array_get(means, (size_t)layer), mean, rows, columns);
        free(mean);
    }
}

/* The number behind `before` at *at, which moves behind it. */
static double read_number(const char **at, const char *before)
{
    const char *found = strstr(*at, before);
    assert_non_null(found);
    double number;
    int len;
    assert_int_equal(sscanf(found + strlen(before), "%lf%n", &number, &len), 1);
    *at = found + strlen(before) + len;
    return number;
}

/* The cells that the page draws without script: opacity times the scale's end, and the number shown on pointing, are
 * the mean of the last layer. */
static void assert_drawn(const char *html, const json_t *map)
{
    char section[64];
    const json_t *means = json_object_get(map, "mean");
    const json_t *mean = json_array_get(means, json_array_size(means) - 1);
    snprintf(section, sizeof section, "<section id=\"%s\">", json_string_value(json_object_get(map, "id")));
    const char *at = strstr(html, section);
    assert_non_null(at);
    const char *scale = strstr(at, "<text class=\"top\"");
    const double top = read_number(&scale, "text-anchor=\"end\">");
    at = strstr(at, "<g class=\"cells\">");
    for (size_t i = 0; i < json_array_size(mean); i++)
        for (size_t j = 0; j < json_array_size(json_array_get(mean, i)); j++) {
            const double weight = weight_of(mean, (int64_t)i, (int64_t)j);
            const double opacity = read_number(&at, "fill-opacity=\"");
            assert_true(fabs(opacity * top - weight) <= 1.01e-4 && opacity <= 1);
            const char *end = strstr(at, "</title>");
            assert_true(fabs(strtod(end - 5, NULL) - weight) <= 0.51e-3);
            assert_memory_equal(end - 7, ": ", 2);
            at = end;
        }
    assert_true(strncmp(at, "</title></rect>\n</g>", 20) == 0);
}

static bool is_void(const char *name, size_t len)
{
    return len == strlen("!DOCTYPE") && strncmp(name, "!DOCTYPE", len) == 0;
}

/* Every element is closed in order, attributes are quoted, and text has no bare '<' or '&'. Scripts and styles are
 * passed over. */
static void assert_well_formed(const char *html)
{
    char open[32][24];
    int depth = 0;
    for (const char *at = html; *at;) {
        if (*at == '&') assert_non_null(strchr("lgaq#", at[1]));
        if (*at++ != '<') continue;
        const bool closing = *at == '/';
        const size_t len = strcspn(at += closing, " >/\n");
        assert_in_range(len, 1, 23);
        const char *end = strchr(at, '>'); /* no attribute of ours holds one */
        assert_non_null(end);
        if (closing) {
            assert_true(depth > 0 && strlen(open[depth - 1]) == len && strncmp(open[depth - 1], at, len) == 0);
            depth--;
        } else if (end[-1] != '/' && !is_void(at, len)) {
            assert_in_range(depth, 0, 31);
            snprintf(open[depth++], sizeof open[0], "%.*s", (int)len, at);
            if (strncmp(at, "script", len) == 0) end = strstr(end, "</script>") - 1;
            if (strncmp(at, "style", len) == 0) end = strstr(end, "</style>") - 1;
        }
        at = end + 1;
    }
    assert_int_equal(depth, 0);
}

static void assert_self_contained(const char *html)
{
    int links = 0;
    for (const char *at = html; (at = strstr(at, "//")) != NULL; at++) links++;
    assert_non_null(strstr(html, "default-src 'none'"));
    assert_null(strstr(html, " src="));
    assert_null(strstr(html, "@import"));
    assert_null(strstr(html, "<link"));
    for (const char *at = html; (at = strstr(at, "href=\"")) != NULL; at++) assert_true(at[6] == '#');
    for (const char *at = html; (at = strstr(at, "url(")) != NULL; at++) assert_true(at[4] == '#');
    for (const char *at = html; (at = strstr(at, "http://www.w3.org/2000/svg\"")) != NULL; at++) links--;
    assert_int_equal(links, 0); /* the name of SVG is the only address */
}

/* ---- pages of plain arrays ---- */

/* heads x rows x columns, each row a distribution; some weights are exactly 0 and some rows one 1. */
static float *make_layer(uint64_t key, int64_t heads, int64_t rows, int64_t columns)
{
    float *x = malloc((size_t)(heads * rows * columns) * sizeof *x);
    for (int64_t row = 0; row < heads * rows; row++) {
        double sum = 0;
        for (int64_t j = 0; j < columns; j++) {
            const uint64_t i = (uint64_t)(row * columns + j);
            const double u = at_rng_uniform(key, i);
            const double w = row % 5 == 4 ? j == 0 : u < 0.3 ? 0 : exp(4 * u) + (j == 0);
            x[i] = (float)w;
            sum += w;
        }
        if (sum == 0) x[row * columns] = 1, sum = 1;
        for (int64_t j = 0; j < columns; j++) x[row * columns + j] = (float)((double)x[row * columns + j] / sum);
    }
    return x;
}

enum { LAYERS = 2, HEADS = 3 };

static at_buf write_page(const char *const *rows, int64_t row_count, const char *const *columns, int64_t column_count,
                         float *weights[LAYERS])
{
    at_error err;
    at_buf html = {0};
    for (int i = 0; i < LAYERS; i++) weights[i] = make_layer((uint64_t)i + 1, HEADS, row_count, column_count);
    const at_page_fact facts[] = {{"Sentence", rows[0]}, {"<&>", columns[0]}};
    const at_page_map map = {.id = "cross",
                             .title = "Cross & such",
                             .about = "Rows are <rows>.",
                             .row_axis = "written",
                             .column_axis = "source",
                             .rows = rows,
                             .columns = columns,
                             .row_count = row_count,
                             .column_count = column_count,
                             .layers = LAYERS,
                             .heads = HEADS,
                             .weights = (const float *const *)weights};
    const at_attention_page page = {.subject = rows[0],
                                    .facts = facts,
                                    .fact_count = 2,
                                    .details = facts,
                                    .detail_count = 1,
                                    .maps = &map,
                                    .map_count = 1};
    must(at_attention_page_write(&html, &page, &err), &err);
    assert_int_equal(strlen(html.data), html.len);
    return html;
}

static void weights_come_back(void **state)
{
    (void)state;
    static const char *const labels[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"};
    static const int64_t sizes[][2] = {{1, 1}, {1, 13}, {13, 1}, {5, 7}, {13, 13}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t rows = sizes[s][0], columns = sizes[s][1];
        float *weights[LAYERS];
        at_buf html = write_page(labels, rows, labels, columns, weights);
        json_t *island = island_of(html.data);
        assert_same_weights(map_of(island, 0), (const float *const *)weights, LAYERS, HEADS, rows, columns);
        assert_drawn(html.data, map_of(island, 0));
        assert_well_formed(html.data);
        assert_self_contained(html.data);
        json_decref(island);
        for (int i = 0; i < LAYERS; i++) free(weights[i]);
        at_buf_free(&html);
    }
}

#define BAD "\xEF\xBF\xBD"

/* Pieces that try to break out, and what they are in the JSON. */
static const struct nasty {
    const char *piece, *back, *shown; /* shown: as text of the page */
} nasty[] = {
    {"<s>", "<s>", "&lt;s&gt;"},
    {"</script><script>alert(1)</script>", "</script><script>alert(1)</script>", "&lt;/script&gt;&lt;scri"},
    {"</title></text>&amp;", "</title></text>&amp;", "&lt;/title&gt;&lt;/text&gt;&amp;amp;"},
    {"\"'\\", "\"'\\", "&quot;&#39;\\"},
    {"\xFF\xFE", BAD BAD, BAD BAD},
    {"\xE4\xB8", BAD BAD, BAD BAD}, /* a cut character */
    {"\xE0\x80\xAF\xC0", BAD BAD BAD BAD, BAD},
    {"\xC0\xAF", BAD BAD, BAD BAD},             /* over-long */
    {"\xED\xA0\x80", BAD BAD BAD, BAD BAD},     /* a surrogate */
    {"\xF4\x90\x80\x80", BAD BAD BAD BAD, BAD}, /* beyond Unicode */
    {"\xEF\xBF\xBE\xC2\x85", BAD BAD, BAD},     /* U+FFFE and a C1 control: XML has no room for them */
    {"a\nb\x01\x7F", "a\nb\x01\x7F",
     "a\xE2\x90\x8A"
     "b\xE2\x90\x81\xE2\x90\xA1"},
    {"]]>", "]]>", "]]&gt;"},
    {"<!--", "<!--", "&lt;!--"},
    {"\xE4\xB8\xAD\xE6\x96\x87", "\xE4\xB8\xAD\xE6\x96\x87", "\xE4\xB8\xAD\xE6\x96\x87"},
    {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
    {"", "", "></text>"},
    {"%s%n$&", "%s%n$&", "%s%n$&amp;"},
};

static void texts_are_escaped(void **state)
{
    (void)state;
    enum { COUNT = sizeof nasty / sizeof *nasty };
    const char *pieces[COUNT];
    float *weights[LAYERS];
    for (int i = 0; i < COUNT; i++) pieces[i] = nasty[i].piece;
    at_buf html = write_page(pieces, COUNT, pieces, COUNT, weights);
    json_t *island = island_of(html.data);
    int scripts = 0;
    assert_int_equal(at_utf8_valid(html.data, html.len), html.len);
    assert_well_formed(html.data);
    assert_drawn(html.data, map_of(island, 0));
    for (const char *at = html.data; (at = strstr(at, "<script")) != NULL; at++) scripts++;
    assert_int_equal(scripts, 2);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(string_of(map_of(island, 0), "rows", i), nasty[i].back);
        assert_string_equal(string_of(map_of(island, 0), "columns", i), nasty[i].back);
        if (strstr(html.data, nasty[i].shown) == NULL) fail_msg("piece %d isn't shown", i);
    }
    json_decref(island);
    for (int i = 0; i < LAYERS; i++) free(weights[i]);
    at_buf_free(&html);
}

/* Labels keep their distance and everything lies in the picture, whatever the number of tokens. */
static void labels_have_room(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 5, 20, 40, 100};
    const char *labels[100];
    for (int i = 0; i < 100; i++)
        labels[i] = i % 3 ? "\xE2\x96\x81m" : "\xE6\xB0\xB4\xE6\xB0\xB4\xE6\xB0\xB4WWWWWWWWWWWWWWWWWWWW";
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        float *weights[LAYERS];
        at_buf html = write_page(labels, counts[c], labels, counts[c], weights);
        const char *at = strstr(html.data, "<svg");
        const double width = read_number(&at, "width=\""), height = read_number(&at, "height=\"");
        at = strstr(at, "<g class=\"columns\">");
        for (double before = -100, i = 0; i < (double)counts[c]; i++) {
            const double x = read_number(&at, "translate(");
            assert_true(x - before >= 24); /* leaning labels stand 0.7 of it apart */
            assert_true(x + 13 * 12 * 0.7071 <= width || (int)i % 3);
            before = x;
        }
        at = strstr(at, "<g class=\"rows\"");
        for (double before = -100, i = 0; i < (double)counts[c]; i++) {
            const double y = read_number(&at, " y=\"");
            assert_true(y - before >= 24 && y < height);
            before = y;
        }
        for (int i = 0; i < LAYERS; i++) free(weights[i]);
        at_buf_free(&html);
    }
}

/* ---- a translator that copies ---- */

static const char *const words[] = {"one", "two", "three", "four", "house", "tree", "red", "blue"};

typedef struct fixture {
    char text[64];
    struct at_translator translator; /* has learned to copy */
} fixture;

static void write_sentence(at_buf *text, uint64_t key)
{
    at_error err;
    const uint32_t count = 3 + at_rng_below(key, 0, 5);
    for (uint32_t i = 0; i < count; i++)
        must(at_buf_printf(text, &err, "%s%s", i ? " " : "", words[at_rng_below(key, i + 1, 8)]), &err);
}

static at_tokenizer *make_tokenizer(const char *path)
{
    at_error err;
    at_buf text = {0}, spm = {0};
    at_tokenizer *tokenizer;
    for (uint64_t i = 0; i < 300; i++) {
        write_sentence(&text, at_rng_key(3, i));
        must(at_buf_puts(&text, "\n", &err), &err);
    }
    must(at_file_write(path, text.data, text.len, &err), &err);
    const at_tokenizer_spec spec = {
        .paths = &path, .path_count = 1, .vocab_size = 40, .character_coverage = 1, .seed = 1};
    must(at_tokenizer_train(&spec, &spm, &err), &err);
    must(at_tokenizer_open(&tokenizer, spm.data, spm.len, "test", &err), &err);
    unlink(path);
    at_buf_free(&text);
    at_buf_free(&spm);
    return tokenizer;
}

static at_bundle make_bundle(at_backend *be, const char *path, bool training, int norm, int positions)
{
    at_error err;
    at_bundle bundle = {.tokens = {.target_start = 2, .eos = 3, .pad = 0}, .source = make_tokenizer(path)};
    bundle.target = bundle.source;
    must(at_model_new(&bundle.model, &at_arch_transformer, be, &err), &err);
    at_transformer_config *c = bundle.model->config;
    c->source_vocab = c->target_vocab = at_tokenizer_size(bundle.source);
    c->encoder_layers = 2;
    c->decoder_layers = 1;
    c->width = 32;
    c->heads = 2;
    c->ffn = 64;
    c->norm = norm;
    c->positions = positions;
    c->max_positions = 64;
    c->output_bias = true;
    must(at_model_build(bundle.model, training, &err), &err);
    must(at_params_draw(&bundle.model->params, 7, &err), &err);
    return bundle;
}

enum { BATCH = 16, STEPS = 500, ROOM = BATCH * 64 };

typedef struct copies { /* a batch of sentences that are their own translations */
    int64_t source_offset[BATCH + 1], target_offset[BATCH + 1];
    at_ids source, in, out;
} copies;

static void draw_copies(copies *c, const at_bundle *bundle, uint64_t key)
{
    at_error err;
    at_buf text = {0};
    c->source.len = c->in.len = c->out.len = 0;
    for (uint64_t b = 0; b < BATCH; b++) {
        const size_t first = c->source.len;
        c->source_offset[b] = c->target_offset[b] = (int64_t)first;
        at_buf_clear(&text);
        write_sentence(&text, at_rng_key(key, b));
        must(at_tokenizer_encode(bundle->source, text.data, text.len, &c->source, &err), &err);
        must(at_ids_push(&c->in, 2, &err), &err);
        must(at_ids_add(&c->in, c->source.data + first, c->source.len - first, &err), &err);
        must(at_ids_push(&c->source, 3, &err), &err);
        must(at_ids_add(&c->out, c->source.data + first, c->source.len - first, &err), &err);
    }
    c->source_offset[BATCH] = c->target_offset[BATCH] = (int64_t)c->source.len;
    at_buf_free(&text);
}

/* Warm-up, then falling to nothing, so that what is learned doesn't hang on the last batches. */
static float rate_at(int step)
{
    return 4e-3f * (step < 100 ? (float)step / 100 : (float)(STEPS - step) / (STEPS - 100));
}

static void learn_to_copy(at_bundle *bundle)
{
    at_params *p = &bundle->model->params;
    copies c = {0};
    at_ctx ctx;
    at_error err;
    must(at_params_keep(p, ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2, &err), &err);
    at_ctx_init(&ctx, p->be);
    for (int step = 1; step <= STEPS; step++) {
        draw_copies(&c, bundle, at_rng_key(11, (uint64_t)step));
        const at_pair_batch batch = {{BATCH, c.source_offset, c.source.data},
                                     {BATCH, c.target_offset, c.in.data},
                                     {BATCH, c.target_offset, c.out.data},
                                     NULL};
        at_ctx_begin(&ctx, true, false, 0);
        at_params_clear_grad(p);
        bundle->model->arch->loss(&ctx, bundle->model, &batch, 0, 1.0f / (float)c.out.len);
        at_backward(&ctx);
        at_params_settle_grad(p);
        must(at_ctx_check(&ctx, &err), &err);
        const at_optimize_args args = {.optimizer = ATT_OPTIMIZER_ADAM,
                                       .rate = rate_at(step),
                                       .beta1 = 0.9f,
                                       .beta2 = 0.98f,
                                       .eps = 1e-9f,
                                       .step = step,
                                       .gradient_scale = 1};
        p->be->optimize(p->be, p->data, p->moment1, p->moment2, p->grad, p->floats, &args);
        at_params_changed(p);
    }
    at_ctx_free(&ctx);
    at_ids_free(&c.source);
    at_ids_free(&c.in);
    at_ids_free(&c.out);
}

static int make_fixture(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    at_error err;
    snprintf(f->text, sizeof f->text, "/tmp/attend-look-%ld", (long)getpid());
    must(at_cpu_backend_new(&f->translator.be, 1, NULL, &err), &err);
    f->translator.bundle = make_bundle(f->translator.be, f->text, true, ATT_NORM_POST, 1);
    learn_to_copy(&f->translator.bundle);
    *state = f;
    return 0;
}

static int drop_fixture(void **state)
{
    fixture *f = *state;
    at_bundle_free(&f->translator.bundle);
    f->translator.be->free(f->translator.be);
    free(f);
    return 0;
}

/* ---- what was computed ---- */

static const float *row_of(const at_look_weights *w, int64_t layer, int64_t head, int64_t query)
{
    return w->layer[layer] + (head * w->queries + query) * w->keys;
}

static void assert_distributions(const at_look_result *r)
{
    for (int kind = 0; kind < ATT_LOOK_KINDS; kind++) {
        const at_look_weights *w = &r->weights[kind];
        for (int64_t i = 0; i < w->layers * w->heads * w->queries; i++) {
            const float *row = row_of(w, i / (w->heads * w->queries), i / w->queries % w->heads, i % w->queries);
            double sum = 0;
            for (int64_t j = 0; j < w->keys; j++) {
                assert_true(row[j] >= 0 && row[j] <= 1);
                sum += (double)row[j];
                if (kind == ATT_LOOK_DECODER && j > i % w->queries) assert_true(row[j] == 0);
            }
            assert_true(fabs(sum - 1) < 1e-5);
        }
    }
}

/* The forced pass says of the search's pieces what the search said, whatever the model; its own search finds the same.
 */
static void assert_like_search(const at_bundle *bundle, const char *text, bool truncated)
{
    at_error err;
    at_look_result r;
    at_hypothesis best;
    at_ids ids = {0};
    must(at_look_run(&r, bundle, text, NULL, ATT_LOOK_TOKENS, &err), &err);
    assert_distributions(&r);
    assert_true(fabs(r.log_prob - r.search_log_prob) < 1e-4 * (1 + fabs(r.search_log_prob)));
    must(at_tokenizer_encode(bundle->source, text, strlen(text), &ids, &err), &err);
    must(at_ids_push(&ids, bundle->tokens.eos, &err), &err);
    const int64_t offset[] = {0, (int64_t)ids.len};
    const at_packed source = {1, offset, ids.data};
    const at_search_options options = {.beam = 4, .alpha = 0.6, .max_ratio = 2, .max_extra = 20};
    must(at_search(bundle, &source, &options, &best, &err), &err);
    assert_true(best.truncated == truncated && r.truncated == truncated);
    assert_int_equal(r.target_count, best.count + !truncated);
    assert_in_range(r.likeliest, 1, r.target_count);
    assert_memory_equal(r.written_ids, best.ids, (size_t)best.count * sizeof *best.ids);
    assert_true(r.search_log_prob == best.log_prob);
    assert_int_equal(r.source_count, ids.len);
    at_hypothesis_free(&best);
    at_ids_free(&ids);
    at_look_free(&r);
}

/* Never ends by itself, and would write padding if the search let it. */
static at_bundle make_endless(fixture *f, int norm, int positions)
{
    at_bundle bundle = make_bundle(f->translator.be, f->text, false, norm, positions);
    if (positions == 4) bundle.tokens.pad = 9;
    float *bias = at_params_find(&bundle.model->params, "output.bias")->data;
    bias[bundle.tokens.eos] = -30;
    bias[bundle.tokens.pad] = 30;
    at_params_changed(&bundle.model->params);
    return bundle;
}

static void forced_pass_agrees_with_search(void **state)
{
    fixture *f = *state;
    assert_like_search(&f->translator.bundle, "one red tree two blue house", false);
    assert_like_search(&f->translator.bundle, "one one one one one one one", false);
    for (int norm = 0; norm < 2; norm++)
        for (int positions = 0; positions < 5; positions += 4) {
            at_bundle bundle = make_endless(f, norm, positions);
            assert_like_search(&bundle, "one red tree two blue house", true);
            assert_like_search(&bundle, "blue", true);
            at_bundle_free(&bundle);
        }
}

/* A model that knows its task: each piece is the likeliest one, so greedy search would find the same, and the decoder
 * reads the piece that it copies. */
static void a_copy_is_seen(void **state)
{
    const fixture *f = *state;
    static const char text[] = "two blue tree one house three";
    at_error err;
    at_look_result r;
    must(at_look_run(&r, &f->translator.bundle, text, NULL, ATT_LOOK_TOKENS, &err), &err);
    assert_string_equal(r.target, text);
    assert_int_equal(r.likeliest, r.target_count);
    assert_int_equal(r.target_count, r.source_count);
    assert_true(r.log_prob > -0.5 && !r.truncated);
    int64_t aligned = 0;
    for (int64_t i = 0; i < r.target_count; i++) {
        int64_t best = 0;
        float *mean = mean_of(r.weights[ATT_LOOK_CROSS].layer[0], 2, r.target_count * r.source_count);
        for (int64_t j = 0; j < r.source_count; j++)
            if (mean[i * r.source_count + j] > mean[i * r.source_count + best]) best = j;
        aligned += best == i;
        free(mean);
    }
    assert_true(aligned + 1 >= r.target_count);
    assert_string_equal(r.read[0], "<s>");
    assert_string_equal(r.written[r.target_count - 1], "</s>");
    assert_string_equal(r.source[r.source_count - 1], "</s>");
    for (int64_t i = 0; i + 1 < r.target_count; i++) assert_string_equal(r.read[i + 1], r.written[i]);
    at_look_free(&r);
}

static void assert_same_layers(const at_look_result *a, const at_look_result *b, at_look_kind kind)
{
    const at_look_weights *x = &a->weights[kind], *y = &b->weights[kind];
    assert_int_equal(x->queries, y->queries);
    assert_int_equal(x->keys, y->keys);
    for (int64_t i = 0; i < x->layers; i++)
        assert_memory_equal(x->layer[i], y->layer[i], (size_t)(x->heads * x->queries * x->keys) * sizeof(float));
}

static void given_target_is_taken(void **state)
{
    const fixture *f = *state;
    at_error err;
    at_look_result own, same, other, none;
    must(at_look_run(&own, &f->translator.bundle, "red tree four", NULL, ATT_LOOK_TOKENS, &err), &err);
    must(at_look_run(&same, &f->translator.bundle, "red tree four", own.target, ATT_LOOK_TOKENS, &err), &err);
    must(at_look_run(&other, &f->translator.bundle, "red tree four", "blue house", ATT_LOOK_TOKENS, &err), &err);
    must(at_look_run(&none, &f->translator.bundle, "red tree four", "", ATT_LOOK_TOKENS, &err), &err);
    for (int kind = 0; kind < ATT_LOOK_KINDS; kind++) assert_same_layers(&own, &same, (at_look_kind)kind);
    assert_true(same.log_prob == own.log_prob && same.search_log_prob == 0);
    assert_same_layers(&own, &other, ATT_LOOK_ENCODER);
    assert_true(other.log_prob < own.log_prob - 1);
    assert_string_equal(other.target, "blue house");
    assert_true(other.likeliest < other.target_count);
    assert_int_equal(none.target_count, 1);
    at_look_free(&own);
    at_look_free(&same);
    at_look_free(&other);
    at_look_free(&none);
}

/* ---- the public function ---- */

static void page_shows_what_was_computed(void **state)
{
    fixture *f = *state;
    static const char text[] = "one & <two> \xFF three";
    at_error err;
    at_look_result r;
    char *html;
    must(at_look(&f->translator, text, NULL, ATT_LOOK_HTML, &html, &err), &err);
    must(at_look_run(&r, &f->translator.bundle, text, NULL, ATT_LOOK_TOKENS, &err), &err);
    json_t *island = island_of(html);
    for (int kind = 0; kind < ATT_LOOK_KINDS; kind++) {
        const at_look_weights *w = &r.weights[kind];
        json_t *map = map_of(island, (size_t)kind);
        assert_same_weights(map, (const float *const *)w->layer, w->layers, w->heads, w->queries, w->keys);
        assert_drawn(html, map);
    }
    for (int64_t i = 0; i < r.source_count; i++)
        assert_string_equal(string_of(map_of(island, 0), "columns", i), r.source[i]);
    for (int64_t i = 0; i < r.target_count; i++) {
        assert_string_equal(string_of(map_of(island, 0), "rows", i), r.written[i]);
        assert_string_equal(string_of(map_of(island, 2), "columns", i), r.read[i]);
    }
    assert_well_formed(html);
    assert_self_contained(html);
    assert_non_null(strstr(html, "one &amp; &lt;two&gt; " BAD " three"));
    assert_non_null(strstr(html, at_arch_transformer.summary));
    assert_non_null(strstr(html, "layers: 2 encoder, 1 decoder; heads: 2; parameters: 0.0"));
    json_decref(island);
    at_look_free(&r);
    free(html);
}

static void assert_refused(struct at_translator *t, const char *text, const char *target, at_status wanted,
                           const char *word)
{
    at_error err;
    char *html = (char *)"";
    const at_status status = at_look(t, text, target, ATT_LOOK_HTML, &html, &err);
    assert_int_equal(status, wanted);
    assert_null(html);
    if (strstr(err.text, word) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, word);
}

static void faults_are_named(void **state)
{
    fixture *f = *state;
    at_buf longer = {0};
    at_error err;
    for (int i = 0; i < 300; i++) must(at_buf_puts(&longer, "red ", &err), &err);
    assert_refused(&f->translator, "", NULL, ATT_INPUT, "no tokens");
    assert_refused(&f->translator, "  ", "red", ATT_INPUT, "no tokens");
    assert_refused(&f->translator, longer.data, NULL, ATT_INPUT, "256");
    assert_refused(&f->translator, "red", longer.data, ATT_INPUT, "256");

    struct at_translator other = {.be = f->translator.be,
                                  .bundle = make_bundle(f->translator.be, f->text, false, ATT_NORM_PRE, 4)};
    longer.data[4 * 70] = '\0';
    assert_refused(&other, longer.data, "red", ATT_INPUT, "at most 64");
    at_params_find(&other.bundle.model->params, "decoder.0.cross.q.weight")->data[3] = NAN;
    at_params_changed(&other.bundle.model->params);
    assert_refused(&other, "red", "blue", ATT_INPUT, "NaN");
    assert_refused(&other, "red", NULL, ATT_INPUT, "");
    at_params_find(&other.bundle.model->params, "decoder.0.cross.q.weight")->data[3] = 0;
    at_params_find(&other.bundle.model->params, "output.bias")->data[7] = NAN; /* the weights are sound */
    at_params_changed(&other.bundle.model->params);
    assert_refused(&other, "red", "blue", ATT_INPUT, "NaN");

    at_tokenizer *tokenizer = other.bundle.source;
    other.bundle.source = other.bundle.target = NULL;
    assert_refused(&other, "red", NULL, ATT_OPTION, "tokenizer");
    other.bundle.source = other.bundle.target = tokenizer;
    at_arch arch = at_arch_transformer;
    arch.decode = NULL;
    other.bundle.model->arch = &arch;
    assert_refused(&other, "red", NULL, ATT_UNSUPPORTED, "decoder");
    other.bundle.model->arch = &at_arch_transformer;
    at_bundle_free(&other.bundle);
    at_buf_free(&longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_come_back),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(labels_have_room),
        cmocka_unit_test(forced_pass_agrees_with_search),
        cmocka_unit_test(a_copy_is_seen),
        cmocka_unit_test(given_target_is_taken),
        cmocka_unit_test(page_shows_what_was_computed),
        cmocka_unit_test(faults_are_named),
    };
    return cmocka_run_group_tests(tests, make_fixture, drop_fixture);
}
