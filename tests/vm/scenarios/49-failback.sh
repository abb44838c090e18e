# shellcheck shell=bash
# Shows situation 8: several deferred failbacks at once, and one map is removed meanwhile: none of the others is skipped.
# At its beginning: immediate and manual, and who switches a group is told: the daemon, an operator, or somebody else.
# Shows situation 9: a reinstated path is not failed again by a later reload, and a failed one is checked at the fast rate.
# shellcheck disable=SC2034
for_reference=no

active_group() { # MAP: the number of the one that the kernel uses
    dmsetup status "$1" | grep -oE ' [0-9]+ [ADE] ' | awk '$2 == "A" { print NR }'
}

all_use() { # GROUP MAP...
    local group=$1 map; shift
    for map in "$@"; do [ "$(active_group "$map")" = "$group" ] || return; done
}

each_written() { local map; for map in "$@"; do [ "$(write_once "$map" 10)" = written ] || return; done; }

# A map of each kind of failback. REASON GROUP MAP: how often that was told of it
switched() { told ".event == \"group_switched\" and .map == \"$3\" and .group == $2 and .reason == \"$1\"" /run/switched; }

uses() { [ "$(write_once "$2" 10)" = written ] && all_use "$1" "$2"; } # GROUP MAP: it is known after I/O

kinds() {
    local at_once by_hand lun disk
    at_once=$(san_wwid "$(debug_disk 0 0)") by_hand=$(san_wwid "$(debug_disk 0 1)")
    conf_debug 'detect_prio yes' 'prio alua' 'path_grouping_policy group_by_prio' 'failback manual'
    printf 'multipaths {\n\tmultipath {\n\t\twwid %s\n\t\tfailback immediate\n\t}\n}\n' "$at_once" >>/etc/multipath.conf
    daemon_start || return
    wait_for 'eight paths in service' 20 in_service 8 || return
    ctl events --follow >/run/switched 2>/dev/null &
    expect_ok 'immediate: the better group is used' uses 1 "$at_once"
    expect_ok 'manual: the better group is used' uses 1 "$by_hand"
    for lun in 0 1; do path_offline "$(debug_disk 0 $lun)"; done
    wait_for 'the better paths are lost' 20 is 6 active_paths
    expect_ok 'immediate: the other group is used' uses 2 "$at_once"
    expect_ok 'manual: the other group is used' uses 2 "$by_hand"
    for lun in 0 1; do path_online "$(debug_disk 0 $lun)"; done
    wait_for 'immediate: back at once, and said to be' 20 is 1 switched failback 1 "$at_once"
    expect_ok 'immediate: by the kernel, too' uses 1 "$at_once"
    wait_for 'the paths are back' 20 in_service 8
    settled # a check more of all paths
    expect_ok 'manual: it stays' uses 2 "$by_hand"
    wait_for 'manual: that it stays is said, and what brings it back' 10 says "$by_hand: I/O is in path group 2, group 1 is better: \
failback is manual, so it stays until \`switchgroup map $by_hand group 1\`" cat "$MP_LOG"
    expect_eq 'manual: nobody has switched it back' "$(switched failback 1 "$by_hand")" 0
    expect_eq 'manual: an operator does' "$(ctl switchgroup map "$by_hand" group 1)" ok
    expect_ok 'manual: the better group is used again' uses 1 "$by_hand"
    wait_for 'and his word is told' 5 is 1 switched operator 1 "$by_hand"
    others_switch "$by_hand"
    ctl switchgroup map "$by_hand" group 1
    expect_ok 'all is as it was' uses 1 "$by_hand"
    daemon_stop
}

# Another tool sends I/O to the other group: it stays there, and that is told once. The daemon's and the operator's were not taken for such.
others_switch() { # MAP
    local was; was=$(switched 'not by this daemon' 2 "$1")
    dmsetup message "$1" 0 switch_group 2
    expect_ok 'another tool switches' uses 2 "$1"
    wait_for 'it is told that it was not this daemon' 10 is $((was + 1)) switched 'not by this daemon' 2 "$1"
    expect_ok 'it stays' uses 2 "$1"
    expect_eq 'what the daemon and the operator did was theirs' "$(told '.event == "group_switched" and .group == 1 and .reason == "not by this daemon"' /run/switched)" 0
}

