# shellcheck shell=bash
# Shows situation 14: a LUN is unmapped and another mapped in its place, under the same number: no I/O meant for the one reaches
# the other. The path is the other's from then on.
# shellcheck disable=SC2034
for_reference=no

empty() { cmp -s -n $((64 * 1024 * 1024)) /dev/zero "/run/san/$1"; }

scenario() {
    local size=$((64 * 1024 * 1024))
    # Not LUN 0: the kernel's target answers at that number, whatever is mapped.
    san_target_up && san_backstore disk2 $size 20170013-0000-0002 && san_backstore disk3 $size 20170013-0000-0003 || return
    san_lun 1 disk2 && san_initiator_up && san_login >/dev/null || return
    poll 20 iscsi_disk 192.168.2.201 1
    udevadm settle --timeout=30
    conf_debug 'path_checker tur' 'no_path_retry queue' 'recheck_wwid yes'
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local map a writer
    a=$(iscsi_disk 192.168.2.200 1) map=$(map_of "$a")
    san_lun_gone 1
    wait_for 'the LUN is unmapped: no path is left' 20 is 2 active_paths
    printf 'x%.0s' {1..4096} >/run/pattern
    dd if=/run/pattern of="/dev/mapper/$map" bs=4k count=1 oflag=direct conv=nocreat,notrunc 2>/run/writer &
    writer=$!
    wait_for 'a write waits' 10 is 1 blocked_writers
    san_lun 1 disk3
    wait_for 'another is in its place, and that is said' 30 grep -q "$a: its WWID changed" "$MP_LOG"
    wait_for 'its paths are in a map of its own' 30 other_map "$map"
    expect_eq 'what was meant for the first waits' "$(cat /run/writer)" ''
    expect_ok 'and has not reached the other' empty disk3
    dmsetup message "$map" 0 fail_if_no_path
    wait $writer
    expect_match 'it fails when it may' "$(cat /run/writer)" 'Input/output error'
}

other_map() { local now; now=$(map_of "$a") && [ "$now" != "$1" ] && [ "$(map_paths "$now")" = 2 ]; }
