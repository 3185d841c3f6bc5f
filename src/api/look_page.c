/* at_look of attend/attend.h: attention of a sentence (infer/look.h) onto a page (plot/attention_page.h); and
 * at_look_nearness. */
#include "infer/look.h"

#include <inttypes.h>

#include "api/translator.h"
#include "infer/nearness.h"
#include "plot/attention_page.h"

/* ---- facts ---- */

typedef struct texts { /* the texts of a page; all in the result's arena */
    at_page_fact facts[4];
    at_page_fact *options;
    size_t option_count;
} texts;

static at_status keep(at_look_result *result, const at_buf *text, const char **kept, at_error *err)
{
    *kept = at_arena_strdup(&result->arena, text->data);
    return *kept ? ATT_OK : at_fail_memory(err, text->len);
}

static at_status describe_score(at_look_result *result, at_buf *text, const char **kept, at_error *err)
{
    at_buf_clear(text);
    ATT_TRY(at_buf_printf(text, err, "%.3f nats; pieces: %" PRId64 ", of which the model's likeliest: %" PRId64 "%s",
                          result->log_prob, result->target_count, result->likeliest,
                          result->truncated ? "; cut at the length limit" : ""));
    return keep(result, text, kept, err);
}

static at_status describe_model(at_look_result *result, const at_model *model, at_buf *text, const char **kept,
                                at_error *err)
{
    const at_look_weights *encoder = &result->weights[ATT_LOOK_ENCODER], *cross = &result->weights[ATT_LOOK_CROSS];
    double millions = 0;
    for (int i = 0; i < model->params.count; i++) millions += 1e-6 * (double)at_tensor_floats(model->params.tensor[i]);
    at_buf_clear(text);
    ATT_TRY(at_buf_printf(
        text, err, "%s; layers: %" PRId64 " encoder, %" PRId64 " decoder; heads: %" PRId64 "; parameters: %.*f million",
        model->arch->summary, encoder->layers, cross->layers, cross->heads, millions < 0.1 ? 3 : 1, millions));
    return keep(result, text, kept, err);
}

static at_status describe_options(at_look_result *result, const at_model *model, at_buf *text, texts *t, at_error *err)
{
    const at_option *rows = model->arch->options;
    size_t count = 0;
    while (rows[count].name != NULL) count++;
    t->options = at_arena_array(&result->arena, count, sizeof *t->options);
    if (t->options == NULL) return at_fail_memory(err, count * sizeof *t->options);
    for (t->option_count = 0; t->option_count < count; t->option_count++) {
        at_page_fact *option = &t->options[t->option_count];
        at_buf_clear(text);
        ATT_TRY(at_buf_reserve(text, 0, err));
        ATT_TRY(at_option_format(&rows[t->option_count], model->config, text, err));
        option->name = rows[t->option_count].name;
        ATT_TRY(keep(result, text, &option->text, err));
    }
    return ATT_OK;
}

static at_status describe(texts *t, at_look_result *result, const at_model *model, bool given, at_error *err)
{
    at_buf text = {0};
    t->facts[0] = (at_page_fact){"Sentence", result->text};
    t->facts[1] = (at_page_fact){given ? "Given translation" : "Translation", result->target};
    t->facts[2].name = "Log-probability";
    t->facts[3].name = "Model";
    at_status status = describe_score(result, &text, &t->facts[2].text, err);
    if (status == ATT_OK) status = describe_model(result, model, &text, &t->facts[3].text, err);
    if (status == ATT_OK) status = describe_options(result, model, &text, t, err);
    at_buf_free(&text);
    return status;
}

/* ---- maps ---- */

static at_page_map cross_map(const at_look_result *r)
{
    return (at_page_map){
        .id = "cross",
        .title = "Cross-attention",
        .about = "A row is a piece of the translation; its cells are the weights with which the decoder reads the "
                 "pieces of the source to write it. Each row sums to 1. \xE2\x96\x81 marks a space.",
        .row_axis = "written",
        .column_axis = "source",
        .rows = r->written,
        .columns = r->source,
    };
}

