/* For what a test needs and doesn't examine. Includes CMocka with what it asks for. */
#ifndef ATT_TESTS_MUST_H
#define ATT_TESTS_MUST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <attend/status.h>
#include <cmocka.h>

/* Fails the test with the error's line. */
static inline void must(at_status status, const at_error *err)
{
    if (status != ATT_OK) fail_msg("%s", err->text);
}

#endif
