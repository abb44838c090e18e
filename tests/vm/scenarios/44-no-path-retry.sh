# shellcheck shell=bash
# no_path_retry N: the map queues for N checks, then fails what waits; it queues again once a path was back.

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug 'no_path_retry 4'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local map a b took
    a=$(debug_disk 0 0) b=$(debug_disk 1 0)
    map=$(map_of "$a")
    expect_match 'it queues' "$(dmsetup table "$map")" queue_if_no_path
    path_offline "$a"
    path_offline "$b"
    took=$(elapsed is failed write_once "$map" 60)
    expect_eq 'the write fails in the end' $? 0
    expect_between 'after four checks' "$took" 2 25
    path_online "$a"
    wait_for 'a path is back' 30 path_is "$a" 'active ready running' "$map"
    wait_for 'it queues again' 10 says '1 queue_if_no_path' dmsetup table "$map"
    expect_eq 'a write works' "$(write_once "$map" 10)" written
}
