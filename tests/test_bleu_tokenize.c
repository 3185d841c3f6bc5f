/* BLEU's tokenizers against those of sacreBLEU 2.6 on lines that are hard to cut. */
#include "text/bleu_tokenize.h"

#include "base/utf8.h"
#include "metric_help.h"

enum { KINDS = 4 };
static const at_bleu_tokenize kinds[KINDS] = {ATT_TOKENIZE_13A, ATT_TOKENIZE_INTL, ATT_TOKENIZE_ZH, ATT_TOKENIZE_CHAR};

typedef struct expectation {
    const char *line;
    const char *tokens[KINDS]; /* parted by one space */
} expectation;

/* Made with sacreBLEU 2.6.0: " ".join(tokenizer(line.rstrip()).split()), tokenizers 13a, intl, zh and char. */
static const expectation expectations[] = {
    {"", {"", "", "", ""}},
    {"   ", {"", "", "", ""}},
    {"Hello, world!", {"Hello , world !", "Hello , world !", "Hello , world !", "H e l l o , w o r l d !"}},
    {"3.5 1,000 5-6 x.y 7, .5 3.",
     {"3.5 1,000 5 - 6 x . y 7 , . 5 3 .", "3.5 1,000 5-6 x . y 7 , . 5 3.", "3.5 1,000 5 - 6 x . y 7 , . 5 3.",
      "3 . 5 1 , 0 0 0 5 - 6 x . y 7 , . 5 3 ."}},
    {"$5 €7 £3.20 100% №5 ₿2",
     {"$ 5 €7 £3.20 100 % №5 ₿2", "$ 5 € 7 £ 3.20 100 % № 5 ₿ 2", "$ 5 € 7 £3.20 100 % № 5 ₿ 2",
      "$ 5 € 7 £ 3 . 2 0 1 0 0 % № 5 ₿ 2"}},
    {"(hi) ((y)) [z] {w}",
     {"( hi ) ( ( y ) ) [ z ] { w }", "( hi ) ( ( y ) ) [ z ] { w }", "( hi ) ( ( y ) ) [ z ] { w }",
      "( h i ) ( ( y ) ) [ z ] { w }"}},
    {"don't \"quote\" ‘single’ «q»",
     {"don't \" quote \" ‘single’ «q»", "don ' t \" quote \" ‘ single ’ « q »", "don't \" quote \" ‘ single ’ «q»",
      "d o n ' t \" q u o t e \" ‘ s i n g l e ’ « q »"}},
    {"...", {". . .", ". . .", ". . .", ". . ."}},
    {"a...b ?!?! --",
     {"a . . . b ? ! ? ! --", "a . . . b ? ! ? ! - -", "a . . . b ? ! ? ! --", "a . . . b ? ! ? ! - -"}},
    {"&amp; &lt;b&gt; &quot;x&quot; &amp;lt;",
     {"& < b > \" x \" <", "& amp ; & lt ; b & gt ; & quot ; x & quot ; & amp ; lt ;",
      "& amp ; & lt ; b & gt ; & quot ; x & quot ; & amp ; lt ;",
      "& a m p ; & l t ; b & g t ; & q u o t ; x & q u o t ; & a m p ; l t ;"}},
    {"<skipped>end", {"end", "< skipped > end", "< skipped > end", "< s k i p p e d > e n d"}},
    {"今天天气很好，3.5度。",
     {"今天天气很好，3.5度。", "今天天气很好 ， 3.5度 。", "今 天 天 气 很 好 ， 3.5 度 。",
      "今 天 天 气 很 好 ， 3 . 5 度 。"}},
    {"「引」カタカナ 한국어",
     {"「引」カタカナ 한국어", "「 引 」 カタカナ 한국어", "「 引 」 カタカナ 한국어",
      "「 引 」 カ タ カ ナ 한 국 어"}},
    {"😀👍\xF0\x9F\x8F\xBD ok👩\xE2\x80\x8D👧",
     {"😀👍\xF0\x9F\x8F\xBD ok👩\xE2\x80\x8D👧", "😀 👍 \xF0\x9F\x8F\xBD ok 👩 \xE2\x80\x8D 👧",
      "😀👍\xF0\x9F\x8F\xBD ok👩 \xE2\x80\x8D 👧", "😀 👍 \xF0\x9F\x8F\xBD o k 👩 \xE2\x80\x8D 👧"}},
    {"e\xCC\x81te\xCC\x81 nai\xCC\x88ve",
     {"e\xCC\x81te\xCC\x81 nai\xCC\x88ve", "e\xCC\x81te\xCC\x81 nai\xCC\x88ve", "e\xCC\x81te\xCC\x81 nai\xCC\x88ve",
      "e \xCC\x81 t e \xCC\x81 n a i \xCC\x88 v e"}},
    {"½ ² Ⅷ ٣،٤ ३।", {"½ ² Ⅷ ٣،٤ ३।", "½ ² Ⅷ ٣،٤ ३।", "½ ² Ⅷ ٣،٤ ३।", "½ ² Ⅷ ٣ ، ٤ ३ ।"}},
    {"no\xC2\xA0"
     "break\xE3\x80\x80space\xE2\x80\x8Bzero",
     {"no break space\xE2\x80\x8Bzero", "no break space\xE2\x80\x8Bzero", "no break space \xE2\x80\x8B zero",
      "n o b r e a k s p a c e \xE2\x80\x8B z e r o"}},
    {"x\xC2\xADy a_b #tag @me C++",
     {"x\xC2\xADy a _ b # tag @ me C + +", "x\xC2\xADy a _ b # tag @ me C + +", "x\xC2\xADy a _ b # tag @ me C + +",
      "x \xC2\xAD y a _ b # t a g @ m e C + +"}},
    {"，。！？１２．５ ａｂ ㈱",
     {"，。！？１２．５ ａｂ ㈱", "， 。 ！ ？ １２．５ ａｂ ㈱", "， 。 ！ ？ １ ２ ． ５ ａ ｂ ㈱",
      "， 。 ！ ？ １ ２ ． ５ ａ ｂ ㈱"}},
    {"\xF0\xA0\x80\x80\xF0\xA0\x80\x81 x",
     {"\xF0\xA0\x80\x80\xF0\xA0\x80\x81 x", "\xF0\xA0\x80\x80\xF0\xA0\x80\x81 x", "\xF0\xA0\x80\x80\xF0\xA0\x80\x81 x",
      "\xF0\xA0\x80\x80 \xF0\xA0\x80\x81 x"}},
    {"🏳\xEF\xB8\x8F\xE2\x80\x8D🌈!",
     {"🏳\xEF\xB8\x8F\xE2\x80\x8D🌈 !", "🏳 \xEF\xB8\x8F\xE2\x80\x8D 🌈 !",
      "🏳\xEF\xB8\x8F \xE2\x80\x8D 🌈 !", "🏳 \xEF\xB8\x8F \xE2\x80\x8D 🌈 !"}},
    {"a^b`c~d|e+f=g<h>i",
     {"a ^ b ` c ~ d | e + f = g < h > i", "a ^ b ` c ~ d | e + f = g < h > i", "a ^ b ` c ~ d | e + f = g < h > i",
      "a ^ b ` c ~ d | e + f = g < h > i"}},
    {"؟ 12؟ 3؟4", {"؟ 12؟ 3؟4", "؟ 12 ؟ 3؟4", "؟ 12؟ 3؟4", "؟ 1 2 ؟ 3 ؟ 4"}},
    {"  lead and trail  ", {"lead and trail", "lead and trail", "lead and trail", "l e a d a n d t r a i l"}},
    {"…—–", {"…—–", "… — –", "… — –", "… — –"}},
    {"\xE2\x80\xA8x\x1Fy", {"x y", "x y", "x y", "x y"}},
};

