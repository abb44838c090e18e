# shellcheck shell=bash
# Shows situation 3: the daemon is stopped while maps queue: their I/O fails first, and nothing hangs. Where the maps are to queue
# without it, by `forcequeueing daemon` or `queue_without_daemon`, it waits for the next daemon to find a path.

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

every_path() { # OPERATION
    local disk
    for disk in $(debug_disks); do "$1" "$disk"; done
}

writers_wait() {
    local map
    writers=()
    every_path path_offline
    wait_for 'no path is left' 30 is 0 active_paths
    for map in $(maps); do
        write_once "$map" 60 >"/run/writer.$map" &
        writers+=($!)
    done
    wait_for 'a write waits in each map' 10 is 2 blocked_writers
}

outlasts_the_daemon() { # WHY
    writers_wait
    daemon_stop
    expect_eq "$1: the maps queue without a daemon" "$(dmsetup table --target multipath | grep -c queue_if_no_path)" 2
    every_path path_online
    expect_eq 'what waits goes on waiting' "$(blocked_writers) $(written)" '2 '
    daemon_start || return
    wait "${writers[@]}"
    expect_eq 'and is written with the next daemon' "$(written)" 'written written'
    wait_for 'four paths in service again' 20 in_service 4
}

scenario() {
    san_scsi_debug 2 2 || return
    conf_debug 'no_path_retry queue'
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    local writers
    writers_wait
    stops 5
    wait "${writers[@]}"
    expect_eq 'what waited has failed' "$(written)" 'failed failed'
    expect_eq 'the maps stay' "$(maps_count)" 2
    every_path path_online

    daemon_start || return
    wait_for 'four paths in service with another daemon' 20 in_service 4 || return
    expect_eq 'forcequeueing daemon' "$(ctl forcequeueing daemon)" ok
    outlasts_the_daemon forced || return
    expect_eq 'restorequeueing daemon' "$(ctl restorequeueing daemon)" ok
    conf_debug 'no_path_retry queue' 'queue_without_daemon yes'
    expect_eq 'it is configured' "$(ctl reconfigure)" ok
    outlasts_the_daemon configured
}
