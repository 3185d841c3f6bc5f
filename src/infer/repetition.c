/* Loops in outputs; see search.h.
 *
 *   x y [a b c][a b c][a b c] a      period 3, a run of 10 tokens: 3 whole periods and 8 tokens or more, so a loop
 *
 * Less is found in good text: "ha ha ha ha", "1 000 000 000", a sentence said twice. A search that can't stop fills its
 * limit; where that has no room for a loop, the output is flagged as truncated.
 *
 * An output that is written is looked at for periods of any length. A beam looks at tails alone, again and again, and so
 * for short periods; a loop that it misses can still win, but never unflagged. */
#include "infer/search.h"

enum { LONGEST_TAIL_PERIOD = 8, LOOP_PERIODS = 3, LOOP_TOKENS = 8 };
_Static_assert(ATT_LOOP_TAIL >= LONGEST_TAIL_PERIOD * LOOP_PERIODS, "at_tail_loops reads so many");

bool at_tail_loops(const int32_t *ids, int64_t count)
{
    for (int64_t period = 1; period <= LONGEST_TAIL_PERIOD; period++) {
        const int64_t wanted = period * LOOP_PERIODS > LOOP_TOKENS ? period * LOOP_PERIODS : LOOP_TOKENS;
        int64_t covered = period;
        while (covered < count && covered < wanted && ids[count - 1 - covered] == ids[count - 1 - covered + period])
            covered++;
        if (covered >= wanted) return true;
    }
    return false;
}

/* The longest run of this period, or the period itself. */
static int64_t longest_run(const int32_t *ids, int64_t count, int64_t period)
{
    int64_t covered = period, longest = period;
    for (int64_t i = period; i < count; i++) {
        covered = ids[i] == ids[i - period] ? covered + 1 : period;
        if (covered > longest) longest = covered;
    }
    return longest;
}

/* At most count^2 / 3 comparisons, which are nothing beside the attention that wrote the ids. */
int64_t at_repetitions(const int32_t *ids, int64_t count, int64_t least)
{
    int64_t most = LOOP_PERIODS - 1;
    for (int64_t period = 1; count / period > most; period++) { /* else there is no room for more */
        const int64_t run = longest_run(ids, count, period);
        if (run >= least && run / period > most) most = run / period;
    }
    return most >= LOOP_PERIODS ? most : 0;
}

bool at_loops(const int32_t *ids, int64_t count)
{
    return at_repetitions(ids, count, LOOP_TOKENS) > 0;
}
