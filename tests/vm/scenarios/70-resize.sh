# shellcheck shell=bash
# A LUN grows, and becomes smaller: every path is rescanned, and the map takes the new size when it is told to, or by itself with
# `auto_resize grow_shrink`. It becomes read-only, and can be written again.
# shellcheck disable=SC2034
for_reference=no

map_sectors() { blockdev --getsz "/dev/mapper/$1"; }

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug 'no_path_retry queue'
    daemon_start || return
    wait_for 'two paths in service' 20 is 2 ready_paths || return
    local map; map=$(maps)
    expect_eq 'nothing to do' "$(ctl resize map "$map")" ok
    expect_eq 'an unknown map' "$(ctl resize map nosuch 2>&1)" 'device not found'
    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    expect_eq 'the kernel does not look by itself' "$(map_sectors "$map")" 16384
    expect_eq 'resize map' "$(ctl resize map "$map")" ok
    expect_eq 'the map has the new size' "$(map_sectors "$map")" 2097152
    expect_eq 'so says -ll' "$(ll | grep -o 'size=[^ ]*')" size=1.0G
    expect_eq 'both paths are in it' "$(ready_paths)" 2
    expect_ok 'its last block can be read' dd "if=/dev/mapper/$map" of=/dev/null bs=512 skip=2097151 count=1 iflag=direct

    # Its disks are read anew one after another: none is lost for that.
    # udev has read the map's end, which is none when it is smaller.
    settled
    local first; first=$(debug_disk 0 0)
    echo 0 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    echo 1 >"/sys/block/$first/device/rescan"
    wait_for 'the first one shows it' 10 grep -q "$first has 16384 sectors, the map 2097152" "$MP_LOG"
    sleep 3
    expect_eq 'both paths are still in it' "$(ready_paths)" 2
    echo 1 >"/sys/block/$(debug_disk 1 0)/device/rescan"
    wait_for 'the other one shows it' 10 grep -q 'its LUN has become smaller' "$MP_LOG"
    expect_eq 'no path was lost' "$(ready_paths)" 2
    expect_eq 'resize map, to less' "$(ctl resize map "$map")" ok
    expect_eq 'the map has the size' "$(map_sectors "$map")" 16384
    expect_eq 'with both paths' "$(ready_paths)" 2
    expect_eq 'nobody was refused' "$(grep -c 'not merged' "$MP_LOG")" 0

    # The kernel has read the size of a disk anew, and the daemon has not heard it. It measures the disks of a table when that is to become the
    # live one: the map works on with the table that it had, and the next one is without that disk.
    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    expect_eq 'resize map, to more again' "$(ctl resize map "$map")" ok
    settled
    : >"$MP_LOG"
    udevadm control --stop-exec-queue
    echo 0 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    echo 1 >"/sys/block/$first/device/rescan"
    sleep 1
    expect_eq 'the kernel knows it' "$(cat "/sys/block/$first/size")" 16384
    expect_eq 'the daemon does not' "$(grep -c "$first has 16384 sectors" "$MP_LOG")" 0
    dmesg --clear
    expect_match 'a table that is too long' "$(ctl reload map "$map" 2>&1)" 'resume: EINVAL'
    expect_match 'which the kernel says' "$(dmesg)" "$first too small for target"
    expect_match 'the map is not suspended' "$(dmsetup info "$map")" 'State: *ACTIVE'
    expect_eq 'with both paths' "$(map_paths "$map")" 2
    wait_for 'the size is known' 10 grep -q "$first has 16384 sectors, the map 2097152" "$MP_LOG"
    expect_eq 'another table' "$(ctl reload map "$map" 2>&1)" ok
    expect_eq 'is without it' "$(map_paths "$map")" 1
    udevadm control --start-exec-queue
    settled
    echo 1 >"/sys/block/$(debug_disk 1 0)/device/rescan"
    wait_for 'all show it' 10 grep -q 'its LUN has become smaller: 16384 sectors' "$MP_LOG"
    expect_match 'no table can be loaded before it is resized' "$(ctl reload map "$map" 2>&1)" 'resize the map first'
    expect_eq 'resize map, to less again' "$(ctl resize map "$map")" ok
    wait_for 'both paths are back' 20 is 2 map_paths "$map"
    part one_lags
    part grown_is_said
    part by_itself
    part read_only
}