/* The text with one space for each run of white space and none at its ends; the caller frees it. */
static at_buf squeeze(const at_buf *text)
{
    at_buf out = {0};
    bool space = false;
    assert_int_equal(at_buf_puts(&out, "", NULL), ATT_OK);
    for (size_t at = 0; at < text->len;) {
        uint32_t code;
        const size_t count = at_utf8_next(text->data + at, text->len - at, &code);
        if (at_utf8_is_space(code)) {
            space = true;
        } else {
            if (space && out.len > 0) assert_int_equal(at_buf_puts(&out, " ", NULL), ATT_OK);
            assert_int_equal(at_buf_add(&out, text->data + at, count, NULL), ATT_OK);
            space = false;
        }
        at += count;
    }
    return out;
}

static void test_tokens(void **state)
{
    (void)state;
    at_buf out = {0}, spare = {0};
    for (size_t i = 0; i < COUNT(expectations); i++) {
        for (int k = 0; k < KINDS; k++) {
            const at_text line = as_text(expectations[i].line);
            assert_int_equal(at_bleu_tokenize_line(line, kinds[k], &out, &spare, NULL), ATT_OK);
            at_buf tokens = squeeze(&out);
            assert_string_equal(tokens.data, expectations[i].tokens[k]);
            at_buf_free(&tokens);
        }
    }
    at_buf_free(&out);
    at_buf_free(&spare);
}

static void test_none_leaves_the_line(void **state)
{
    (void)state;
    at_buf out = {0}, spare = {0};
    assert_int_equal(at_bleu_tokenize_line(as_text(" a.b,  c\t"), ATT_TOKENIZE_NONE, &out, &spare, NULL), ATT_OK);
    assert_string_equal(out.data, " a.b,  c");
    at_buf_free(&out);
    at_buf_free(&spare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tokens), cmocka_unit_test(test_none_leaves_the_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
