# shellcheck shell=bash
# Shows situation 11: a daemon was killed between creating a map and loading its table, between loading and resuming, and
# while a map was suspended. The next start heals each.

healed() { # MAP: its table is in force, with both paths, and it works
    is 2 map_paths "$1" && says '^State: +ACTIVE$' dmsetup info "$1" && [ "$(write_once "$1" 5)" = written ]
}

scenario() {
    san_scsi_debug 2 3 || return
    local map number empty loaded suspended a
    empty=$(san_wwid "$(debug_disk 0 0)") loaded=$(san_wwid "$(debug_disk 0 1)") suspended=$(san_wwid "$(debug_disk 0 2)")
    for map in $empty $loaded $suspended; do dmsetup create "$map" --notable --uuid "mpath-$map" || return; done
    for number in 1 2; do
        a=$(debug_disk 0 $number)
        map=$loaded; [ $number = 1 ] || map=$suspended
        dmsetup load "$map" --table "0 $(blockdev --getsz "/dev/$a") multipath 0 0 1 1 service-time 0 1 1 $(dev_t "$a") 1"
    done
    dmsetup resume "$suspended" && dmsetup suspend "$suspended"
    conf_debug
    daemon_start || return
    wait_for 'the empty map has its table' 20 healed "$empty"
    wait_for 'so has the one with a table that was never resumed' 20 healed "$loaded"
    wait_for 'the suspended one goes on' 20 healed "$suspended"
    wait_for 'all in service' 10 in_service 6
    expect_eq 'three maps' "$(maps_count)" 3
}
