/* Templates, sayings and nouns with what goes with them; phrase_words.h describes the columns. Texts stand in the order
 * Chinese, German, English. Verbs are in phrase_verbs.c. */
#include "data/phrase_words.h"

/* ---- templates ---- */

static const at_phrase_template templates[] = {
    /* the teacher read a book in the library yesterday */
    {.weight = 330,
     .main = {.verbs = ATT_TENSES, .subjects = ATT_BEINGS, .parts = ATT_NEGATABLE},
     .text = {"{subject}{time}{aspect}{place}{verb}{recipient}{object}",
              "{subject} {finite} {early} {time} {not} {place} {late} {rest}",
              "{subject} {verb} {recipient} {object} {place} {time}"}},
    /* yesterday the teacher read a book */
    {.weight = 100,
     .main = {.verbs = ATT_DATED, .subjects = ATT_BEINGS, .parts = ATT_NEGATABLE | ATT_WITH_TIME},
     .text = {"{time}{subject}{aspect}{place}{verb}{recipient}{object}",
              "{time} {finite} {subject} {early} {not} {place} {late} {rest}",
              "{time} {subject} {verb} {recipient} {object} {place}"}},
    /* did the teacher read this book yesterday */
    {.weight = 70,
     .main = {.verbs = ATT_ASKED, .subjects = ATT_BEINGS},
     .text = {"{subject}{time}{aspect}{place}{verb}{recipient}{object}吗",
              "{finite} {subject} {early} {time} {place} {late} {rest}",
              "{auxiliary} {subject} {main} {recipient} {object} {place} {time}"}},
    /* what did the teacher read in the library */
    {.weight = 40,
     .main = {.verbs = ATT_ASKED, .subjects = ATT_PEOPLE, .parts = ATT_OBJECTLESS},
     .text = {"{subject}{time}{aspect}{place}{verb}什么", "was {finite} {subject} {time} {place} {rest}",
              "what {auxiliary} {subject} {main} {place} {time}"}},
    /* who read this book */
    {.weight = 40,
     .main = {.verbs = ATT_TENSES, .subjects = ATT_WHO},
     .text = {"{subject}{time}{aspect}{place}{verb}{recipient}{object}",
              "{subject} {finite} {early} {time} {place} {late} {rest}",
              "{subject} {verb} {recipient} {object} {place} {time}"}},
    /* i know that the teacher read this book */
    {.weight = 80,
     .main = {.verbs = ATT_THAT, .subjects = ATT_PEOPLE, .parts = ATT_SHORT},
     .second = {.verbs = ATT_TENSES, .subjects = ATT_BEINGS, .parts = ATT_SHORT | ATT_NEGATABLE},
     .text = {"{subject}{verb}{2.subject}{2.time}{2.aspect}{2.verb}{2.recipient}{2.object}",
              "{subject} {finite}, dass {2.subject} {2.early} {2.time} {2.not} {2.late} {2.final}",
              "{subject} {verb} that {2.subject} {2.verb} {2.recipient} {2.object} {2.time}"}},
    /* i hope that the teacher can read this book */
    {.weight = 20,
     .main = {.verbs = ATT_HOPE, .subjects = ATT_PEOPLE, .parts = ATT_SHORT},
     .second = {.verbs = ATT_FUTURE | ATT_CAN, .subjects = ATT_BEINGS, .parts = ATT_SHORT | ATT_NEGATABLE},
     .text = {"{subject}{verb}{2.subject}{2.time}{2.aspect}{2.verb}{2.recipient}{2.object}",
              "{subject} {finite}, dass {2.subject} {2.early} {2.time} {2.not} {2.late} {2.final}",
              "{subject} {verb} that {2.subject} {2.verb} {2.recipient} {2.object} {2.time}"}},
    /* the teacher is happy because the students read this book */
    {.weight = 50,
     .main = {.subjects = ATT_PEOPLE, .parts = ATT_SHORT | ATT_WITH_QUALITY | ATT_CAUSED},
     .second = {.verbs = ATT_TENSES, .subjects = ATT_BEINGS, .parts = ATT_SHORT | ATT_NEGATABLE},
     .text = {"{subject}{quality}，因为{2.subject}{2.time}{2.aspect}{2.verb}{2.recipient}{2.object}",
              "{subject} {quality}, weil {2.subject} {2.early} {2.time} {2.not} {2.late} {2.final}",
              "{subject} {quality} because {2.subject} {2.verb} {2.recipient} {2.object} {2.time}"}},
    /* this book is very interesting */
    {.weight = 70,
     .main = {.subjects = ATT_BEINGS | ATT_THING | ATT_MASS | ATT_TAUGHT | ATT_SCIENCE,
              .parts = ATT_SHORT | ATT_WITH_QUALITY | ATT_NEGATABLE},
     .text = {"{subject}{quality}", "{subject} {quality}", "{subject} {quality}"}},
    /* the cat is in the garden */
    {.weight = 30,
     .main = {.subjects = ATT_BEINGS | ATT_PORTABLE, .parts = ATT_WITH_PLACE},
     .text = {"{subject}{place}", "{subject} {be} {place}", "{subject} {be} {place}"}},
    /* there is a cat in the garden */
    {.weight = 30,
     .main = {.objects = ATT_PERSON | ATT_ANIMAL | ATT_PORTABLE | ATT_EDIBLE | ATT_DRINKABLE,
              .determiners = ATT_AS_NEW,
              .parts = ATT_WITH_PLACE},
     .text = {"{inside}有{object}", "{place} gibt es {object}", "there {exists} {object} {place}"}},
    /* this is my book */
    {.weight = 20,
     .main = {.objects = ATT_COUNTED | ATT_NAME | ATT_MASS | ATT_TAUGHT | ATT_SCIENCE, .determiners = ATT_AS_SHOWN},
     .text = {"这是{object}", "das ist {nominative}", "this is {object}"}},
    /* the small cat */
    {.weight = 50,
     .main = {.objects = ATT_COUNTED | ATT_MASS | ATT_TAUGHT | ATT_SCIENCE, .determiners = ATT_AS_OBJECT},
     .text = {"{object}", "{nominative}", "{object}"}},
    /* machine learning */
    {.weight = 20,
     .main = {.objects = ATT_TAUGHT | ATT_SCIENCE | ATT_MODEL, .determiners = ATT_AS_TITLE, .parts = ATT_SHORT},
     .text = {"{object}", "{nominative}", "{object}"}},
    /* my friend is thirty-five years old */
    {.weight = 40,
     .main = {.subjects = ATT_PEOPLE, .numbers = 99},
     .text = {"{subject}今年{number}岁", "{subject} {be} {number} Jahre alt", "{subject} {be} {number} years old"}},
    /* this book costs thirty-five euros */
    {.weight = 30,
     .main = {.verbs = ATT_PRICE, .subjects = ATT_GOODS, .numbers = 99},
     .text = {"{subject}{verb}{number}欧元", "{subject} {finite} {number} Euro", "{subject} {verb} {number} euros"}},
    /* it is three o'clock */
    {.weight = 8,
     .main = {.numbers = 12},
     .text = {"现在是{number}点", "es ist {number} Uhr", "it is {number} o'clock"}},
    /* today is monday */
    {.weight = 8, .main = {.parts = ATT_WITH_WEEKDAY}, .text = {"今天是{day}", "heute ist {day}", "today is {day}"}},
    /* tomorrow is tuesday */
    {.weight = 8,
     .main = {.parts = ATT_WITH_WEEKDAY},
     .text = {"明天是{day}", "morgen ist {day}", "tomorrow is {day}"}},
    /* today is 3 may 2021 */
    {.weight = 15, .main = {.parts = ATT_WITH_DATE}, .text = {"今天是{day}", "heute ist der {day}", "today is {day}"}},
    /* my name is anna */
    {.weight = 8,
     .main = {.objects = ATT_NAME, .determiners = ATT_AS_OBJECT},
     .text = {"我叫{object}", "ich heiße {object}", "my name is {object}"}},
    /* welcome to berlin */
    {.weight = 5,
     .main = {.objects = ATT_CITY, .determiners = ATT_AS_OBJECT},
     .text = {"欢迎来到{object}", "willkommen in {object}", "welcome to {object}"}},
    /* good morning anna */
    {.weight = 20,
     .main = {.sayings = ATT_ADDRESS, .objects = ATT_NAME, .determiners = ATT_AS_OBJECT},
     .text = {"{saying}，{object}", "{saying}, {object}", "{saying} {object}"}},
    /* hi how are you */
    {.weight = 50, .main = {.sayings = ATT_ALONE}, .text = {"{saying}", "{saying}", "{saying}"}},
};
const at_phrase_table at_phrase_templates = {templates, sizeof templates / sizeof templates[0], sizeof templates[0],
                                             offsetof(at_phrase_template, weight)};

