# shellcheck shell=bash
# Shows situation 14: a LUN is unmapped.
# An array takes away a LUN: its disks are deleted, those of the other LUN number stay. A path that comes back is rescanned
# before it is used.

scenario() {
    san_target_up && san_lun 1 disk1 || return
    san_initiator_up && san_login || return
    poll 20 is 4 iscsi_luns || fail 'four disks' "$(iscsi_luns)"
    conf_debug 'purge_disconnected yes' 'recheck_wwid yes' 'path_checker tur'
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4
    san_lun_gone 1
    wait_for 'the disks of the LUN are deleted' 30 is 2 iscsi_luns
    wait_for 'two paths are left' 10 is 2 map_paths "$(maps)"
    expect_eq 'each deletion is said' "$(grep -c 'is deleted: its array has no LUN there' "$MP_LOG")" 2
    expect_eq 'the others serve' "$(write_once "$(maps)" 10)" written

    local disk; disk=$(iscsi_disk "${san_portals%% *}")
    path_offline "$disk"
    wait_for 'a path fails' 10 is 1 active_paths
    path_online "$disk"
    wait_for 'and is used again, the same LUN' 10 is 2 active_paths
}

iscsi_luns() { # how many disks the sessions show
    local dir count=0
    for dir in /sys/class/iscsi_session/session*/device/target*/*:*:*:*/block/sd*; do
        [ -d "$dir" ] && count=$((count + 1))
    done
    echo $count
}
