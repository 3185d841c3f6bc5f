#!/bin/sh
# Trains examples/shakespeare/tiny.yaml, which must learn: run_shakespeare.sh ATTEND
#
# The limit is nanoGPT's published loss for this setting. The text stands in ATTEND_DATA (by default ../shared/data).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
attend=$1
ATTEND_DATA=${ATTEND_DATA:-$root/../shared/data}
export ATTEND_DATA
limit=1.88
steps=2000 # of the recipe
for part in train val; do
    file=$ATTEND_DATA/tinyshakespeare/$part.txt
    [ -f "$file" ] || {
        echo "skipped: $file is absent; set ATTEND_DATA"
        exit 77
    }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/attend-shakespeare.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

"$attend" train "$root/examples/shakespeare/tiny.yaml" -o "$work/run" --json >"$work/events"
last=$(grep '^{"event":"validated"' "$work/events" | tail -n 1)
echo "$last" | grep -q '"step":'$steps, || {
    echo "FAILED: the last validation isn't that of step $steps: $last"
    exit 1
}
loss=$(echo "$last" | sed 's/.*"loss":\([0-9.]*\),.*/\1/')
awk -v loss="$loss" -v limit=$limit 'BEGIN { exit !(loss + 0 > 0 && loss + 0 <= limit) }' || {
    echo "FAILED: validation loss is $loss, more than $limit"
    exit 1
}
echo "validation loss $loss"