failbacks() {
    conf_debug 'detect_prio yes' 'prio alua' 'path_grouping_policy group_by_prio' 'failback 8'
    daemon_start || return
    wait_for 'eight paths in service' 20 in_service 8 || return
    local all rest gone lun
    ctl events --follow >/run/followed 2>/dev/null &
    read -ra all <<<"$(maps | xargs)"
    gone=${all[1]} rest=("${all[0]}" "${all[2]}" "${all[3]}")
    expect_ok 'I/O on each' each_written "${all[@]}"
    expect_ok 'they use the better group' all_use 1 "${all[@]}"
    for lun in 0 1 2 3; do path_offline "$(debug_disk 0 $lun)"; done
    wait_for 'the better paths are lost' 20 is 4 active_paths
    expect_ok 'I/O on each' each_written "${all[@]}"
    expect_ok 'they use the other group' all_use 2 "${all[@]}"
    for lun in 0 1 2 3; do path_online "$(debug_disk 0 $lun)"; done
    wait_for 'the paths are back' 20 is 8 active_paths
    expect_ok 'nobody switches at once' all_use 2 "${all[@]}"
    udevadm settle --timeout=30 # who reads a map has it open
    expect_eq 'one map is removed meanwhile' "$(ctl del map "$gone")" ok
    wait_for 'each of the others switches back, and a follower is told' 25 three_told
    expect_ok 'I/O on each' each_written "${rest[@]}" # only then the kernel has another active group
    expect_ok 'they use the better group again' all_use 1 "${rest[@]}"
    daemon_stop
}

# The one that is removed may have switched before it went, where udev took its time.
three_told() { [ "$(told ".event == \"group_switched\" and .reason == \"failback\" and .map != \"$gone\"" /run/followed)" = 3 ]; }

column() { # DISK COLUMN
    ctl show paths raw format "%d $2" | sed -n "s/^$1 //p"
}

interval_is() { [[ $(column "$1" %C) == */$2 ]]; } # DISK SECONDS

stays_back() {
    conf_debug 'max_polling_interval 4'
    daemon_start || return
    wait_for 'eight paths in service again' 20 in_service 8 || return
    local disk map start before
    disk=$(debug_disk 1 2) map=$(map_of "$disk")
    wait_for 'a good path is checked less and less often' 30 interval_is "$disk" 4
    path_offline "$disk"
    poll 10 says "$(dev_t "$disk") F" write_and_status "$map"
    wait_for 'a failed one at the fast rate' 10 interval_is "$disk" 1
    start=$(now)
    path_online "$disk"
    wait_for 'it is taken back' 10 says "$(dev_t "$disk") A" dmsetup status "$map"
    expect_below 'by the next check at that rate' "$(since "$start")" 3
    ctl events >/run/events
    before=$(told ".event == \"path_failed\" and .path == \"$disk\"")
    path_delete "$(debug_disk 0 2)"
    wait_for 'the other path goes, and the table is loaded anew' 20 is 1 map_paths "$map"
    host_rescan "$(debug_host 0)"
    wait_for 'it comes, and the table is loaded anew' 20 is 2 map_paths "$map"
    expect_match 'the path is in use' "$(dmsetup status "$map")" "$(dev_t "$disk") A"
    wait_for 'and stays so' 10 says "^$disk active ready" ctl show paths raw format '%d %t %T'
    ctl events >/run/events
    expect_eq 'it was not failed again' "$(told ".event == \"path_failed\" and .path == \"$disk\"")" "$before"
}

write_and_status() { write_once "$1" 10 >/dev/null; dmsetup status "$1"; }

scenario() {
    san_scsi_debug 2 4 || return
    kinds && failbacks && stays_back
}
