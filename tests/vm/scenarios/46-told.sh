# shellcheck shell=bash
# What disks tell by themselves is acted upon when it is told, whoever's command has met it: access states, sizes, other LUNs.
# No check finds any of it in time: there is one in 20 s, and this checker reads and hears nothing.
# shellcheck disable=SC2034
for_reference=no

checks=("polling_interval 20" "max_polling_interval 20" "path_checker readsector0")

order() { dmsetup table "$1" | grep -oE '[0-9]+:[0-9]+' | xargs; }

groups() { dmsetup table "$1" | awk '{ i = 5 + $4; i += 1 + $i; print $i }'; }

answered() { cat /sys/block/"$1"/device/iodone_cnt; }

more_than() { [ $(($(answered "$1"))) -gt "$2" ]; } # DISK COMMANDS

map_sectors() { blockdev --getsz "/dev/mapper/$1"; }

touch_disk() { dd if="/dev/$1" of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; }

scenario() {
    san_iscsi_up 1 >/dev/null || return
    local a b map disk count
    a=$(iscsi_disk 192.168.2.200) b=$(iscsi_disk 192.168.2.201)
    san_access 2 1
    conf_debug "${checks[@]}" 'prio sysfs' 'detect_prio yes' 'path_grouping_policy group_by_prio' 'failback immediate'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    map=$(map_of "$a")
    wait_for 'the optimized one comes first' 25 is "$(dev_t "$a") $(dev_t "$b")" order "$map" || return
    san_access 2 0
    touch_disk "$b"
    wait_for 'the other one is as good: one group' 3 is 1 groups "$map"
    san_access 1 1
    touch_disk "$a"
    wait_for 'and now better: it comes first' 3 is "$(dev_t "$b") $(dev_t "$a")" order "$map"
    expect_eq 'both are in service' "$(ready_paths)" 2
    daemon_stop
    poll 20 remove_maps || fail "the first storage goes" "maps stay: $(maps | xargs)"
    san_iscsi_down

    san_scsi_debug 2 1 || return
    conf_debug "${checks[@]}" 'auto_resize grow_only'
    daemon_start || return
    wait_for 'two paths in service' 20 in_service 2 || return
    map=$(maps)
    for disk in $(debug_disks); do touch_disk "$disk"; done
    echo 2 >/sys/bus/pseudo/drivers/scsi_debug/max_luns
    disk=$(debug_disk 0 0) count=$(($(answered "$disk")))
    touch_disk "$disk"
    wait_for 'other LUNs: the disk is looked at' 3 says "$disk: its array tells that the LUNs of this target have changed" cat "$MP_LOG"
    wait_for 'the kernel is asked to' 3 more_than "$disk" $((count + 4))
    expect_eq 'it stays' "$(ready_paths)" 2
    touch_disk "$(debug_disk 1 0)"
    echo 1 >/sys/bus/pseudo/drivers/scsi_debug/virtual_gb
    for disk in $(debug_disks); do touch_disk "$disk"; done
    wait_for 'another size: the map has it' 5 is 2097152 map_sectors "$map"
    expect_eq 'with both paths' "$(ready_paths)" 2
}
