# shellcheck shell=bash
# Shows situation 12: two maps swap aliases by a reconfigure, with I/O on both; three hand them round, and get other tables with that; a map
# has another name than it should; a foreign device of several targets has the name.
# Partitions go with the names, also where each has the other's.
# Shows situation 13: two maps are given one alias, or one that `bindings` gives to another WWID: refused and said.
# shellcheck disable=SC2034
for_reference=no

conf_aliases() { # WWID ALIAS [WWID ALIAS]...
    conf_debug 'user_friendly_names yes' "${more[@]}"
    printf 'multipaths {\n' >>/etc/multipath.conf
    printf '\tmultipath {\n\t\twwid %s\n\t\talias %s\n\t}\n' "$@" >>/etc/multipath.conf
    printf '}\n' >>/etc/multipath.conf
}

uuid_of() { dmsetup info -c --noheadings -o uuid "$1" 2>/dev/null; }

named() { # NAME WWID: the map of that name is of that LUN, in device-mapper, by its paths, and by udev's link
    [ "$(uuid_of "$1")" = "mpath-$2" ] && [ -b "/dev/mapper/$1" ] && [ "$(map_wwids "$1")" = "$2" ]
}

scenario() {
    # Disks of scsi_debug all have the same memory: whose I/O it was could not be seen.
    san_target_up && san_backstore disk2 $((64 * 1024 * 1024)) 20170013-0000-0002 && san_lun 1 disk2 &&
        san_backstore disk3 $((64 * 1024 * 1024)) 20170013-0000-0003 && san_initiator_up && san_login >/dev/null || return
    poll 20 iscsi_disk 192.168.2.201 1
    udevadm settle --timeout=30
    local a b first second disk_a disk_b more=()
    disk_a=$(iscsi_disk 192.168.2.200 0) disk_b=$(iscsi_disk 192.168.2.201 1)
    a=$(san_wwid "$disk_a") b=$(san_wwid "$disk_b")
    conf_aliases "$a" one "$b" two
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    expect_ok 'both have their names' both_named one two
    partition one "$a" && partition two "$b" || return
    "$vm/guest/io.py" /dev/mapper/one /run/score.a >/run/io.a 2>&1 &
    first=$!
    "$vm/guest/io.py" /dev/mapper/two /run/score.b >/run/io.b 2>&1 &
    second=$!
    poll 20 says 'writes [1-9]' cat /run/score.a
    poll 20 says 'writes [1-9]' cat /run/score.b
    conf_aliases "$a" two "$b" one
    expect_eq 'the aliases are swapped' "$(ctl reconfigure)" ok
    wait_for 'and so are the maps' 20 both_named two one
    wait_for 'and their partitions' 20 both_parts two one
    kill -STOP "$(daemon_pid)"
    dmsetup rename one-part1 x-part1 && dmsetup rename two-part1 one-part1 && dmsetup rename x-part1 two-part1
    expect_ok 'somebody exchanges their names' both_parts one two
    kill -CONT "$(daemon_pid)"
    wait_for 'they get them back' 20 both_parts two one
    part handed_round
    dmsetup remove one-part1 two-part1
    udevadm settle --timeout=30
    kill -TERM $first $second
    wait $first $second
    expect_match 'I/O on the one went on' "$(cat /run/score.a /run/io.a)" 'errors 0 mismatches 0'
    expect_match 'and on the other' "$(cat /run/score.b /run/io.b)" 'errors 0 mismatches 0'

    expect_ok 'somebody renames a map' dmsetup rename two strange
    wait_for 'it gets its name back' 20 both_named two one

    # A foreign device has the name that the other is to get.
    printf '0 8 zero\n8 8 zero\n' | dmsetup create data || return
    conf_aliases "$a" data "$b" one
    ctl reconfigure >/dev/null
    wait_for 'that is refused and said' 10 grep -q "data: refused as the name of $a: it belongs to the device-mapper device" "$MP_LOG"
    expect_eq 'the foreign device is as it was' "$(dmsetup table data | wc -l)" 2
    expect_eq 'the map has all its paths' "$(map_paths "$(map_of "$disk_a")")" 2
    expect_ok 'the foreign device goes' dmsetup remove data
    wait_for 'and the map gets the name' 60 named data "$a"

    # One alias for both.
    conf_aliases "$a" data "$b" data
    ctl reconfigure >/dev/null
    wait_for 'one alias for two is said' 10 grep -q 'alias. data is given to another WWID above' "$MP_LOG"
    settled
    expect_ok 'one has it' named data "$a"
    expect_eq 'two maps' "$(maps_count)" 2
    expect_eq 'each with the paths of its own LUN' "$(map_wwids "$(map_of "$disk_a")") $(map_wwids "$(map_of "$disk_b")")" "$a $b"

    # An alias that `bindings` gives to another.
    daemon_stop
    poll 20 remove_maps
    printf 'mpatha %s\n' "$a" >/etc/multipath/bindings
    conf_aliases "$b" mpatha
    daemon_start || return
    wait_for 'four paths in service again' 20 in_service 4
    expect_ok 'that is said' grep -q "mpatha: refused as the name of $b: it belongs to $a in the bindings file" "$MP_LOG"
    expect_eq 'two maps again' "$(maps_count)" 2
    expect_eq 'each with the paths of its own LUN' "$(map_wwids "$(map_of "$disk_a")") $(map_wwids "$(map_of "$disk_b")")" "$a $b"
    expect_match 'the file is as it was' "$(cat /etc/multipath/bindings)" "^mpatha $a\$"
}

both_named() { named "$1" "$a" && named "$2" "$b"; }

# A third LUN comes, and each map gets the name of another one, and another selector, by one reconfigure. Then it goes again.
handed_round() {
    local c disks
    san_lun 2 disk3
    iscsiadm -m session --rescan >/dev/null
    poll 20 iscsi_disk 192.168.2.201 2
    udevadm settle --timeout=30
    disks="$(iscsi_disk 192.168.2.200 2) $(iscsi_disk 192.168.2.201 2)"
    c=$(san_wwid "${disks#* }")
    conf_aliases "$a" two "$b" one "$c" three
    expect_eq 'a third has an alias' "$(ctl reconfigure)" ok
    wait_for 'and its map the name' 20 named three "$c"
    wait_for 'and six paths' 20 in_service 6
    more=('path_selector "queue-length 0"')
    conf_aliases "$a" three "$b" two "$c" one
    expect_eq 'three aliases go round, with another selector' "$(ctl reconfigure)" ok
    wait_for 'and so do the names' 20 handed three two one
    wait_for 'and the partitions' 20 both_parts three two
    wait_for 'and every table has the selector' 10 is 3 with_selector queue-length
    more=()
    conf_aliases "$a" two "$b" one
    for c in $disks; do path_delete "$c"; done
    wait_for 'the third goes with its paths' 20 is 2 maps_count
    expect_eq 'the others are to have their names and tables back' "$(ctl reconfigure)" ok
    wait_for 'and have the names' 20 both_named two one
    wait_for 'the partitions' 20 both_parts two one
    wait_for 'the tables' 10 is 2 with_selector service-time
}

handed() { both_named "$1" "$2" && named "$3" "$c"; }

with_selector() { dmsetup table --target multipath | grep -c " $1 "; }

partition() { # NAME WWID
    echo "0 8 linear /dev/mapper/$1 0" | dmsetup create "$1-part1" --uuid "part1-mpath-$2"
}

both_parts() { [ "$(uuid_of "$1-part1") $(uuid_of "$2-part1")" = "part1-mpath-$a part1-mpath-$b" ]; }
