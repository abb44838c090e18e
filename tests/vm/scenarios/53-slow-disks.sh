# shellcheck shell=bash
# Disks that answer slowly: within `checker_timeout` they are good ones; later than that they are timed out and given up, an answer
# that comes late brings none back, and they are used again when they answer in time.
# shellcheck disable=SC2034
for_reference=no

debug_driver=/sys/bus/pseudo/drivers/scsi_debug

slow() { # JIFFIES for each command: it can be set while none is under way
    poll 20 put "$1" $debug_driver/delay
}

put() { echo "$1" >"$2"; }

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug 'path_checker directio' 'detect_checker no' 'checker_timeout 2' 'no_path_retry fail'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local map disk second; map=$(maps) disk=$(debug_disk 0 0)
    second=$(getconf CLK_TCK 2>/dev/null); second=250
    expect_ok 'each answer takes half a second' slow $((second / 2))
    settled
    expect_eq 'that is in time' "$(active_paths) $(ready_paths)" '2 2'
    ctl events >/run/events
    expect_eq 'no path has failed' "$(told '.event == "path_state" and .chk_st != "ready"')" 0
    expect_ok 'each takes four seconds' slow $((second * 4))
    wait_for 'the paths are timed out' 20 is 2 timed_out
    wait_for 'and given up' 5 is 0 active_paths
    expect_below 'the daemon answers at once' "$(elapsed ll)" 1
    sleep 5 # an answer comes in that time, which brings none back
    expect_eq 'late answers bring none back' "$(active_paths) $(timed_out)" '0 2'
    kill -STOP "$(daemon_pid)" # which always asks something
    expect_ok 'they answer in time again' slow 1
    kill -CONT "$(daemon_pid)"
    wait_for 'and are used again' 20 is 2 active_paths
    expect_eq 'a write works' "$(write_once "$map" 10)" written
}

timed_out() { ctl show paths raw format '%d %T' | grep -cE '(i/o )?timeout$'; }
