# shellcheck shell=bash
# All paths of a map down, no queueing: I/O fails soon, and the log says that it does, and why. A path back: I/O works.

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug 'no_path_retry fail'
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local map a b
    a=$(debug_disk 0 0) b=$(debug_disk 1 0)
    map=$(map_of "$a")
    path_offline "$a"
    path_offline "$b"
    wait_for 'no path left' 30 says_not ' A ' paths_status "$map"
    expect_eq 'a write fails' "$(write_once "$map" 10)" failed
    # The kernel's failure may be known before the next check sees the device's state.
    wait_for '-ll says so' 10 says "$a .*failed faulty offline" ll "$map"
    expect_no_match 'no queueing' "$(dmsetup table "$map")" queue_if_no_path
    wait_for 'what becomes of I/O is said' 10 said 'I/O fails: no_path_retry fail'
    path_online "$b"
    wait_for 'one is back' 30 path_is "$b" 'active ready running' "$map"
    expect_eq 'a write works' "$(write_once "$map" 10)" written
    as_it_was_left
}

# no_path_retry is not set: the kernel does as somebody has told it to.
as_it_was_left() {
    conf_debug
    expect_eq 'no_path_retry is not set any more' "$(ctl reconfigure)" ok
    path_offline "$b"
    wait_for 'that is said, too' 30 said 'I/O fails: no_path_retry is not set'
    path_online "$b"
    wait_for 'it is back' 30 path_is "$b" 'active ready running' "$map"
    dmsetup message "$map" 0 queue_if_no_path
    expect_eq 'each map is read' "$(ctl reconfigure)" ok
    path_offline "$b"
    wait_for 'I/O waits, it says' 30 said 'I/O is queued$'
    path_online "$b"
    wait_for 'it is back again' 30 path_is "$b" 'active ready running' "$map"
}

said() { grep -q "$map: no usable path: $1" "$MP_LOG"; } # WHAT
