/* See sample.h. A row is cut before it is sorted: ids whose weight is below (1 - p) / V of the whole can't be in the
 * nucleus, since all of them together weigh less than 1 - p. */
#include "infer/sample.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

typedef struct choice {
    int32_t id;
    double weight; /* not normalised; the largest is 1 */
} choice;

struct at_sampler {
    at_sampling sampling;
    int64_t vocab, count;
    choice *choices; /* V */
};

at_status at_sampler_new(at_sampler **out, const at_sampling *sampling, int64_t vocab, at_error *err)
{
    at_sampler *s = calloc(1, sizeof *s);
    choice *choices = malloc((size_t)vocab * sizeof *choices);
    if (s == NULL || choices == NULL) {
        free(s);
        free(choices);
        return at_fail_memory(err, (size_t)vocab * sizeof *choices);
    }
    *s = (at_sampler){*sampling, vocab, 0, choices};
    *out = s;
    return ATT_OK;
}

void at_sampler_free(at_sampler *sampler)
{
    if (sampler == NULL) return;
    free(sampler->choices);
    free(sampler);
}

static double total(const at_sampler *s)
{
    double sum = 0;
    for (int64_t i = 0; i < s->count; i++) sum += s->choices[i].weight;
    return sum;
}

/* All ids above -inf with their weights; none where one is NaN. */
static void weigh(at_sampler *s, const float *log_probs)
{
    float highest = -INFINITY;
    s->count = 0;
    for (int64_t i = 0; i < s->vocab; i++) {
        if (isnan(log_probs[i])) return;
        if (log_probs[i] > highest) highest = log_probs[i];
    }
    for (int64_t i = 0; i < s->vocab; i++) {
        if (log_probs[i] == -INFINITY) continue;
        const double weight = exp(((double)log_probs[i] - (double)highest) / s->sampling.temperature);
        s->choices[s->count++] = (choice){(int32_t)i, weight};
    }
}

static int heavier_first(const void *a, const void *b)
{
    const choice *x = a, *y = b;
    if (x->weight != y->weight) return x->weight > y->weight ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static void sort_choices(at_sampler *s)
{
    qsort(s->choices, (size_t)s->count, sizeof *s->choices, heavier_first);
}

static void drop_below(at_sampler *s, double least)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < s->count; i++)
        if (s->choices[i].weight >= least) s->choices[kept++] = s->choices[i];
    s->count = kept;
}

static void keep_top_k(at_sampler *s)
{
    if (s->sampling.top_k <= 0 || s->sampling.top_k >= s->count) return;
    sort_choices(s);
    s->count = s->sampling.top_k;
}

static void keep_top_p(at_sampler *s)
{
    const double share = s->sampling.top_p;
    if (share <= 0 || share >= 1 || s->count == 0) return;
    const double all = total(s);
    drop_below(s, fmin(1, (1 - share) / (double)s->vocab * all));
    sort_choices(s);
    double sum = 0;
    int64_t kept = 0;
    while (kept < s->count && sum < share * all) sum += s->choices[kept++].weight;
    s->count = kept;
}

int32_t at_sample(at_sampler *s, const float *log_probs, uint64_t key, int64_t step)
{
    weigh(s, log_probs);
    keep_top_k(s);
    keep_top_p(s);
    if (s->count == 0) return -1;
    double left = at_rng_uniform(key, (uint64_t)step) * total(s);
    int64_t at = 0;
    while (at + 1 < s->count && left >= s->choices[at].weight) left -= s->choices[at++].weight;
    return s->choices[at].id;
}
