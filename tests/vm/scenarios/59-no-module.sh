# shellcheck shell=bash
# A path selector whose module is not installed: which one is said, once; another selector works.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    modprobe -r dm-historical-service-time 2>/dev/null
    find /lib/modules -name 'dm-historical-service-time.ko*' -delete
    san_scsi_debug 2 2 || return
    conf_debug 'path_selector "historical-service-time 0"'
    : >"$MP_LOG"
    daemon_start || return
    wait_for 'the module is named' 20 grep -q \
        'path_selector historical-service-time needs the kernel.s module dm-historical-service-time' "$MP_LOG"
    wait_for 'and what is tried again' 30 says 'load without dm-historical-service-time: EINVAL.*, [2-9] times in a row' \
        ctl explain "$(debug_disk 0 0)"
    expect_no_match 'no path is blamed' "$(cat "$MP_LOG")" 'does not take it'
    conf_debug
    expect_eq 'another selector' "$(ctl reconfigure)" ok
    wait_for 'makes the maps' 30 in_service 4
    expect_eq 'it was said once' "$(grep -c 'needs the kernel.s module' "$MP_LOG")" 1
}
