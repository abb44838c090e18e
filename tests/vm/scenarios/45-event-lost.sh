# shellcheck shell=bash
# udev is ended with a map's event in its queue, as happens when an initramfs is left: nobody has called the map ready, and nobody would.
# The next daemon has udev look at it; where it is called ready, no table is loaded.
# shellcheck disable=SC2034
for_reference=no

ready() { says '^MPATH_DEVICE_READY=1$' udevadm info -q property "/dev/mapper/$1"; }

scenario() {
    conf_debug
    rules_up # before the disks: they are to be known as paths
    san_scsi_debug 2 1 || return
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local map before; map=$(maps)
    wait_for 'it is called ready' 20 ready "$map"
    udevadm settle --timeout=30
    daemon_stop
    swaps_watch
    before=$(swaps)
    daemon_start || return
    settled
    expect_swaps 'a daemon loads no table for a map that is ready' "$before" 0
    daemon_stop
    rm "/run/udev/data/b$(dev_t "/dev/mapper/$map")"
    daemon_start || return
    wait_for 'it is called ready again' 20 ready "$map"
    expect_swaps 'by one table' "$before" 1
    settled
    expect_swaps 'and no other' "$before" 1
    rules_down
}
