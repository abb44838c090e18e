# shellcheck shell=bash
# A path that never answers, neither data nor error: the daemon answers at its usual speed, gives the path up, new I/O
# takes the other; when it answers again it is used again.

scenario() {
    SAN_REPLACEMENT=86400 SAN_NOOP_INTERVAL=0 SAN_NOOP_TIMEOUT=0 san_iscsi_up >/dev/null || return
    local hung map
    conf_debug 'path_checker directio' 'path_grouping_policy multibus' 'checker_timeout 5'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    hung=$(iscsi_disk 192.168.2.201)
    map=$(map_of "$hung")
    portal_cut 192.168.2.201
    wait_for 'the path is given up' 60 says "$(dev_t "$hung") F" dmsetup status "$map"
    [ -n "${VM_REFERENCE:-}" ] || expect_below '-ll answers at its usual speed' "$(elapsed ll)" 1
    expect_below 'show paths answers at its usual speed' "$(elapsed ctl show paths)" 2
    expect_match 'and says so' "$(ctl show paths 2>/dev/null)" "$hung .*failed (faulty|timeout|i/o timeout)"
    expect_eq 'new I/O works' "$(write_once "$map" 10)" written
    portal_mend 192.168.2.201
    wait_for 'it is back' 120 is 2 active_paths
}