/* ---- sayings, times, numbers ---- */

static const at_phrase_word sayings[] = {
    {ATT_ALONE, {"你好，你好吗", "hallo, wie geht es dir", "hi how are you"}},
    {ATT_ALONE, {"我很好，谢谢", "mir geht es gut, danke", "i am fine thank you"}},
    {ATT_ADDRESS, {"你好", "hallo", "hi"}},
    {ATT_ADDRESS, {"早上好", "guten Morgen", "good morning"}},
    {ATT_ADDRESS, {"下午好", "guten Tag", "good afternoon"}},
    {ATT_ADDRESS, {"晚上好", "guten Abend", "good evening"}},
    {ATT_ADDRESS, {"晚安", "gute Nacht", "good night"}},
    {ATT_ADDRESS, {"再见", "auf Wiedersehen", "goodbye"}},
    {ATT_ADDRESS, {"谢谢", "danke", "thank you"}},
    {ATT_ALONE | ATT_ADDRESS, {"非常感谢", "vielen Dank", "thank you very much"}},
    {ATT_ALONE | ATT_ADDRESS, {"明天见", "bis morgen", "see you tomorrow"}},
    {ATT_ALONE | ATT_ADDRESS, {"生日快乐", "alles Gute zum Geburtstag", "happy birthday"}},
    {ATT_ALONE | ATT_ADDRESS, {"祝你好运", "viel Glück", "good luck"}},
    {ATT_ALONE, {"新年快乐", "ein frohes neues Jahr", "happy new year"}},
    {ATT_ALONE, {"周末愉快", "schönes Wochenende", "have a nice weekend"}},
    {ATT_ALONE, {"一路平安", "gute Reise", "have a good trip"}},
    {ATT_ALONE, {"不客气", "gern geschehen", "you are welcome"}},
    {ATT_ALONE, {"对不起", "es tut mir leid", "i am sorry"}},
    {ATT_ALONE, {"没关系", "das macht nichts", "never mind"}},
    {ATT_ALONE, {"你叫什么名字", "wie heißt du", "what is your name"}},
    {ATT_ALONE, {"很高兴认识你", "freut mich, dich kennenzulernen", "nice to meet you"}},
    {ATT_ALONE, {"你从哪里来", "woher kommst du", "where are you from"}},
    {ATT_ALONE, {"现在几点了", "wie spät ist es", "what time is it"}},
    {ATT_ALONE, {"我不明白", "das verstehe ich nicht", "i do not understand"}},
    {ATT_ALONE, {"请再说一遍", "bitte sag das noch einmal", "please say that again"}},
    {ATT_ALONE, {"我爱你", "ich liebe dich", "i love you"}},
    {ATT_ALONE, {"今天天气很好", "das Wetter ist heute schön", "the weather is nice today"}},
    {ATT_ALONE, {"外面在下雨", "draußen regnet es", "it is raining outside"}},
    {ATT_ALONE, {"洗手间在哪里", "wo ist die Toilette", "where is the toilet"}},
};
const at_phrase_table at_phrase_sayings = {sayings, sizeof sayings / sizeof sayings[0], sizeof sayings[0], 0};

