/* Draws the meaning of a sentence from the tables of phrase_words.c.
 *
 *   seed, index --dice--> template, one or two clauses --phrase_render.c--> Chinese, German, English
 *
 * All dice are thrown before anything is rendered, so the three languages tell the same. Sentence i depends on
 * (seed, i) and the tables alone: a new row changes the corpus. To add words or templates read phrase_words.h. */
#include "data/phrases.h"

#include <string.h>

#include "base/rng.h"
#include "data/phrase_render.h"

enum {
    MAX_WORDS = 14, /* of the English sentence; a longer one is drawn anew */
    PRONOUN_PERCENT = 25,
    ADJECTIVE_PERCENT = 25,
    NEGATION_PERCENT = 15,
    VERY_PERCENT = 30,
    LARGEST_COUNT = 10, /* "ten books" */
    FIRST_YEAR = 2000,
    YEARS = 25,
    DAYS = 28, /* which every month has */
    HELD_OUT_ONE_IN = 10
};

typedef struct dice {
    uint64_t key, thrown;
} dice;

static unsigned below(dice *d, unsigned n)
{
    return at_rng_below(d->key, d->thrown++, n);
}

static int chance(dice *d, unsigned percent)
{
    return below(d, 100) < percent;
}

/* Every row begins with its kinds. any 0: no condition. */
static int fits(const void *row, uint32_t any, uint32_t all)
{
    const uint32_t kinds = *(const uint32_t *)row;
    return (any == 0 || kinds & any) && (kinds & all) == all;
}

static unsigned weight_of(const at_phrase_table *table, const void *row)
{
    return table->weight ? *(const unsigned *)(const void *)((const char *)row + table->weight) : 1;
}

/* A row, by weight, among those with one of the kinds `any` and with all kinds `all`; NULL where there is none. */
static const void *pick(dice *d, const at_phrase_table *table, uint32_t any, uint32_t all)
{
    const char *const end = (const char *)table->rows + table->count * table->stride;
    unsigned total = 0;
    for (const char *row = table->rows; row < end; row += table->stride)
        if (fits(row, any, all)) total += weight_of(table, row);
    unsigned left = total ? below(d, total) : 0;
    for (const char *row = table->rows; row < end; row += table->stride) {
        if (!fits(row, any, all)) continue;
        if (left < weight_of(table, row)) return row;
        left -= weight_of(table, row);
    }
    return NULL;
}

/* role: ATT_AS_..., where the phrase will stand. */
static at_phrase_np draw_noun_phrase(dice *d, uint32_t kinds, uint32_t role, uint32_t parts)
{
    at_phrase_np np = {0};
    const at_phrase_pronoun *pronoun = pick(d, &at_phrase_pronouns, kinds, 0);
    const at_phrase_noun *noun = pick(d, &at_phrase_nouns, kinds, 0);
    if (pronoun && (!noun || chance(d, PRONOUN_PERCENT))) {
        np.pronoun = pronoun;
        return np;
    }
    np.noun = noun;
    np.determiner = pick(d, &at_phrase_determiners, noun->kinds, role);
    np.count = 2 + below(d, LARGEST_COUNT - 1);
    if (!(parts & ATT_SHORT) && !(noun->kinds & ATT_UNDESCRIBED) && chance(d, ADJECTIVE_PERCENT))
        np.adjective = pick(d, &at_phrase_adjectives, noun->kinds, 0);
    if (np.adjective && *np.adjective->link && np.determiner->traits & ATT_LINKED) np.adjective = NULL;
    return np;
}

static void draw_verb(dice *d, const at_phrase_plan *plan, at_phrase_clause *c)
{
    const uint32_t all = plan->parts & ATT_OBJECTLESS ? ATT_ASKABLE : 0;
    c->tense = pick(d, &at_phrase_tenses, plan->verbs, 0);
    c->verb = pick(d, &at_phrase_verbs, plan->verbs & c->tense->kinds, all);
    c->negated = plan->parts & ATT_NEGATABLE && c->tense->not_before && !(c->verb->traits & ATT_AFFIRMED) &&
                 chance(d, NEGATION_PERCENT);
}

/* The verb's recipient and object; no pronoun of the subject's kind. */
static void draw_objects(dice *d, const at_phrase_plan *plan, at_phrase_clause *c)
{
    const at_phrase_verb *v = c->verb;
    const uint32_t others = c->subject.pronoun ? ~c->subject.pronoun->kinds : ~(uint32_t)0;
    if (v->recipients) c->recipient = draw_noun_phrase(d, v->recipients & others, ATT_AS_KNOWN, plan->parts);
    if (v->objects && !(plan->parts & ATT_OBJECTLESS))
        c->object = draw_noun_phrase(d, v->objects & others, c->negated ? ATT_AS_NEGATED : v->determiners, plan->parts);
}

static void draw_day(dice *d, at_phrase_clause *c, at_phrase_day day)
{
    c->day = day;
    c->weekday = below(d, 7);
    c->day_of_month = 1 + below(d, DAYS);
    c->month = below(d, 12);
    c->year = FIRST_YEAR + below(d, YEARS);
}

