# shellcheck shell=bash
# Another tool makes a multipath map step by step while the daemon sees it: no step is undone or overtaken, and what nothing
# comes of is dealt with in the end. The reference removes such a map, or loads its own table into it.
# shellcheck disable=SC2034
for_reference=no

tables() { dmsetup info -c --noheadings -o tables_loaded "$1" 2>/dev/null; } # None, Live, Inactive, Both

known_paths() { ctl show paths raw format '%d' | grep -c '^sd'; }

stays() { # NAME MAP TABLES SECONDS: no state to wait for: it is that nothing happens
    sleep "$4"
    expect_eq "$1" "$(tables "$2")" "$3"
}

all_of() { # DISK COUNT: its map has so many paths
    local map; map=$(map_of "$1") && is "$2" map_paths "$map"
}

scenario() {
    local nobody=mpath-3600a0b80000000000000000000000999 none='0 2048 multipath 0 0 0 0' uuid a
    san_scsi_debug 2 1 || return
    a=$(debug_disk 0 0) uuid=mpath-$(san_wwid "$a")
    dmsetup create left --notable --uuid $nobody || return
    conf_debug
    daemon_start || return
    wait_for 'what is found at the start is dealt with at once' 2 is '' tables left
    wait_for 'a map of both paths' 20 all_of "$a" 2 || return

    dmsetup create other --notable --uuid $nobody
    stays 'a map without a table is left alone' other None 3
    wait_for 'and goes when nothing comes of it' 12 is '' tables other

    dmsetup create other --notable --uuid $nobody
    dmsetup load other --table "$none"
    stays 'a table that is not resumed yet may take its time' other Inactive 12
    expect_ok 'it is resumed' dmsetup resume other
    stays 'it has no path, and is left alone' other Live 3
    wait_for 'and goes when none comes' 12 is '' tables other

    # The disks come while the tool is at work on the map of their LUN.
    local disk
    for disk in $(debug_disks); do path_delete "$disk"; done
    wait_for 'the map goes with its disks' 30 is 0 maps_count || return
    dmsetup create theirs --notable --uuid "$uuid"
    dmsetup load theirs --table "$none"
    host_rescan "$(debug_host 0)"
    host_rescan "$(debug_host 1)"
    wait_for 'the daemon knows both disks' 30 is 2 known_paths || return
    stays 'their map is not taken' theirs Inactive 7
    a=$(debug_disk 0 0)
    dmsetup load theirs --table "0 $(blockdev --getsz "/dev/$a") multipath 0 0 1 1 round-robin 0 1 1 $(dev_t "$a") 1"
    expect_ok 'their own table goes in' dmsetup resume theirs
    wait_for 'and is put right then' 20 all_of "$a" 2
    wait_for 'both in service' 10 is 2 ready_paths
}
