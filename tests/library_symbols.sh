#!/bin/sh
# The library neither ends the program nor prints: library_symbols.sh LIBATTEND_A
#
# No file of it may refer to what does. The log of a training is written with fprintf, to a file of its own.
set -eu

command -v nm >/dev/null || {
    echo "skipped: nm is absent"
    exit 77
}
wanted=$(nm -A -u "$1")
echo "$wanted" | grep -q ' U at_fail$' || {
    echo "nm shows nothing of $1"
    exit 1
}
ends='_?exit|_Exit|quick_exit|abort'
prints='puts|(__)?v?printf(_chk)?|putchar|perror|psignal|stdout|stderr|_ZSt4(cout|cerr|clog)'
if echo "$wanted" | grep -E " U ($ends|$prints)\$"; then
    echo "these end the program or print; return an at_status"
    exit 1
fi
