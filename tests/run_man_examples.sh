#!/bin/sh
# Checks the examples of every command's help, which are those of the man page, too: run_man_examples.sh ATTEND
#
# The commands of attend in each line must be understood, that is, name options that exist. Then they are run in a folder without their
# files: they may fail for want of a file (status 1), not for wrong usage (status 2), which is a value out of range, a choice that there
# isn't, a word too few. Benchmarks need no files and take minutes: they are only understood.
set -u

tests=$(cd "$(dirname "$0")" && pwd)
. "$tests/attend_commands.sh"
work_with "$1"
mkdir "$work/folder"
cp -R "$tests/../examples" "$work/folder" # the recipes that the examples name
unset ATTEND_ISA
cd "$work/folder" || exit 1

list_examples() {
    attend help --reference | awk '/^Examples:$/ { inside = 1; next } /^```|^$/ { inside = 0 } inside { sub(/^ +/, ""); print }'
}

check_command() {
    count=$((count + 1))
    understood "$1" || { fail "$1" "$answer" && return; }
    case $1 in *"attend bench "*) return ;; esac
    answer=$(sh -c "$1" </dev/null 2>&1 >/dev/null)
    [ $? -lt 2 ] || fail "$1" "$answer"
}

list_examples >"$work/examples"
while IFS= read -r line; do
    sh -n -c "$line" || fail "$line" "the shell doesn't understand the line"
    attend_commands "$line" >"$work/commands"
    while IFS= read -r command; do
        check_command "$command"
    done <"$work/commands"
done <"$work/examples"
echo "$count commands in $(wc -l <"$work/examples") lines of examples, $failures failed"
[ "$failures" = 0 ] && [ "$count" -gt 0 ]
