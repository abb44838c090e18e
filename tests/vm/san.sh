# shellcheck shell=bash
# Storage for scripts that run in the guest: scsi_debug hosts, and an iSCSI target (LIO) with its initiator. Disks of arrays
# that are made up are in array.sh, which this file brings along. Sourced by lib.sh.

# shellcheck source=tests/vm/array.sh
. "$vm/array.sh"

# --- scsi_debug: HOSTS hosts that all show the same LUNS disks

# The ALUA state that a host's paths report is its number modulo 3: optimized, non-optimized, standby (where I/O fails).
# So the first host gets a number that is a multiple of 3: two hosts are an optimized and a non-optimized one.
san_scsi_debug() { # HOSTS LUNS [module options]
    local hosts=$1 luns=$2; shift 2
    hosts_align || return
    modprobe scsi_debug vpd_use_hostno=0 "add_host=$hosts" num_tgts=1 "max_luns=$luns" dev_size_mb=8 "$@" || return
    poll $((60 + hosts * luns / 4)) is $((hosts * luns)) debug_disks_count || { fail "scsi_debug" "$(debug_disks_count) disks"; return 1; }
    udevadm settle --timeout=$((60 + hosts * luns / 4))
    # A host whose queue was full when the handler asked has refused it, and is not asked again by itself.
    poll 10 debug_disks_rated || debug_disks_ask
    poll 30 debug_disks_rated || { fail "scsi_debug" "the kernel's handler has not read all access states"; return 1; }
}

