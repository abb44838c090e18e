#!/bin/bash
# udev's rules of etc/udev beside Debian's, in one guest, each with its own daemon and commands: properties, links, lsblk, blkid and LVM
# at every stage of a map's life, and what is only ours to hold: nothing reads a map without paths. With device-mapper's rules of version 2,
# which the guest has, and of version 3, which tests/rules brings.
# shellcheck disable=SC2154
# shellcheck source=tests/vm/lib.sh
. /vm/lib.sh
: >"$verdicts"
rules=/etc/udev/rules.d
next=$vm/files/next

use() { # ours|theirs [3, ours only]
    who=$1 name="$1${2:+, version $2}" pictures=/run/pictures/$1-${2:-2}
    mkdir -p $rules "$pictures"
    rm -f $rules/*
    [ -z "${2:-}" ] || cp "$next"/*.rules $rules/
    if [ "$who" = ours ]; then
        MPD=$vm/bin/multipathd MPCTL=$vm/bin/multipathctl
        rules_up
    else
        MPD=$reference/multipathd MPCTL=$vm/guest/reference-ctl
        install "$reference/multipath" /sbin/multipath
        cp /opt/reference/lib/udev/rules.d/*.rules $rules/
        udevadm control --reload
    fi
    echo "== $name"
}

# --- pictures of all that udev and others make of the devices

properties='SYSTEMD_READY|DM_MULTIPATH_DEVICE_PATH|MPATH_DEVICE_READY|DM_NAME|DM_UUID|DM_TYPE|DM_WWN|DM_SERIAL|DM_PART'
properties="$properties|ID_FS_TYPE|ID_FS_USAGE|ID_FS_LABEL|ID_FS_UUID"

property() { udevadm info --query=property --property="$1" --value "/dev/$2"; } # property NAME DEVICE

blocks() { find /sys/class/block -name 'dm-*' -printf '%f\n' -o -name 'sd[b-z]*' -printf '%f\n' | sort; }

# What is random (UUIDs of file systems) is the same in both rounds, as it is given.
picture() { # STAGE
    local device
    udevadm settle --timeout=60 || fail "$name: $1: udev settles" "$(udevadm info --cleanup-db 2>&1 | tail -n 3)"
    {
        for device in $(blocks); do
            echo "# $device"
            udevadm info --query=property "/dev/$device" | grep -E "^($properties)=" | sort
        done
        echo '# links'
        find /dev/disk /dev/mapper -type l -printf '%p -> %l\n' | grep -v 'sda\|QEMU\|diskseq' | sort
    } | sed 's/LVM-[[:alnum:]]*/LVM-…/g' >"$pictures/$1"
}

readers() { # STAGE: those who read the devices
    {
        echo '# lsblk'; lsblk --noheadings --list --output NAME,TYPE,FSTYPE,LABEL | grep -v '^sda' | sort -u
        echo '# blkid'; blkid -c /dev/null | grep -v '/dev/sda' | sort
        echo '# pvs'; pvs --noheadings -o pv_name,vg_name 2>&1 | tr -s ' ' | sort
        echo '# pvs -a'; pvs -a --noheadings -o pv_name 2>&1 | tr -s ' ' | sort
        echo '# a volume on a path'; pvcreate --test "/dev/$(debug_disk 0 0)" 2>&1
    } >>"$pictures/$1"
}

# --- a map's life

life_conf() {
    conf_debug 'no_path_retry queue' 'user_friendly_names yes' 'fast_io_fail_tmo 5' 'flush_on_last_del never'
}

partitions() { # two of Linux, 32 MiB each
    python3 - "$1" <<'PYTHON'
import struct, sys
table = b"".join(struct.pack("<B3sB3sII", 0, b"\0\0\0", 0x83, b"\0\0\0", start, 65536) for start in (2048, 67584))
with open(sys.argv[1], "r+b") as disk:
    disk.seek(440)
    disk.write(b"\x11\x22\x33\x44\0\0" + table.ljust(64, b"\0") + b"\x55\xaa")
PYTHON
}

# mpatha has two partitions: a file system, and an LVM volume.
contents() {
    partitions /dev/mapper/mpatha
    wait_for "$name: partitions come by themselves" 30 test -e /dev/mapper/mpatha-part2
    mke2fs -q -t ext4 -L part -U 11111111-1111-1111-1111-111111111111 /dev/mapper/mpatha-part1
    pvcreate -qq -y --norestorefile --uuid 333333-3333-3333-3333-3333-3333-333333 /dev/mapper/mpatha-part2
    vgcreate -qq -y vg /dev/mapper/mpatha-part2
    lvcreate -qq -y -an -Zn -L 8m -n lv vg
}

