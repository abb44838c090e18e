# shellcheck shell=bash
# All paths of a map down, with queueing: I/O waits, the daemon answers; a path back, and what waited is written.
# Then the operator ends the waiting.

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug 'no_path_retry queue'
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local map a b writer
    a=$(debug_disk 0 0) b=$(debug_disk 1 0)
    map=$(map_of "$a")
    expect_match 'it queues' "$(dmsetup table "$map")" queue_if_no_path
    path_offline "$a"
    path_offline "$b"
    wait_for 'no path left' 30 says_not ' A ' paths_status "$map"
    write_once "$map" 60 >/run/writer &
    writer=$!
    wait_for 'a write waits' 10 is 1 blocked_writers
    expect_below 'the daemon answers' "$(elapsed ctl show paths)" 3
    expect_eq 'the write waits still' "$(blocked_writers) $(cat /run/writer)" '1 '
    path_online "$a"
    wait_for 'a path is back' 30 path_is "$a" 'active ready running' "$map"
    wait "$writer"
    expect_eq 'and the write is done' "$(cat /run/writer)" written

    path_offline "$a"
    wait_for 'no path left again' 30 says_not ' A ' paths_status "$map"
    write_once "$map" 60 >/run/writer &
    writer=$!
    wait_for 'a write waits again' 10 is 1 blocked_writers
    expect_eq 'disablequeueing says ok' "$(ctl disablequeueing map "$map" 2>/dev/null)" ok
    wait "$writer"
    expect_eq 'and the write fails' "$(cat /run/writer)" failed
    if ours; then disabled_before_restart "$map"; fi
}

# The reference forgets it.
disabled_before_restart() { # MAP
    local start
    for start in stop kill; do
        "daemon_$start"
        daemon_start || return
        settled
        expect_no_match "it does not queue with the next daemon ($start)" "$(dmsetup table "$1")" queue_if_no_path
    done
    expect_eq 'restorequeueing says ok' "$(ctl restorequeueing map "$1")" ok
    wait_for 'it queues again' 20 says queue_if_no_path dmsetup table "$1"
    daemon_kill
    daemon_start || return
    wait_for 'and with the next daemon' 20 says queue_if_no_path dmsetup table "$1"
}
