/* Loops in outputs; see search.h. */
#include "infer/search.h"

enum { LONGEST_PERIOD = 8, LOOP_PERIODS = 3, LOOP_TOKENS = 8 };
_Static_assert(ATT_LOOP_TAIL >= LONGEST_PERIOD * LOOP_PERIODS, "at_tail_loops reads so many");

bool at_tail_loops(const int32_t *ids, int64_t count)
{
    for (int64_t period = 1; period <= LONGEST_PERIOD; period++) {
        const int64_t wanted = period * LOOP_PERIODS > LOOP_TOKENS ? period * LOOP_PERIODS : LOOP_TOKENS;
        int64_t covered = period;
        while (covered < count && covered < wanted && ids[count - 1 - covered] == ids[count - 1 - covered + period])
            covered++;
        if (covered >= wanted) return true;
    }
    return false;
}

int64_t at_repetitions(const int32_t *ids, int64_t count, int64_t least)
{
    int64_t most = 0;
    for (int64_t period = 1; period <= LONGEST_PERIOD; period++) {
        int64_t covered = period;
        for (int64_t i = period; i < count; i++) {
            covered = ids[i] == ids[i - period] ? covered + 1 : period;
            if (covered >= least && covered / period > most) most = covered / period;
        }
    }
    return most >= LOOP_PERIODS ? most : 0;
}

bool at_loops(const int32_t *ids, int64_t count)
{
    return at_repetitions(ids, count, LOOP_TOKENS) > 0;
}
