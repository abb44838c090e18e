# shellcheck shell=bash
# Device-mapper has no memory for a while: what happened to maps meanwhile is seen afterwards.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 is 2 ready_paths || return
    local map pid tracer
    map=$(maps) pid=$(daemon_pid)
    settled
    : >"$MP_LOG"
    strace -f -qq -p "$pid" -o /run/trace -P /dev/mapper/control -e trace=ioctl -e inject=ioctl:error=ENOMEM &
    tracer=$!
    poll 10 grep -q '^TracerPid:.*[1-9]' "/proc/$pid/status" || fail 'calls are made to fail' "$(cat "/proc/$pid/status")"
    # A partition under a strange name: only the list of all devices tells of it.
    expect_ok 'a partition of another name' dmsetup create stray-part1 -u "part1-mpath-$map" \
        --table "0 2048 linear /dev/mapper/$map 0"
    wait_for 'it is said' 20 grep -q 'it is tried again' "$MP_LOG"
    kill "$tracer"
    wait "$tracer"
    wait_for 'the partition is seen, and called after its map' 20 test -b "/dev/mapper/$map-part1"
    expect_eq 'that was said once' "$(grep -c 'it is tried again' "$MP_LOG")" 1
}
