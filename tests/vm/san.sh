# shellcheck shell=bash
# Storage for scripts that run in the guest: scsi_debug hosts, and an iSCSI target (LIO) with its initiator.
# Sourced by lib.sh.

# --- scsi_debug: HOSTS hosts that all show the same LUNS disks

# The ALUA state that a host's paths report is its number modulo 3: optimized, non-optimized, standby (where I/O fails).
# So the first host gets a number that is a multiple of 3: two hosts are an optimized and a non-optimized one.
san_scsi_debug() { # HOSTS LUNS [module options]
    local hosts=$1 luns=$2; shift 2
    hosts_align || return
    modprobe scsi_debug vpd_use_hostno=0 "add_host=$hosts" num_tgts=1 "max_luns=$luns" dev_size_mb=8 "$@" || return
    poll $((60 + hosts * luns / 4)) is $((hosts * luns)) debug_disks_count || { fail "scsi_debug" "$(debug_disks_count) disks"; return 1; }
    udevadm settle --timeout=$((60 + hosts * luns / 4))
}

# Empty loopback hosts take the numbers up to the next multiple of 3.
hosts_align() {
    local loop=$san_config/loopback number=0
    while :; do
        while [ -e "/sys/class/scsi_host/host$number" ]; do number=$((number + 1)); done
        [ $((number % 3)) != 0 ] || return 0
        [ -d $san_config ] || configfs_up
        modprobe tcm_loop
        mkdir -p "$loop/naa.600140500000000$number/tpgt_1"
        poll 10 test -e "/sys/class/scsi_host/host$number" || return 1
    done
}

configfs_up() {
    modprobe configfs
    mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
    modprobe -a target_core_mod target_core_file
}

debug_disks() { # all of them, by host and LUN: sdb sdc ...
    local dir
    for dir in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*:*:*/block/sd*; do
        [ -d "$dir" ] && echo "${dir##*/}"
    done
}

debug_disks_count() { debug_disks | wc -l; }

debug_disk() { # HOST-INDEX LUN: its name. Hosts count from 0, whatever number the kernel gave.
    local dirs=(/sys/bus/pseudo/drivers/scsi_debug/adapter"$1"/host*/target*/*:*:*:"$2"/block/sd*)
    [ -d "${dirs[0]}" ] && echo "${dirs[0]##*/}"
}

debug_host() { # HOST-INDEX: hostN
    local dirs=(/sys/bus/pseudo/drivers/scsi_debug/adapter"$1"/host*)
    echo "${dirs[0]##*/}"
}

path_offline() { echo offline >"/sys/block/$1/device/state"; }
path_online() { echo running >"/sys/block/$1/device/state"; }
path_delete() { echo 1 >"/sys/block/$1/device/delete"; }
host_rescan() { echo '- - -' >"/sys/class/scsi_host/$1/scan"; }

# --- iSCSI: one LUN of 1.1 TB (sparse, in memory) through two portals on a dummy interface

san_target=iqn.2001-04.com.proware:proips.disk1
san_portals='192.168.2.200 192.168.2.201'
san_config=/sys/kernel/config/target
san_size=$((1100 * 1024 * 1024 * 1024))

san_target_up() {
    local disk=$san_config/core/fileio_0/disk1 tpg=$san_config/iscsi/$san_target/tpgt_1 ip
    configfs_up
    modprobe -a dummy iscsi_target_mod
    ip link add san0 type dummy && ip link set san0 up
    mkdir -p /run/san "$disk"
    truncate -s $san_size /run/san/disk1
    echo "fd_dev_name=/run/san/disk1,fd_dev_size=$san_size" >"$disk/control"
    echo 20170013-78a8-a9ff >"$disk/wwn/vpd_unit_serial"
    echo Proware >"$disk/wwn/vendor_id"
    echo proIPS >"$disk/wwn/product_id"
    echo 1 >"$disk/enable"
    mkdir -p "$tpg/lun/lun_0"
    # No target port groups: the kernel attaches no hardware handler.
    echo 0 >"$disk/alua/default_tg_pt_gp/alua_access_type"
    ln -s "$disk" "$tpg/lun/lun_0/disk1"
    for ip in $san_portals; do
        ip addr add "$ip/24" dev san0
        mkdir "$tpg/np/$ip:3260"
    done
    echo 0 >"$tpg/attrib/authentication"
    echo 1 >"$tpg/attrib/generate_node_acls"
    echo 0 >"$tpg/attrib/demo_mode_write_protect"
    echo 1 >"$tpg/enable"
}

