#!/bin/bash
# Asymmetric namespace access: a namespace through two ports of the kernel's own NVMe target, over TCP: without the
# kernel's own multipathing, and what is shown of that, beside Debian's daemon. In the guest:
#   tests/vm/run tests/vm/nvme.sh
vm=/vm
# shellcheck source=tests/vm/lib.sh
. "$vm/lib.sh"
# shellcheck source=tests/vm/san.sh
. "$vm/san.sh"
# shellcheck source=tests/vm/nvme-target.sh
. "$vm/nvme-target.sh"

ours_d=$MPD ours_ctl=$MPCTL

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
expect_ok "over TCP a map is made of bios, as requests there may sleep" says " queue_mode bio " dmsetup table
nvme_ana 1 inaccessible
expect_ok "a port that becomes inaccessible loses its priority" poll 20 paths_are 1 10
nvme_ana 2 optimized
expect_ok "another that becomes optimized gains it" poll 20 paths_are 1 50
goes_there() { # a group is active once it has had I/O
    dd "if=/dev/mapper/$(maps)" of=/dev/null bs=4096 count=1 iflag=direct && ll | grep -A1 'status=active' | grep nvme1n1
}
wait_for "I/O goes there" 20 goes_there
daemon_stop
poll 20 remove_maps
nvme_down

# With the kernel's own multipathing.
rmmod nvme-tcp nvme-fabrics nvme nvme-core 2>/dev/null
modprobe nvme_core multipath=Y
modprobe nvme-tcp
expect_eq "the kernel's own multipathing" "$(cat /sys/module/nvme_core/parameters/multipath)" Y
nvme_target_up
nvme_ana 2 non-optimized
nvme_connect nvme0n1
wait_for 'the namespace has two paths' 20 test -e /sys/block/nvme0c1n1
printf 'defaults {\n\tfind_multipaths greedy\n\tpolling_interval 2\n\tmax_polling_interval 2\n\tenable_foreign nvme\n}\nblacklist {\n\tdevnode "^(sd|vd|loop)"\n}\n' | conf
shown() { # FILE: all that is shown of it
    {
        "$MPCTL" show topology
        "$MPCTL" show paths raw format '%w %i %d %D %o %T %t %s %p %S %z %m %N %n %R %r %a %G %c'
        "$MPCTL" show paths format '%d %i|%T|%G'
        "$MPCTL" show maps raw format '%n %w %d %F %Q %N %r %t %S %f %h %A %0 %s %v %p %e %G'
        "$MPCTL" show maps status
        "$MPCTL" show devices | grep foreign | tr -s ' '
    } >"$1"
}
two_paths() { "$MPCTL" show topology | grep -c 'nvme0c[01]n1 .* live' | grep -qx 2; }
MPD=$reference/multipathd MPCTL=$vm/guest/reference-ctl
daemon_start
wait_for 'the reference shows it' 20 two_paths
shown /run/native.reference
daemon_stop
MPD=$ours_d MPCTL=$ours_ctl
daemon_start
wait_for 'we show it' 20 two_paths
shown /run/native.ours
expect_eq 'as the reference does' "$(cat /run/native.ours)" "$(cat /run/native.reference)"
expect_eq 'no map is made of it' "$(maps)" ''
nvme_ana 2 inaccessible
inaccessible() { ctl show topology | grep -q 'status=inaccessible'; }
wait_for 'a change of access is followed' 20 inaccessible
expect_ok 'and -ll has it' says '\[nvme\]:nvme0n1' ll
echo 1 >/sys/class/nvme/nvme1/delete_controller
one_path() { [ "$(ctl show topology | grep -c 'nvme0c.n1')" = 1 ]; }
wait_for 'a path that goes is shown no more' 20 one_path
printf 'defaults {\n\tfind_multipaths greedy\n}\n' | conf
ctl reconfigure >/dev/null
nothing() { ! ctl show topology | grep -q nvme; }
wait_for 'nothing is shown where it is not wanted' 20 nothing
daemon_stop
summary
