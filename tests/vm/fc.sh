# shellcheck shell=bash
# Fibre Channel without hardware: FCoE ports that see each other over a bridge (VN2VN, no FCF needed), the kernel's initiator on
# two of them and LIO's target on two, which show one LUN. Each initiator sees both targets: four paths. Sourced by lib.sh.

fc_config=/sys/kernel/config/target/fc
fc_initiators='1 2' fc_targets='3 4'

# The kernel makes a port's names of its interface's address: 2:0:0:0:0:N.
fc_wwpn() { printf %s "200002000000000$1"; }
fc_wwnn() { echo "100002000000000$1"; }

fc_port_up() { # NUMBER: an interface on the bridge; FCoE begins with fc_port_on
    ip link add "fc$1" address "02:00:00:00:00:0$1" mtu 2500 type veth peer name "fcsw$1" mtu 2500
    ip link set "fcsw$1" master fcsw up
    ip link set "fc$1" up
}

fc_port_on() { # NUMBER
    local controller
    echo "fc$1" >/sys/bus/fcoe/ctlr_create
    for controller in /sys/bus/fcoe/devices/ctlr_*; do
        [ "$(cat "$controller/enabled")" = 0 ] || continue
        echo vn2vn >"$controller/mode"
        echo 1 >"$controller/enabled"
    done
}

fc_target() { # NUMBER: the target at that port, which shows the backstore to each initiator
    local tpg name initiator
    name=$(fc_wwpn "$1" | sed 's/..\B/&:/g')
    tpg=$fc_config/$name/tpgt_1
    mkdir -p "$tpg/lun/lun_0"
    ln -s "$san_config/core/fileio_0/fcdisk" "$tpg/lun/lun_0/fcdisk"
    for initiator in $fc_initiators; do
        name=$tpg/acls/$(fc_wwpn "$initiator" | sed 's/..\B/&:/g')
        mkdir "$name" && mkdir "$name/lun_0" && ln -s "$tpg/lun/lun_0" "$name/lun_0/lun"
    done
}

san_fc_up() {
    local port
    configfs_up
    modprobe -a fcoe tcm_fc veth bridge || return
    san_backstore fcdisk $((64 * 1024 * 1024)) 5fc0-0001
    ip link add fcsw mtu 2500 type bridge
    ip link set fcsw up
    for port in $fc_targets $fc_initiators; do fc_port_up "$port"; done
    for port in $fc_targets; do fc_target "$port"; done
    for port in $fc_targets $fc_initiators; do fc_port_on "$port"; done
    poll 60 is 4 fc_disks_count || { fail 'Fibre Channel' "$(fc_disks_count) disks"; return 1; }
    udevadm settle --timeout=30
}

fc_attribute() { read -r REPLY <"$1"; } 2>/dev/null # FILE: no process is started

fc_host() { # NUMBER: hostN of the port
    local dir
    for dir in /sys/class/fc_host/host*; do
        fc_attribute "$dir/port_name" && [ "$REPLY" = "0x$(fc_wwpn "$1")" ] && echo "${dir##*/}" && return
    done
    return 1
}

fc_rport() { # INITIATOR TARGET: the remote port's folder
    local dir host; host=$(fc_host "$1") || return
    for dir in /sys/class/fc_remote_ports/rport-"${host#host}":*; do
        fc_attribute "$dir/port_name" && [ "$REPLY" = "0x$(fc_wwpn "$2")" ] && echo "$dir" && return
    done
    return 1
}

fc_rport_is() { fc_attribute "$(fc_rport "$1" "$2")/$3" && echo "$REPLY"; } # INITIATOR TARGET ATTRIBUTE

fc_disk() { # INITIATOR TARGET: its name
    local dir; dir=$(fc_rport "$1" "$2") || return
    for dir in "$dir"/device/target*/*:*:*:0/block/sd*; do [ -d "$dir" ] && echo "${dir##*/}" && return; done
    return 1
}

fc_disks() {
    local initiator target
    for initiator in $fc_initiators; do
        for target in $fc_targets; do fc_disk "$initiator" "$target"; done
    done
}

fc_disks_count() { fc_disks | wc -l; }

fc_cut() { ip link set "fcsw$1" down; } # the cable of a port
fc_mend() { ip link set "fcsw$1" up; }

fc_down() {
    [ -d $fc_config ] || return 0
    local port dir
    for port in $fc_initiators $fc_targets; do
        [ ! -d "/sys/class/net/fc$port" ] || echo "fc$port" >/sys/bus/fcoe/ctlr_destroy
    done
    poll 20 is '' ls /sys/class/fc_host || fail 'Fibre Channel goes' "$(ls /sys/class/fc_host)"
    for dir in "$fc_config"/*/tpgt_1; do
        [ -d "$dir" ] || continue
        find "$dir/acls" "$dir/lun" -type l -delete
        rmdir "$dir"/acls/*/lun_0 "$dir"/acls/* "$dir"/lun/lun_0 "$dir" "${dir%/*}"
    done
    for port in $fc_initiators $fc_targets; do ip link del "fc$port"; done
    ip link del fcsw
    rmdir $fc_config
}
