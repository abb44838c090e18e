#!/bin/bash
# What `multipath -u` costs, beside the reference's in the same guest: udev's rules ask it at every event of every disk.
#
#   tests/vm/run tests/vm/udev-speed.sh [TIMES]
#
# Medians of TIMES calls (7), wall clock and CPU in ms, with the environment that udev gives: the lowest of three, which take turns, so that
# what else the machine does is in none of them or in all. The floor is a program that does nothing (/bin/true).
# The answers of both must be the same, and ours must take less than 0.4 of the reference's time and 0.35 of its CPU. Seen were 0.17 to 0.28
# of the time and 0.14 to 0.24 of the CPU, and on a machine with twice as much to do as it has processors 0.30 and 0.26.
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
times=${1:-7} rounds=3 limit_time=0.4 limit_cpu=0.35
measure=$vm/guest/bench.py
export LC_ALL=C

call() { # NAME PROGRAM ARGUMENTS...: wall and CPU, in udev's environment, a line in the file of that name
    local name=$1; shift
    env "${udev[@]}" "$measure" run "$times" "$@" >>"/run/$name.ms"
    cp /run/bench.out "/run/$name.said"
}

lowest() { awk '{ for (i = 1; i <= 2; i++) if (NR == 1 || $i < least[i]) least[i] = $i } END { print least[1], least[2] }' "/run/$1.ms"; } # NAME

case_of() { # WHAT DISK
    local what=$1 disk=$2 round ours theirs floor
    mapfile -t udev <<<"$(udevadm info --query=property "/dev/$disk")"
    udev+=("ACTION=change" "SUBSYSTEM=block")
    rm -f /run/*.ms
    for ((round = 1; round <= rounds; round++)); do
        # Without the wrapper, which is a shell of its own.
        LD_LIBRARY_PATH=/opt/reference/lib call theirs /opt/reference/sbin/multipath -u "$disk"
        call ours $names/multipath -u "$disk"
        call floor /bin/true
    done
    expect_eq "$what: the same answer" "$(cat /run/ours.said)" "$(cat /run/theirs.said)"
    read -ra ours <<<"$(lowest ours)"
    read -ra theirs <<<"$(lowest theirs)"
    read -ra floor <<<"$(lowest floor)"
    printf '%-34s ours %6.1f ms, CPU %6.1f   reference %6.1f, CPU %6.1f   nothing %.1f, CPU %.1f\n' \
        "$what" "${ours[@]}" "${theirs[@]}" "${floor[@]}"
    expect_below "$what: of the reference's time" "$(ratio "${ours[0]}" "${theirs[0]}")" $limit_time
    expect_below "$what: of its CPU" "$(ratio "${ours[1]}" "${theirs[1]}")" $limit_cpu
}

ratio() { awk -v ours="$1" -v theirs="$2" 'BEGIN { if (ours > 0 && theirs > 0) printf "%.2f", ours / theirs }'; } # nothing where nothing was measured

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
