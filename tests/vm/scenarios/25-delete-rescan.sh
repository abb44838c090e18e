# shellcheck shell=bash
# A path is deleted and its map goes on with the other; a scan brings it back into the same map. Then both of a LUN go.

scenario() {
    san_scsi_debug 2 4 || return
    conf_debug
    daemon_start || return
    wait_for 'eight paths in service' 20 in_service 8 || return
    local disk map other number
    disk=$(debug_disk 1 1) other=$(debug_disk 0 1)
    map=$(map_of "$disk") number=$(dev_t "/dev/mapper/$map")
    io_start "/dev/mapper/$map"
    path_delete "$disk"
    wait_for 'the map has one path' 20 is 1 map_paths "$map"
    wait_for 'show paths forgets it' 10 says_not " $disk " ctl show paths
    host_rescan "$(debug_host 1)"
    wait_for 'the disk is back' 20 debug_disk 1 1
    wait_for 'the map has two paths' 20 is 2 map_paths "$map"
    wait_for 'both in service' 20 is 8 active_paths
    expect_eq 'it is the same map' "$(dev_t "/dev/mapper/$map")" "$number"
    io_stop

    path_delete "$other"
    # A map that udev looks at is in use, and the reference tries to remove it only once.
    ours || settled
    path_delete "$(debug_disk 1 1)"
    wait_for 'a map without paths goes' 30 is 3 maps_count
    host_rescan "$(debug_host 0)"
    host_rescan "$(debug_host 1)"
    wait_for 'and returns with them' 30 is 8 active_paths
}
