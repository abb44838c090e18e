# shellcheck shell=bash
# The kernel's ALUA handler is attached to a disk that has been read already, by the table of its map: sysfs had no access state of it, and
# it is asked itself. So is one of its map that comes later, which sysfs has the state of.
# shellcheck disable=SC2034
for_reference=no

prioritizer() { ctl explain "$1" | awk '$1 == "prio" { print $2 }'; } # of a DISK

scenario() {
    local first second device
    modprobe -q -r scsi_dh_alua
    san_scsi_debug 1 1 || return
    first=$(debug_disk 0 0)
    device=/sys/block/$first/device
    expect_eq 'no handler is there' "$(cat "$device/dh_state")" detached
    conf_debug 'detect_prio yes'
    daemon_start || return
    wait_for 'a path in service' 20 in_service 1 || return
    expect_eq 'the table has brought its handler' "$(cat "$device/dh_state")" alua
    expect_eq 'it is asked itself' "$(prioritizer "$first")" alua

    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/add_host
    poll 20 is 2 debug_disks_count
    wait_for 'another path in service' 20 in_service 2 || return
    second=$(debug_disk 1 0)
    expect_ok 'sysfs has its access state' test -e "/sys/block/$second/device/access_state"
    wait_for 'it is asked, too' 10 is alua prioritizer "$second"
    expect_eq 'as the first one is' "$(prioritizer "$first")" alua
    # Where the first one goes, the kernel's handler is enough.
    echo 1 >"$device/delete"
    wait_for 'it is alone' 20 in_service 1
    wait_for 'and rated by sysfs' 10 is sysfs prioritizer "$second"
}
