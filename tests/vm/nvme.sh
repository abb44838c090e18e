#!/bin/bash
# Asymmetric namespace access: a namespace through two ports of the kernel's own NVMe target, over TCP, without the
# kernel's own multipathing. In the guest:
#   tests/vm/run tests/vm/nvme.sh
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
# shellcheck source=tests/vm/san.sh
. "$vm/san.sh"
# shellcheck source=tests/vm/nvme-target.sh
. "$vm/nvme-target.sh"

paths() { ctl show paths format "%d %p" | sed 1d | tr -s ' \n' ' '; }
paths_are() { [ "$(paths)" = "nvme0n1 $1 nvme1n1 $2 " ]; } # paths_are PRIORITY PRIORITY

modprobe nvme_core multipath=N
modprobe -a nvmet nvmet-tcp nvme-tcp loop
configfs_up
ip link set lo up
nvme_target_up
nvme_ana 2 non-optimized
nvme_connect
printf 'defaults {\n\tfind_multipaths greedy\n\tpolling_interval 2\n\tmax_polling_interval 4\n}\n' | conf
daemon_start
expect_ok "ANA is found out, and gives priorities" poll 20 paths_are 50 10
nvme_ana 1 inaccessible
expect_ok "a port that becomes inaccessible loses its priority" poll 20 paths_are 1 10
nvme_ana 2 optimized
expect_ok "another that becomes optimized gains it" poll 20 paths_are 1 50
goes_there() { # a group is active once it has had I/O
    dd "if=/dev/mapper/$(maps)" of=/dev/null bs=4096 count=1 iflag=direct && ll | grep -A1 'status=active' | grep nvme1n1
}
wait_for "I/O goes there" 20 goes_there
daemon_stop
summary
