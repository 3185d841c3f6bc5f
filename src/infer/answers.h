/* What verifications share: another program's answers, read from its file, packed and compared (verify.h). */
#ifndef ATT_INFER_ANSWERS_H
#define ATT_INFER_ANSWERS_H

#include "base/arena.h"
#include "infer/verify.h"

/* All of it lives in the arena. */
typedef struct at_answers {
    at_arena arena;
    at_safetensors *file;
    const at_bundle *bundle;
    int64_t batch, source_length, target_length; /* B, S, T */
    at_packed source, target;                    /* a language model has targets alone */
    int64_t *column;                             /* of each packed source token in the padded row */
} at_answers;

/* A copy of a float32 tensor of the given shape (dim ended by 0, -1 takes any). */
at_status at_answers_floats(at_answers *a, const char *name, const int64_t *dim, const float **data, at_error *err);
/* Ids (rows, *width), -1 takes any of both; *width receives what it is. */
at_status at_answers_ids(at_answers *a, const char *name, int64_t rows, int64_t *width, const int64_t **ids,
                         at_error *err);
/* Packs the tokens of (B, width) that the mask keeps; NULL keeps all. column (may be NULL) receives where each stood.
 */
at_status at_answers_pack(at_answers *a, at_packed *packed, const int64_t *ids, const int64_t *mask, int64_t width,
                          int64_t vocab, int64_t *column, at_error *err);
/* The values of a tensor of the device; NULL without memory. */
float *at_answers_download(at_answers *a, const at_tensor *t);

typedef struct at_difference {
    double largest, magnitude;
} at_difference;

void at_difference_add(at_difference *d, double ours, double theirs);
/* Rows of a report: a number with its limit; a largest difference over the largest magnitude, at most 1e-4. */
void at_verify_add(at_verify_report *report, const char *what, double measured, double limit);
void at_verify_add_difference(at_verify_report *report, const char *what, const at_difference *d);

at_status at_verify_translator(at_answers *a, at_verify_report *report, at_error *err);
at_status at_verify_language_model(at_answers *a, at_verify_report *report, at_error *err);

#endif
