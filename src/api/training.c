/* attend/train.h: options by name, and the run itself. */
#include <attend/train.h>
#include <stdlib.h>
#include <string.h>

#include "api/training.h"
#include "train/run.h"

struct at_training {
    at_train_options options;
    const at_arch *arch;
    void *config; /* of the architecture, with its defaults */
};

at_status at_training_new(at_training **training, at_error *err)
{
    at_training *t = calloc(1, sizeof *t);
    if (t == NULL) return at_fail_memory(err, sizeof *t);
    t->arch = at_arch_at(0);
    t->config = calloc(1, t->arch->config_size);
    at_status status = t->config ? ATT_OK : at_fail_memory(err, t->arch->config_size);
    if (status == ATT_OK) status = at_options_defaults(at_train_option_table, &t->options, err);
    if (status == ATT_OK) status = at_options_defaults(t->arch->options, t->config, err);
    if (status != ATT_OK) {
        at_training_free(t);
        return status;
    }
    *training = t;
    return ATT_OK;
}

void at_training_free(at_training *training)
{
    if (training == NULL) return;
    at_options_free(at_train_option_table, &training->options);
    if (training->config) at_options_free(training->arch->options, training->config);
    free(training->config);
    free(training);
}

at_train_options *at_training_run_options(at_training *training)
{
    return &training->options;
}

const struct at_option *at_training_options(at_training *training, int table, void **object, const char **title)
{
    *object = table == 0 ? (void *)&training->options : training->config;
    *title = table == 0 ? "Training" : "Model";
    return table == 0 ? at_train_option_table : table == 1 ? training->arch->options : NULL;
}

at_status at_training_set(at_training *training, const char *name, const char *value, at_error *err)
{
    const char *nearest = NULL;
    for (int table = 0; table < 2; table++) {
        void *object;
        const char *title;
        const at_option *rows = at_training_options(training, table, &object, &title),
                        *row = at_option_find(rows, name);
        if (row) return at_option_set(row, object, value, name, err);
        if (nearest == NULL && (row = at_option_nearest(rows, name)) != NULL) nearest = row->name;
    }
    return at_fail(err, ATT_OPTION, "unknown option \"%s\"%s%s", name, nearest ? "; did you mean " : "",
                   nearest ? nearest : "");
}

const char *at_preset_name(int index)
{
    int count = 0;
    while (at_preset_names[count]) count++;
    return index >= 0 && index < count ? at_preset_names[index] : NULL;
}

bool at_preset_setting(const char *preset, int index, const char **name, const char **value)
{
    const at_preset_value *values = at_preset_find(preset);
    if (values == NULL || index < 0) return false;
    for (int i = 0; i <= index; i++)
        if (values[i].name == NULL) return false;
    *name = values[index].name;
    *value = values[index].value;
    return true;
}

at_status at_training_preset(at_training *training, const char *preset, at_error *err)
{
    const char *name, *value;
    if (at_preset_find(preset) == NULL)
        return at_fail(err, ATT_OPTION, "there is no preset \"%s\"; choose tiny, small, base or big", preset);
    for (int i = 0; at_preset_setting(preset, i, &name, &value); i++)
        ATT_TRY(at_training_set(training, name, value, err));
    return ATT_OK;
}

/* The model's options as text: what a run writes into its recipe and gives to the model it builds. */
static at_status spec_of(const at_training *t, at_run_spec *spec, at_setting *settings, at_buf *texts, at_error *err)
{
    size_t n = 0;
    for (const at_option *row = t->arch->options; row->name; row++, n++) {
        at_buf_clear(&texts[n]);
        ATT_TRY(at_option_format(row, t->config, &texts[n], err));
        settings[n] = (at_setting){row->name, texts[n].data ? texts[n].data : ""};
    }
    *spec = (at_run_spec){&t->options, t->arch->name, settings, n};
    return ATT_OK;
}

enum { MODEL_OPTIONS = 64 };

typedef at_status run_fn(const at_run_spec *spec, void *arg, at_error *err);

static at_status with_spec(const at_training *t, run_fn *run, void *arg, at_error *err)
{
    at_run_spec spec;
    at_setting settings[MODEL_OPTIONS];
    at_buf texts[MODEL_OPTIONS] = {{0}};
    at_status status = spec_of(t, &spec, settings, texts, err);
    if (status == ATT_OK) status = run(&spec, arg, err);
    for (int i = 0; i < MODEL_OPTIONS; i++) at_buf_free(&texts[i]);
    return status;
}

static at_status run_training(const at_run_spec *spec, void *arg, at_error *err)
{
    return at_run(spec, arg, err);
}

at_status at_training_run(at_training *training, const at_training_hooks *hooks, at_error *err)
{
    at_training_hooks own = hooks ? *hooks : (at_training_hooks){0};
    return with_spec(training, run_training, &own, err);
}

typedef struct plan_args {
    const at_training_hooks *hooks;
    at_training_plan *plan;
} plan_args;

static at_status run_plan(const at_run_spec *spec, void *arg, at_error *err)
{
    const plan_args *args = arg;
    return at_run_plan(spec, args->hooks, args->plan, err);
}

at_status at_training_dry_run(at_training *training, const at_training_hooks *hooks, at_training_plan *plan,
                              at_error *err)
{
    plan_args args = {hooks, plan};
    return with_spec(training, run_plan, &args, err);
}
