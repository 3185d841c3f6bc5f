/* The vocabulary and the sentence templates of the phrase grammar: constant tables, no code.
 *
 * Rows that are drawn begin with `kinds`, a set of bits that says where the row may stand: a verb asks for objects that
 * are ATT_READABLE, a noun for adjectives that share a kind with it. To add a word or a template, add a row.
 *
 * What keeps Chinese -> English a function, and what a new row must not break:
 * - tense is always written: 了 past, 正在 progressive, 会 future, 能 can, 想 want to, 必须 must, 每天 and its kin for
 *   habits; only verbs of state, such as 喜欢, stand bare;
 * - number and article are always written, except that a bare person or place is "the" one, and so is a bare animal
 *   that does something;
 * - a Chinese word has one English word; but for 知道 and 认识, which are both "know", the reverse holds, too. All six
 *   directions are functions: German "sie" is told apart by its verb.
 *
 * Spelling: English is lower case without punctuation. German has its capitals on nouns and names, not at the start of
 * a sentence. German and Chinese have the commas that they need. No sentence has a final mark.
 *
 * Read next: phrases.c, which draws a meaning from these tables, and phrase_render.c, which says it. */
#ifndef ATT_DATA_PHRASE_WORDS_H
#define ATT_DATA_PHRASE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "data/phrases.h"

/* ---- kinds ---- */

/* What a noun phrase names; shared by nouns, pronouns, adjectives and determiners, and by verbs for their subjects and
 * objects. */
enum {
    /* A noun is one of these, or a field; determiners go by them. */
    ATT_PERSON = 1 << 0,
    ATT_ANIMAL = 1 << 1,
    ATT_THING = 1 << 2,
    ATT_PLACE = 1 << 3,
    ATT_MASS = 1 << 4, /* uncountable: water */
    ATT_NAME = 1 << 5, /* of a person */
    ATT_CITY = 1 << 6,
    /* Pronouns. A clause has no two of one kind: "i see me" isn't said. */
    ATT_FIRST = 1 << 7,
    ATT_SECOND = 1 << 8,
    ATT_THIRD = 1 << 9,
    ATT_THEY = 1 << 10, /* never an object, since German "sie" is then also "her" */
    ATT_WHO = 1 << 11,
    /* What is done with a thing, and which adjectives suit it. */
    ATT_READABLE = 1 << 12,
    ATT_WRITABLE = 1 << 13,
    ATT_EDIBLE = 1 << 14,
    ATT_DRINKABLE = 1 << 15,
    ATT_OPENABLE = 1 << 16,
    ATT_GOODS = 1 << 17,    /* bought and sold */
    ATT_PORTABLE = 1 << 18, /* handed from one to another */
    ATT_MACHINE = 1 << 19,
    ATT_MODEL = 1 << 20, /* trained and tested */
    ATT_DURABLE = 1 << 21,
    /* Fields of knowledge, uncountable; the determiners go by these two as well. */
    ATT_TAUGHT = 1 << 22,  /* learnt and taught */
    ATT_SCIENCE = 1 << 23, /* researched and explained */
    /* An adjective that has a cause one may tell. */
    ATT_FEELING = 1 << 24,
    /* Where a determiner may stand. */
    ATT_AS_OBJECT = 1 << 25,  /* of an action that is not negated */
    ATT_AS_KNOWN = 1 << 26,   /* definite or general: subjects, and what one likes or understands */
    ATT_AS_NEGATED = 1 << 27, /* object of a negated verb, where "a" would not be said */
    ATT_AS_NEW = 1 << 28,     /* after "there is" and "has" */
    ATT_AS_SHOWN = 1 << 29,   /* after "this is" */
    ATT_AS_TITLE = 1 << 30,   /* a term that stands alone: 神经网络 */

    ATT_COUNTED = ATT_PERSON | ATT_ANIMAL | ATT_THING | ATT_PLACE,
    ATT_THEM = ATT_PERSON | ATT_NAME | ATT_FIRST | ATT_SECOND | ATT_THIRD, /* people as objects */
    ATT_PEOPLE = ATT_THEM | ATT_THEY,                                      /* and as subjects */
    ATT_BEINGS = ATT_PEOPLE | ATT_ANIMAL,
    ATT_HUMAN = ATT_PEOPLE | ATT_WHO, /* subjects that a verb allows */
    ATT_ALIVE = ATT_BEINGS | ATT_WHO,
    ATT_UNDESCRIBED = ATT_NAME | ATT_CITY | ATT_TAUGHT | ATT_SCIENCE, /* no adjective before these */
    /* No animals or persons: bare as the object of 喜欢 they would be "cats", not "the cat". */
    ATT_LIKED = (ATT_THEM & ~ATT_PERSON) | ATT_READABLE | ATT_EDIBLE | ATT_DRINKABLE | ATT_TAUGHT | ATT_CITY,
    ATT_USUAL = ATT_AS_OBJECT | ATT_AS_KNOWN | ATT_AS_NEGATED
};

