# shellcheck shell=bash
# The daemon starts while udev's database is empty, as after a switch of the root file system: no path leaves its map, in use or
# not. When udev has looked at the disks again, all is as it was. A disk that udev never looks at is waited for, and then known by what it
# says itself.

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local map tables before
    map=$(map_of "$(debug_disk 0 0)")
    tables=$(dmsetup table --target multipath | sort)
    io_start "/dev/mapper/$map"
    daemon_kill
    expect_ok "udev's database is emptied" udevadm info --cleanup-db
    swaps_watch
    before=$(swaps)
    daemon_start || return
    settled
    expect_eq 'both maps stay' "$(maps_count)" 2
    expect_eq 'the same tables' "$(dmsetup table --target multipath | sort)" "$tables"
    expect_eq 'and all paths in use' "$(active_paths)" 4
    udevadm trigger --action=add --subsystem-match=block
    udevadm settle
    wait_for 'four paths in service again' 30 in_service 4
    ours && expect_swaps 'nothing was reloaded' "$before" 0
    expect_eq 'the same tables in the end' "$(dmsetup table --target multipath | sort)" "$tables"
    io_stop
    ! ours || { never_looked_at && stopped_meanwhile; }
}

never_looked_at() {
    daemon_stop
    poll 20 remove_maps
    udevadm settle
    conf_debug 'retrigger_tries 2' 'retrigger_delay 2'
    udevadm control --stop-exec-queue
    udevadm info --cleanup-db
    daemon_start || return
    expect_match 'udev is waited for at first' "$(ctl explain "$(debug_disk 0 0)")" 'udev has not processed it yet'
    # udev's rules do not look at the new maps either, which are waited for.
    wait_for 'all paths are taken after all' 60 is 4 ready_paths
    expect_match 'it is said whose word that is' "$(ctl explain "$(debug_disk 0 0)")" 'from the device, as udev has not looked at it'
    udevadm control --start-exec-queue
    udevadm trigger --action=add --subsystem-match=block
    udevadm settle
    wait_for 'udev says the same' 30 in_service 4
    expect_eq 'both maps are there' "$(maps_count)" 2
}

# Semaphores by which udev would tell that it is done with a map (`dmsetup udevcookies`).
cookies() { awk '$1 >= 223150080 && $1 < 223215616 { n++ } END { print n + 0 }' /proc/sysvipc/sem; }

stopped_meanwhile() {
    daemon_stop
    poll 20 remove_maps
    udevadm settle
    udevadm control --stop-exec-queue
    daemon_start || return
    wait_for 'new maps wait for udev' 20 is 2 cookies
    daemon_stop
    expect_eq 'nothing is left of that by a daemon that stops' "$(cookies)" 0
    udevadm control --start-exec-queue
    udevadm settle
}
