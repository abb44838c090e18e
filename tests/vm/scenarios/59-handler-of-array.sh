# shellcheck shell=bash
# Arrays whose controllers take turns by commands of their own: the kernel's handler for them is named in the table, which loads its module
# and attaches it to disks that came before. One that can't be attached does not keep the map from being made.

scenario() {
    modprobe -q -r scsi_dh_hp_sw scsi_dh_rdac scsi_dh_emc
    array_up || return
    both hp HP MSA1000 && both rdac LSI INF-01-00 || { fail 'disks' "$(dmesg | tail -n 5)"; return; }
    udevadm settle --timeout=30
    printf 'defaults {\n\tfind_multipaths greedy\n\tpolling_interval 1\n}\nblacklist {\n\tdevnode "^sda$"\n}\n' | conf
    expect_eq 'no handler is attached at first' "$(handlers)" ' detached detached detached detached'
    daemon_start || return
    wait_for 'the HP array has its handler' 20 grep_table hp '1 hp_sw'
    expect_eq 'which the kernel has attached' "$(state hp1) $(state hp2)" 'hp_sw hp_sw'
    ours || return 0 # the reference makes no map of the other
    # It answers no page that the handler needs.
    wait_for 'the other array has none that can be attached' 30 grep_table rdac ' 0 [12] 1 '
    expect_ok 'which is said' grep -q "the kernel's handler rdac can't be attached" "$MP_LOG"
    expect_match 'and explained' "$(ctl explain "$(array_dev rdac1)" | tr -s ' ')" 'hardware_handler 0'
    daemon_stop
    : >"$MP_LOG"
    daemon_start || return
    wait_for 'all paths are in service after a restart' 20 is 4 ready_paths
    expect_match 'the handler stays' "$(table_of hp)" '1 hp_sw'
    without_module || return

    # Who wants none says so.
    daemon_stop
    poll 20 remove_maps
    printf 'devices {\n\tdevice {\n\t\tvendor HP\n\t\tproduct MSA\n\t\thardware_handler "0"\n\t\tretain_attached_hw_handler no\n\t}\n}\n' >>/etc/multipath.conf
    detached
    daemon_start || return
    wait_for 'none is taken where none is wanted' 20 grep_table hp ' 0 [12] 1 '
}

# Its disks go, and come without a handler; its module goes: one that is attached holds it.
detached() {
    array_again hp1
    array_again hp2
    udevadm settle --timeout=30
    expect_eq 'none is attached' "$(state hp1) $(state hp2)" 'detached detached'
    expect_ok 'the module goes' modprobe -r scsi_dh_hp_sw
}

without_module() {
    daemon_stop
    poll 20 remove_maps
    detached
    module_away scsi_dh_hp_sw
    : >"$MP_LOG"
    daemon_start || return
    wait_for 'without its module there is a map without it' 30 grep_table hp ' 0 [12] 1 '
    expect_ok 'and its name is said' grep -q 'hardware_handler hp_sw needs the kernel.s module scsi_dh_hp_sw' "$MP_LOG"
    module_back
    expect_ok 'a reconfigure' ctl reconfigure
    wait_for 'has it again, with the module' 20 grep_table hp '1 hp_sw'
}

both() { # NAME VENDOR PRODUCT: a LUN with two paths
    local host
    number=$((${number:-0} + 1))
    for host in 1 2; do
        array_disk "$1$host" $host $number "wwid=6001405${number}00000000000000000000000$number" "vendor=$2" "product=$3" \
            "volume=$1" 12.c9="$(vac 0$host)" || return
    done
}

# What an RDAC array says of a volume that both controllers serve.
vac() { echo "00 c9 00 2c 76616331 01 $1 00 00 00 00 $(printf '%068d' 0)"; }

state() { cat "/sys/block/$(array_dev "$1")/device/dh_state"; } # NAME

handlers() { local name; for name in hp1 hp2 rdac1 rdac2; do printf ' %s' "$(state $name)"; done; }

table_of() { dmsetup table --target multipath "$(map_of "$(array_dev "${1}1")")"; } # ARRAY

grep_table() { table_of "$1" | grep -qE "$2"; }
