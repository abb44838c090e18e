# shellcheck shell=bash
# One of two disks is open exclusively elsewhere, and the kernel takes no table with it: the map works with the other one,
# says so, and takes it when it is free.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 1 || return
    local disk; disk=$(debug_disks | tail -n 1)
    python3 -c 'import os, sys, time; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL); open(sys.argv[2], "w"); time.sleep(1000)' \
        "/dev/$disk" /run/held &
    local holder=$!
    poll 20 test -e /run/held || return
    conf_debug
    daemon_start || return
    wait_for 'a map with the other path' 30 is 1 maps_count || return
    wait_for 'which is in service' 10 says "A 0 1 " dmsetup status "$(maps)"
    wait_for 'and it is said why' 20 says "$disk: the kernel does not take it into the table: EBUSY" cat "$MP_LOG"
    kill "$holder"
    wait_for 'it is taken when it is free' 90 says '0 2 2 ' dmsetup status "$(maps)"
    wait_for 'both in service' 10 is 2 ready_paths
}
