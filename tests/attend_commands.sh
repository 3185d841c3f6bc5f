# shellcheck shell=sh
# The commands of attend in a line of shell, and whether attend understands them without running them. Sourced by run_docs.sh,
# run_man_examples.sh and bench_scripts.sh.

# attend_commands LINE: its parts that begin with attend, one a line. Cut is at pipes, redirections, semicolons and comments outside of
# quotes; settings of the environment stay before a part.
attend_commands() {
    printf '%s\n' "$1" | awk '{
        part = quote = ""
        for (i = 1; i <= length($0); i++) {
            c = substr($0, i, 1)
            if (quote == "" && c == "#" && part ~ /(^| )$/) break
            if (quote == "" && c ~ /[|;&<>]/) {
                print part
                part = ""
                continue
            }
            if (quote == "" && c ~ /["\047]/) quote = c
            else if (c == quote) quote = ""
            part = part c
        }
        print part
    }' | sed 's/^ *//; s/^do  *//; s/^then  *//' | grep -E '^([A-Za-z_][A-Za-z_0-9]*=[^ ]* +)*attend( |$)'
}

# understood COMMAND: with --help at its end, which is answered only when the command and every option before it exist.
understood() {
    answer=$(sh -c "$1 --help" </dev/null 2>&1) || return 1
    case $answer in
    "Usage: attend COMMAND"*) answer="the command is not complete" && return 1 ;;
    "Usage: attend "*) return 0 ;;
    esac
    return 1
}

# work_with ATTEND: makes the folder $work, gone at the end, puts attend in PATH, and names a folder of corpora that doesn't exist.
work_with() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/attend-commands.XXXXXX") || exit 1
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir "$work/bin"
    ln -s "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")" "$work/bin/attend"
    PATH=$work/bin:$PATH
    ATTEND_DATA=$work/none
    export PATH ATTEND_DATA
    failures=0 count=0
}

# fail COMMAND WHY: says so and goes on; $failures counts.
fail() {
    printf 'FAILED: %s\n%s\n' "$1" "$2"
    failures=$((failures + 1))
}
