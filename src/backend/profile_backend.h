/* A backend that hands every call on to another one, and keeps account of it: calls, time, FLOP, bytes. Results are the
 * other's to the bit; what isn't wrapped pays nothing. */
#ifndef ATT_BACKEND_PROFILE_BACKEND_H
#define ATT_BACKEND_PROFILE_BACKEND_H

#include <attend/profile.h>

#include "backend/backend.h"

/* What makes a row of its own among products: their weight's shape, or the number of rows too. */
typedef enum at_profile_split { ATT_PROFILE_WEIGHTS, ATT_PROFILE_SHAPES } at_profile_split;

/* Wraps `inner`, which then belongs to the new backend and is freed with it; on failure it is freed too. */
at_status at_profile_backend_new(at_backend **be, at_backend *inner, at_profile_split split, at_error *err);
/* Forgets what was counted; the clock starts anew. Until the first call of it the clock starts at the backend's making. */
void at_profile_backend_restart(at_backend *be);
/* The account so far, without the peak. Its rows are valid until the next call of this, or until be is freed. */
at_profile at_profile_backend_read(at_backend *be);

#endif
