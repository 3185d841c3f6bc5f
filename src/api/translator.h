/* What at_translator of attend/attend.h is: a backend of its own, and views of models that several translators share.
 */
#ifndef ATT_API_TRANSLATOR_H
#define ATT_API_TRANSLATOR_H

#include <attend/attend.h>

#include "infer/bundle.h"

typedef struct at_models at_models;

struct at_translator {
    at_backend *be;
    at_bundle bundle; /* of the first model; what a picture shows */
    at_models *models;
    at_bundle *ensemble; /* of all models, the first too */
    int64_t count;
};

#endif
