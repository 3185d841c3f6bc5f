#!/bin/sh
# Runs the cases of the command line: run_cli.sh ATTEND FOLDER [CASE ...]
#
# A case is a folder:   cmd      shell commands, with attend in PATH
#                       stdin    what they read (nothing when absent)
#                       stdout, stderr, status   what is expected (nothing, nothing, 0 when absent)
# and any other files that cmd uses; it runs in a copy of the folder. UPDATE=1 writes what came out as expected.
set -u

attend=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cases=$(cd "$2" && pwd)
shift 2
work=$(mktemp -d "${TMPDIR:-/tmp}/attend-cli.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/bin" "$work/got" "$work/want"
ln -s "$attend" "$work/bin/attend"
PATH=$work/bin:$PATH
LC_ALL=C
export PATH LC_ALL
unset ATTEND_ISA

# The case's folder in $1: its results to $work/got, what it should give to $work/want.
run_case() {
    rm -rf "$work/case"
    cp -R "$1" "$work/case"
    rm -f "$work/case/stdin" "$work/case/stdout" "$work/case/stderr" "$work/case/status"
    [ -f "$1/stdin" ] && input=$1/stdin || input=/dev/null
    (cd "$work/case" && exec sh ./cmd) <"$input" >"$work/got/stdout" 2>"$work/got/stderr"
    echo $? >"$work/got/status"
    for part in stdout stderr; do
        if [ -f "$1/$part" ]; then cp "$1/$part" "$work/want/$part"; else : >"$work/want/$part"; fi
    done
    if [ -f "$1/status" ]; then cp "$1/status" "$work/want/status"; else echo 0 >"$work/want/status"; fi
}

update_case() {
    for part in stdout stderr; do
        if [ -s "$work/got/$part" ]; then cp "$work/got/$part" "$1/$part"; else rm -f "$1/$part"; fi
    done
    if [ "$(cat "$work/got/status")" = 0 ]; then rm -f "$1/status"; else cp "$work/got/status" "$1/status"; fi
}

[ $# -gt 0 ] || set -- "$cases"/*/
count=0
failed=0
for name in "$@"; do
    name=$(basename "$name")
    [ -f "$cases/$name/cmd" ] || { echo "$name: no case of that name" >&2; failed=$((failed + 1)); continue; }
    count=$((count + 1))
    run_case "$cases/$name"
    if [ "${UPDATE:-0}" = 1 ]; then
        update_case "$cases/$name"
    elif ! diff -u -r "$work/want" "$work/got" >"$work/diff"; then
        echo "FAILED: $name: $(cat "$cases/$name/cmd")"
        sed "s|$work/||" "$work/diff"
        failed=$((failed + 1))
    fi
done
echo "$count cases, $failed failed"
[ "$failed" = 0 ]
