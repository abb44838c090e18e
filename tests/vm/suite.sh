#!/bin/bash
# Runs scenarios in the guest, all in one boot: started by tests/vm/suite
#
#   suite.sh [--reference] [--half 1|2] [--after NAME] [NAME-PART...]: --half, every second one; --after, those behind it
#
# One that is not over after SCENARIO_LIMIT seconds has failed, and nothing that follows it in this boot would be worth much:
# the suite ends there, with status 75 and the name in its last line, for tests/vm/suite to go on behind it in another machine.
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
half='' after=''
while [[ ${1:-} =~ ^--(half|after)$ ]]; do
    printf -v "${BASH_REMATCH[1]}" %s "$2"
    shift 2
done
limit=${SCENARIO_LIMIT:-420}
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"

selected() { # FILE PARTS...
    local file=$1 part; shift
    place=$((place + 1))
    [ -z "$half" ] || [ $((place % 2)) = $((half % 2)) ] || return
    [ -z "$after" ] || [[ ${file##*/} > $after.sh ]] || return
    [ $# -gt 0 ] || return 0
    for part in "$@"; do [[ ${file##*/} == *"$part"* ]] && return 0; done
    return 1
}

hung() { # NAME: what the kernel knows of it
    fail "$1" "not over after $limit s"
    ps -eo pid,state,wchan:30,args | awk '$2 == "D"'
    echo w >/proc/sysrq-trigger
    dmesg | tail -n 80
    summary
    echo "cut short: $1"
    exit 75
}

run_one() { # FILE
    local name=${1##*/} before verdicts_before start scenario timer ended status=0; name=${name%.sh}
    if [ -n "${VM_REFERENCE:-}" ] && grep -q '^for_reference=no' "$1"; then
        skip "$name" 'not for the reference'
        return
    fi
    echo "== $name"
    : >"$MP_LOG"
    before=$(failures)
    verdicts_before=$(wc -l <"$verdicts")
    start=$(now)
    (
        # shellcheck disable=SC1090
        . "$1"
        trap 'cleanup; no_rules' EXIT
        scenario
    ) <&0 &
    scenario=$!
    sleep "$limit" &
    timer=$!
    wait -n -p ended "$scenario" "$timer" || status=$?
    kill "$timer"
    wait "$timer" 2>/dev/null
    # Neither a file that can't be read, nor one whose storage did not come up, is one that passes.
    [ "$(wc -l <"$verdicts")" != "$verdicts_before" ] || fail "$name" 'no verdict'
    # One that ends in its middle, by a `return` or a line that bash can't make sense of, says nothing by itself.
    if [ "$status" != 0 ] && [ "$(failures)" = "$before" ]; then fail "$name" "ended early ($status)"; fi
    if [ "$(failures)" != "$before" ]; then
        echo "--- the daemon's log in $name"; tail -n "${VM_LOG_LINES:-60}" "$MP_LOG"
        echo "--- the kernel's"; dmesg | tail -n 25; echo ---
    fi
    [ "$ended" = "$scenario" ] || hung "$name"
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
