# shellcheck shell=bash
# Messages of udev's lack the property that a rule asks for, as where a rule timed out, or bring one that is on the blacklist: the paths of a
# map stay, as they came otherwise. A reconfigure judges them by what udev knows then; a disk in no map is judged when it is added.

# A rule for the second disk, and udev's rules run for it.
ruled() { # RULE ACTION
    echo "KERNEL==\"${disks[1]}\", $1" >/run/udev/rules.d/99-property.rules
    udevadm control --reload
    udevadm trigger --settle --action="$2" "/sys/block/${disks[1]}"
}

scenario() {
    local disks rule map
    san_scsi_debug 2 1 || return
    read -ra disks <<<"$(debug_disks | xargs)"
    conf <<'END'
defaults {
	polling_interval 1
	max_polling_interval 2
	find_multipaths greedy
	no_path_retry fail
	detect_prio no
	prio const
	path_grouping_policy multibus
}
blacklist {
	devnode "^sda$"
	property "SKIPPED"
}
blacklist_exceptions {
	property "ID_WWN"
}
END
    daemon_start || return
    wait_for 'a map' 20 is 1 maps_count || return
    map=$(maps)
    wait_for 'it has both' 20 is 2 map_paths "$map" || return
    mkdir -p /run/udev/rules.d
    for rule in 'ENV{ID_WWN}="", ENV{ID_WWN_WITH_EXTENSION}=""' 'ENV{A_SKIPPED}="1"'; do
        ruled "$rule" change
        ruled "$rule" add
        sleep 3
        expect_eq "$rule: both stay" "$(map_paths "$map")" 2
        ctl reconfigure >/dev/null
        wait_for 'a reconfigure takes it out' 20 is 1 map_paths "$map"
        ruled 'ENV{ANOTHER}="1"' add
        wait_for 'it comes back' 20 is 2 map_paths "$map"
    done
    rm /run/udev/rules.d/99-property.rules
    udevadm control --reload
}
