/* The grammar of Chinese, German and English as far as the templates need it. No word is spelt here but the few that
 * belong to a rule: an, im, nicht, 两.
 *
 * A template's text is copied but for its slots, each of which renders a part of a clause; slots[] lists them. Words
 * are parted by one space where both neighbours are there, and in Chinese never. */
#include "data/phrase_render.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

typedef struct writer {
    at_buf *buf;
    at_error *err;
    at_status status; /* the first failure; later writes do nothing */
    at_phrase_language language;
    int gap; /* a space is due before the next text, where the language has them */
} writer;

/* Appends to the last word, or starts one where a gap is due. */
static void glue_bytes(writer *w, const char *text, size_t len)
{
    if (w->status != ATT_OK || len == 0) return;
    if (w->gap && w->language != ATT_CHINESE && w->buf->len && *text != ',')
        w->status = at_buf_puts(w->buf, " ", w->err);
    if (w->status == ATT_OK) w->status = at_buf_add(w->buf, text, len, w->err);
    w->gap = 0;
}

static void glue(writer *w, const char *text)
{
    glue_bytes(w, text, strlen(text));
}

/* NULL and "" are no word. */
static void word(writer *w, const char *text)
{
    w->gap = 1;
    if (text) glue(w, text);
}

static void decimal(writer *w, unsigned number, const char *after)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u%s", number, after);
    word(w, text);
}

static at_phrase_person person_of(const at_phrase_np *np)
{
    if (np->pronoun) return np->pronoun->person;
    return np->determiner->traits & ATT_IN_PLURAL ? ATT_SIE : ATT_ER;
}

static const char *by_person(const at_phrase_forms *forms, const at_phrase_np *subject)
{
    return forms->by[person_of(subject)];
}

/* ---- numbers: 两, 二十一; einundzwanzig; twenty-one ---- */

static void cardinal(writer *w, unsigned n)
{
    const char *const unit = at_phrase_units[n < 20 ? n : n % 10].text[w->language];
    const char *const ten = at_phrase_tens[n < 20 ? 0 : n / 10].text[w->language];
    const int compound = n > 20 && n % 10;
    if (w->language == ATT_GERMAN) {
        word(w, unit);
        glue(w, compound ? "und" : "");
        glue(w, ten);
    } else if (w->language == ATT_CHINESE) {
        word(w, ten);
        word(w, n == 2 ? "两" : unit); /* as before any measure word */
    } else {
        word(w, ten);
        glue(w, compound ? "-" : "");
        glue(w, unit);
    }
}

/* ---- noun phrases ---- */

static void zh_noun_phrase(writer *w, const at_phrase_np *np)
{
    word(w, np->determiner->chinese);
    if (np->determiner->traits & ATT_NUMBERED) cardinal(w, np->count);
    if (np->determiner->traits & ATT_MEASURED) word(w, np->noun->measure);
    if (np->adjective) word(w, np->adjective->chinese);
    if (np->adjective) word(w, np->adjective->link);
    word(w, np->noun->chinese);
    word(w, np->determiner->chinese_after);
}

static void en_noun_phrase(writer *w, const at_phrase_np *np)
{
    const at_phrase_determiner *d = np->determiner;
    const char *const noun = d->traits & ATT_IN_PLURAL ? np->noun->english_plural : np->noun->english;
    const char *const first = np->adjective ? np->adjective->english : noun;
    word(w, strcmp(d->english, "a") == 0 && strchr("aeiou", *first) ? "an" : d->english);
    if (d->traits & ATT_NUMBERED) cardinal(w, np->count);
    if (np->adjective) word(w, np->adjective->english);
    word(w, noun);
}

/* Contracted where German does: im Park, ins Museum. */
static void de_preposition(writer *w, const char *preposition, const char *article)
{
    const int in = preposition && strcmp(preposition, "in") == 0;
    if (in && strcmp(article, "dem") == 0) {
        word(w, "im");
    } else if (in && strcmp(article, "das") == 0) {
        word(w, "ins");
    } else {
        word(w, preposition);
        word(w, article);
    }
}

