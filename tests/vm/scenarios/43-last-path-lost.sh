# shellcheck shell=bash
# Shows situation 1: a queueing map loses its last path, with a writer blocked in its partition: it stays, and goes on when a path is
# back. One that nobody uses goes, with what is still to be written to it: its partition keeps that in memory. With `deferred_remove` the
# kernel removes a used one at its last close, unless a path is back before; with `flush_on_last_del never` one that queues goes by an
# order only, and with `always` the I/O that waits in a used one fails.
# shellcheck disable=SC2034
for_reference=no # it removes no map that has a partition

devices() { dmsetup ls | awk '{ print $1 }' | sort | xargs; }

with_partitions() { # MAP...: in the order of `devices`
    local map
    for map in "$@"; do echo "$map" "$map-part1"; done | xargs -n 1 | sort | xargs
}

starts() { # SETTINGS...
    conf_debug 'no_path_retry queue' "$@"
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    used=$(map_of "$(debug_disk 0 0)") unused=$(map_of "$(debug_disk 0 1)")
    for map in $used $unused; do
        [ -b "/dev/mapper/$map-part1" ] || partition "/dev/mapper/$map" 2048:8192
        poll 20 test -b "/dev/mapper/$map-part1" || { fail 'a partition' "$(dmsetup ls)"; return 1; }
    done
}

every_path() { # OPERATION
    local disk
    for disk in $(debug_disks); do "$1" "$disk"; done
}

# Its partition has the map open, so that closing it writes nothing.
write_to_memory() { dd if=/dev/zero "of=/dev/mapper/$1" bs=4k count=1 seek=1500 conv=nocreat,notrunc 2>&1; }

is_gone() { ! dmsetup info "$1" >/dev/null 2>&1; }

unused_goes() {
    expect_below 'the daemon answers at once' "$(elapsed ctl show maps)" 2
    wait_for 'the map that nobody uses goes, with its partition' 30 is "$(with_partitions "$used")" devices
    expect_match 'the other queues' "$(dmsetup table "$used")" queue_if_no_path
}

rescanned() {
    host_rescan "$(debug_host 0)"
    host_rescan "$(debug_host 1)"
}

deferred_are() { # DEVICE...: just these go at their last close
    local all
    all=$(dmsetup info | awk '/^Name:/ { name = $2 } /DEFERRED REMOVE/ { print name }' | sort | xargs)
    [ "$all" = "$*" ]
}

lost_while_open() {
    # A rule that still reads a map as its last path is lost waits in it, and keeps it.
    udevadm settle --timeout=30
    every_path path_offline
    wait_for 'no path is left again' 30 is 0 active_paths
    every_path path_delete
    expect_below 'the daemon answers at once' "$(elapsed ctl show maps)" 2
    wait_for 'the map that nobody uses goes' 30 is "$(with_partitions "$used")" devices
    wait_for 'the kernel is told of the other, and of its partition' 20 deferred_are "$used" "$used-part1"
}

deferred() {
    starts 'deferred_remove yes' || return
    rm -f /run/opened /run/let-go
    (exec 3<"/dev/mapper/$used-part1" && : >/run/opened && poll 100 test -e /run/let-go) &
    poll 5 test -e /run/opened
    lost_while_open
    rescanned
    wait_for 'paths that are back before the last close take that back' 30 deferred_are
    wait_for 'of a map that works' 20 in_service 4
    lost_while_open
    kill -STOP "$(daemon_pid)"
    : >/run/let-go
    wait_for 'which goes at its last close, whoever lives' 10 is 'No' devices
    kill -CONT "$(daemon_pid)"
    expect_eq 'the daemon knows' "$(ctl show maps raw format %n)" ok
    daemon_stop
}

# I/O that waits ends with the last path, and then nobody uses the map any more.
ended_by_the_last() {
    local writer
    rescanned
    starts 'flush_on_last_del always' || return
    every_path path_offline
    wait_for 'no path is left, a fourth time' 30 is 0 active_paths
    write_once "$used-part1" 100 >/run/writer &
    writer=$!
    wait_for 'a writer is blocked again' 10 is 1 blocked_writers
    every_path path_delete
    wait "$writer"
    expect_eq 'what waits has failed with the last path' "$(cat /run/writer)" failed
    wait_for 'and every map goes' 30 is 'No' devices
}

scenario() {
    san_scsi_debug 2 2 || return
    local used unused map writer
    rules_up # without them udev would look into maps that have no path, and wait there
    starts || return
    every_path path_offline
    wait_for 'no path is left' 30 is 0 active_paths
    write_once "$used-part1" 100 >/run/writer &
    writer=$!
    wait_for 'a writer is blocked' 10 is 1 blocked_writers
    expect_match 'something is to be written to the map that nobody uses' "$(write_to_memory "$unused")" '4096 bytes'
    every_path path_delete
    unused_goes
    expect_eq 'its writer waits' "$(cat /run/writer)" ''
    rescanned
    wait_for 'the paths are back' 30 is 4 active_paths
    wait "$writer"
    expect_eq 'what waited is written' "$(cat /run/writer)" written
    daemon_stop

    part deferred || return
    rescanned
    starts 'flush_on_last_del never' || return
    every_path path_offline
    wait_for 'no path is left, a third time' 30 is 0 active_paths
    expect_match 'something is to be written again' "$(write_to_memory "$unused")" '4096 bytes'
    every_path path_delete
    wait_for 'no path is known' 20 is ok ctl show paths raw format %d
    settled
    expect_eq 'no map goes' "$(devices)" "$(with_partitions "$used" "$unused")"
    expect_match 'as it queues' "$(dmsetup table "$unused")" queue_if_no_path
    expect_eq 'by order one goes' "$(ctl del map "$unused")" ok
    expect_ok 'and is gone' is_gone "$unused"
    expect_eq 'and the other' "$(ctl del map "$used")" ok
    daemon_stop
    part ended_by_the_last
    rules_down
}
