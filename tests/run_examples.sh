#!/bin/sh
# Runs the example programs of examples/c: run_examples.sh ATTEND TRAIN TRANSLATE
#
# Trains a model for two updates and translates with it: what comes out is no translation yet, but every line has its
# answer.
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
head -n 5 "$work/text.en" | "$translate" "$work/run/best.safetensors" >"$work/out"
[ "$(grep -c '^[1-5]: ' "$work/out")" = 5 ]
if "$translate" "$work/none" </dev/null 2>"$work/error"; then exit 1; fi
grep -q 'none' "$work/error"
