#!/bin/bash
# What `multipath -u` costs, beside the reference's in the same guest: udev's rules ask it at every event of every disk.
#
#   tests/vm/run tests/vm/udev-speed.sh [TIMES]
#
# Medians of TIMES calls (21), wall clock and CPU in ms, with the environment that udev gives. The floor is a program that does
# nothing (/bin/true). The answers of both must be the same.
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
times=${1:-21}
measure=$vm/guest/bench.py
export LC_ALL=C

call() { # PROGRAM ARGUMENTS...: wall and CPU, in udev's environment
    env "${udev[@]}" "$measure" run "$times" "$@"
}

case_of() { # WHAT DISK
    local what=$1 disk=$2 ours theirs floor
    udevadm info --query=property "/dev/$disk" >/run/properties
    mapfile -t udev </run/properties
    udev+=("ACTION=change" "SUBSYSTEM=block")
    # Without the wrapper, which is a shell of its own.
    theirs=$(LD_LIBRARY_PATH=/opt/reference/lib call /opt/reference/sbin/multipath -u "$disk"); cp /run/bench.out /run/theirs
    ours=$(call $names/multipath -u "$disk"); cp /run/bench.out /run/ours
    floor=$(call /bin/true)
    expect_eq "$what: the same answer" "$(cat /run/ours)" "$(cat /run/theirs)"
    awk -v what="$what" -v ours="$ours" -v theirs="$theirs" -v floor="$floor" 'BEGIN {
        split(ours, o); split(theirs, t); split(floor, f)
        printf "%-34s ours %6.1f ms, CPU %6.1f   reference %6.1f, CPU %6.1f   ratio %.2f, CPU %.2f   nothing %.1f, CPU %.1f\n",
            what, o[1], o[2], t[1], t[2], o[1] / t[1], o[2] / t[2], f[1], f[2]
    }'
}

main() {
    : >"$verdicts"
    names_up
    san_scsi_debug 2 2 || return
    local disk; disk=$(debug_disk 0 0)
    conf_debug
    case_of 'no daemon' "$disk"
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    case_of 'in a map' "$disk"
    case_of 'excluded by its name' sda
    # Out of its map, for as long as it takes.
    ctl del map "$(map_of "$disk")" >/dev/null
    case_of 'every disk is one' "$disk"
    conf_debug
    sed -i 's/find_multipaths .*/find_multipaths strict/' /etc/multipath.conf
    case_of 'in the wwids file' "$disk"
    rm -f /etc/multipath/wwids
    case_of 'not in the wwids file' "$disk"
    cleanup
    summary
}

main
