# shellcheck shell=bash
# Shows situation 22: no paths at all, and no wake-ups.
# A machine without a SAN: no path, no map, no wake-up. What is counted is how often the daemon's threads gave up the
# processor of themselves, which each of them does after it was woken.
# shellcheck disable=SC2034
for_reference=no # it wakes up each second

scenario() {
    conf_debug
    daemon_start || return
    expect_eq 'no path' "$(ctl show paths raw format '%d')" ok
    # Threads that did the start's work end when they have had nothing to do for half a minute.
    wait_for 'two threads are left: the loop and the log' 90 is 2 threads
    wait_for 'it rests' 30 quiet 3
    local before; before=$(switches)
    sleep 30 # no state to wait for: it is that nothing happens
    expect_eq 'half a minute without a wake-up' "$(($(switches) - before))" 0
    expect_eq 'of the two threads' "$(threads)" 2
    expect_match 'which is there' "$(ctl show daemon)" 'idle'
}

threads() { find "/proc/$(daemon_pid)/task" -mindepth 1 -maxdepth 1 | wc -l; }

switches() { # of all threads of the daemon
    cat /proc/"$(daemon_pid)"/task/*/status | awk '$1 == "voluntary_ctxt_switches:" { sum += $2 } END { print sum }'
}

quiet() { # SECONDS
    local before; before=$(switches)
    sleep "$1"
    [ "$(switches)" = "$before" ]
}