/* The noun; a '~' in it takes the ending of an adjective. */
static void de_noun(writer *w, const at_phrase_np *np, at_phrase_case in_case, const char *ending)
{
    const int plural = (np->determiner->traits & ATT_IN_PLURAL) != 0;
    const int as_plural = plural || (np->noun->weak && in_case != ATT_NOMINATIVE);
    const char *const noun = as_plural ? np->noun->german_plural : np->noun->german;
    const char *const mark = strchr(noun, '~');
    if (mark) {
        w->gap = 1;
        glue_bytes(w, noun, (size_t)(mark - noun));
        glue(w, ending);
    }
    word(w, mark ? mark + 2 : noun);
    if (plural && in_case == ATT_DATIVE && !strchr("ns", noun[strlen(noun) - 1])) glue(w, "n"); /* den Kindern */
}

static void de_noun_phrase(writer *w, const at_phrase_np *np, const char *preposition, at_phrase_case in_case)
{
    const at_phrase_determiner *d = np->determiner;
    const at_phrase_gender gender = d->traits & ATT_IN_PLURAL ? ATT_PLURAL : np->noun->gender;
    const char *const ending = d->declension->adjective[in_case][gender];
    char article[16];
    (void)snprintf(article, sizeof article, "%s%s", d->german, d->declension->determiner[in_case][gender]);
    de_preposition(w, preposition, article);
    if (d->traits & ATT_NUMBERED) cardinal(w, np->count);
    if (np->adjective) {
        word(w, np->adjective->german_stem);
        glue(w, ending);
    }
    de_noun(w, np, in_case, ending);
}

/* preposition (or NULL) and case matter to German, and the nominative to English pronouns. */
static void say_noun_phrase(writer *w, const at_phrase_np *np, const char *preposition, at_phrase_case in_case)
{
    const at_phrase_pronoun *p = np->pronoun;
    if (p && w->language == ATT_CHINESE) word(w, p->chinese);
    if (p && w->language == ATT_ENGLISH) word(w, in_case == ATT_NOMINATIVE ? p->english : p->english_object);
    if (p && w->language == ATT_GERMAN) {
        word(w, preposition);
        word(w, p->german[in_case]);
    }
    if (!np->noun) return;
    if (w->language == ATT_CHINESE) zh_noun_phrase(w, np);
    if (w->language == ATT_ENGLISH) en_noun_phrase(w, np);
    if (w->language == ATT_GERMAN) de_noun_phrase(w, np, preposition, in_case);
}

/* ---- slots of all languages ---- */

static void subject(writer *w, const at_phrase_clause *c)
{
    say_noun_phrase(w, &c->subject, NULL, ATT_NOMINATIVE);
}

static void recipient(writer *w, const at_phrase_clause *c)
{
    say_noun_phrase(w, &c->recipient, NULL, ATT_DATIVE);
}

static void object(writer *w, const at_phrase_clause *c)
{
    const at_phrase_verb *v = c->verb;
    say_noun_phrase(w, &c->object, v ? v->preposition : NULL,
                    v && v->traits & ATT_TAKES_DATIVE ? ATT_DATIVE : ATT_ACCUSATIVE);
}

static void saying(writer *w, const at_phrase_clause *c)
{
    word(w, c->saying->text[w->language]);
}

static void number(writer *w, const at_phrase_clause *c)
{
    cardinal(w, c->number);
}

/* 2021年5月3日, 3. Mai 2021, 3 may 2021; or a weekday */
static void day(writer *w, const at_phrase_clause *c)
{
    const char *const month = at_phrase_months[c->month].text[w->language];
    if (c->day == ATT_WEEKDAY) word(w, at_phrase_weekdays[c->weekday].text[w->language]);
    if (c->day != ATT_DATE) return;
    if (w->language == ATT_CHINESE) {
        decimal(w, c->year, "年");
        word(w, month);
        decimal(w, c->day_of_month, "日");
    } else {
        decimal(w, c->day_of_month, w->language == ATT_GERMAN ? "." : "");
        word(w, month);
        decimal(w, c->year, "");
    }
}

static void time_of(writer *w, const at_phrase_clause *c)
{
    if (w->language == ATT_GERMAN && c->tense) word(w, c->tense->german_adverb);
    if (!c->time) return;
    word(w, c->time->text[w->language]);
    day(w, c);
}

/* ---- slots of Chinese ---- */

static void zh_inside(writer *w, const at_phrase_clause *c)
{
    say_noun_phrase(w, &c->place, NULL, ATT_DATIVE);
    word(w, "里");
}

static void zh_place(writer *w, const at_phrase_clause *c)
{
    if (!c->place.noun) return;
    word(w, "在");
    zh_inside(w, c);
}

