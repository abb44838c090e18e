# shellcheck shell=bash
# HUP and `reconfigure` with a configuration that says the same: no table is loaded, the kernel sends no uevent, I/O is not
# disturbed. With another one: a table is, of the maps that it is about.
# shellcheck disable=SC2034
for_reference=no

configured() { grep -c 'configured: ' "$MP_LOG"; }

configured_again() { [ "$(configured)" -gt "$1" ]; }

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug
    daemon_start -v3 || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local map before count uevents one
    map=$(map_of "$(debug_disk 0 0)")
    io_start "/dev/mapper/$map"
    swaps_watch
    settled
    before=$(swaps)
    uevents=$(cat /sys/kernel/uevent_seqnum)
    count=$(configured)
    kill -HUP "$(daemon_pid)"
    wait_for 'HUP reads it again' 15 configured_again "$count"
    count=$(configured)
    echo '# a comment' >>/etc/multipath.conf
    expect_eq 'reconfigure says ok' "$(ctl reconfigure 2>/dev/null)" ok
    wait_for 'reconfigure reads it again' 15 configured_again "$count"
    settled
    expect_swaps 'nothing was reloaded' "$before" 0
    expect_eq 'no uevent' "$(cat /sys/kernel/uevent_seqnum)" "$uevents"
    conf_debug 'path_selector "queue-length 0"'
    kill -HUP "$(daemon_pid)"
    wait_for 'a change is carried out' 20 says queue-length dmsetup table "$map"
    wait_for 'one reload a map' 10 swapped $((before + 2))
    settled
    expect_swaps 'and no more' "$before" 2
    before=$(swaps)
    one=$(san_wwid "$(debug_disk 0 1)")
    printf 'multipaths {\n\tmultipath {\n\t\twwid %s\n\t\tpath_selector "round-robin 0"\n\t}\n}\n' "$one" >>/etc/multipath.conf
    expect_eq 'one map is told otherwise' "$(ctl reconfigure 2>/dev/null)" ok
    wait_for 'it is reloaded' 20 says round-robin dmsetup table "$one"
    settled
    expect_swaps 'and no other' "$before" 1
    io_stop
}
