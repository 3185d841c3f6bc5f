/* How much memory this process has. */
#ifndef ATT_BASE_RESIDENT_H
#define ATT_BASE_RESIDENT_H

#include <stdint.h>

int64_t at_resident_peak(void); /* the most bytes that were resident so far */
int64_t at_resident_now(void);  /* resident bytes; where the system doesn't tell them, the peak */

#endif
