# shellcheck shell=bash
# Shows situation 21: the daemon is killed; maps go on in the kernel, and the next start takes them over.
# kill -9: the maps work on. The next start takes them over as they are: no table is loaded again, I/O is not disturbed.
#
# RESTART_LUNS says how many maps there are, of two paths each. Three hundred of them:
#   SCENARIO_LIMIT=3000 RESTART_LUNS=300 VM_PASS='RESTART_LUNS SCENARIO_LIMIT' tests/vm/run --timeout 3600 --mem 5120 tests/vm/suite.sh 30-crash

luns=${RESTART_LUNS:-12}

scenario() {
    # Without a delay where there are many: with one, hosts of these answer some commands with DID_ABORT, and paths fail.
    # shellcheck disable=SC2046
    san_scsi_debug 2 "$luns" dev_size_mb=4 $([ "$luns" -le 100 ] || echo delay=0) || return
    conf_debug
    daemon_start || return
    wait_for "$((2 * luns)) paths in service" $((20 + luns)) in_service $((2 * luns)) || return
    udevadm settle --timeout=$((30 + 2 * luns))
    local map tables
    map=$(map_of "$(debug_disk 0 0)")
    tables=$(dmsetup table --target multipath | sort)
    io_start "/dev/mapper/$map"
    daemon_kill
    expect_eq 'the maps stay' "$(maps_count)" "$luns"
    expect_ok 'a map works without the daemon' dd "if=/dev/mapper/$map" of=/dev/null bs=64k count=8 iflag=direct
    swaps_watch
    local before; before=$(swaps)
    daemon_start || return
    wait_for 'all paths in service again' $((20 + luns / 10)) in_service $((2 * luns))
    settled
    ours && expect_swaps "no table was loaded, of $luns maps" "$before" 0
    expect_eq 'the same tables' "$(dmsetup table --target multipath | sort)" "$tables"

    daemon_kill
    local disk; disk=$(debug_disk 1 3)
    path_offline "$disk"
    daemon_start || return
    wait_for 'a path that failed meanwhile is found' 30 path_is "$disk" 'failed faulty offline'
    path_online "$disk"
    wait_for 'and comes back' 30 is $((2 * luns)) active_paths
    io_stop
}
