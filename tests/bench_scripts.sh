#!/bin/sh
# The scripts of bench are in step with attend: bench_scripts.sh ATTEND
#
# They compile, and every command of attend that they make is understood, that is, names options that exist. To get the commands, the
# scripts run with a stub in the place of attend, which notes its arguments and answers with figures, and with stubs for the peers.
# Commands that read text name files that don't exist: run, they must fail for want of these (status 1) and not for wrong usage
# (status 2), which is a choice that there isn't or a value out of range. Nothing is measured.
set -u

command -v python3 >/dev/null || {
    echo "skipped: python3 is absent"
    exit 77
}
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tests/attend_commands.sh"
work_with "$1"
TMPDIR=$work
COMMANDS=$work/commands
export TMPDIR COMMANDS PYTHONDONTWRITEBYTECODE=1

# Whatever a script reads of an answer. Each rate is lower than the one before, so that no difference of times is 0.
make_stubs() {
    cp -R "$root/bench" "$work/bench" || return 1
    cat >"$work/stub" <<'STUB'
#!/bin/sh
{
    printf attend
    for argument in "$@"; do printf " '%s'" "$argument"; done
    echo
} >>"$COMMANDS"
rate=$((100000 - $(wc -l <"$COMMANDS")))
echo '{"target_tokens_per_s": '$rate', "best": '$rate', "ms_per_step": 1, "peak_mb": 1, "peak_bytes": 1, "fma_gain": 1, "memory_gain": 1,' \
    '"results": [{"threads": 1, "step_ms": 1, "products_ms": 1, "peer_products_ms": 1, "peer_ratio": 1}]}'
STUB
    chmod +x "$work/stub"
    for peer in "$work"/bench/peers/*.py; do
        rm -f "$peer"
        echo "print('{\"target_tokens_per_s\": 1, \"ms_per_step\": 1, \"peak_mb\": 1}')" >"$peer" || return 1
    done
}

# commands_of COMMAND ...: what the script makes with the stub goes to $COMMANDS, which must not stay empty.
commands_of() {
    : >"$COMMANDS"
    answer=$("$@" 2>&1 </dev/null) || fail "$*" "$answer"
    [ -s "$COMMANDS" ] || fail "$*" "it made no command of attend"
    sort -u "$COMMANDS" >"$work/made"
    while IFS= read -r command; do
        count=$((count + 1))
        check_command "$command"
    done <"$work/made"
}

check_command() {
    understood "$1" || { fail "$1" "$answer" && return; }
    case $1 in *"'$ATTEND_DATA/"*) ;; *) return ;; esac
    answer=$(sh -c "$1" </dev/null 2>&1)
    status=$?
    [ $status = 1 ] || fail "$1" "status $status, not 1 for want of a file: $answer"
}

# Compiled in memory: py_compile would write beside the scripts.
compile='import sys
for path in sys.argv[1:]: compile(open(path, encoding="utf-8").read(), path, "exec")'
answer=$(python3 -c "$compile" "$root"/bench/*.py "$root"/bench/peers/*.py 2>&1) || fail "a script of Python" "$answer"
for script in "$root"/bench/*.sh; do
    answer=$(sh -n "$script" 2>&1) || fail "$script" "$answer"
done

make_stubs || exit 1
cd "$work" || exit 1
commands_of python3 bench/compare.py --attend "$work/stub" --onednn "$work/stub" --spm "$ATTEND_DATA/spm" --pairs 1 --precision bf16
commands_of python3 bench/threads.py --attend "$work/stub" --rounds 1
commands_of python3 bench/memory.py --attend "$work/stub"
commands_of sh bench/length.sh "$work/stub" --recompute
echo "$count commands of attend, $failures failures"
[ "$failures" = 0 ]
