# shellcheck shell=bash
# Shows situation 8: eight paths in two groups; their priorities become equal: one group, by one table.
# At its end: failback followover, by the first path of the better group.
# shellcheck disable=SC2034
for_reference=no

groups() { dmsetup table "$1" | awk '{ i = 5 + $4; i += 1 + $i; print $i }'; }

uses() { # GROUP: it is known after I/O
    [ "$(write_once "$map" 10)" = written ] && [ "$(dmsetup status "$map" | grep -oE ' [0-9]+ [ADE] ' | awk '$2 == "A" { print NR }')" = "$1" ]
}

failbacks() { told '.event == "group_switched" and .reason == "failback"' /run/switched; }

# I/O goes back with the first path of the better group that comes back, and neither with another nor where somebody else has switched.
followover() {
    local disk better=()
    alua_conf 'failback followover'
    expect_eq 'failback followover' "$(ctl reconfigure)" ok
    ctl events --follow >/run/switched 2>/dev/null &
    for disk in $(table_groups "$map" | head -n 1); do better+=("$(basename "$(readlink -f "/dev/block/$disk")")"); done
    expect_ok 'the better group is used' uses 1
    for disk in "${better[@]}"; do path_offline "$disk"; done
    wait_for 'it is lost' 20 is 4 active_paths
    expect_ok 'the other one is used' uses 2
    path_online "${better[0]}"
    wait_for 'with its first path I/O goes back' 20 is 1 failbacks
    expect_ok 'by the kernel, too' uses 1
    dmsetup message "$map" 0 switch_group 2
    expect_ok 'somebody else switches' uses 2
    for disk in "${better[@]:1}"; do path_online "$disk"; done
    wait_for 'its other paths are back' 20 in_service 8
    settled # a check more of each
    expect_ok 'it stays' uses 2
    expect_eq 'I/O was sent back once' "$(failbacks)" 1
}

alua_conf() { # LINES for the defaults
    conf_debug 'max_polling_interval 1' 'detect_prio yes' 'prio alua' 'path_grouping_policy group_by_prio' "$@"
}

scenario() {
    local san_portals='192.168.2.200 192.168.2.201 192.168.2.202 192.168.2.203 192.168.2.204 192.168.2.205 192.168.2.206 192.168.2.207'
    san_iscsi_up 4 >/dev/null || return
    local map before
    san_access 2 1
    alua_conf 'failback immediate'
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
    followover
}
