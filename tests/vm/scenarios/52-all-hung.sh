# shellcheck shell=bash
# Every path hangs, and nobody gives any up: the operator is answered as fast as ever, and so are udev's rules.

# `multipath` as udev's rules and scripts call it, in udev's environment. Three seconds are far more than an answer takes, under emulation too,
# and less than whoever waited would: no command to these disks ends, and clients wait for 4 s for a daemon that stands still.
answers() { # WHAT STATUS WORDS NODE ARGUMENTS...
    local what="$1: multipath ${*:5}" wanted="$3[$2]" node=$4 start udev words status=0; shift 4
    mapfile -t udev <<<"$(udevadm info --query=property "$node")"
    udev+=(ACTION=change SUBSYSTEM=block)
    start=$(date +%s.%N)
    words=$(timeout -s KILL 20 env "${udev[@]}" $names/multipath "$@" 2>/dev/null) || status=$?
    expect_below "$what, in seconds" "$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }')" 3
    expect_eq "$what" "$words[$status]" "$wanted"
    # The same once more, for what it opens.
    [ -z "$tracing" ] || timeout -s KILL 20 env "${udev[@]}" \
        strace -f -qq -e trace=open,openat,openat2 -o '|cat >>/run/opened' $names/multipath "$@" >/dev/null 2>&1
}

rules_are_answered() { # WHAT IN-THE-MAP IN-NONE MAP: of a map, and of disks; for one in no map the configuration is read
    local disk
    for disk in "$2" "$3"; do
        answers "$1" 0 'DM_MULTIPATH_DEVICE_PATH="1"' "/dev/$disk" -u "$disk"
        answers "$1" 0 'DM_MULTIPATH_DEVICE_PATH="1"' "/dev/$disk" -c "/dev/$disk"
    done
    answers "$1" 1 '' "/dev/mapper/$4" -U "$4"
    answers "$1" 1 '' "/dev/mapper/$4" -C "/dev/mapper/$4"
}

rules() { # IN-THE-MAP IN-NONE MAP
    local tracing=1 pid; pid=$(daemon_pid)
    names_up
    : >/run/opened
    rules_are_answered 'all hang' "$@"
    expect_match 'what they open is seen' "$(cat /run/opened)" '"/etc/multipath.conf"'
    expect_no_match 'no disk and no map is opened' "$(cat /run/opened)" '"/dev/(sd|sg|dm-|disk/|block/|bsg/|mapper/[^c])'
    tracing=''
    kill -STOP "$pid"
    rules_are_answered 'the daemon stands still, too' "$@"
    kill -CONT "$pid"
}

both_usable() { [ "$(paths_status "$1" | grep -c ' A ')" = 2 ]; }

scenario() {
    san_target_up && san_backstore disk2 $((64 * 1024 * 1024)) 20170013-0000-0002 && san_lun 1 disk2 || return
    SAN_REPLACEMENT=86400 SAN_NOOP_INTERVAL=0 SAN_NOOP_TIMEOUT=0 san_initiator_up && san_login >/dev/null || return
    poll 20 iscsi_disk 192.168.2.201 1
    udevadm settle --timeout=30
    conf_debug 'path_checker directio' 'path_grouping_policy multibus' 'checker_timeout 5' 'no_path_retry queue'
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local map usual ip command other; other=$(iscsi_disk 192.168.2.201 1)
    udevadm settle --timeout=30
    expect_eq 'the disks of one LUN are in no map' "$(ctl del map "$(map_of "$other")")" ok
    wait_for 'two paths in service' 20 in_service 2 || return
    map=$(map_of "$(iscsi_disk 192.168.2.200)")
    usual=$(elapsed ll)
    for ip in $san_portals; do portal_cut "$ip"; done
    write_once "$map" 100 >/run/writer &
    wait_for 'both paths are given up' 60 says_not ' A ' paths_status "$map"
    # Ten in a row, so that one slow start of a process decides nothing.
    expect_below "-ll: usually $usual s" "$(elapsed repeat 10 ll)" "$(awk -v a="$usual" 'BEGIN { print 10 * (a + 0.3) }')"
    ! ours || rules "$(iscsi_disk 192.168.2.200)" "$other" "$map"
    for command in 'show paths' 'show status' 'show maps json' 'show daemon' 'reconfigure'; do
        # shellcheck disable=SC2086
        expect_below "$command" "$(elapsed ctl $command)" 2
    done
    expect_below '-ll after it' "$(elapsed ll)" 1
    replies_in_time 'all paths hang'
    for ip in $san_portals; do portal_mend "$ip"; done
    wait_for 'both are back' 120 both_usable "$map"
    wait_for 'what waited is written' 30 is written cat /run/writer
}
