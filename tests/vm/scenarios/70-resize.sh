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
}
