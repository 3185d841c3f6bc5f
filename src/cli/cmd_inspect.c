/* attend inspect: what a model file holds. */
#include <attend/tools.h>
#include <inttypes.h>
#include <string.h>

#include "cli/command.h"

typedef struct inspect_state {
    bool tensors, json;
} inspect_state;

static const at_option options[] = {
    {.name = "tensors",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(inspect_state, tensors),
     .def = "false",
     .help = "also every tensor: name, type, shape, bytes"},
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(inspect_state, json),
     .def = "false",
     .help = "print one JSON object"},
    {0},
};

static const at_positional positionals[] = {{"MODEL", "a model file", ATT_ONE}, {0}};

/* ---- text ---- */

/* "12.5 MiB" */
static void format_bytes(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1024 && unit < 4; unit++) value /= 1024;
    snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* "512 x 2048"; a scalar has no dimension. */
static void format_shape(const at_inspected_tensor *tensor, char *text, size_t room)
{
    size_t len = 0;
    snprintf(text, room, "scalar");
    for (int i = 0; i < tensor->rank && len < room; i++) {
        len += (size_t)snprintf(text + len, room - len, "%s%" PRId64, i > 0 ? " x " : "", tensor->dim[i]);
    }
}

static void print_vocabulary(at_output *output, const at_inspection *it)
{
    if (it->vocabulary[0] == 0 && it->vocabulary[1] == 0) {
        at_print(output, "vocabulary    none in the file\n");
    } else if (it->shared_vocabulary) {
        at_print(output, "vocabulary    %" PRId64 " pieces, one for source and target\n", it->vocabulary[0]);
    } else {
        at_print(output, "vocabulary    %" PRId64 " pieces source, %" PRId64 " target\n", it->vocabulary[0],
                 it->vocabulary[1]);
    }
    at_print(output, "tokens        start %" PRId32 ", end %" PRId32, it->target_start, it->eos);
    if (it->pad >= 0) at_print(output, ", padding %" PRId32, it->pad);
    at_print(output, "\n");
}

static void print_options(at_output *output, const at_inspection *it)
{
    int width = 0;
    for (size_t i = 0; i < it->option_count; i++) {
        const int len = (int)strlen(it->options[i].name);
        if (len > width) width = len;
    }
    at_print(output, "options\n");
    for (size_t i = 0; i < it->option_count; i++) {
        at_print(output, "  %-*s  %s\n", width, it->options[i].name, it->options[i].value);
    }
}

static void print_tensors(at_output *output, const at_inspection *it)
{
    int width = 0;
    for (size_t i = 0; i < it->tensor_count; i++) {
        const int columns = at_columns(it->tensors[i].name, strlen(it->tensors[i].name));
        if (columns > width) width = columns;
    }
    at_print(output, "tensors\n");
    for (size_t i = 0; i < it->tensor_count; i++) {
        const at_inspected_tensor *tensor = &it->tensors[i];
        char shape[200];
        format_shape(tensor, shape, sizeof shape);
        const int pad = width - at_columns(tensor->name, strlen(tensor->name));
        at_print(output, "  %s%*s  %-4s  %12" PRIu64 "  %s\n", tensor->name, pad, "", tensor->dtype, tensor->bytes,
                 shape);
    }
}

static void print_inspection(at_output *output, const at_inspection *it, bool tensors)
{
    char size[32];
    format_bytes(it->file_bytes, size);
    at_print(output, "architecture  %s\n",
             it->architecture != NULL ? it->architecture : "unknown: the weights of another program");
    at_print(output, "parameters    %" PRIu64 " in %zu tensors\n", it->parameters, it->tensor_count);
    at_print(output, "file          %s, %s\n", size,
             it->hashed ? "checksum is right" : "without a checksum of attend's");
    if (it->architecture != NULL) {
        print_vocabulary(output, it);
        at_print(output, "training      %s\n",
                 it->training_state ? "can go on from this file" : "finished: no optimizer state in the file");
        print_options(output, it);
        if (strcmp(it->info, "{}") != 0) at_print(output, "info          %s\n", it->info);
    }
    if (tensors) print_tensors(output, it);
}

/* ---- JSON ---- */

/* A number or truth value where the text reads as one, else a string. */
static json_t *value_json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (json_is_number(value) || json_is_boolean(value)) return value;
    json_decref(value);
    return at_json_text(text);
}

static json_t *options_json(const at_inspection *it)
{
    json_t *object = json_object();
    for (size_t i = 0; i < it->option_count; i++) {
        json_object_set_new(object, it->options[i].name, value_json(it->options[i].value));
    }
    return object;
}

static json_t *tensor_json(const at_inspected_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++) json_array_append_new(shape, json_integer(tensor->dim[i]));
    return json_pack("{so ss so sI}", "name", at_json_text(tensor->name), "dtype", tensor->dtype, "shape", shape,
                     "bytes", (json_int_t)tensor->bytes);
}

static json_t *tensors_json(const at_inspection *it)
{
    json_t *list = json_array();
    for (size_t i = 0; i < it->tensor_count; i++) json_array_append_new(list, tensor_json(&it->tensors[i]));
    return list;
}

/* What only attend's own files have. */
static int add_model_json(json_t *object, const at_inspection *it)
{
    json_t *model =
        json_pack("{so s{sI sI sb} s{si si si} sb so?}", "options", options_json(it), "vocabulary", "source",
                  (json_int_t)it->vocabulary[0], "target", (json_int_t)it->vocabulary[1], "shared",
                  (int)it->shared_vocabulary, "tokens", "start", (int)it->target_start, "end", (int)it->eos, "padding",
                  (int)it->pad, "training_state", (int)it->training_state, "info", json_loads(it->info, 0, NULL));
    const int failed = json_object_update(object, model);
    json_decref(model);
    return failed;
}

static at_status print_inspection_json(at_output *output, const char *path, const at_inspection *it, bool tensors,
                                       at_error *err)
{
    json_t *object = json_pack("{so ss? sI sI sI sb}", "path", at_json_text(path), "architecture", it->architecture,
                               "parameters", (json_int_t)it->parameters, "tensor_count", (json_int_t)it->tensor_count,
                               "file_bytes", (json_int_t)it->file_bytes, "checksum", (int)it->hashed);
    int failed = it->architecture != NULL ? add_model_json(object, it) : 0;
    if (tensors) failed |= json_object_set_new(object, "tensors", tensors_json(it));
    if (failed != 0) {
        json_decref(object);
        object = NULL;
    }
    return at_print_json(output, object, err);
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const inspect_state *asked = state;
    const char *path = cli->arguments.positional[0];
    at_status status = ATT_OK;
    at_inspection *it;
    ATT_TRY(at_inspect(&it, path, err));
    if (asked->json) {
        status = print_inspection_json(&cli->output, path, it, asked->tensors, err);
    } else {
        print_inspection(&cli->output, it, asked->tensors);
    }
    at_inspection_free(it);
    return status;
}

const at_command at_cmd_inspect = {
    .name = "inspect",
    .summary = "show what a model file holds",
    .description = "Shows the architecture and its options, the vocabulary, the number of parameters and where the "
                   "model came from. The file is checked on the way: attend's own to the last bit, others for "
                   "consistency.",
    .examples = "attend inspect runs/first/best.safetensors\n"
                "attend inspect model.safetensors --tensors\n"
                "attend inspect model.safetensors --json | jq .options.width\n",
    .positionals = positionals,
    .options = options,
    .state_size = sizeof(inspect_state),
    .run = run,
};
