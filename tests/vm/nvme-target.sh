# shellcheck shell=bash
# A namespace through two ports of the kernel's own NVMe target, over TCP. Sourced by what needs it.

nvme_config=/sys/kernel/config/nvmet

nvme_ana() { echo "$2" >"$nvme_config/ports/$1/ana_groups/1/ana_state"; } # nvme_ana PORT STATE

nvme_target_up() {
    local port space=$nvme_config/subsystems/lab/namespaces/1
    truncate -s 64M /run/namespace
    mkdir -p "$space"
    echo 1 >"$nvme_config/subsystems/lab/attr_allow_any_host"
    losetup -f --show /run/namespace >"$space/device_path"
    echo 1 >"$space/enable"
    for port in 1 2; do
        mkdir "$nvme_config/ports/$port"
        echo tcp >"$nvme_config/ports/$port/addr_trtype"
        echo ipv4 >"$nvme_config/ports/$port/addr_adrfam"
        echo 127.0.0.1 >"$nvme_config/ports/$port/addr_traddr"
        echo "442$port" >"$nvme_config/ports/$port/addr_trsvcid"
        ln -s "$nvme_config/subsystems/lab" "$nvme_config/ports/$port/subsystems/lab"
    done
}

nvme_connect() { # [DISK that comes last]
    local port
    for port in 1 2; do
        echo "transport=tcp,traddr=127.0.0.1,trsvcid=442$port,nqn=lab" >/dev/nvme-fabrics
    done
    poll 20 test -b "/dev/${1:-nvme1n1}"
    udevadm settle --timeout=20
}

nvme_down() {
    local port controller
    for controller in /sys/class/nvme/nvme*/delete_controller; do
        [ ! -e "$controller" ] || echo 1 >"$controller"
    done
    for port in 1 2; do
        rm -f "$nvme_config/ports/$port/subsystems/lab"
        rmdir "$nvme_config/ports/$port"
    done
    echo 0 >"$nvme_config/subsystems/lab/namespaces/1/enable"
    rmdir "$nvme_config/subsystems/lab/namespaces/1" "$nvme_config/subsystems/lab"
    losetup -D
}

# Runs a command while disks of the kernel's target are there over TCP, each path a disk of its own, and leaves nothing behind.
with_nvme() {
    modprobe nvme_core multipath=N
    modprobe -a nvmet nvmet-tcp nvme-tcp loop
    ip link set lo up
    if nvme_target_up && nvme_connect; then "$@"; else fail 'NVMe' "$(dmesg | tail -n 5)"; fi
    daemon_stop
    poll 20 remove_maps
    nvme_down
}