# Until the handler has asked a disk, which it repeats after 2 s, the kernel calls it active/optimized. A host's state is what its
# number leaves when divided by 3.
debug_disk_rated() { # DISK
    local device=/sys/block/$1/device states=(active/optimized active/non-optimized standby) host
    [ "$(cat "$device/dh_state" 2>/dev/null)" = alua ] || return 0
    host=$(cd "$device" && pwd -P); host=${host##*/}; host=${host%%:*}
    [ "$(cat "$device/access_state")" = "${states[host % 3]}" ]
}

debug_disks_rated() {
    local disk
    for disk in $(debug_disks); do debug_disk_rated "$disk" || return 1; done
}

# Has the handler ask those anew that it has not.
debug_disks_ask() {
    local disk
    for disk in $(debug_disks); do
        debug_disk_rated "$disk" || echo 1 >"/sys/block/$disk/device/rescan"
    done
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
        poll 10 test -e "/sys/class/scsi_host/host$number" || { fail "hosts" "no host$number: something holds the one that had its number"; return 1; }
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

# --- /etc/multipath on a file system of its own, which can be frozen: a thread that writes there hangs until it is thawed

files_freezable() {
    modprobe -a loop ext4
    mkdir -p /etc/multipath
    truncate -s 16M /run/files.img
    mkfs.ext4 -q /run/files.img && mount -o loop /run/files.img /etc/multipath
}

has_hanging_thread() { grep -qs '^State:.D' /proc/"$1"/task/*/status; } # PID

thread_hangs() { # CLIENT PID: a thread of the daemon does from now on, until `fsfreeze -u /etc/multipath`
    fsfreeze -f /etc/multipath
    timeout 10 "$1" add wwid 3600140500000000000000000000000aa >/dev/null 2>&1 &
    wait_for 'a thread hangs' 20 has_hanging_thread "$2"
}

# --- iSCSI: one LUN of 1.1 TB (sparse, in memory) through two portals on a dummy interface

san_target=iqn.2001-04.com.proware:proips.disk1
san_portals='192.168.2.200 192.168.2.201'
san_config=/sys/kernel/config/target
san_size=$((1100 * 1024 * 1024 * 1024))

san_backstore() { # NAME BYTES|DEVICE SERIAL: what a LUN can show; the WWID follows from the serial number
    local kind=fileio control="fd_dev_name=/run/san/$1,fd_dev_size=$2" disk
    case $2 in
    /*) kind=iblock control=udev_path=$2; modprobe target_core_iblock ;;
    *) mkdir -p /run/san && truncate -s "$2" "/run/san/$1" ;;
    esac
    disk=$san_config/core/${kind}_0/$1
    mkdir -p "$disk"
    echo "$control" >"$disk/control"
    echo "$3" >"$disk/wwn/vpd_unit_serial"
    echo Proware >"$disk/wwn/vendor_id"
    echo proIPS >"$disk/wwn/product_id"
    echo 1 >"$disk/enable"
    # No target port groups: the kernel attaches no hardware handler.
    echo 0 >"$disk/alua/default_tg_pt_gp/alua_access_type"
}

san_lun() { # NUMBER BACKSTORE [TPG]
    local lun=$san_config/iscsi/$san_target/tpgt_${3:-1}/lun/lun_$1 disk
    for disk in "$san_config"/core/*_0/"$2"; do mkdir "$lun" && ln -s "$disk" "$lun/$2"; done
}

san_lun_gone() { # NUMBER [TPG]
    local lun=$san_config/iscsi/$san_target/tpgt_${2:-1}/lun/lun_$1
    find "$lun" -type l -delete
    rmdir "$lun"
}

san_group() { # BACKSTORE TPG: a target port group of the backstore's own, of the ports of that part of the target
    local group=$san_config/core/fileio_0/$1/alua/group$2
    mkdir "$group"
    echo "$2" >"$group/tg_pt_gp_id"
    echo 1 >"$group/alua_access_type" # implicit: the array decides
    echo "group$2" >"$san_config/iscsi/$san_target/tpgt_$2/lun/lun_0/alua_tg_pt_gp"
}

# 0: optimized, 1: non-optimized, 2: standby, 3: unavailable, 15: transitioning
san_access() { # TPG STATE
    echo "$2" >"$san_config/core/fileio_0/disk1/alua/group$1/alua_access_state"
}

# A port that is offline by SPC's secondary state: whatever is asked there, the answer is sense 02/04/12.
san_offline() { # TPG 0|1
    echo "$2" >"$san_config/iscsi/$san_target/tpgt_$1/lun/lun_0/alua_tg_pt_offline"
}

san_part_up() { # TPG [BACKSTORE]: a part of the target, with ports and LUNs of its own; the backstore is its LUN 0
    local tpg=$san_config/iscsi/$san_target/tpgt_$1
    mkdir -p "$tpg"
    san_lun 0 "${2:-disk1}" "$1"
    echo 0 >"$tpg/attrib/authentication"
    echo 1 >"$tpg/attrib/generate_node_acls"
    echo 0 >"$tpg/attrib/demo_mode_write_protect"
    echo 1 >"$tpg/enable"
}

# All ports are in one part of the target; with PORTS so many of them each in one of its own, which is a target port group.
san_target_up() { # [PORTS]
    local ip tpg=0 ports=0
    configfs_up
    modprobe -a dummy iscsi_target_mod
    ip link add san0 type dummy && ip link set san0 up
    san_backstore disk1 $san_size 20170013-78a8-a9ff
    for ip in $san_portals; do
        if [ $((ports % ${1:-100})) = 0 ]; then
            tpg=$((tpg + 1))
            san_part_up $tpg
            [ -z "${1:-}" ] || san_group disk1 $tpg
        fi
        ip addr add "$ip/24" dev san0
        mkdir "$san_config/iscsi/$san_target/tpgt_$tpg/np/$ip:3260"
        ports=$((ports + 1))
    done
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

san_iscsi_up() { san_target_up "$@" && san_initiator_up && san_login; }

iscsi_disk() { # PORTAL [LUN]: the name of its disk
    local session dirs
    for session in /sys/class/iscsi_session/session*; do
        [ "$(cat "${session}"/device/connection*/iscsi_connection/*/persistent_address 2>/dev/null)" = "$1" ] || continue
        dirs=("$session"/device/target*/*:*:*:"${2:-0}"/block/sd*)
        [ -d "${dirs[0]}" ] && echo "${dirs[0]##*/}" && return
    done
    return 1
}

portal_cut() { iptables -I OUTPUT -d "$1" -j DROP; }
portal_mend() { iptables -D OUTPUT -d "$1" -j DROP; }

san_wwid() { udevadm info --query=property --property=ID_SERIAL --value "/dev/$1"; }

san_iscsi_down() {
    local dir
    if [ -d $san_config/iscsi/$san_target ]; then
        iptables -F OUTPUT
        iscsiadm -m node -u >/dev/null 2>&1
        iscsiadm -m node -o delete >/dev/null 2>&1
        iscsiadm -k 0 >/dev/null 2>&1
        for dir in $san_config/iscsi/$san_target/tpgt_*; do
            echo 0 >"$dir/enable"
            find "$dir/lun" -mindepth 2 -maxdepth 2 -type l -delete
            rmdir "$dir"/lun/* "$dir"/np/* "$dir"
        done
        rmdir $san_config/iscsi/$san_target
        ip link del san0
    fi
    for dir in "$san_config"/core/*_0/*/alua/group*/ "$san_config"/core/*_0/*/; do
        [ ! -d "$dir" ] || rmdir "$dir"
    done
    rm -rf /run/san
}

san_down() {
    array_down
    fc_down
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
