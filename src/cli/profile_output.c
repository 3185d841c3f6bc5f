/* See profile_output.h. */
#include "cli/profile_output.h"

#include <inttypes.h>
#include <math.h>

static double ratio(double above, double below)
{
    return below > 0 ? above / below : 0;
}

at_profile_rates at_profile_rates_of(const at_profile_row *row, const at_peak *peak)
{
    const double flop_s = ratio(row->flop, row->seconds), bytes_s = ratio(row->bytes, row->seconds);
    return (at_profile_rates){.gflop_s = flop_s / 1e9,
                              .gb_s = bytes_s / 1e9,
                              .of_peak = fmax(ratio(flop_s, peak->flop_s), ratio(bytes_s, peak->bytes_s))};
}

static void print_row(at_output *output, const at_profile_row *row, const at_profile *p)
{
    const at_profile_rates r = at_profile_rates_of(row, &p->peak);
    char shape[64] = "", gflop[32] = "", memory[48] = "";
    if (row->m > 0)
        snprintf(shape, sizeof shape, "%" PRId64 "x%" PRId64 "x%" PRId64, row->m, row->k, row->n);
    else if (row->k > 0)
        snprintf(shape, sizeof shape, "%" PRId64 "x%" PRId64, row->k, row->n);
    if (row->flop > 0) snprintf(gflop, sizeof gflop, "%10.2f %8.1f", row->flop / 1e9, r.gflop_s);
    if (row->bytes > 0) snprintf(memory, sizeof memory, "%10.1f %7.1f  %6.0f%%", row->bytes / 1e6, r.gb_s, 100 * r.of_peak);
    at_print(output, "%-20s  %-9s %-16s %8" PRId64 " %10.1f %6.1f%%  %19s %s\n", row->op, row->direction, shape,
             row->calls, 1e3 * row->seconds, 100 * ratio(row->seconds, p->seconds), gflop, memory);
}

void at_print_profile(at_output *output, const at_profile *p)
{
    at_print(output, "%-20s  %-9s %-16s %8s %10s %7s  %10s %8s %10s %7s  %7s\n", "op", "direction", "shape", "calls",
             "ms", "share", "GFLOP", "GFLOP/s", "MB", "GB/s", "of peak");
    for (int64_t i = 0; i < p->count; i++) print_row(output, &p->rows[i], p);
    at_print(output, "all: %.1f ms; the peak of %d thread%s (%s): %.1f GFLOP/s in float32, %.1f GB/s\n",
             1e3 * p->seconds, p->peak.threads, p->peak.threads == 1 ? "" : "s", p->peak.isa, p->peak.flop_s / 1e9,
             p->peak.bytes_s / 1e9);
}

json_t *at_peak_json(const at_peak *peak)
{
    return json_pack("{s:s, s:i, s:f, s:f, s:f, s:f}", "isa", peak->isa, "threads", peak->threads, "gflop_s",
                     peak->flop_s / 1e9, "gb_s", peak->bytes_s / 1e9, "gflop_s_median", peak->flop_s_median / 1e9,
                     "gb_s_median", peak->bytes_s_median / 1e9);
}

json_t *at_profile_row_json(const at_profile_row *row, const at_peak *peak)
{
    const at_profile_rates r = at_profile_rates_of(row, peak);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "op", row->op, "direction",
                     row->direction, "m", (json_int_t)row->m, "k", (json_int_t)row->k, "n", (json_int_t)row->n, "calls",
                     (json_int_t)row->calls, "seconds", row->seconds, "flop", row->flop, "bytes", row->bytes, "gflop_s",
                     r.gflop_s, "gb_s", r.gb_s, "of_peak", r.of_peak);
}

json_t *at_profile_json(const at_profile *p)
{
    json_t *rows = json_array();
    for (int64_t i = 0; i < p->count; i++) {
        json_t *row = at_profile_row_json(&p->rows[i], &p->peak);
        json_object_set_new(row, "share", json_real(ratio(p->rows[i].seconds, p->seconds)));
        json_array_append_new(rows, row);
    }
    return json_pack("{s:f, s:o, s:o}", "seconds", p->seconds, "peak", at_peak_json(&p->peak), "rows", rows);
}
