# shellcheck shell=bash
# Every path hangs, and nobody gives any up: the operator is answered as fast as ever.

scenario() {
    SAN_REPLACEMENT=86400 SAN_NOOP_INTERVAL=0 SAN_NOOP_TIMEOUT=0 san_iscsi_up >/dev/null || return
    conf_debug 'path_checker directio' 'path_grouping_policy multibus' 'checker_timeout 5' 'no_path_retry queue'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local map usual ip command
    map=$(map_of "$(iscsi_disk 192.168.2.200)")
    usual=$(elapsed ll)
    for ip in $san_portals; do portal_cut "$ip"; done
    write_once "$map" 100 >/run/writer &
    wait_for 'both paths are given up' 60 says_not ' A ' paths_status "$map"
    # Ten in a row, so that one slow start of a process decides nothing.
    expect_below "-ll: usually $usual s" "$(elapsed repeat 10 ll)" "$(awk -v a="$usual" 'BEGIN { print 10 * (a + 0.3) }')"
    for command in 'show paths' 'show status' 'show maps json' 'show daemon' 'reconfigure'; do
        # shellcheck disable=SC2086
        expect_below "$command" "$(elapsed ctl $command)" 2
    done
    expect_below '-ll after it' "$(elapsed ll)" 1
    replies_in_time 'all paths hang'
    for ip in $san_portals; do portal_mend "$ip"; done
    wait_for 'both are back' 120 is 2 active_paths
    wait_for 'what waited is written' 30 is written cat /run/writer
}
