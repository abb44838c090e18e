# shellcheck shell=bash
# The host has no memory for an attribute of a disk in sysfs: that does not make the disk one that is gone.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 1 || return
    conf_debug
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    local disk uevent pid tracer
    disk=$(debug_disk 0 0) pid=$(daemon_pid)
    uevent=$(readlink -f "/sys/block/$disk")/uevent
    settled
    : >"$MP_LOG"
    strace -f -qq -p "$pid" -o /run/trace -P "$uevent" -e trace=pread64 -e inject=pread64:error=ENOMEM &
    tracer=$!
    poll 10 grep -q '^TracerPid:.*[1-9]' "/proc/$pid/status" || fail 'reads are made to fail' "$(cat "/proc/$pid/status")"
    udevadm trigger --action=change "/sys/block/$disk"
    udevadm settle
    wait_for 'it is read in vain' 10 grep -q INJECTED /run/trace
    sleep 2
    kill "$tracer"
    wait "$tracer"
    settled
    expect_eq 'no path was lost' "$(grep -c 'removed' "$MP_LOG")" 0
    expect_ok 'both are in service' in_service 2
}
