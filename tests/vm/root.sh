#!/bin/bash
# In a machine whose root is on a map (tests/root starts it): the map works, the daemon is the root file system's, and a path may fail.
#   root.sh two|one|late|dracut|dracut-one: how many paths there were at boot, and whose image it was (dracut: two paths);
#   late: both came when the root file system was already waited for
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh
paths=2
[[ $1 != *one ]] || paths=1
map=rootdisk

daemon() { systemctl show -P MainPID multipathd.service; }
map_of_root() { dmsetup deps -o devname "$(findmnt -no SOURCE /)"; }
written() { dd if=/dev/zero of=/written bs=1M count=8 oflag=direct status=none && sync -f /written; }

is_on_a_map() {
    expect_eq "$1: / is a partition of the map" "$(findmnt -no SOURCE /)" "/dev/mapper/$map-part1"
    expect_match "$1: the partition stands on the map" "$(map_of_root)" "\\($map\\)"
    wait_for "$1: the unit is active" 60 is active systemctl is-active multipathd.service
    wait_for "$1: $paths paths are in service" 60 is "$paths" ready_paths $map
}

is_taken_over() {
    local before
    before=$(cat /run/before/pid)
    expect_match "$1: the initramfs had a daemon" "$before" '^[0-9]+$'
    expect_eq "$1: one daemon runs, the unit's" "$(pgrep -x multipathd | tr '\n' ' ')" "$(daemon) "
    expect_eq "$1: it is the root file system's" "$(readlink "/proc/$(daemon)/exe")" /usr/sbin/multipathd
    expect_ok "$1: it is not the initramfs' one" [ "$before" != "$(daemon)" ]
    expect_eq "$1: the table is the one of the initramfs" "$(dmsetup table --target multipath)" "$(cat /run/before/table)"
    expect_eq "$1: the daemon has loaded no table" "$(multipathd show maps raw format %2 | tr -d ' ')" 0
}

survives_a_path() {
    local victim
    victim=$(multipathd show paths raw format %d | head -n 1)
    echo offline >"/sys/block/$victim/device/state"
    expect_ok "$1: / is written while a path is lost" written
    wait_for "$1: the path is failed" 30 is 1 ready_paths $map
    expect_ok "$1: / is written by the other" written
    echo running >"/sys/block/$victim/device/state"
    wait_for "$1: the path is taken back" 30 is 2 ready_paths $map
}

joins() {
    echo 'plug in the other path'
    wait_for "$1: the missing path joins" 60 is 2 ready_paths $map
    expect_eq "$1: it is in the map" "$(map_paths $map)" 2
}

# Nobody says that root is on a map: the hook finds it.
makes_its_initramfs() {
    local out
    out=$(mkinitramfs -o /boot/initrd "$(uname -r)" 2>&1)
    expect_eq "$1: an initramfs is made, without a word" "$? $out" '0 '
    expect_ok "$1: the daemon is in it" has_in_initramfs usr/sbin/multipathd
    expect_ok "$1: and the selectors" has_in_initramfs dm-queue-length.ko
    sync
}

has_in_initramfs() { zcat /boot/initrd | cpio -t --quiet | grep -q "$1"; }

is_on_a_map "$1"
is_taken_over "$1"
[[ $1 != *one ]] || joins "$1"
survives_a_path "$1"
[ "$1" != two ] || makes_its_initramfs "$1"
summary
