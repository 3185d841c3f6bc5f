#!/bin/sh
# Models of other programs, imported and verified by the command: import_verify.sh ATTEND
#
# The models stand with their programs' own answers in ATTEND_REFERENCE (by default ../shared/reference). What is written must be a model
# of attend, and every line of the answer a check that is ok.
set -u

attend=$1
reference=${ATTEND_REFERENCE:-$(dirname "$0")/../../shared/reference}
work=$(mktemp -d "${TMPDIR:-/tmp}/attend-import.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "FAILED: $name: $*"
    cat "$work/answer"
    exit 1
}

skipped=
for name in gpt2 marian; do
    [ -d "$reference/$name" ] || { skipped="$skipped $name" && continue; }
    "$attend" import "$reference/$name" --verify -o "$work/$name.safetensors" >"$work/answer" 2>&1 || fail "status $?"
    grep -q '^ok ' "$work/answer" || fail "no check is ok"
    ! grep -qv '^ok ' "$work/answer" || fail "not every line is a check that is ok"
    "$attend" inspect "$work/$name.safetensors" >"$work/answer" 2>&1 || fail "what was written is no model"
    echo "ok: $name"
done
[ -z "$skipped" ] || {
    echo "skipped:$skipped absent in $reference; set ATTEND_REFERENCE"
    exit 77
}
