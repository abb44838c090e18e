# shellcheck shell=bash
# Debian's multipathd runs, stops, and ours takes its maps over without a reload; and the other way round.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 4 || return
    conf_debug
    reference_start || return
    wait_for 'the reference made four maps' 30 is 4 maps_count || return
    poll 10 is 8 active_paths
    local tables map
    map=$(map_of "$(debug_disk 0 0)")
    io_start "/dev/mapper/$map"
    reference_stop
    tables=$(dmsetup table --target multipath | sort)
    swaps_watch
    local before; before=$(swaps)
    daemon_start || return
    wait_for 'ours has eight paths in service' 20 is 8 ready_paths
    settled
    expect_eq 'nothing was reloaded' "$(($(swaps) - before))" 0
    expect_eq 'the same tables' "$(dmsetup table --target multipath | sort)" "$tables"
    daemon_stop

    reference_start || return
    wait_for 'the reference takes them back' 20 is 8 active_paths
    settled
    io_stop
}