# The first disk was none while it was alone: it is announced anew when the map has been made.
both_are_paths() {
    [ "$(property DM_MULTIPATH_DEVICE_PATH "$(debug_disk 0 0)")$(property DM_MULTIPATH_DEVICE_PATH "$(debug_disk 1 0)")" = 11 ]
}

nothing_usable() { is 0 active_paths; }
not_ready() { [ "$(property MPATH_DEVICE_READY mapper/mpatha)" = 0 ]; }
is_ready() { [ "$(property MPATH_DEVICE_READY mapper/mpatha 2>/dev/null)" = 1 ]; }

life() { # ours|theirs [3, ours only]
    use "$@"
    rm -rf /etc/multipath
    mkdir -p /etc/multipath
    life_conf
    san_scsi_debug 2 1 dev_size_mb=96 || return
    daemon_start || return
    wait_for "$name: a map of two paths" 40 is 2 active_paths || return
    wait_for "$name: and both disks are known as its paths" 20 both_are_paths
    # The kernel's map is there before udev's rules have made its node.
    wait_for "$name: and udev is done with the map" 20 is_ready
    expect_eq "$name: device-mapper's rules" "$(property DM_UDEV_RULES_VSN mapper/mpatha)" "${2:-2}"
    picture empty
    contents
    picture full && readers full

    # As when the root file system has been switched to.
    udevadm trigger --action=add --subsystem-match=block
    picture announced && readers announced

    path_offline "$(debug_disk 0 0)"
    wait_for "$name: one path is lost" 20 is 1 active_paths
    picture one-lost && readers one-lost

    path_offline "$(debug_disk 1 0)"
    wait_for "$name: both are lost" 20 nothing_usable
    wait_for "$name: and udev knows" 20 not_ready
    picture all-lost
    without_paths

    path_online "$(debug_disk 0 0)"
    path_online "$(debug_disk 1 0)"
    wait_for "$name: both are back" 30 is 2 active_paths
    wait_for "$name: and udev knows" 20 is_ready
    picture back && readers back

    path_delete "$(debug_disk 1 0)"
    wait_for "$name: one is taken away" 20 is 1 active_paths
    host_rescan "$(debug_host 1)"
    wait_for "$name: and comes again" 20 is 2 active_paths
    picture rescanned && readers rescanned
    life_ends
}

# I/O to this map waits: whoever reads it, waits. Only ours are asked to stand that udev announces it.
without_paths() {
    [ "$who" = ours ] || return 0
    local link
    for link in by-label/part by-partuuid/44332211-01 by-uuid/11111111-1111-1111-1111-111111111111 by-id/dm-name-mpatha; do
        expect_eq "links survive the loss of all paths: $link" "$(readlink "/dev/disk/$link")" \
            "$(sed -n "s|^/dev/disk/$link -> ||p" "$pictures/full")"
    done
    mv /run/udev/rules.d/99-systemd.rules /run/99-systemd.none # systemd's own are masked by it
    udevadm control --reload
    udevadm trigger --settle --action=add --name-match=/dev/mapper/mpatha
    expect_eq 'announced anew, it is no device that has gone: systemd would unmount it' "$(property SYSTEMD_READY mapper/mpatha)" ''
    mv /run/99-systemd.none /run/udev/rules.d/99-systemd.rules
    udevadm control --reload
    udevadm trigger --action=change --name-match=/dev/mapper/mpatha
    expect_ok 'nobody reads a map without paths' udevadm settle --timeout=20
    expect_eq 'announced anew, it keeps what is known of it' "$(property ID_PART_TABLE_TYPE mapper/mpatha)" dos
}

life_ends() {
    local map
    vgchange -qq -an vg
    for map in mpatha-part1 mpatha-part2; do dmsetup remove --retry $map; done
    cleanup
}

# --- find_multipaths smart, with systemd's timers

smart_conf() {
    conf_debug 'find_multipaths_timeout 8' 'user_friendly_names yes'
    sed -i 's/find_multipaths greedy/find_multipaths smart/' /etc/multipath.conf
}