/* Time and place. A negated clause has no place, since "nicht" before it would deny the place alone. */
static void draw_setting(dice *d, const at_phrase_plan *plan, at_phrase_clause *c)
{
    const at_phrase_tense *t = c->tense;
    if (plan->parts & ATT_WITH_TIME || (t && chance(d, t->time_percent))) {
        c->time = pick(d, &at_phrase_times, t->kinds, 0);
        draw_day(d, c, c->time->day);
    }
    const int barred = c->negated || plan->parts & ATT_SHORT || (c->verb && c->verb->traits & ATT_PLACELESS);
    if (plan->parts & ATT_WITH_PLACE || (t && !barred && chance(d, t->place_percent)))
        c->place = draw_noun_phrase(d, ATT_PLACE, ATT_AS_KNOWN, ATT_SHORT);
}

static void draw_quality(dice *d, const at_phrase_plan *plan, at_phrase_clause *c)
{
    const uint32_t kinds = c->subject.pronoun ? ATT_PERSON : c->subject.noun->kinds;
    c->quality = pick(d, &at_phrase_adjectives, kinds, plan->parts & ATT_CAUSED ? ATT_FEELING : 0);
    c->negated = plan->parts & ATT_NEGATABLE && chance(d, NEGATION_PERCENT);
    c->very = !c->negated && c->quality->gradable && chance(d, VERY_PERCENT);
}

static at_phrase_clause draw_clause(dice *d, const at_phrase_plan *plan)
{
    at_phrase_clause c = {0};
    if (plan->verbs) draw_verb(d, plan, &c);
    const uint32_t subjects = plan->subjects & (c.verb ? c.verb->subjects : ~(uint32_t)0);
    if (subjects) c.subject = draw_noun_phrase(d, subjects, ATT_AS_KNOWN, plan->parts);
    if (c.verb) draw_objects(d, plan, &c);
    if (plan->objects) c.object = draw_noun_phrase(d, plan->objects, plan->determiners, plan->parts);
    if (plan->parts & ATT_WITH_QUALITY) draw_quality(d, plan, &c);
    draw_setting(d, plan, &c);
    if (plan->parts & ATT_WITH_WEEKDAY) draw_day(d, &c, ATT_WEEKDAY);
    if (plan->parts & ATT_WITH_DATE) draw_day(d, &c, ATT_DATE);
    if (plan->sayings) c.saying = pick(d, &at_phrase_sayings, plan->sayings, 0);
    if (plan->numbers) c.number = 2 + below(d, plan->numbers - 1);
    return c;
}

static at_phrase_sentence draw_sentence(dice *d)
{
    at_phrase_sentence s = {.form = pick(d, &at_phrase_templates, 0, 0)};
    s.clauses[0] = draw_clause(d, &s.form->main);
    s.clauses[1] = draw_clause(d, &s.form->second);
    return s;
}

/* Whether one noun stands twice: "the cat sees the cat". */
static int repeats(const at_phrase_sentence *s)
{
    const at_phrase_noun *nouns[8];
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        const at_phrase_clause *c = &s->clauses[i];
        const at_phrase_np *const phrases[] = {&c->subject, &c->recipient, &c->object, &c->place};
        for (size_t k = 0; k < 4; k++)
            if (phrases[k]->noun) nouns[count++] = phrases[k]->noun;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (nouns[i] == nouns[k]) return 1;
    return 0;
}

static int count_words(const char *text)
{
    int count = 1;
    for (; *text; text++) count += *text == ' ';
    return count;
}

at_status at_phrase_make(uint64_t seed, uint64_t index, at_buf sentence[ATT_PHRASE_LANGUAGES], at_error *err)
{
    dice d = {.key = at_rng_key(seed, index)};
    at_phrase_sentence s;
    do {
        s = draw_sentence(&d);
        ATT_TRY(at_phrase_render(&s, ATT_ENGLISH, &sentence[ATT_ENGLISH], err));
    } while (repeats(&s) || count_words(sentence[ATT_ENGLISH].data) > MAX_WORDS);
    ATT_TRY(at_phrase_render(&s, ATT_CHINESE, &sentence[ATT_CHINESE], err));
    return at_phrase_render(&s, ATT_GERMAN, &sentence[ATT_GERMAN], err);
}

/* ---- the held-out part ---- */

/* A saying or a term is one row of a table, not a combination: nothing else in training would teach it. */
static int is_one_row(const char *english)
{
    const at_phrase_word *sayings = at_phrase_sayings.rows;
    const at_phrase_noun *nouns = at_phrase_nouns.rows;
    for (size_t i = 0; i < at_phrase_sayings.count; i++)
        if (strcmp(sayings[i].text[ATT_ENGLISH], english) == 0) return 1;
    for (size_t i = 0; i < at_phrase_nouns.count; i++)
        if (strcmp(nouns[i].english, english) == 0) return 1;
    return 0;
}

int at_phrase_held_out(const char *english)
{
    uint64_t hash = 0;
    for (const char *at = english; *at; at++) hash = at_rng_key(hash, (unsigned char)*at);
    return hash % HELD_OUT_ONE_IN == 0 && !is_one_row(english);
}
