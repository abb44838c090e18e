# shellcheck shell=bash
# A LUN grows, and becomes smaller: every path is rescanned, and the map takes the new size when it is told to.
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
}
