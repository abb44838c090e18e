# shellcheck shell=bash
# Shows situation 3: the daemon is stopped while maps queue: their I/O fails first, and nothing hangs.

written() { cat /run/writer.* | xargs; }

stops() { # LIMIT
    local pid start; pid=$(daemon_pid)
    start=$(now)
    kill -TERM "$pid"
    poll 15 gone "$pid"
    expect_below 'it is gone within seconds' "$(since "$start")" "$1"
    expect_no_match 'no map queues then' "$(dmsetup table --target multipath)" queue_if_no_path
    rm -f /run/multipathd.test.pid
}

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug 'no_path_retry queue'
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local disk map writers=()
    for disk in $(debug_disks); do path_offline "$disk"; done
    wait_for 'no path is left' 30 is 0 active_paths
    for map in $(maps); do
        write_once "$map" 60 >"/run/writer.$map" &
        writers+=($!)
    done
    wait_for 'a write waits in each map' 10 is 2 blocked_writers
    stops 5
    wait "${writers[@]}"
    expect_eq 'what waited has failed' "$(written)" 'failed failed'
    expect_eq 'the maps stay' "$(maps_count)" 2
    for disk in $(debug_disks); do path_online "$disk"; done
}