static const at_phrase_time times[] = {
    {ATT_PAST, {"昨天", "gestern", "yesterday"}, ATT_NO_DAY},
    {ATT_PAST, {"上周", "letzte Woche", "last week"}, ATT_NO_DAY},
    {ATT_PAST, {"去年", "letztes Jahr", "last year"}, ATT_NO_DAY},
    {ATT_PAST, {"", "am", "on"}, ATT_DATE},
    {ATT_PAST | ATT_FUTURE | ATT_MUST, {"今天", "heute", "today"}, ATT_NO_DAY},
    {ATT_PAST | ATT_FUTURE | ATT_MUST, {"", "am", "on"}, ATT_WEEKDAY},
    {ATT_FUTURE | ATT_MUST, {"明天", "morgen", "tomorrow"}, ATT_NO_DAY},
    {ATT_FUTURE | ATT_MUST, {"下周", "nächste Woche", "next week"}, ATT_NO_DAY},
    {ATT_FUTURE, {"明年", "nächstes Jahr", "next year"}, ATT_NO_DAY},
    {ATT_HABIT, {"每天", "jeden Tag", "every day"}, ATT_NO_DAY},
    {ATT_HABIT, {"每周", "jede Woche", "every week"}, ATT_NO_DAY},
    {ATT_HABIT, {"每个", "jeden", "every"}, ATT_WEEKDAY},
};
const at_phrase_table at_phrase_times = {times, sizeof times / sizeof times[0], sizeof times[0], 0};

const at_phrase_word at_phrase_weekdays[7] = {
    {0, {"星期一", "Montag", "monday"}},      {0, {"星期二", "Dienstag", "tuesday"}},
    {0, {"星期三", "Mittwoch", "wednesday"}}, {0, {"星期四", "Donnerstag", "thursday"}},
    {0, {"星期五", "Freitag", "friday"}},     {0, {"星期六", "Samstag", "saturday"}},
    {0, {"星期天", "Sonntag", "sunday"}},
};

const at_phrase_word at_phrase_months[12] = {
    {0, {"1月", "Januar", "january"}},
    {0, {"2月", "Februar", "february"}},
    {0, {"3月", "März", "march"}},
    {0, {"4月", "April", "april"}},
    {0, {"5月", "Mai", "may"}},
    {0, {"6月", "Juni", "june"}},
    {0, {"7月", "Juli", "july"}},
    {0, {"8月", "August", "august"}},
    {0, {"9月", "September", "september"}},
    {0, {"10月", "Oktober", "october"}},
    {0, {"11月", "November", "november"}},
    {0, {"12月", "Dezember", "december"}},
};

