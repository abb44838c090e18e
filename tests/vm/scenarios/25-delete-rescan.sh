# shellcheck shell=bash
# A path is deleted and its map goes on with the other; a scan brings it back into the same map. The same while udev's messages are
# lost. Then both of a LUN go.

rescans() { grep -c 'udev messages were lost: everything is looked at anew' "$MP_LOG"; }

forgotten() { # DISK OTHER: which it has
    local shown; shown=$(ctl show paths) && line_like " $2 " "$shown" && ! line_like " $1 " "$shown"
}

# The daemon stands still while more is told than its buffer takes: what happens to disks then is lost, whatever it reads later.
messages_lost() { # GOES COMES: a LUN of the second host, whose disk goes meanwhile; one whose disk is away, and comes
    local pid goes comes sent; pid=$(daemon_pid) goes=$(debug_disk 1 "$1")
    path_delete "$(debug_disk 1 "$2")"
    wait_for 'one disk is away' 20 is 7 active_paths
    udevadm settle --timeout=30
    kill -STOP "$pid"
    sent=$("$vm/guest/flood.py" "$pid" /sys/block/sda/device 2>&1)
    expect_match "messages are lost: of $sent" "$sent" '^[0-9]+$'
    host_rescan "$(debug_host 1)"
    wait_for 'the disk is back' 20 debug_disk 1 "$2"
    comes=$(debug_disk 1 "$2")
    path_delete "$goes"
    udevadm settle --timeout=30
    expect_eq 'nothing has been looked at anew before' "$(rescans)" 0
    kill -CONT "$pid"
    wait_for 'that messages are lost is said' 60 says_not '^0$' rescans
    wait_for 'the disk that came is used' 20 path_is "$comes" 'active ready running'
    wait_for 'the one that went is forgotten' 20 forgotten "$goes" "$comes"
    wait_for 'all others are in service' 20 is 7 ready_paths
    host_rescan "$(debug_host 1)"
    wait_for 'messages are heard again: all are in service' 30 in_service 8
}

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
    ! ours || messages_lost 1 2
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
