#!/bin/sh
# The long checks: what ./check --all runs after the set-up. Ends with CTest's own closing line.
set -eu
cd "$(dirname "$0")/.."
. scripts/setup.sh

step() {
    echo "== $*"
}

step "clang, warnings as errors"
cmake -S . -B build/clang -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DATTEND_WERROR=ON >/dev/null
cmake --build build/clang
step "address and undefined-behaviour sanitizers"
build asan
ctest --preset asan --label-exclude long -j 2
step "thread sanitizer: pool, trainings, eight translators at once, examples"
build tsan
ctest --preset tsan -R 'pool|test_train$|contexts|^examples$' -j 2
step "every instruction set"
# "instruction set  CHOSEN (this processor runs SET, SET, ...)"
sets=$(build/release/attend version --verbose | sed -n 's/^instruction set  *//p')
for isa in portable avx2 avx512; do
    case $sets in
    "$isa ("*) echo "$isa: the one that all tests below run on" ;;
    *" $isa"[,\)]*) ATTEND_ISA=$isa ctest --preset release --label-exclude long -j 2 ;;
    *" portable"[,\)]*) echo "$isa: skipped, this processor lacks it" ;;
    *) fail "attend version --verbose lists no instruction sets" ;;
    esac
done
step "all tests"
ctest --preset release -j 2
