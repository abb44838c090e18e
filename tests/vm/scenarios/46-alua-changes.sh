# shellcheck shell=bash
# Shows situation 8: a priority changes, and the groups follow, both ways.
# Shows situation 16: a group in transition keeps its priority, and its paths are not failed.
# At its end: group_by_tpg, and what detect_pgpolicy and detect_pgpolicy_use_tpg make of another policy.
#
# The array is one with two ports in target port groups of their own, whose states are changed by hand.

every=4 # seconds between two checks

# The paths in the order of the table: the first group's first.
order() { dmsetup table "$1" | grep -oE '[0-9]+:[0-9]+' | xargs; }

groups() { dmsetup table "$1" | awk '{ i = 5 + $4; i += 1 + $i; print $i }'; }

priorities() { ctl show paths raw format '%d %p' 2>/dev/null | sort | xargs; }

# DISK of the group that the kernel uses, and of the other: it is known after I/O.
used() { # MAP DISK
    [ "$(write_once "$1" 10)" = written ] && says " A [01] [0-9]+ [0-9]+ $(dev_t "$2") A" dmsetup status "$1"
}

used_alone() { [ "$(write_once "$1" 10)" = written ] && says " $(dev_t "$2") A" dmsetup status "$1"; } # MAP DISK

answered() { cat /sys/block/"$1"/device/iodone_cnt; }

more_than() { [ $(($(answered "$1"))) -gt "$2" ]; } # DISK COMMANDS

followed() { # the better path is $is, and was $was
    is "$(printf '%s\n' "$was 10" "$is 50" | sort | xargs)" priorities && is 2 groups "$map" &&
        is "$(dev_t "$is") $(dev_t "$was")" order "$map"
}

alua_conf() { # LINES for the defaults
    conf_debug "polling_interval $every" "max_polling_interval $every" 'detect_prio yes' 'prio alua' "$@"
}

# NUMBER LINES: a reconfigure with these makes so many groups
makes() {
    alua_conf "${@:2}"
    expect_eq "$(printf '%s, ' "${@:2}")reconfigured" "$(ctl reconfigure)" ok
    wait_for "groups: $1" 10 is "$1" groups "$map"
    wait_for 'both in service' 10 in_service 2
}

# Two port groups, of the same priority. Each number of groups is another than the one before. The reference has no such settings.
policies() {
    local limit=$((2 * every + 2)) # how soon is not what is looked at here
    san_access 1 0
    wait_for 'both are optimized again: one group' $limit is 1 groups "$map"
    ours || return 0
    makes 2 'path_grouping_policy group_by_tpg' 'detect_pgpolicy no'
    makes 1 'path_grouping_policy failover' 'detect_pgpolicy yes'
    makes 2 'path_grouping_policy multibus' 'detect_pgpolicy_use_tpg yes'
    makes 1 'path_grouping_policy multibus' 'detect_pgpolicy no' 'detect_pgpolicy_use_tpg yes'
}

scenario() {
    san_iscsi_up 1 >/dev/null || return
    local a b map swap limit=$((every + 2)) count disk
    a=$(iscsi_disk 192.168.2.200) b=$(iscsi_disk 192.168.2.201)
    san_access 2 1
    alua_conf 'path_grouping_policy group_by_prio' 'failback immediate'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    map=$(map_of "$a")
    wait_for 'both are rated' $limit is "$a 50 $b 10" priorities
    wait_for 'the optimized one comes first' $limit is "$(dev_t "$a") $(dev_t "$b")" order "$map"
    expect_eq 'a group each' "$(groups "$map")" 2
    expect_ok 'it is used' used "$map" "$a"

    for swap in "1 1 2 0 $a $b" "1 0 2 1 $b $a"; do
        read -ra swap <<<"$swap"
        local was=${swap[4]} is=${swap[5]}
        san_access "${swap[0]}" "${swap[1]}"
        san_access "${swap[2]}" "${swap[3]}"
        # Two changes, one after the other: what is between them may be seen, and is over within the same interval.
        wait_for "$is becomes the better one: priorities and groups follow within an interval" $limit followed
        expect_ok 'it is used' used "$map" "$is"
    done

    san_access 2 0
    wait_for 'both are optimized: one group' $limit is 1 groups "$map"
    san_access 2 1
    wait_for 'and two again' $limit is 2 groups "$map"
    wait_for 'in order' $limit is "$(dev_t "$a") $(dev_t "$b")" order "$map"

    san_access 1 15
    # The kernel repeats what a group in transition does not answer: the other path's commands are the checks.
    count=$(($(answered "$b")))
    wait_for 'a group is between two states, and checks go on' $((8 * every)) more_than "$b" $((count + 3))
    expect_eq 'its priority stays' "$(priorities)" "$a 50 $b 10"
    expect_eq 'the groups stay' "$(order "$map")" "$(dev_t "$a") $(dev_t "$b")"
    expect_eq 'no path is failed' "$(active_paths)" 2
    san_access 1 1
    san_access 2 0
    wait_for 'it is over: the groups follow' $limit is "$(dev_t "$b") $(dev_t "$a")" order "$map"
    wait_for 'both in service' $limit is 2 ready_paths

    san_offline 1 1
    wait_for 'a port is offline: its path is failed' $limit is 1 ready_paths
    expect_ok 'by the kernel, too' says " $(dev_t "$a") F" dmsetup status "$map"
    expect_eq 'its priority, which it does not tell, stays' "$(priorities)" "$a 10 $b 50"
    expect_ok 'the other one is used' used_alone "$map" "$b"
    san_offline 1 0
    wait_for 'it is back' $limit is 2 ready_paths
    expect_eq 'with the priority that it tells' "$(priorities)" "$a 10 $b 50"
    policies
}
