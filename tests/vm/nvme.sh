#!/bin/bash
# Asymmetric namespace access: a namespace through two ports of the kernel's own NVMe target, over TCP, without the
# kernel's own multipathing. In the guest:
#   tests/vm/run tests/vm/nvme.sh
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
# shellcheck source=tests/vm/san.sh
. "$vm/san.sh"

target=/sys/kernel/config/nvmet

ana() { echo "$2" >"$target/ports/$1/ana_groups/1/ana_state"; } # ana PORT STATE

target_up() {
    local port space=$target/subsystems/lab/namespaces/1
    truncate -s 64M /run/namespace
    mkdir -p "$space"
    echo 1 >"$target/subsystems/lab/attr_allow_any_host"
    losetup -f --show /run/namespace >"$space/device_path"
    echo 1 >"$space/enable"
    for port in 1 2; do
        mkdir "$target/ports/$port"
        echo tcp >"$target/ports/$port/addr_trtype"
        echo ipv4 >"$target/ports/$port/addr_adrfam"
        echo 127.0.0.1 >"$target/ports/$port/addr_traddr"
        echo "442$port" >"$target/ports/$port/addr_trsvcid"
        ln -s "$target/subsystems/lab" "$target/ports/$port/subsystems/lab"
    done
}

connect() {
    local port
    for port in 1 2; do
        echo "transport=tcp,traddr=127.0.0.1,trsvcid=442$port,nqn=lab" >/dev/nvme-fabrics
    done
    poll 20 test -b /dev/nvme1n1
    udevadm settle --timeout=20
}

paths() { ctl show paths format "%d %p" | sed 1d | tr -s ' \n' ' '; }
paths_are() { [ "$(paths)" = "nvme0n1 $1 nvme1n1 $2 " ]; } # paths_are PRIORITY PRIORITY

modprobe nvme_core multipath=N
modprobe -a nvmet nvmet-tcp nvme-tcp loop
configfs_up
ip link set lo up
target_up
ana 2 non-optimized
connect
printf 'defaults {\n\tfind_multipaths greedy\n\tpolling_interval 2\n\tmax_polling_interval 4\n}\n' | conf
daemon_start
expect_ok "ANA is found out, and gives priorities" poll 20 paths_are 50 10
ana 1 inaccessible
expect_ok "a port that becomes inaccessible loses its priority" poll 20 paths_are 1 10
ana 2 optimized
expect_ok "another that becomes optimized gains it" poll 20 paths_are 1 50
goes_there() { # a group is active once it has had I/O
    dd "if=/dev/mapper/$(maps)" of=/dev/null bs=4096 count=1 iflag=direct && ll | grep -A1 'status=active' | grep nvme1n1
}
wait_for "I/O goes there" 20 goes_there
daemon_stop
summary
