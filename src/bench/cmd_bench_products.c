/* attend bench products: a training step against its matrix products alone. */
#include <inttypes.h>

#include "bench/bench_products.h"
#include "bench/peer_sgemm.h"
#include "cli/command.h"

typedef struct products_state {
    bool json;
    at_bench_options work;
    at_bench_products products;
} products_state;

static const at_option options[] = {
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(products_state, json),
     .def = "false",
     .help = "print one JSON object"},
    {0},
};

static at_status bind(at_cli *cli, void *state, at_error *err)
{
    products_state *s = state;
    ATT_TRY(at_options_defaults(at_bench_work_table, &s->work, err));
    at_arguments_group(&cli->arguments, "Work", at_bench_work_table, &s->work, false);
    return ATT_OK;
}

static const char *const kinds[] = {"forward", "input", "weight"};

static json_t *list_json(const at_bench_products *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->count; i++) {
        const at_bench_product *one = &p->product[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "kind", kinds[one->kind], "m",
                                              (json_int_t)one->m, "k", (json_int_t)one->k, "n", (json_int_t)one->n,
                                              "count", (json_int_t)one->count));
    }
    return list;
}

static json_t *result_json(const at_bench_products_result *r)
{
    json_t *object = json_pack("{s:i, s:f, s:f, s:f, s:f}", "threads", r->threads, "step_ms", r->step_ms, "products_ms",
                               r->own_ms, "ratio", r->step_ms / r->own_ms, "gflop", r->flop / 1e9);
    if (r->peer_ms > 0) {
        json_object_set_new(object, "peer_products_ms", json_real(r->peer_ms));
        json_object_set_new(object, "peer_ratio", json_real(r->step_ms / r->peer_ms));
    }
    return object;
}

static at_status print_json(at_cli *cli, const at_bench_products *p, at_error *err)
{
    const char *peer = at_peer_sgemm_name();
    json_t *results = json_array();
    for (int i = 0; i < p->results; i++) json_array_append_new(results, result_json(&p->result[i]));
    return at_print_json(
        &cli->output, json_pack("{s:o, s:s?, s:o}", "results", results, "peer", peer, "products", list_json(p)), err);
}

static void print_results(at_output *output, const at_bench_products *p, const char *peer)
{
    at_print(output, "%7s %10s %12s %6s", "threads", "step, ms", "products, ms", "ratio");
    if (peer) at_print(output, " %16s %6s", peer, "ratio");
    at_print(output, "\n");
    for (int i = 0; i < p->results; i++) {
        const at_bench_products_result *r = &p->result[i];
        at_print(output, "%7d %10.1f %12.1f %6.2f", r->threads, r->step_ms, r->own_ms, r->step_ms / r->own_ms);
        if (peer) at_print(output, " %16.1f %6.2f", r->peer_ms, r->step_ms / r->peer_ms);
        at_print(output, "\n");
    }
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    products_state *s = state;
    at_bench_products *p = &s->products;
    ATT_TRY(at_bench_products_run(p, &s->work, err));
    if (s->json) return print_json(cli, p, err);
    for (int i = 0; i < p->count; i++) {
        const at_bench_product *one = &p->product[i];
        at_print(&cli->output, "%4" PRId64 " x %-8s M %-6" PRId64 " K %-6" PRId64 " N %" PRId64 "\n", one->count,
                 kinds[one->kind], one->m, one->k, one->n);
    }
    print_results(&cli->output, p, at_peer_sgemm_name());
    return ATT_OK;
}

const at_command at_cmd_bench_products = {
    .name = "bench products",
    .summary = "measure a training step against its matrix products",
    .description =
        "Times a training step on random tokens, and the matrix products of its linear layers and its loss alone, in "
        "turn, with one thread and with several; prints medians and the ratio of the two. The products are computed by "
        "attend's kernels, and in a build with ATTEND_BENCH_ONEDNN also by oneDNN's dnnl_sgemm; set "
        "OMP_WAIT_POLICY=passive "
        "there, or oneDNN's idle threads go on spinning into the next step.",
    .examples = "attend bench products --preset base\n"
                "attend bench products --width 128 --ffn 256 --heads 4 --layers 4 --threads 2 --json\n",
    .options = options,
    .state_size = sizeof(products_state),
    .bind = bind,
    .run = run,
};