/* What a verb is used for: the tenses, or a part in a template of its own. A tense and a time say the same of
 * themselves. */
enum {
    ATT_PAST = 1 << 0,
    ATT_PROGRESSIVE = 1 << 1,
    ATT_FUTURE = 1 << 2,
    ATT_HABIT = 1 << 3,
    ATT_CAN = 1 << 4,
    ATT_WANT = 1 << 5,
    ATT_MUST = 1 << 6,
    ATT_STATE = 1 << 7,    /* simple present */
    ATT_THAT = 1 << 8,     /* simple present before a clause: "knows that ..." */
    ATT_HOPE = 1 << 9,     /* the same of what is to come */
    ATT_PRICE = 1 << 10,   /* simple present before a price */
    ATT_ASKABLE = 1 << 11, /* "what" may ask for its object */

    ATT_ONCE = ATT_PAST | ATT_FUTURE | ATT_CAN | ATT_WANT | ATT_MUST,
    ATT_ACTION = ATT_ONCE | ATT_PROGRESSIVE | ATT_HABIT,
    ATT_DATED = ATT_PAST | ATT_FUTURE | ATT_HABIT | ATT_MUST, /* tenses that a time can open */
    ATT_TENSES = ATT_ACTION | ATT_STATE,
    ATT_ASKED = ATT_TENSES & ~ATT_MUST /* "must he" is stiff English */
};

/* Sayings. */
enum {
    ATT_ALONE = 1 << 0,
    ATT_ADDRESS = 1 << 1 /* said to somebody by name */
};

/* ---- words that don't change ---- */

typedef struct at_phrase_word {
    uint32_t kinds;
    const char *text[ATT_PHRASE_LANGUAGES];
} at_phrase_word;

typedef enum at_phrase_day { ATT_NO_DAY, ATT_WEEKDAY, ATT_DATE } at_phrase_day;

typedef struct at_phrase_time {
    uint32_t kinds;
    const char *text[ATT_PHRASE_LANGUAGES];
    at_phrase_day day; /* what follows the text: "on" */
} at_phrase_time;

/* ---- noun phrases ---- */

typedef enum at_phrase_gender { ATT_DER, ATT_DIE, ATT_DAS, ATT_PLURAL, ATT_GENDERS } at_phrase_gender;
typedef enum at_phrase_case { ATT_NOMINATIVE, ATT_ACCUSATIVE, ATT_DATIVE, ATT_CASES } at_phrase_case;
typedef enum at_phrase_person { ATT_ICH, ATT_DU, ATT_ER, ATT_WIR, ATT_SIE, ATT_PERSONS } at_phrase_person;

typedef struct at_phrase_noun {
    uint32_t kinds;
    const char *chinese;
    const char *measure; /* 本, 只, ...; NULL when never counted */
    const char *english, *english_plural;
    at_phrase_gender gender;
    const char *german, *german_plural; /* '~' takes the ending of an adjective: "neuronal~ Netz" */
    int weak;                           /* n-declension: the singular's other cases are as the plural */
} at_phrase_noun;

typedef struct at_phrase_pronoun {
    uint32_t kinds;
    at_phrase_person person;
    const char *chinese;
    const char *english, *english_object;
    const char *german[ATT_CASES];
} at_phrase_pronoun;

/* Endings of a determiner and of the adjectives after it. */
typedef struct at_phrase_declension {
    const char *determiner[ATT_CASES][ATT_GENDERS];
    const char *adjective[ATT_CASES][ATT_GENDERS];
} at_phrase_declension;

/* Traits of a determiner. */
enum {
    ATT_IN_PLURAL = 1 << 0,
    ATT_NUMBERED = 1 << 1, /* a number follows */
    ATT_MEASURED = 1 << 2, /* Chinese: the measure word follows */
    ATT_LINKED = 1 << 3,   /* Chinese: ends in 的, after which a second one would sound heavy */
    ATT_EARLY = 1 << 4,    /* German: definite, stands before time and place */
    ATT_NEGATES = 1 << 5   /* German: "kein", which makes "nicht" needless */
};

typedef struct at_phrase_determiner {
    uint32_t kinds;
    unsigned weight;
    const char *chinese, *chinese_after; /* before the measure word; after the noun */
    const char *english;
    const char *german; /* stem */
    const at_phrase_declension *declension;
    unsigned traits;
} at_phrase_determiner;

typedef struct at_phrase_adjective {
    uint32_t kinds;
    const char *chinese;
    const char *link; /* 的, or "" for those that stand right before the noun */
    int gradable;     /* Chinese 很新, but 是红色的 */
    const char *english;
    const char *german, *german_stem;
} at_phrase_adjective;

