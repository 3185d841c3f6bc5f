#!/bin/sh
# Broken corpora, and what becomes of each: broken_corpus.sh ATTEND
#
# A row makes a corpus (files s and t, unless it sets `text` and `checked`, the arguments of the two commands) and states
# what `attend train --dry-run` and `attend data check` make of it: exit status, a part of what is said, and how many
# pairs are kept. Both use one tokenizer and must agree: on stopping, and on every pair that is left out.
set -u

attend=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/attend-broken.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
LC_ALL=C
export LC_ALL
small="--width 16 --ffn 16 --heads 1 --encoder-layers 1 --decoder-layers 1"
rows=0
failed=0

# Cuts the tokenizer out of a model: a safetensors file is 8 bytes of header length, a JSON header, then the data.
extract_tokenizer() {
    length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    offsets=$(tail -c +9 "$1" | head -c "$length" |
        sed 's/.*"tokenizer.source":{[^}]*"data_offsets":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/')
    tail -c +$((8 + length + ${offsets% *} + 1)) "$1" | head -c $((${offsets#* } - ${offsets% *}))
}

prepare() {
    cd "$work" || exit 1
    "$attend" data make phrases -s de -t en --pairs 300 -o train >/dev/null &&
        "$attend" train --source train.de --target train.en $small --vocab-size 400 --steps 1 -o run 2>/dev/null &&
        extract_tokenizer run/last.safetensors >tokenizer || exit 1
    mkdir row
    cd row || exit 1
}

complain() {
    echo "FAILED: $kind: $1"
    shift
    printf '    %s\n' "$@"
    failed=$((failed + 1))
}

# A number of the JSON object in a file.
number() {
    sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$2"
}

expect() { # which status wanted says file
    if [ "$2" != "$3" ]; then complain "$1 ended with status $2, not $3" "$(cat "$5")"; fi
    if [ -n "$4" ] && ! grep -qF -- "$4" "$5"; then complain "$1 doesn't say: $4" "$(cat "$5")"; fi
}

# row KIND MAKE KEPT  TRAIN_STATUS TRAIN_SAYS  CHECK_STATUS CHECK_SAYS      KEPT is - when nothing is
row() {
    kind=$1
    rows=$((rows + 1))
    rm -rf ./*
    text="--source s --target t"
    checked="s t"
    eval "$2" || complain "the corpus can't be made" "$2"
    (eval "exec $attend train $text --dry-run --json -o run --tokenizer ../tokenizer $small") >../train.out 2>&1 </dev/null
    train=$?
    (eval "exec $attend data check $checked --json --tokenizer ../tokenizer") >../check.out 2>&1 </dev/null
    check=$?
    expect train "$train" "$4" "$5" ../train.out
    expect "data check" "$check" "$6" "$7" ../check.out
    if [ "$train" = 0 ] && [ "$check" = 0 ]; then
        trained="$(number pairs ../train.out) kept, $(number skipped ../train.out) left out"
        counted="$(number kept ../check.out) kept, $(number skipped ../check.out) left out"
        [ "$trained" = "$counted" ] || complain "they don't agree" "training: $trained" "data check: $counted"
        [ "$(number pairs ../train.out)" = "$3" ] || complain "$(number pairs ../train.out) pairs are kept, not $3"
    fi
    [ ! -e run ] || complain "the dry run wrote something"
}

found() { # kind left_out count lines -> the finding's JSON
    printf '{"kind":"%s","left_out":%s,"count":%s,"lines":[%s]}' "$1" "$2" "$3" "$4"
}

prepare
two='printf "Das Haus\nDer Hund\n" >s; printf "the house\nthe dog\n" >t'
add() { # source target: two good lines and one of these
    printf '%s; printf "%s\\n" >>s; printf "%s\\n" >>t' "$two" "$1" "$2"
}
more="the files must be parallel"
none="no sentence pair is left after"

# ---- nothing wrong ----
row "two good lines"           "$two"                                                2 0 '"skipped":0' 0 '"findings":[]'
row "no newline at the end"    'printf "Haus" >s; printf "house\n" >t'               1 0 '' 0 "$(found no-line-end false 1 1)"
row "one line"                 'echo Haus >s; echo house >t'                         1 0 '' 0 '"findings":[]'
# ---- emptiness ----
row "empty files"              ': >s; : >t'                                          - 1 "is empty; give text" 1 "$none 0 lines"
row "empty source"             "$two; : >s"                                          - 1 "s ends after line 0, but t has more: 2 lines" 1 "$more"
row "all lines empty"          'printf "\n\n\n" >s; printf "\n\n\n" >t'              - 1 "$none 3 lines: 3 empty (first: line 1)" 1 "$(found empty true 3 1,2,3)"
row "an empty source line"     "$(add '' x)"                                         2 0 '1 of 3 lines left out: 1 empty (first: line 3)' 0 "$(found empty-source true 1 3)"
row "an empty target line"     "$(add x '')"                                         2 0 '' 0 "$(found empty-target true 1 3)"
row "white space only"         "$(add ' \t ' x)"                                     2 0 '' 0 "$(found empty-source true 1 3)"
row "ideographic space only"   "$(add '\343\200\200' x)"                             2 0 '' 0 "$(found empty-source true 1 3)"
row "zero-width space only"    "$(add '\342\200\213' x)"                             2 0 '' 0 '"skipped":1'
row "all left out"             'printf "\377\n" >s; echo x >t'                       - 1 "$none 1 lines: 1 invalid-utf8" 1 "$(found invalid-utf8 true 1 1)"
# ---- line ends and marks ----
row "CR LF"                    'printf "Das Haus\r\nDer Hund\r\n" >s; printf "the house\nthe dog\n" >t' 2 0 '' 0 "$(found cr-lf false 2 1,2)"
row "CR alone on both sides"   'printf "Das Haus\rDer Hund\r" >s; printf "the house\rthe dog\r" >t' 1 0 '' 0 "$(found carriage-return false 1 1)"
row "CR alone on one side"     "$two; printf 'Das Haus\\rDer Hund\\r' >s"            - 1 "$more" 1 "s ends after line 1"
row "BOM on one side"          'printf "\357\273\277Haus\n" >s; echo house >t'       1 0 '' 0 "$(found byte-order-mark false 1 1)"
row "BOM on both sides"        'printf "\357\273\277Haus\n" >s; printf "\357\273\277house\n" >t' 1 0 '' 0 "$(found byte-order-mark false 1 1)"
row "a BOM and nothing"        'printf "\357\273\277" >s; : >t'                      - 1 "is empty; give text" 1 "$none 0 lines"
row "U+2028 in a line"         "$(add 'a\342\200\250b' 'c d')"                       3 0 '' 0 "$(found line-separator false 1 3)"
row "trailing lines"           "$two; printf '\\n\\n' >>t"                           - 1 "s ends after line 2, but t has more: 4 lines" 1 "$more"
row "one line too many"        "$two; echo x >>s"                                    - 1 "t ends after line 2, but s has more: 3 lines" 1 "$more"
row "many lines too many"      "$two; yes x | head -n 5000 >>s"                      - 1 "s has more: 5002 lines" 1 "s has more: 5002 lines"
# ---- encoding ----
row "NUL"                      "$(add 'a\000b' 'c')"                                 2 0 '1 nul (first: line 3)' 0 "$(found nul true 1 3)"
row "invalid UTF-8 at start"   "$(add '\200abc' x)"                                  2 0 '1 invalid-utf8' 0 "$(found invalid-utf8 true 1 3)"
row "invalid UTF-8 in between" "$(add 'ab\377c' x)"                                  2 0 '' 0 "$(found invalid-utf8 true 1 3)"
row "invalid UTF-8 at end"     "$(add x 'abc\303')"                                  2 0 '' 0 "$(found invalid-utf8 true 1 3)"
row "over-long UTF-8"          "$(add 'a\300\257b' x)"                               2 0 '' 0 "$(found invalid-utf8 true 1 3)"
row "surrogates"               "$(add 'a\355\240\200b' x)"                           2 0 '' 0 "$(found invalid-utf8 true 1 3)"
row "beyond U+10FFFF"          "$(add 'a\364\220\200\200b' x)"                       2 0 '' 0 "$(found invalid-utf8 true 1 3)"
row "UTF-16, little-endian"    "$two; printf '\\377\\376H\\000\\n\\000' >s"          - 1 "s: UTF-16 text" 1 "iconv -f UTF-16 -t UTF-8"
row "UTF-16, big-endian"       "$two; printf '\\376\\377\\000H\\000\\n' >t"          - 1 "t: UTF-16 text" 1 "t: UTF-16 text"
row "UTF-16 without its mark"  'printf "H\000\n\000" >s; printf "h\ni\n" >t'         - 1 "2 nul (first: line 1)" 1 "$(found nul true 2 1,2)"
row "Latin-1"                  'printf "Die T\374r\nDas Haus\n" >s; printf "the door\nthe house\n" >t' 1 0 '' 0 "$(found invalid-utf8 true 1 1)"
row "encoded twice"            "$(add 'T\303\203\302\274r' door)"                    3 0 '' 0 "$(found mojibake false 1 3)"
row "encoded twice, as Windows-1252" "$(add 'ja \303\242\342\202\254\342\204\242 s' yes)" 3 0 '' 0 "$(found mojibake false 1 3)"
row "lost characters"          "$(add 'T\357\277\275r' door)"                        3 0 '' 0 "$(found replacement false 1 3)"
row "control characters"       "$(add 'a\001b \033[0m' c)"                           3 0 '' 0 "$(found control false 1 3)"
# ---- content ----
row "lopsided"                 "$two; echo Haus >>s; yes house | head -n 40 | tr '\\n' ' ' >>t" 2 0 '1 lopsided (first: line 3)' 0 "$(found lopsided true 1 3)"
row "one huge line"            "$two; yes Haus | head -n 300000 | tr '\\n' ' ' >>s; echo x >>t" 2 0 '1 too-long' 0 "$(found too-long true 1 3)"
row "tabs in lines"            "$(add 'a\tb' 'c\td')"                                3 0 '' 0 '"skipped":0'
row "outer white space"        "$(add ' a' 'b ')"                                    3 0 '' 0 "$(found outer-space false 1 3)"
row "punctuation only"         'printf ".\n?!\n" >s; printf "...\n!\n" >t'           2 0 '' 0 '"share":0.0'
row "one character"            'printf "a\na\n" >s; printf "a\na\n" >t'              2 0 '' 0 "$(found duplicate false 1 2)"
row "emoji only"               'printf "\360\237\230\200\n" >s; printf "\360\237\231\202\n" >t' 1 0 '' 0 '"findings":[]'
row "duplicates only"          'yes Haus | head -n 50 >s; yes house | head -n 50 >t' 50 0 '' 0 "$(found duplicate false 49 2,3,4,5,6)"
row "one source, many targets" 'yes Haus | head -n 9 >s; seq 9 >t'                   9 0 '' 0 "$(found several-targets false 8 2,3,4,5,6)"
row "identical sides"          "$two; cp s t"                                        2 0 '' 0 "$(found identical false 2 1,2)"
row "one file for both"        "$two; text='--source s --target s'; checked='s s'"   2 0 '' 0 "$(found identical false 2 1,2)"
row "markup"                   "$(add '<b>Haus</b>' 'house \046amp; dog')"           3 0 '' 0 "$(found markup false 1 3)"
row "swapped sides"            'for i in 1 2 3 4 5; do echo "\0320\0264\0320\0276\0320\0274 $i"; done >s; for i in 1 2 3 4 5; do echo "house $i"; done >t;
                                echo x >>s; printf "\320\264\n" >>t'                 6 0 '' 0 "$(found swapped false 1 6)"
row "another script"           'for i in 1 2 3 4 5; do echo "Haus $i"; done >s; cp s t; printf "\320\264\n" >>s; echo x >>t' 6 0 '' 0 "$(found other-script false 1 6)"
# ---- columns ----
tsv="text='--tsv s'; checked='--tsv s'"
row "two columns"              "printf 'a\\tb\\nc\\td\\n' >s; $tsv"                  2 0 '' 0 '"findings":[]'
row "too few columns"          "printf 'a\\tb\\nc\\nd\\te\\n' >s; $tsv"              2 0 '1 missing-column (first: line 2)' 0 "$(found missing-column true 1 2)"
row "too many columns"         "printf 'a\\tb\\nc\\td\\te\\n' >s; $tsv"              2 0 '' 0 "$(found uneven-columns false 1 2)"
row "no columns at all"        "printf 'a\\nb\\n' >s; $tsv"                          - 1 "2 missing-column" 1 "$(found missing-column true 2 1,2)"
row "a column empty"           "printf 'a\\t\\nb\\tc\\n' >s; $tsv"                   1 0 '' 0 "$(found empty-target true 1 1)"
row "column 0"                 "printf 'a\\tb\\n' >s; text='--tsv s --columns 0,1'; checked=\$text" - 2 "columns: \"0,1\"" 2 "columns: \"0,1\""
# ---- packed ----
row "packed"                   "$two; gzip s; text='--source s.gz --target t'; checked='s.gz t'" 2 0 '' 0 '"findings":[]'
row "packed, cut short"        "$two; gzip s; head -c 25 s.gz >x; mv x s.gz; text='--source s.gz --target t'; checked='s.gz t'" - 1 "damaged gzip data (it ends too early)" 1 "damaged gzip data"
row "packed, garbage behind"   "$two; gzip s; echo garbage >>s.gz; text='--source s.gz --target t'; checked='s.gz t'" - 1 "something that is not packed stands behind it" 1 "s.gz:3: damaged"
row "packed, damaged within"   "$two; gzip s; printf 'xxxx' | dd of=s.gz bs=1 seek=14 conv=notrunc 2>/dev/null; text='--source s.gz --target t'; checked='s.gz t'" - 1 "damaged gzip data" 1 "damaged gzip data"
row "plain, named .gz"         "$two; mv s s.gz; text='--source s.gz --target t'; checked='s.gz t'" 2 0 '' 0 '"findings":[]'
row "packed, named plain"      "$two; gzip s; mv s.gz s"                             2 0 '' 0 '"findings":[]'
# ---- files ----
row "a missing file"           "$two; rm t"                                          - 1 "t: can't open: No such file" 1 "t: can't open"
row "a folder"                 "$two; rm t; mkdir t"                                 - 1 "t: can't read: Is a directory" 1 "t: can't read"
row "/dev/null"                "$two; text='--source /dev/null --target t'; checked='/dev/null t'" - 1 "ends after line 0, but t has more: 2 lines" 1 "/dev/null ends after line 0"
row "a pipe"                   "$two; mkfifo p q; cat s >p & cat s >q & text='--source p --target t'; checked='q t'" 2 0 '' 0 '"findings":[]'
row "standard input twice"     "text='--source - --target -'; checked='- -'"         - 2 "given 2 times" 2 "given 2 times"
row "source without target"    "$two; text='--source s'; checked=s"                  - 2 "source and target belong together" 2 "give SOURCE and TARGET"
if [ "$(id -u)" != 0 ]; then
    row "an unreadable file"   "$two; chmod 0 t"                                     - 1 "t: can't open: Permission denied" 1 "t: can't open"
fi
# ---- validation: training only ----
valid="--source s --target t --valid-source v --valid-target w"
row "validation file missing"  "$two; cp s v; text='$valid'"                         2 1 "w: can't open" 0 ''
row "validation is training"   "$two; cp s v; cp t w; text='$valid'"                 2 0 "2 of 2 validation pairs are training pairs" 0 ''
row "validation shares a pair" "$two; echo Haus >v; echo house >w; head -n 1 s >>v; head -n 1 t >>w; text='$valid'" 2 0 "1 of 2 validation pairs are training pairs" 0 ''
row "validation not parallel"  "$two; cp s v; : >w; text='$valid'"                   2 1 "w ends after line 0, but v has more: 2 lines" 0 ''
row "validation all left out"  "$two; echo >v; echo >w; text='$valid'"               2 1 "v: $none 1 lines: 1 empty" 0 ''

echo "$rows kinds of broken corpus, $failed failures"
[ "$failed" = 0 ]