/* "ein" for 1: it is said in einundzwanzig only. */
const at_phrase_word at_phrase_units[20] = {
    {0, {"", "", ""}},
    {0, {"一", "ein", "one"}},
    {0, {"二", "zwei", "two"}},
    {0, {"三", "drei", "three"}},
    {0, {"四", "vier", "four"}},
    {0, {"五", "fünf", "five"}},
    {0, {"六", "sechs", "six"}},
    {0, {"七", "sieben", "seven"}},
    {0, {"八", "acht", "eight"}},
    {0, {"九", "neun", "nine"}},
    {0, {"十", "zehn", "ten"}},
    {0, {"十一", "elf", "eleven"}},
    {0, {"十二", "zwölf", "twelve"}},
    {0, {"十三", "dreizehn", "thirteen"}},
    {0, {"十四", "vierzehn", "fourteen"}},
    {0, {"十五", "fünfzehn", "fifteen"}},
    {0, {"十六", "sechzehn", "sixteen"}},
    {0, {"十七", "siebzehn", "seventeen"}},
    {0, {"十八", "achtzehn", "eighteen"}},
    {0, {"十九", "neunzehn", "nineteen"}},
};

const at_phrase_word at_phrase_tens[10] = {
    {0, {"", "", ""}},
    {0, {"", "", ""}},
    {0, {"二十", "zwanzig", "twenty"}},
    {0, {"三十", "dreißig", "thirty"}},
    {0, {"四十", "vierzig", "forty"}},
    {0, {"五十", "fünfzig", "fifty"}},
    {0, {"六十", "sechzig", "sixty"}},
    {0, {"七十", "siebzig", "seventy"}},
    {0, {"八十", "achtzig", "eighty"}},
    {0, {"九十", "neunzig", "ninety"}},
};

/* ---- determiners ---- */

static const at_phrase_declension definite = {
    .determiner = {{"er", "ie", "as", "ie"}, {"en", "ie", "as", "ie"}, {"em", "er", "em", "en"}},
    .adjective = {{"e", "e", "e", "en"}, {"en", "e", "e", "en"}, {"en", "en", "en", "en"}},
};
static const at_phrase_declension demonstrative = {
    .determiner = {{"er", "e", "es", "e"}, {"en", "e", "es", "e"}, {"em", "er", "em", "en"}},
    .adjective = {{"e", "e", "e", "en"}, {"en", "e", "e", "en"}, {"en", "en", "en", "en"}},
};
static const at_phrase_declension indefinite = {
    .determiner = {{"", "e", "", "e"}, {"en", "e", "", "e"}, {"em", "er", "em", "en"}},
    .adjective = {{"er", "e", "es", "en"}, {"en", "e", "es", "en"}, {"en", "en", "en", "en"}},
};
static const at_phrase_declension bare = {
    .determiner = {{"", "", "", ""}, {"", "", "", ""}, {"", "", "", ""}},
    .adjective = {{"er", "e", "es", "e"}, {"en", "e", "es", "e"}, {"em", "er", "em", "en"}},
};

enum { ANY = ATT_COUNTED | ATT_USUAL };

