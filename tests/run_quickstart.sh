#!/bin/sh
# Runs ./quickstart, which must learn its task: run_quickstart.sh BUILD
#
# In a new folder, so that it starts from nothing, and with the build folder BUILD as its build/release.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/attend-quickstart.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

cp -R "$root/quickstart" "$root/CMakePresets.json" "$root/scripts" "$root/examples" "$work"
mkdir "$work/build"
ln -s "$build" "$work/build/release"
cd "$work"
./quickstart --yes </dev/null

fail() {
    echo "FAILED: $*"
    exit 1
}

exact=$("$build/attend" evaluate runs/quickstart/test.hyp.en runs/quickstart/text/test.en --metric exact --json |
    sed 's/^{"exact":\([0-9.]*\).*/\1/')
awk -v exact="$exact" 'BEGIN { exit !(exact + 0 >= 95) }' || fail "exact match is $exact %, less than 95 %"
answer=$(echo '机器学习' | "$build/attend" translate -m runs/quickstart/model/best.safetensors)
[ "$answer" = "machine learning" ] || fail "机器学习 became $answer"
grep -q '<svg' runs/quickstart/look.html || fail "look.html has no picture"
echo "exact match $exact %"
