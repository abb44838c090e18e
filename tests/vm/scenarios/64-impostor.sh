# shellcheck shell=bash
# Where no daemon runs, any user can listen at the daemon's abstract name: that is no daemon for operators, nor for udev's rules, which
# would keep disks back for it. Root may be there: so systemd's socket is before the daemon has been started.
# shellcheck disable=SC2034
for_reference=no

claimed() { env DEVNAME="/dev/$disk" DEVTYPE=disk ID_SERIAL="$(san_wwid "$disk")" $names/multipath -u "$disk" | tail -n 1; }

listens() { # WHAT COMMAND…: as whom
    "${@:2}" "$vm/guest/bad-client.py" impostor 60 >/run/bad-client 2>&1 &
    pid=$!
    wait_for "$1 listens: sent" 30 says sent cat /run/bad-client
}

leaves() {
    expect_ok 'it is still there' kill -0 $pid
    { kill -KILL $pid && wait $pid; } 2>/dev/null
    expect_ok 'and leaves' gone $pid
}

scenario() {
    san_scsi_debug 2 1 || return
    names_up
    conf_debug
    local disk pid
    disk=$(debug_disks | head -n 1)
    expect_eq 'without a daemon a disk is no path' "$(claimed)" 'DM_MULTIPATH_DEVICE_PATH="0"'
    listens 'a user' setpriv --reuid=65534 --regid=65534 --clear-groups
    expect_eq 'he is no daemon for operators' "$(ctl show daemon 2>&1)" 'ERROR: failed to connect to multipathd'
    expect_eq 'nor for udev' "$(claimed)" 'DM_MULTIPATH_DEVICE_PATH="0"'
    leaves
    listens 'root' env
    expect_eq 'root is one' "$(ctl show daemon 2>&1)" ok
    expect_eq 'for udev, too' "$(claimed)" 'DM_MULTIPATH_DEVICE_PATH="1"'
    leaves
}