/* kinds, weight | Chinese before the measure word, after the noun | English | German stem, declension | traits */
static const at_phrase_determiner determiners[] = {
    {ATT_ANIMAL | ATT_AS_KNOWN, 8, "", "", "the", "d", &definite, ATT_EARLY},
    {ATT_PERSON | ATT_USUAL, 8, "", "", "the", "d", &definite, ATT_EARLY},
    {ATT_PLACE | ATT_USUAL, 40, "", "", "the", "d", &definite, ATT_EARLY},
    {ATT_PERSON | ATT_USUAL, 3, "", "们", "the", "d", &definite, ATT_EARLY | ATT_IN_PLURAL},
    {ATT_COUNTED | ATT_AS_OBJECT | ATT_AS_NEW | ATT_AS_SHOWN, 6, "一", "", "a", "ein", &indefinite, ATT_MEASURED},
    {ATT_COUNTED | ATT_AS_OBJECT | ATT_AS_NEW, 4, "", "", "", "", &bare, ATT_MEASURED | ATT_NUMBERED | ATT_IN_PLURAL},
    {ANY, 3, "这", "", "this", "dies", &demonstrative, ATT_EARLY | ATT_MEASURED},
    {ANY, 1, "那", "", "that", "jen", &demonstrative, ATT_EARLY | ATT_MEASURED},
    {ANY, 2, "这些", "", "these", "dies", &demonstrative, ATT_EARLY | ATT_IN_PLURAL},
    {ANY, 1, "那些", "", "those", "jen", &demonstrative, ATT_EARLY | ATT_IN_PLURAL},
    {ANY | ATT_AS_SHOWN, 1, "我的", "", "my", "mein", &indefinite, ATT_EARLY | ATT_LINKED},
    {ANY | ATT_AS_SHOWN, 1, "你的", "", "your", "dein", &indefinite, ATT_EARLY | ATT_LINKED},
    {ANY | ATT_AS_SHOWN, 1, "他的", "", "his", "sein", &indefinite, ATT_EARLY | ATT_LINKED},
    {ANY | ATT_AS_SHOWN, 1, "她的", "", "her", "ihr", &indefinite, ATT_EARLY | ATT_LINKED},
    {ANY | ATT_AS_SHOWN, 1, "我们的", "", "our", "unser", &indefinite, ATT_EARLY | ATT_LINKED},
    {ATT_NAME | ATT_CITY | ATT_USUAL | ATT_AS_SHOWN, 1, "", "", "", "", &bare, ATT_EARLY},
    {ATT_MASS | ATT_AS_OBJECT | ATT_AS_KNOWN | ATT_AS_NEW | ATT_AS_SHOWN, 1, "", "", "", "", &bare, 0},
    {ATT_MASS | ATT_AS_NEGATED, 1, "", "", "", "kein", &indefinite, ATT_NEGATES},
    {ATT_TAUGHT | ATT_SCIENCE | ATT_AS_OBJECT | ATT_AS_KNOWN | ATT_AS_SHOWN, 1, "", "", "", "", &bare, 0},
    {ATT_TAUGHT | ATT_SCIENCE | ATT_AS_NEGATED, 1, "", "", "", "", &bare, ATT_EARLY},
    {ATT_TAUGHT | ATT_SCIENCE | ATT_MODEL | ATT_AS_TITLE, 1, "", "", "", "", &bare, 0},
};
const at_phrase_table at_phrase_determiners = {determiners, sizeof determiners / sizeof determiners[0],
                                               sizeof determiners[0], offsetof(at_phrase_determiner, weight)};

/* ---- pronouns, nouns, adjectives ---- */

static const at_phrase_pronoun pronouns[] = {
    {ATT_FIRST, ATT_ICH, "我", "i", "me", {"ich", "mich", "mir"}},
    {ATT_FIRST, ATT_WIR, "我们", "we", "us", {"wir", "uns", "uns"}},
    {ATT_SECOND, ATT_DU, "你", "you", "you", {"du", "dich", "dir"}},
    {ATT_THIRD, ATT_ER, "他", "he", "him", {"er", "ihn", "ihm"}},
    {ATT_THIRD, ATT_ER, "她", "she", "her", {"sie", "sie", "ihr"}},
    {ATT_THEY, ATT_SIE, "他们", "they", "them", {"sie", "sie", "ihnen"}},
    {ATT_WHO, ATT_ER, "谁", "who", "whom", {"wer", "wen", "wem"}},
};
const at_phrase_table at_phrase_pronouns = {pronouns, sizeof pronouns / sizeof pronouns[0], sizeof pronouns[0], 0};

enum { /* what many nouns are */
       TEXT = ATT_THING | ATT_READABLE | ATT_WRITABLE,
       WARE = ATT_THING | ATT_GOODS | ATT_DURABLE,
       TOOL = WARE | ATT_PORTABLE,
       FRUIT = ATT_THING | ATT_GOODS | ATT_PORTABLE | ATT_EDIBLE,
       FOOD = ATT_MASS | ATT_GOODS | ATT_EDIBLE,
       DRINK = ATT_MASS | ATT_GOODS | ATT_DRINKABLE,
       FIELD = ATT_TAUGHT | ATT_SCIENCE
};

