# shellcheck shell=bash
# Shows situation 4: a table holds a path of another LUN.
# Somebody reloads a map with dmsetup, without one of its paths, and with another selector: the daemon puts it right.
# The reference leaves it as it is.
# shellcheck disable=SC2034
for_reference=no

# How many targets the daemon has read of a map that has our UUID and is not ours.
targets_said() { grep "^[0-9. |]*long: has our UUID" "$MP_LOG" | grep -o ' zero' | wc -l; }

shows_read_only() { [ "$(ctl show maps raw format '%n %r' | grep "^$1 ")" = "$1 ro" ]; }

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local map a b size wanted before
    a=$(debug_disk 0 0) b=$(debug_disk 1 0)
    map=$(map_of "$a")
    size=$(blockdev --getsz "/dev/mapper/$map")
    wanted=$(dmsetup table "$map")
    io_start "/dev/mapper/$map"
    swaps_watch
    before=$(swaps)
    expect_ok 'a foreign table with one path' dmsetup reload "$map" \
        --table "0 $size multipath 0 0 1 1 round-robin 0 1 1 $(dev_t "$b") 1"
    expect_ok 'becomes the map' dmsetup resume "$map"
    # It may be put right before anybody sees it: the kernel has counted both tables.
    wait_for 'the daemon loads its own' 60 swapped $((before + 2))
    wait_for 'both paths again' 30 is 2 map_paths "$map"
    wait_for 'the table that the configuration says' 30 is "$wanted" dmsetup table "$map"
    wait_for 'the daemon knows both' 10 is 2 ready_paths "$map"
    io_stop

    # Protected by hand: the kernel says that the map is read-only then, whatever its table is. None is loaded for that.
    before=$(swaps)
    blockdev --setro "/dev/mapper/$map"
    expect_eq 'a reconfigure' "$(ctl reconfigure)" ok
    wait_for 'the daemon sees it' 20 shows_read_only "$map"
    expect_eq 'no table for it' "$(swaps)" "$before"
    blockdev --setrw "/dev/mapper/$map"

    # A path of another LUN in it: what is written to the map before the daemon has seen it is not its doing.
    local other; other=$(debug_disk 0 1)
    dmsetup remove "$(map_of "$other")"
    expect_ok 'a table with a path of another LUN' dmsetup reload "$map" \
        --table "0 $size multipath 0 0 1 1 round-robin 0 2 1 $(dev_t "$b") 1 $(dev_t "$other") 1"
    expect_ok 'becomes the map' dmsetup resume "$map"
    wait_for 'the table that the configuration says' 30 is "$wanted" dmsetup table "$map"
    expect_eq 'with paths of its own only' "$(map_wwids "$map")" "$(san_wwid "$b")"

    # A table that does not fit into the answer that there is room for at first is read whole.
    daemon_stop
    for ((a = 0; a < 100; a++)); do echo "$((a * 8)) 8 zero"; done | dmsetup create long --uuid mpath-long
    daemon_start || return
    wait_for 'a long table is read whole' 20 is 100 targets_said
    dmsetup remove long
}
