/* Learning rates at chosen steps, computed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "train/schedule.h"

static at_train_options options_of(int kind)
{
    at_train_options o;
    assert_int_equal(at_options_defaults(at_train_option_table, &o, NULL), ATT_OK);
    o.schedule = kind;
    o.learning_rate = 0.8;
    o.warmup = 100;
    o.steps = 500;
    o.final_rate = 0.25;
    o.gamma = 0.99;
    return o;
}

static void values_are_as_defined(void **state)
{
    (void)state;
    static const struct row {
        at_schedule_kind kind;
        int64_t step;
        double rate;
    } rows[] = {
        {ATT_SCHEDULE_INVERSE_SQRT, 1, 0.008},    {ATT_SCHEDULE_INVERSE_SQRT, 50, 0.4},
        {ATT_SCHEDULE_INVERSE_SQRT, 100, 0.8},    {ATT_SCHEDULE_INVERSE_SQRT, 400, 0.4},
        {ATT_SCHEDULE_CONSTANT, 25, 0.2},         {ATT_SCHEDULE_CONSTANT, 450, 0.8},
        {ATT_SCHEDULE_LINEAR, 300, 0.5},          {ATT_SCHEDULE_LINEAR, 500, 0.2},
        {ATT_SCHEDULE_COSINE, 100, 0.8},          {ATT_SCHEDULE_COSINE, 300, 0.5},
        {ATT_SCHEDULE_COSINE, 500, 0.2},          {ATT_SCHEDULE_EXPONENTIAL, 50, 0.4},
        {ATT_SCHEDULE_EXPONENTIAL, 100, 0.8},     {ATT_SCHEDULE_EXPONENTIAL, 101, 0.792},
        {ATT_SCHEDULE_EXPONENTIAL, 102, 0.78408}, {ATT_SCHEDULE_EXPONENTIAL, 500, 0.014360442}, /* 0.8 * 0.99^400 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        at_train_options o = options_of((int)rows[i].kind);
        const double rate = at_schedule_rate(&o, rows[i].step);
        if (fabs(rate / rows[i].rate - 1) > 1e-7) fail_msg("row %zu: rate %.9g, not %.9g", i, rate, rows[i].rate);
        at_options_free(at_train_option_table, &o);
    }
}

static void no_warmup_starts_at_the_peak(void **state)
{
    (void)state;
    for (int kind = ATT_SCHEDULE_INVERSE_SQRT; kind <= ATT_SCHEDULE_EXPONENTIAL; kind++) {
        at_train_options o = options_of(kind);
        o.warmup = 0;
        const double rate = at_schedule_rate(&o, 1);
        assert_true(rate > 0.79 && rate <= 0.8);
        at_options_free(at_train_option_table, &o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_as_defined),
                                       cmocka_unit_test(no_warmup_starts_at_the_peak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
