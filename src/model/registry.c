/* The architectures, and what all models share. */
#include <stdlib.h>
#include <string.h>

#include "model/gpt.h"
#include "model/model.h"
#include "model/transformer.h"

static const at_arch *const architectures[] = {&at_arch_transformer, &at_arch_gpt};

const at_arch *at_arch_at(int index)
{
    return index >= 0 && index < (int)(sizeof architectures / sizeof *architectures) ? architectures[index] : NULL;
}

const at_arch *at_arch_find(const char *name)
{
    for (int i = 0; at_arch_at(i); i++)
        if (strcmp(at_arch_at(i)->name, name) == 0) return at_arch_at(i);
    return NULL;
}

at_status at_model_new(at_model **model, const at_arch *arch, at_backend *be, at_error *err)
{
    at_model *m = calloc(1, sizeof *m);
    if (m == NULL || (m->config = calloc(1, arch->config_size)) == NULL) {
        free(m);
        return at_fail_memory(err, arch->config_size);
    }
    m->arch = arch;
    at_params_init(&m->params, be);
    const at_status status = at_options_defaults(arch->options, m->config, err);
    if (status != ATT_OK) {
        at_model_free(m);
        return status;
    }
    *model = m;
    return ATT_OK;
}

at_status at_model_build(at_model *model, bool training, at_error *err)
{
    ATT_TRY(model->arch->build(model, err));
    return at_params_allocate(&model->params, training, err);
}

void at_model_free(at_model *model)
{
    if (model == NULL) return;
    at_params_free(&model->params);
    at_options_free(model->arch->options, model->config);
    free(model->config);
    free(model);
}
