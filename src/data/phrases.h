/* A small grammar of Chinese, German and English: who did what to whom, verb-final German clauses, numbers, dates,
 * greetings. Endless and seeded: sentence i is a pure function of (seed, i). For first steps, tests and the quickstart.
 */
#ifndef ATT_DATA_PHRASES_H
#define ATT_DATA_PHRASES_H

#include <stdint.h>

#include "base/buf.h"
#include "base/fail.h"

typedef enum at_phrase_language { ATT_CHINESE, ATT_GERMAN, ATT_ENGLISH, ATT_PHRASE_LANGUAGES } at_phrase_language;

/* Replaces the content of each buffer by sentence `index` in its language (no line end). A sentence belongs to the
 * held-out part when at_phrase_held_out() says so: unseen combinations of words that are each seen in training. */
at_status at_phrase_make(uint64_t seed, uint64_t index, at_buf sentence[ATT_PHRASE_LANGUAGES], at_error *err);
/* Decided by a hash of the English sentence, so the same sentence is always on one side; about one in ten. */
int at_phrase_held_out(const char *english);

#endif