static const at_phrase_noun nouns[] = {
    {ATT_PERSON, "老师", "位", "teacher", "teachers", ATT_DER, "Lehrer", "Lehrer", 0},
    {ATT_PERSON, "学生", "个", "student", "students", ATT_DER, "Student", "Studenten", 1},
    {ATT_PERSON, "教授", "位", "professor", "professors", ATT_DER, "Professor", "Professoren", 0},
    {ATT_PERSON, "科学家", "位", "scientist", "scientists", ATT_DER, "Wissenschaftler", "Wissenschaftler", 0},
    {ATT_PERSON, "工程师", "位", "engineer", "engineers", ATT_DER, "Ingenieur", "Ingenieure", 0},
    {ATT_PERSON, "医生", "位", "doctor", "doctors", ATT_DER, "Arzt", "Ärzte", 0},
    {ATT_PERSON, "护士", "位", "nurse", "nurses", ATT_DIE, "Krankenschwester", "Krankenschwestern", 0},
    {ATT_PERSON, "司机", "位", "driver", "drivers", ATT_DER, "Fahrer", "Fahrer", 0},
    {ATT_PERSON, "厨师", "位", "cook", "cooks", ATT_DER, "Koch", "Köche", 0},
    {ATT_PERSON, "邻居", "位", "neighbour", "neighbours", ATT_DER, "Nachbar", "Nachbarn", 1},
    {ATT_PERSON, "朋友", "位", "friend", "friends", ATT_DER, "Freund", "Freunde", 0},
    {ATT_PERSON, "孩子", "个", "child", "children", ATT_DAS, "Kind", "Kinder", 0},
    {ATT_PERSON, "男孩", "个", "boy", "boys", ATT_DER, "Junge", "Jungen", 1},
    {ATT_PERSON, "女孩", "个", "girl", "girls", ATT_DAS, "Mädchen", "Mädchen", 0},
    {ATT_PERSON, "男人", "个", "man", "men", ATT_DER, "Mann", "Männer", 0},
    {ATT_PERSON, "女人", "个", "woman", "women", ATT_DIE, "Frau", "Frauen", 0},
    {ATT_PERSON, "爸爸", "位", "father", "fathers", ATT_DER, "Vater", "Väter", 0},
    {ATT_PERSON, "妈妈", "位", "mother", "mothers", ATT_DIE, "Mutter", "Mütter", 0},

    {ATT_NAME, "安娜", NULL, "anna", NULL, ATT_DIE, "Anna", NULL, 0},
    {ATT_NAME, "玛丽亚", NULL, "maria", NULL, ATT_DIE, "Maria", NULL, 0},
    {ATT_NAME, "丽莎", NULL, "lisa", NULL, ATT_DIE, "Lisa", NULL, 0},
    {ATT_NAME, "彼得", NULL, "peter", NULL, ATT_DER, "Peter", NULL, 0},
    {ATT_NAME, "保罗", NULL, "paul", NULL, ATT_DER, "Paul", NULL, 0},
    {ATT_NAME, "托马斯", NULL, "thomas", NULL, ATT_DER, "Thomas", NULL, 0},
    {ATT_NAME, "小明", NULL, "xiaoming", NULL, ATT_DER, "Xiaoming", NULL, 0},

    {ATT_ANIMAL, "猫", "只", "cat", "cats", ATT_DIE, "Katze", "Katzen", 0},
    {ATT_ANIMAL, "狗", "只", "dog", "dogs", ATT_DER, "Hund", "Hunde", 0},
    {ATT_ANIMAL, "鸟", "只", "bird", "birds", ATT_DER, "Vogel", "Vögel", 0},
    {ATT_ANIMAL, "马", "匹", "horse", "horses", ATT_DAS, "Pferd", "Pferde", 0},
    {ATT_ANIMAL, "老鼠", "只", "mouse", "mice", ATT_DIE, "Maus", "Mäuse", 0},
    {ATT_ANIMAL, "猴子", "只", "monkey", "monkeys", ATT_DER, "Affe", "Affen", 1},

    {ATT_PLACE, "公园", "个", "park", "parks", ATT_DER, "Park", "Parks", 0},
    {ATT_PLACE, "花园", "个", "garden", "gardens", ATT_DER, "Garten", "Gärten", 0},
    {ATT_PLACE, "学校", "所", "school", "schools", ATT_DIE, "Schule", "Schulen", 0},
    {ATT_PLACE, "图书馆", "座", "library", "libraries", ATT_DIE, "Bibliothek", "Bibliotheken", 0},
    {ATT_PLACE, "厨房", "间", "kitchen", "kitchens", ATT_DIE, "Küche", "Küchen", 0},
    {ATT_PLACE, "办公室", "间", "office", "offices", ATT_DAS, "Büro", "Büros", 0},
    {ATT_PLACE, "医院", "家", "hospital", "hospitals", ATT_DAS, "Krankenhaus", "Krankenhäuser", 0},
    {ATT_PLACE, "博物馆", "座", "museum", "museums", ATT_DAS, "Museum", "Museen", 0},

    {ATT_CITY, "北京", NULL, "beijing", NULL, ATT_DAS, "Peking", NULL, 0},
    {ATT_CITY, "柏林", NULL, "berlin", NULL, ATT_DAS, "Berlin", NULL, 0},
    {ATT_CITY, "巴黎", NULL, "paris", NULL, ATT_DAS, "Paris", NULL, 0},
    {ATT_CITY, "伦敦", NULL, "london", NULL, ATT_DAS, "London", NULL, 0},
    {ATT_CITY, "维也纳", NULL, "vienna", NULL, ATT_DAS, "Wien", NULL, 0},

    {TEXT | TOOL, "书", "本", "book", "books", ATT_DAS, "Buch", "Bücher", 0},
    {TEXT | ATT_PORTABLE | ATT_OPENABLE, "信", "封", "letter", "letters", ATT_DER, "Brief", "Briefe", 0},
    {TEXT, "故事", "个", "story", "stories", ATT_DIE, "Geschichte", "Geschichten", 0},
    {TEXT, "诗", "首", "poem", "poems", ATT_DAS, "Gedicht", "Gedichte", 0},
    {TEXT, "文章", "篇", "article", "articles", ATT_DER, "Artikel", "Artikel", 0},
    {ATT_THING | ATT_READABLE | ATT_PORTABLE | ATT_GOODS, "报纸", "份", "newspaper", "newspapers", ATT_DIE, "Zeitung",
     "Zeitungen", 0},
    {TOOL | ATT_OPENABLE, "箱子", "个", "box", "boxes", ATT_DIE, "Kiste", "Kisten", 0},
    {ATT_THING | ATT_DURABLE | ATT_OPENABLE, "门", "扇", "door", "doors", ATT_DIE, "Tür", "Türen", 0},
    {ATT_THING | ATT_DURABLE | ATT_OPENABLE, "窗户", "扇", "window", "windows", ATT_DAS, "Fenster", "Fenster", 0},
    {WARE, "桌子", "张", "table", "tables", ATT_DER, "Tisch", "Tische", 0},
    {WARE, "椅子", "把", "chair", "chairs", ATT_DER, "Stuhl", "Stühle", 0},
    {WARE, "房子", "栋", "house", "houses", ATT_DAS, "Haus", "Häuser", 0},
    {WARE | ATT_MACHINE, "汽车", "辆", "car", "cars", ATT_DAS, "Auto", "Autos", 0},
    {WARE | ATT_MACHINE, "自行车", "辆", "bicycle", "bicycles", ATT_DAS, "Fahrrad", "Fahrräder", 0},
    {WARE | ATT_MACHINE, "电脑", "台", "computer", "computers", ATT_DER, "Computer", "Computer", 0},
    {TOOL | ATT_MACHINE, "手机", "部", "phone", "phones", ATT_DAS, "Handy", "Handys", 0},
    {TOOL | ATT_MACHINE, "相机", "台", "camera", "cameras", ATT_DIE, "Kamera", "Kameras", 0},
    {TOOL, "杯子", "个", "cup", "cups", ATT_DIE, "Tasse", "Tassen", 0},
    {TOOL, "衬衫", "件", "shirt", "shirts", ATT_DAS, "Hemd", "Hemden", 0},
    {TOOL, "帽子", "顶", "hat", "hats", ATT_DER, "Hut", "Hüte", 0},
    {TOOL, "雨伞", "把", "umbrella", "umbrellas", ATT_DER, "Regenschirm", "Regenschirme", 0},
    {TOOL, "钥匙", "把", "key", "keys", ATT_DER, "Schlüssel", "Schlüssel", 0},
    {TOOL | ATT_OPENABLE, "礼物", "份", "gift", "gifts", ATT_DAS, "Geschenk", "Geschenke", 0},

    {FRUIT, "苹果", "个", "apple", "apples", ATT_DER, "Apfel", "Äpfel", 0},
    {FRUIT, "香蕉", "根", "banana", "bananas", ATT_DIE, "Banane", "Bananen", 0},
    {FRUIT, "鸡蛋", "个", "egg", "eggs", ATT_DAS, "Ei", "Eier", 0},
    {FRUIT, "蛋糕", "个", "cake", "cakes", ATT_DER, "Kuchen", "Kuchen", 0},
    {FOOD, "面包", NULL, "bread", NULL, ATT_DAS, "Brot", NULL, 0},
    {FOOD, "米饭", NULL, "rice", NULL, ATT_DER, "Reis", NULL, 0},
    {FOOD, "鱼", NULL, "fish", NULL, ATT_DER, "Fisch", NULL, 0},
    {FOOD, "奶酪", NULL, "cheese", NULL, ATT_DER, "Käse", NULL, 0},
    {DRINK, "水", NULL, "water", NULL, ATT_DAS, "Wasser", NULL, 0},
    {DRINK, "牛奶", NULL, "milk", NULL, ATT_DIE, "Milch", NULL, 0},
    {DRINK, "茶", NULL, "tea", NULL, ATT_DER, "Tee", NULL, 0},
    {DRINK, "咖啡", NULL, "coffee", NULL, ATT_DER, "Kaffee", NULL, 0},

    {ATT_TAUGHT, "中文", NULL, "chinese", NULL, ATT_DAS, "Chinesisch", NULL, 0},
    {ATT_TAUGHT, "德语", NULL, "german", NULL, ATT_DAS, "Deutsch", NULL, 0},
    {ATT_TAUGHT, "英语", NULL, "english", NULL, ATT_DAS, "Englisch", NULL, 0},
    {FIELD, "数学", NULL, "mathematics", NULL, ATT_DIE, "Mathematik", NULL, 0},
    {FIELD, "物理", NULL, "physics", NULL, ATT_DIE, "Physik", NULL, 0},
    {FIELD, "机器学习", NULL, "machine learning", NULL, ATT_DAS, "maschinell~ Lernen", NULL, 0},
    {FIELD, "深度学习", NULL, "deep learning", NULL, ATT_DAS, "tief~ Lernen", NULL, 0},
    {FIELD, "强化学习", NULL, "reinforcement learning", NULL, ATT_DAS, "bestärkend~ Lernen", NULL, 0},
    {FIELD, "人工智能", NULL, "artificial intelligence", NULL, ATT_DIE, "künstlich~ Intelligenz", NULL, 0},
    {FIELD, "机器翻译", NULL, "machine translation", NULL, ATT_DIE, "maschinell~ Übersetzung", NULL, 0},
    {FIELD, "语音识别", NULL, "speech recognition", NULL, ATT_DIE, "Spracherkennung", NULL, 0},
    {FIELD, "图像识别", NULL, "image recognition", NULL, ATT_DIE, "Bilderkennung", NULL, 0},
    {ATT_SCIENCE, "注意力", NULL, "attention", NULL, ATT_DIE, "Aufmerksamkeit", NULL, 0},
    {ATT_THING | ATT_MODEL, "神经网络", "个", "neural network", "neural networks", ATT_DAS, "neuronal~ Netz",
     "neuronal~ Netze", 0},
    {ATT_THING | ATT_MODEL, "语言模型", "个", "language model", "language models", ATT_DAS, "Sprachmodell",
     "Sprachmodelle", 0},
    {ATT_THING | ATT_MODEL, "算法", "个", "algorithm", "algorithms", ATT_DER, "Algorithmus", "Algorithmen", 0},
    {WARE | ATT_MACHINE, "机器人", "个", "robot", "robots", ATT_DER, "Roboter", "Roboter", 0},
};
const at_phrase_table at_phrase_nouns = {nouns, sizeof nouns / sizeof nouns[0], sizeof nouns[0], 0};

