# shellcheck shell=bash
# Disks of before SPC-2: the kernel reads no pages of vital product data of them, so they are asked by the daemon, as by the reference.
# shellcheck disable=SC2034
for_reference=no # it is what is compared with

scenario() {
    # By their own numbers they have no target port groups, which the kernel would not find without the pages.
    san_scsi_debug 1 2 scsi_level=3 vpd_use_hostno=1 || return
    local disk; disk=$(debug_disk 0 0)
    expect_eq 'sysfs has no page' "$(find "/sys/block/$disk/device/" -name 'vpd_pg*')" ''
    conf_debug
    reference_start || return
    wait_for 'the reference has maps of both' 30 is 2 active_paths
    "$vm/guest/reference-ctl" show paths raw format '%d %w %z' >/run/theirs
    reference_stop
    poll 20 remove_maps
    daemon_start || return
    wait_for 'ours has them, too' 30 is 2 active_paths || return
    expect_match 'they have a serial number' "$(cat /run/theirs)" "^$disk [^ ]+ [0-9]+$"
    wait_for 'and it is known' 10 same
    expect_eq 'the same' "$(ctl show paths raw format '%d %w %z')" "$(cat /run/theirs)"
}

same() { [ "$(ctl show paths raw format '%d %w %z')" = "$(cat /run/theirs)" ]; }
