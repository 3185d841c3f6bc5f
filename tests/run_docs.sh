#!/bin/sh
# Runs the commands of the documents: run_docs.sh BUILD [DOCUMENT ...]
#
# BUILD is a build folder, a DOCUMENT is named from the project's root; by default README.md, docs/*.md and examples/*/README.md.
# What stands behind the three backquotes that open a block decides:
#
#   sh          each line is a command, and is run; a \ at its end continues it in the next line
#   sh long     takes minutes or hours: `attend train` is run with --dry-run, the others are skipped
#   sh data     needs the corpora in ATTEND_DATA (by default ../shared/data), skipped where they are absent; also: sh long data
#   sh setup    needs root, a network or files that only the reader has: skipped (./quickstart and ./check are tests themselves)
#   c NAME      becomes the file NAME, for the commands after it
#
# The commands of a document run in one folder, a copy of examples/ in which the quickstart has trained for a few updates, with attend
# installed. Says how many ran; fails when a command fails and when none ran.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd) || exit 1
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/attend-docs.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
TAB=$(printf '\t')
ATTEND_DATA=${ATTEND_DATA:-$root/../shared/data}
PATH=$work/installed/bin:$PATH
LD_LIBRARY_PATH=$work/installed/lib:$work/installed/lib64
PKG_CONFIG_PATH=$work/installed/lib/pkgconfig:$work/installed/lib64/pkgconfig:$work/installed/lib/$(cc -dumpmachine)/pkgconfig
export ATTEND_DATA PATH LD_LIBRARY_PATH PKG_CONFIG_PATH
unset ATTEND_ISA

# attend as a user has it after installation.
install_attend() {
    cmake --install "$build" --prefix "$work/installed"
}

# The folder that every document starts from.
prepare() {
    mkdir "$work/start" && cp -R "$root/examples" "$work/start" && cd "$work/start" || return 1
    for part in train valid test; do
        attend data make phrases --pairs 300 -s zh -t en -o "runs/quickstart/text/$part" || return 1
    done
    # Only the model and its log stay, so that a document's own training begins anew.
    attend train examples/quickstart/quickstart.yaml --steps 5 --warmup 1 &&
        rm runs/quickstart/model/last.safetensors runs/quickstart/model/recipe.yaml
}

# LINE, marks and command of each command of the document $1, separated by tabs; the blocks of C become files of the folder $2.
list_commands() {
    awk -v folder="$2" '
    /^ *```/ {
        inside = !inside
        sub(/^ *```/, "")
        language = inside ? $1 : ""
        marks = $0
        sub(/^[^ ]* */, "", marks)
        if (command != "") print line "\tunknown\t" command
        command = ""
        if (language == "sh" && marks !~ /^(|long|data|long data)$/) {
            print FNR "\t" (marks == "setup" ? marks : "unknown") "\tthe block"
            language = ""
        }
        next
    }
    language == "c" && marks != "" { print >(folder "/" marks) }
    language == "sh" && (command != "" || $0 !~ /^ *(#|$)/) {
        if (command == "") line = FNR
        sub(/^ +/, "")
        command = command $0
        if (!sub(/\\$/, "", command)) {
            print line "\t" (marks == "" ? "run" : marks) "\t" command
            command = ""
        }
    }' "$1"
}

# What to do with the command $2 of marks $1: sets $run, to nothing when it is skipped, with the reason in $skipped.
plan() {
    run=$2
    case $1 in
    setup) skipped="set-up" run= ;;
    *data) [ -d "$ATTEND_DATA" ] || skipped="no data in $ATTEND_DATA" run= ;;
    esac
    case $1,$run in
    long*,*"attend train "*) run=$(printf '%s\n' "$run" | sed 's/attend train /attend train --dry-run /') ;;
    long*,?*) skipped="long" run= ;;
    unknown,*) run="echo 'unknown mark, or a line continued to nowhere' && false" ;;
    esac
}

run_document() {
    cp -R "$work/start" "$work/folder"
    list_commands "$root/$1" "$work/folder" >"$work/list"
    while IFS=$TAB read -r line marks command; do
        plan "$marks" "$command"
        if [ -z "$run" ]; then
            printf '%s\n' "skipped ($skipped)  $1:$line: $command"
            skips=$((skips + 1))
        elif (cd "$work/folder" && exec sh -c "$run") </dev/null >"$work/output" 2>&1; then
            printf '%s\n' "ok  $1:$line: $run"
            runs=$((runs + 1))
        else
            printf '%s\n' "FAILED  $1:$line: $run"
            cat "$work/output"
            failures=$((failures + 1))
        fi
    done <"$work/list"
    rm -rf "$work/folder"
}

for step in install_attend prepare; do
    ($step) >"$work/output" 2>&1 || { cat "$work/output"; echo "$step failed"; exit 1; }
done
cd "$root" || exit 1
[ $# -gt 0 ] || set -- README.md docs/*.md examples/*/README.md
runs=0 skips=0 failures=0
for document in "$@"; do
    run_document "$document"
done
echo "$((runs + failures)) commands ran, $failures failed; $skips commands or blocks skipped"
[ "$failures" = 0 ] && [ "$runs" -gt 0 ]
