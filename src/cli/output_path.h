/* Paths that a command writes to. */
#ifndef ATT_CLI_OUTPUT_PATH_H
#define ATT_CLI_OUTPUT_PATH_H

#include "base/fail.h"

/* Makes the folder that the file of this path lies in. */
at_status at_path_make_folder(const char *path, at_error *err);

#endif
