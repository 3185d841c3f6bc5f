/* One update of the weights from options and gradient. See optimizer.h; the formulas are in simd/row_kernels.c. */
#include "train/optimizer.h"

#include <math.h>

#include "train/schedule.h"

unsigned at_optimizer_state(const at_train_options *o)
{
    const unsigned average = o->ema > 0 ? ATT_STATE_AVERAGE : 0, momentum = o->momentum > 0 ? ATT_STATE_MOMENT1 : 0;
    switch ((at_optimizer)o->optimizer) {
    case ATT_OPTIMIZER_ADAM:
    case ATT_OPTIMIZER_ADAMW:
        return ATT_STATE_MOMENT1 | ATT_STATE_MOMENT2 | average;
    case ATT_OPTIMIZER_RMSPROP:
        return ATT_STATE_MOMENT2 | momentum | average;
    case ATT_OPTIMIZER_SGD:
        break;
    }
    return momentum | average;
}

void at_optimizer_start(at_params *p)
{
    if (p->average) p->be->axpy(p->be, p->average, 0, p->data, 1, p->floats);
}

static void optimize(const at_params *p, int64_t from, int64_t floats, const at_optimize_args *args)
{
    p->be->optimize(p->be, p->data + from, p->moment1 ? p->moment1 + from : NULL, p->moment2 ? p->moment2 + from : NULL,
                    p->grad + from, floats, args);
}

/* Tensor by tensor, because only those of rank 2 decay. */
static void optimize_with_decay(const at_params *p, at_optimize_args args, float decay)
{
    for (int i = 0; i < p->count; i++) {
        args.decay = p->tensor[i]->rank == 2 ? decay : 0;
        optimize(p, p->offset[i], at_tensor_floats(p->tensor[i]), &args);
    }
}

static void follow(const at_params *p, double ema, int64_t applied)
{
    const double decay = fmin(ema, (double)(applied + 1) / (double)(applied + 10));
    p->be->axpy(p->be, p->average, (float)decay, p->data, (float)(1 - decay), p->floats);
}

void at_optimizer_apply(const at_train_options *o, at_params *p, int64_t step, int64_t applied, double norm)
{
    const at_optimize_args args = {.optimizer = (at_optimizer)o->optimizer,
                                   .rate = (float)at_schedule_rate(o, step),
                                   .beta1 = (float)o->beta1,
                                   .beta2 = (float)o->beta2,
                                   .eps = (float)o->eps,
                                   .step = applied,
                                   .gradient_scale = (float)(o->clip > 0 && norm > o->clip ? o->clip / norm : 1.0),
                                   .momentum = (float)o->momentum};
    if (o->weight_decay > 0)
        optimize_with_decay(p, args, (float)o->weight_decay);
    else
        optimize(p, 0, p->floats, &args);
    at_params_changed(p);
    if (p->average) follow(p, o->ema, applied);
}
