# shellcheck shell=bash
# Disks are open exclusively elsewhere, and the kernel takes no table with them. While that is so of one, no map is made of the other: it
# would look unused. Their LUN is marked as one that udev's rules leave alone. To a map that is there a path comes that is in use: the map
# works without it, says so, and takes it when it is free. Nor is a map made beside a disk that can't be in its table, being offline, and is
# mounted.
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
    ctl del path "${disks[0]}" >/dev/null
    expect_match 'one is free, and the LUN is in use through the other' "$(ctl add path "${disks[0]}")" EBUSY
    sleep 5
    expect_eq 'no map' "$(maps_count)" 0
    expect_eq 'the mark stays' "$(test -e "$mark" && echo there)" there
    kill "$holder"
    wait_for 'a map when both are free' 90 is 1 maps_count || return
    wait_for 'the mark is gone' 10 test ! -e "$mark"
    wait_for 'both in service' 10 is 2 ready_paths

    expect_eq 'one leaves' "$(ctl del path "${disks[1]}")" ok
    wait_for 'the map is without it' 10 says 'A 0 1 ' dmsetup status "$(maps)"
    rm "/run/held.${disks[1]}"
    hold "${disks[1]}" || return
    ctl add path "${disks[1]}" >/dev/null
    wait_for 'it is said why it is not taken' 20 says "${disks[1]}: the kernel does not take it into the table: EBUSY" cat "$MP_LOG"
    expect_match 'the map goes on' "$(dmsetup status "$(maps)")" 'A 0 1 '
    kill "$holder"
    wait_for 'it is taken when it is free' 90 says '0 2 2 ' dmsetup status "$(maps)"
    wait_for 'both in service' 10 is 2 ready_paths
    part beside_one_offline
}

beside_one_offline() {
    daemon_stop
    poll 20 remove_maps
    mkfs.ext4 -q "/dev/${disks[1]}" && mkdir -p /run/mnt && mount "/dev/${disks[1]}" /run/mnt || return
    path_offline "${disks[1]}"
    daemon_start || return
    wait_for 'a disk is mounted and offline: the LUN is marked' 30 test -e "$mark"
    settled
    expect_eq 'and has no map' "$(maps_count)" 0
    expect_ok 'the mark stays, too' test -e "$mark"
    path_online "${disks[1]}"
    umount /run/mnt
    ctl del path "${disks[0]}" >/dev/null
    ctl add path "${disks[0]}" >/dev/null
    wait_for 'it has one when nobody uses it' 20 in_service 2
}
