# shellcheck shell=bash
# Disks are open exclusively elsewhere, and the kernel takes no table with them. While that is so of all, their LUN is marked
# as one that udev's rules leave alone; with one of two free, the map works with that one, says so, and takes the other when it is free.
# shellcheck disable=SC2034
for_reference=no

hold() { # DISK
    python3 -c 'import os, sys, time; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL); open(sys.argv[2], "w"); time.sleep(1000)' \
        "/dev/$1" "/run/held.$1" &
    holder=$!
    poll 20 test -e "/run/held.$1"
}

scenario() {
    san_scsi_debug 2 1 || return
    local disks mark holder other
    read -ra disks <<<"$(debug_disks | xargs)"
    mark=/run/multipath/failed_wwids/$(san_wwid "${disks[0]}")
    hold "${disks[0]}" || return
    other=$holder
    hold "${disks[1]}" || return
    names_up
    conf_debug
    daemon_start || return
    wait_for 'no map can be made: the LUN is marked' 30 test -e "$mark" || return
    expect_eq 'it is no path for udev' "$($names/multipath -u "${disks[0]}" | tail -n 1)" 'DM_MULTIPATH_DEVICE_PATH="0"'
    kill "$other"
    # Added anew it is tried at once, not within a minute.
    expect_eq 'taken out' "$(ctl del path "${disks[0]}")" ok
    expect_eq 'one is free' "$(ctl add path "${disks[0]}")" ok
    wait_for 'a map with that path' 30 is 1 maps_count || return
    wait_for 'the mark is gone' 10 test ! -e "$mark"
    wait_for 'which is in service' 10 says "A 0 1 " dmsetup status "$(maps)"
    wait_for 'and it is said why' 20 says "${disks[1]}: the kernel does not take it into the table: EBUSY" cat "$MP_LOG"
    kill "$holder"
    wait_for 'it is taken when it is free' 90 says '0 2 2 ' dmsetup status "$(maps)"
    wait_for 'both in service' 10 is 2 ready_paths
}
