/* Where a command writes its result. See output_path.h. */
#include "cli/output_path.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

at_status at_path_make_folder(const char *path, at_error *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) return ATT_OK;
    char *folder = strdup(path);
    if (folder == NULL) return at_fail_memory(err, strlen(path) + 1);
    folder[slash - path] = '\0';
    const at_status status = at_path_make_dirs(folder, err);
    free(folder);
    return status;
}
