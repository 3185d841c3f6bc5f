/* attend bench op: speed of single ops. */
#include <inttypes.h>

#include "bench/bench_op.h"
#include "cli/command.h"
#include "cli/profile_output.h"

typedef struct op_state {
    bool json;
    at_bench_op_options op;
    at_bench_ops ops;
} op_state;

static const at_option options[] = {
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(op_state, json),
     .def = "false",
     .help = "print one JSON object"},
    {0},
};

static at_status bind(at_cli *cli, void *state, at_error *err)
{
    op_state *s = state;
    ATT_TRY(at_options_defaults(at_bench_op_table, &s->op, err));
    at_arguments_group(&cli->arguments, "Work", at_bench_op_table, &s->op, false);
    return ATT_OK;
}

static at_status print_json(at_cli *cli, const at_bench_ops *ops, at_error *err)
{
    json_t *cases = json_array();
    for (int i = 0; i < ops->count; i++) {
        json_t *row = at_profile_row_json(&ops->row[i].cost, &ops->peak);
        json_object_set_new(row, "case", json_string(ops->row[i].name));
        json_array_append_new(cases, row);
    }
    return at_print_json(&cli->output, json_pack("{s:o, s:o}", "peak", at_peak_json(&ops->peak), "cases", cases), err);
}

static at_status run(at_cli *cli, void *state, at_error *err)
{
    op_state *s = state;
    ATT_TRY(at_bench_op_run(&s->ops, &s->op, err));
    if (s->json) return print_json(cli, &s->ops, err);
    at_print(&cli->output, "%-62s %-9s %9s %9s %7s %8s\n", "case", "direction", "us", "GFLOP/s", "GB/s", "of peak");
    for (int i = 0; i < s->ops.count; i++) {
        const at_bench_op_row *row = &s->ops.row[i];
        const at_profile_rates r = at_profile_rates_of(&row->cost, &s->ops.peak);
        at_print(&cli->output, "%-62s %-9s %9.1f %9.1f %7.1f %7.0f%%\n", row->name, row->cost.direction,
                 1e6 * row->cost.seconds / (double)row->cost.calls, r.gflop_s, r.gb_s, 100 * r.of_peak);
    }
    return ATT_OK;
}

static void close_state(void *state)
{
    op_state *s = state;
    at_options_free(at_bench_op_table, &s->op);
}

const at_command at_cmd_bench_op = {
    .name = "bench op",
    .summary = "measure the speed of single operations",
    .description = "Times the operations of which models consist, forward and backward, in the shapes of common "
                   "models. The cases are those that the tests check, with more rows.",
    .examples = "attend bench op\n"
                "attend bench op --op attention --threads 1 --json\n",
    .options = options,
    .state_size = sizeof(op_state),
    .bind = bind,
    .run = run,
    .close = close_state,
};
