# shellcheck shell=bash
# Shows situation 21: the daemon is killed; maps go on in the kernel, and the next start takes them over.
# kill -9: the maps work on. The next start takes them over as they are: no table is loaded again, I/O is not disturbed.

scenario() {
    san_scsi_debug 2 4 || return
    conf_debug
    daemon_start || return
    wait_for 'eight paths in service' 20 in_service 8 || return
    local map tables
    map=$(map_of "$(debug_disk 0 0)")
    tables=$(dmsetup table --target multipath | sort)
    io_start "/dev/mapper/$map"
    daemon_kill
    expect_eq 'the maps stay' "$(maps_count)" 4
    expect_ok 'a map works without the daemon' dd "if=/dev/mapper/$map" of=/dev/null bs=64k count=8 iflag=direct
    swaps_watch
    local before; before=$(swaps)
    daemon_start || return
    wait_for 'eight paths in service again' 20 is 8 active_paths
    settled
    ours && expect_swaps 'nothing was reloaded' "$before" 0
    expect_eq 'the same tables' "$(dmsetup table --target multipath | sort)" "$tables"

    daemon_kill
    local disk; disk=$(debug_disk 1 3)
    path_offline "$disk"
    daemon_start || return
    wait_for 'a path that failed meanwhile is found' 30 path_is "$disk" 'failed faulty offline'
    path_online "$disk"
    wait_for 'and comes back' 30 is 8 active_paths
    io_stop
}
