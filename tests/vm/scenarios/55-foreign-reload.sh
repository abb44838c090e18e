# shellcheck shell=bash
# Somebody reloads a map with dmsetup, without one of its paths, and with another selector: the daemon puts it right.
# The reference leaves it as it is.
# shellcheck disable=SC2034
reference=no

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start || return
    wait_for 'four paths in service' 20 is 4 active_paths || return
    local map a b size wanted
    a=$(debug_disk 0 0) b=$(debug_disk 1 0)
    map=$(map_of "$a")
    size=$(blockdev --getsz "/dev/mapper/$map")
    wanted=$(dmsetup table "$map")
    io_start "/dev/mapper/$map"
    dmsetup reload "$map" --table "0 $size multipath 0 0 1 1 round-robin 0 1 1 $(dev_t "$b") 1"
    dmsetup resume "$map"
    expect_eq 'one path for now' "$(map_paths "$map")" 1
    wait_for 'both paths again' 60 is 2 map_paths "$map"
    wait_for 'the table that the configuration says' 30 is "$wanted" dmsetup table "$map"
    expect_eq 'the daemon knows both' "$(ready_paths "$map")" 2
    io_stop
}
