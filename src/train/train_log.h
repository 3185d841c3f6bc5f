/* train.jsonl: one JSON object a line, appended and flushed as things happen. When a run is continued, lines of steps
 * after the checkpoint are dropped, so a curve has each step once.
 *
 *   {"event": "data", "step": 0, "pairs", "skipped": {"empty", "invalid-utf8", ..}}                   at the start; of a
 * language model "tokens" in place of "pairs"
 *   {"event": "step", "step", "epoch", "loss", "nll", "rate", "norm", "tokens_per_s", "seconds"}     means since the
 * last line
 *   {"event": "validation", "step", "epoch", "loss", "nll", "perplexity", "improved", "seconds", "bleu", "chrf"}
 *   {"event": "skipped", "step", "lines": [..]}                                                      non-finite loss or
 * gradient
 *   {"event": "average", "step", "models", "epoch", "loss", "nll", "perplexity", "improved", "seconds", "bleu", "chrf"}
 *   {"event": "end", "step", "why", "seconds", "skipped"}
 * loss and nll are nats a target token; loss is label-smoothed; seconds are of training, over continuations. bleu and
 * chrf (percent) are there when validation sentences are translated (options best-metric, valid-sentences); improved is
 * by best-metric. With an average of the weights (ema) validation is of the average. */
#ifndef ATT_TRAIN_TRAIN_LOG_H
#define ATT_TRAIN_TRAIN_LOG_H

#include <jansson.h>
#include <stdint.h>

#include "base/fail.h"

typedef struct at_train_log at_train_log;

/* Opens run/train.jsonl for appending after dropping lines with a step above last_step. *seconds receives the training time that the kept
 * lines tell of. */
at_status at_train_log_open(at_train_log **log, const char *path, int64_t last_step, double *seconds, at_error *err);
/* Takes over `object`. */
at_status at_train_log_add(at_train_log *log, json_t *object, at_error *err);
void at_train_log_close(at_train_log *log); /* NULL is fine */

#endif
