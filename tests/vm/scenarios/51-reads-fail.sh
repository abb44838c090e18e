# shellcheck shell=bash
# Shows situation 15: a device answers TEST UNIT READY and fails reads and writes: its paths flip, are held back, and
# `no_path_retry` runs out all the same. Events say so.
# shellcheck disable=SC2034
for_reference=no # there it never runs out

# What the array's disk stands on.
backing() { # zero|error
    dmsetup suspend backing
    echo "0 131072 $1" | dmsetup load backing
    dmsetup resume backing
}

held_back() { says "$1 delayed" ctl show paths raw format '%d %T'; }

san_with_backing() {
    echo '0 131072 zero' | dmsetup create backing || return
    san_target_up && san_backstore broken /dev/mapper/backing 20170013-0000-0001 || return
    san_lun_gone 0
    san_lun 0 broken && san_initiator_up && san_login
}

scenario() {
    san_with_backing >/dev/null || return
    conf_debug 'path_checker tur' 'no_path_retry 4' 'user_friendly_names yes'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local map a took
    a=$(iscsi_disk 192.168.2.200) map=$(map_of "$a")
    expect_eq 'a write works' "$(write_once "$map" 10)" written
    backing error
    took=$(elapsed is failed write_once "$map" 60)
    expect_eq 'a write fails in the end' $? 0
    expect_between 'after the paths have flipped, and four checks' "$took" 3 40
    ctl events >/run/events
    expect_ok 'the kernel failed them again and again' test "$(told '.event == "path_failed_by_kernel"')" -ge 4
    expect_ok 'the daemon took them back' has_told '.event == "path_reinstated"'
    expect_ok 'the map ran out of checks' has_told ".event == \"queueing_stopped\" and .map == \"$map\""
    wait_for 'the paths are held back' 20 held_back "$a"
    ctl events >/run/events
    expect_ok 'and that is told' has_told ".event == \"path_state\" and .path == \"$a\" and .chk_st == \"delayed\""
    backing zero
    expect_eq 'an operator takes one back' "$(ctl reinstate path "$a")" ok
    wait_for 'and the map works' 20 is written write_once "$map" 10
    daemon_stop
    poll 20 dmsetup remove "$map"
    san_iscsi_down
    poll 20 dmsetup remove backing
}
