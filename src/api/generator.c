/* at_generator of attend/attend.h. */
#include <stdlib.h>

#include "base/rng.h"
#include "infer/generate.h"

struct at_generator {
    at_backend *be;
    at_bundle bundle;
};

static at_status open_model(at_generator *g, const char *path, int threads, at_error *err)
{
    ATT_TRY(at_cpu_backend_new(&g->be, threads, NULL, err));
    ATT_TRY(at_bundle_open(&g->bundle, path, g->be, false, err));
    return at_check_language_model(&g->bundle, path, err);
}

at_status at_generator_open(at_generator **generator, const char *path, int threads, at_error *err)
{
    at_generator *g = calloc(1, sizeof *g);
    if (g == NULL) return at_fail_memory(err, sizeof *g);
    const at_status status = open_model(g, path, threads, err);
    if (status == ATT_OK)
        *generator = g;
    else
        at_generator_free(g);
    return status;
}

void at_generator_free(at_generator *generator)
{
    if (generator == NULL) return;
    at_bundle_free(&generator->bundle);
    if (generator->be) generator->be->free(generator->be);
    free(generator);
}

at_generate_args at_generate_defaults(void)
{
    return (at_generate_args){.max_tokens = 200, .temperature = 1, .top_p = 1, .line = 1};
}

at_status at_generate(at_generator *generator, at_line prompt, const at_generate_args *args, at_generated_fn *each,
                      void *arg, at_generation *generation, at_error *err)
{
    const at_generate_args a = args ? *args : at_generate_defaults();
    const at_generate_options options = {.max_tokens = a.max_tokens,
                                         .sample = !a.greedy,
                                         .sampling = {a.temperature, a.top_k, a.top_p},
                                         .key = at_rng_key(a.seed, (uint64_t)a.line),
                                         .cancel = a.cancel};
    return at_generate_text(&generator->bundle, prompt, &options, each, arg, generation, err);
}
