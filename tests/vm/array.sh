# shellcheck shell=bash
# Disks of any array, for scripts that run in the guest: the kernel's user-space backstores on loopback hosts, answered by
# guest/array.py. Sourced by san.sh.

array_folder=/run/array
array_size=$((16 * 1024 * 1024))

array_up() {
    configfs_up
    modprobe -a target_core_user tcm_loop || return
    mkdir -p $array_folder
    setsid "$vm/guest/array.py" $array_folder >/run/array.log 2>&1 </dev/null &
    echo $! >/run/array.pid
    disown
    poll 30 test -e $array_folder/.running
}

# What a disk answers from now on: array_says NAME WHAT ANSWER (see guest/array.py). Without an answer: the usual.
array_says() {
    if [ $# -lt 3 ]; then rm -f "$array_folder/$1/$2"; return; fi
    echo "$3" >"$array_folder/.new"
    mv "$array_folder/.new" "$array_folder/$1/$2"
}

array_host() { # HOST: made if it is not there
    local naa=$san_config/loopback/naa.600140570000000$1 host
    [ ! -d "$naa" ] || return 0
    ls /sys/class/scsi_host >$array_folder/.hosts
    mkdir -p "$naa/tpgt_1"
    echo "naa.600140580000000$1" >"$naa/tpgt_1/nexus"
    for host in /sys/class/scsi_host/host*; do
        grep -qx "${host##*/}" $array_folder/.hosts || echo "${host##*host}" >"$array_folder/.host$1"
    done
}

# array_disk NAME HOST LUN [WHAT=ANSWER...]: the disk of that number at a host (1 to 9).
array_disk() {
    local name=$1 host=$2 lun=$3 disk=$san_config/core/user_0/$1 answer; shift 3
    mkdir -p "$array_folder/$name" "$disk"
    for answer in "$@"; do echo "${answer#*=}" >"$array_folder/$name/${answer%%=*}"; done
    echo "dev_size=$array_size,dev_config=$name,hw_block_size=512,nl_reply_supported=-1" >"$disk/control"
    echo "max_data_area_mb=8,cmd_ring_size_mb=1" >"$disk/control"
    echo $array_size >"$array_folder/$name/size"
    echo 1 >"$disk/enable"
    array_host "$host"
    lun=$san_config/loopback/naa.600140570000000$host/tpgt_1/lun/lun_$lun
    mkdir "$lun" && ln -s "$disk" "$lun/$name"
    echo "$host ${lun##*_}" >"$array_folder/$name/.at"
    poll 10 array_dev "$name"
}

array_dev() { # NAME: sdX
    local host lun dirs
    read -r host lun <"$array_folder/$1/.at"
    dirs=(/sys/bus/scsi/devices/"$(cat "$array_folder/.host$host")":0:1:"$lun"/block/sd*)
    [ -d "${dirs[0]}" ] && echo "${dirs[0]##*/}"
}

array_again() { # NAME: it goes, and comes as what it answers now
    local host lun
    read -r host lun <"$array_folder/$1/.at"
    lun=$san_config/loopback/naa.600140570000000$host/tpgt_1/lun/lun_$lun
    rm "$lun/$1" && ln -s "$san_config/core/user_0/$1" "$lun/$1"
    poll 10 array_dev "$1"
}

array_checks() { stat -c %s "$array_folder/$1/ready"; } # NAME: how often it was asked whether it is ready

array_down() {
    local part jobs=()
    [ -d $array_folder ] || return 0
    for part in "$san_config"/loopback/naa.60014057*/tpgt_1/lun/lun_*/; do
        { find "$part" -type l -delete; rmdir "$part"; } 2>/dev/null & # at once: each takes seconds
        jobs+=($!)
    done
    wait "${jobs[@]}"
    rmdir "$san_config"/loopback/naa.60014057*/tpgt_1 "$san_config"/loopback/naa.60014057* "$san_config"/core/user_0/*/ 2>/dev/null
    kill "$(cat /run/array.pid)" 2>/dev/null
    rm -rf $array_folder
}