# open-iscsi as an administrator of a multipath host would set it up: errors surface within seconds.
# SAN_REPLACEMENT, SAN_NOOP_INTERVAL and SAN_NOOP_TIMEOUT change that.
san_initiator_up() {
    echo InitiatorName=iqn.1993-08.org.debian:01:lab >/etc/iscsi/initiatorname.iscsi
    sed -i -e "s/^\(node.session.timeo.replacement_timeout\).*/\1 = ${SAN_REPLACEMENT:-5}/" \
        -e "s/^\(node.conn\[0\].timeo.noop_out_interval\).*/\1 = ${SAN_NOOP_INTERVAL:-1}/" \
        -e "s/^\(node.conn\[0\].timeo.noop_out_timeout\).*/\1 = ${SAN_NOOP_TIMEOUT:-2}/" \
        -e 's/^iscsid.startup.*/iscsid.startup = \/sbin\/iscsid/' /etc/iscsi/iscsid.conf
    modprobe -a iscsi_tcp
    iscsid
}

san_login() { # both portals, in order, so that the first portal's disk comes first
    local ip
    iscsiadm -m discovery -t sendtargets -p "${san_portals%% *}:3260" || return
    for ip in $san_portals; do
        iscsiadm -m node -T $san_target -p "$ip:3260" --login || return
        poll 20 iscsi_disk "$ip" || return
    done
    udevadm settle --timeout=30
}

san_iscsi_up() { san_target_up && san_initiator_up && san_login; }

iscsi_disk() { # PORTAL: the name of its disk
    local session dirs
    for session in /sys/class/iscsi_session/session*; do
        [ "$(cat "${session}"/device/connection*/iscsi_connection/*/persistent_address 2>/dev/null)" = "$1" ] || continue
        dirs=("$session"/device/target*/*:*:*:*/block/sd*)
        [ -d "${dirs[0]}" ] && echo "${dirs[0]##*/}" && return
    done
    return 1
}

portal_cut() { iptables -I OUTPUT -d "$1" -j DROP; }
portal_mend() { iptables -D OUTPUT -d "$1" -j DROP; }

san_wwid() { udevadm info --query=property --property=ID_SERIAL --value "/dev/$1"; }

san_iscsi_down() {
    [ -d $san_config/iscsi/$san_target ] || return 0
    local tpg=$san_config/iscsi/$san_target/tpgt_1
    iptables -F OUTPUT
    iscsiadm -m node -u >/dev/null 2>&1
    iscsiadm -m node -o delete >/dev/null 2>&1
    iscsiadm -k 0 >/dev/null 2>&1
    echo 0 >"$tpg/enable"
    rm -f "$tpg"/lun/lun_0/disk1
    rmdir "$tpg"/lun/lun_0 "$tpg"/np/* "$tpg" "${tpg%/*}" "$san_config/core/fileio_0/disk1"
    ip link del san0
    rm -rf /run/san
}

san_down() {
    san_iscsi_down
    if [ -d /sys/module/scsi_debug ]; then
        poll 20 rmmod scsi_debug || fail "storage goes" "scsi_debug is in use: $(rmmod scsi_debug 2>&1)"
    fi
    local filler
    for filler in "$san_config"/loopback/naa.*/; do
        [ -d "$filler" ] && rmdir "$filler/tpgt_1" "$filler"
    done
    udevadm settle --timeout=30
}
