/* The meaning of a sentence, and its rendering in a language. phrases.c draws meanings; phrase_render.c has the grammar
 * of the three languages. */
#ifndef ATT_DATA_PHRASE_RENDER_H
#define ATT_DATA_PHRASE_RENDER_H

#include "data/phrase_words.h"

typedef struct at_phrase_np {
    const at_phrase_pronoun *pronoun; /* or else the rest; neither: there is no such phrase */
    const at_phrase_noun *noun;
    const at_phrase_determiner *determiner;
    const at_phrase_adjective *adjective; /* or NULL */
    unsigned count;                       /* "ten books", where the determiner is counted */
} at_phrase_np;

/* Who (subject) did (verb, tense, negated) what (object) to whom (recipient), where (place) and when (time, day). What
 * a sentence has no use for is zero. */
typedef struct at_phrase_clause {
    const at_phrase_tense *tense;
    const at_phrase_verb *verb;
    at_phrase_np subject, recipient, object, place;
    const at_phrase_adjective *quality; /* the subject "is" this */
    const at_phrase_word *saying;
    const at_phrase_time *time;
    at_phrase_day day;
    unsigned weekday, month; /* from 0 */
    unsigned day_of_month, year;
    unsigned number;
    int very, negated;
} at_phrase_clause;

typedef struct at_phrase_sentence {
    const at_phrase_template *form;
    at_phrase_clause clauses[2];
} at_phrase_sentence;

/* Replaces the content of out. */
at_status at_phrase_render(const at_phrase_sentence *s, at_phrase_language language, at_buf *out, at_error *err);

#endif
