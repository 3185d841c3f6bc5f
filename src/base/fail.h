/* How internal code reports failures: at_fail() fills the error and returns
 * the status, ATT_TRY() passes a failure on. See attend/status.h. */
#ifndef ATT_BASE_FAIL_H
#define ATT_BASE_FAIL_H

#include <attend/status.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define ATT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define ATT_PRINTF(text, first)
#endif

/* Fills err (may be NULL) with the formatted line and returns status. */
at_status at_fail(at_error *err, at_status status, const char *format, ...) ATT_PRINTF(3, 4);

/* at_fail(err, ATT_MEMORY, ...) with the number of bytes that were wanted. */
at_status at_fail_memory(at_error *err, size_t bytes);

/* Whether a flag of the caller's, which may be NULL, was raised. A signal handler or another thread may raise it. */
static inline bool at_cancelled(const volatile int *cancel)
{
#if defined(__GNUC__)
    return cancel != NULL && __atomic_load_n(cancel, __ATOMIC_RELAXED) != 0;
#else
    return cancel != NULL && *cancel != 0;
#endif
}

/* Returns from the calling function when expr is not ATT_OK. */
#define ATT_TRY(expr)                                        \
    do {                                                     \
        const at_status att_try_status = (expr);             \
        if (att_try_status != ATT_OK) return att_try_status; \
    } while (0)

#endif
