# shellcheck shell=bash
# Shows situation 8: eight paths in two groups; their priorities become equal: one group, by one table.
# shellcheck disable=SC2034
for_reference=no

groups() { dmsetup table "$1" | awk '{ i = 5 + $4; i += 1 + $i; print $i }'; }

scenario() {
    local san_portals='192.168.2.200 192.168.2.201 192.168.2.202 192.168.2.203 192.168.2.204 192.168.2.205 192.168.2.206 192.168.2.207'
    san_iscsi_up 4 >/dev/null || return
    local map before
    san_access 2 1
    conf_debug 'max_polling_interval 1' 'detect_prio yes' 'prio alua' 'path_grouping_policy group_by_prio' \
        'failback immediate'
    daemon_start || return
    wait_for 'eight paths in service' 20 in_service 8 || return
    map=$(maps)
    wait_for 'two groups' 10 is 2 groups "$map"
    settled
    swaps_watch
    before=$(swaps)
    san_access 2 0
    wait_for 'all are optimized: one group' 10 is 1 groups "$map"
    settled
    expect_swaps 'by one table' "$before" 1
    expect_eq 'of all eight' "$(map_paths "$map") $(active_paths)" '8 8'
    before=$(swaps)
    san_access 1 1
    wait_for 'the others become worse: two groups' 10 is 2 groups "$map"
    settled
    expect_swaps 'by one table' "$before" 1
    expect_eq 'four paths each' "$(dmsetup table "$map" | grep -o 'service-time 0 [0-9]*' | xargs)" 'service-time 0 4 service-time 0 4'
    expect_eq 'the better first' "$(ctl show paths raw format '%p' | sort | uniq -c | xargs)" '4 10 4 50'
}
