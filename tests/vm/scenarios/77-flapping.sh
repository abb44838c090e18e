# shellcheck shell=bash
# A path that comes and goes is held back, shown as delayed, and called at once when it is the last one; a path that an
# operator calls marginal goes to a group of its own, which is used last.

scenario() {
    san_scsi_debug 2 1 || return
    local first second map
    first=$(debug_disk 0 0) second=$(debug_disk 1 0)
    conf_debug 'no_path_retry queue' 'marginal_pathgroups on' 'path_checker tur'
    rules_up # nobody reads the map when a path of it fails: reads that fail hold a path back even where it is the last
    daemon_start || return
    wait_for 'one map' 20 is 1 maps_count || return
    wait_for 'two paths in service' 20 in_service 2
    map=$(maps)
    local turn
    for turn in 1 2 3 4 5 6 7; do
        path_offline "$first"
        poll 20 says "^$first faulty" states || fail "path fails, turn $turn" "$(states)"
        path_online "$first"
        poll 20 says "^$first (ready|delayed)" states || fail "path comes back, turn $turn" "$(states)"
    done
    wait_for 'the path is held back' 5 says "^$first delayed" states
    wait_for 'that is said' 5 says ": $first - held back: it failed again and again \\(flap_dampening\\); \`reinstate path $first\`" cat "$MP_LOG"
    path_offline "$second"
    wait_for 'the last path is called' 3 says "^$first ready" states
    path_online "$second"
    wait_for 'two paths in service again' 30 is 2 active_paths

    expect_eq 'setmarginal' "$(ctl setmarginal path "$second")" ok
    wait_for 'two groups' 10 is 2 groups "$map"
    expect_match 'shown as marginal' "$(ctl show paths format '%d %M')" "^$second +marginal"
    expect_match 'the first group has the other path' "$(dmsetup table "$map")" " 2 1 .* $(dev_t "$first") .* $(dev_t "$second") "
    expect_eq 'unsetmarginal' "$(ctl unsetmarginal map "$map")" ok
    wait_for 'one group' 10 is 1 groups "$map"
}

states() { ctl show paths raw format '%d %T' 2>/dev/null; }

groups() { ll "$1" | grep -c 'policy='; }
