/* Opening what --model names: one model file, or several that work together. */
#ifndef ATT_CLI_MODELS_H
#define ATT_CLI_MODELS_H

#include <attend/attend.h>

/* paths: as ATT_OPT_PATHS joins them, with '\n' between. */
at_status at_models_open(at_translator **translator, const char *paths, int threads, at_error *err);

#endif
