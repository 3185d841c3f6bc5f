/* What looks wrong in a line of text, although it is valid UTF-8; and its script. */
#ifndef ATT_DATA_TEXT_MARKS_H
#define ATT_DATA_TEXT_MARKS_H

#include "base/buf.h"

/* Bits of at_text_marks. */
typedef enum at_text_mark {
    ATT_MARK_CONTROL = 1,      /* control characters other than TAB and CR */
    ATT_MARK_RETURN = 2,       /* a CR within the line: old Mac line ends, or lines joined wrongly */
    ATT_MARK_SEPARATOR = 4,    /* U+2028, U+2029, U+0085: other programs count a line end here */
    ATT_MARK_MARKUP = 8,       /* <b>, &amp;, &#233; */
    ATT_MARK_SPACE = 16,       /* white space at an end */
    ATT_MARK_MOJIBAKE = 32,    /* UTF-8 that was read as Latin-1 or Windows-1252 and encoded again: "Ã¼" for "ü" */
    ATT_MARK_REPLACEMENT = 64, /* U+FFFD: characters were lost earlier */
    ATT_MARK_LETTERS = 128     /* not wrong: there are letters */
} at_text_mark;

unsigned at_text_marks(const char *text, size_t len);

/* Appends the text without white space at its ends, and with a space for control characters, CR and line separators. */
at_status at_text_clean(const char *text, size_t len, at_buf *out, at_error *err);

typedef enum at_script {
    ATT_SCRIPT_NONE, /* no letters */
    ATT_SCRIPT_LATIN,
    ATT_SCRIPT_GREEK,
    ATT_SCRIPT_CYRILLIC,
    ATT_SCRIPT_ARMENIAN,
    ATT_SCRIPT_HEBREW,
    ATT_SCRIPT_ARABIC,
    ATT_SCRIPT_INDIC, /* Devanagari to Sinhala */
    ATT_SCRIPT_THAI,  /* Thai, Lao, Burmese, Khmer */
    ATT_SCRIPT_GEORGIAN,
    ATT_SCRIPT_ETHIOPIC,
    ATT_SCRIPT_HANGUL,
    ATT_SCRIPT_HAN,
    ATT_SCRIPT_JAPANESE, /* a text with kana, whatever else it has */
    ATT_SCRIPT_OTHER,
    ATT_SCRIPTS
} at_script;

extern const char *const at_script_name[ATT_SCRIPTS];

/* The script of most letters. */
at_script at_text_script(const char *text, size_t len);

#endif
