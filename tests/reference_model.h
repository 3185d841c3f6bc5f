/* Another implementation's model and answers, for tests: ${ATTEND_REFERENCE:-../shared/reference}/NAME. */
#ifndef ATT_TESTS_REFERENCE_MODEL_H
#define ATT_TESTS_REFERENCE_MODEL_H

#include "infer/bundle.h"

typedef struct reference_model {
    char folder[64];     /* of this test, removed at its end */
    char reference[512]; /* empty: absent */
    at_backend *be;
} reference_model;

/* For a test's set-up and tear-down; 0. */
int reference_model_open(void **state, const char *name);
int reference_model_close(void **state);
/* Skips the test, with a message, where the reference is absent. */
void reference_model_need(const reference_model *r);
/* folder/name in one of four static buffers. */
const char *path_in(const char *folder, const char *name);
at_bundle reference_model_import(const reference_model *r, const char *folder, bool training);
/* Elements of the answers. */
int64_t answer_integer(const at_safetensors *file, const char *name, int64_t i);
float answer_real(const at_safetensors *file, const char *name, int64_t i);
/* Compares weights with the reference's after training ("after.NAME", laid out by the importer from a folder of its own
 * with copies of `others`), key biases left out: their gradient is zero but for rounding, which Adam turns into steps
 * of full size. Returns the largest difference of a tensor over its largest magnitude. */
double reference_model_after(const reference_model *r, const at_safetensors *answers, const char *const *others,
                             int other_count, const at_params *params);

#endif