timer() { systemctl is-active "cancel-multipath-wait-$1.timer"; }
held() { [ "$(property SYSTEMD_READY "$1")" = 0 ]; }
free() { [ "$(property DM_MULTIPATH_DEVICE_PATH "$1")" = 0 ] && ! held "$1"; }

smart() { # ours|theirs
    use "$1"
    rm -rf /etc/multipath /run/multipath
    mkdir -p /etc/multipath
    smart_conf
    daemon_start
    local disk
    san_scsi_debug 1 1 || return
    disk=$(debug_disk 0 0)
    wait_for "$name: a first path is held back" 10 held "$disk"
    expect_eq "$name: a timer runs" "$(timer "$disk")" active
    wait_for "$name: nobody else comes: it is free" 25 free "$disk"
    expect_eq "$name: no timer is left" "$(timer "$disk")" inactive
    expect_eq "$name: no map was made" "$(maps_count)" 0
    cleanup
    mkdir -p /etc/multipath
    smart_conf
    sed -i 's/find_multipaths_timeout 8/find_multipaths_timeout 60/' /etc/multipath.conf
    daemon_start
    san_scsi_debug 1 1 || return
    disk=$(debug_disk 0 0)
    wait_for "$name: a first path is held back again" 10 held "$disk"
    expect_eq "$name: a timer runs again" "$(timer "$disk")" active
    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/add_host
    wait_for "$name: a second one comes: a map of both" 20 is 2 active_paths
    wait_for "$name: the timer is stopped" 20 is inactive timer "$disk"
    expect_eq "$name: the first one is a path" "$(property DM_MULTIPATH_DEVICE_PATH "$disk")" 1
    cleanup
}

# A wait that was begun in an initramfs without systemd: /run and udev's database are handed on, and a timer there never was.
smart_since_an_initramfs() {
    use ours
    name='a wait from an initramfs'
    smart_conf
    daemon_start
    local disk
    mv /run/systemd/system /run/systemd/system.later
    san_scsi_debug 1 1 || return
    disk=$(debug_disk 0 0)
    wait_for "$name: a first path is held back" 10 held "$disk"
    mv /run/systemd/system.later /run/systemd/system
    expect_eq "$name: no timer runs" "$(timer "$disk")" inactive
    udevadm trigger --action=add "/sys/block/$disk"
    wait_for "$name: a timer is started" 10 is active timer "$disk"
    wait_for "$name: it is free" 25 free "$disk"
    cleanup
}

# LVM's rules of that time no longer say that a device is ready: it is, where nothing is said.
seen() { # VERSION PICTURE
    if [ "$1" = 3 ]; then grep -vx SYSTEMD_READY=1 "/run/pictures/$2"; else cat "/run/pictures/$2"; fi
}

# A map's life looks the same whatever the version of device-mapper's rules.
compare() { # VERSION
    local stage
    for stage in empty full announced one-lost all-lost back rescanned; do
        if diff -u <(seen "$1" "theirs-2/$stage") <(seen "$1" "ours-$1/$stage") >/run/difference; then
            ok "$stage, version $1: as with Debian's rules"
        else
            fail "$stage, version $1: as with Debian's rules" "$(cat /run/difference)"
        fi
    done
}

# A last word: what holds with both is only worth something if it is what one wants.
sound() { # VERSION
    local full=/run/pictures/ours-$1/full
    expect_match 'links lead to the map' "$(cat "$full")" '^/dev/disk/by-label/part -> ../../dm-1'
    expect_match 'the disk is a path for everybody' "$(sed -n '/^# sdb$/,/^# sdc/p' "$full")" '^SYSTEMD_READY=0'
    expect_match 'LVM finds its volume on the map' "$(sed -n '/^# pvs$/,/^# pvs -a/p' "$full")" '^ /dev/mapper/mpatha-part2 vg'
    expect_no_match 'and on no path' "$(sed -n '/^# pvs$/,/^# a volume/p' "$full")" '/dev/sd'
    expect_match 'nor makes one there' "$(sed -n '/^# a volume/,$p' "$full")" 'multipath component'
    expect_match 'lsblk sees a multipath device' "$(cat "$full")" '^mpatha +mpath'
}

part life theirs
part life ours
compare 2
sound 2
part smart theirs
part smart ours
part smart_since_an_initramfs
part life ours 3
compare 3
sound 3
summary