/* What stands before place and verb: 没有, 正在, 会. */
static void zh_aspect(writer *w, const at_phrase_clause *c)
{
    const at_phrase_tense *t = c->tense;
    word(w, c->negated ? t->not_before : c->place.noun && t->before_place ? t->before_place : t->before);
}

static void zh_verb(writer *w, const at_phrase_clause *c)
{
    word(w, c->verb->chinese);
    if (!c->negated) word(w, c->tense->after);
}

/* 很新, 非常新, 不新; 是红色的, 不是红色的 */
static void zh_quality(writer *w, const at_phrase_clause *c)
{
    const at_phrase_adjective *a = c->quality;
    if (c->negated) word(w, "不");
    if (!a->gradable)
        word(w, "是");
    else if (!c->negated)
        word(w, c->very ? "非常" : "很");
    word(w, a->chinese);
    if (!a->gradable) word(w, "的");
}

/* ---- slots of German ---- */

static void de_nominative(writer *w, const at_phrase_clause *c)
{
    say_noun_phrase(w, &c->object, NULL, ATT_NOMINATIVE);
}

static void de_place(writer *w, const at_phrase_clause *c)
{
    say_noun_phrase(w, &c->place, "in", ATT_DATIVE);
}

/* A definite object stands before time and place: hat dieses Buch gestern gelesen. */
static int de_object_is_early(const at_phrase_clause *c)
{
    return !c->verb->preposition && (c->object.pronoun || (c->object.noun && c->object.determiner->traits & ATT_EARLY));
}

static void de_early(writer *w, const at_phrase_clause *c)
{
    recipient(w, c);
    if (de_object_is_early(c)) object(w, c);
}

static void de_late(writer *w, const at_phrase_clause *c)
{
    if (!de_object_is_early(c)) object(w, c);
}

static const char *de_auxiliary(const at_phrase_clause *c)
{
    if (c->tense->german) return by_person(c->tense->german, &c->subject);
    if (!c->tense->german_perfect) return NULL;
    return by_person(c->verb->traits & ATT_SEIN ? &at_phrase_sein : &at_phrase_haben, &c->subject);
}

static const char *de_present(const at_phrase_clause *c)
{
    const at_phrase_verb *v = c->verb;
    switch (person_of(&c->subject)) {
    case ATT_ICH:
        return v->german[ATT_PRESENT_ICH];
    case ATT_DU:
        return v->german[ATT_PRESENT_DU];
    case ATT_ER:
        return v->german[ATT_PRESENT_ER];
    default:
        return v->german[ATT_INFINITIVE] + (v->prefix ? strlen(v->prefix) : 0);
    }
}

static void de_finite(writer *w, const at_phrase_clause *c)
{
    const char *const auxiliary = de_auxiliary(c);
    word(w, auxiliary ? auxiliary : de_present(c));
}

/* What of the verb stands at the end of a main clause: gelesen, lesen, auf. */
static void de_rest(writer *w, const at_phrase_clause *c)
{
    word(w, de_auxiliary(c) ? c->verb->german[c->tense->german_other] : c->verb->prefix);
}

/* The whole verb at the end of a subordinate clause: gelesen hat, aufmacht. */
static void de_final(writer *w, const at_phrase_clause *c)
{
    de_rest(w, c);
    if (de_auxiliary(c) || !c->verb->prefix) {
        de_finite(w, c);
    } else {
        glue(w, de_present(c));
    }
}

static void de_not(writer *w, const at_phrase_clause *c)
{
    const int said = c->object.noun && c->object.determiner->traits & ATT_NEGATES;
    if (c->negated && !said) word(w, "nicht");
}

static void de_be(writer *w, const at_phrase_clause *c)
{
    word(w, by_person(&at_phrase_sein, &c->subject));
}

static void de_quality(writer *w, const at_phrase_clause *c)
{
    de_be(w, c);
    if (c->negated) word(w, "nicht");
    if (c->very) word(w, "sehr");
    word(w, c->quality->german);
}

/* ---- slots of English ---- */

static void en_place(writer *w, const at_phrase_clause *c)
{
    if (c->place.noun) word(w, "in");
    say_noun_phrase(w, &c->place, NULL, ATT_DATIVE);
}

