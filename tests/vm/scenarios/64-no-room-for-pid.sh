# shellcheck shell=bash
# /run is full: there is no room for the daemon's pid. It starts all the same, says so, and is the only one.
# shellcheck disable=SC2034
for_reference=no

full=/mnt/full

no_room() { # a pid file of one page less than it needs
    mkdir -p $full
    mount -t tmpfs -o size=64k full $full || return
    : >$full/pid
    dd if=/dev/zero of=$full/filler bs=4k 2>/dev/null
    touch /run/multipathd.pid
    mount --bind $full/pid /run/multipathd.pid
}

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug
    expect_ok 'no room' no_room
    daemon_start
    wait_for 'two paths in service' 20 in_service 2
    expect_ok 'that is said' grep -q 'the pid is not written' "$MP_LOG"
    expect_match 'there is no second one' "$("$MPD" -d 2>&1)" 'another multipathd is running already \(pid not known\)'
    daemon_stop
    umount /run/multipathd.pid
    umount $full
    rm -f /run/multipathd.pid
}
