# shellcheck shell=bash
# Shows situation 6: a path is offline and comes back during a reconfigure and a start; it is identified anew and grouped rightly.
# group_by_serial with two disks of two serial numbers that udev gives one WWID, and group_by_tpg with two target port groups: the
# groups are those of the policy each time, never one group of all.

rules=/run/udev/rules.d/99-one-wwid.rules

groups() { # of all maps, a line each: their disks
    local map group path
    for map in $(maps); do
        table_groups "$map" | while read -r group; do
            for path in $group; do basename "$(readlink -f "/dev/block/$path")"; done | sort | xargs
        done
    done | sort
}

says_unusable() { says "^$1 .*(offline|faulty)" ctl show paths raw format '%d %o %T'; }

comes_back() { # WHAT DISK
    path_online "$2"
    wait_for "$1: four paths in service" 30 in_service 4
    wait_for "$1: grouped as before" 10 is "$wanted" groups
}

# POLICY: with the four disks in service
through_it_all() {
    local disk; disk=$(debug_disk 0 1)
    wait_for "$1: four paths in service" 20 in_service 4 || return
    wait_for "$1: its groups" 10 is "$wanted" groups || return

    path_offline "$disk"
    expect_eq "$1: a reconfigure while one is offline" "$(ctl reconfigure all)" ok
    wait_for "$1: it is out of use" 20 says_unusable "$disk"
    expect_eq "$1: the groups stay" "$(groups)" "$wanted"
    comes_back "$1, reconfigured" "$disk"

    daemon_kill
    path_offline "$disk"
    daemon_start || return
    wait_for "$1: it is out of use at the start" 20 says_unusable "$disk"
    comes_back "$1, started" "$disk"

    # No map is there to tell what was.
    daemon_stop
    poll 20 remove_maps || fail "$1" 'maps stay'
    path_offline "$disk"
    daemon_start || return
    wait_for "$1: three paths in service" 20 in_service 3
    # It comes back in the middle of a reconfigure.
    ctl reconfigure all >/run/answer &
    path_online "$disk"
    wait $!
    expect_eq "$1: a reconfigure as it comes back" "$(cat /run/answer)" ok
    comes_back "$1, made anew" "$disk"
    daemon_stop
    poll 20 remove_maps
}

scenario() {
    local wanted serials lun
    san_scsi_debug 2 2 || return
    # Two LUNs are two serial numbers; the rule makes one WWID of them.
    mkdir -p ${rules%/*}
    echo 'KERNEL=="sd[b-z]", ENV{DEVTYPE}=="disk", ENV{ID_SERIAL}="one-for-both"' >$rules
    udevadm control --reload
    udevadm trigger --action=change --settle --subsystem-match=block
    conf_debug 'path_grouping_policy group_by_serial'
    daemon_start || return
    serials=$(ctl show paths raw format %z | sort | uniq -c | awk '{ print $1 }' | xargs)
    expect_eq 'two serial numbers of two disks' "$serials" '2 2'
    wanted=$(for lun in 0 1; do printf '%s\n' "$(debug_disk 0 $lun)" "$(debug_disk 1 $lun)" | sort | xargs; done | sort)
    through_it_all group_by_serial
    rm $rules
    udevadm control --reload
    udevadm trigger --action=change --settle --subsystem-match=block

    # A LUN is a map of two target port groups with a path each, which one priority for both does not tell apart.
    rm -rf /etc/multipath; mkdir -p /etc/multipath
    conf_debug 'path_grouping_policy group_by_tpg' 'detect_pgpolicy no'
    daemon_start || return
    wanted=$(debug_disks | sort)
    through_it_all group_by_tpg
}
