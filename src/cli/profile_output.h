/* Profiles and peaks as a table and as JSON. */
#ifndef ATT_CLI_PROFILE_OUTPUT_H
#define ATT_CLI_PROFILE_OUTPUT_H

#include <attend/profile.h>

#include "cli/output.h"

/* What a row comes to. of_peak: see at_print_profile. */
typedef struct at_profile_rates {
    double gflop_s, gb_s, of_peak;
} at_profile_rates;
at_profile_rates at_profile_rates_of(const at_profile_row *row, const at_peak *peak);

/* A table, a line a row, longest first:
 *
 *   op        direction  shape     calls     ms  share  GFLOP/s  GB/s  of peak
 *   linear    backward   512x2048     12  101.2  20.1%    151.0  12.0      81%
 *
 * "of peak" is the larger of the shares of the machine's FLOP and of its memory's rate: the nearer of the two limits
 * (Williams et al. 2009, "Roofline"). It passes 100% where data stays in the cache,
 * and where products are made in bfloat16: the peak is float32's, and packed weights count as float32. */
void at_print_profile(at_output *output, const at_profile *profile);
/* {"op", "direction", "m", "k", "n", "calls", "seconds", "flop", "bytes", "gflop_s", "gb_s", "of_peak"} */
json_t *at_profile_row_json(const at_profile_row *row, const at_peak *peak);
/* {"seconds", "peak": {..}, "rows": [a row with its "share" of the seconds ..]}; NULL without memory. */
json_t *at_profile_json(const at_profile *profile);
/* {"isa", "threads", "gflop_s", "gb_s", "gflop_s_median", "gb_s_median"} */
json_t *at_peak_json(const at_peak *peak);

#endif