/* ---- verbs ---- */

typedef struct at_phrase_forms {
    const char *by[ATT_PERSONS];
} at_phrase_forms;

typedef enum at_phrase_english_form { ATT_BASE, ATT_S, ATT_ED, ATT_ING, ATT_ENGLISH_FORMS } at_phrase_english_form;

/* The present stands without its separable prefix; its plural is the infinitive. */
typedef enum at_phrase_german_form {
    ATT_INFINITIVE,
    ATT_PRESENT_ICH,
    ATT_PRESENT_DU,
    ATT_PRESENT_ER,
    ATT_PARTICIPLE,
    ATT_GERMAN_FORMS
} at_phrase_german_form;

/* Traits of a verb. */
enum {
    ATT_SEIN = 1 << 0,         /* German: perfect with "sein" */
    ATT_TAKES_DATIVE = 1 << 1, /* German: dative of the object */
    ATT_AFFIRMED = 1 << 2,     /* never negated */
    ATT_PLACELESS = 1 << 3     /* not said to happen in a place */
};

typedef struct at_phrase_verb {
    uint32_t kinds;
    const char *chinese;
    const char *english[ATT_ENGLISH_FORMS];
    const char *german[ATT_GERMAN_FORMS];
    const char *prefix;      /* German, separable: macht ... auf; or NULL */
    const char *preposition; /* German, before the object; or NULL */
    unsigned traits;
    uint32_t subjects, recipients, objects; /* kinds; 0: has none */
    uint32_t determiners;                   /* of the object, ATT_AS_... */
} at_phrase_verb;

typedef struct at_phrase_tense {
    uint32_t kinds;
    unsigned weight;
    unsigned time_percent, place_percent;         /* how often a time and a place are told */
    const char *before, *before_place, *after;    /* Chinese; 正在 is 正 where 在 follows */
    const char *not_before;                       /* Chinese negation, NULL: none */
    const at_phrase_forms *english, *english_not; /* auxiliary, "is", and its negation */
    int english_silent;                           /* "do": heard in questions and negations only */
    const at_phrase_forms *english_lead;          /* "wants to", or NULL */
    at_phrase_english_form finite, other;         /* of the verb without and with the auxiliary */
    const at_phrase_forms *german;                /* auxiliary; NULL: none or the perfect's */
    int german_perfect;
    at_phrase_german_form german_other; /* of the verb with the auxiliary */
    const char *german_adverb;          /* in the place of a time: gerade */
} at_phrase_tense;

/* ---- templates ---- */

/* What a clause consists of besides what its verb and tense ask for. */
enum {
    ATT_WITH_TIME = 1 << 0,
    ATT_WITH_PLACE = 1 << 1,
    ATT_WITH_QUALITY = 1 << 2, /* is + adjective */
    ATT_WITH_DATE = 1 << 3,
    ATT_WITH_WEEKDAY = 1 << 4,
    ATT_NEGATABLE = 1 << 5,
    ATT_SHORT = 1 << 6,      /* no adjectives before nouns, no place */
    ATT_OBJECTLESS = 1 << 7, /* the verb's object is asked for */
    ATT_CAUSED = 1 << 8      /* the quality is a feeling */
};

typedef struct at_phrase_plan {
    uint32_t verbs;                /* uses; 0: no verb */
    uint32_t subjects;             /* kinds; 0: no subject */
    uint32_t objects, determiners; /* of the object where there is no verb */
    uint32_t sayings;
    uint32_t parts;
    unsigned numbers; /* the largest number; 0: none */
} at_phrase_plan;

/* A sentence in each language: text with slots in braces (slots[] of phrase_render.c lists them), which go to the main
 * clause, or with "2." to the second. Where a slot says nothing the space before it vanishes. */
typedef struct at_phrase_template {
    at_phrase_plan main, second;
    unsigned weight;
    const char *text[ATT_PHRASE_LANGUAGES];
} at_phrase_template;

/* ---- tables ---- */

typedef struct at_phrase_table {
    const void *rows;
    size_t count, stride;
    size_t weight; /* offset of the rows' weight; 0: all weigh the same */
} at_phrase_table;

extern const at_phrase_table at_phrase_templates, at_phrase_sayings, at_phrase_times, at_phrase_nouns,
    at_phrase_pronouns, at_phrase_determiners, at_phrase_adjectives, at_phrase_verbs, at_phrase_tenses;
extern const at_phrase_word at_phrase_weekdays[7], at_phrase_months[12];
extern const at_phrase_word at_phrase_units[20], at_phrase_tens[10];
extern const at_phrase_forms at_phrase_be, at_phrase_sein, at_phrase_haben;

#endif
