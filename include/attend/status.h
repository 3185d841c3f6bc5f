/* Status codes and error text, shared by every public header.
 *
 * Every function that can fail returns at_status and takes an at_error as its
 * last argument, which may be NULL. On failure the error holds one line that
 * names what was wrong (file, line, option) and what mends it. Nothing in the
 * library prints or exits. Read next: attend.h. */
#ifndef ATTEND_STATUS_H
#define ATTEND_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* A cancel flag, wherever one is taken, is an int of the caller's: a signal handler may raise it, or another thread with an atomic
 * store. */
typedef enum at_status {
    ATT_OK = 0,
    ATT_INPUT,       /* the content of a file or a text is wrong */
    ATT_OPTION,      /* an option or argument is wrong */
    ATT_IO,          /* a file can't be read or written */
    ATT_MEMORY,      /* an allocation failed */
    ATT_CANCELLED,   /* the caller's cancel flag was raised */
    ATT_UNSUPPORTED, /* valid, but this build or processor lacks it */
    ATT_DIVERGED     /* training stopped: the loss is no longer finite */
} at_status;

typedef struct at_error {
    at_status status;
    char text[600]; /* one line, no trailing newline; cut, never overrun */
} at_error;

/* Short English name of a status, such as "input" or "option"; never NULL. */
const char *at_status_name(at_status status);

#ifdef __cplusplus
}
#endif
#endif
