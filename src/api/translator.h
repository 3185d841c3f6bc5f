/* What at_translator of attend/attend.h is. */
#ifndef ATT_API_TRANSLATOR_H
#define ATT_API_TRANSLATOR_H

#include <attend/attend.h>

#include "infer/bundle.h"

struct at_translator {
    at_backend *be;
    at_bundle bundle;
};

#endif
