/* attend/train.h: options by name, and the run itself. */
#include <attend/train.h>
#include <stdlib.h>
#include <string.h>

#include "api/training.h"
#include "train/run.h"

/* A model's options are set for each task that has them, so that task may be set before or after them. */
typedef struct task_model {
    const at_arch *arch;
    void *config;        /* of the architecture, with its defaults */
    const char *foreign; /* the first option given that only other tasks' models have; NULL: none */
} task_model;

enum { TASKS = ATT_TASK_LANGUAGE_MODEL + 1 };

struct at_training {
    at_train_options options;
    task_model model[TASKS];
};

static at_status make_models(at_training *t, at_error *err)
{
    for (int i = 0; i < TASKS; i++) {
        task_model *m = &t->model[i];
        m->arch = at_arch_find(at_task_arch((at_task)i));
        m->config = calloc(1, m->arch->config_size);
        if (m->config == NULL) return at_fail_memory(err, m->arch->config_size);
        ATT_TRY(at_options_defaults(m->arch->options, m->config, err));
    }
    return ATT_OK;
}

at_status at_training_new(at_training **training, at_error *err)
{
    at_training *t = calloc(1, sizeof *t);
    if (t == NULL) return at_fail_memory(err, sizeof *t);
    at_status status = at_options_defaults(at_train_option_table, &t->options, err);
    if (status == ATT_OK) status = make_models(t, err);
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
    for (int i = 0; i < TASKS; i++) {
        const task_model *m = &training->model[i];
        if (m->config) at_options_free(m->arch->options, m->config);
        free(m->config);
    }
    free(training);
}

at_train_options *at_training_run_options(at_training *training)
{
    return &training->options;
}

const struct at_option *at_training_options(at_training *training, int table, void **object, const char **title)
{
    static const char *const titles[TASKS] = {"Model of task translation", "Model of task language-model"};
    if (table < 0 || table > TASKS) return NULL;
    *title = "Training";
    *object = &training->options;
    if (table == 0) return at_train_option_table;
    *title = titles[table - 1];
    *object = training->model[table - 1].config;
    return training->model[table - 1].arch->options;
}

int at_training_model_table(const at_training *training)
{
    return 1 + training->options.task;
}

/* Sets an option of the models that have it. *known: one has; a value that one of them refuses is an error if none takes
 * it. */
static at_status set_models(at_training *t, const char *name, const char *value, bool *known, at_error *err)
{
    const at_option *row[TASKS], *any = NULL;
    at_status status = ATT_OK;
    for (int i = 0; i < TASKS; i++) {
        row[i] = at_option_find(t->model[i].arch->options, name);
        if (row[i] != NULL) any = row[i];
    }
    *known = any != NULL;
    bool taken = false;
    for (int i = 0; i < TASKS && any != NULL; i++) {
        task_model *m = &t->model[i];
        at_error why;
        const at_status set = row[i] ? at_option_set(row[i], m->config, value, name, &why) : ATT_OPTION;
        if (set != ATT_OK && m->foreign == NULL) m->foreign = any->name;
        if (set != ATT_OK && row[i]) status = at_fail(err, set, "%s", why.text);
        taken = taken || set == ATT_OK;
    }
    return taken ? ATT_OK : status;
}

static const char *nearest_name(at_training *t, const char *name)
{
    const at_option *row = at_option_nearest(at_train_option_table, name);
    for (int i = 0; row == NULL && i < TASKS; i++) row = at_option_nearest(t->model[i].arch->options, name);
    return row ? row->name : NULL;
}

at_status at_training_set(at_training *training, const char *name, const char *value, at_error *err)
{
    const at_option *row = at_option_find(at_train_option_table, name);
    bool known;
    if (row) return at_option_set(row, &training->options, value, name, err);
    const at_status status = set_models(training, name, value, &known, err);
    if (known) return status;
    const char *nearest = nearest_name(training, name);
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

static at_status refuse_preset(const char *preset, at_error *err)
{
    at_buf names = {0};
    at_status status = ATT_OK;
    for (int i = 0; at_preset_name(i) && status == ATT_OK; i++)
        status = at_buf_printf(&names, err, "%s%s", i > 0 ? ", " : "", at_preset_name(i));
    if (status == ATT_OK)
        status = at_fail(err, ATT_OPTION, "there is no preset \"%.40s\"; choose among %s", preset, names.data);
    at_buf_free(&names);
    return status;
}

at_status at_training_preset(at_training *training, const char *preset, at_error *err)
{
    const char *name, *value;
    if (at_preset_find(preset) == NULL) return refuse_preset(preset, err);
    for (int i = 0; at_preset_setting(preset, i, &name, &value); i++)
        ATT_TRY(at_training_set(training, name, value, err));
    return ATT_OK;
}

/* The model's options as text: what a run writes into its recipe and gives to the model it builds. */
static at_status spec_of(at_training *t, at_run_spec *spec, at_setting *settings, at_buf *texts, at_error *err)
{
    const task_model *m = &t->model[t->options.task];
    size_t n = 0;
    if (m->foreign != NULL)
        return at_fail(err, ATT_OPTION, "%s doesn't fit task %s; leave it out, or set another task", m->foreign,
                       at_task_names[t->options.task]);
    at_train_options_settle(&t->options);
    for (const at_option *row = m->arch->options; row->name; row++, n++) {
        at_buf_clear(&texts[n]);
        ATT_TRY(at_option_format(row, m->config, &texts[n], err));
        settings[n] = (at_setting){row->name, texts[n].data ? texts[n].data : ""};
    }
    *spec = (at_run_spec){&t->options, m->arch->name, settings, n};
    return ATT_OK;
}

enum { MODEL_OPTIONS = 64 };

typedef at_status run_fn(const at_run_spec *spec, void *arg, at_error *err);

static at_status with_spec(at_training *t, run_fn *run, void *arg, at_error *err)
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
