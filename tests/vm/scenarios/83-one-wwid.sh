# shellcheck shell=bash
# Shows situation 20: disks with one WWID and another size are not merged, and that is said once, not at every check. Those that tell neither
# WWID nor serial number get no map, and that is told once, too.
# shellcheck disable=SC2034
for_reference=no

said() { grep -c 'not merged' "$MP_LOG"; }

scenario() {
    local size=$((64 * 1024 * 1024)) map
    san_target_up || return
    san_lun_gone 0
    san_backstore small $size 20170013-0000-0003 && san_backstore large $((2 * size)) 20170013-0000-0003 || return
    san_lun 0 small && san_lun 1 large && san_initiator_up && san_login >/dev/null || return
    poll 20 is 4 disks_there || fail 'four disks' "$(disks_there)"
    udevadm settle --timeout=30
    expect_eq 'of one WWID' "$(for disk in /sys/block/sd[b-z]; do san_wwid "${disk##*/}"; done | sort -u | wc -l)" 1
    conf_debug
    daemon_start || return
    wait_for 'a map' 20 is 1 maps_count || return
    map=$(maps)
    wait_for 'the others are refused' 20 is 2 said
    settled
    expect_eq 'it has the paths of one size' "$(map_paths "$map") $(blockdev --getsz "/dev/mapper/$map")" "2 $(path_sectors)"
    expect_eq 'each is said once' "$(said)" 2
    expect_eq 'a write works' "$(write_once "$map" 10)" written
    part nameless
}

nameless() {
    local number disks=()
    array_up || return
    conf_debug 'retrigger_tries 1' 'retrigger_delay 1'
    expect_eq 'who has no name is asked for it once' "$(ctl reconfigure)" ok
    for number in 1 2; do
        array_disk "none$number" $number 1 '12.00=00000001 00' '12.80=sense 5 24 0' '12.83=sense 5 24 0' || return
        disks+=("$(array_dev "none$number")")
    done
    udevadm settle --timeout=30
    expect_eq 'two disks tell no WWID' "${#disks[@]} $(san_wwid "${disks[0]}") $(san_wwid "${disks[1]}")" '2  '
    wait_for 'that is told' 20 is 2 told_nameless
    settled
    expect_eq 'of each once' "$(told_nameless)" 2
    expect_match 'and to who asks' "$(ctl explain "${disks[0]}")" 'no WWID'
    expect_eq 'no map is made of them' "$(maps)" "$map"
}

told_nameless() {
    ctl events >/run/events
    told ".event == \"path_ignored\" and .path == (\"${disks[0]}\", \"${disks[1]}\") and (.reason | test(\"no WWID\"))"
}

disks_there() { find /sys/block/ -name 'sd[b-z]' | wc -l; }

path_sectors() { # each size once
    local path
    for path in /sys/block/"$(node_of "$map")"/slaves/sd*; do cat "$path/size"; done | sort -u | xargs
}
