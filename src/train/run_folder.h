/* The run folder while a run works in it: made, held against a second run, tidied. */
#ifndef ATT_TRAIN_RUN_FOLDER_H
#define ATT_TRAIN_RUN_FOLDER_H

#include "base/fail.h"

/* Makes the folder and holds it until at_run_folder_release(*lock) or the end of the process, however that comes;
 * removes what a killed run left half written. ATT_IO: another run holds it. */
at_status at_run_folder_hold(const char *folder, int *lock, at_error *err);
void at_run_folder_release(int lock); /* -1 is fine */

#endif