static at_page_map encoder_map(const at_look_result *r)
{
    return (at_page_map){
        .id = "encoder",
        .title = "Encoder self-attention",
        .about = "A row is a piece of the source; its cells are the weights with which the encoder reads all pieces of "
                 "the source to represent it. Each row sums to 1. \xE2\x96\x81 marks a space.",
        .row_axis = "source",
        .column_axis = "source",
        .rows = r->source,
        .columns = r->source,
    };
}

static at_page_map decoder_map(const at_look_result *r)
{
    return (at_page_map){
        .id = "decoder",
        .title = "Decoder self-attention",
        .about = "A row is a piece of the translation; its cells are the weights with which the decoder reads what "
                 "stands before it, from the start token on, to write it: what comes later is hidden from it. Each row "
                 "sums to 1. \xE2\x96\x81 marks a space.",
        .row_axis = "written",
        .column_axis = "read",
        .rows = r->written,
        .columns = r->read,
    };
}

static at_status write_picture(at_buf *picture, const at_look_result *result, const texts *t, at_look_format format,
                               at_error *err)
{
    at_page_map maps[ATT_LOOK_KINDS] = {
        [ATT_LOOK_CROSS] = cross_map(result),
        [ATT_LOOK_ENCODER] = encoder_map(result),
        [ATT_LOOK_DECODER] = decoder_map(result),
    };
    for (int kind = 0; kind < ATT_LOOK_KINDS; kind++) {
        const at_look_weights *w = &result->weights[kind];
        maps[kind].row_count = w->queries;
        maps[kind].column_count = w->keys;
        maps[kind].layers = w->layers;
        maps[kind].heads = w->heads;
        maps[kind].weights = (const float *const *)w->layer;
    }
    const at_attention_page page = {.subject = result->text,
                                    .facts = t->facts,
                                    .fact_count = sizeof t->facts / sizeof *t->facts,
                                    .details = t->options,
                                    .detail_count = t->option_count,
                                    .maps = maps,
                                    .map_count = ATT_LOOK_KINDS};
    return format == ATT_LOOK_SVG ? at_attention_overview_write(picture, &page, err)
                                  : at_attention_page_write(picture, &page, err);
}

at_status at_look(at_translator *translator, const char *text, const char *target, at_look_format format,
                  char **picture, at_error *err)
{
    const at_bundle *bundle = &translator->bundle;
    at_look_result result;
    texts t = {0};
    at_buf out = {0};
    *picture = NULL;
    ATT_TRY(at_look_run(&result, bundle, text, target, ATT_LOOK_TOKENS, err));
    at_status status = describe(&t, &result, bundle->model, target != NULL, err);
    if (status == ATT_OK) status = write_picture(&out, &result, &t, format, err);
    at_look_free(&result);
    if (status != ATT_OK) at_buf_free(&out);
    *picture = out.data;
    return status;
}

static at_status add_all(at_nearness_sum *sum, const at_bundle *bundle, const char *const *sentences, int64_t count,
                         at_error *err)
{
    for (int64_t i = 0; i < count; i++) {
        at_error why;
        const at_status status = at_nearness_add(sum, bundle, sentences[i], &why);
        if (status != ATT_OK) return at_fail(err, status, "line %" PRId64 ": %s", i + 1, why.text);
    }
    return sum->tokens > 0 ? ATT_OK : at_fail(err, ATT_INPUT, "all lines are blank; give sentences");
}

at_status at_look_nearness(at_translator *translator, const char *const *sentences, int64_t count,
                           at_nearness *nearness, at_error *err)
{
    const at_bundle *bundle = &translator->bundle;
    at_nearness_sum sum;
    ATT_TRY(at_nearness_new(&sum, bundle, err));
    const at_status status = add_all(&sum, bundle, sentences, count, err);
    if (status != ATT_OK) {
        at_nearness_free(&sum);
        return status;
    }
    for (int64_t i = 0; i < sum.layers; i++) sum.near[i] /= (double)sum.tokens;
    *nearness = (at_nearness){sum.near, sum.uniform / (double)sum.tokens, sum.layers, sum.tokens};
    return ATT_OK;
}
