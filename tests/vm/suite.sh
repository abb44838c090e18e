#!/bin/bash
# Runs scenarios in the guest, all in one boot: started by tests/vm/suite
#
#   suite.sh [--reference] [--half 1|2] [NAME-PART...]: --half, every second one
#
# A scenario is a file scenarios/NN-name.sh that defines one function, scenario. It runs in a shell of its own, gives its
# verdicts with expect_* and wait_for, and finds no map, no storage and no configuration of an earlier one. Variables it
# may set at the top: for_reference=no # when it makes no sense for the reference. What it shows of that which goes wrong in
# production it says at its top, by number (see tests/tidy/src/situations.rs).
vm=/vm
if [ "${1:-}" = --reference ]; then
    export VM_REFERENCE=1
    shift
fi
half=''
if [ "${1:-}" = --half ]; then
    half=$2
    shift 2
fi
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"

selected() { # FILE PARTS...
    local file=$1 part; shift
    place=$((place + 1))
    [ -z "$half" ] || [ $((place % 2)) = $((half % 2)) ] || return
    [ $# -gt 0 ] || return 0
    for part in "$@"; do [[ ${file##*/} == *"$part"* ]] && return 0; done
    return 1
}

run_one() { # FILE
    local name=${1##*/} before start; name=${name%.sh}
    if [ -n "${VM_REFERENCE:-}" ] && grep -q '^for_reference=no' "$1"; then
        skip "$name" 'not for the reference'
        return
    fi
    echo "== $name"
    : >"$MP_LOG"
    before=$(grep -c '^FAIL ' "$verdicts" 2>/dev/null)
    start=$(now)
    (
        # shellcheck disable=SC1090
        . "$1"
        trap cleanup EXIT
        scenario
    )
    if [ "$(grep -c '^FAIL ' "$verdicts")" != "${before:-0}" ]; then
        echo "--- the daemon's log in $name"; tail -n "${VM_LOG_LINES:-60}" "$MP_LOG"
        echo "--- the kernel's"; dmesg | tail -n 25; echo ---
    fi
    echo "   $(since "$start") s"
}

: >"$verdicts"
place=0
for file in "$vm"/scenarios/*.sh; do
    selected "$file" "$@" && run_one "$file"
done
place=0
echo "situations shown: $(for file in "$vm"/scenarios/*.sh; do
    selected "$file" "$@" && sed -n 's/^# Shows situation \([0-9]*\): .*/\1/p' "$file"
done | sort -nu | xargs)"
summary
