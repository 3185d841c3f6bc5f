/* The block of parameters. See params.h. */
#include "tape/params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

at_init at_init_xavier(int64_t fan_in, int64_t fan_out)
{
    return (at_init){ATT_INIT_UNIFORM, sqrtf(6.0f / (float)(fan_in + fan_out))};
}

void at_params_init(at_params *params, at_backend *be)
{
    memset(params, 0, sizeof *params);
    params->be = be;
    params->version = 1;
    at_arena_init(&params->arena, 0);
}

static void free_panels(at_params *params, at_panels *panels)
{
    for (int i = 0; i < 2; i++)
        if (panels->data[i])
            params->be->release(params->be, panels->data[i], (size_t)panels->floats[i] * sizeof(float));
    *panels = (at_panels){0};
}

void at_params_drop_panels(at_params *params)
{
    for (int i = 0; i < params->count; i++) free_panels(params, params->tensor[i]->panels);
}

void at_params_free(at_params *params)
{
    float *const blocks[] = {params->data, params->grad, params->moment1, params->moment2, params->average};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (blocks[i]) params->be->release(params->be, blocks[i], (size_t)params->floats * sizeof(float));
    at_params_drop_panels(params);
    free(params->tensor);
    free(params->init);
    free(params->offset);
    at_arena_free(&params->arena);
    memset(params, 0, sizeof *params);
}

static bool grow(at_params *params)
{
    const int capacity = params->capacity ? 2 * params->capacity : 64;
    at_tensor **tensor = realloc(params->tensor, (size_t)capacity * sizeof *tensor);
    if (tensor) params->tensor = tensor;
    at_init *init = realloc(params->init, (size_t)capacity * sizeof *init);
    if (init) params->init = init;
    int64_t *offset = realloc(params->offset, (size_t)capacity * sizeof *offset);
    if (offset) params->offset = offset;
    if (!tensor || !init || !offset) return false;
    params->capacity = capacity;
    return true;
}

at_tensor *at_params_add(at_params *params, at_init init, int64_t d0, int64_t d1, const char *name_format, ...)
{
    char name[128];
    va_list args;
    va_start(args, name_format);
    vsnprintf(name, sizeof name, name_format, args);
    va_end(args);
    at_tensor *t = at_arena_zalloc(&params->arena, sizeof *t);
    if (t) t->panels = at_arena_zalloc(&params->arena, sizeof *t->panels);
    if (t) t->name = at_arena_strdup(&params->arena, name);
    if (t == NULL || t->panels == NULL || t->name == NULL || (params->count == params->capacity && !grow(params))) {
        params->failed = true;
        return t;
    }
    t->rank = d1 ? 2 : 1;
    t->dim[0] = d0;
    t->dim[1] = d1;
    t->is_param = true;
    t->version = &params->version;
    params->init[params->count] = init;
    params->offset[params->count] = params->floats;
    params->tensor[params->count++] = t;
    params->floats += (at_tensor_floats(t) + 15) / 16 * 16;
    return t;
}

void at_params_set_init(at_params *params, const at_tensor *tensor, at_init init)
{
    for (int i = 0; i < params->count; i++)
        if (params->tensor[i] == tensor) params->init[i] = init;
}

static at_status allocate_block(at_params *params, float **block, at_error *err)
{
    const size_t bytes = (size_t)params->floats * sizeof(float);
    *block = params->be->alloc(params->be, bytes);
    if (*block == NULL)
        return at_fail(err, ATT_MEMORY, "no memory for the model: a block of %.0f MB is needed", 1e-6 * (double)bytes);
    params->be->zero(params->be, *block, params->floats);
    return ATT_OK;
}

at_status at_params_allocate(at_params *params, bool training, at_error *err)
{
    if (params->failed) return at_fail(err, ATT_MEMORY, "no memory to describe the model");
    ATT_TRY(allocate_block(params, &params->data, err));
    if (training) ATT_TRY(allocate_block(params, &params->grad, err));
    for (int i = 0; i < params->count; i++) {
        at_tensor *t = params->tensor[i];
        t->data = params->data + params->offset[i];
        t->grad = training ? params->grad + params->offset[i] : NULL;
        t->needs_grad = training;
    }
    return ATT_OK;
}

at_status at_params_keep(at_params *params, unsigned wanted, at_error *err)
{
    float **const blocks[] = {&params->moment1, &params->moment2, &params->average};
    for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if ((wanted & 1u << i) && *blocks[i] == NULL) ATT_TRY(allocate_block(params, blocks[i], err));
    return ATT_OK;
}

static void swap_weights(at_params *params, float **other)
{
    float *weights = params->data;
    params->data = *other;
    *other = weights;
    for (int i = 0; i < params->count; i++) {
        at_tensor *t = params->tensor[i];
        t->data = params->data + params->offset[i];
        t->grad = params->grad ? params->grad + params->offset[i] : NULL;
    }
    at_params_changed(params);
}

void at_params_swap_average(at_params *params)
{
    swap_weights(params, &params->average);
}

void at_params_swap_gradient(at_params *params)
{
    swap_weights(params, &params->grad);
}

static float draw_one(const at_init *init, uint64_t key, uint64_t index)
{
    switch (init->kind) {
    case ATT_INIT_ZERO:
        return 0;
    case ATT_INIT_ONE:
        return 1;
    case ATT_INIT_NORMAL:
        return init->scale * (float)at_rng_normal(key, index);
    case ATT_INIT_UNIFORM:
        return init->scale * (float)(2 * at_rng_uniform(key, index) - 1);
    }
    return 0;
}

static uint64_t name_key(uint64_t seed, const char *name)
{
    uint64_t key = at_rng_key(seed, 0x696E6974);
    for (; *name; name++) key = at_rng_key(key, (uint8_t)*name);
    return key;
}

at_status at_params_draw(at_params *params, uint64_t seed, at_error *err)
{
    for (int i = 0; i < params->count; i++) {
        const at_tensor *t = params->tensor[i];
        const int64_t n = at_tensor_floats(t);
        float *values = malloc((size_t)n * sizeof *values);
        if (values == NULL) return at_fail_memory(err, (size_t)n * sizeof *values);
        const uint64_t key = name_key(seed, t->name);
        for (int64_t j = 0; j < n; j++) values[j] = draw_one(&params->init[i], key, (uint64_t)j);
        params->be->upload(params->be, t->data, values, (size_t)n * sizeof *values);
        free(values);
    }
    at_params_changed(params);
    return ATT_OK;
}

int64_t at_params_count(const at_params *params)
{
    int64_t n = 0;
    for (int i = 0; i < params->count; i++) n += at_tensor_floats(params->tensor[i]);
    return n;
}

at_tensor *at_params_find(const at_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++)
        if (strcmp(params->tensor[i]->name, name) == 0) return params->tensor[i];
    return NULL;
}

void at_params_changed(at_params *params)
{
    params->version++;
}

void at_params_clear_grad(at_params *params)
{
    for (int i = 0; i < params->count; i++) params->tensor[i]->grad_set = false;
}

void at_params_settle_grad(at_params *params)
{
    for (int i = 0; i < params->count; i++) {
        at_tensor *t = params->tensor[i];
        if (!t->grad_set) params->be->zero(params->be, t->grad, at_tensor_floats(t));
        t->grad_set = true;
    }
}
