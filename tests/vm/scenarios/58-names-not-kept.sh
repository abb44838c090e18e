# shellcheck shell=bash
# The bindings file can't be written: LUNs are called by their WWIDs, as nobody would know another name after the next start. They get
# their names when it can be written, and the configuration is read.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    san_scsi_debug 2 2 || return
    local wwids
    wwids=$(for disk in $(debug_disks); do san_wwid "$disk"; done | sort -u | xargs)
    conf_debug 'user_friendly_names yes'
    mkdir -p /etc/multipath
    mount --bind /etc/multipath /etc/multipath && mount -o remount,ro,bind /etc/multipath || return
    daemon_start || return
    wait_for 'four paths in service' 20 in_service 4 || return
    wait_for "both are called by their WWIDs" 20 named "$wwids"
    expect_eq 'a reconfigure' "$(ctl reconfigure)" ok
    settled
    expect_eq 'gives them no names' "$(sorted_maps)" "$wwids"
    expect_ok 'that is said' grep -q 'bindings: not written' "$MP_LOG"
    mount -o remount,rw,bind /etc/multipath || return
    expect_eq 'another one' "$(ctl reconfigure)" ok
    wait_for 'does' 20 named 'mpatha mpathb'
    expect_eq 'which are written' "$(grep -c '^mpath[ab] ' /etc/multipath/bindings)" 2
    daemon_stop
    umount /etc/multipath
}

named() { is "$1" sorted_maps; }

sorted_maps() { maps | sort | xargs; }
