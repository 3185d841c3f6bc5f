/* Learning rates. The formulas are in schedule.h. */
#include "train/schedule.h"

#include <math.h>

double at_schedule_rate(const at_train_options *o, int64_t step)
{
    const double s = (double)step, warmup = (double)o->warmup, peak = o->learning_rate;
    if (step < o->warmup) return peak * s / warmup;
    const double span = (double)o->steps - warmup;
    const double done = span > 0 ? fmin(1.0, (s - warmup) / span) : 1.0; /* share of the way to the last step */
    switch ((at_schedule_kind)o->schedule) {
    case ATT_SCHEDULE_INVERSE_SQRT:
        return peak * sqrt(fmax(1.0, warmup) / s);
    case ATT_SCHEDULE_COSINE:
        return peak * (o->final_rate + (1 - o->final_rate) * 0.5 * (1 + cos(3.14159265358979323846 * done)));
    case ATT_SCHEDULE_LINEAR:
        return peak * (1 - (1 - o->final_rate) * done);
    case ATT_SCHEDULE_CONSTANT:
        return peak;
    case ATT_SCHEDULE_EXPONENTIAL:
        return peak * pow(o->gamma, s - warmup);
    }
    return peak;
}
