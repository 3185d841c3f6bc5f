/* See bench_op.h. Time and cost come from the profile backend around the CPU's. */
#include "bench/bench_op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/profile_backend.h"
#include "base/clock.h"
#include "bench/op_run.h"

#define FIELD(name) offsetof(at_bench_op_options, name)

const at_option at_bench_op_table[] = {
    {"op", ATT_OPT_TEXT, FIELD(op), NULL, 0, 0, NULL, "only this op, such as linear or attention", 0},
    {"seconds", ATT_OPT_REAL, FIELD(seconds), "0.2", 0.001, 3600, NULL, "time of each case, at least", 0},
    {"threads", ATT_OPT_INT, FIELD(threads), "0", 0, 1024, NULL, "threads; 0: one a core", 0},
    {0},
};

/* A case as it is timed. lengths: malloc'ed, the sequences of an attention so many times; NULL for other ops. */
static at_status enlarge(const op_case *c, op_case *large, char **lengths, at_error *err)
{
    *large = *c;
    *lengths = NULL;
    large->n = c->n * c->repeat;
    if (c->queries == NULL) return ATT_OK;
    const size_t len = strlen(c->queries) + 1, bytes = (size_t)c->repeat * len;
    *lengths = malloc(bytes);
    if (*lengths == NULL) return at_fail_memory(err, bytes);
    for (int64_t i = 0; i < c->repeat; i++) {
        memcpy(*lengths + (size_t)i * len, c->queries, len - 1);
        (*lengths)[(size_t)(i + 1) * len - 1] = ' ';
    }
    (*lengths)[bytes - 1] = '\0';
    large->queries = *lengths;
    return ATT_OK;
}

static void run_once(op_session *s)
{
    op_session_forward(s);
    op_session_backward(s);
    at_params_clear_grad(&s->params);
}

static void time_session(op_session *s, at_backend *be, double seconds)
{
    run_once(s);
    run_once(s); /* the step's memory has grown */
    at_profile_backend_restart(be);
    const double start = at_clock();
    do run_once(s);
    while (at_clock() - start < seconds);
}

static void keep_row(at_bench_ops *ops, const op_case *c, const at_profile_row *cost)
{
    if (ops->count == ATT_BENCH_OP_ROWS) return;
    at_bench_op_row *row = &ops->row[ops->count++];
    op_case_print(c, row->name, sizeof row->name);
    const size_t used = strlen(row->name);
    snprintf(row->name + used, sizeof row->name - used, ", x %lld", (long long)c->repeat);
    row->cost = *cost;
}

/* Of the account, what the op itself did. */
static void keep_rows(at_bench_ops *ops, const op_case *c, at_backend *be)
{
    static const char *const directions[] = {"forward", "both", "backward"};
    const at_profile profile = at_profile_backend_read(be);
    for (int d = 0; d < 3; d++)
        for (int64_t i = 0; i < profile.count; i++)
            if (strcmp(profile.rows[i].op, op_name(c->op)) == 0 &&
                strcmp(profile.rows[i].direction, directions[d]) == 0)
                keep_row(ops, c, &profile.rows[i]);
}

static at_status run_problem(const op_problem *problem, double seconds, at_backend *be, at_error *err)
{
    op_session session;
    at_status status = op_session_init(&session, be, problem, err);
    if (status == ATT_OK) {
        time_session(&session, be, seconds);
        status = at_ctx_check(&session.ctx, err);
    }
    op_session_free(&session);
    return status;
}

static at_status run_case(at_bench_ops *ops, const op_case *c, double seconds, at_backend *be, at_error *err)
{
    op_case large;
    op_problem *problem = NULL;
    char *lengths;
    ATT_TRY(enlarge(c, &large, &lengths, err));
    at_status status = op_problem_new(&problem, &large, 1, err);
    if (status == ATT_OK) status = run_problem(problem, seconds, be, err);
    if (status == ATT_OK) keep_rows(ops, c, be);
    if (problem) op_problem_free(problem);
    free(lengths);
    return status;
}

at_status at_bench_op_run(at_bench_ops *ops, const at_bench_op_options *o, at_error *err)
{
    at_backend *be;
    const int threads = (int)o->threads;
    at_status status = ATT_OK;
    ops->count = 0;
    ATT_TRY(at_cpu_backend_new(&be, threads, NULL, err));
    ATT_TRY(at_profile_backend_new(&be, be, ATT_PROFILE_SHAPES, err));
    for (int i = 0; i < OP_CASES && status == ATT_OK; i++) {
        const op_case *c = &op_cases[i];
        if (c->repeat == 0 || (o->op && strcmp(o->op, op_name(c->op)) != 0)) continue;
        status = run_case(ops, c, o->seconds, be, err);
    }
    be->free(be);
    if (status == ATT_OK && ops->count == 0)
        return at_fail(err, ATT_OPTION, "there is no op \"%.60s\" to time; run without --op to see them", o->op);
    return status == ATT_OK ? at_cpu_peak(&ops->peak, &threads, 1, NULL, err) : status;
}