one_lags() {
    local lags; lags=$(debug_disk 1 0)
    path_offline "$lags"
    wait_for 'a path is offline' 20 is 1 active_paths
    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    expect_match 'resize map with a path that lags' "$(ctl resize map "$map" 2>&1)" "its paths differ: .*; not read anew: $lags\$"
    expect_eq 'the map keeps its size' "$(map_sectors "$map")" 16384
    path_online "$lags"
    wait_for 'it is back' 20 in_service 2
    expect_eq 'resize map with all of them' "$(ctl resize map "$map")" ok
    expect_eq 'gives it the new size' "$(map_sectors "$map")" 2097152
}

# Nobody follows it by himself: what can be done is said when the array tells of it, and when all disks show it.
grown_is_said() {
    local disk how="\`resize map $map\`"
    echo 0 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    expect_eq 'resize map, to less once more' "$(ctl resize map "$map")" ok
    udevadm settle --timeout=30
    : >"$MP_LOG"
    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    wait_for 'its array tells' 20 says "its size has changed; auto_resize is never: $how" cat "$MP_LOG"
    for disk in $(debug_disks); do echo 1 >"/sys/block/$disk/device/rescan"; done
    wait_for 'it has grown' 10 says "its LUN has grown: 2097152 sectors, the map has 16384; $how" cat "$MP_LOG"
    expect_match 'explain says so' "$(ctl explain "$map")" 'its LUN has grown: 2097152 sectors'
    expect_eq 'the map keeps its size' "$(map_sectors "$map")" 16384
    expect_eq 'resize map, as was said' "$(ctl resize map "$map")" ok
    expect_eq 'the map has grown' "$(map_sectors "$map")" 2097152
    expect_no_match 'explain has no more to say of it' "$(ctl explain "$map")" 'its LUN has grown'
}

# The disk tells with the next check that its size is another (2A/09).
by_itself() {
    conf_debug 'no_path_retry queue' 'auto_resize grow_shrink'
    expect_eq 'the size is to be followed' "$(ctl reconfigure)" ok
    settled
    echo 0 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    wait_for 'the map becomes smaller by itself' 20 is 16384 map_sectors "$map"
    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    wait_for 'and grows' 20 is 2097152 map_sectors "$map"
    wait_for 'with both paths' 10 in_service 2
}

shown_protection() { ctl show maps raw format %r | tr -d ' '; }

# In the kernel, and as `show maps` has it. With a map that becomes read-only device-mapper's rules take its link away, and bring it back
# with the table's message.
protected_is() { # 0|1 ro|rw
    udevadm settle --timeout=10 && [ -b "/dev/mapper/$map" ] && is "$1" blockdev --getro "/dev/mapper/$map" && is "$2" shown_protection
}

read_only() {
    local disk
    echo 1 >/sys/module/scsi_debug/parameters/wp
    for disk in $(debug_disks); do echo 1 >"/sys/block/$disk/device/rescan"; done
    expect_eq 'the disks are protected' "$(cat /sys/block/"$(debug_disk 0 0)"/ro)" 1
    wait_for 'the map is read-only' 20 protected_is 1 ro
    expect_eq 'and works' "$(in_service 2; echo $?) $(write_once "$map" 10)" '0 failed'
    echo 0 >/sys/module/scsi_debug/parameters/wp
    for disk in $(debug_disks); do echo 1 >"/sys/block/$disk/device/rescan"; done
    wait_for 'it can be written again' 20 protected_is 0 rw
    expect_eq 'and is' "$(write_once "$map" 10)" written
}
