# shellcheck shell=bash
# A path goes offline and comes back, by itself and by command; I/O goes on through the other.

scenario() {
    san_scsi_debug 2 4 || return
    conf_debug
    daemon_start || return
    wait_for 'eight paths in service' 20 in_service 8 || return
    local disk map
    disk=$(debug_disk 1 2)
    map=$(map_of "$disk")
    io_start "/dev/mapper/$map"
    path_offline "$disk"
    wait_for 'the checker sees it' 20 path_is "$disk" 'failed faulty offline' "$map"
    wait_for 'failed in the kernel' 20 says "$(dev_t "$disk") F" dmsetup status "$map"
    expect_eq 'the others stay' "$(active_paths)" 7
    path_online "$disk"
    wait_for 'reinstated' 30 path_is "$disk" 'active ready running' "$map"
    wait_for 'active in the kernel' 10 says "$(dev_t "$disk") A" dmsetup status "$map"

    expect_eq 'fail path says ok' "$(ctl fail path "$disk" 2>/dev/null)" ok
    wait_for 'failed by command' 5 says "$(dev_t "$disk") F" dmsetup status "$map"
    expect_eq 'reinstate path says ok' "$(ctl reinstate path "$disk" 2>/dev/null)" ok
    wait_for 'reinstated by command' 5 says "$(dev_t "$disk") A" dmsetup status "$map"
    io_stop
}
