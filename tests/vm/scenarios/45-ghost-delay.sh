# shellcheck shell=bash
# ghost_delay: a map of standby paths alone is made at once, and udev's rules let nobody use it before a better path is there,
# or the time is over.
# shellcheck disable=SC2034
for_reference=no

access=$san_config/core/fileio_0/disk1/alua/default_tg_pt_gp

state() { echo "$1" >$access/alua_access_state; } # 0: active/optimized, 2: standby

ready() { says "^MPATH_DEVICE_READY=$2\$" udevadm info -q property "/dev/mapper/$1"; }
withheld() { ready "$1" 0; }
shown() { ready "$1" 1; }

# The others' number stands for device-mapper's rules, which have to come first.
rules_up() {
    cp "$vm/etc/udev/11-dm-mpath.rules" /run/udev/rules.d/56-dm-mpath.rules
    ln -sf "$MPCTL" /sbin/multipath
    udevadm control --reload
}

rules_down() {
    rm -f /run/udev/rules.d/56-dm-mpath.rules /sbin/multipath
    udevadm control --reload
}

scenario() {
    san_iscsi_up || return
    echo 1 >$access/alua_access_type
    state 2
    local map
    rules_up
    conf_debug 'ghost_delay 600'
    daemon_start || return
    wait_for 'a map of standby paths' 30 is 1 maps_count || return
    map=$(maps)
    wait_for 'both of them' 20 is 2 map_paths "$map"
    wait_for 'known as such' 10 says 'active ghost +running' ctl show paths
    udevadm settle --timeout=30
    expect_ok 'it is withheld' withheld "$map"
    settled
    expect_ok 'and stays so' withheld "$map"
    state 0
    wait_for 'shown with the first better path' 20 shown "$map"
    daemon_stop
    poll 20 remove_maps
    state 2
    conf_debug 'ghost_delay 5'
    daemon_start || return
    wait_for 'a map again' 30 is 1 maps_count || return
    udevadm settle --timeout=30
    expect_ok 'withheld' withheld "$map"
    wait_for 'and shown when the time is over' 20 shown "$map"
    rules_down
}
