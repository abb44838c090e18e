# shellcheck shell=bash
# The disks have asymmetric access, and the module of its hardware handler is not installed: which one is said, and the maps are
# made when it is there.
# shellcheck disable=SC2034
for_reference=no

scenario() {
    modprobe -r scsi_debug scsi_dh_alua
    module_away scsi_dh_alua
    san_scsi_debug 2 2 || return
    conf_debug
    : >"$MP_LOG"
    daemon_start || return
    wait_for 'the module is named' 20 grep -q \
        'hardware_handler alua needs the kernel.s module scsi_dh_alua' "$MP_LOG"
    module_back
    wait_for 'with the module the maps are made' 60 in_service 4
    expect_eq 'it was said once' "$(grep -c 'needs the kernel.s module' "$MP_LOG")" 1
}
