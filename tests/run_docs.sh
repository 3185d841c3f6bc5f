#!/bin/sh
# Runs the commands of the documents: run_docs.sh BUILD [DOCUMENT ...]
#
# BUILD is a build folder, a DOCUMENT is named from the project's root; by default those of the root, docs/*.md and examples/*/README.md.
# What stands behind the three backquotes that open a block decides:
#
#   sh             each line is a command, and is run; a \ at its end continues it in the next line
#   sh long        takes minutes: `attend train` is run with --dry-run and then for two updates, so that the other commands have its model
#   sh data        needs the corpora in ATTEND_DATA (by default ../shared/data), skipped where they are absent
#   sh long data   takes hours and corpora: `attend train` is run with --dry-run; of the others it is checked that attend has their options
#   sh setup       needs root, a network or files that only the reader has, or is what ./check itself does: skipped, but for the check of
#                  options of lines that begin with attend
#   c NAME         becomes the file NAME, for the commands after it
#
# The commands of a document run in one folder, a copy of docs, examples and tests in which the quickstart has trained for a few updates,
# with attend installed, and as build/release/attend. Says how many ran; fails when a command fails and when none ran.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/attend_commands.sh"
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
    mkdir -p "$work/start/build/release" && cd "$work/start" || return 1
    cp -R "$root/docs" "$root/examples" "$root/tests" . && ln -s "$work/installed/bin/attend" build/release/attend || return 1
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
            print FNR "\t" (marks == "setup" ? "skip" : "unknown") "\tthe block"
            if (marks != "setup") language = ""
        }
        next
    }
    language == "c" && marks != "" { print >(folder "/" marks) }
    language == "sh" && marks == "setup" && command == "" && $0 !~ /^ *attend / { next }
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

# Whether the shell understands the line $1, and attend its own commands in it.
check_line() {
    sh -n -c "$1" || return 1
    attend_commands "$1" >"$work/commands"
    while IFS= read -r command; do
        understood "$command" || { printf '%s\n' "$answer" && return 1; }
    done <"$work/commands"
}

# What to do with the command $2 of marks $1: sets $how to run, check or the reason why it is skipped, and $run to what is run.
plan() {
    how=run
    run=$2
    case $1,$2 in
    skip,*) how="set-up" ;;
    unknown,*) run="echo 'unknown mark, or a line continued to nowhere' && false" ;;
    long*,*"attend train "*) run=$(printf '%s\n' "$2" | sed 's/attend train /attend train --dry-run /g') ;;
    "long data",* | setup,*) how=check ;;
    esac
    case $1,$2 in long,"attend train "*) run="$run && $2 --steps 2 --warmup 1" ;; esac
    case $how,$1 in run,*data) [ -d "$ATTEND_DATA" ] || how="no data in $ATTEND_DATA" ;; esac
}

# Does what plan() said: how, run.
perform() {
    if [ "$1" = check ]; then
        check_line "$2"
    else
        cd "$work/folder" && exec sh -c "$2"
    fi
}

run_document() {
    cp -R "$work/start" "$work/folder"
    list_commands "$root/$1" "$work/folder" >"$work/list"
    while IFS=$TAB read -r line marks command; do
        plan "$marks" "$command"
        if [ "$how" != run ] && [ "$how" != check ]; then
            printf '%s\n' "skipped ($how)  $1:$line: $command"
            skips=$((skips + 1))
        elif (perform "$how" "$run") </dev/null >"$work/output" 2>&1; then
            printf '%s\n' "ok ($how)  $1:$line: $run"
            [ "$how" = check ] && checks=$((checks + 1)) || runs=$((runs + 1))
        else
            printf '%s\n' "FAILED ($how)  $1:$line: $run"
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
[ $# -gt 0 ] || set -- *.md docs/*.md examples/*/README.md
runs=0 checks=0 skips=0 failures=0
for document in "$@"; do
    run_document "$document"
done
echo "$runs commands ran, $checks were checked, $failures failed; $skips commands or blocks skipped"
[ "$failures" = 0 ] && [ "$runs" -gt 0 ]
