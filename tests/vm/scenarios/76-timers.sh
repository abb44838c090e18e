# shellcheck shell=bash
# What transport and disk are told: on iSCSI the session's recovery time, on scsi_debug deadline, retries and the size of
# requests. Each is read back from sysfs, and nothing is written twice.

scenario() {
    san_iscsi_up || return
    local session=(/sys/class/iscsi_session/session*) disk shown
    expect_eq 'recovery time before' "$(cat "${session[0]}/recovery_tmo")" 5
    conf_debug 'fast_io_fail_tmo 17' 'dev_loss_tmo 60' 'no_path_retry 12'
    daemon_start || return
    wait_for 'one map' 20 is 1 maps_count || return
    wait_for 'each session has the time' 20 sessions_have 17
    daemon_stop
    conf_debug 'fast_io_fail_tmo off'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2
    settled
    expect_eq 'off is nothing that a session knows' "$(cat "${session[0]}/recovery_tmo")" 17
    daemon_stop
    cleanup

    san_scsi_debug 2 1 || return
    disk=$(debug_disk 0 0)
    conf_debug 'eh_deadline 25' 'max_retries 3' 'max_sectors_kb 128' 'dev_loss_tmo 60'
    daemon_start -v3 || return
    wait_for 'one map' 20 is 1 maps_count || return
    wait_for 'deadline of the host' 20 is 25 cat "/sys/class/scsi_host/$(debug_host 0)/eh_deadline"
    wait_for 'retries of the disk' 20 is 3 retries "$disk"
    expect_eq 'requests of the disk' "$(cat "/sys/block/$disk/queue/max_sectors_kb")" 128
    shown=$(node_of "$(maps)")
    expect_eq 'requests of the map' "$(cat "/sys/block/$shown/queue/max_sectors_kb")" 128
    expect_eq 'a transport without times is said once' "$(grep -c 'has no such times' "$MP_LOG")" 1
    echo 60 >"/sys/class/scsi_host/$(debug_host 0)/eh_deadline"
    udevadm trigger --action=change "/sys/block/$disk"
    settled
    expect_eq "an operator's value stays until the next reconfigure" \
        "$(cat "/sys/class/scsi_host/$(debug_host 0)/eh_deadline")" 60
    expect_ok 'reconfigure' ctl reconfigure
    wait_for 'deadline of the host again' 20 is 25 cat "/sys/class/scsi_host/$(debug_host 0)/eh_deadline"
}

sessions_have() {
    local session
    for session in /sys/class/iscsi_session/session*; do [ "$(cat "$session/recovery_tmo")" = "$1" ] || return; done
}

retries() { cat "/sys/block/$1/device/scsi_disk"/*/max_retries; }
