# shellcheck shell=bash
# The clock is set back while a second path is waited for (find_multipaths smart): the wait gets no longer. The one event that its timer
# has udev send finds it over.
# shellcheck disable=SC2034
for_reference=no

property() { udevadm info --query=property --property="$1" --value "/dev/$2"; } # property NAME DEVICE

held() { [ "$(property SYSTEMD_READY "$1")" = 0 ]; }

passed() { awk -v a="$1" -v b="$(now)" -v time="$2" 'BEGIN { exit b - a < time }'; } # SINCE SECONDS

scenario() {
    local disk since
    conf_debug 'find_multipaths_timeout 8'
    sed -i 's/find_multipaths greedy/find_multipaths smart/' /etc/multipath.conf
    rules_up
    daemon_start || return
    san_scsi_debug 1 1 || return
    disk=$(debug_disk 0 0)
    wait_for 'a first path is held back' 10 held "$disk"
    since=$(now)
    date -s '6 seconds ago' >/dev/null
    wait_for 'the time of the wait passes' 20 passed "$since" 8
    udevadm trigger --settle --action=add "/sys/block/$disk"
    expect_eq 'then it is free' "$(property DM_MULTIPATH_DEVICE_PATH "$disk"):$(property SYSTEMD_READY "$disk")" 0:
    date -s '6 seconds' >/dev/null
    rules_down
}