enum { OF_PERSON = ATT_PERSON | ATT_NAME };

static const at_phrase_adjective adjectives[] = {
    {OF_PERSON | ATT_FEELING, "高兴", "的", 1, "happy", "glücklich", "glücklich"},
    {OF_PERSON | ATT_FEELING, "难过", "的", 1, "sad", "traurig", "traurig"},
    {OF_PERSON | ATT_FEELING, "生气", "的", 1, "angry", "wütend", "wütend"},
    {OF_PERSON | ATT_FEELING, "疲倦", "的", 1, "tired", "müde", "müd"},
    {OF_PERSON, "年轻", "的", 1, "young", "jung", "jung"},
    {OF_PERSON, "有名", "的", 1, "famous", "berühmt", "berühmt"},
    {OF_PERSON | ATT_ANIMAL, "聪明", "的", 1, "clever", "klug", "klug"},
    {OF_PERSON | ATT_ANIMAL, "友好", "的", 1, "friendly", "freundlich", "freundlich"},
    {ATT_ANIMAL | ATT_PLACE | ATT_DURABLE | ATT_MODEL, "大", "", 1, "large", "groß", "groß"},
    {ATT_ANIMAL | ATT_PLACE | ATT_DURABLE | ATT_MODEL, "小", "", 1, "small", "klein", "klein"},
    {ATT_ANIMAL | ATT_PLACE | ATT_DURABLE, "漂亮", "的", 1, "beautiful", "schön", "schön"},
    {ATT_ANIMAL | ATT_DURABLE, "黑色", "的", 0, "black", "schwarz", "schwarz"},
    {ATT_ANIMAL | ATT_DURABLE, "白色", "的", 0, "white", "weiß", "weiß"},
    {ATT_DURABLE, "红色", "的", 0, "red", "rot", "rot"},
    {ATT_DURABLE, "蓝色", "的", 0, "blue", "blau", "blau"},
    {ATT_DURABLE | ATT_MODEL, "新", "", 1, "new", "neu", "neu"},
    {ATT_DURABLE, "旧", "", 1, "old", "alt", "alt"},
    {ATT_GOODS, "昂贵", "的", 1, "expensive", "teuer", "teur"},
    {ATT_GOODS, "便宜", "的", 1, "cheap", "billig", "billig"},
    {ATT_EDIBLE, "新鲜", "的", 1, "fresh", "frisch", "frisch"},
    {ATT_DRINKABLE, "热", "", 1, "hot", "heiß", "heiß"},
    {ATT_DRINKABLE, "冷", "", 1, "cold", "kalt", "kalt"},
    {ATT_READABLE | ATT_TAUGHT, "有趣", "的", 1, "interesting", "interessant", "interessant"},
    {ATT_READABLE | ATT_SCIENCE | ATT_MODEL, "重要", "的", 1, "important", "wichtig", "wichtig"},
    {ATT_TAUGHT, "难", "的", 1, "difficult", "schwierig", "schwierig"},
};
const at_phrase_table at_phrase_adjectives = {adjectives, sizeof adjectives / sizeof adjectives[0],
                                              sizeof adjectives[0], 0};
