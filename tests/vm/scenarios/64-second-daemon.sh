# shellcheck shell=bash
# A second daemon refuses, names the first one's pid, and leaves it alone.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 1 || return
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
}
