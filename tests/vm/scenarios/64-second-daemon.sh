# shellcheck shell=bash
# A second daemon refuses, names the first one's pid, and leaves it alone; after a crash the next one starts, also where the one
# before hangs in the kernel while its core is dumped.
# shellcheck disable=SC2034
for_reference=no

dumps() { grep -q '^CoreDumping:.1' "/proc/$1/status"; }

crashes_while_a_thread_hangs() {
    local pid; pid=$(daemon_pid)
    thread_hangs "$MPCTL" "$pid"
    kill -ABRT "$pid"
    wait_for 'a crash waits for it' 10 dumps "$pid"
    daemon_start && wait_for 'the next one need not' 20 is 2 ready_paths
    expect_ok 'though it hangs still' dumps "$pid"
    fsfreeze -u /etc/multipath
    wait_for 'it ends' 20 gone "$pid"
    wait_for 'and the next one stays' 5 is 2 ready_paths
    daemon_stop
    umount /etc/multipath
}

scenario() {
    san_scsi_debug 2 1 && files_freezable || return
    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local out status
    out=$(timeout 20 "$MPD" -d 2>&1)
    status=$?
    expect_eq 'it fails' "$status" 1
    expect_match 'names the pid' "$out" "\<$(daemon_pid)\>"
    expect_eq 'in one line' "$(wc -l <<<"$out")" 1
    expect_eq 'the pid file is the first one'"'s" "$(cat /run/multipathd.pid)" "$(daemon_pid)"
    expect_eq 'the first one answers' "$(ready_paths)" 2
    daemon_kill
    daemon_start || return
    wait_for 'after a crash the next one starts' 20 is 2 ready_paths
    crashes_while_a_thread_hangs
}