static void en_auxiliary(writer *w, const at_phrase_clause *c)
{
    word(w, by_person(c->negated ? c->tense->english_not : c->tense->english, &c->subject));
}

/* The verb after its auxiliary: read, reading, want to read. */
static void en_main(writer *w, const at_phrase_clause *c)
{
    if (c->tense->english_lead) word(w, c->tense->english_lead->by[ATT_SIE]);
    word(w, c->verb->english[c->tense->other]);
}

/* The verb without an auxiliary: read, reads, wants to read. */
static void en_finite(writer *w, const at_phrase_clause *c)
{
    const at_phrase_tense *t = c->tense;
    const int base = t->english_lead || (t->finite == ATT_S && person_of(&c->subject) != ATT_ER);
    if (t->english_lead) word(w, by_person(t->english_lead, &c->subject));
    word(w, c->verb->english[base ? ATT_BASE : t->finite]);
}

static void en_verb(writer *w, const at_phrase_clause *c)
{
    if (c->tense->english_silent && !c->negated) {
        en_finite(w, c);
    } else {
        en_auxiliary(w, c);
        en_main(w, c);
    }
}

static void en_be(writer *w, const at_phrase_clause *c)
{
    word(w, by_person(&at_phrase_be, &c->subject));
}

static void en_exists(writer *w, const at_phrase_clause *c)
{
    word(w, by_person(&at_phrase_be, &c->object));
}

static void en_quality(writer *w, const at_phrase_clause *c)
{
    en_be(w, c);
    if (c->negated) word(w, "not");
    if (c->very) word(w, "very");
    word(w, c->quality->english);
}

/* ---- from templates to sentences ---- */

static const struct slot {
    const char *name;
    void (*render[ATT_PHRASE_LANGUAGES])(writer *w, const at_phrase_clause *c); /* NULL: not of this language */
} slots[] = {
    {"subject", {subject, subject, subject}},
    {"recipient", {recipient, recipient, recipient}},
    {"object", {object, object, object}},
    {"nominative", {NULL, de_nominative, NULL}}, /* the object after "das ist" */
    {"early", {NULL, de_early, NULL}},           /* recipient and definite object */
    {"late", {NULL, de_late, NULL}},             /* any other object */
    {"place", {zh_place, de_place, en_place}},
    {"inside", {zh_inside, NULL, NULL}}, /* the place without 在 */
    {"time", {time_of, time_of, time_of}},
    {"day", {day, day, day}},
    {"number", {number, number, number}},
    {"saying", {saying, saying, saying}},
    {"quality", {zh_quality, de_quality, en_quality}},
    {"aspect", {zh_aspect, NULL, NULL}},
    {"verb", {zh_verb, NULL, en_verb}},
    {"finite", {NULL, de_finite, NULL}},
    {"not", {NULL, de_not, NULL}},
    {"rest", {NULL, de_rest, NULL}},
    {"final", {NULL, de_final, NULL}},
    {"auxiliary", {NULL, NULL, en_auxiliary}}, /* a question's "did"; "main" is then the verb */
    {"main", {NULL, NULL, en_main}},
    {"be", {NULL, de_be, en_be}},
    {"exists", {NULL, NULL, en_exists}}, /* there "is" or "are" */
};

/* name: what stands between the braces. */
static void render_slot(writer *w, const at_phrase_sentence *s, const char *name, size_t len)
{
    const int second = len > 2 && memcmp(name, "2.", 2) == 0;
    const size_t skip = second ? 2 : 0;
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        if (strlen(slots[i].name) != len - skip || memcmp(slots[i].name, name + skip, len - skip) != 0) continue;
        assert(slots[i].render[w->language]);
        slots[i].render[w->language](w, &s->clauses[second]);
        return;
    }
    assert(0 && "a template names a slot that is not in slots[]");
}

at_status at_phrase_render(const at_phrase_sentence *s, at_phrase_language language, at_buf *out, at_error *err)
{
    writer w = {.buf = out, .err = err, .language = language};
    at_buf_clear(out);
    for (const char *at = s->form->text[language]; *at;) {
        size_t len;
        if (*at == '{') {
            len = strcspn(at, "}");
            render_slot(&w, s, at + 1, len - 1);
            at += len + 1;
        } else if (*at == ' ') {
            w.gap = 1;
            at++;
        } else {
            len = strcspn(at, " {");
            glue_bytes(&w, at, len);
            at += len;
        }
    }
    return w.status;
}
