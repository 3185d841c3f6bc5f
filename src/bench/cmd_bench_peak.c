/* attend bench peak: what the processor can do at most. */
#include "backend/backend.h"
#include "base/pool.h"
#include "cli/command.h"
#include "cli/profile_output.h"

typedef struct peak_state {
    bool json;
    int64_t threads;
    char *isa;
} peak_state;

static const at_option options[] = {
    {.name = "threads",
     .type = ATT_OPT_INT,
     .offset = offsetof(peak_state, threads),
     .def = "0",
     .max = 1024,
     .help = "threads to measure beside one; 0: one a core"},
    {.name = "isa",
     .type = ATT_OPT_TEXT,
     .offset = offsetof(peak_state, isa),
     .help = "instruction set, as attend version --verbose lists them; the best one where none is given"},
    {.name = "json",
     .type = ATT_OPT_BOOL,
     .offset = offsetof(peak_state, json),
     .def = "false",
     .help = "print one JSON object"},
    {0},
};

static at_status run(at_cli *cli, void *state, at_error *err)
{
    const peak_state *s = state;
    const int threads[] = {1, s->threads > 0 ? (int)s->threads : at_cpu_count()};
    at_peak peak[2];
    ATT_TRY(at_cpu_peak(peak, threads, 2, s->isa, err));
    const double fma = peak[1].flop_s_median / peak[0].flop_s_median,
                 memory = peak[1].bytes_s_median / peak[0].bytes_s_median;
    if (s->json)
        return at_print_json(&cli->output,
                             json_pack("{s:[o, o], s:f, s:f}", "peak", at_peak_json(&peak[0]), at_peak_json(&peak[1]),
                                       "fma_gain", fma, "memory_gain", memory),
                             err);
    at_print(&cli->output, "%-10s %7s %10s %10s %8s %8s\n", "set", "threads", "GFLOP/s", "(median)", "GB/s",
             "(median)");
    for (int i = 0; i < 2; i++)
        at_print(&cli->output, "%-10s %7d %10.1f %10.1f %8.1f %8.1f\n", peak[i].isa, peak[i].threads,
                 peak[i].flop_s / 1e9, peak[i].flop_s_median / 1e9, peak[i].bytes_s / 1e9,
                 peak[i].bytes_s_median / 1e9);
    at_print(&cli->output, "gain of %d threads over one: %.2f in multiply-adds, %.2f in memory\n", threads[1], fma,
             memory);
    return ATT_OK;
}

const at_command at_cmd_bench_peak = {
    .name = "bench peak",
    .summary = "measure what the processor can do at most",
    .description =
        "Measures multiply-adds in registers and the rate of memory (one array is added to another in "
        "place, 75 MB together), with one thread and with several, in turn and in under half a second. Best and "
        "median of seven time slices: the best one is the peak that profiles compare with.",
    .examples = "attend bench peak\n"
                "attend bench peak --isa avx2 --threads 2 --json\n",
    .options = options,
    .state_size = sizeof(peak_state),
    .run = run,
};
