#!/bin/sh
# Time and memory of a training step over the length of sequences, at equal tokens a batch, as a Markdown table:
#
#     sh bench/length.sh build/attend [--recompute and other options of attend bench train, but none of the model's size]
#
# Attention's work: 2 products of all visible pairs of tokens in the forward pass, 5 in the backward, and with --recompute the
# 2 again, but in the last layer, whose activations are still there; the rest of a step doesn't depend on length. Times are of the best step: other work on the machine hides what grows.
set -eu

attend=$1
shift
tokens=16384
width=128
layers=4
products=$((7 * layers)) # of all layers
for option in "$@"; do
    case $option in
    --recompute | --recompute=[1ty]*) products=$((products + 2 * (layers - 1))) ;;
    --width* | --layers* | --length* | --batch-tokens* | --task*)
        echo "length.sh: $option is fixed here, because the table's FLOP count on it; leave it out" >&2
        exit 2
        ;;
    esac
done
echo "| length | ms of the best step | attention's GFLOP | ms but for the shortest's | GFLOP/s of the difference | peak MB |"
echo "|---|---|---|---|---|---|"
first_ms=
for length in 512 1024 2048 4096 8192 16384; do
    json=$("$attend" bench train --task language-model --width $width --ffn 512 --heads 4 --layers $layers --vocab 1000 --dropout 0.1 \
        --length $length --batch-tokens $tokens --steps 3 --json "$@")
    ms=$(echo "$json" | sed 's/.*"best": *\([0-9.]*\).*/\1/' | awk -v t=$tokens '{ print 1000 * t / $1 }')
    mb=$(echo "$json" | sed 's/.*"peak_mb": *\([0-9]*\).*/\1/')
    awk -v n=$length -v t=$tokens -v d=$width -v p=$products -v ms="$ms" -v mb="$mb" -v first="$first_ms" 'BEGIN {
        flop = p * 2 * (n + 1) / 2 * t * d
        base = p * 2 * (512 + 1) / 2 * t * d
        if (first == "") rest = "| |"
        else rest = sprintf("%.0f | %.0f |", ms - first, (flop - base) / (ms - first) / 1e6)
        printf "| %d | %.0f | %.1f | %s %d |\n", n, ms, flop / 1e9, rest, mb
    }'
    [ -n "$first_ms" ] || first_ms=$ms
done
