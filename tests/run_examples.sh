#!/bin/sh
# Runs the example programs of examples/c: run_examples.sh ATTEND TRAIN TRANSLATE
#
# Trains a model for two updates and translates with it: what comes out is no translation yet, but eight threads give
# what one gives, in the order of the lines, also when there are fewer lines than threads.
set -eu

attend=$1
train=$2
translate=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/attend-examples.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$attend" data make phrases -s en -t de --pairs 200 -o "$work/text" >/dev/null
"$attend" data make phrases -s en -t de --pairs 20 --seed 2 -o "$work/valid" >/dev/null
"$train" "$work/text.en" "$work/text.de" "$work/valid.en" "$work/valid.de" "$work/run" 2 >"$work/events"
grep -q '^update 2 of 2: loss [0-9]' "$work/events"
grep -q '^done: ' "$work/events"
for lines in 0 5 30; do
    head -n $lines "$work/text.en" >"$work/in"
    "$attend" translate -m "$work/run/best.safetensors" --threads 1 <"$work/in" >"$work/one"
    "$translate" "$work/run/best.safetensors" <"$work/in" >"$work/eight"
    diff "$work/one" "$work/eight"
    [ "$(wc -l <"$work/eight")" = $lines ]
done
[ "$(sort -u "$work/eight" | wc -l)" -gt 20 ] # else a wrong order would go unseen
if "$translate" "$work/none" </dev/null 2>"$work/error"; then exit 1; fi
grep -q 'none' "$work/error"
