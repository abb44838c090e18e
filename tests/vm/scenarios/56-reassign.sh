# shellcheck shell=bash
# A volume was put together on a single path before there was a map, as an initramfs without multipath does. It is moved over
# to the map: on demand (`reset map`), and by itself where `reassign_maps` is set. Its data stay as they are, and it goes on
# when that path dies. What has a state of its own (a snapshot's origin) is left alone, and that is said.
# shellcheck disable=SC2034
for_reference=no

linear() { # NAME DISK FIRST-SECTOR
    echo "0 2048 linear /dev/$2 $3" | dmsetup create "$1" --noudevsync
}

stands_on() { dmsetup deps -o devno "$1" | sed 's/.*: *(\([0-9]*\), *\([0-9]*\)).*/\1:\2/'; }

sums() { dd if="/dev/mapper/$1" iflag=direct bs=64k count=16 2>/dev/null | md5sum; }

scenario() {
    san_scsi_debug 2 1 || return
    local disks path map before
    read -ra disks <<<"$(debug_disks | xargs)"
    path=$(cat "/sys/block/${disks[0]}/dev")
    linear root "${disks[0]}" 0 && linear home "${disks[0]}" 4096 || return
    echo "0 2048 snapshot-origin /dev/${disks[1]}" | dmsetup create origin --noudevsync || return
    dd if=/dev/urandom of=/dev/mapper/root oflag=direct conv=nocreat bs=64k count=16 2>/dev/null
    before=$(sums root)
    conf_debug
    daemon_start || return
    wait_for 'a map of both' 30 is 2 ready_paths || return
    map=$(cat "/sys/block/$(node_of "$(maps)")/dev")
    expect_eq 'nothing is touched unasked' "$(stands_on root) $(stands_on home)" "$path $path"

    # Somebody writes all the time.
    until [ -e /run/written ]; do
        dd if=/dev/zero of=/dev/mapper/home oflag=direct conv=nocreat bs=4k count=256 2>/run/home.err || { cp /run/home.err /run/home.bad; break; }
    done &
    local writer=$!
    expect_eq 'what has a state of its own is refused' "$(ctl reset map "$(maps)" | tr '\n' ' ')" \
        'moving origin over: a table of type snapshot-origin is left alone: EOPNOTSUPP: not supported '
    expect_eq 'the others stand on the map' "$(stands_on root) $(stands_on home)" "$map $map"
    expect_eq 'with the same blocks' "$(dmsetup table home)" "0 2048 linear $map 4096"
    expect_eq 'and the same data' "$(sums root)" "$before"
    dmsetup remove origin
    expect_eq 'now there is nothing to do' "$(ctl reset map "$(maps)")" ok
    echo offline >"/sys/block/${disks[0]}/device/state"
    expect_eq 'the path dies, and they go on' "$(sums root)" "$before"
    echo running >"/sys/block/${disks[0]}/device/state"
    wait_for 'it is back' 30 is 2 ready_paths
    touch /run/written
    wait "$writer"
    expect_eq 'who wrote has met no error' "$(cat /run/home.bad 2>/dev/null)" ''

    # By itself, where it is set: to the paths that are there, too.
    linear late "${disks[1]}" 0 || return
    conf_debug 'reassign_maps yes'
    daemon_stop
    daemon_start || return
    wait_for 'another is moved by itself' 30 is "$map" stands_on late
    wait_for 'and it is said' 10 says 'late: it stands on' cat "$MP_LOG"
    dmsetup remove root && dmsetup remove home && dmsetup remove late
}
